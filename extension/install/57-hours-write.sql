-- One change to when a site is open, written and not settled: what the functions for people (57-hours-change.sql) apply and preview_hours() takes back.
-- A change is a JSON object: "change" says which, the other keys are the arguments of the function of that name. Nothing here asks who is booked.

CREATE FUNCTION radscheduler.hours_arguments(p_change text, OUT argument text, OUT kind text, OUT is_needed boolean) RETURNS SETOF record
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE ROWS 8 SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN QUERY SELECT a.argument, a.kind, a.is_needed FROM (VALUES
        ('set_holiday', 'day'::text, 'date'::text, true), ('set_holiday', 'name', 'sentence', false), ('set_holiday', 'opens', 'list:time', false), ('set_holiday', 'closes', 'list:time', false),
        ('remove_holiday', 'day', 'date', true),
        ('set_exception', 'resource', 'code', true), ('set_exception', 'day', 'date', true), ('set_exception', 'name', 'sentence', false),
        ('set_exception', 'opens', 'list:time', false), ('set_exception', 'closes', 'list:time', false),
        ('remove_exception', 'resource', 'code', true), ('remove_exception', 'day', 'date', true),
        ('set_hours', 'weekdays', 'list:integer', true), ('set_hours', 'opens', 'list:time', true), ('set_hours', 'closes', 'list:time', true), ('set_hours', 'resource', 'code', false),
        ('set_hours', 'valid_from', 'date', false), ('set_hours', 'valid_until', 'date', false),
        ('reserve_hours', 'weekdays', 'list:integer', true), ('reserve_hours', 'opens', 'time', true), ('reserve_hours', 'closes', 'time', true), ('reserve_hours', 'kind', 'code', false),
        ('reserve_hours', 'resource', 'code', false), ('reserve_hours', 'modality', 'code', false), ('reserve_hours', 'procedures', 'list:code', false),
        ('reserve_hours', 'urgencies', 'list:code', false), ('reserve_hours', 'patient_classes', 'list:code', false), ('reserve_hours', 'release_hours', 'integer', false),
        ('reserve_hours', 'valid_from', 'date', false), ('reserve_hours', 'valid_until', 'date', false), ('reserve_hours', 'name', 'sentence', false),
        ('unreserve_hours', 'reserved_id', 'integer', true), ('unreserve_hours', 'from_day', 'date', false),
        ('block_resource', 'resource', 'code', true), ('block_resource', 'from_time', 'moment', true), ('block_resource', 'until_time', 'moment', true),
        ('block_resource', 'reason', 'sentence', false), ('block_resource', 'kind', 'block_kind', false)) a(change, argument, kind, is_needed)
        WHERE a.change = p_change;
END
$$;
COMMENT ON FUNCTION radscheduler.hours_arguments(text) IS 'The arguments of a change to hours, their kinds (as configuration_fault() checks them, list: for a list of them), and whether it needs them. No rows: there is no such change.';

CREATE FUNCTION radscheduler.check_hours_change(p_change jsonb) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_all   CONSTANT text[] := '{set_holiday,remove_holiday,set_exception,remove_exception,set_hours,reserve_hours,unreserve_hours,block_resource,configuration_import}';
    c_name  CONSTANT text := CASE WHEN jsonb_typeof(p_change -> 'change') = 'string' THEN p_change ->> 'change' END;
    v_known text[] := ARRAY(SELECT a.argument FROM radscheduler.hours_arguments(c_name) a);
    v_row   record;
    v_fault record;
