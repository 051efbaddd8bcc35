package engineio

import (
	"bytes"
	"encoding/base64"
	"testing"
	"unicode/utf8"
)

// FuzzPacket looks for a text frame whose packet is none of the protocol's, or is not what the frame held.
func FuzzPacket(f *testing.F) {
	for _, s := range []string{"", "0", "1", "2probe", "3", "4hello", "5", "6", "7", "b4AQID", "\x1e", "4\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decodeText(b)
		if err != nil {
			return
		}
		if p.typ < typeOpen || p.typ > typeNoop || p.bin || !bytes.Equal(append([]byte{p.typ}, p.data...), b) {
			t.Fatalf("%q became %c %q", b, p.typ, p.data)
		}
	})
}

// FuzzPayload looks for a polling body that is taken although it is none, or whose packets say anything else than it. What
// is taken is encoded again: the body must come back.
func FuzzPayload(f *testing.F) {
	for _, s := range []string{"", "4", "4a\x1e4b", "2\x1e3\x1e", "bAQID\x1e4x", "b", "b=", "bAQ\n==", "\x1e\x1e", "4\xc3\x28", "7"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		packets, err := decodePayload(body)
		if err != nil {
			if packets != nil {
				t.Fatal("refused, and yet there are packets")
			}
			return
		}
		if !utf8.Valid(body) || len(packets) != 1+bytes.Count(body, []byte{separator}) {
			t.Fatalf("%q became %d packets", body, len(packets))
		}
		var again [][]byte
		size := 0
		for _, p := range packets {
			size += len(p.data)
			if p.bin {
				again = append(again, append([]byte{typeBinary}, base64.StdEncoding.EncodeToString(p.data)...))
				continue
			}
			again = append(again, append([]byte{p.typ}, p.data...))
		}
		if back := bytes.Join(again, []byte{separator}); size > len(body) || !bytes.Equal(back, body) {
			t.Fatalf("%q came back as %q", body, back)
		}
	})
}
