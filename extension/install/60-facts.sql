-- Facts about patients, recorded and read by people and programs. Those of messages are kept by 64-message-facts.sql.

CREATE FUNCTION radscheduler.record_fact(patient_id text, kind text, code text DEFAULT NULL, value numeric DEFAULT NULL, unit text DEFAULT NULL, severity text DEFAULT NULL,
                                         observed_at timestamptz DEFAULT pg_catalog.now()) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
#variable_conflict use_variable
DECLARE
    v_site     integer := radscheduler.current_site();
    v_patient  bigint;
    v_kind     radscheduler.fact_kind;
    v_code     text := nullif(btrim(code), '');
    v_severity text := nullif(upper(btrim(severity)), '');
    v_number   record;
    v_fact     bigint;
BEGIN
    SELECT k.* INTO v_kind FROM radscheduler.fact_kind k WHERE k.kind = record_fact.kind;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'kind "%" is not known', kind USING ERRCODE = 'invalid_parameter_value', HINT = 'SELECT kind, unit, meaning FROM radscheduler.fact_kind; lists those that are.';
    ELSIF v_kind.takes = 'value' AND value IS NULL OR v_kind.takes = 'code' AND v_code IS NULL THEN
        RAISE EXCEPTION 'a fact of kind % needs a %', v_kind.kind, v_kind.takes USING ERRCODE = 'invalid_parameter_value',
            HINT = CASE v_kind.takes WHEN 'value' THEN format('Give value => the number in %s, or another unit of radscheduler.fact_unit.', v_kind.unit) ELSE 'Give code => what it is, or none.' END;
    ELSIF v_kind.codes IS NOT NULL AND v_code <> ALL (v_kind.codes) THEN
        RAISE EXCEPTION 'the code of a fact of kind % is not understood', v_kind.kind USING ERRCODE = 'invalid_parameter_value', HINT = format('Write %s.', array_to_string(v_kind.codes, ' or '));
    ELSIF v_severity NOT IN ('SV', 'MO', 'MI') THEN
        RAISE EXCEPTION 'the severity is not understood' USING ERRCODE = 'invalid_parameter_value', HINT = 'Write SV (severe), MO (moderate) or MI (mild), or leave it out.';
    ELSIF observed_at IS NULL OR NOT isfinite(observed_at) THEN
        RAISE EXCEPTION 'a fact needs the time at which it was so' USING ERRCODE = 'invalid_parameter_value', HINT = 'Leave observed_at out for now.';
    END IF;
    v_number := radscheduler.fact_value(kind, value, unit);
    IF v_number.fault IS NOT NULL THEN
        RAISE EXCEPTION '%', CASE v_number.fault WHEN 'unit' THEN format('the unit of a fact of kind %s is not understood', v_kind.kind)
                                  ELSE format('a fact of kind %s is between %s and %s %s', v_kind.kind, v_kind.low, v_kind.high, v_kind.unit) END
            USING ERRCODE = 'invalid_parameter_value', HINT = 'SELECT word, factor FROM radscheduler.fact_unit; lists units.';
    END IF;
    v_patient := radscheduler.patient_by_identifier(v_site, patient_id);
    PERFORM radscheduler.lock_keys(radscheduler.patient_names(v_site, ARRAY[v_patient]));
    IF radscheduler.patient_by_identifier(v_site, patient_id) <> v_patient THEN
        RAISE EXCEPTION 'the patient was merged while the fact waited for him' USING ERRCODE = 'serialization_failure', HINT = 'Run it again.';
    END IF;
    INSERT INTO radscheduler.patient_fact AS f (site_id, patient_id, kind, code, value, unit, severity, observed_at, source)
        VALUES (v_site, v_patient, kind, v_code, coalesce(v_number.value, value), v_number.unit, v_severity, observed_at, 'user')
        RETURNING f.fact_id INTO v_fact;
    PERFORM radscheduler.audit(v_site, 'fact.recorded', 'patient_fact', v_fact, jsonb_build_object('patient_id', v_patient));
    PERFORM radscheduler.recheck_patient(v_site, v_patient);
    RETURN v_fact;
END
$$;
COMMENT ON FUNCTION radscheduler.record_fact(text, text, text, numeric, text, text, timestamptz) IS
    'Records a fact about a patient of the session''s site (patient_id: an identifier, value or authority|value) and returns its id. kind is one of fact_kind; numbers are converted to its unit. The patient''s coming bookings are looked at anew. Raises 22023 for a kind, unit, code or severity that is not understood, for a number that no person has, and for an identifier of no patient or of several.';

CREATE FUNCTION radscheduler.retract_fact(fact_id bigint) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
#variable_conflict use_variable
DECLARE
    v_site    integer := radscheduler.current_site();
    v_patient bigint;
BEGIN
    SELECT f.patient_id INTO v_patient FROM radscheduler.patient_fact f WHERE f.site_id = v_site AND f.fact_id = retract_fact.fact_id;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM radscheduler.lock_keys(radscheduler.patient_names(v_site, ARRAY[v_patient]));
    DELETE FROM radscheduler.patient_fact f WHERE f.site_id = v_site AND f.fact_id = retract_fact.fact_id;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM radscheduler.audit(v_site, 'fact.retracted', 'patient_fact', fact_id, jsonb_build_object('patient_id', v_patient));
    PERFORM radscheduler.recheck_patient(v_site, v_patient);
    RETURN true;
END
$$;
COMMENT ON FUNCTION radscheduler.retract_fact(bigint) IS
    'Takes back a fact of the session''s site that was wrong; false when there is none of this id. The patient''s coming bookings are looked at anew.';

CREATE FUNCTION radscheduler.facts_of(patient_id text) RETURNS TABLE (fact_id bigint, kind text, code text, value numeric, unit text, severity text, observed_at timestamptz, source text, message_id bigint)
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
#variable_conflict use_column
DECLARE
    v_site    integer := radscheduler.current_site();
    v_patient bigint := radscheduler.patient_by_identifier(v_site, facts_of.patient_id);
BEGIN
    RETURN QUERY
    SELECT f.fact_id, f.kind, f.code, f.value, f.unit, f.severity, f.observed_at, f.source, f.message_id
    FROM radscheduler.patient_fact f WHERE f.site_id = v_site AND f.patient_id = v_patient ORDER BY f.observed_at DESC, f.fact_id DESC;
END
$$;
COMMENT ON FUNCTION radscheduler.facts_of(text) IS
    'What is known about a patient of the session''s site (an identifier, value or authority|value), newest first. Raises 22023 for an identifier of no patient or of several.';
