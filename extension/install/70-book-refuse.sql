-- Why a booking is not made, as a value; raise_refusal() makes an error of it. What could be booked instead is said with it.

CREATE FUNCTION radscheduler.conflict_sentence(p_site integer, p_code text, p_subject bigint, p_axis radscheduler.axis, p_appointment bigint) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT format(radscheduler.conflict_text(p_site, p_code, p_subject, k.text), coalesce(r.name, radscheduler.rule_subject(p_site, p_code, p_appointment)))
        FROM (SELECT 1) one
        LEFT JOIN radscheduler.conflict_kind k ON k.code = p_code
        LEFT JOIN radscheduler.resource r ON p_axis = 'resource' AND r.site_id = p_site AND r.resource_id = p_subject);
END
$$;
COMMENT ON FUNCTION radscheduler.conflict_sentence(integer, text, bigint, radscheduler.axis, bigint) IS 'The sentence of a conflict, with the resource or what rule_subject() says.';

CREATE FUNCTION radscheduler.refusal(p_site integer, p_appointment bigint, p_alternatives jsonb) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_zone text := radscheduler.site_zone(p_site);
    v_row  record;
BEGIN
    SELECT c.code, c.axis, c.subject_id, o.appointment_id, o.starts_at, o.ends_at, o.hold_until INTO v_row
        FROM radscheduler.conflict c
        LEFT JOIN radscheduler.appointment o ON o.site_id = c.site_id AND o.appointment_id = CASE c.appointment_id WHEN p_appointment THEN c.other_appointment_id ELSE c.appointment_id END
        WHERE c.site_id = p_site AND p_appointment IN (c.appointment_id, c.other_appointment_id) AND c.state = 'open' AND c.severity = 'critical'
        ORDER BY c.other_appointment_id IS NULL, c.conflict_id LIMIT 1;
    RETURN jsonb_build_object(
        'code', v_row.code, 'sqlstate', '23P01',
        'text', radscheduler.conflict_sentence(p_site, v_row.code, v_row.subject_id, v_row.axis, p_appointment),
        'detail', CASE WHEN v_row.appointment_id IS NULL THEN format('%s: rule of this site.', v_row.code)
                       ELSE format('%s: %s %s holds %s to %s (%s).', v_row.code, CASE WHEN v_row.hold_until IS NULL THEN 'appointment' ELSE 'hold' END, v_row.appointment_id,
                                   to_char(timezone(v_zone, v_row.starts_at), 'YYYY-MM-DD HH24:MI'), to_char(timezone(v_zone, v_row.ends_at), 'HH24:MI'), v_zone) END,
        'hint', coalesce('Free instead: ' || (SELECT string_agg(format('%s on %s', to_char(timezone(v_zone, (a.item ->> 'start')::timestamptz), 'YYYY-MM-DD HH24:MI'), a.item ->> 'resource'), ', ' ORDER BY a.place)
                                              FROM jsonb_array_elements(p_alternatives) WITH ORDINALITY a(item, place)) || '. override_reason books it all the same.',
                         CASE WHEN radscheduler.is_about_time(v_row.code, v_row.appointment_id) THEN 'Choose another time: radscheduler.find_slots() lists free ones. override_reason books it all the same.'
                              ELSE 'Another time does not help. Record what the rule asks, or have it looked at (docs/rules.md). override_reason books it all the same.' END));
END
$$;
COMMENT ON FUNCTION radscheduler.refusal(integer, bigint, jsonb) IS
    'Why an appointment cannot stay where it is, by its open critical conflicts on either side: {code, sqlstate, text, detail, hint}; detail names the other appointment by its id, hint the free times given. No patient data.';

CREATE FUNCTION radscheduler.raise_refusal(p_error jsonb) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RAISE EXCEPTION '%', p_error ->> 'text' USING ERRCODE = p_error ->> 'sqlstate', DETAIL = coalesce(p_error ->> 'detail', ''), HINT = coalesce(p_error ->> 'hint', ''),
        SCHEMA = 'radscheduler', TABLE = 'conflict', CONSTRAINT = coalesce(p_error ->> 'code', '');
END
$$;
COMMENT ON FUNCTION radscheduler.raise_refusal(jsonb) IS 'Raises what refusal() says; the name of the constraint is the code of the conflict.';

CREATE FUNCTION radscheduler.judge_booking(p_site integer, p_appointment bigint, p_override text, INOUT r radscheduler.booking_result) RETURNS radscheduler.booking_result
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_critical boolean := EXISTS (SELECT FROM radscheduler.conflict c WHERE c.site_id = p_site AND c.appointment_id = p_appointment AND c.state = 'open' AND c.severity = 'critical')
                       OR EXISTS (SELECT FROM radscheduler.conflict c WHERE c.site_id = p_site AND c.other_appointment_id = p_appointment AND c.state = 'open' AND c.severity = 'critical');
BEGIN
    IF v_critical AND nullif(btrim(p_override), '') IS NULL THEN
        r.outcome := 'refused';
        r.conflicts := radscheduler.conflicts_of(p_site, p_appointment);
        r.alternatives := coalesce(
            (SELECT c.alternatives FROM radscheduler.conflict c WHERE c.site_id = p_site AND c.appointment_id = p_appointment AND c.state = 'open' AND c.severity = 'critical'
             ORDER BY c.alternatives = '[]', c.conflict_id LIMIT 1), radscheduler.alternatives(p_site, p_appointment));
        r.error := radscheduler.refusal(p_site, p_appointment, r.alternatives);
        RETURN;
    ELSIF v_critical THEN
        PERFORM radscheduler.accept_open(p_site, p_appointment, NULL, 'conflict.overridden', p_override);
    END IF;
    r.conflicts := radscheduler.conflicts_of(p_site, p_appointment);
    r.status := (SELECT a.status FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointment);
END
$$;
COMMENT ON FUNCTION radscheduler.judge_booking(integer, bigint, text, radscheduler.booking_result) IS
    'After settle() found open conflicts of an appointment that is being booked or moved: refuses (outcome, error, alternatives) where one is critical, on either side, or accepts those for the reason given. The caller takes back what was refused.';

CREATE FUNCTION radscheduler.refused_for(p_state text, p_text text, p_hint text) RETURNS radscheduler.booking_result
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    r radscheduler.booking_result;
BEGIN
    r.outcome := 'refused';
    r.conflicts := '[]';
    r.alternatives := '[]';
    r.warnings := '[]';
    r.error := jsonb_strip_nulls(jsonb_build_object(
        'code', CASE p_state WHEN '40001' THEN 'VERSION_CHANGED' WHEN 'P0002' THEN 'NOT_FOUND' WHEN '55000' THEN 'NOT_POSSIBLE' ELSE 'INVALID_VALUE' END,
        'sqlstate', p_state, 'text', p_text, 'hint', nullif(p_hint, '')));
    RETURN r;
END
$$;
COMMENT ON FUNCTION radscheduler.refused_for(text, text, text) IS 'An error of book(), reschedule() and the like as the result of their try_ forms; without DETAIL, which PostgreSQL''s own errors fill with rows.';
