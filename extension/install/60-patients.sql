-- Who the patient is: found by identifier, never by name; created when new; brought up to date by newer messages.

CREATE FUNCTION radscheduler.patient_lock_names(p_site integer, p_patient jsonb) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT array_agg(format('patient/%s/%s', p_site, i ->> 'value')) FROM jsonb_array_elements(p_patient -> 'identifiers') i);
END
$$;
COMMENT ON FUNCTION radscheduler.patient_lock_names(integer, jsonb) IS 'Names for lock_keys() under which messages about one patient wait for each other.';

CREATE FUNCTION radscheduler.find_patient(p_site integer, p_identifiers jsonb, p_facility text, OUT best jsonb, OUT patient_id bigint, OUT is_complete boolean) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_item      jsonb;
    v_type      text;
    v_authority text;
    v_rank      integer;
    v_best      integer;
    v_id        bigint;
    v_is_exact  boolean;
    v_any       bigint;
BEGIN
    is_complete := true;
    FOR n IN 0 .. coalesce(jsonb_array_length(p_identifiers), 0) - 1 LOOP
        v_item := p_identifiers -> n;
        v_type := coalesce(v_item ->> 'type', 'MR');
        v_authority := coalesce(v_item ->> 'authority', p_facility);
        SELECT p.patient_id, p.authority = v_authority INTO v_id, v_is_exact FROM radscheduler.patient_identifier p
            WHERE p.site_id = p_site AND p.value = v_item ->> 'value' AND p.type = v_type AND (p.authority IN (v_authority, '') OR NOT v_item ? 'authority')
            ORDER BY p.authority = v_authority DESC, p.patient_id LIMIT 1;
        is_complete := is_complete AND v_is_exact IS TRUE;
        v_any := coalesce(v_any, v_id);
        v_rank := CASE WHEN v_type = 'MR' AND v_authority = p_facility THEN 0 WHEN v_type = 'MR' THEN 1 WHEN v_type IN ('PI', 'PT') THEN 2
                       WHEN v_type IN ('SS', 'NI', 'MC') THEN 4 ELSE 3 END;
        IF v_best IS NULL OR v_rank < v_best THEN
            v_best := v_rank;
            best := v_item;
            find_patient.patient_id := v_id;
        END IF;
    END LOOP;
    find_patient.patient_id := coalesce(find_patient.patient_id, v_any);
END
$$;
COMMENT ON FUNCTION radscheduler.find_patient(integer, jsonb, text) IS
    'For identifiers of siu_parse shape: the one to show (type MR of the facility, then MR, then PI or PT, then the first, social security and national numbers last), the patient known by it or else by any of them, and whether all are on record. An identifier without authority, here or there, matches any.';

CREATE FUNCTION radscheduler.resolve_patients(p_items radscheduler.ingest_item[], OUT ordinal integer, OUT patient_id bigint, OUT warnings jsonb, OUT event text) RETURNS SETOF record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_item    radscheduler.ingest_item;
    v_sent    jsonb;
    v_found   record;
    v_old     radscheduler.patient;
    v_row     radscheduler.patient;
    v_inserts radscheduler.patient[];
    v_updates radscheduler.patient[];
    v_ids     bigint[] := '{}';
    v_values  text[] := '{}';
    v_mine    text[];
    v_later   radscheduler.ingest_item[] := '{}';
    v_identifier jsonb;
    v_name    radscheduler.patient_identifier;
    v_names   radscheduler.patient_identifier[];
