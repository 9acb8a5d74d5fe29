-- Opening hours, capacities, buffers, settings and blocks are tables that people write to. What is booked already follows when they say so.

CREATE FUNCTION radscheduler.recheck_conflicts(from_time timestamptz DEFAULT pg_catalog.now(), until_time timestamptz DEFAULT NULL,
        OUT checked integer, OUT opened integer, OUT resolved integer) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
DECLARE
    c_chunk CONSTANT integer := 200;
    v_site  integer := radscheduler.current_site();
    v_until timestamptz := coalesce(until_time, from_time + interval '90 days');
    v_ids   bigint[];
    v_some  bigint[];
    v_moved bigint[];
    v_open  bigint[];
BEGIN
    IF from_time IS NULL OR NOT isfinite(from_time) OR NOT isfinite(v_until) OR v_until <= from_time THEN
        RAISE EXCEPTION 'conflicts are checked anew from one time until a later one'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'SELECT * FROM radscheduler.recheck_conflicts(now(), now() + interval ''30 days'');';
    END IF;
    -- Everything in the window is looked at, so this waits for those who write and lets nobody begin until it is done; it holds no other lock while it waits.
    -- EXCLUSIVE: who has locked a row is about to write it.
    LOCK TABLE radscheduler.appointment IN EXCLUSIVE MODE;
    v_ids := ARRAY(SELECT a.appointment_id FROM radscheduler.appointment a
                   WHERE a.site_id = v_site AND a.starts_at < v_until AND a.starts_at > from_time - interval '2 days' AND a.ends_at > from_time
                     AND radscheduler.takes_time(a.status, a.holds_time) ORDER BY a.appointment_id);
    v_open := ARRAY(SELECT c.conflict_id FROM radscheduler.conflict c WHERE c.site_id = v_site AND c.state <> 'resolved' ORDER BY c.conflict_id);
    FOR k IN 0 .. (cardinality(v_ids) - 1) / c_chunk LOOP
        v_some := v_ids[k * c_chunk + 1 : (k + 1) * c_chunk];
        v_moved := v_moved || radscheduler.occupy(v_site, v_some, v_some);
    END LOOP;
    FOR k IN 0 .. (cardinality(v_ids) - 1) / c_chunk LOOP
        v_moved := v_moved || radscheduler.doubtful(v_site, v_ids[k * c_chunk + 1 : (k + 1) * c_chunk]);
    END LOOP;
    v_moved := ARRAY(SELECT DISTINCT m FROM unnest(v_moved) m ORDER BY m);
    FOR k IN 0 .. (cardinality(v_moved) - 1) / c_chunk LOOP
        v_some := v_moved[k * c_chunk + 1 : (k + 1) * c_chunk];
        PERFORM radscheduler.settle(v_site, '{}', v_some, NULL);
    END LOOP;
    checked := cardinality(v_ids);
    SELECT count(*) FILTER (WHERE b.id IS NULL), count(*) FILTER (WHERE a.id IS NULL) INTO opened, resolved
        FROM unnest(v_open) b(id)
        FULL JOIN (SELECT c.conflict_id FROM radscheduler.conflict c WHERE c.site_id = v_site AND c.state <> 'resolved') a(id) ON a.id = b.id;
    PERFORM radscheduler.audit(v_site, 'conflict.rechecked', 'site', v_site,
        jsonb_build_object('from', from_time, 'until', v_until, 'checked', checked, 'opened', opened, 'resolved', resolved));
END
$$;
COMMENT ON FUNCTION radscheduler.recheck_conflicts(timestamptz, timestamptz) IS
    'Brings the lanes, conflicts and reviews of the session''s site into line for appointments between two times (from now on, for 90 days, when not given): after opening hours, blocks, resources (capacity, buffers, modalities, location) or rule_setting were changed by hand or by configuration_import(). Returns how many appointments were checked and how many conflicts opened and resolved. Writers of appointments wait until it has committed.';
