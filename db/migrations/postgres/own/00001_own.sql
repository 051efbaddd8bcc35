-- This server's own tables, in a schema that Prisma does not look at. Times are UTC, as in the app's tables.
-- +goose Up

-- Emits that are committed with their rows and have still to be made.
CREATE TABLE realtime.deliveries (
    id text PRIMARY KEY,
    tenant_id text NOT NULL,
    body text NOT NULL,
    due_at timestamp(3) NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    created_at timestamp(3) NOT NULL
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX deliveries_due_at_idx ON realtime.deliveries (due_at, id);
CREATE INDEX deliveries_created_at_idx ON realtime.deliveries (created_at);

-- What was claimed last under a key, against double clicks and retried requests.
CREATE TABLE realtime.recent (
    key text PRIMARY KEY,
    hash text NOT NULL,
    claimed_at timestamp(3) NOT NULL
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX recent_claimed_at_idx ON realtime.recent (claimed_at);

-- Answers to requests with an Idempotency-Key; response is null while the first is under way.
CREATE TABLE realtime.idempotency_keys (
    key text PRIMARY KEY,
    fingerprint text NOT NULL,
    response text,
    leased_until timestamp(3) NOT NULL,
    created_at timestamp(3) NOT NULL,
    completed_at timestamp(3)
);
CREATE INDEX idempotency_keys_created_at_idx ON realtime.idempotency_keys (created_at);
