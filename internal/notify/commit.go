package notify

import (
	"context"
	"fmt"
	"maps"

	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/internal/coalesce"
	"github.com/citaplanner/realtime/pkg/contract"
)

// commitsAtOnce is how many transactions of emits are under way at most. Emits that come meanwhile share the next one, as
// they share a round trip and a flush to disk (a third of an emit's CPU at 8 at once, make bench). One that waits for a claim
// of another process does not hold up everybody.
const commitsAtOnce = 4

// commitment is an occurrence to be committed, and what came of it.
type commitment struct {
	o      *occurrence
	metric string
	key    *attempt          // of the request whose answer this is; nil: none
	claims map[string]string // key to content
	alone  bool              // its transaction does more than those of other emits

	d      *delivery
	rows   []models.NotificationLog
	result contract.EmitResult
}

// commit stores the occurrence in one transaction: claims, rows, the delivery and, where the request has an idempotency
// key, its answer. stored is false where there was nothing to store. A caller that leaves does not undo it.
func (s *Service) commit(ctx context.Context, metric string, o *occurrence) (
	d *delivery, result contract.EmitResult, stored bool, err error,
) {
	key := attemptOf(ctx)
	if key != nil && !key.take() {
		key = nil // an earlier emit of this request has stored the answer
	}
	if key == nil && (o.fleeting || len(o.events)+len(o.notices) == 0) {
		d, _, err = s.compose(metric, o, nil)
		return d, answerOf(o, nil), false, err
	}
	c := &commitment{o: o, metric: metric, key: key, claims: o.claims()}
	c.alone = o.once != nil || key != nil && key.settlement != nil || s.paired(c)
	if err = ctx.Err(); err == nil {
		_, err = s.commits.Do(context.WithoutCancel(ctx), c)
	}
	if err != nil {
		key.giveBack()
		return nil, contract.EmitResult{}, false, fmt.Errorf("commit %s: %w", metric, err)
	}
	return c.d, c.result, true, nil
}

// commitAll commits what came together. Two that claim the same are committed one after the other: the second repeats the
// first.
func (s *Service) commitAll(ctx context.Context, all []*commitment) []coalesce.Result[struct{}] {
	results := make([]coalesce.Result[struct{}], len(all))
	left := make([]int, 0, len(all)) // places in all
	for i, c := range all {
		if c.alone {
			results[i].Err = s.commitTogether(ctx, all[i:i+1])
			continue
		}
		left = append(left, i)
	}
	for len(left) > 0 {
		var batch, later []int
		claimed := map[string]string{}
		for _, i := range left {
			if overlap(claimed, all[i].claims) {
				later = append(later, i)
				continue
			}
			maps.Copy(claimed, all[i].claims)
			batch = append(batch, i)
		}
		s.commitBatch(ctx, all, batch, results)
		left = later
	}
	return results
}

func overlap(a, b map[string]string) bool {
	for key := range b {
		if _, both := a[key]; both {
			return true
		}
	}
	return false
}

// commitBatch commits the batch in one transaction or, where one of it cannot be committed, each in its own.
func (s *Service) commitBatch(ctx context.Context, all []*commitment, batch []int, results []coalesce.Result[struct{}]) {
	together := make([]*commitment, len(batch))
	for n, i := range batch {
		together[n] = all[i]
	}
	err := s.commitTogether(ctx, together)
	alone := err != nil && len(batch) > 1 && contract.CodeOf(err) != contract.CodeUnavailable
	for n, i := range batch {
		results[i].Err = err
		if alone {
			results[i].Err = s.commitTogether(ctx, together[n:n+1])
		}
	}
}

func (s *Service) commitTogether(ctx context.Context, batch []*commitment) error {
	var fresh map[string]bool
	transaction := s.st.InEmitTx
	if batch[0].alone {
		transaction = s.st.InTx
	}
	err := transaction(ctx, func(tx *store.Store) (err error) {
		if fresh, err = s.claim(ctx, tx, batch); err != nil {
			return err
		}
		if batch[0].alone {
			if err := s.pair(ctx, tx, batch[0]); err != nil {
				return err
			}
		}
		var rows []models.NotificationLog
		var deliveries []store.Delivery
		for _, c := range batch {
			if c.d, c.rows, err = s.compose(c.metric, c.o, fresh); err != nil {
				return err
			}
			c.result = answerOf(c.o, c.rows)
			rows = append(rows, c.rows...)
			if c.d.empty() {
				continue
			}
			body, err := encode(c.d)
			if err != nil {
				return err
			}
			// The lease counts from here: the transaction may have waited for others.
			deliveries = append(deliveries, store.Delivery{
				ID: c.d.ID, TenantID: c.d.TenantID, Body: body, DueAt: s.opts.Now().Add(s.opts.DeliveryLease),
			})
		}
		if err := insert(ctx, tx, rows); err != nil {
			return err
		}
		if err := tx.Outbox.Add(ctx, deliveries...); err != nil {
			return err
		}
		for _, c := range batch {
			if err := c.key.complete(ctx, tx, c.result); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		for _, c := range batch {
			s.count(c.metric, c.o, c.d, fresh, len(c.rows))
		}
	}
	return err
}

// insertBytes bounds one INSERT. All rows fit into one, but for an alert with much data for very many users.
const insertBytes = 16 << 20

func insert(ctx context.Context, tx *store.Store, rows []models.NotificationLog) error {
	size, from := 0, 0
	for i, r := range rows {
		size += len(r.Message) + len(*r.Metadata) + 512
		if size >= insertBytes || i == len(rows)-1 {
			if err := tx.Notifications.Insert(ctx, rows[from:i+1]); err != nil {
				return err
			}
			size, from = 0, i+1
		}
	}
	return nil
}

// count counts what became of the occurrence's parts.
func (s *Service) count(metric string, o *occurrence, d *delivery, fresh map[string]bool, rows int) {
	sent, repeats := 0, len(o.events)-len(d.Events)
	for _, m := range d.Notices {
		sent += len(m.To)
	}
	for _, n := range o.notices {
		if !fresh[n.claim] {
			repeats++
		}
	}
	s.opts.Metrics.notifications.WithLabelValues(metric, "sent").Add(float64(sent))
	s.opts.Metrics.notifications.WithLabelValues(metric, "stored").Add(float64(rows - sent))
	s.opts.Metrics.repeats.WithLabelValues(metric).Add(float64(repeats))
}
