// Package migrations holds the SQL that makes the tables, embedded, and applies it with goose. There are two sets for
// each database: app, the whole of the app's tables for an empty database, and own, this server's. Each has its own
// version table, in the schema realtime on PostgreSQL, where Prisma does not look. db/store calls it, and decides when
// the app's set may be applied; this package never looks at what a database holds.
package migrations
