-- For people: what every rule says about an appointment and why; and the calls that switch the clinical rules on, answer one of them, and ask anew.

CREATE FUNCTION radscheduler.explain_rules(appointment_id bigint)
    RETURNS TABLE (code text, origin text, verdict text, severity radscheduler.severity, other_appointment_id bigint, sentence text, inputs jsonb)
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 25 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET jit = off
    AS $$
#variable_conflict use_column
DECLARE
    v_site integer;
    v_row  record;
BEGIN
    SELECT a.site_id, a.starts_at, a.ends_at, a.modality, radscheduler.takes_time(a.status, a.holds_time) AS takes_time INTO v_row FROM radscheduler.appointment a
        WHERE a.site_id = ANY (radscheduler.visible_sites()) AND a.appointment_id = explain_rules.appointment_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no appointment % at a site of this session', explain_rules.appointment_id USING ERRCODE = 'no_data_found',
            HINT = 'The number is appointments.id; the setting radscheduler.site narrows what a session sees.';
    END IF;
    v_site := v_row.site_id;
    RETURN QUERY
    WITH broken AS MATERIALIZED (
        SELECT b.* FROM radscheduler.rule_conflicts(v_site, ARRAY[explain_rules.appointment_id]) b
    ), finding AS MATERIALIZED (
        SELECT f.* FROM radscheduler.clinical_findings(v_site, ARRAY[explain_rules.appointment_id], true) f
    ), answer AS (
        SELECT k.code, 'schedule' AS origin, 1 AS place,
               CASE WHEN s.severity = 'off' THEN 'off' WHEN NOT v_row.takes_time THEN 'unknown' WHEN b.code IS NULL THEN 'pass' ELSE 'fail' END AS verdict, b.severity, b.other_appointment_id,
               CASE WHEN NOT v_row.takes_time THEN 'The appointment takes no time, so this is not asked.' WHEN b.code IS NULL THEN 'Not broken.'
                    ELSE format(c.text, coalesce(r.name, radscheduler.rule_subject(v_site, k.code, explain_rules.appointment_id))) END AS sentence,
               jsonb_strip_nulls(jsonb_build_object('starts_at', v_row.starts_at, 'ends_at', v_row.ends_at, 'modality', v_row.modality, 'resource', r.code)) AS inputs
        FROM radscheduler.rule_kind k
        JOIN radscheduler.conflict_kind c ON c.code = k.code
        LEFT JOIN radscheduler.rule_setting s ON s.site_id = v_site AND s.code = k.code
        LEFT JOIN broken b ON b.code = k.code
        LEFT JOIN radscheduler.resource r ON b.axis = 'resource' AND r.site_id = v_site AND r.resource_id = b.subject_id
        WHERE k.question IS NULL
        UNION ALL
        -- An exam by itself passes a rule about two where the other exam fails it.
        SELECT f.code, CASE WHEN k.code IS NULL THEN 'site' ELSE 'clinical' END, CASE WHEN k.code IS NULL THEN 3 ELSE 2 END,
               CASE WHEN coalesce(s.severity, o.severity) = 'off' OR k.code IS NOT NULL AND s.severity IS NULL AND t.clinical_rules = 'off' THEN 'off' ELSE f.verdict END,
               f.severity, nullif(CASE WHEN f.other_appointment_id = explain_rules.appointment_id THEN f.appointment_id ELSE f.other_appointment_id END, explain_rules.appointment_id), f.sentence, f.inputs
        FROM finding f
        JOIN radscheduler.site t ON t.site_id = v_site
        LEFT JOIN radscheduler.rule_kind k ON k.code = f.code
        LEFT JOIN radscheduler.rule_setting s ON s.site_id = v_site AND s.code = f.code
        LEFT JOIN radscheduler.site_rule o ON o.site_id = v_site AND o.code = f.code
        WHERE f.verdict <> 'pass' OR NOT EXISTS (SELECT FROM finding x WHERE x.code = f.code AND x.verdict <> 'pass')
    )
    SELECT a.code, a.origin, a.verdict, a.severity, a.other_appointment_id, a.sentence, a.inputs FROM answer a ORDER BY a.place, a.code, a.other_appointment_id NULLS FIRST;
END
$$;
COMMENT ON FUNCTION radscheduler.explain_rules(bigint) IS
    'What every rule says about an appointment: origin schedule, clinical or site (site_rule); verdict pass, fail, unknown (what it asks is not recorded) or off; severity of the conflict, NULL where the site is told of none; the other appointment where there is one; a sentence; the values it looked at, the patient''s among them. Raises P0002 for an appointment that is not at a site of the session.';

CREATE FUNCTION radscheduler.set_clinical_rules(scope text DEFAULT 'all') RETURNS text
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site integer := radscheduler.current_site();
    v_old  text;
BEGIN
    IF scope IS NULL OR scope NOT IN ('off', 'known', 'bookings', 'all') THEN
        RAISE EXCEPTION 'the scope of the clinical rules "%" is not understood', scope USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Write all (every appointment), bookings (those made here), known (only dangers that are recorded) or off.';
    END IF;
    SELECT s.clinical_rules INTO v_old FROM radscheduler.site s WHERE s.site_id = v_site FOR NO KEY UPDATE;
    IF v_old <> scope THEN
        UPDATE radscheduler.site s SET clinical_rules = scope WHERE s.site_id = v_site;
        PERFORM radscheduler.audit(v_site, 'site.changed', 'site', v_site, jsonb_build_object('columns', jsonb_build_object('clinical_rules', jsonb_build_array(v_old, scope))));
    END IF;
    RETURN v_old;
END
$$;
COMMENT ON FUNCTION radscheduler.set_clinical_rules(text) IS
    'Says which appointments of the session''s site the clinical rules are asked for: all, bookings (those made here), known (only recorded dangers are told, the default), off. Returns what it was. Counts for appointments as they change; recheck_conflicts() applies it to those that are there. Raises 22023 for another word.';

CREATE FUNCTION radscheduler.patient_bookings(p_site integer, p_patients bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN ARRAY(SELECT a.appointment_id FROM radscheduler.appointment a
                 WHERE a.site_id = p_site AND a.patient_id = ANY (p_patients) AND a.ends_at > now() AND radscheduler.takes_time(a.status, a.holds_time)
                   AND radscheduler.clinical_scope(p_site) <> 'off' ORDER BY a.appointment_id);
END
$$;
COMMENT ON FUNCTION radscheduler.patient_bookings(integer, bigint[]) IS
    'The bookings of some patients that are not over, and that the clinical rules may concern. A writer of appointments that records facts about its patients gives them to settle() as moved, so that rows are locked in one order.';

CREATE FUNCTION radscheduler.recheck_patient(p_site integer, p_patient bigint) RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_ids bigint[];
BEGIN
    PERFORM radscheduler.lock_subjects(p_site, '{}', ARRAY[p_patient]);
    v_ids := radscheduler.patient_bookings(p_site, ARRAY[p_patient]);
    IF v_ids <> '{}' THEN
        PERFORM radscheduler.settle(p_site, '{}', v_ids, NULL);
    END IF;
    RETURN cardinality(v_ids);
END
$$;
COMMENT ON FUNCTION radscheduler.recheck_patient(integer, bigint) IS
    'After facts about a patient were recorded or taken back, outside of a message: locks the patient, and brings the conflicts and reviews of his coming bookings into line; returns how many there are. A transaction that holds settling or rows already uses patient_bookings() instead.';
