package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/citaplanner/realtime/db/migrations"
)

// Level says how bad a finding is.
type Level string

// The levels of a finding.
const (
	LevelOK      Level = "ok"
	LevelWarning Level = "warning" // it works, but not as well as it could
	LevelError   Level = "error"   // something does not work
)

// Finding is one thing that Inspect looked at.
type Finding struct {
	Level   Level
	Subject string // what was looked at: "table users", "enum NotificationType"
	Problem string // what is the matter, or what was found when all is well
	Advice  string // what to do about it, empty when all is well
}

// report collects findings.
type report struct {
	findings []Finding
	empty    bool // there is no table of the app's, and nothing to say about its parts
}

func (r *report) ok(subject, format string, args ...any) {
	r.findings = append(r.findings, Finding{LevelOK, subject, fmt.Sprintf(format, args...), ""})
}

func (r *report) warn(subject, problem, advice string) {
	r.findings = append(r.findings, Finding{LevelWarning, subject, problem, advice})
}

func (r *report) fail(subject, problem, advice string) {
	r.findings = append(r.findings, Finding{LevelError, subject, problem, advice})
}

// What to do about tables.
const (
	adviceMigrateApp = "let the app make it (npx prisma migrate deploy); " +
		"\"realtime migrate\" makes all in an empty database"
	adviceMigrateOwn = "run \"realtime migrate\""
	adviceVersion    = "this server and the app are of versions that do not fit: update the older one"
)

// Inspect looks at everything that the server relies on in the database and changes nothing. An error means that the
// database could not be asked; whatever is wrong with it is a finding.
func (s *Store) Inspect(ctx context.Context) ([]Finding, error) {
	r := &report{}
	steps := []func(context.Context, *report) error{
		s.inspectServer, s.inspectTables, s.inspectEnums, s.inspectIndexes, s.inspectOwn, s.inspectRights,
		s.inspectTime, s.inspectOutbox,
	}
	for _, step := range steps {
		if err := step(ctx, r); err != nil {
			return r.findings, fmt.Errorf("inspect the database: %w", fault(err))
		}
	}
	return r.findings, nil
}

// inspectTables compares the app's tables with the models.
func (s *Store) inspectTables(ctx context.Context, r *report) error {
	expected, err := expectedColumns()
	if err != nil {
		return err
	}
	found, err := s.columns(ctx)
	if err != nil {
		return err
	}
	if r.empty = len(found) == 0; r.empty {
		r.fail("tables", "the database has none of the app's tables", adviceMigrateApp)
		return nil
	}
	tables := appTables()
	for _, table := range tables {
		before := len(r.findings)
		s.compareTable(r, table, expected[table], found[table])
		if len(r.findings) == before {
			r.ok("table "+table, "%d columns as expected", len(expected[table]))
		}
	}
	return nil
}

// compareTable reports what is wrong with one table.
func (s *Store) compareTable(r *report, table string, expected, found []column) {
	_, used := usedColumns[table]
	switch {
	case len(found) == 0 && used:
		r.fail("table "+table, "it is missing", adviceMigrateApp)
		return
	case len(found) == 0:
		r.warn("table "+table, "it is missing; this version of the server does not use it", adviceMigrateApp)
		return
	}
	for _, want := range expected {
		subject := "column " + table + "." + want.name
		i := slices.IndexFunc(found, func(c column) bool { return c.name == want.name })
		switch {
		case i < 0 && want.used:
			r.fail(subject, "it is missing", adviceVersion)
		case i < 0:
			r.warn(subject, "it is missing; this version of the server does not use it", adviceVersion)
		case !sameType(s.dialect, want.typ, found[i].typ):
			problem := fmt.Sprintf("its type is %s, expected is %s", found[i].typ, want.typ)
			if want.used {
				r.fail(subject, problem, adviceVersion)
			} else {
				r.warn(subject, problem, adviceVersion)
			}
		case found[i].nullable && !want.nullable && want.typ != "integer[]" && want.used:
			r.warn(subject, "it may be null, which is read as an empty value", adviceVersion)
		case !found[i].nullable && want.nullable && !found[i].hasDefault && table == "notification_logs":
			r.fail(subject, "it may not be null, and the server leaves it null in some rows", adviceVersion)
		}
	}
	if table == "notification_logs" {
		for _, have := range found {
			known := slices.ContainsFunc(expected, func(c column) bool { return c.name == have.name })
			if !known && !have.nullable && !have.hasDefault {
				r.fail("column "+table+"."+have.name,
					"the server does not know it, and it has to be filled: no notification can be stored", adviceVersion)
			}
		}
	}
}

