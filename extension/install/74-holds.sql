-- Legal holds, and whom a message is about. A hold is placed on a patient or on a site; nothing that removes records (purge(), drop_expired())
-- may pass it. Both sides take the name hold_lock_name() in phase one of the lock order (42-locks.sql), so that a hold is placed either
-- before a removal begins, and is respected, or after it has ended.

CREATE FUNCTION radscheduler.patient_by_identifier(p_site integer, p_identifier text) RETURNS bigint
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_patients bigint[];
BEGIN
    -- The value alone, or behind what names its authority: every place where a bar could part the two is tried.
    SELECT array_agg(DISTINCT f.patient_id) INTO v_patients FROM (
        SELECT i.patient_id
        FROM (SELECT p_identifier, NULL::text
              UNION ALL
              SELECT substr(p_identifier, place + 1), left(p_identifier, place - 1)
              FROM generate_series(1, length(p_identifier)) place WHERE substr(p_identifier, place, 1) = '|') k(value, authority)
        JOIN radscheduler.patient_identifier i ON i.site_id = p_site AND i.value = k.value
             AND (k.authority IS NULL OR k.authority IN (i.authority, i.authority || '|' || i.type))
        UNION ALL
        SELECT p.patient_id FROM radscheduler.patient p WHERE p.site_id = p_site AND p.mrn = p_identifier) f;
    IF v_patients IS NULL THEN
        RAISE EXCEPTION 'no patient of this site has that identifier' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Give an identifier as it stands in radscheduler.patient_identifier: its value, or authority|value.';
    ELSIF cardinality(v_patients) > 1 THEN
        RAISE EXCEPTION 'that identifier belongs to several patients of this site' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Give its authority too, as authority|value (or authority|type|value); radscheduler.patient_identifier lists them.';
    END IF;
    RETURN v_patients[1];
END
$$;
COMMENT ON FUNCTION radscheduler.patient_by_identifier(integer, text) IS
    'The patient of a site who has an identifier: its value, authority|value or authority|type|value. Raises 22023 when there is none or when it belongs to several; the error does not repeat it.';

CREATE FUNCTION radscheduler.hold_lock_name(p_site integer) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN 'hold/' || p_site::text;
COMMENT ON FUNCTION radscheduler.hold_lock_name(integer) IS 'Name for lock_keys() under which the holds of a site and the removal of its records wait for each other.';

CREATE FUNCTION radscheduler.holds_in_force(p_site integer, OUT is_site_held boolean, OUT patients bigint[], OUT identifiers text[]) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    SELECT coalesce(bool_or(h.patient_id IS NULL), false), coalesce(array_agg(DISTINCT h.patient_id) FILTER (WHERE h.patient_id IS NOT NULL), '{}')
        INTO is_site_held, patients
        FROM radscheduler.legal_hold h WHERE h.site_id = p_site AND h.lifted_at IS NULL;
    -- And the ids they had before they were merged, which earlier versions of appointments name.
    patients := patients || ARRAY(SELECT m.merged_id FROM radscheduler.patient_merge m WHERE m.site_id = p_site AND m.patient_id = ANY (patients));
    identifiers := ARRAY(SELECT DISTINCT i.value FROM radscheduler.patient_identifier i WHERE i.site_id = p_site AND i.patient_id = ANY (patients));
END
$$;
COMMENT ON FUNCTION radscheduler.holds_in_force(integer) IS 'The holds of a site: whether everything is held, which patients are (by earlier ids too, see patient_merge), and the values of their identifiers. Ask it under hold_lock_name().';

CREATE FUNCTION radscheduler.place_hold(reason text, patient text DEFAULT NULL) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
#variable_conflict use_column
DECLARE
    v_site    integer := radscheduler.current_site();
    v_patient bigint;
    v_hold    bigint;
BEGIN
    IF coalesce(btrim(place_hold.reason), '') = '' OR length(place_hold.reason) > 1000 THEN
        RAISE EXCEPTION 'a hold needs a reason, of at most 1000 characters' USING ERRCODE = 'invalid_parameter_value', HINT = 'Say why, for example a case number, without the patient''s name or number.';
    END IF;
    PERFORM radscheduler.lock_keys(ARRAY[radscheduler.hold_lock_name(v_site)]);
    IF patient IS NOT NULL THEN
        v_patient := radscheduler.patient_by_identifier(v_site, patient);
    END IF;
    INSERT INTO radscheduler.legal_hold AS h (site_id, patient_id, reason, placed_by)
        VALUES (v_site, v_patient, place_hold.reason, pg_get_userbyid(radscheduler.caller()))
        RETURNING h.hold_id INTO v_hold;
    PERFORM radscheduler.audit(v_site, 'hold.placed', CASE WHEN v_patient IS NULL THEN 'site' ELSE 'patient' END, v_patient, jsonb_build_object('hold_id', v_hold));
    RETURN v_hold;
