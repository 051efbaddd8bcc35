-- This server's own tables, apart by their prefix. Times are UTC, as in the app's tables.
-- +goose Up

-- Emits that are committed with their rows and have still to be made.
CREATE TABLE realtime_deliveries (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    body TEXT NOT NULL,
    due_at DATETIME NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    created_at DATETIME NOT NULL
);
CREATE INDEX realtime_deliveries_due_at_idx ON realtime_deliveries (due_at, id);
CREATE INDEX realtime_deliveries_created_at_idx ON realtime_deliveries (created_at);

-- What was claimed last under a key, against double clicks and retried requests.
CREATE TABLE realtime_recent (
    key TEXT NOT NULL PRIMARY KEY,
    hash TEXT NOT NULL,
    claimed_at DATETIME NOT NULL
);
CREATE INDEX realtime_recent_claimed_at_idx ON realtime_recent (claimed_at);

-- Answers to requests with an Idempotency-Key; response is null while the first is under way.
CREATE TABLE realtime_idempotency_keys (
    key TEXT NOT NULL PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    response TEXT,
    leased_until DATETIME NOT NULL,
    created_at DATETIME NOT NULL,
    completed_at DATETIME
);
CREATE INDEX realtime_idempotency_keys_created_at_idx ON realtime_idempotency_keys (created_at);
