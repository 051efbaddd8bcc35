package models

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// IntList is a list of whole numbers in one column: integer[] on PostgreSQL, a JSON array in text on SQLite. A bare
// []int would be expanded by GORM to (?,?,?). nil is NULL.
type IntList []int

// Scan reads both forms: '{1440,60}' and '[1440,60]'. A NULL element, which Prisma never writes, is left out.
func (l *IntList) Scan(src any) error {
	var text string
	switch v := src.(type) {
	case nil:
		*l = nil
		return nil
	case string:
		text = v
	case []byte:
		text = string(v)
	default:
		return fmt.Errorf("an integer list cannot be read from %T", src)
	}
	text = strings.TrimSpace(text)
	if len(text) < 2 || (text[0] != '{' && text[0] != '[') {
		return fmt.Errorf("not an integer list")
	}
	list := IntList{}
	for part := range strings.SplitSeq(text[1:len(text)-1], ",") {
		part = strings.TrimSpace(part)
		if part == "" || strings.EqualFold(part, "null") {
			continue
		}
		n, err := strconv.Atoi(part)
		if err != nil {
			return fmt.Errorf("not an integer list: %w", err)
		}
		list = append(list, n)
	}
	*l = list
	return nil
}

// GormDataType tells GORM that the list is one column, not a relation.
func (IntList) GormDataType() string { return "intlist" }

// Value is PostgreSQL's array literal. GORM asks GormValue instead, which knows the database.
func (l IntList) Value() (driver.Value, error) {
	if l == nil {
		return nil, nil
	}
	parts := make([]string, len(l))
	for i, n := range l {
		parts[i] = strconv.Itoa(n)
	}
	return "{" + strings.Join(parts, ",") + "}", nil
}

// GormValue writes the list in the form of the database in use.
func (l IntList) GormValue(_ context.Context, db *gorm.DB) clause.Expr {
	if l == nil {
		return clause.Expr{SQL: "NULL"}
	}
	if db.Name() == "sqlite" {
		b, err := json.Marshal([]int(l))
		if err != nil { // []int always encodes
			_ = db.AddError(err)
		}
		return clause.Expr{SQL: "?", Vars: []any{string(b)}}
	}
	v, err := l.Value()
	if err != nil {
		_ = db.AddError(err)
	}
	return clause.Expr{SQL: "CAST(? AS integer[])", Vars: []any{v}}
}
