-- Facts about patients that messages tell (OBX, AL1, DG1), kept as rows of patient_fact. What is told again is not recorded again; a result that
-- is corrected replaces the one of the same time, one that is withdrawn goes. What a message older than the patient's newest tells is added, and
-- changes nothing that is there.

INSERT INTO radscheduler.warning_kind VALUES
    ('FACT_UNREADABLE', 'A fact about the patient is not understood (its value, its unit, or a number that no person has) and was not recorded.'),
    ('FACT_NOT_FINAL', 'A result is not final (OBX-11) and was not recorded.');

CREATE FUNCTION radscheduler.facts_told(p_reading jsonb, p_zone text, p_at timestamptz, OUT path text, OUT kind text, OUT code text, OUT value numeric, OUT unit text, OUT severity text,
                                        OUT observed_at timestamptz, OUT is_dated boolean, OUT is_withdrawn boolean, OUT fault text) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 2 SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    -- Of several values of one time the one that is worse counts: laboratories send an eGFR for each formula.
    RETURN QUERY
    SELECT DISTINCT ON (f.kind, f.place) f.path, f.kind, f.code, n.value, n.unit, f.severity, coalesce(f.own_time, p_at), f.own_time IS NOT NULL, f.is_withdrawn, n.fault
    FROM (SELECT e ->> 'path' AS path, e ->> 'kind' AS kind, e ->> 'code' AS code, (e ->> 'value')::numeric AS value, e ->> 'unit' AS unit, e ->> 'severity' AS severity,
                 coalesce(radscheduler.to_instant(e ->> 'observed_at', p_zone), timezone(p_zone, (e ->> 'observed_at')::timestamp)) AS own_time,
                 e ? 'is_withdrawn' AS is_withdrawn,
                 CASE WHEN e ->> 'kind' IN ('allergy', 'diagnosis') THEN upper(e ->> 'code') ELSE coalesce(e ->> 'observed_at', '') END AS place
          FROM jsonb_array_elements(p_reading -> 'facts') e) f,
         LATERAL radscheduler.fact_value(f.kind, f.value, f.unit) n
    ORDER BY f.kind, f.place, n.fault NULLS FIRST, f.is_withdrawn, CASE f.kind WHEN 'egfr' THEN n.value ELSE -n.value END, f.code DESC, f.severity DESC, f.path;
END
$$;
COMMENT ON FUNCTION radscheduler.facts_told(jsonb, text, timestamptz) IS
    'The facts of a reading (siu_parse shape) in the units of fact_kind, times by a zone, those without by p_at (is_dated says which); fault as fact_value() says it.';

CREATE FUNCTION radscheduler.keep_patient_facts(p_item radscheduler.ingest_item, p_patient bigint, OUT facts integer, OUT warnings jsonb) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_site    CONSTANT integer := p_item.site_id;
    v_is_late boolean := coalesce((SELECT p.message_time > p_item.at FROM radscheduler.patient p WHERE p.site_id = c_site AND p.patient_id = p_patient), false);
    v_is_code boolean;
    v_told    record;
    v_old     radscheduler.patient_fact;
