package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// recommended is an index on notification_logs that Prisma's schema lacks: without it a user's inbox is a scan of
// everybody's rows (contract/database.md). Its name is what Prisma would give it.
type recommended struct{ first, second string }

// recommendedIndexes: the list, what is unread, and the list of portal users, whose rows have no userId.
var recommendedIndexes = []recommended{{"userId", "createdAt"}, {"userId", "readAt"}, {"recipientId", "createdAt"}}

func (i recommended) name() string {
	return fmt.Sprintf("notification_logs_%s_%s_idx", i.first, i.second)
}

// create is the statement that makes it without keeping anybody from the table.
func (i recommended) create(s *Store) string {
	concurrently := ""
	if s.dialect == Postgres {
		concurrently = "CONCURRENTLY "
	}
	return fmt.Sprintf(`CREATE INDEX %sIF NOT EXISTS "%s" ON %s ("%s", "%s")`, concurrently, i.name(), s.t("notification_logs"),
		i.first, i.second)
}

// in finds it among the indexes of the table, under whatever name; -1 when it is missing.
func (i recommended) in(found []index) int {
	prefix := i.first + "," + i.second + ","
	return slices.IndexFunc(found, func(x index) bool { return strings.HasPrefix(x.columns+",", prefix) })
}

// lacking is a recommended index that no query can use; broken names what an interrupted run left of it, "" for nothing.
type lacking struct {
	recommended
	broken string
}

// lackingIndexes are the recommended indexes that are missing or not valid.
func (s *Store) lackingIndexes(ctx context.Context) (lack []lacking, err error) {
	found, err := s.indexes(ctx, "notification_logs")
	if err != nil {
		return nil, err
	}
	for _, want := range recommendedIndexes {
		switch i := want.in(found); {
		case i < 0:
			lack = append(lack, lacking{want, ""})
		case !found[i].valid:
			lack = append(lack, lacking{want, found[i].name})
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
// takes as long as reading the table three times; one that an interrupted run left behind is made again. The role must
// own the table.
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
