package sessions

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/citaplanner/realtime/internal/sio"
)

// viewTime is how long what was read of a group stays in memory when nobody comes back any more.
const viewTime = 20 * time.Second

// views are the groups whose clients are just coming back, as they were read last: only what is new is read again.
type views struct {
	of    map[string]*view
	bytes int
}

// view is what is kept of a group. Its events are others' too: a slice of them never changes.
type view struct {
	events       []*sio.SharedEvent
	pos, trimmed uint64
	bytes        int
	used         time.Time
}

// behind lists the events behind a position.
func (v *view) behind(pos uint64) []*sio.SharedEvent {
	i, _ := slices.BinarySearchFunc(v.events, pos+1, func(e *sio.SharedEvent, pos uint64) int { return cmp.Compare(e.Pos, pos) })
	return v.events[i:]
}

// from is the position behind which to read.
func (v *views) from(group string) uint64 {
	if one := v.of[group]; one != nil {
		return one.pos
	}
	return 0
}

// add takes an answer of scriptRead in.
func (v *views) add(group string, answer []any, now time.Time) error {
	if len(answer) != 3 {
		return fmt.Errorf("read a group: %d values", len(answer))
	}
	one := v.of[group]
	pos, trimmed := position(answer[0]), position(answer[1])
	if one == nil || pos < one.pos { // Redis has lost the group, and began anew
		v.drop(group)
		one = &view{}
		v.of[group] = one
	}
	one.pos, one.trimmed, one.used = pos, trimmed, now
	entries, _ := answer[2].([]any)
	events := slices.DeleteFunc(slices.Clone(one.events), func(e *sio.SharedEvent) bool { return e.Pos <= trimmed })
	for _, entry := range entries {
		e, err := readEntry(entry, group)
		if err != nil {
			return err
		}
		events = append(events, e)
	}
	one.events = events
	v.bytes -= one.bytes
	one.bytes = 0
	for _, e := range events {
		one.bytes += perPacket
		for _, p := range e.Packets {
			one.bytes += p.Size() + perPacket
		}
	}
	v.bytes += one.bytes
	return nil
}

// readEntry reads [id, [t, …, e, …]]. What is no entry of ours is a gap: whoever has it in what it missed is not restored.
func readEntry(entry any, group string) (*sio.SharedEvent, error) {
	pair, _ := entry.([]any)
	if len(pair) != 2 {
		return nil, fmt.Errorf("read a group: an entry of %d parts", len(pair))
	}
	id, _ := pair[0].(string)
	number, _, _ := strings.Cut(id, "-")
	fields, _ := pair[1].([]any)
	if len(fields) == 4 {
		if blob, ok := fields[3].(string); ok {
			if e, err := decodeEvent([]byte(blob), group, position(number)); err == nil {
				return e, nil
			}
		}
	}
	return &sio.SharedEvent{Group: group, Pos: position(number), Gap: true}, nil
}

func (v *views) drop(group string) {
	if one := v.of[group]; one != nil {
		v.bytes -= one.bytes
		delete(v.of, group)
	}
}

// expire drops what nobody has used for a while.
func (v *views) expire(now time.Time) {
	for group, one := range v.of {
		if now.Sub(one.used) > viewTime {
			v.drop(group)
		}
	}
}

// bound drops the largest until no more than this is held.
func (v *views) bound(bytes int) {
	for v.bytes > bytes {
		largest := ""
		for group, one := range v.of {
			if largest == "" || one.bytes > v.of[largest].bytes {
				largest = group
			}
		}
		v.drop(largest)
	}
}
