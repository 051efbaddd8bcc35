package sessions

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/citaplanner/realtime/internal/sio"
	"github.com/citaplanner/realtime/pkg/engineio"
)

var errEntry = errors.New("not an entry of this server")

// header is what stands before an entry's packets.
type header struct {
	Node      string   `json:"p"`
	Seq       uint64   `json:"s,omitempty"`
	N         uint64   `json:"n"`
	Namespace string   `json:"ns,omitempty"`
	Rooms     []string `json:"r,omitempty"`
	All       bool     `json:"a,omitempty"`
	Except    string   `json:"x,omitempty"`
	Spread    bool     `json:"sp,omitempty"`
	Unsure    bool     `json:"u,omitempty"`
	Gap       bool     `json:"g,omitempty"`
}

// encodeEvent writes an entry: the length of its header, the header, then each packet: 1 for binary, its length, its payload.
func encodeEvent(e *sio.SharedEvent, node string) ([]byte, error) {
	h, err := json.Marshal(header{node, e.Seq, e.N, e.Namespace, e.Rooms, e.All, e.Except, e.Spread, e.Unsure, e.Gap})
	if err != nil {
		return nil, fmt.Errorf("encode an entry: %w", err)
	}
	size := len(h) + binary.MaxVarintLen64
	for _, p := range e.Packets {
		size += p.Size() + 1 + binary.MaxVarintLen64
	}
	b := binary.AppendUvarint(make([]byte, 0, size), uint64(len(h)))
	b = append(b, h...)
	for _, p := range e.Packets {
		data, isBinary := p.Payload()
		kind := byte(0)
		if isBinary {
			kind = 1
		}
		b = append(binary.AppendUvarint(append(b, kind), uint64(len(data))), data...)
	}
	return b, nil
}

// decodeEvent reads an entry of a group.
func decodeEvent(b []byte, group string, pos uint64) (*sio.SharedEvent, error) {
	head, b, ok := cut(b)
	if !ok {
		return nil, errEntry
	}
	var h header
	if err := json.Unmarshal(head, &h); err != nil {
		return nil, errEntry
	}
	e := &sio.SharedEvent{Group: group, Seq: h.Seq, N: h.N, Namespace: h.Namespace, Rooms: h.Rooms, All: h.All, Except: h.Except,
		Spread: h.Spread, Unsure: h.Unsure, Gap: h.Gap, Node: h.Node, Pos: pos}
	for len(b) > 0 {
		kind := b[0]
		var data []byte
		if data, b, ok = cut(b[1:]); !ok || kind > 1 {
			return nil, errEntry
		}
		if kind == 1 {
			e.Packets = append(e.Packets, engineio.NewBinary(data))
		} else {
			e.Packets = append(e.Packets, engineio.NewText(data))
		}
	}
	return e, nil
}

// cut takes what a length stands before.
func cut(b []byte) (data, rest []byte, ok bool) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return nil, nil, false
	}
	return b[size : size+int(n)], b[size+int(n):], true //nolint:gosec // no more than there is
}

// encodeSession writes a session as JSON.
func encodeSession(s *sio.SharedSession) ([]byte, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode a session: %w", err)
	}
	return b, nil
}

// decodeSession reads a session that belongs to a process.
func decodeSession(b []byte, node string, at, after uint64) (*sio.SharedSession, error) {
	var s sio.SharedSession
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("decode a session: %w", err)
	}
	s.Node, s.At, s.After = node, at, after
	return &s, nil
}
