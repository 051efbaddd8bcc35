package identity

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/citaplanner/realtime/pkg/contract"
)

// maxEmitCredential is the longest API key or service token looked at, in bytes.
const maxEmitCredential = 8 << 10

// Scope is what an API key or service token may do.
type Scope struct {
	TenantID string // the one tenant that it may emit to; "" is any
	KeyID    string // names the API key in logs; stable, and of no use to whoever reads it
}

// EmitKeysOptions of NewEmitKeys; the zero value is usable.
type EmitKeysOptions struct {
	Now     func() time.Time // nil is time.Now
	Metrics *Metrics         // nil counts for nobody
}

// EmitKeys checks who may emit over HTTP: servers that know an API key, never a user's session (contract/auth.md). It
// is immutable and safe for use by many goroutines.
type EmitKeys struct {
	keys []emitKey
	opts EmitKeysOptions
}

type emitKey struct {
	id     string
	secret []byte
	hash   [sha256.Size]byte
}

// NewEmitKeys takes the API keys, several while one is rotated. No key, and one that no Authorization header can carry,
// are errors; the texts never hold a key. How long a key has to be is the caller's matter.
func NewEmitKeys(keys []string, o EmitKeysOptions) (*EmitKeys, error) {
	if len(keys) == 0 {
		return nil, errors.New("no API key given")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	e := &EmitKeys{opts: o}
	for i, k := range keys {
		invisible := func(r rune) bool { return r <= ' ' || r > '~' }
		if k == "" || len(k) > maxEmitCredential || strings.ContainsFunc(k, invisible) {
			return nil, fmt.Errorf("API key %d must be visible ASCII without spaces: it travels in a header", i+1)
		}
		id := sha256.Sum256([]byte("realtime emit key id\x00" + k))
		e.keys = append(e.keys, emitKey{
			id: hex.EncodeToString(id[:4]), secret: []byte(k), hash: sha256.Sum256([]byte(k)),
		})
	}
	return e, nil
}

// emitRefusal is a reason to refuse an emit.
type emitRefusal struct {
	label string // of realtime_emit_key_checks_total
	code  contract.Code
	text  string
}

// The catalogue of refusals of the emit endpoints.
var (
	emitMissing = emitRefusal{"missing", contract.CodeUnauthorized, "API key required"}
	emitInvalid = emitRefusal{"invalid", contract.CodeInvalidToken, "Invalid API key or service token"}
	emitExpired = emitRefusal{"expired", contract.CodeTokenExpired, "Service token expired"}
)

// Check takes an Authorization header that carries an API key or a service token signed with one. Errors are
// *contract.Error: CodeUnauthorized without a bearer credential, CodeTokenExpired for a service token that was good
// once, CodeInvalidToken for anything else.
func (e *EmitKeys) Check(authorization string) (Scope, error) {
	scope, result, refused, cause := e.check(authorization)
	if refused != nil {
		e.opts.Metrics.emitChecks.WithLabelValues(refused.label).Inc()
		return Scope{}, contract.Wrap(refused.code, refused.text, cause)
	}
	e.opts.Metrics.emitChecks.WithLabelValues(result).Inc()
	return scope, nil
}

func (e *EmitKeys) check(authorization string) (_ Scope, result string, _ *emitRefusal, cause error) {
	given := bearer([]string{authorization})
	if given == "" {
		return Scope{}, "", &emitMissing, nil
	}
	if len(given) > maxEmitCredential {
		return Scope{}, "", &emitInvalid, errors.New("too long")
	}
	if k := e.match(given); k != nil {
		return Scope{KeyID: k.id}, "key", nil, nil
	}
	if strings.Count(given, ".") != 2 {
		return Scope{}, "", &emitInvalid, errors.New("no such key")
	}
	scope, err := e.serviceToken(given)
	switch {
	case errors.Is(err, errServiceTokenExpired):
		return Scope{}, "", &emitExpired, err
	case err != nil:
		return Scope{}, "", &emitInvalid, err
	}
	return scope, "service_token", nil, nil
}

// match finds the key given. All keys are compared, and by their hashes: neither which key nor how much of it was
// right, nor its length, shows in the time taken.
func (e *EmitKeys) match(given string) *emitKey {
	hash := sha256.Sum256([]byte(given))
	found := -1
	for i := range e.keys {
		equal := subtle.ConstantTimeCompare(hash[:], e.keys[i].hash[:])
		found = subtle.ConstantTimeSelect(equal, i, found)
	}
	if found < 0 {
		return nil
	}
	return &e.keys[found]
}
