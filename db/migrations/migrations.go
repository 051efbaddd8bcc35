package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"

	"github.com/pressly/goose/v3"
)

//go:embed postgres sqlite
var files embed.FS

// Set names a set of migrations of one database.
type Set struct {
	dialect goose.Dialect
	folder  string
	name    string

	// Table is the set's version table as SQL names it.
	Table string
}

// App is the set of the app's tables. On PostgreSQL they are made in the first schema of the search_path.
func App(postgres bool) Set { return set(postgres, "app", "app_version") }

// Own is the set of this server's tables.
func Own(postgres bool) Set { return set(postgres, "own", "own_version") }

func set(postgres bool, name, table string) Set {
	if postgres {
		return Set{goose.DialectPostgres, "postgres/" + name, name, "realtime." + table}
	}
	return Set{goose.DialectSQLite3, "sqlite/" + name, name, "realtime_" + table}
}

// Apply applies what is missing, each migration in a transaction of its own, and returns the names of what it applied,
// such as "app/00001_app.sql". On PostgreSQL the schema realtime must be there. It takes no lock: the caller keeps
// others away.
func (s Set) Apply(ctx context.Context, db *sql.DB, log *slog.Logger) (applied []string, err error) {
	p, err := s.provider(db, log)
	if err != nil {
		return nil, err
	}
	results, err := p.Up(ctx)
	var partial *goose.PartialError
	if errors.As(err, &partial) { // it returns no results then
		results = partial.Applied
	}
	for _, r := range results {
		if r.Error == nil {
			applied = append(applied, s.name+"/"+r.Source.Path)
		}
	}
	if err != nil {
		return applied, fmt.Errorf("apply the set %s: %w", s.name, err)
	}
	return applied, nil
}

// Versions are the version of the database (0 when nothing was applied) and the newest known to this binary.
func (s Set) Versions(ctx context.Context, db *sql.DB) (current, newest int64, err error) {
	p, err := s.provider(db, slog.New(slog.DiscardHandler))
	if err != nil {
		return 0, 0, err
	}
	for _, source := range p.ListSources() {
		newest = max(newest, source.Version)
	}
	// Not the provider's GetDBVersion: it makes the version table, and who only looks may not be allowed to.
	row := db.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM `+s.Table)
	if err := row.Scan(&current); err != nil {
		return 0, newest, fmt.Errorf("read the version of the set %s: %w", s.name, err)
	}
	return current, newest, nil
}

// WriteSQL writes the SQL of the set, file after file.
func (s Set) WriteSQL(w io.Writer) error {
	names, err := fs.Glob(files, s.folder+"/*.sql")
	for _, name := range names {
		b, readErr := files.ReadFile(name)
		_, writeErr := w.Write(b)
		err = errors.Join(err, readErr, writeErr)
	}
	return err
}

func (s Set) provider(db *sql.DB, log *slog.Logger) (*goose.Provider, error) {
	folder, err := fs.Sub(files, s.folder)
	if err != nil {
		return nil, fmt.Errorf("read the set %s: %w", s.name, err)
	}
	p, err := goose.NewProvider(s.dialect, db, folder,
		goose.WithTableName(s.Table), goose.WithSlog(log), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return nil, fmt.Errorf("read the set %s: %w", s.name, err)
	}
	return p, nil
}
