// Package demo holds the demo world: two tenants with people, services and appointments today and tomorrow, for whoever
// starts the server with nothing configured. cmd/realtime fills a fresh SQLite database with it. It never writes to
// PostgreSQL, nor to a database that holds anybody else's tenants.
package demo
