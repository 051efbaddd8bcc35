// Package demo holds the demo world: two tenants with people, services and appointments today and tomorrow, for whoever
// starts the server with nothing configured: a fresh SQLite database is filled with it, and an empty PostgreSQL one when
// somebody asks for it (`realtime migrate --demo`). It never writes to a database that holds anybody else's tenants.
package demo
