-- When users were connected last, so that those who come back are told what they have missed.
-- +goose Up

CREATE TABLE realtime_last_seen (
    user_id TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    seen_at DATETIME NOT NULL,
    state TEXT NOT NULL, -- here, left or stopped
    node TEXT NOT NULL, -- who wrote the row
    PRIMARY KEY (user_id, tenant_id)
);
