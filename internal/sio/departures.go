package sio

import "time"

// maxDepartures is how many are remembered: about 2 MB.
const maxDepartures = 20_000

// departures are when the clients of sessions that are over were last there, of the last ones: a client that comes too late for its
// session has missed what came since. recovery's lock guards them.
type departures struct {
	at   map[pid]time.Time
	ring []pid // the oldest is at next, once it is full
	next int
}

func (d *departures) add(id pid, at time.Time) {
	if d.at == nil {
		d.at = map[pid]time.Time{}
	}
	if _, known := d.at[id]; !known {
		if len(d.ring) < maxDepartures {
			d.ring = append(d.ring, id)
		} else {
			delete(d.at, d.ring[d.next])
			d.ring[d.next] = id
			d.next = (d.next + 1) % maxDepartures
		}
	}
	d.at[id] = at
}
