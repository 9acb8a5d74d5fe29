-- Who the patient is: found by identifier, never by name; created when new; brought up to date by newer messages.

CREATE FUNCTION radscheduler.patient_lock_names(p_site integer, p_patient jsonb) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT array_agg(format('patient/%s/%s', p_site, i ->> 'value')) FROM jsonb_array_elements(p_patient -> 'identifiers') i);
END
$$;
COMMENT ON FUNCTION radscheduler.patient_lock_names(integer, jsonb) IS 'Names for lock_keys() under which messages about one patient wait for each other.';

CREATE FUNCTION radscheduler.resolve_patient(p_site integer, p_patient jsonb, p_facility text, p_region text,
                                             OUT patient_id bigint, OUT warnings jsonb) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_best  jsonb;
    v_item  jsonb;
    v_phone text := p_patient #>> '{phones,0,value}';
    v_e164  text;
    v_name  text := coalesce(p_patient ->> 'display', '');
    v_told  boolean := false;
    v_first_name text := coalesce(nullif(v_name, ''), p_patient ->> 'display_if_new', '');
BEGIN
    warnings := '[]';
    SELECT i INTO v_best FROM jsonb_array_elements(p_patient -> 'identifiers') WITH ORDINALITY e(i, place)
        ORDER BY CASE WHEN coalesce(i ->> 'type', 'MR') = 'MR' AND coalesce(i ->> 'authority', p_facility) = p_facility THEN 0
                      WHEN coalesce(i ->> 'type', 'MR') = 'MR' THEN 1
                      WHEN i ->> 'type' IN ('PI', 'PT') THEN 2
                      WHEN i ->> 'type' IN ('SS', 'NI', 'MC') THEN 4 ELSE 3 END, place
        LIMIT 1;
    IF v_best IS NULL THEN
        RETURN;
    END IF;
    v_e164 := radscheduler.e164(v_phone, p_region);
    IF v_phone IS NOT NULL AND v_e164 IS NULL THEN
        warnings := jsonb_build_array(radscheduler.warning('PHONE_UNUSABLE', 'PID-13'));
    END IF;
    FOR v_item IN SELECT i FROM jsonb_array_elements(p_patient -> 'identifiers') WITH ORDINALITY e(i, place) ORDER BY i = v_best DESC, place LOOP
        SELECT p.patient_id INTO resolve_patient.patient_id
            FROM radscheduler.patient_identifier p
            WHERE p.site_id = p_site AND p.value = v_item ->> 'value' AND p.type = coalesce(v_item ->> 'type', 'MR')
              AND (p.authority IN (coalesce(v_item ->> 'authority', p_facility), '') OR NOT v_item ? 'authority')
            ORDER BY p.authority = coalesce(v_item ->> 'authority', p_facility) DESC, p.patient_id LIMIT 1;
        EXIT WHEN FOUND;
    END LOOP;
    IF resolve_patient.patient_id IS NULL THEN
        INSERT INTO radscheduler.patient (site_id, mrn, family_name, given_name, middle_name, suffix, display_name, birth_date, sex,
                                          phone, phone_as_sent, is_deceased)
            VALUES (p_site, v_best ->> 'value', p_patient ->> 'family', p_patient ->> 'given', p_patient ->> 'middle', p_patient ->> 'suffix',
                    v_first_name, (p_patient ->> 'birth_date')::date, p_patient ->> 'sex', v_e164, v_phone,
                    coalesce((p_patient ->> 'deceased')::boolean, false))
            RETURNING patient.patient_id INTO resolve_patient.patient_id;
        PERFORM radscheduler.audit(p_site, 'patient.created', 'patient', resolve_patient.patient_id, '{}');
        v_told := true;
    ELSE
        UPDATE radscheduler.patient p SET
            mrn          = v_best ->> 'value',
            family_name  = CASE WHEN p_patient ? 'family' THEN p_patient ->> 'family' ELSE p.family_name END,
            given_name   = CASE WHEN p_patient ? 'given' THEN p_patient ->> 'given' ELSE p.given_name END,
            middle_name  = CASE WHEN p_patient ? 'middle' THEN p_patient ->> 'middle' ELSE p.middle_name END,
            suffix       = CASE WHEN p_patient ? 'suffix' THEN p_patient ->> 'suffix' ELSE p.suffix END,
            display_name = coalesce(nullif(v_name, ''), p.display_name),
            birth_date   = CASE WHEN p_patient ? 'birth_date' THEN (p_patient ->> 'birth_date')::date ELSE p.birth_date END,
            sex          = CASE WHEN p_patient ? 'sex' THEN p_patient ->> 'sex' ELSE p.sex END,
            phone        = CASE WHEN p_patient ? 'phones' THEN v_e164 ELSE p.phone END,
            phone_as_sent = CASE WHEN p_patient ? 'phones' THEN v_phone ELSE p.phone_as_sent END,
            is_deceased  = coalesce((p_patient ->> 'deceased')::boolean, p.is_deceased),
            updated_at   = now()
        WHERE p.site_id = p_site AND p.patient_id = resolve_patient.patient_id
          AND (p.mrn <> v_best ->> 'value' OR nullif(v_name, '') <> p.display_name
               OR p_patient ? 'family' AND p.family_name IS DISTINCT FROM p_patient ->> 'family'
               OR p_patient ? 'given' AND p.given_name IS DISTINCT FROM p_patient ->> 'given'
               OR p_patient ? 'middle' AND p.middle_name IS DISTINCT FROM p_patient ->> 'middle'
               OR p_patient ? 'suffix' AND p.suffix IS DISTINCT FROM p_patient ->> 'suffix'
               OR p_patient ? 'birth_date' AND p.birth_date IS DISTINCT FROM (p_patient ->> 'birth_date')::date
               OR p_patient ? 'sex' AND p.sex IS DISTINCT FROM p_patient ->> 'sex'
               OR p_patient ? 'phones' AND p.phone_as_sent IS DISTINCT FROM v_phone
               OR p.is_deceased IS DISTINCT FROM coalesce((p_patient ->> 'deceased')::boolean, p.is_deceased));
        IF FOUND THEN
            PERFORM radscheduler.audit(p_site, 'patient.updated', 'patient', resolve_patient.patient_id, '{}');
            v_told := true;
        END IF;
    END IF;
    INSERT INTO radscheduler.patient_identifier (site_id, authority, type, value, patient_id)
        SELECT DISTINCT ON (i ->> 'value', coalesce(i ->> 'authority', p_facility), coalesce(i ->> 'type', 'MR'))
               p_site, coalesce(i ->> 'authority', p_facility), coalesce(i ->> 'type', 'MR'), i ->> 'value', resolve_patient.patient_id
        FROM jsonb_array_elements(p_patient -> 'identifiers') i
        ON CONFLICT DO NOTHING;
    IF FOUND AND NOT v_told THEN
        PERFORM radscheduler.audit(p_site, 'patient.updated', 'patient', resolve_patient.patient_id, '{"columns": ["identifiers"]}');
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.resolve_patient(integer, jsonb, text, text) IS
    'The patient of a reading (siu_parse shape), found by any of its identifiers or created; fields that were sent overwrite, an HL7 null clears. The identifier shown is type MR of the facility, then MR, then PI or PT, then the first. An identifier without authority, here or there, matches any. NULL when no identifier was sent. Call it under lock_keys(patient_lock_names(…)).';