BEGIN
    FOREACH v_item IN ARRAY p_items LOOP
        v_sent := v_item.reading -> 'patient';
        CONTINUE WHEN v_sent #> '{identifiers,0}' IS NULL;
        SELECT v_item.best, v_item.patient_id, v_item.is_complete INTO v_found;
        IF v_found.best IS NULL THEN
            v_found := radscheduler.find_patient(v_item.site_id, v_sent -> 'identifiers', v_item.context ->> 'facility');
        END IF;
        IF cardinality(p_items) > 1 THEN
            v_mine := ARRAY(SELECT v_item.site_id || '/' || (x ->> 'value') FROM jsonb_array_elements(v_sent -> 'identifiers') x);
            IF v_found.patient_id = ANY (v_ids) OR v_found.patient_id IS NULL AND v_values && v_mine THEN
                v_item.best := NULL;
                v_later := v_later || v_item; -- an earlier message of these tells of the same person
                CONTINUE;
            END IF;
        END IF;
        v_old := NULL;
        IF v_found.patient_id IS NULL THEN
            v_row := NULL;
            v_row.site_id := v_item.site_id;
            v_row.patient_id := nextval('radscheduler.patient_patient_id_seq');
            v_row.display_name := coalesce(v_sent ->> 'display_if_new', '');
            v_row.is_deceased := false;
            v_row.created_at := now();
            v_values := v_values || v_mine;
        ELSE
            SELECT * INTO v_old FROM radscheduler.patient p WHERE p.site_id = v_item.site_id AND p.patient_id = v_found.patient_id;
            v_row := v_old;
        END IF;
        event := NULL;
        IF v_old.message_time > v_item.at IS NOT TRUE THEN
            IF v_row.mrn = v_found.best ->> 'value' IS NOT TRUE AND NOT (v_old.patient_id IS NOT NULL AND radscheduler.is_given_up(v_item.site_id, v_old.patient_id, v_found.best ->> 'value')) THEN
                v_row.mrn := v_found.best ->> 'value';
            END IF;
            v_row.family_name := CASE WHEN v_sent ? 'family' THEN v_sent ->> 'family' ELSE v_row.family_name END;
            v_row.given_name := CASE WHEN v_sent ? 'given' THEN v_sent ->> 'given' ELSE v_row.given_name END;
            v_row.display_name := coalesce(nullif(v_sent ->> 'display', ''), v_row.display_name);
            v_row.birth_date := CASE WHEN v_sent ? 'birth_date' THEN (v_sent ->> 'birth_date')::date ELSE v_row.birth_date END;
            v_row.sex := CASE WHEN v_sent ? 'sex' THEN v_sent ->> 'sex' ELSE v_row.sex END;
            IF v_sent ?| '{middle,suffix,deceased}' THEN
                v_row.middle_name := CASE WHEN v_sent ? 'middle' THEN v_sent ->> 'middle' ELSE v_row.middle_name END;
                v_row.suffix := CASE WHEN v_sent ? 'suffix' THEN v_sent ->> 'suffix' ELSE v_row.suffix END;
                v_row.is_deceased := coalesce((v_sent ->> 'deceased')::boolean, v_row.is_deceased);
            END IF;
            IF v_sent ? 'phones' AND (v_row.phone_as_sent IS DISTINCT FROM v_sent #>> '{phones,0,value}' OR v_row.phone IS NULL) THEN
                v_row.phone_as_sent := v_sent #>> '{phones,0,value}';
                v_row.phone := radscheduler.e164(v_row.phone_as_sent, v_item.context ->> 'region');
            END IF;
            IF v_row IS DISTINCT FROM v_old THEN
                v_row.updated_at := now();
                event := CASE WHEN v_found.patient_id IS NULL THEN 'patient.created' ELSE 'patient.updated' END;
            END IF;
            v_row.message_time := v_item.at;
            IF v_found.patient_id IS NULL THEN
                v_inserts := v_inserts || v_row;
            ELSIF v_row IS DISTINCT FROM v_old THEN
                v_updates := v_updates || v_row;
            END IF;
        END IF;
        IF NOT v_found.is_complete THEN
            FOR n IN 0 .. jsonb_array_length(v_sent -> 'identifiers') - 1 LOOP
                v_identifier := v_sent -> 'identifiers' -> n;
                v_name.site_id := v_item.site_id;
                v_name.authority := coalesce(v_identifier ->> 'authority', v_item.context ->> 'facility');
                v_name.type := coalesce(v_identifier ->> 'type', 'MR');
                v_name.value := v_identifier ->> 'value';
                v_name.patient_id := v_row.patient_id;
                v_names := v_names || v_name;
            END LOOP;
            event := coalesce(event, 'patient.updated');
        END IF;
        v_ids := v_ids || v_row.patient_id;
        ordinal := v_item.ordinal;
        patient_id := v_row.patient_id;
        warnings := CASE WHEN v_row.phone IS NULL AND v_sent #>> '{phones,0,value}' IS NOT NULL THEN jsonb_build_array(radscheduler.warning('PHONE_UNUSABLE', 'PID-13')) ELSE '[]' END;
        RETURN NEXT;
    END LOOP;

    IF v_inserts IS NOT NULL THEN
        INSERT INTO radscheduler.patient SELECT * FROM unnest(v_inserts);
    END IF;
    IF v_updates IS NOT NULL THEN
        UPDATE radscheduler.patient p SET mrn = n.mrn, family_name = n.family_name, given_name = n.given_name, middle_name = n.middle_name, suffix = n.suffix,
               display_name = n.display_name, birth_date = n.birth_date, sex = n.sex, phone = n.phone, phone_as_sent = n.phone_as_sent, is_deceased = n.is_deceased,
               message_time = n.message_time, updated_at = n.updated_at
            FROM unnest(v_updates) n
            WHERE p.site_id = n.site_id AND p.patient_id = n.patient_id AND p.site_id = (p_items[1]).site_id AND p.patient_id = ANY (v_ids);
    END IF;
    IF v_names IS NOT NULL THEN
        INSERT INTO radscheduler.patient_identifier SELECT * FROM unnest(v_names) ON CONFLICT DO NOTHING;
    END IF;
    IF v_later <> '{}' THEN
        RETURN QUERY SELECT * FROM radscheduler.resolve_patients(v_later);
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.resolve_patients(radscheduler.ingest_item[]) IS
    'The patients of messages of one site, found by any identifier or created; fields that were sent overwrite unless a newer message told them, an HL7 null clears. Rows carry the ordinal of their item, and the event that the caller has to tell (patient.created, patient.updated, or NULL); a message without identifier gives none. Call it under lock_keys(patient_lock_names(…)).';

CREATE FUNCTION radscheduler.resolve_patient(p_site integer, p_patient jsonb, p_facility text, p_region text, p_at timestamptz DEFAULT pg_catalog.now(),
                                             OUT patient_id bigint, OUT warnings jsonb) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_item  radscheduler.ingest_item;
    v_event text;
BEGIN
    v_item.ordinal := 1;
    v_item.site_id := p_site;
    v_item.at := p_at;
    v_item.reading := jsonb_build_object('patient', p_patient);
    v_item.context := jsonb_build_object('facility', p_facility, 'region', p_region);
    SELECT r.patient_id, r.warnings, r.event INTO resolve_patient.patient_id, resolve_patient.warnings, v_event FROM radscheduler.resolve_patients(ARRAY[v_item]) r;
    warnings := coalesce(warnings, '[]');
    IF v_event IS NOT NULL THEN
        PERFORM radscheduler.audit(p_site, v_event, 'patient', patient_id, '{}');
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.resolve_patient(integer, jsonb, text, text, timestamptz) IS
    'resolve_patients() of one patient in siu_parse shape, told in the audit log: assigning authority and phone region to assume, time of the message. NULL when no identifier was sent.';