END
$$;
COMMENT ON FUNCTION radscheduler.place_hold(text, text) IS
    'Keeps a patient''s records, or without patient everything of the session''s site, from purge() and retention until lift_hold(); returns the hold''s id. patient is an identifier (value, or authority|value). Waits for a removal that is under way. The reason must not contain the patient''s name or number. Raises 22023 for an empty reason, and for an identifier of no patient or of several.';

CREATE FUNCTION radscheduler.lift_hold(hold bigint, reason text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
#variable_conflict use_column
DECLARE
    v_site integer := radscheduler.current_site();
    v_hold record;
BEGIN
    IF coalesce(btrim(lift_hold.reason), '') = '' OR length(lift_hold.reason) > 1000 THEN
        RAISE EXCEPTION 'lifting a hold needs a reason, of at most 1000 characters' USING ERRCODE = 'invalid_parameter_value', HINT = 'Say why, without the patient''s name or number.';
    END IF;
    SELECT h.patient_id, h.lifted_at INTO v_hold FROM radscheduler.legal_hold h WHERE h.site_id = v_site AND h.hold_id = hold FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this site has no hold %', hold USING ERRCODE = 'invalid_parameter_value', HINT = 'radscheduler.legal_hold lists the holds of each site.';
    ELSIF v_hold.lifted_at IS NOT NULL THEN
        RAISE EXCEPTION 'hold % was lifted before', hold USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Nothing is left to do; place_hold() places a new one.';
    END IF;
    UPDATE radscheduler.legal_hold h SET lifted_at = now(), lifted_by = pg_get_userbyid(radscheduler.caller()), lift_reason = lift_hold.reason
        WHERE h.site_id = v_site AND h.hold_id = hold;
    PERFORM radscheduler.audit(v_site, 'hold.lifted', CASE WHEN v_hold.patient_id IS NULL THEN 'site' ELSE 'patient' END, v_hold.patient_id, jsonb_build_object('hold_id', hold));
END
$$;
COMMENT ON FUNCTION radscheduler.lift_hold(bigint, text) IS
    'Ends a hold of the session''s site; the row stays. The reason must not contain the patient''s name or number. Raises 22023 for an empty reason or an unknown hold, 55000 for one that was lifted before.';

CREATE FUNCTION radscheduler.message_identifiers(p_code text, p_bytes bytea, p_charset text, OUT identifiers jsonb, OUT facility text, OUT is_person boolean) RETURNS record
    LANGUAGE plpgsql IMMUTABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_body    jsonb;
    v_message radscheduler.hl7;
BEGIN
    facility := '';
    IF p_code = 'JSON' THEN
        v_body := radscheduler.body_json(p_bytes);
        is_person := v_body ? 'patientName' OR v_body ->> 'patientId' IS NOT NULL;
        identifiers := CASE WHEN v_body IS NULL THEN NULL WHEN v_body ->> 'patientId' IS NULL THEN '[]'
                            ELSE jsonb_build_array(jsonb_build_object('value', v_body ->> 'patientId')) END;
        RETURN;
    END IF;
    -- The reader that also judged it when it came: the same trimming, the same fall back from PID-3 to PID-2 and PID-4. It never raises.
    v_body := radscheduler.siu_read(p_bytes, jsonb_build_object('charset', p_charset));
    IF NOT v_body ? 'header' THEN
        RETURN;
    END IF;
    facility := coalesce(v_body #>> '{header,sending_facility}', '');
    is_person := v_body ? 'patient';
    identifiers := coalesce(v_body #> '{patient,identifiers}', '[]');
    IF v_body ? 'merges' THEN
        identifiers := identifiers || coalesce(jsonb_path_query_array(v_body, '$.merges[*].from.identifiers[*]'), '[]');
    END IF;
    IF v_body ? 'merges' OR v_body -> 'warnings' @> '[{"code": "EXTRA_SEGMENT"}]' THEN
        -- It read one PID; the others name people too.
        v_message := CASE WHEN p_charset IS NULL THEN radscheduler.hl7(p_bytes) ELSE radscheduler.hl7(p_bytes, p_charset) END;
        identifiers := identifiers || (
            SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('value', btrim(m.value), 'authority', coalesce(m.namespace, m.universal), 'type', m.type))), '[]')
            FROM unnest(radscheduler.hl7_get_all(v_message, 'PID[*]-3[*].1'), radscheduler.hl7_get_all(v_message, 'PID[*]-3[*].4.1'),
                        radscheduler.hl7_get_all(v_message, 'PID[*]-3[*].4.2'), radscheduler.hl7_get_all(v_message, 'PID[*]-3[*].5')) m(value, namespace, universal, type)
            WHERE m.value IS NOT NULL);
    END IF;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
    identifiers := NULL;
