// Package presence knows who is here, with how many sockets, in which state, and who is editing what, and announces the
// changes to the others of the tenant. The hub calls it in each connection's order; it never touches the database, never
// sends while it holds a lock, and never lets one tenant's presence show in another.
package presence
