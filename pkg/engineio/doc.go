// Package engineio is an Engine.IO 4 server (https://socket.io/docs/v4/engine-io-protocol/): handshake, HTTP long-polling,
// WebSocket, upgrade, heartbeat, bounded queues. It knows nothing of Socket.IO and nothing of what its messages mean.
//
// What holds, whatever a client does:
//
//   - Handler is called for one thing at a time on each connection: Open first, then each message in the order in which the
//     client sent it, Close once and last. Reading begins after Open returned, so that no message finds nobody listening.
//   - A Message call that takes its time holds up that connection's reading and nobody else: that is the backpressure.
//   - Send never blocks. What it took is written in that order, or the connection is closed: nothing is dropped from the
//     middle of a stream.
//   - One connection's queue is bounded in bytes and in age; over it the connection is closed, never its neighbours.
//   - A packet is framed once, however many connections it goes to.
//   - After Close nothing is left: no goroutine, no timer, no map entry.
package engineio
