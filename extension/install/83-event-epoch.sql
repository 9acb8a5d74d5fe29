-- Where a cursor of event_log means something. Transaction ids, and so the order of the log, belong to one cluster and one of its timelines: after a
-- restore into another cluster, a recovery to a point in time or a promotion, an old cursor could lie behind or before what it stood for.
-- An epoch names cluster, restores and timeline; cursors of another epoch are refused, never guessed at.

CREATE FUNCTION radscheduler.event_timeline() RETURNS integer
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
SELECT CASE WHEN pg_is_in_recovery() THEN (SELECT c.timeline_id FROM pg_control_checkpoint() c)
            ELSE ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::integer END
$$;
COMMENT ON FUNCTION radscheduler.event_timeline() IS 'The timeline that this server writes, or replays. A promotion and a recovery to a point in time begin a new one.';

CREATE FUNCTION radscheduler.event_epoch_number() RETURNS integer
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT e.number + (e.cluster_id <> (SELECT c.system_identifier::text FROM pg_control_system() c))::integer FROM radscheduler.event_epoch e ORDER BY e.number DESC LIMIT 1);
END
$$;
COMMENT ON FUNCTION radscheduler.event_epoch_number() IS 'How many clusters event_log has lived in, with this one, whether begin_event_epoch() has seen it yet or not.';

CREATE FUNCTION radscheduler.event_epoch() RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
BEGIN
    RETURN (SELECT format('%s-%s-%s', c.system_identifier, radscheduler.event_epoch_number(), radscheduler.event_timeline()) FROM pg_control_system() c);
END
$$;
COMMENT ON FUNCTION radscheduler.event_epoch() IS
    'Within which cursors of event_log can be compared: system identifier of the cluster, number of clusters the log has lived in, timeline. Another one after a restore into another cluster, a recovery to a point in time, a promotion.';

CREATE FUNCTION radscheduler.begin_event_epoch() RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_last    record;
    v_cluster text := (SELECT c.system_identifier::text FROM pg_control_system() c);
    v_next    xid8;
    v_barrier bigint;
BEGIN
    IF v_cluster = (SELECT e.cluster_id FROM radscheduler.event_epoch e ORDER BY e.number DESC LIMIT 1) THEN
        RETURN;
    END IF;
    -- Writers wait, so that one sequence number parts what was restored from what was written here.
    LOCK TABLE radscheduler.event_log IN SHARE ROW EXCLUSIVE MODE;
    SELECT e.number, e.cluster_id INTO v_last FROM radscheduler.event_epoch e ORDER BY e.number DESC LIMIT 1;
    IF v_last.cluster_id = v_cluster THEN
        RETURN;
    END IF;
    -- An event written here has the id of a transaction later than the one that restored these tables, and no later than the one that stored its row.
    v_next := pg_snapshot_xmax(pg_current_snapshot());
    v_barrier := coalesce((SELECT max(e.seq) FROM radscheduler.event_log e
        WHERE e.xid <= (SELECT radscheduler.full_xid(v.xmin, v_next) FROM radscheduler.schema_version v ORDER BY v.version LIMIT 1)
           OR e.xid > radscheduler.full_xid(e.xmin, v_next)), 0);
    -- What was restored comes before everything of this cluster, in the order of its sequence. A relay begins at the first event it had still to
    -- publish: where that order differs from the one before, it repeats some and loses none.
    UPDATE radscheduler.relay_cursor c
        SET xid = '3', seq = coalesce((SELECT min(e.seq) - 1 FROM radscheduler.event_log e WHERE (e.xid, e.seq) > (c.xid, c.seq) AND e.seq <= v_barrier), v_barrier)
        WHERE v_barrier > 0; -- pg_upgrade makes another cluster of the same transactions
    UPDATE radscheduler.event_log e SET xid = '3' WHERE e.seq <= v_barrier;
    INSERT INTO radscheduler.event_epoch (number, cluster_id, barrier) VALUES (v_last.number + 1, v_cluster, v_barrier);
    PERFORM radscheduler.audit(0, 'events.epoch', 'event_epoch', v_last.number + 1, jsonb_build_object('cluster_id', v_cluster, 'barrier', v_barrier));
END
$$;
COMMENT ON FUNCTION radscheduler.begin_event_epoch() IS
    'In a cluster that event_log has not lived in yet: numbers the events that were restored anew (transaction 3, the first there is), takes the cursors of relays along, and notes the cluster. maintain() and relay_fetch() call it; does nothing otherwise.';
