// Package sio is Socket.IO 5 without any idea of who is connecting: namespaces, CONNECT, rooms, events,
// acknowledgements. It binds github.com/zishang520/socket.io/v2 over pkg/engineio; internal/hub calls it.
//
// The library is a port of single-threaded JavaScript whose one-at-a-time order is gone. This package gives it back:
// everything that happens to a connection (a packet, a kick, its end) is one step, steps of a connection never overlap,
// and a step ends when the library and the callbacks of [Options] are done with it. While a step is under way the
// engine hands up nothing more, which is also the inbound backpressure.
//
//	engineio.Handler → conn (step) → decoder (strict) → library's Client → goroutine of the library → back to conn
//
// What never happens here:
//
//   - The library never sees a packet that the decoder has not checked for shape, depth and size.
//   - Nothing that could not be encoded reaches the wire: it is an error at the emit.
//   - A panic of a callback never ends the process, nor another socket.
//   - No lock is held while sending, but for the order of a group's events where they are shared with other processes (see order);
//     a broadcast is encoded and framed once for all its recipients.
//   - A client that comes back (Recovery) gets all that it missed or starts anew; there is no gap in between.
//   - No request header, cookie or token is kept once a socket has joined its only namespace.
package sio
