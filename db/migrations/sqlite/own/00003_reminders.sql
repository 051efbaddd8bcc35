-- Reminders: which were seen ahead of time, sent, or given up.
-- +goose Up

-- The key decides that a reminder is sent once. The start time in it arms an appointment again that is moved.
CREATE TABLE realtime_reminders (
    appointment_id TEXT NOT NULL,
    recipient_id TEXT NOT NULL,
    minutes INTEGER NOT NULL,
    start_at DATETIME NOT NULL,
    outcome TEXT NOT NULL, -- armed, sent, late or moot
    armed_at DATETIME NOT NULL,
    settled_at DATETIME,
    PRIMARY KEY (appointment_id, recipient_id, minutes, start_at)
);
CREATE INDEX realtime_reminders_start_at_idx ON realtime_reminders (start_at);
