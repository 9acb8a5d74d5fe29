-- What single values of a reading mean for an appointment: its key, its exam text, its status.

CREATE FUNCTION radscheduler.appointment_key(p_schedule jsonb, p_kind text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN p_schedule ->> (p_kind || '_id') || coalesce('^' || nullif(p_schedule ->> (p_kind || '_namespace'), ''), '')
           || CASE WHEN p_schedule ? 'occurrence' AND (p_schedule ? 'parent_filler_id' OR p_schedule ? 'parent_placer_id') THEN '#' || (p_schedule ->> 'occurrence') ELSE '' END;
END
$$;
COMMENT ON FUNCTION radscheduler.appointment_key(jsonb, text) IS
    'A sender''s key of an appointment, kind filler or placer: SCH-2.1 or SCH-1.1, namespace after a caret, and in a series (SCH-23, SCH-24) the occurrence number (SCH-3) after a #.';

CREATE FUNCTION radscheduler.study_of(p_reading jsonb, p_old_code text, p_old_text text, OUT code text, OUT text text) RETURNS record
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_services jsonb := radscheduler.live_services(p_reading -> 'services');
    v_service  jsonb;
    v_code     text;
    v_text     text;
BEGIN
    FOR n IN 0 .. coalesce(jsonb_array_length(v_services), 0) - 1 LOOP
        v_service := v_services -> n;
        v_code := coalesce(v_service ->> 'code', v_service ->> 'alt_code');
        v_text := coalesce(v_service ->> 'text', v_service ->> 'alt_text', v_code);
        CONTINUE WHEN v_text IS NULL;
        IF study_of.text IS NULL THEN
            study_of.code := v_code;
            study_of.text := v_text;
        ELSE
            study_of.text := study_of.text || ' + ' || v_text;
        END IF;
    END LOOP;
    IF study_of.text IS NULL THEN
        study_of.code := coalesce(p_old_code, CASE WHEN p_old_text IS NULL THEN p_reading #>> '{schedule,reason,code}' END);
        study_of.text := coalesce(p_old_text, p_reading #>> '{schedule,reason,text}', p_reading #>> '{schedule,reason,code}', p_reading #>> '{schedule,type,text}');
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.study_of(jsonb, text, text) IS
    'Exam of a reading: the code of its first service and the texts of all joined with " + ", those that are taken out apart (live_services()); else what was there before, else reason (SCH-7) or type (SCH-8).';

CREATE FUNCTION radscheduler.status_sent(p_words jsonb, OUT status radscheduler.appointment_status, OUT is_overbook boolean) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_word  text;
    v_means radscheduler.appointment_status;
BEGIN
    FOR n IN 0 .. coalesce(jsonb_array_length(p_words), 0) - 1 LOOP
        v_word := regexp_replace(upper(p_words ->> n), '[^A-Z0-9]', '', 'g');
        SELECT s.status INTO v_means FROM radscheduler.status_alias s WHERE s.alias = v_word;
        status := coalesce(status, v_means);
        IF v_means IS NOT NULL THEN
            is_overbook := coalesce(is_overbook, false) OR v_word = 'OVERBOOK';
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.status_sent(jsonb) IS
    'What the status words of a message mean: the first that status_alias knows, and whether any says Overbook. NULL when none is known.';