BEGIN
    IF v_known = '{}' THEN
        RAISE EXCEPTION 'the change % to hours is not known', coalesce(format('"%s"', left(c_name, 60)), 'without a name') USING ERRCODE = 'invalid_parameter_value',
            HINT = format('Write an object whose key "change" is one of %s; its other keys are the arguments of that function.', array_to_string(c_all, ', '));
    END IF;
    FOR v_row IN
        SELECT k.key AS argument, a.kind, a.is_needed, nullif(k.value, 'null') AS value FROM jsonb_each(p_change - 'change') k LEFT JOIN radscheduler.hours_arguments(c_name) a ON a.argument = k.key
        UNION ALL
        SELECT a.argument, a.kind, a.is_needed, NULL FROM radscheduler.hours_arguments(c_name) a WHERE NOT p_change ? a.argument
        ORDER BY argument
    LOOP
        IF v_row.kind IS NULL THEN
            RAISE EXCEPTION '%: "%" is not an argument', c_name, left(v_row.argument, 60) USING ERRCODE = 'invalid_parameter_value', HINT = format('Known are %s.', array_to_string(v_known, ', '));
        ELSIF v_row.value IS NULL THEN
            IF v_row.is_needed THEN
                RAISE EXCEPTION '% needs "%"', c_name, v_row.argument USING ERRCODE = 'invalid_parameter_value', HINT = format('Give it; known are %s.', array_to_string(v_known, ', '));
            END IF;
            CONTINUE;
        ELSIF v_row.kind LIKE 'list:%' AND jsonb_typeof(v_row.value) <> 'array' THEN
            RAISE EXCEPTION '%: "%" must be a list', c_name, v_row.argument USING ERRCODE = 'invalid_parameter_value', HINT = 'Write a list in brackets.';
        END IF;
        SELECT f.fault, f.hint INTO v_fault
            FROM jsonb_array_elements(CASE WHEN v_row.kind LIKE 'list:%' THEN v_row.value ELSE jsonb_build_array(v_row.value) END) e(value),
                 LATERAL radscheduler.configuration_fault(regexp_replace(v_row.kind, '^list:', ''), e.value,
                     CASE WHEN v_row.argument = 'weekdays' THEN 1 ELSE 0 END, CASE v_row.argument WHEN 'weekdays' THEN 7 WHEN 'release_hours' THEN 8784 ELSE 2147483647 END) f
            WHERE f.fault IS NOT NULL LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION '%: "%" %', c_name, v_row.argument, v_fault.fault USING ERRCODE = 'invalid_parameter_value', HINT = v_fault.hint;
        END IF;
    END LOOP;
    RETURN jsonb_strip_nulls(p_change);
END
$$;
COMMENT ON FUNCTION radscheduler.check_hours_change(jsonb) IS 'A change to hours without what it leaves out. Raises 22023 with a sentence for a change to hours that is not understood: which change, which argument, and what to write.';

CREATE FUNCTION radscheduler.resource_by_name(p_site integer, p_name text) RETURNS bigint
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_ids bigint[] := ARRAY(SELECT DISTINCT a.resource_id FROM radscheduler.resource_alias a WHERE a.site_id = p_site AND a.alias = upper(p_name));
BEGIN
    IF cardinality(v_ids) <> 1 THEN
        RAISE EXCEPTION 'resource "%" is %', left(p_name, 100), CASE cardinality(v_ids) WHEN 0 THEN 'not known at this site' ELSE 'the name of several at this site' END
            USING ERRCODE = 'invalid_parameter_value', HINT = 'radscheduler.resource_alias lists the names that are known.';
    END IF;
    RETURN v_ids[1];
END
$$;
COMMENT ON FUNCTION radscheduler.resource_by_name(integer, text) IS 'The resource of a site that has a name. Raises 22023 where none or several have.';

