package store

import (
	"context"
	"fmt"
)

// Tenants reads tenants.
type Tenants struct{ s *Store }

// Exists reports whether there is such a tenant, active or not.
func (t *Tenants) Exists(ctx context.Context, id string) (bool, error) {
	if !plausible(id) {
		return false, nil
	}
	var one []int
	n, err := t.s.find(ctx, "tenants.exists", &one, `SELECT 1 FROM `+t.s.t("tenants")+` WHERE id = ?`, id)
	if err != nil {
		return false, fmt.Errorf("look for tenant: %w", err)
	}
	return n > 0, nil
}