BEGIN
    facts := 0;
    warnings := '[]';
    FOR v_told IN SELECT * FROM radscheduler.facts_told(p_item.reading, p_item.context ->> 'zone', p_item.at) LOOP
        v_is_code := v_told.kind IN ('allergy', 'diagnosis');
        IF v_told.fault IS NOT NULL AND NOT v_told.is_withdrawn THEN
            warnings := warnings || radscheduler.warning('FACT_UNREADABLE', v_told.path || CASE v_told.fault WHEN 'unit' THEN '-6' ELSE '-5' END);
            CONTINUE;
        END IF;
        SELECT f.* INTO v_old FROM radscheduler.patient_fact f
            WHERE f.site_id = c_site AND f.patient_id = p_patient AND f.kind = v_told.kind AND f.source = 'message'
              AND CASE WHEN v_is_code THEN upper(f.code) = upper(v_told.code)
                       WHEN v_told.is_dated OR v_told.is_withdrawn AND v_told.value IS NULL THEN f.observed_at = v_told.observed_at
                       WHEN v_told.is_withdrawn THEN f.value = v_told.value
                       ELSE f.observed_at <= v_told.observed_at END
            ORDER BY f.observed_at DESC, f.fact_id DESC LIMIT 1;
        IF v_told.is_withdrawn THEN
            CONTINUE WHEN NOT FOUND OR v_is_late;
            DELETE FROM radscheduler.patient_fact f WHERE f.site_id = c_site AND f.fact_id = v_old.fact_id;
        ELSIF FOUND AND (v_is_code OR v_told.is_dated OR v_old.observed_at = v_told.observed_at) THEN
            CONTINUE WHEN v_is_late OR (v_old.code, v_old.value, v_old.severity) IS NOT DISTINCT FROM (CASE WHEN v_is_code THEN v_old.code ELSE v_told.code END, v_told.value, coalesce(v_told.severity, v_old.severity));
            UPDATE radscheduler.patient_fact f
                SET code = CASE WHEN v_is_code THEN f.code ELSE v_told.code END, value = v_told.value, severity = coalesce(v_told.severity, f.severity), message_id = p_item.message_id
                WHERE f.site_id = c_site AND f.fact_id = v_old.fact_id;
        ELSE
            -- The same value without a time of its own is the old one sent along again, not a new one: it gets no younger.
            CONTINUE WHEN FOUND AND (v_old.code, v_old.value) IS NOT DISTINCT FROM (v_told.code, v_told.value);
            INSERT INTO radscheduler.patient_fact (site_id, patient_id, kind, code, value, unit, severity, observed_at, source, message_id)
                VALUES (c_site, p_patient, v_told.kind, v_told.code, v_told.value, v_told.unit, v_told.severity, v_told.observed_at, 'message', p_item.message_id);
        END IF;
        facts := facts + 1;
    END LOOP;
    IF facts > 0 THEN
        PERFORM radscheduler.audit(c_site, 'facts.recorded', 'patient', p_patient, jsonb_build_object('message_id', p_item.message_id, 'facts', facts));
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.keep_patient_facts(radscheduler.ingest_item, bigint) IS
    'Keeps what a message tells about its patient; returns how many facts are new, changed or gone, and warnings. Call it under lock_keys() on lock_names() of the message.';

CREATE FUNCTION radscheduler.keep_facts(p_items radscheduler.ingest_item[], OUT items radscheduler.ingest_item[], OUT bookings bigint[]) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_item     radscheduler.ingest_item;
    v_patient  bigint;
    v_patients bigint[] := '{}';
    v_kept     record;
BEGIN
    items := p_items;
    FOR k IN 1 .. cardinality(items) LOOP
        v_item := items[k];
        CONTINUE WHEN NOT coalesce(v_item.reading ? 'facts', false) OR v_item.error IS NOT NULL;
        v_patient := coalesce(v_item.patient_id,
            (radscheduler.find_patient(v_item.site_id, v_item.reading #> '{patient,identifiers}', v_item.context ->> 'facility')).patient_id,
            (SELECT a.patient_id FROM radscheduler.appointment a WHERE a.site_id = v_item.site_id AND a.appointment_id = v_item.appointment_id));
        CONTINUE WHEN v_patient IS NULL;
        v_kept := radscheduler.keep_patient_facts(v_item, v_patient);
        v_item.warnings := v_item.warnings || v_kept.warnings;
        items[k] := v_item;
        IF v_kept.facts > 0 THEN
            v_patients := v_patients || v_patient;
        END IF;
    END LOOP;
    bookings := CASE WHEN v_patients = '{}' THEN '{}' ELSE radscheduler.patient_bookings((p_items[1]).site_id, v_patients) END;
END
$$;
COMMENT ON FUNCTION radscheduler.keep_facts(radscheduler.ingest_item[]) IS
    'keep_patient_facts() of messages of one site whose patients are known (or their appointments''): the messages with their warnings, and the bookings of patients about whom something has changed, for settle().';
