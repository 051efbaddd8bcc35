-- When users were connected last, so that those who come back are told what they have missed.
-- +goose Up

CREATE TABLE realtime.last_seen (
    user_id text NOT NULL,
    tenant_id text NOT NULL,
    seen_at timestamp(3) NOT NULL,
    state text NOT NULL, -- here, left or stopped
    node text NOT NULL, -- who wrote the row
    PRIMARY KEY (user_id, tenant_id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
