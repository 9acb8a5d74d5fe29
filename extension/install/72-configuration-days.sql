-- Holidays, exceptions and kept hours in a configuration document: how each is written, and how an import replaces them. Days that are over are
-- history, as blocks that have ended: not exported, not touched, not taken in.

CREATE FUNCTION radscheduler.configuration_clock(p_time time) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN pg_catalog.regexp_replace(p_time::text, '^(.....):00$', '\1');
COMMENT ON FUNCTION radscheduler.configuration_clock(time) IS 'A time of day as a configuration document writes it, without seconds where there are none.';

CREATE FUNCTION radscheduler.configuration_day_entry(p_day date, p_name text, p_opens time[], p_closes time[]) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN jsonb_strip_nulls(jsonb_build_object('day', to_jsonb(p_day), 'name', p_name,
        'hours', (SELECT coalesce(jsonb_agg(jsonb_build_object('opens', radscheduler.configuration_clock(u.opens), 'closes', radscheduler.configuration_clock(u.closes)) ORDER BY u.opens, u.closes), '[]')
                  FROM unnest(p_opens, p_closes) u(opens, closes))));
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_day_entry(date, text, time[], time[]) IS 'A day that is otherwise as a configuration document writes it: {day, name, hours: [{opens, closes}]}; no hours: closed.';

CREATE FUNCTION radscheduler.configuration_days(p_site integer, p_resource bigint, OUT day_id bigint, OUT entry jsonb) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 10 SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN QUERY SELECT c.day_id, radscheduler.configuration_day_entry(c.day, c.name, c.opens, c.closes)
        FROM radscheduler.calendar_day c
        WHERE c.site_id = p_site AND c.resource_id IS NOT DISTINCT FROM p_resource AND c.day >= timezone(radscheduler.site_zone(p_site), now())::date;
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_days(integer, bigint) IS 'Holidays of a site, or exceptions of a resource, from today on, with their ids.';

CREATE FUNCTION radscheduler.configuration_reserved(p_site integer, p_resource bigint, OUT reserved_id bigint, OUT entry jsonb) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 10 SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN QUERY SELECT w.reserved_id, radscheduler.configuration_hours_entry(w.weekday, w.opens, w.closes, w.valid)
            || jsonb_strip_nulls(jsonb_build_object('kind', w.kind, 'name', w.name, 'modality', w.modality, 'release_hours', w.release_hours,
                   'urgencies', nullif(to_jsonb(w.urgencies), '[]'), 'patient_classes', nullif(to_jsonb(w.patient_classes), '[]'), 'procedures', nullif(to_jsonb(w.procedures), '[]')))
        FROM radscheduler.reserved_hours w WHERE w.site_id = p_site AND w.resource_id IS NOT DISTINCT FROM p_resource AND NOT isempty(w.valid);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_reserved(integer, bigint) IS
    'Kept hours of a resource, or of a site''s modalities when the resource is NULL, with their ids: {weekday, opens, closes, valid_from, valid_until, kind, name, modality, urgencies, patient_classes, procedures, release_hours}, what is empty left out.';

CREATE FUNCTION radscheduler.configuration_put_days(p_site integer, p_resource bigint, p_days jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_entries jsonb[];
BEGIN
    v_entries := ARRAY(
        SELECT radscheduler.configuration_day_entry((d ->> 'day')::date, d ->> 'name', ARRAY(SELECT (h ->> 'opens')::time FROM jsonb_array_elements(d -> 'hours') WITH ORDINALITY u(h, n) ORDER BY n),
                   ARRAY(SELECT (h ->> 'closes')::time FROM jsonb_array_elements(d -> 'hours') WITH ORDINALITY u(h, n) ORDER BY n))
        FROM jsonb_array_elements(p_days) d WHERE (d ->> 'day')::date >= timezone(radscheduler.site_zone(p_site), now())::date);
    DELETE FROM radscheduler.calendar_day x USING radscheduler.configuration_days(p_site, p_resource) c WHERE x.site_id = p_site AND x.day_id = c.day_id AND c.entry <> ALL (v_entries);
    INSERT INTO radscheduler.calendar_day (site_id, resource_id, day, name, opens, closes)
        SELECT p_site, p_resource, (e ->> 'day')::date, e ->> 'name', ARRAY(SELECT (h ->> 'opens')::time FROM jsonb_array_elements(e -> 'hours') WITH ORDINALITY u(h, n) ORDER BY n),
               ARRAY(SELECT (h ->> 'closes')::time FROM jsonb_array_elements(e -> 'hours') WITH ORDINALITY u(h, n) ORDER BY n)
        FROM unnest(v_entries) e WHERE e NOT IN (SELECT c.entry FROM radscheduler.configuration_days(p_site, p_resource) c);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_put_days(integer, bigint, jsonb) IS 'Replaces the holidays of a site, or the exceptions of a resource, from today on; rows that stay are not touched.';

CREATE FUNCTION radscheduler.configuration_put_reserved(p_site integer, p_resource bigint, p_reserved jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_old jsonb := (SELECT coalesce(jsonb_object_agg(c.reserved_id, c.entry), '{}') FROM radscheduler.configuration_reserved(p_site, p_resource) c);
BEGIN
    -- All are written, and of what was there already the row that was there stays.
    INSERT INTO radscheduler.reserved_hours (site_id, resource_id, modality, weekday, opens, closes, valid, kind, name, release_hours, urgencies, patient_classes, procedures)
        SELECT DISTINCT p_site, p_resource, r ->> 'modality', (r ->> 'weekday')::smallint, (r ->> 'opens')::time, (r ->> 'closes')::time, daterange((r ->> 'valid_from')::date, (r ->> 'valid_until')::date, '[]'),
               r ->> 'kind', r ->> 'name', (r ->> 'release_hours')::numeric::smallint, coalesce(radscheduler.change_words(s, 'urgencies'), '{}'),
               coalesce(radscheduler.change_words(s, 'patient_classes'), '{}'), coalesce(radscheduler.change_words(s, 'procedures'), '{}')
        FROM jsonb_array_elements(p_reserved) r, LATERAL (SELECT jsonb_strip_nulls(r)) n(s);
    DELETE FROM radscheduler.reserved_hours w USING radscheduler.configuration_reserved(p_site, p_resource) c
        WHERE w.site_id = p_site AND w.reserved_id = c.reserved_id
          AND CASE WHEN v_old ? c.reserved_id::text THEN c.entry NOT IN (SELECT n.entry FROM radscheduler.configuration_reserved(p_site, p_resource) n WHERE NOT v_old ? n.reserved_id::text)
                   ELSE c.entry IN (SELECT o.value FROM jsonb_each(v_old) o) END;
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_put_reserved(integer, bigint, jsonb) IS 'Replaces the kept hours of a resource, or those of a site''s modalities when the resource is NULL; rows that stay are not touched.';

CREATE FUNCTION radscheduler.configuration_sorted(p_entries jsonb[], p_key text) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT coalesce(jsonb_agg(u.e ORDER BY u.e -> p_key, u.e ->> 'opens' COLLATE "C", u.e), '[]') FROM (SELECT DISTINCT e FROM unnest(p_entries) e) u);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_sorted(jsonb[], text) IS 'Entries of a list of a configuration document, each once, by a key and their opening.';
