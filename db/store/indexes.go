package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// recommended is an index that Prisma's schema lacks (contract/database.md): without those on notification_logs a user's
// inbox is a scan of everybody's rows, without that on appointments so is each look for reminders. Its name is what Prisma
// would give it.
type recommended struct {
	table   string
	columns []string
	lacking string // what its absence means
}

const slowInbox = "reading one user's notifications scans everybody's"

// appointmentsByStart is what a look for reminders reads by.
var appointmentsByStart = recommended{"appointments", []string{"startTime"}, "each look for reminders scans all appointments"}

// recommendedIndexes: the list, what is unread, the list of portal users, whose rows have no userId, and what is due.
var recommendedIndexes = []recommended{
	{"notification_logs", []string{"userId", "createdAt"}, slowInbox},
	{"notification_logs", []string{"userId", "readAt"}, slowInbox},
	{"notification_logs", []string{"recipientId", "createdAt"}, slowInbox},
	appointmentsByStart,
}

func (i recommended) name() string { return i.table + "_" + strings.Join(i.columns, "_") + "_idx" }

// create is the statement that makes it without keeping anybody from the table.
func (i recommended) create(s *Store) string {
	concurrently := ""
	if s.dialect == Postgres {
		concurrently = "CONCURRENTLY "
	}
	return fmt.Sprintf(`CREATE INDEX %sIF NOT EXISTS "%s" ON %s ("%s")`, concurrently, i.name(), s.t(i.table),
		strings.Join(i.columns, `", "`))
}

// in finds it among the indexes of its table, under whatever name; -1 when it is missing.
func (i recommended) in(found []index) int {
	prefix := strings.Join(i.columns, ",") + ","
	return slices.IndexFunc(found, func(x index) bool { return strings.HasPrefix(x.columns+",", prefix) })
}

// lookUp is the recommended index as the database has it; there is false when it is missing.
func (s *Store) lookUp(ctx context.Context, want recommended) (have index, there bool, err error) {
	found, err := s.indexes(ctx, want.table)
	if err != nil {
		return index{}, false, err
	}
	if i := want.in(found); i >= 0 {
		return found[i], true, nil
	}
	return index{}, false, nil
}

// lacking is a recommended index that no query can use; broken names what an interrupted run left of it, "" for nothing.
type lacking struct {
	recommended
	broken string
}

// lackingIndexes are the recommended indexes that are missing or not valid.
func (s *Store) lackingIndexes(ctx context.Context) (lack []lacking, err error) {
	for _, want := range recommendedIndexes {
		switch have, there, err := s.lookUp(ctx, want); {
		case err != nil:
			return nil, err
		case !there:
			lack = append(lack, lacking{want, ""})
		case !have.valid:
			lack = append(lack, lacking{want, have.name})
		}
	}
	return lack, nil
}

// MissingIndexes names the recommended indexes that are missing or not valid.
func (s *Store) MissingIndexes(ctx context.Context) (names []string, err error) {
	lack, err := s.lackingIndexes(ctx)
	for _, l := range lack {
		names = append(names, l.name())
	}
	return names, err
}

// MakeIndexes makes the recommended indexes that are missing, without locking anybody out, and returns their names. It
// takes as long as reading notification_logs three times and appointments once; one that an interrupted run left behind is made again. The role must
// own the tables.
func (s *Store) MakeIndexes(ctx context.Context) (made []string, err error) {
	if s.inTx {
		return nil, errors.New("make indexes: not within a transaction")
	}
	db, done, err := s.migrationDB(ctx)
	if err != nil {
		return nil, fmt.Errorf("make indexes: %w", err)
	}
	defer func() { err = errors.Join(err, done()) }()
	// Under the lock: before it, what another run is making now would be taken for left behind, and dropped.
	lack, err := s.lackingIndexes(ctx)
	if err != nil {
		return nil, fmt.Errorf("make indexes: %w", err)
	}
	for _, want := range lack {
		statements := []string{want.create(s)}
		if want.broken != "" {
			statements = append([]string{`DROP INDEX CONCURRENTLY IF EXISTS ` + s.t(want.broken)}, statements...)
		}
		for _, statement := range statements {
			if _, err := db.ExecContext(ctx, statement); err != nil {
				return made, fmt.Errorf("make the index %s: %w", want.name(), explainDenied(fault(err)))
			}
		}
		made = append(made, want.name())
	}
	return made, nil
}
