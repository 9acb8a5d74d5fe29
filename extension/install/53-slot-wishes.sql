-- What a caller of find_slots() wishes beyond the window, as one JSON object (constraints), read into a slot_search. A key or value that is not
-- understood is refused: a wish that is passed over in silence would be offered as fulfilled.

CREATE FUNCTION radscheduler.wish_fault(p_key text, p_text text, p_hint text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RAISE EXCEPTION 'constraints: "%" %', left(p_key, 60), p_text USING ERRCODE = 'invalid_parameter_value', HINT = p_hint;
END
$$;
COMMENT ON FUNCTION radscheduler.wish_fault(text, text, text) IS 'Raises 22023 for a key of constraints: which, what is wrong with it, and what to write.';

CREATE FUNCTION radscheduler.wish_words(p_key text, p_value jsonb) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_list jsonb := CASE jsonb_typeof(p_value) WHEN 'array' THEN p_value ELSE jsonb_build_array(p_value) END;
BEGIN
    IF v_list = '[]' OR EXISTS (SELECT FROM jsonb_array_elements(v_list) e WHERE jsonb_typeof(e) NOT IN ('string', 'number') OR btrim(e #>> '{}') = '') THEN
        PERFORM radscheduler.wish_fault(p_key, 'needs a word or a list of words', format('Write {"%s": "…"} or {"%s": ["…", "…"]}.', p_key, p_key));
    END IF;
    RETURN ARRAY(SELECT btrim(e #>> '{}') FROM jsonb_array_elements(v_list) WITH ORDINALITY u(e, n) ORDER BY n);
END
$$;
COMMENT ON FUNCTION radscheduler.wish_words(text, jsonb) IS 'A word or list of words of constraints as an array.';

CREATE FUNCTION radscheduler.wish_time(p_key text, p_value jsonb, p_zone text) RETURNS timestamptz
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_text text := p_value #>> '{}';
BEGIN
    IF jsonb_typeof(p_value) = 'string' AND v_text ~ '^\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d+)?)?\s?(Z|[+-]\d{2}(:?\d{2})?)?)?$' THEN
        RETURN CASE WHEN v_text ~ ':\d{2}(\.\d+)?\s?(Z|[+-]\d{2}(:?\d{2})?)$' THEN v_text::timestamptz ELSE timezone(p_zone, v_text::timestamp) END;
    END IF;
    PERFORM radscheduler.wish_fault(p_key, 'is no time', 'Write "2031-03-14T09:00" in the site''s wall time, or with a zone as "2031-03-14T09:00-04:00".');
END
$$;
COMMENT ON FUNCTION radscheduler.wish_time(text, jsonb, text) IS 'A time of constraints: in the site''s wall time unless it says its offset.';

CREATE FUNCTION radscheduler.wish_clock(p_key text, p_value jsonb) RETURNS time
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF jsonb_typeof(p_value) = 'string' AND p_value #>> '{}' ~ '^(([01]?\d|2[0-3]):[0-5]\d|24:00)$' THEN
        RETURN (p_value #>> '{}')::time;
    END IF;
    PERFORM radscheduler.wish_fault(p_key, 'is no time of day', 'Write "07:30"; "24:00" is midnight.');
END
$$;
COMMENT ON FUNCTION radscheduler.wish_clock(text, jsonb) IS 'A time of day of constraints.';

CREATE FUNCTION radscheduler.wish_days(p_value jsonb) RETURNS integer[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_names CONSTANT text[] := '{monday,tuesday,wednesday,thursday,friday,saturday,sunday}';
    v_word  text;
    v_day   integer;
    v_days  integer[] := '{}';
BEGIN
    FOREACH v_word IN ARRAY radscheduler.wish_words('weekdays', p_value) LOOP
        v_day := CASE WHEN v_word ~ '^[1-7]$' THEN v_word::integer
                      WHEN length(v_word) >= 3 THEN (SELECT n FROM unnest(c_names) WITH ORDINALITY u(name, n) WHERE starts_with(name, lower(v_word))) END;
        IF v_day IS NULL THEN
            PERFORM radscheduler.wish_fault('weekdays', format('has "%s", which is no day', left(v_word, 30)), 'Write 1 (Monday) to 7 (Sunday), or "mon", "tuesday" …');
        END IF;
        v_days := v_days || v_day;
    END LOOP;
    RETURN v_days;
END
$$;
COMMENT ON FUNCTION radscheduler.wish_days(jsonb) IS 'Weekdays of constraints, by ISO number or English name, as numbers.';

CREATE FUNCTION radscheduler.wish_people(p_search radscheduler.slot_search, p_modality text, p_words text[], p_without bigint[]) RETURNS radscheduler.slot_search
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_search radscheduler.slot_search := p_search;
    v_named  bigint[] := '{}';
    v_more   bigint[];
    v_word   text;
BEGIN
    -- Names first: who is asked for by name takes no other place.
    FOR v_word IN SELECT w FROM unnest(p_words) WITH ORDINALITY u(w, n)
                  ORDER BY EXISTS (SELECT FROM radscheduler.resource r WHERE r.site_id = p_search.site_id AND r.kind = 'staff' AND r.role = upper(w)), n LOOP
        v_more := ARRAY(SELECT DISTINCT a.resource_id FROM radscheduler.resource_alias a JOIN radscheduler.resource r ON r.site_id = a.site_id AND r.resource_id = a.resource_id
                        WHERE a.site_id = p_search.site_id AND a.kind = 'staff' AND a.alias = upper(v_word) AND r.is_active AND r.resource_id <> ALL (p_without));
        IF v_more = '{}' THEN
            v_more := ARRAY(SELECT r.resource_id FROM radscheduler.resource r
                            WHERE r.site_id = p_search.site_id AND r.kind = 'staff' AND r.is_active AND r.is_registered AND r.role = upper(v_word) AND r.resource_id <> ALL (v_named || p_without)
                              AND (r.modality IS NULL AND r.modalities = '{}' OR p_modality IS NULL OR r.modality = p_modality OR p_modality = ANY (r.modalities)));
        ELSE
            v_named := v_named || v_more;
        END IF;
        IF v_more = '{}' THEN
            RAISE EXCEPTION 'nobody at this site is "%"', left(v_word, 100)
                USING ERRCODE = 'invalid_parameter_value', HINT = 'Give a role or a name of registered staff who can do the modality: radscheduler.resource, kind staff.';
        ELSIF v_more && v_search.people THEN
            RAISE EXCEPTION '"%" is asked for twice', left(v_word, 100) USING ERRCODE = 'invalid_parameter_value', HINT = 'Name each role and each person once.';
        END IF;
        v_search.people := v_search.people || v_more;
        v_search.places := v_search.places || array_fill(coalesce((SELECT max(p) FROM unnest(v_search.places) p), 0) + 1, ARRAY[cardinality(v_more)]);
    END LOOP;
    RETURN v_search;
END
$$;
COMMENT ON FUNCTION radscheduler.wish_people(radscheduler.slot_search, text, text[], bigint[]) IS
    'A search with the people who can take the places that roles and names ask for; p_without can take none.';

CREATE FUNCTION radscheduler.read_slot_wishes(p_search radscheduler.slot_search, p_modality text, p_wishes jsonb) RETURNS radscheduler.slot_search
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_keys   CONSTANT text[] := '{campus,day_parts,exclude,from,include,min_notice_minutes,order,patient_class,prefer,same_resource,same_staff,staff,technologist,to,urgency,wanted,weekdays}';
    v_search radscheduler.slot_search := p_search;
    v_site   CONSTANT integer := p_search.site_id;
    v_key    text;
    v_value  jsonb;
    v_ids    bigint[];
    v_words  text[] := '{}';
    v_without bigint[] := '{}'; -- exclude
BEGIN
    IF jsonb_typeof(p_wishes) <> 'object' THEN
        RAISE EXCEPTION 'constraints must be a JSON object' USING ERRCODE = 'invalid_parameter_value', HINT = 'Write for example {"day_parts": ["morning"], "weekdays": [1, 2]}.';
    END IF;
    FOR v_key IN SELECT k FROM jsonb_object_keys(p_wishes) k WHERE k <> ALL (c_keys) ORDER BY k LOOP
        PERFORM radscheduler.wish_fault(v_key, 'is not known',
            coalesce('Did you mean "' || radscheduler.nearest_word(v_key, c_keys) || '"? ', '') || 'Known are ' || array_to_string(c_keys, ', ') || '.');
    END LOOP;
    -- People before wishes about them.
    IF coalesce(p_wishes -> 'technologist', 'null') NOT IN ('null', 'false') THEN
        v_words := CASE WHEN p_wishes -> 'technologist' = 'true' THEN '{TECHNOLOGIST}'
                        ELSE radscheduler.wish_words('technologist', p_wishes -> 'technologist') END;
    END IF;
    IF coalesce(p_wishes -> 'staff', 'null') <> 'null' THEN
        v_words := v_words || radscheduler.wish_words('staff', p_wishes -> 'staff');
    END IF;
    IF coalesce(p_wishes -> 'exclude', 'null') <> 'null' THEN
        v_without := (radscheduler.read_resources(v_site, radscheduler.wish_words('exclude', p_wishes -> 'exclude'))).ids;
    END IF;
    v_search := radscheduler.wish_people(v_search, p_modality, v_words, v_without);
    FOR v_key, v_value IN SELECT key, value FROM jsonb_each(p_wishes) WHERE value <> 'null' AND key <> 'order' ORDER BY key LOOP
        CASE v_key
        WHEN 'weekdays' THEN v_search.weekdays := radscheduler.wish_days(v_value);
        WHEN 'from' THEN v_search.opens := radscheduler.wish_clock(v_key, v_value);
        WHEN 'to' THEN v_search.closes := radscheduler.wish_clock(v_key, v_value);
        WHEN 'wanted' THEN
            v_search.wanted := radscheduler.wish_time(v_key, v_value, radscheduler.site_zone(v_site));
            v_search.is_best := true;
        WHEN 'day_parts' THEN
            v_words := radscheduler.wish_words(v_key, v_value);
            IF NOT v_words <@ '{morning,afternoon,evening,night}' THEN
                PERFORM radscheduler.wish_fault(v_key, 'has a part that is not known', 'Write morning (5 to 12), afternoon (12 to 17), evening (17 to 22), night (22 to 5).');
            END IF;
            SELECT array_agg(t.f), array_agg(t.t) INTO v_search.from_times, v_search.to_times
                FROM (VALUES ('morning', time '05:00', time '12:00'), ('afternoon', '12:00', '17:00'), ('evening', '17:00', '22:00'), ('night', '22:00', '24:00'), ('night', '00:00', '05:00')) t(name, f, t)
                WHERE t.name = ANY (v_words);
        WHEN 'min_notice_minutes' THEN
            IF jsonb_typeof(v_value) <> 'number' OR (v_value #>> '{}')::numeric NOT BETWEEN 0 AND 525600 THEN
                PERFORM radscheduler.wish_fault(v_key, 'needs a number of minutes', 'Write 0 to 525600, for example 1440 for a day.');
            END IF;
            v_search.earliest := greatest(v_search.earliest, now() + (v_value #>> '{}')::numeric::integer * interval '1 minute');
        WHEN 'urgency' THEN
            IF jsonb_typeof(v_value) <> 'string' OR lower(v_value #>> '{}') NOT IN ('routine', 'urgent', 'stat', 'emergency') THEN
                PERFORM radscheduler.wish_fault(v_key, 'is not known', 'Use routine, urgent or stat (emergency).');
            END IF;
            v_search.urgency := radscheduler.urgency_of(v_value #>> '{}');
        WHEN 'patient_class' THEN
            IF jsonb_typeof(v_value) <> 'string' OR v_value = '""' THEN
                PERFORM radscheduler.wish_fault(v_key, 'needs a word', 'Write what PV1-2 would say, for example {"patient_class": "E"} for emergency.');
            END IF;
            v_search.exam.patient_class := upper(v_value #>> '{}');
        WHEN 'campus' THEN
            v_words := radscheduler.wish_words(v_key, v_value);
            v_search.resources := ARRAY(SELECT r.resource_id FROM radscheduler.resource r
                WHERE r.site_id = v_site AND r.resource_id = ANY (v_search.resources) AND upper(r.campus) IN (SELECT upper(w) FROM unnest(v_words) w));
        WHEN 'include' THEN
            v_ids := (radscheduler.read_resources(v_site, radscheduler.wish_words(v_key, v_value))).ids;
            v_search.resources := ARRAY(SELECT u FROM unnest(v_search.resources) u WHERE u = ANY (v_ids));
        WHEN 'exclude' THEN
            v_search.resources := ARRAY(SELECT u FROM unnest(v_search.resources) u WHERE u <> ALL (v_without));
        WHEN 'prefer' THEN
            v_ids := (radscheduler.read_resources(v_site, radscheduler.wish_words(v_key, v_value))).ids;
            IF EXISTS (SELECT FROM unnest(v_ids) u JOIN radscheduler.resource r ON r.site_id = v_site AND r.resource_id = u AND r.kind = 'staff'
                       WHERE u = ANY (v_search.people) IS NOT TRUE) THEN
                PERFORM radscheduler.wish_fault(v_key, 'names somebody who is not asked for', 'Ask for the role with "technologist": true or "staff": ["ROLE"].');
            END IF;
            v_search.prefer := v_search.prefer || v_ids;
            v_search.is_best := true;
        WHEN 'same_resource', 'same_staff' THEN
            CONTINUE WHEN v_value = 'false';
            IF v_value <> 'true' OR p_search.without IS NULL THEN
                PERFORM radscheduler.wish_fault(v_key, 'needs an appointment that is moved', 'Write true, and give the appointment as without; "prefer" takes names.');
            END IF;
            v_search.prefer := v_search.prefer || ARRAY(
                SELECT r.resource_id FROM radscheduler.appointment_resource ar JOIN radscheduler.resource r ON r.site_id = ar.site_id AND r.resource_id = ar.resource_id
                WHERE ar.site_id = v_site AND ar.appointment_id = p_search.without AND ar.status IS NULL AND (r.kind = 'staff') = (v_key = 'same_staff'));
            v_search.is_best := true;
        ELSE NULL; -- technologist and staff, read above
        END CASE;
    END LOOP;
    IF v_search.closes <= v_search.opens THEN
        PERFORM radscheduler.wish_fault('to', 'is not after "from"', 'The whole exam lies between the two, on one day; "day_parts": ["night"] goes over midnight.');
    ELSIF v_search.resources = '{}' THEN
        RAISE EXCEPTION 'constraints leave no scanner or room to search' USING ERRCODE = 'invalid_parameter_value', HINT = 'Look at campus, include and exclude; radscheduler.resource says what there is.';
    END IF;
    -- Who cannot wait takes the first there is, unless he says otherwise.
    IF v_search.urgency <> 'routine' THEN
        v_search.is_best := false;
    END IF;
    IF coalesce(p_wishes -> 'order', 'null') <> 'null' THEN
        IF p_wishes -> 'order' NOT IN ('"earliest"', '"best"') THEN
            PERFORM radscheduler.wish_fault('order', 'is not known', 'Write "earliest" or "best".');
        END IF;
        v_search.is_best := p_wishes -> 'order' = '"best"';
    END IF;
    RETURN v_search;
END
$$;
COMMENT ON FUNCTION radscheduler.read_slot_wishes(radscheduler.slot_search, text, jsonb) IS
    'A search with what constraints says: day_parts, weekdays, from, to; technologist, staff; wanted, prefer, same_resource, same_staff, order; include, exclude, campus; min_notice_minutes; urgency, patient_class. Raises 22023 for what is not understood.';
