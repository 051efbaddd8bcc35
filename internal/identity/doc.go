// Package identity answers who is connecting: from the credential of a handshake or request to the user's row, as
// contract/auth.md says, and again every few seconds for as long as the user stays. It also knows which origins may
// sign in by cookie (Origins) and who may emit over HTTP (EmitKeys).
//
// Callers: the edges (internal/hub on CONNECT, internal/httpapi on its routes) call Authenticate and Check;
// internal/app runs Run, which tells a Watcher (the hub) about users whose right has changed.
//
// The package never trusts a token about tenant or role: both come from the database. It never closes a connection
// itself, never writes to the database, and never refuses anybody who is signed in already because the database does
// not answer.
package identity
