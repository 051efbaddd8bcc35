-- What happened and has still to be told. Nothing but this server writes it here: SQLite has no function to call.
-- +goose Up

CREATE TABLE realtime_occurrences (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    seq INTEGER,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,
    tenant_id TEXT NOT NULL DEFAULT '',
    subject TEXT NOT NULL,
    source TEXT NOT NULL CHECK (source IN ('emit', 'trigger', 'canary')),
    xact INTEGER,
    state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'told', 'dead')),
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at DATETIME,
    error TEXT,
    created_at DATETIME NOT NULL
);
CREATE INDEX realtime_occurrences_subject_idx ON realtime_occurrences (subject, seq, id) WHERE state <> 'dead';
CREATE INDEX realtime_occurrences_state_idx ON realtime_occurrences (state, seq, id);
