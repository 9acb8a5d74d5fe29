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

-- Months that are there get the new words too; maintain() gives them to those it makes.
DO $$
DECLARE
    v_column record;
BEGIN
    FOR v_column IN
        SELECT i.inhrelid::regclass AS partition, a.attname, pg_catalog.col_description(a.attrelid, a.attnum) AS comment
        FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_attribute a ON a.attrelid = i.inhparent
        WHERE i.inhparent = 'radscheduler.hl7_message'::regclass AND (a.attname = 'appointment_id' OR a.attname LIKE 'replay%')
    LOOP
        EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', v_column.partition, v_column.attname, v_column.comment);
    END LOOP;
END
$$;
