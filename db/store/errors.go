package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"
	"unicode/utf8"

	gosqlite "github.com/glebarez/go-sqlite"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"
	"gorm.io/gorm"

	"github.com/citaplanner/realtime/pkg/contract"
)

// maxID is the longest id looked up, in bytes. Ids of the app are cuids of 25; anything longer was made up.
const maxID = 255

// fault gives a database error its meaning. nil and what has a meaning already stay as they are, and so does a
// context.Canceled: the caller went away, which is nobody's fault.
func fault(err error) error {
	var ours *contract.Error
	switch {
	case err == nil, errors.As(err, &ours):
		return err
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, gorm.ErrRecordNotFound), errors.Is(err, sql.ErrNoRows):
		return contract.Wrap(contract.CodeNotFound, "not found", err)
	case errors.Is(err, gorm.ErrDuplicatedKey), stateOf(err) == "23505":
		return contract.Wrap(contract.CodeConflict, "there is such a row already", err)
	case errors.Is(err, gorm.ErrForeignKeyViolated), stateOf(err) == "23503":
		return contract.Wrap(contract.CodeConflict, "a row that this one refers to does not exist", err)
	case unavailable(err):
		return contract.Wrap(contract.CodeUnavailable, "the database does not answer", err)
	}
	return err
}

// unavailable reports whether err says that the database cannot be had now: trying again later helps.
func unavailable(err error) bool {
	for _, sentinel := range []error{
		context.DeadlineExceeded, driver.ErrBadConn, sql.ErrConnDone, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed,
		puddle.ErrClosedPool,
	} {
		if errors.Is(err, sentinel) {
			return true
		}
	}
	var connect *pgconn.ConnectError
	var network net.Error
	if errors.As(err, &connect) || errors.As(err, &network) { // whatever the server said to the connection
		return true
	}
	if state := stateOf(err); state != "" {
		return unavailableState(state)
	}
	var lite *gosqlite.Error
	if errors.As(err, &lite) {
		switch lite.Code() & 0xff { // the low byte is the primary result code, https://sqlite.org/rescode.html
		case 5, 6, 7, 8, 9, 10, 13, 14: // BUSY LOCKED NOMEM READONLY INTERRUPT IOERR FULL CANTOPEN
			return true
		}
	}
	// database/sql and pgx have no value for these.
	text := err.Error()
	return strings.Contains(text, "sql: database is closed") || strings.Contains(text, "conn closed")
}

// stateOf is PostgreSQL's error code (appendix A of its manual), "" for any other error.
func stateOf(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// unavailableState knows PostgreSQL's error codes (appendix A of its manual) that pass by themselves.
func unavailableState(code string) bool {
	switch code {
	case "25006", // read_only_sql_transaction: a replica, in the middle of a failover
		"40001", "40P01", // serialization_failure, deadlock_detected
		"55P03", "57014", // lock_not_available, query_canceled (statement_timeout)
		"57P01", "57P02", "57P03": // admin_shutdown, crash_shutdown, cannot_connect_now
		return true
	}
	// connection exception, insufficient resources, system error
	return len(code) == 5 && (code[:2] == "08" || code[:2] == "53" || code[:2] == "58")
}

// notFound is the error for a row that is not there, or not this tenant's, which nobody may tell apart.
func notFound(what string) error { return contract.NewError(contract.CodeNotFound, what+" not found") }

// plausible reports whether every id could be one: PostgreSQL refuses a NUL or broken UTF-8 with an error, where the
// answer is simply that there is no such row.
func plausible(ids ...string) bool {
	for _, id := range ids {
		if id == "" || len(id) > maxID || !utf8.ValidString(id) || strings.IndexByte(id, 0) >= 0 {
			return false
		}
	}
	return true
}

// clean is text as PostgreSQL can hold it: valid UTF-8 without NUL.
func clean(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