CREATE FUNCTION radscheduler.write_calendar_day(p_site integer, p_resource bigint, p_day date, p_change jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_opens  time[] := ARRAY(SELECT t::time FROM jsonb_array_elements_text(p_change -> 'opens') WITH ORDINALITY u(t, n) ORDER BY n);
    v_closes time[] := ARRAY(SELECT t::time FROM jsonb_array_elements_text(p_change -> 'closes') WITH ORDINALITY u(t, n) ORDER BY n);
BEGIN
    IF p_change ->> 'change' LIKE 'remove%' THEN
        DELETE FROM radscheduler.calendar_day c WHERE c.site_id = p_site AND c.day = p_day AND c.resource_id IS NOT DISTINCT FROM p_resource;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'there is no % on %', CASE WHEN p_resource IS NULL THEN 'holiday' ELSE 'exception of this resource' END, to_char(p_day, 'YYYY-MM-DD')
                USING ERRCODE = 'no_data_found', HINT = 'radscheduler.calendar_day lists those that are.';
        END IF;
        RETURN;
    END IF;
    PERFORM radscheduler.require_hours(v_opens, v_closes);
    INSERT INTO radscheduler.calendar_day AS c (site_id, resource_id, day, name, opens, closes) VALUES (p_site, p_resource, p_day, left(p_change ->> 'name', 200), v_opens, v_closes)
        ON CONFLICT ON CONSTRAINT calendar_day_once DO UPDATE SET name = coalesce(excluded.name, c.name), opens = excluded.opens, closes = excluded.closes;
END
$$;
COMMENT ON FUNCTION radscheduler.write_calendar_day(integer, bigint, date, jsonb) IS 'Writes or removes a holiday (no resource) or an exception; a day that is there gets the new hours, and keeps its name where no other is given. Raises P0002 where there is none to remove.';

CREATE FUNCTION radscheduler.require_hours(p_opens time[], p_closes time[]) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF NOT radscheduler.are_hours(p_opens, p_closes) THEN
        RAISE EXCEPTION 'opens and closes do not make hours' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Give as many closing times as opening times, each later than its opening; 24:00 is midnight, no times at all mean closed.';
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.require_hours(time[], time[]) IS 'Raises 22023 where two lists are not opening and closing times side by side.';

CREATE FUNCTION radscheduler.write_weekly_hours(p_site integer, p_resource bigint, p_weekdays integer[], p_valid daterange, p_opens time[], p_closes time[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM radscheduler.require_hours(p_opens, p_closes);
    -- A resource that gets its first own hours has the site's at all other times, as before.
    INSERT INTO radscheduler.resource_hours (site_id, resource_id, weekday, opens, closes, valid)
        SELECT p_site, p_resource, h.weekday, h.opens, h.closes, h.valid
        FROM radscheduler.resource r JOIN radscheduler.resource_hours h ON h.site_id = p_site AND h.resource_id IS NULL
        WHERE r.site_id = p_site AND r.resource_id = p_resource AND r.kind <> 'staff'
          AND NOT EXISTS (SELECT FROM radscheduler.resource_hours o WHERE o.site_id = p_site AND o.resource_id = p_resource);
    WITH gone AS (
        DELETE FROM radscheduler.resource_hours h
        WHERE h.site_id = p_site AND h.resource_id IS NOT DISTINCT FROM p_resource AND h.weekday = ANY (p_weekdays) AND h.valid && p_valid
        RETURNING h.weekday, h.opens, h.closes, h.valid
    )
    INSERT INTO radscheduler.resource_hours (site_id, resource_id, weekday, opens, closes, valid)
        SELECT p_site, p_resource, g.weekday, g.opens, g.closes, v FROM gone g, unnest(datemultirange(g.valid) - datemultirange(p_valid)) v
        UNION ALL
        SELECT p_site, p_resource, d, u.opens, u.closes, p_valid FROM (SELECT DISTINCT unnest(p_weekdays)) w(d), unnest(p_opens, p_closes) u(opens, closes);
END
$$;
COMMENT ON FUNCTION radscheduler.write_weekly_hours(integer, bigint, integer[], daterange, time[], time[]) IS
    'Gives some weekdays other hours for some time: rows that are there end before and begin again after it. A scanner or room that has no hours of its own first gets those of the site.';

CREATE FUNCTION radscheduler.change_words(p_change jsonb, p_key text) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN CASE WHEN p_change ? p_key THEN ARRAY(SELECT w FROM jsonb_array_elements_text(p_change -> p_key) WITH ORDINALITY u(w, n) ORDER BY n) END;
END
$$;
COMMENT ON FUNCTION radscheduler.change_words(jsonb, text) IS 'A list of a change to hours as an array; NULL where the change leaves it out.';

CREATE FUNCTION radscheduler.write_reserved_hours(p_site integer, p_resource bigint, p_modality text, p_valid daterange, p_change jsonb) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_kind       text   := coalesce(p_change ->> 'kind', 'urgent');
    v_urgencies  text[] := radscheduler.change_words(p_change, 'urgencies');
    v_classes    text[] := radscheduler.change_words(p_change, 'patient_classes');
    v_procedures text[] := coalesce(radscheduler.change_words(p_change, 'procedures'), '{}');
    v_is_kept    boolean := v_kind IN ('urgent', 'exams');
    v_ids        bigint[];
BEGIN
    IF num_nonnulls(p_resource, p_modality) <> 1 THEN
        RAISE EXCEPTION 'hours are kept on one resource or on all of a modality that is known'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Give resource or modality; radscheduler.resource_alias and modality_alias list the names.';
    ELSIF v_kind NOT IN ('urgent', 'exams', 'block', 'maintenance', 'downtime') THEN
        RAISE EXCEPTION 'hours of the kind "%" are not known', left(v_kind, 60) USING ERRCODE = 'invalid_parameter_value', HINT = 'Write urgent, exams, block, maintenance or downtime.';
    ELSIF NOT v_urgencies <@ '{routine,urgent,stat}' THEN
        RAISE EXCEPTION 'an urgency is not known' USING ERRCODE = 'invalid_parameter_value', HINT = 'Use routine, urgent and stat.';
    ELSIF v_kind = 'exams' AND v_procedures = '{}' THEN
        RAISE EXCEPTION 'hours for some exams need to know which' USING ERRCODE = 'invalid_parameter_value', HINT = 'Give procedures: codes, or patterns such as %CARDIAC%.';
    ELSIF NOT v_is_kept AND (v_urgencies || v_classes || v_procedures <> '{}' OR p_change ? 'release_hours') THEN
        RAISE EXCEPTION 'time that is out of use is kept for nobody' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Leave out procedures, urgencies, patient_classes and release_hours, or write the kind urgent or exams.';
    END IF;
    PERFORM radscheduler.require_hours(ARRAY[(p_change ->> 'opens')::time], ARRAY[(p_change ->> 'closes')::time]);
    -- Kept for urgent exams and no more said: for urgent ones and for the emergency department.
    IF v_kind = 'urgent' AND coalesce(v_urgencies, '{}') = '{}' AND coalesce(v_classes, '{}') = '{}' THEN
        v_urgencies := '{urgent,stat}';
        v_classes := '{E}';
    END IF;
    WITH made AS (
        INSERT INTO radscheduler.reserved_hours AS w (site_id, resource_id, modality, weekday, opens, closes, valid, kind, name, urgencies, patient_classes, procedures, release_hours)
        SELECT p_site, p_resource, p_modality, u.day, (p_change ->> 'opens')::time, (p_change ->> 'closes')::time, p_valid, v_kind, left(p_change ->> 'name', 200), coalesce(v_urgencies, '{}'),
               ARRAY(SELECT upper(c) FROM unnest(v_classes) c), v_procedures, (p_change ->> 'release_hours')::smallint
        FROM (SELECT DISTINCT d::integer AS day FROM unnest(radscheduler.change_words(p_change, 'weekdays')) d ORDER BY 1) u RETURNING w.reserved_id
    ) SELECT array_agg(m.reserved_id ORDER BY m.reserved_id) INTO v_ids FROM made m;
    RETURN v_ids;
END
$$;
COMMENT ON FUNCTION radscheduler.write_reserved_hours(integer, bigint, text, daterange, jsonb) IS 'Writes the rows of reserve_hours(), one for each weekday, and returns their ids. Raises 22023 with a sentence for what does not fit together.';

CREATE FUNCTION radscheduler.write_hours(p_site integer, p_change jsonb, OUT resources bigint[], OUT modality text, OUT days daterange, OUT weekdays integer[], OUT ids bigint[]) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    c_change   CONSTANT text := p_change ->> 'change';
    c_zone     CONSTANT text := radscheduler.site_zone(p_site);
    v_valid    daterange;
    v_resource bigint := CASE WHEN p_change ? 'resource' THEN radscheduler.resource_by_name(p_site, p_change ->> 'resource') END;
    v_old      radscheduler.reserved_hours;
    v_from     timestamptz := (p_change ->> 'from_time')::timestamptz;
    v_until    timestamptz := (p_change ->> 'until_time')::timestamptz;
BEGIN
    IF (p_change ->> 'valid_until')::date < (p_change ->> 'valid_from')::date THEN
        RAISE EXCEPTION 'the hours would end before they begin' USING ERRCODE = 'invalid_parameter_value', HINT = 'valid_until is the last day, not before valid_from.';
    ELSIF p_change -> 'weekdays' = '[]' THEN
        RAISE EXCEPTION 'no weekday is given' USING ERRCODE = 'invalid_parameter_value', HINT = 'Give weekdays, 1 (Monday) to 7 (Sunday).';
    END IF;
    v_valid := daterange((p_change ->> 'valid_from')::date, (p_change ->> 'valid_until')::date, '[]');
    write_hours.resources := CASE WHEN v_resource IS NOT NULL THEN ARRAY[v_resource] END;
    write_hours.modality := CASE WHEN p_change ? 'modality' THEN radscheduler.modality_code(p_site, p_change ->> 'modality') END;
    write_hours.weekdays := radscheduler.change_words(p_change, 'weekdays')::integer[];
    write_hours.days := v_valid;
    CASE
    WHEN p_change ? 'day' THEN
        PERFORM radscheduler.write_calendar_day(p_site, v_resource, (p_change ->> 'day')::date, p_change);
        write_hours.days := daterange((p_change ->> 'day')::date, (p_change ->> 'day')::date, '[]');
    WHEN c_change = 'set_hours' THEN
        PERFORM radscheduler.write_weekly_hours(p_site, v_resource, write_hours.weekdays, v_valid, radscheduler.change_words(p_change, 'opens')::time[], radscheduler.change_words(p_change, 'closes')::time[]);
    WHEN c_change = 'reserve_hours' THEN
        IF p_change ? 'modality' AND write_hours.modality IS NULL THEN
            RAISE EXCEPTION 'modality "%" is not known at this site', left(p_change ->> 'modality', 100) USING ERRCODE = 'invalid_parameter_value', HINT = 'radscheduler.modality_alias lists the words that are.';
        END IF;
        write_hours.ids := radscheduler.write_reserved_hours(p_site, v_resource, write_hours.modality, v_valid, p_change);
    WHEN c_change = 'unreserve_hours' THEN
        SELECT * INTO v_old FROM radscheduler.reserved_hours w WHERE w.site_id = p_site AND w.reserved_id = (p_change ->> 'reserved_id')::bigint FOR UPDATE;
        IF v_old.reserved_id IS NULL THEN
            RAISE EXCEPTION 'there are no reserved hours % at this site', p_change ->> 'reserved_id' USING ERRCODE = 'no_data_found', HINT = 'radscheduler.reserved_hours lists them.';
        END IF;
        v_valid := CASE WHEN p_change ? 'from_day' THEN v_old.valid * daterange(NULL, (p_change ->> 'from_day')::date) ELSE 'empty' END;
        write_hours.resources := CASE WHEN v_old.resource_id IS NOT NULL THEN ARRAY[v_old.resource_id] END;
        write_hours.modality := v_old.modality;
        write_hours.days := v_old.valid - v_valid;
        write_hours.weekdays := ARRAY[v_old.weekday::integer];
        write_hours.ids := ARRAY[v_old.reserved_id];
        IF isempty(v_valid) THEN
            DELETE FROM radscheduler.reserved_hours w WHERE w.site_id = p_site AND w.reserved_id = v_old.reserved_id;
        ELSE
            UPDATE radscheduler.reserved_hours w SET valid = v_valid WHERE w.site_id = p_site AND w.reserved_id = v_old.reserved_id;
        END IF;
    ELSE
        IF v_until <= v_from OR NOT isfinite(v_from) OR NOT isfinite(v_until) THEN
            RAISE EXCEPTION 'a block lasts from one time until a later one' USING ERRCODE = 'invalid_parameter_value', HINT = 'Give from_time and until_time.';
        END IF;
        INSERT INTO radscheduler.resource_block (site_id, resource_id, during, kind) VALUES (p_site, v_resource, tstzrange(v_from, v_until), coalesce(p_change ->> 'kind', 'block'));
        write_hours.days := daterange(timezone(c_zone, v_from)::date, timezone(c_zone, v_until)::date, '[]');
    END CASE;
END
$$;
COMMENT ON FUNCTION radscheduler.write_hours(integer, jsonb) IS
    'Writes one checked change to hours, settles nothing, and tells what it concerns: resources (NULL: all, or those of the modality), days, weekdays (NULL: every one), and the reserved hours that were made or ended. Raises 22023 and P0002.';
