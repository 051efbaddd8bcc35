// Package store reads and writes the app's database in place, and the few tables of this server's own: one small
// repository a table, all work in one transaction by InTx, on PostgreSQL (the app's) and SQLite (the embedded default)
// alike. The matters (notify, inbox, identity, outbox) call it; edges never do.
//
// What holds for every method:
//
//   - the context comes first and ends the statement;
//   - times go in as any time.Time and come out in UTC with milliseconds, which is what the app's timestamp(3)
//     columns hold, whatever the time zone of the process or the session;
//   - an error that a caller can act on is a *contract.Error: CodeNotFound, CodeConflict for a broken key, and
//     CodeUnavailable when the database does not answer; its Message names no person and no secret;
//   - inside InTx only the store handed to the function is used.
//
// It never alters a table of the app's, and never adds an enum label: Prisma could not read the row.
package store
