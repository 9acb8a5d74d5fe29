-- What a caller asks to be booked, in the words of people, turned into what is stored: names of resources into ids, an exam into modality and minutes.
-- Nothing is locked or written here, and a word that means nothing is refused with a sentence. The sentences name no patient.

CREATE FUNCTION radscheduler.read_resources(p_site integer, p_names text[], OUT ids bigint[], OUT modality text, OUT has_place boolean) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_row   record;
    v_place bigint;
BEGIN
    ids := '{}';
    has_place := false;
    IF p_names IS NULL THEN
        RETURN;
    END IF;
    FOR v_row IN
        SELECT w.place, left(w.word, 100) AS word, r.resource_id, r.kind, r.modality, r.is_active
        FROM (SELECT u.place, u.word, CASE WHEN split_part(lower(u.word), ':', 1) IN ('room', 'equipment', 'staff') AND strpos(u.word, ':') > 0 THEN split_part(lower(u.word), ':', 1) END AS kind
              FROM unnest(p_names) WITH ORDINALITY u(word, place)) w
        LEFT JOIN radscheduler.resource_alias a ON a.site_id = p_site AND a.alias = upper(btrim(CASE WHEN w.kind IS NULL THEN w.word ELSE substr(w.word, length(w.kind) + 2) END))
                                                AND (w.kind IS NULL OR a.kind::text = w.kind)
        LEFT JOIN radscheduler.resource r ON r.site_id = a.site_id AND r.resource_id = a.resource_id
        ORDER BY w.place
    LOOP
        IF v_row.resource_id IS NULL THEN
            RAISE EXCEPTION 'resource "%" is not known at this site', v_row.word
                USING ERRCODE = 'invalid_parameter_value', HINT = 'radscheduler.resource_alias lists the names that are; radscheduler.add_resource() records one.';
        ELSIF v_row.place = v_place AND v_row.resource_id <> ids[cardinality(ids)] THEN
            RAISE EXCEPTION 'resource "%" is the name of several at this site', v_row.word
                USING ERRCODE = 'invalid_parameter_value', HINT = 'Say which is meant by its kind: room:NAME, equipment:NAME or staff:NAME.';
        ELSIF NOT v_row.is_active THEN
            RAISE EXCEPTION 'resource "%" is out of use', v_row.word
                USING ERRCODE = 'invalid_parameter_value', HINT = 'Choose another; radscheduler.resource.is_active says which are in use.';
        END IF;
        CONTINUE WHEN v_row.resource_id = ANY (ids);
        v_place := v_row.place;
        ids := ids || v_row.resource_id;
        IF v_row.kind <> 'staff' THEN
            has_place := true;
            modality := coalesce(CASE WHEN v_row.kind = 'equipment' THEN v_row.modality END, modality, v_row.modality);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.read_resources(integer, text[]) IS
    'The resources that names mean (any of their names; kind:name where rooms, scanners and staff share one), each once, the modality of their scanner, else of their room, and whether there is one of those. Raises 22023 for a name that means none, several, or one that is out of use.';

CREATE FUNCTION radscheduler.read_wish(p_site integer, p_starts timestamptz, p_modality text, p_procedure text, p_minutes integer, p_resources text[], p_study text, p_urgency text)
    RETURNS radscheduler.booking_wish
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_exam    record;
    v_places  record;
    v_minutes integer := p_minutes;
    r         radscheduler.booking_wish;
