-- Facts for whoever listens, in an order that can be followed without losing one.

CREATE SEQUENCE radscheduler.event_seq;
COMMENT ON SEQUENCE radscheduler.event_seq IS 'Second half of the event cursor: order within one transaction.';

CREATE TABLE radscheduler.event_log (
    site_id        integer     NOT NULL,
    recorded_at    timestamptz NOT NULL DEFAULT pg_catalog.now(),
    xid            xid8        NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
    seq            bigint      NOT NULL DEFAULT pg_catalog.nextval('radscheduler.event_seq'),
    type           text        NOT NULL,
    appointment_id bigint,
    message_id     bigint,
    data           jsonb       NOT NULL DEFAULT '{}',
    PRIMARY KEY (site_id, xid, seq, recorded_at)
) PARTITION BY RANGE (recorded_at);
ALTER SEQUENCE radscheduler.event_seq OWNED BY radscheduler.event_log.seq;
CREATE INDEX event_log_cursor ON radscheduler.event_log (xid, seq);
CREATE TABLE radscheduler.event_log_default PARTITION OF radscheduler.event_log DEFAULT;
COMMENT ON TABLE  radscheduler.event_log IS 'What happened, in order. Follow it by (xid, seq) below pg_snapshot_xmin(pg_current_snapshot()): a plain seq > last loses events, because sequence numbers commit out of order.';
COMMENT ON TABLE  radscheduler.event_log_default IS 'Events outside the months that maintain() has made ahead.';
COMMENT ON COLUMN radscheduler.event_log.site_id IS 'Site.';
COMMENT ON COLUMN radscheduler.event_log.recorded_at IS 'Transaction time; the partition key.';
COMMENT ON COLUMN radscheduler.event_log.xid IS 'First half of the cursor: the writing transaction.';
COMMENT ON COLUMN radscheduler.event_log.seq IS 'Second half of the cursor.';
COMMENT ON COLUMN radscheduler.event_log.type IS 'For example appointment.created, conflict.detected, hl7.processed.';
COMMENT ON COLUMN radscheduler.event_log.appointment_id IS 'Appointment it is about, when there is one.';
COMMENT ON COLUMN radscheduler.event_log.message_id IS 'Message that caused it, when there is one.';
COMMENT ON COLUMN radscheduler.event_log.data IS 'Details without patient data.';

CREATE TABLE radscheduler.relay_cursor (
    relay      text        PRIMARY KEY,
    xid        xid8        NOT NULL,
    seq        bigint      NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE  radscheduler.relay_cursor IS 'How far each relay has published event_log, over all sites.';
COMMENT ON COLUMN radscheduler.relay_cursor.relay IS 'Name of the relay, for example redis.';
COMMENT ON COLUMN radscheduler.relay_cursor.xid IS 'Cursor of the last event published, first half.';
COMMENT ON COLUMN radscheduler.relay_cursor.seq IS 'Cursor of the last event published, second half.';
COMMENT ON COLUMN radscheduler.relay_cursor.updated_at IS 'When it last moved.';

CREATE TRIGGER event_log_wake AFTER INSERT ON radscheduler.event_log FOR EACH STATEMENT EXECUTE FUNCTION radscheduler.event_log_wake();
COMMENT ON TRIGGER event_log_wake ON radscheduler.event_log IS 'Wakes whoever follows the log.';
