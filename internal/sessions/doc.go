// Package sessions keeps in Redis what Socket.IO clients may come back for: the events of each group (a tenant) as a stream, and
// who was in which rooms. internal/sio calls it (sio.Shared); app runs it. One goroutine writes and reads, in batches, so that what
// a process publishes before it asks is among the answer; nothing that sends an event ever waits for Redis.
//
// Below Options.Prefix there are
//
//	stream:<group>  the events, their ids the positions; no more than Options.Bytes, none older than Options.Keep
//	group:<group>   what a stream cannot say: last and trimmed position, bytes, number of entries, each process's last position
//	session:<hash>  a session, by the SHA-256 of its private id, which is a secret: owner, data, positions
//
// Every key expires by itself. Where Redis has lost something (a restart, an eviction) that shows in what is left, and nobody is
// restored with a gap.
package sessions
