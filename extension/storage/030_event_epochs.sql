-- The clusters that event_log has lived in: its cursors can be compared within one of them only. And the trace that an event belongs to.

CREATE TABLE radscheduler.event_epoch (
    number     integer     PRIMARY KEY CHECK (number > 0),
    cluster_id text        NOT NULL,
    barrier    bigint      NOT NULL,
    begun_at   timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE  radscheduler.event_epoch IS 'The clusters that event_log has lived in, see event_epoch(). A restore into another cluster begins a new one.';
COMMENT ON COLUMN radscheduler.event_epoch.number IS 'Number, ascending.';
COMMENT ON COLUMN radscheduler.event_epoch.cluster_id IS 'System identifier of the cluster (pg_control_system).';
COMMENT ON COLUMN radscheduler.event_epoch.barrier IS 'Last event_log.seq of the epoch before; what it had was numbered anew.';
COMMENT ON COLUMN radscheduler.event_epoch.begun_at IS 'When the log was first followed there.';
-- A database that was restored before this step may not have been told of its new cluster yet.
INSERT INTO radscheduler.event_epoch (number, cluster_id, barrier) SELECT 1, e.cluster_id, 0 FROM radscheduler.audit_era e ORDER BY e.era DESC LIMIT 1;

SELECT radscheduler.make_append_only('radscheduler.event_epoch', true);
ALTER TABLE radscheduler.event_epoch ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY any_row ON radscheduler.event_epoch FOR SELECT USING (true);
COMMENT ON POLICY any_row ON radscheduler.event_epoch IS 'Read by whoever has the right, written by functions of the extension only.';

ALTER TABLE radscheduler.event_log ADD COLUMN trace_id text DEFAULT pg_catalog.substring(pg_catalog.current_setting('radscheduler.trace_id', true), '^[0-9a-f]{32}$');
COMMENT ON COLUMN radscheduler.event_log.trace_id IS 'Trace (W3C trace-id) of the request that caused it, as the session said: radscheduler.trace_id. NULL for what came as a message.';

DO $$
DECLARE
    v_column record;
BEGIN
    FOR v_column IN
        SELECT i.inhrelid::pg_catalog.regclass AS partition, pg_catalog.col_description(a.attrelid, a.attnum) AS comment
        FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_attribute a ON a.attrelid = i.inhparent AND a.attname = 'trace_id'
        WHERE i.inhparent = 'radscheduler.event_log'::pg_catalog.regclass
    LOOP
        EXECUTE pg_catalog.format('COMMENT ON COLUMN %s.trace_id IS %L', v_column.partition, v_column.comment);
    END LOOP;
END
$$;