// inspectIndexes looks for the recommended indexes.
func (s *Store) inspectIndexes(ctx context.Context, r *report) error {
	if r.empty {
		return nil
	}
	for _, want := range recommendedIndexes {
		name := want.name()
		have, there, err := s.lookUp(ctx, want)
		if err != nil {
			return err
		}
		advice := fmt.Sprintf("as the owner of the table run: realtime migrate --indexes; to keep Prisma from dropping it, "+
			"add @@index([%s]) to the model", strings.Join(want.columns, ", "))
		switch {
		case !there:
			r.warn("index "+name, "it is missing: "+want.lacking, advice)
		case !have.valid:
			r.warn("index "+have.name, "it is not valid: making it was interrupted", advice)
		default:
			r.ok("index "+name, "there (as %s)", have.name)
		}
	}
	return nil
}

// index is an index as a database has it.
type index struct {
	name    string
	columns string // "userId,createdAt"
	valid   bool
}

// inspectOwn compares the version of the own tables with the newest this binary knows.
func (s *Store) inspectOwn(ctx context.Context, r *report) error {
	const subject = "own tables"
	present, err := s.ownVersionTable(ctx)
	if err != nil {
		return err
	}
	if !present {
		r.fail(subject, "they are missing", s.adviceForOwn(ctx))
		return nil
	}
	set := migrations.Own(s.dialect == Postgres)
	current, newest, err := set.Versions(ctx, s.sql)
	switch {
	case err != nil && unavailable(err):
		return err
	case err != nil:
		r.fail(subject, "their version cannot be read", "grant the server's role SELECT on "+set.Table)
	case current < newest:
		r.fail(subject, fmt.Sprintf("they are at version %d of %d", current, newest), adviceMigrateOwn)
	case current > newest:
		r.warn(subject, fmt.Sprintf("they are at version %d, this binary knows %d", current, newest),
			"a newer binary has run here: update this one")
	default:
		r.ok(subject, "version %d", current)
	}
	return nil
}

// clockTolerance is how far the database's clock may be from ours before times in rows look odd.
const clockTolerance = 2 * time.Second

// inspectTime checks that a time survives the way to the database and back, and the two clocks.
func (s *Store) inspectTime(ctx context.Context, r *report) error {
	sent := time.Date(2025, 7, 1, 3, 4, 5, 678e6, time.UTC)
	back, zone, err := s.roundTrip(ctx, sent)
	if err != nil {
		return err
	}
	if back.Equal(sent) {
		r.ok("time zone", "session in %s; times come back as they went", zone)
	} else {
		r.fail("time zone", fmt.Sprintf("a time comes back %s off (session in %s)", back.Sub(sent), zone),
			"remove TimeZone and options from DATABASE_URL, and check the pooler's settings")
	}
	if s.dialect == SQLite {
		return nil // the same clock
	}
	before := s.opts.Now()
	there, err := s.databaseClock(ctx)
	if err != nil {
		return err
	}
	took := s.opts.Now().Sub(before)
	skew := there.Sub(before.Add(took / 2))
	if skew.Abs() > clockTolerance+took {
		r.warn("clock", fmt.Sprintf("the database's clock is %s from this machine's", skew.Round(time.Millisecond)),
			"synchronise both (NTP, chrony)")
	} else {
		r.ok("clock", "within %s of the database's", clockTolerance)
	}
	return nil
}
