package sio

import "github.com/zishang520/socket.io-go-parser/v2/parser"

// partial is a binary packet whose attachments are still to come, one binary message each, right after it.
type partial struct {
	packet *parser.Packet
	want   int
	have   [][]byte
	bytes  int64
}

// await returns p at once when it has no attachments, and keeps it until they are there otherwise. That every
// attachment has its one placeholder is checked before any of them is taken.
func (d *decoder) await(p *parser.Packet, attachments int) (*parser.Packet, error) {
	args := p.Data.([]any)
	seen := make([]bool, attachments)
	n, ok := countPlaceholders(args, seen)
	if !ok || n != attachments {
		return nil, refusedPlaceholder
	}
	if attachments == 0 {
		return p, nil
	}
	d.partial = &partial{packet: p, want: attachments}
	return nil, nil
}

// binary takes a binary message; the packet comes back with the last one. The data is the decoder's to keep.
func (d *decoder) binary(data []byte) (*parser.Packet, error) {
	part := d.partial
	if part == nil {
		return nil, refusedBinary
	}
	if part.bytes += int64(len(data)); part.bytes > d.bounds.binary {
		return nil, refusedTooLarge
	}
	if part.have = append(part.have, data); len(part.have) < part.want {
		return nil, nil
	}
	d.partial = nil
	part.packet.Data = fillPlaceholders(part.packet.Data, part.have)
	return part.packet, nil
}

// placeholder reads `{"_placeholder":true,"num":n}`. Anything with "_placeholder" true is one, well-formed or not.
func placeholder(m map[string]any) (num int, is, ok bool) {
	if is, _ = m["_placeholder"].(bool); !is {
		return 0, false, true
	}
	f, isNumber := m["num"].(float64)
	if !isNumber || f < 0 || f > maxSafeID || f != float64(int(f)) {
		return 0, true, false
	}
	return int(f), true, true
}

// countPlaceholders returns how many there are, and false when one is malformed, out of range or there twice.
func countPlaceholders(v any, seen []bool) (n int, ok bool) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			m, ok := countPlaceholders(e, seen)
			if n += m; !ok {
				return n, false
			}
		}
	case map[string]any:
		num, is, ok := placeholder(v)
		if is {
			if !ok || num >= len(seen) || seen[num] {
				return 0, false
			}
			seen[num] = true
			return 1, true
		}
		for _, e := range v {
			m, ok := countPlaceholders(e, seen)
			if n += m; !ok {
				return n, false
			}
		}
	}
	return n, true
}

// fillPlaceholders puts the attachments in place, in v itself.
func fillPlaceholders(v any, data [][]byte) any {
	switch v := v.(type) {
	case []any:
		for i, e := range v {
			v[i] = fillPlaceholders(e, data)
		}
	case map[string]any:
		if num, is, _ := placeholder(v); is {
			return data[num]
		}
		for k, e := range v {
			v[k] = fillPlaceholders(e, data)
		}
	}
	return v
}
