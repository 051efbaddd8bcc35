package notify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"

	"github.com/citaplanner/realtime/db/store"
)

// A claim keeps a repeat from being told twice: its key says what is told to whom about what, its hash says the
// content. The same hash under the same key within the window is a repeat; another content goes out, and so does the
// first content again after another one (a status that is set and set back).

// everyone is the recipient of claims for what goes to a whole audience at once.
const everyone = "*"

// claimKey is the key of one claim. It is a digest: ids are as long as callers like.
func claimKey(o *occurrence, kind, recipient string) string {
	return digest("claim", o.tenantID, o.name, kind, recipient, o.subject)
}

// The kinds of claims: what is claimed for the event itself does not keep the notification back.
const (
	claimEvent  = "event"
	claimNotice = "notice"
)

// claim tells which keys of the occurrence are new, in one statement.
func (s *Service) claim(ctx context.Context, tx *store.Store, o *occurrence) (fresh map[string]bool, err error) {
	keys := map[string]string{}
	for _, e := range o.events {
		if e.claim != "" {
			keys[e.claim] = o.content
		}
	}
	for _, n := range o.notices {
		if n.claim != "" {
			keys[n.claim] = o.content
		}
	}
	if s.opts.DedupWindow < 0 || len(keys) == 0 {
		fresh = make(map[string]bool, len(keys))
		for k := range keys {
			fresh[k] = true
		}
	} else if fresh, err = tx.Recent.ClaimAll(ctx, keys, o.at.Time, s.opts.DedupWindow); err != nil {
		return nil, err
	}
	return fresh, s.pair(ctx, tx, o)
}

// contentOf is the hash of what an occurrence says. Members that change from one attempt to the next although nothing
// else did (timestamps of the row, of the caller) are left out.
func contentOf(parts ...json.RawMessage) string {
	texts := make([]string, len(parts))
	for i, p := range parts {
		texts[i] = string(stable(p))
	}
	return digest(texts...)
}

// restless are the members of an object that are no content.
var restless = [...]string{"timestamp", "createdAt", "updatedAt"}

// stable is a JSON value in one form: compact, the members of the outermost object in order and without the restless.
func stable(v json.RawMessage) []byte {
	if firstByte(v) == '{' {
		var m map[string]json.RawMessage
		if json.Unmarshal(v, &m) == nil {
			for _, name := range restless {
				delete(m, name)
			}
			if b, err := json.Marshal(m); err == nil {
				return b
			}
		}
	}
	var b bytes.Buffer
	if json.Compact(&b, v) != nil {
		return v
	}
	return b.Bytes()
}

// digest is a hash of texts that tells ("a", "bc") from ("ab", "c").
func digest(parts ...string) string {
	h := sha256.New()
	var length [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(length[:], uint64(len(p)))
		h.Write(length[:])
		h.Write([]byte(p))
	}
	return hex.EncodeToString(h.Sum(nil))
}
