-- A hold that has run out is in nobody's way, whether or not maintain() has taken it away yet. Whoever looks for time asks dead_holds(); whoever takes
-- time has them give back what he asks for (yield_dead_holds(), called by occupy()). A site has few of them, and an index of its own finds them.

CREATE FUNCTION radscheduler.dead_holds(p_site integer) RETURNS bigint[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
BEGIN
    RETURN ARRAY(SELECT a.appointment_id FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.hold_until <= v_now);
END
$$;
COMMENT ON FUNCTION radscheduler.dead_holds(integer) IS 'The holds of a site that have run out and still stand in the tables, by the clock on the wall; {} nearly always.';

CREATE FUNCTION radscheduler.yield_dead_holds(p_site integer, p_wanted radscheduler.wanted_time[]) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_dead bigint[] := radscheduler.dead_holds(p_site);
    v_rows bigint[];
BEGIN
    IF v_dead = '{}' OR p_wanted = '{}' THEN
        RETURN NULL;
    END IF;
    -- Only on subjects that are wanted, for whose locks the caller holds; the rest of the hold goes with maintain().
    v_rows := ARRAY(SELECT o.occupancy_id FROM radscheduler.occupancy o
                    WHERE o.site_id = p_site AND o.appointment_id = ANY (v_dead)
                      AND EXISTS (SELECT FROM unnest(p_wanted) w WHERE w.axis = o.axis AND w.subject_id = o.subject_id AND w.buffered && o.buffered AND w.appointment_id <> o.appointment_id));
    RETURN CASE WHEN v_rows <> '{}' THEN radscheduler.give_back(p_site, v_rows, NULL) END;
END
$$;
COMMENT ON FUNCTION radscheduler.yield_dead_holds(integer, radscheduler.wanted_time[]) IS
    'Has holds that have run out give back the time that is wanted, where it is; returns the appointments this concerns (give_back()), NULL when nobody.';
