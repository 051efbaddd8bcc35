package store

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Grants is the SQL that gives the role of a DATABASE_URL what the server needs and nothing else. The owner of the database
// and of the app's tables runs it, again after an upgrade. It connects to nothing.
func Grants(databaseURL string) (string, error) {
	if !strings.HasPrefix(databaseURL, "postgres") {
		return "", errors.New("DATABASE_URL is not PostgreSQL's: there is nothing to grant")
	}
	target, err := parsePrismaURL(databaseURL)
	if err != nil {
		return "", fmt.Errorf("DATABASE_URL: %w", err)
	}
	role := target.config.ConnConfig.User
	if role == "" {
		return "", errors.New("DATABASE_URL names no user")
	}
	ident := func(name string) string { return pgx.Identifier{name}.Sanitize() }
	to := " TO " + ident(role) + ";\n"
	var b strings.Builder
	b.WriteString("-- CREATE is for the schema realtime, which the server makes and owns. Once that is there it may be revoked.\n")
	fmt.Fprintf(&b, "DO $$ BEGIN EXECUTE format('GRANT CONNECT, CREATE ON DATABASE %%I TO %%I', current_database(), %s); END $$;\n",
		quoted(role))
	b.WriteString("GRANT USAGE ON SCHEMA " + ident(target.schema) + to)
	for _, table := range slices.Sorted(maps.Keys(neededRights)) {
		b.WriteString("GRANT " + strings.Join(neededRights[table], ", ") + " ON " + ident(target.schema) + "." + ident(table) + to)
	}
	return b.String(), nil
}

// quoted is a text as SQL writes it, within $$ too.
func quoted(text string) string {
	return "U&'" + strings.NewReplacer("'", "''", `\`, `\\`, "$", `\0024`).Replace(text) + "'"
}
