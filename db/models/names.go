package models

import (
	"strings"

	"gorm.io/gorm/schema"
)

// ownPrefix marks the tables of this server, which live apart from the app's.
const ownPrefix = "realtime."

// Names is GORM's naming strategy for both databases. Every table is written with its schema on PostgreSQL, as
// Prisma does: the server then depends on no search_path, which PgBouncer would refuse to set.
type Names struct {
	schema.NamingStrategy
	postgres bool
	schema   string
}

// PostgresNames qualifies the app's tables with appSchema (Prisma's schema parameter, "public" unless said
// otherwise) and leaves the own ones in the schema realtime.
func PostgresNames(appSchema string) Names {
	return Names{
		NamingStrategy: schema.NamingStrategy{SingularTable: true, NoLowerCase: true, IdentifierMaxLength: 63},
		postgres:       true,
		schema:         appSchema,
	}
}

// SQLiteNames leaves the app's tables as they are and writes the own ones as realtime_<name>.
func SQLiteNames() Names {
	return Names{NamingStrategy: schema.NamingStrategy{SingularTable: true, NoLowerCase: true}}
}

// TableName is the name GORM quotes: "public.users", "realtime.deliveries", "users", "realtime_deliveries".
func (n Names) TableName(table string) string {
	own := strings.HasPrefix(table, ownPrefix)
	switch {
	case n.postgres && own:
		return table
	case n.postgres:
		return n.schema + "." + table
	case own:
		return strings.Replace(table, ".", "_", 1)
	default:
		return table
	}
}

// Quoted is TableName for SQL written by hand: each part in double quotes.
func (n Names) Quoted(table string) string {
	name := n.TableName(table)
	if !n.postgres {
		return quote(name)
	}
	// The app's schema may itself hold a dot; the table never does.
	i := strings.LastIndexByte(name, '.')
	return quote(name[:i]) + "." + quote(name[i+1:])
}

func quote(identifier string) string { return `"` + strings.ReplaceAll(identifier, `"`, `""`) + `"` }