END
$$;
COMMENT ON FUNCTION radscheduler.message_identifiers(text, bytea, text) IS
    'The patients'' identifiers that a received message carries, [{value, authority, type}] as sent (PID-3, else PID-2 and PID-4, of every PID; MRG-1 of a merge; patientId of a JSON body), its sending facility, and whether it is about a person at all. identifiers is NULL for bytes that cannot be read. p_code is hl7_message.message_code, p_charset the charset of the sender''s profile.';

CREATE FUNCTION radscheduler.message_subjects(p_site integer, p_appointment bigint, p_code text, p_bytes bytea, p_charset text, p_values text[],
        OUT patients bigint[], OUT doubtful bigint[], OUT trouble text) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_owner   bigint;
    v_reading record;
    v_found   record;
    v_known   jsonb := '[]';
BEGIN
    doubtful := '{}';
    SELECT a.patient_id INTO v_owner FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointment;
    patients := array_remove(ARRAY[v_owner], NULL);
    v_reading := radscheduler.message_identifiers(p_code, p_bytes, p_charset);
    IF v_owner IS NULL THEN
        trouble := CASE WHEN v_reading.identifiers IS NULL THEN 'unreadable' WHEN v_reading.is_person AND v_reading.identifiers = '[]' THEN 'unclear' END;
    END IF;
    FOR i IN 0..coalesce(jsonb_array_length(v_reading.identifiers), 0) - 1 LOOP
        IF v_reading.identifiers -> i ->> 'value' = ANY (p_values) THEN
            v_known := v_known || (v_reading.identifiers -> i);
        END IF;
    END LOOP;
    IF v_known = '[]' THEN
        RETURN;
    END IF;
    FOR v_found IN
        -- Who has the number: with authority and type as sent; with the authority; where either side names none; with another authority.
        SELECT k.place, k.rank, array_agg(DISTINCT k.patient_id) AS ids
        FROM (SELECT n.place, i.patient_id, s.rank, min(s.rank) OVER (PARTITION BY n.place) AS best
              FROM jsonb_array_elements(v_known) WITH ORDINALITY n(item, place)
              JOIN radscheduler.patient_identifier i ON i.site_id = p_site AND i.value = n.item ->> 'value',
              LATERAL (SELECT CASE WHEN i.authority <> coalesce(n.item ->> 'authority', v_reading.facility) THEN CASE WHEN n.item ? 'authority' AND i.authority <> '' THEN 3 ELSE 2 END
                                   WHEN i.type <> coalesce(n.item ->> 'type', 'MR') THEN 1 ELSE 0 END) s(rank)) k
        WHERE k.rank = k.best
        GROUP BY k.place, k.rank
    LOOP
        IF v_owner = ANY (v_found.ids) OR v_owner IS NOT NULL AND v_found.rank > 1 THEN
            CONTINUE;
        ELSIF cardinality(v_found.ids) = 1 THEN
            patients := patients || v_found.ids;
        ELSE
            doubtful := doubtful || v_found.ids;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.message_subjects(integer, bigint, text, bytea, text, text[]) IS
    'Whom a received message is about: the patient of its appointment, and everybody whose identifier it carries (only identifiers with a value in p_values are looked up). The patient whose authority and type fit best is meant; where several fit equally well they are doubtful, unless the appointment tells. trouble, when no appointment tells: unreadable bytes, or unclear for a person without identifier.';
