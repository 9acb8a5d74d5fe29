-- Who the patient is: found by identifier, never by name; created when new; brought up to date by newer messages.

CREATE FUNCTION radscheduler.patient_lock_names(p_site integer, p_patient jsonb) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT array_agg(format('patient/%s/%s', p_site, i ->> 'value')) FROM jsonb_array_elements(p_patient -> 'identifiers') i);
END
$$;
COMMENT ON FUNCTION radscheduler.patient_lock_names(integer, jsonb) IS 'Names for lock_keys() under which messages about one patient wait for each other.';

CREATE FUNCTION radscheduler.find_patients(p_items radscheduler.ingest_item[],
        OUT place bigint, OUT best jsonb, OUT patient_id bigint, OUT has_new_identifier boolean, OUT e164 text) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT i.ordinality, b.best, f.patient_id,
           EXISTS (SELECT FROM jsonb_array_elements(i.reading #> '{patient,identifiers}') x
                   WHERE NOT EXISTS (SELECT FROM radscheduler.patient_identifier p
                                     WHERE p.site_id = i.site_id AND p.value = x ->> 'value' AND p.type = coalesce(x ->> 'type', 'MR')
                                       AND p.authority = coalesce(x ->> 'authority', i.context ->> 'facility'))),
           CASE WHEN i.reading #>> '{patient,phones,0,value}' IS NOT NULL THEN radscheduler.e164(i.reading #>> '{patient,phones,0,value}', i.context ->> 'region') END
    FROM unnest(p_items) WITH ORDINALITY i
    CROSS JOIN LATERAL (
        SELECT x AS best FROM jsonb_array_elements(i.reading #> '{patient,identifiers}') WITH ORDINALITY e(x, place)
        ORDER BY CASE WHEN coalesce(x ->> 'type', 'MR') = 'MR' AND coalesce(x ->> 'authority', i.context ->> 'facility') = i.context ->> 'facility' THEN 0
                      WHEN coalesce(x ->> 'type', 'MR') = 'MR' THEN 1
                      WHEN x ->> 'type' IN ('PI', 'PT') THEN 2
                      WHEN x ->> 'type' IN ('SS', 'NI', 'MC') THEN 4 ELSE 3 END, place
        LIMIT 1) b
    LEFT JOIN LATERAL (
        SELECT p.patient_id
        FROM jsonb_array_elements(i.reading #> '{patient,identifiers}') WITH ORDINALITY e(x, place),
             LATERAL (SELECT q.patient_id FROM radscheduler.patient_identifier q
                      WHERE q.site_id = i.site_id AND q.value = x ->> 'value' AND q.type = coalesce(x ->> 'type', 'MR')
                        AND (q.authority IN (coalesce(x ->> 'authority', i.context ->> 'facility'), '') OR NOT x ? 'authority')
                      ORDER BY q.authority = coalesce(x ->> 'authority', i.context ->> 'facility') DESC, q.patient_id LIMIT 1) p
        ORDER BY x = b.best DESC, place LIMIT 1) f ON true;
END
$$;
COMMENT ON FUNCTION radscheduler.find_patients(radscheduler.ingest_item[]) IS
    'For messages with patient identifiers, by their place in the array: the identifier to show (type MR of the facility, then MR, then PI or PT, then the first, social security and national numbers last), the patient known by any of them, whether one is new, and the phone number in E.164 form. An identifier without authority, here or there, matches any.';

CREATE FUNCTION radscheduler.resolve_patients(p_items radscheduler.ingest_item[], OUT ordinal integer, OUT patient_id bigint, OUT warnings jsonb) RETURNS SETOF record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_found    record;
    v_item     radscheduler.ingest_item;
    v_sent     jsonb;
    v_places   bigint[] := '{}';
    v_ids      bigint[] := '{}';
    v_values   text[] := '{}';
    v_later    radscheduler.ingest_item[] := '{}';
    v_row      radscheduler.patient;
    v_rows     radscheduler.patient[];
    v_bests    jsonb[] := '{}';
    v_e164s    text[] := '{}';
    v_known    boolean := false;
    v_naming   boolean := false;
    v_told     bigint[] := '{}';
    v_count    bigint;
BEGIN
    FOR v_found IN SELECT * FROM radscheduler.find_patients(p_items) LOOP
        v_item := p_items[v_found.place];
        v_sent := v_item.reading -> 'patient';
        IF v_found.patient_id = ANY (v_ids) OR v_found.patient_id IS NULL AND v_values && ARRAY(SELECT v_item.site_id || '/' || (x ->> 'value') FROM jsonb_array_elements(v_sent -> 'identifiers') x) THEN
            v_later := v_later || v_item; -- an earlier message of these tells of the same person
            CONTINUE;
        END IF;
        IF v_found.patient_id IS NULL THEN
            v_row.site_id := v_item.site_id;
            v_row.patient_id := nextval(pg_get_serial_sequence('radscheduler.patient', 'patient_id'));
            v_row.mrn := v_found.best ->> 'value';
            v_row.family_name := v_sent ->> 'family';
            v_row.given_name := v_sent ->> 'given';
            v_row.middle_name := v_sent ->> 'middle';
            v_row.suffix := v_sent ->> 'suffix';
            v_row.display_name := coalesce(nullif(v_sent ->> 'display', ''), v_sent ->> 'display_if_new', '');
            v_row.birth_date := (v_sent ->> 'birth_date')::date;
            v_row.sex := v_sent ->> 'sex';
            v_row.phone := v_found.e164;
            v_row.phone_as_sent := v_sent #>> '{phones,0,value}';
            v_row.is_deceased := coalesce((v_sent ->> 'deceased')::boolean, false);
            v_row.created_at := now();
            v_row.updated_at := now();
            v_row.message_time := v_item.at;
            v_rows := v_rows || v_row;
            v_found.patient_id := v_row.patient_id;
            v_values := v_values || ARRAY(SELECT v_item.site_id || '/' || (x ->> 'value') FROM jsonb_array_elements(v_sent -> 'identifiers') x);
            v_naming := true;
        ELSE
            v_known := true;
            v_naming := v_naming OR v_found.has_new_identifier;
        END IF;
        v_places := v_places || v_found.place;
        v_ids := v_ids || v_found.patient_id;
        v_bests := v_bests || v_found.best;
        v_e164s := v_e164s || v_found.e164;
    END LOOP;

    IF v_rows IS NOT NULL THEN
        INSERT INTO radscheduler.patient SELECT * FROM unnest(v_rows);
        v_told := ARRAY(SELECT r.patient_id FROM unnest(v_rows) r);
        PERFORM radscheduler.audit_all(r.site_id, array_agg('patient.created'::text), 'patient', array_agg(r.patient_id), array_agg('{}'::jsonb)) FROM unnest(v_rows) r GROUP BY r.site_id;
    END IF;
    IF v_known THEN
        WITH sent AS (
            SELECT i.site_id, u.id, u.best, u.e164, i.at, i.reading -> 'patient' AS p
            FROM unnest(v_places, v_ids, v_bests, v_e164s) u(place, id, best, e164) JOIN unnest(p_items) WITH ORDINALITY i ON i.ordinality = u.place
            WHERE u.id <> ALL (v_told)
        ), judged AS (
            SELECT s.*, p.mrn <> s.best ->> 'value' OR nullif(s.p ->> 'display', '') <> p.display_name
                   OR s.p ? 'family' AND p.family_name IS DISTINCT FROM s.p ->> 'family'
                   OR s.p ? 'given' AND p.given_name IS DISTINCT FROM s.p ->> 'given'
                   OR s.p ? 'middle' AND p.middle_name IS DISTINCT FROM s.p ->> 'middle'
                   OR s.p ? 'suffix' AND p.suffix IS DISTINCT FROM s.p ->> 'suffix'
                   OR s.p ? 'birth_date' AND p.birth_date IS DISTINCT FROM (s.p ->> 'birth_date')::date
                   OR s.p ? 'sex' AND p.sex IS DISTINCT FROM s.p ->> 'sex'
                   OR s.p ? 'phones' AND p.phone_as_sent IS DISTINCT FROM s.p #>> '{phones,0,value}'
                   OR p.is_deceased IS DISTINCT FROM coalesce((s.p ->> 'deceased')::boolean, p.is_deceased) AS differs
            FROM sent s JOIN radscheduler.patient p ON p.site_id = s.site_id AND p.patient_id = s.id
            WHERE p.message_time IS NULL OR p.message_time <= s.at
        ), renewed AS (
            UPDATE radscheduler.patient p SET
                mrn          = j.best ->> 'value',
                family_name  = CASE WHEN j.p ? 'family' THEN j.p ->> 'family' ELSE p.family_name END,
                given_name   = CASE WHEN j.p ? 'given' THEN j.p ->> 'given' ELSE p.given_name END,
                middle_name  = CASE WHEN j.p ? 'middle' THEN j.p ->> 'middle' ELSE p.middle_name END,
                suffix       = CASE WHEN j.p ? 'suffix' THEN j.p ->> 'suffix' ELSE p.suffix END,
                display_name = coalesce(nullif(j.p ->> 'display', ''), p.display_name),
                birth_date   = CASE WHEN j.p ? 'birth_date' THEN (j.p ->> 'birth_date')::date ELSE p.birth_date END,
                sex          = CASE WHEN j.p ? 'sex' THEN j.p ->> 'sex' ELSE p.sex END,
                phone        = CASE WHEN j.p ? 'phones' THEN j.e164 ELSE p.phone END,
                phone_as_sent = CASE WHEN j.p ? 'phones' THEN j.p #>> '{phones,0,value}' ELSE p.phone_as_sent END,
                is_deceased  = coalesce((j.p ->> 'deceased')::boolean, p.is_deceased),
                message_time = j.at,
                updated_at   = CASE WHEN j.differs THEN now() ELSE p.updated_at END
            FROM judged j
            WHERE p.site_id = j.site_id AND p.patient_id = j.id AND (j.differs OR p.message_time IS DISTINCT FROM j.at)
            RETURNING p.site_id, p.patient_id, j.differs
        ), audited AS (
            SELECT radscheduler.audit(r.site_id, 'patient.updated', 'patient', r.patient_id, '{}') FROM renewed r WHERE r.differs
        )
        SELECT v_told || coalesce((SELECT array_agg(r.patient_id) FROM renewed r WHERE r.differs), '{}') INTO v_told FROM (SELECT count(*) FROM audited) q;
    END IF;
    IF v_naming THEN
        WITH named AS (
            INSERT INTO radscheduler.patient_identifier AS n (site_id, authority, type, value, patient_id)
            SELECT DISTINCT ON (i.site_id, x ->> 'value', coalesce(x ->> 'authority', i.context ->> 'facility'), coalesce(x ->> 'type', 'MR'))
                   i.site_id, coalesce(x ->> 'authority', i.context ->> 'facility'), coalesce(x ->> 'type', 'MR'), x ->> 'value', u.id
            FROM unnest(v_places, v_ids) u(place, id) JOIN unnest(p_items) WITH ORDINALITY i ON i.ordinality = u.place, jsonb_array_elements(i.reading #> '{patient,identifiers}') x
            ON CONFLICT DO NOTHING
            RETURNING n.site_id, n.patient_id
        ), audited AS (
            SELECT radscheduler.audit(n.site_id, 'patient.updated', 'patient', n.patient_id, '{"columns": ["identifiers"]}')
            FROM (SELECT DISTINCT * FROM named) n WHERE n.patient_id <> ALL (v_told)
        )
        SELECT count(*) INTO v_count FROM audited;
    END IF;
    RETURN QUERY
        SELECT i.ordinal, u.id, CASE WHEN u.e164 IS NULL AND i.reading #>> '{patient,phones,0,value}' IS NOT NULL
                                     THEN jsonb_build_array(radscheduler.warning('PHONE_UNUSABLE', 'PID-13')) ELSE '[]' END
        FROM unnest(v_places, v_ids, v_e164s) u(place, id, e164) JOIN unnest(p_items) WITH ORDINALITY i ON i.ordinality = u.place;
    IF v_later <> '{}' THEN
        RETURN QUERY SELECT * FROM radscheduler.resolve_patients(v_later);
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.resolve_patients(radscheduler.ingest_item[]) IS
    'The patients of messages, found by any identifier or created; fields that were sent overwrite unless a newer message told them, an HL7 null clears. Rows carry the ordinal of their item; one without identifier gives none. Call it under lock_keys(patient_lock_names(…)).';

CREATE FUNCTION radscheduler.resolve_patient(p_site integer, p_patient jsonb, p_facility text, p_region text, p_at timestamptz DEFAULT pg_catalog.now(),
                                             OUT patient_id bigint, OUT warnings jsonb) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_item radscheduler.ingest_item;
BEGIN
    v_item.ordinal := 1;
    v_item.site_id := p_site;
    v_item.at := p_at;
    v_item.reading := jsonb_build_object('patient', p_patient);
    v_item.context := jsonb_build_object('facility', p_facility, 'region', p_region);
    SELECT r.patient_id, r.warnings INTO resolve_patient.patient_id, resolve_patient.warnings FROM radscheduler.resolve_patients(ARRAY[v_item]) r;
    warnings := coalesce(warnings, '[]');
END
$$;
COMMENT ON FUNCTION radscheduler.resolve_patient(integer, jsonb, text, text, timestamptz) IS
    'resolve_patients() of one patient in siu_parse shape: assigning authority and phone region to assume, time of the message. NULL when no identifier was sent.';
