-- What was received, byte for byte, what became of it and what was answered.

CREATE SEQUENCE radscheduler.hl7_message_id_seq;
COMMENT ON SEQUENCE radscheduler.hl7_message_id_seq IS 'Numbers received messages; also the control id (MSH-10) of their acknowledgements.';

CREATE TABLE radscheduler.hl7_message (
    site_id        integer     NOT NULL,
    message_id     bigint      NOT NULL DEFAULT pg_catalog.nextval('radscheduler.hl7_message_id_seq'),
    received_at    timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    channel        text        NOT NULL,
    peer           text,
    raw            bytea       NOT NULL,
    raw_sha256     bytea       NOT NULL,
    sender_id      bigint,
    message_code   text,
    trigger_event  text,
    control_id     text,
    processing_id  text,
    version_id     text,
    message_time   timestamptz,
    outcome        text        NOT NULL CHECK (outcome IN ('applied', 'flagged', 'duplicate', 'stale', 'ignored', 'error', 'rejected')),
    code           text        NOT NULL CHECK (code IN ('AA', 'AE', 'AR')),
    warnings       jsonb       NOT NULL DEFAULT '[]',
    error          jsonb,
    ack            bytea       NOT NULL,
    appointment_id bigint,
    duplicate_of   bigint,
    PRIMARY KEY (site_id, received_at, message_id)
) PARTITION BY RANGE (received_at);
ALTER SEQUENCE radscheduler.hl7_message_id_seq OWNED BY radscheduler.hl7_message.message_id;
CREATE INDEX hl7_message_id ON radscheduler.hl7_message (site_id, message_id);
CREATE INDEX hl7_message_control ON radscheduler.hl7_message (site_id, sender_id, control_id);
CREATE INDEX hl7_message_appointment ON radscheduler.hl7_message (site_id, appointment_id) WHERE appointment_id IS NOT NULL;
CREATE TABLE radscheduler.hl7_message_default PARTITION OF radscheduler.hl7_message DEFAULT;
COMMENT ON TABLE  radscheduler.hl7_message IS 'Every message received, whatever became of it: raw bytes, outcome, warnings and the acknowledgement given. Partitioned by month.';
COMMENT ON TABLE  radscheduler.hl7_message_default IS 'Messages outside the months that maintain() has made ahead.';
COMMENT ON COLUMN radscheduler.hl7_message.site_id IS 'Site.';
COMMENT ON COLUMN radscheduler.hl7_message.message_id IS 'Identity within the database.';
COMMENT ON COLUMN radscheduler.hl7_message.received_at IS 'Arrival; the partition key.';
COMMENT ON COLUMN radscheduler.hl7_message.channel IS 'Door it came in by: mllp, http, json, sql.';
COMMENT ON COLUMN radscheduler.hl7_message.peer IS 'Network address and port of the sender, when known.';
COMMENT ON COLUMN radscheduler.hl7_message.raw IS 'The bytes as received, whatever their charset.';
COMMENT ON COLUMN radscheduler.hl7_message.raw_sha256 IS 'SHA-256 of raw.';
COMMENT ON COLUMN radscheduler.hl7_message.sender_id IS 'Sender (MSH-3, MSH-4); NULL when no header could be read.';
COMMENT ON COLUMN radscheduler.hl7_message.message_code IS 'MSH-9.1; JSON for the API''s own body.';
COMMENT ON COLUMN radscheduler.hl7_message.trigger_event IS 'MSH-9.2.';
COMMENT ON COLUMN radscheduler.hl7_message.control_id IS 'MSH-10.';
COMMENT ON COLUMN radscheduler.hl7_message.processing_id IS 'MSH-11.1.';
COMMENT ON COLUMN radscheduler.hl7_message.version_id IS 'MSH-12.1.';
COMMENT ON COLUMN radscheduler.hl7_message.message_time IS 'MSH-7 as an instant.';
COMMENT ON COLUMN radscheduler.hl7_message.outcome IS 'applied, flagged (applied with a conflict), duplicate, stale, ignored (nothing to do), error (AE), rejected (AR).';
COMMENT ON COLUMN radscheduler.hl7_message.code IS 'What became of the message: AA, AE or AR (HL7 table 0008). In enhanced mode the acknowledgement itself may say CA or CR.';
COMMENT ON COLUMN radscheduler.hl7_message.warnings IS 'Every lenient repair and doubt: [{code, path, text}]; no patient data.';
COMMENT ON COLUMN radscheduler.hl7_message.error IS 'Why it was not applied: {code (HL7 table 0357), path, text}.';
COMMENT ON COLUMN radscheduler.hl7_message.ack IS 'The acknowledgement as sent, without framing; no bytes where the sender asked for none (MSH-15, MSH-16).';
COMMENT ON COLUMN radscheduler.hl7_message.appointment_id IS 'Appointment it was about, when known.';
COMMENT ON COLUMN radscheduler.hl7_message.duplicate_of IS 'message_id of the first reception of the same bytes.';

CREATE TABLE radscheduler.message_key (
    site_id     integer     NOT NULL,
    sender_id   bigint      NOT NULL,
    control_id  text        NOT NULL,
    body_sha256 bytea       NOT NULL,
    message_id  bigint      NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (site_id, sender_id, control_id, body_sha256),
    FOREIGN KEY (site_id, sender_id) REFERENCES radscheduler.sender
);
COMMENT ON TABLE  radscheduler.message_key IS 'The duplicate guard: sender, control id and SHA-256 of the bytes, written before anything else. Unpartitioned, because a unique key over time partitions could not guard.';
COMMENT ON COLUMN radscheduler.message_key.site_id IS 'Site.';
COMMENT ON COLUMN radscheduler.message_key.sender_id IS 'Sender.';
COMMENT ON COLUMN radscheduler.message_key.control_id IS 'MSH-10; empty for the API''s own body.';
COMMENT ON COLUMN radscheduler.message_key.body_sha256 IS 'SHA-256 of the bytes received.';
COMMENT ON COLUMN radscheduler.message_key.message_id IS 'hl7_message that holds the answer.';
COMMENT ON COLUMN radscheduler.message_key.received_at IS 'Partition key of that hl7_message row.';