BEGIN
    IF p_starts IS NULL THEN
        RAISE EXCEPTION 'a booking needs starts_at' USING ERRCODE = 'not_null_violation', HINT = 'radscheduler.find_slots() lists free times.';
    ELSIF p_starts NOT BETWEEN '1900-01-01Z' AND '2200-01-01Z' THEN
        RAISE EXCEPTION 'starts_at lies outside the years 1900 to 2199' USING ERRCODE = 'datetime_field_overflow', HINT = 'Give the date and time of the exam.';
    ELSIF v_minutes NOT BETWEEN 1 AND 1440 THEN
        RAISE EXCEPTION 'a duration of % minutes is not possible', v_minutes USING ERRCODE = 'invalid_parameter_value', HINT = 'Give 1 to 1440 minutes.';
    END IF;
    r.site_id := p_site;
    r.starts_at := p_starts;
    IF nullif(btrim(p_procedure), '') IS NOT NULL THEN
        SELECT p.code, p.modality, p.minutes, p.name INTO v_exam FROM radscheduler.procedure p WHERE p.site_id = p_site AND p.code = p_procedure;
        IF NOT FOUND THEN
            SELECT p.code, p.modality, p.minutes, p.name INTO v_exam FROM radscheduler.procedure p
                WHERE p.site_id = p_site AND p.code = coalesce((radscheduler.procedure_of(p_site, p_procedure, NULL)).code,
                    (SELECT min(q.code) FROM radscheduler.procedure q WHERE q.site_id = p_site AND upper(q.name) = upper(btrim(p_procedure))));
        END IF;
        IF v_exam.code IS NULL THEN
            RAISE EXCEPTION 'procedure "%" is not known at this site', left(p_procedure, 100) USING ERRCODE = 'invalid_parameter_value',
                HINT = 'radscheduler.procedure and procedure_alias list the codes that are; radscheduler.add_procedure() records one. Without procedure, give modality and study_type.';
        END IF;
        r.study_code := v_exam.code;
        r.study_text := v_exam.name;
        r.modality := v_exam.modality;
        v_minutes := coalesce(v_minutes, v_exam.minutes);
    END IF;
    r.study_text := coalesce(nullif(btrim(p_study), ''), r.study_text);
    v_places := radscheduler.read_resources(p_site, p_resources);
    r.resource_ids := v_places.ids;
    r.is_pooled := NOT v_places.has_place;
    IF p_modality IS NOT NULL THEN
        r.modality := radscheduler.modality_code(p_site, p_modality);
        IF r.modality IS NULL THEN
            RAISE EXCEPTION 'modality "%" is not known at this site', left(p_modality, 100)
                USING ERRCODE = 'invalid_parameter_value', HINT = 'radscheduler.modality_alias lists the words that are, for example MRI, CT, XRAY, US.';
        END IF;
    END IF;
    r.modality := coalesce(r.modality, v_places.modality);
    IF r.modality IS NULL THEN
        RAISE EXCEPTION 'nothing tells what kind of exam this is' USING ERRCODE = 'invalid_parameter_value', HINT = 'Give modality, procedure, or a scanner among resources.';
    END IF;
    IF v_minutes IS NULL THEN
        v_minutes := coalesce((SELECT m.default_minutes FROM radscheduler.modality m WHERE m.site_id = p_site AND m.code = r.modality), 30);
    END IF;
    r.ends_at := p_starts + make_interval(mins => v_minutes);
    IF lower(p_urgency) NOT IN ('routine', 'urgent', 'stat', 'emergency') THEN
        RAISE EXCEPTION 'urgency "%" is not known', left(p_urgency, 100) USING ERRCODE = 'invalid_parameter_value', HINT = 'Use routine, urgent or stat (emergency).';
    END IF;
    r.urgency := CASE WHEN p_urgency IS NULL THEN 'routine' ELSE radscheduler.urgency_of(p_urgency) END;
    RETURN r;
END
$$;
COMMENT ON FUNCTION radscheduler.read_wish(integer, timestamptz, text, text, integer, text[], text, text) IS
    'What is asked for as stored values: the exam by code, alias or name, modality and minutes given, else the exam''s, else its scanner''s and modality''s. Raises 22023, 23502 or 22008 with a sentence for what cannot be. The patient is the caller''s to add.';

CREATE FUNCTION radscheduler.check_booking_texts(p_patient text, p_name text, p_phone text, p_study text, p_physician text, p_notes text, p_reason text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF length(p_patient) > 250 OR length(p_name) > 500 OR length(p_phone) > 100 OR length(p_study) > 1000 OR length(p_physician) > 500 OR length(p_notes) > 20000
       OR length(p_reason) > 1000 THEN
        RAISE EXCEPTION 'a text is too long to be meant' USING ERRCODE = 'string_data_right_truncation',
            HINT = 'patient_id has at most 250 characters, patient_name and referring_physician 500, patient_phone 100, study_type and reasons 1000, notes 20000.';
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.check_booking_texts(text, text, text, text, text, text, text) IS 'Raises 22001 for a text that is too long to be meant; the error does not repeat it.';

CREATE FUNCTION radscheduler.act_for(p_actor text) RETURNS text
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_before text := current_setting('radscheduler.actor', true);
BEGIN
    IF nullif(btrim(p_actor), '') IS NOT NULL THEN
        PERFORM set_config('radscheduler.actor', btrim(p_actor), true);
    END IF;
    RETURN coalesce(v_before, '');
END
$$;
COMMENT ON FUNCTION radscheduler.act_for(text) IS
    'Has the rest of the transaction be told in history and audit as done for this person; returns for whom it was before, to be set back. Nothing is changed for NULL.';
