-- What looking back needs: what a message was when it was read again, and ways into the history by time.

ALTER TABLE radscheduler.hl7_message
    ADD COLUMN replayed_at     timestamptz,
    ADD COLUMN replay_outcome  text  CHECK (replay_outcome IN ('applied', 'flagged', 'duplicate', 'stale', 'ignored', 'error', 'rejected')),
    ADD COLUMN replay_code     text  CHECK (replay_code IN ('AA', 'AE', 'AR')),
    ADD COLUMN replay_warnings jsonb,
    ADD COLUMN replay_error    jsonb;
COMMENT ON COLUMN radscheduler.hl7_message.replayed_at IS 'When replay() last read the message again and kept what came of it. outcome, code, warnings, error and ack stay what the sender was told.';
COMMENT ON COLUMN radscheduler.hl7_message.replay_outcome IS 'outcome of that replay.';
COMMENT ON COLUMN radscheduler.hl7_message.replay_code IS 'code of that replay.';
COMMENT ON COLUMN radscheduler.hl7_message.replay_warnings IS 'warnings of that replay.';
COMMENT ON COLUMN radscheduler.hl7_message.replay_error IS 'error of that replay.';
COMMENT ON COLUMN radscheduler.hl7_message.appointment_id IS 'Appointment it was about, when known; since a replay, the one it is about by that reading.';

-- A day as it was known: every version that ever lay in it, then the last one before the moment.
CREATE INDEX appointment_history_starts ON radscheduler.appointment_history (site_id, radscheduler.snapshot_start(snapshot));
-- The partial indexes leave out conflicts that are over.
CREATE INDEX conflict_ever ON radscheduler.conflict (site_id, appointment_id);
CREATE INDEX conflict_other_ever ON radscheduler.conflict (site_id, other_appointment_id) WHERE other_appointment_id IS NOT NULL;
