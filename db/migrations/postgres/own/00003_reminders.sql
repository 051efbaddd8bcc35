-- Reminders: which were seen ahead of time, sent, or given up.
-- +goose Up

-- The key decides that a reminder is sent once. The start time in it arms an appointment again that is moved.
CREATE TABLE realtime.reminders (
    appointment_id text NOT NULL,
    recipient_id text NOT NULL,
    minutes integer NOT NULL,
    start_at timestamp(3) NOT NULL,
    outcome text NOT NULL, -- armed, sent, late or moot
    armed_at timestamp(3) NOT NULL,
    settled_at timestamp(3),
    PRIMARY KEY (appointment_id, recipient_id, minutes, start_at)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX reminders_start_at_idx ON realtime.reminders (start_at);
