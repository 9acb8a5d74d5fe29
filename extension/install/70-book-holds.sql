-- Time kept for a caller while he makes up his mind: a hold takes resources and the patient as a booking would, and runs out by itself. It is told as an
-- event and in the audit log; it is no appointment, has no version, and disappears when it ends. Everybody else books around it.

CREATE FUNCTION radscheduler.hold(starts_at timestamptz, resources text[] DEFAULT NULL, modality text DEFAULT NULL, procedure text DEFAULT NULL, duration_minutes integer DEFAULT NULL,
        patient_id text DEFAULT NULL, minutes integer DEFAULT 10, actor text DEFAULT NULL, reason text DEFAULT NULL,
        OUT hold_id bigint, OUT expires_at timestamptz) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
#variable_conflict use_variable
DECLARE
    v_site   integer := radscheduler.current_site();
    v_wish   radscheduler.booking_wish;
    v_locked record;
    v_before text;
    v_moved  bigint[];
    r        radscheduler.booking_result;
BEGIN
    PERFORM radscheduler.check_booking_texts(patient_id, NULL, NULL, NULL, NULL, NULL, reason);
    IF minutes IS NULL OR minutes NOT BETWEEN 1 AND 1440 THEN
        RAISE EXCEPTION 'a time cannot be held for % minutes', coalesce(minutes::text, 'NULL') USING ERRCODE = 'invalid_parameter_value', HINT = 'Give 1 to 1440 minutes; 10 are usual.';
    END IF;
    v_wish := radscheduler.read_wish(v_site, starts_at, modality, procedure, duration_minutes, resources, NULL, NULL);
    v_wish.patient_key := nullif(btrim(patient_id), '');
    v_locked := radscheduler.lock_wish(v_wish);
    expires_at := clock_timestamp() + make_interval(mins => minutes);
    hold_id := radscheduler.write_booking(v_wish, v_locked.patient_id, 'PENDING', expires_at);
    v_moved := radscheduler.occupy(v_site, hold_id, true);
    IF EXISTS (SELECT FROM unnest(radscheduler.conflicts_now(v_site, hold_id)) f WHERE f.severity = 'critical') THEN
        -- Refused as a booking is, which asks for the rows of conflict; the error takes back all of it.
        PERFORM radscheduler.settle(v_site, ARRAY[hold_id], v_moved);
        r := radscheduler.judge_booking(v_site, hold_id, NULL, r);
        PERFORM radscheduler.raise_refusal(r.error || jsonb_build_object('hint', replace(r.error ->> 'hint', ' override_reason books it all the same.', '')));
    ELSIF v_moved IS NOT NULL THEN
        PERFORM radscheduler.settle(v_site, '{}', v_moved);
    END IF;
    v_before := radscheduler.act_for(actor);
    INSERT INTO radscheduler.event_log (site_id, type, appointment_id, data)
        VALUES (v_site, 'hold.created', hold_id, jsonb_build_object('starts_at', v_wish.starts_at, 'ends_at', v_wish.ends_at, 'modality', v_wish.modality, 'until', expires_at));
    PERFORM radscheduler.audit(v_site, 'hold.created', 'appointment', hold_id, jsonb_strip_nulls(jsonb_build_object('reason', nullif(btrim(reason), ''))));
    PERFORM set_config('radscheduler.actor', v_before, true);
END
$$;
COMMENT ON FUNCTION radscheduler.hold(timestamptz, text[], text, text, integer, text, integer, text, text) IS
    'Keeps a time for a number of minutes: of resources, and of a patient who is known here. Others who would book it are refused, messages are flagged, and find_slots() does not offer it. book(hold => hold_id) makes it an appointment, release() gives it back, and it runs out by itself. Refused with 23P01 like book() where the time is taken. Tells hold.created.';

CREATE FUNCTION radscheduler.end_holds(p_site integer, p_holds bigint[], p_event text, p_reason text) RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_ids bigint[];
BEGIN
    -- A hold may be being booked at this moment: what is still one is known under the locks.
    PERFORM radscheduler.lock_subjects(p_site, radscheduler.pool_scanners(p_site, NULL, p_holds) ||
        ARRAY(SELECT ar.resource_id FROM radscheduler.appointment_resource ar WHERE ar.site_id = p_site AND ar.appointment_id = ANY (p_holds)),
        ARRAY(SELECT a.patient_id FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = ANY (p_holds)));
    v_ids := ARRAY(SELECT a.appointment_id FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = ANY (p_holds) AND a.hold_until IS NOT NULL
                   ORDER BY a.appointment_id FOR UPDATE);
    IF v_ids = '{}' THEN
        RETURN 0;
    END IF;
    PERFORM radscheduler.release_appointments(p_site, v_ids, NULL);
    DELETE FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = ANY (v_ids);
    INSERT INTO radscheduler.event_log (site_id, type, appointment_id) SELECT p_site, p_event, u.id FROM unnest(v_ids) u(id);
    PERFORM radscheduler.audit(p_site, p_event, 'appointment', u.id, jsonb_strip_nulls(jsonb_build_object('reason', p_reason))) FROM unnest(v_ids) u(id);
    RETURN cardinality(v_ids);
END
$$;
COMMENT ON FUNCTION radscheduler.end_holds(integer, bigint[], text, text) IS
    'Takes holds away with the time they keep, and heals whoever was in conflict with them; tells it under p_event. Returns how many there were. Takes the locks of their subjects, so call it once in a transaction and before any others.';

CREATE FUNCTION radscheduler.release(hold bigint, actor text DEFAULT NULL, reason text DEFAULT NULL) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
DECLARE
    v_site   integer := radscheduler.current_site();
    v_before text;
    v_count  integer;
BEGIN
    PERFORM radscheduler.check_booking_texts(NULL, NULL, NULL, NULL, NULL, NULL, reason);
    v_before := radscheduler.act_for(actor);
    v_count := radscheduler.end_holds(v_site, ARRAY[hold], 'hold.released', nullif(btrim(reason), ''));
    PERFORM set_config('radscheduler.actor', v_before, true);
    RETURN v_count > 0;
END
$$;
COMMENT ON FUNCTION radscheduler.release(bigint, text, text) IS
    'Gives back a hold before it runs out; whoever was flagged because of it is healed. False when there is none of this number: it ran out, or was booked. Tells hold.released.';

CREATE FUNCTION radscheduler.reap_holds() RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_now  timestamptz := clock_timestamp();
    v_site integer;
    v_ids  bigint[];
BEGIN
    -- One site in each call: locks of another would come after the settling of this one.
    SELECT a.site_id INTO v_site FROM radscheduler.site s, LATERAL (SELECT q.site_id, q.hold_until FROM radscheduler.appointment q
        WHERE q.site_id = s.site_id AND q.hold_until <= v_now ORDER BY q.hold_until LIMIT 1) a ORDER BY a.hold_until LIMIT 1;
    IF v_site IS NULL THEN
        RETURN 0;
    END IF;
    v_ids := ARRAY(SELECT a.appointment_id FROM radscheduler.appointment a WHERE a.site_id = v_site AND a.hold_until <= v_now ORDER BY a.hold_until LIMIT 200);
    RETURN radscheduler.end_holds(v_site, v_ids, 'hold.expired', NULL);
END
$$;
COMMENT ON FUNCTION radscheduler.reap_holds() IS
    'Takes away holds that have run out, of the site whose oldest ran out first, 200 at most; returns how many. maintain() calls it. Until then they are in nobody''s way.';
