-- Statements on the appointments view as wholes. Rows are written one by one, each under locks of its own; so that two statements of several rows cannot wait
-- for each other, statements of a site take turns (a lock before all others, 42-locks.sql). And whether bookings may stand is asked when the last row is
-- written: rows that are moved along together may pass over one another on the way.

CREATE FUNCTION radscheduler.lock_view(p_sites integer[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7421007, k.key)
        FROM (SELECT DISTINCT radscheduler.lock_key('view/' || u.site, s.secret) AS key FROM radscheduler.lock_secret s, unnest(p_sites) u(site) WHERE u.site > 0 ORDER BY 1) k;
END
$$;
COMMENT ON FUNCTION radscheduler.lock_view(integer[]) IS 'Before all phases: the transaction locks of sites under which statements on the appointments view take turns, in ascending order of their keys.';

CREATE FUNCTION radscheduler.appointments_statement() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_row record;
BEGIN
    IF TG_WHEN = 'BEFORE' THEN
        PERFORM radscheduler.lock_view(radscheduler.visible_sites());
        RETURN NULL;
    END IF;
    IF EXISTS (SELECT FROM radscheduler.unsettled_write) THEN
        FOR v_row IN
            WITH gone AS (DELETE FROM radscheduler.unsettled_write w RETURNING w.site_id, w.appointment_id, w.place)
            SELECT g.site_id, g.appointment_id FROM gone g ORDER BY g.place
        LOOP
            PERFORM radscheduler.raise_conflict(v_row.site_id, v_row.appointment_id);
        END LOOP;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION radscheduler.appointments_statement() IS
    'Trigger before and after a statement on the appointments view: before, the turn of its sites; after, 23P01 for the first row of the statement that ends in a critical conflict.';

CREATE FUNCTION radscheduler.warn_of_write(p_ends timestamptz, p_status radscheduler.appointment_status, p_is_moved boolean, p_warnings jsonb) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF p_is_moved AND p_ends < now() AND p_status IN ('SCHEDULED', 'CONFIRMED') THEN
        RAISE NOTICE 'datetime lies in the past, and the appointment is kept as %', p_status USING HINT = 'Write status COMPLETED, NO_SHOW or CANCELLED for what is over, or correct the year.';
    END IF;
    IF p_warnings @> '[{"code": "PHONE_UNUSABLE"}]' THEN
        RAISE NOTICE 'patient_phone is no number that can be called, and is kept as written' USING HINT = 'Give a number with its country code, such as +16175550123; nothing is sent to another.';
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.warn_of_write(timestamptz, radscheduler.appointment_status, boolean, jsonb) IS
    'Raises a WARNING for what is kept although it is doubtful: an open booking that is over, and (by what resolve_patient() says) a phone that is none.';
