// Package hub puts users and tenants on sockets: it answers CONNECT, joins rooms, handles what clients send, and sends
// events to the sockets of a user, a tenant or a role. It is the only package that names rooms, and every send passes
// through one function that knows the tenant, so that nothing crosses from one tenant to another.
package hub
