-- The configuration of sites as one JSON document, for git. Each item is written by one function here, which the import uses too: what an
-- import compares and reports is what an export says. No ids, no session settings and no locale in it: the same rows are the same text.
-- A list that an import replaces as a whole leaves null keys out; an item that an import merges writes them, as a key left out keeps its value.

CREATE FUNCTION radscheduler.configuration_moment(p_at timestamptz) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT CASE WHEN isfinite(p_at) THEN rtrim(rtrim(to_char(timezone('UTC', p_at), 'YYYY-MM-DD"T"HH24:MI:SS.US'), '0'), '.') || 'Z'
                        ELSE p_at::text END);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_moment(timestamptz) IS 'An instant in UTC as a configuration document writes it, such as 2031-11-03T10:00:00Z, or infinity.';

CREATE FUNCTION radscheduler.configuration_hours_entry(p_weekday integer, p_opens time, p_closes time, p_valid daterange) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT jsonb_strip_nulls(jsonb_build_object('weekday', p_weekday,
        'opens', regexp_replace(p_opens::text, '^(.....):00$', '\1'), 'closes', regexp_replace(p_closes::text, '^(.....):00$', '\1'),
        'valid_from', CASE WHEN isfinite(lower(p_valid)) THEN lower(p_valid) END,
        'valid_until', CASE WHEN isfinite(upper(p_valid)) THEN upper(p_valid) - 1 END)));
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_hours_entry(integer, time, time, daterange) IS
    'One row of opening hours as a configuration document writes it: {weekday, opens, closes, valid_from, valid_until}; valid_until is the last day.';

CREATE FUNCTION radscheduler.configuration_block_entry(p_during tstzrange, p_reason text, p_kind text) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT jsonb_strip_nulls(jsonb_build_object('starts_at', radscheduler.configuration_moment(lower(p_during)),
        'ends_at', radscheduler.configuration_moment(upper(p_during)), 'reason', p_reason, 'kind', nullif(p_kind, 'block'))));
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_block_entry(tstzrange, text, text) IS 'One block as a configuration document writes it: {starts_at, ends_at, reason, kind}; kind is left out for block.';

CREATE FUNCTION radscheduler.configuration_hours(p_site integer, p_resource bigint, OUT hours_id bigint, OUT entry jsonb) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 7 SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN QUERY SELECT h.hours_id, radscheduler.configuration_hours_entry(h.weekday, h.opens, h.closes, h.valid)
        FROM radscheduler.resource_hours h
        WHERE h.site_id = p_site AND (h.resource_id = p_resource OR h.resource_id IS NULL AND p_resource IS NULL) AND NOT isempty(h.valid);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_hours(integer, bigint) IS 'Opening hours of a resource, or of the site itself when the resource is NULL, with their ids. Rows that hold on no day are left out.';

CREATE FUNCTION radscheduler.configuration_blocks(p_site integer, p_resource bigint, OUT block_id bigint, OUT entry jsonb) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 5 SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN QUERY SELECT b.block_id, radscheduler.configuration_block_entry(b.during, b.reason, b.kind)
        FROM radscheduler.resource_block b WHERE b.site_id = p_site AND b.resource_id = p_resource AND upper(b.during) > now() AND b.sender_block_id IS NULL;
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_blocks(integer, bigint) IS 'Blocks of a resource that have not ended, with their ids. Those that a sender told of (S23) are its records, no configuration.';

CREATE FUNCTION radscheduler.configuration_rule(p_code text, p_severity text, p_if_unknown text, p_parameters jsonb) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- null is a value of some parameters, so it is not stripped.
    RETURN jsonb_strip_nulls(jsonb_build_object('code', p_code, 'severity', p_severity, 'if_unknown', p_if_unknown))
        || CASE WHEN p_parameters <> '{}' THEN jsonb_build_object('parameters', p_parameters) ELSE '{}' END;
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_rule(text, text, text, jsonb) IS 'A row of rule_setting as a configuration document writes it: {code, severity, if_unknown, parameters}.';

CREATE FUNCTION radscheduler.configuration_site(p_site integer) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT jsonb_build_object('code', s.code, 'name', s.name, 'timezone', s.timezone, 'phone_region', s.phone_region, 'slot_minutes', s.slot_minutes,
        'unknown_senders', s.unknown_senders, 'default_profile', s.default_profile, 'travel_minutes', s.travel_minutes, 'campus_minutes', s.campus_minutes,
        'clinical_rules', s.clinical_rules,
        'rules', (SELECT coalesce(jsonb_agg(radscheduler.configuration_rule(r.code, r.severity, r.if_unknown, r.parameters) ORDER BY r.code COLLATE "C"), '[]')
                  FROM radscheduler.rule_setting r WHERE r.site_id = p_site),
        'links', (SELECT coalesce(jsonb_agg(to_jsonb(l) - '{site_id,link_id,created_at}'::text[] ORDER BY l.name COLLATE "C"), '[]') FROM radscheduler.link l WHERE l.site_id = p_site),
        'own_rules', (SELECT coalesce(jsonb_agg(jsonb_strip_nulls(to_jsonb(o) - 'site_id') ORDER BY o.code COLLATE "C"), '[]') FROM radscheduler.site_rule o WHERE o.site_id = p_site),
        'hours', (SELECT coalesce(jsonb_agg(h.entry ORDER BY h.entry -> 'weekday', h.entry ->> 'opens' COLLATE "C", h.entry), '[]')
                  FROM (SELECT DISTINCT c.entry FROM radscheduler.configuration_hours(p_site, NULL) c) h),
        'days', radscheduler.configuration_sorted(ARRAY(SELECT d.entry FROM radscheduler.configuration_days(p_site, NULL) d), 'day'),
        'reserved', radscheduler.configuration_sorted(ARRAY(SELECT w.entry FROM radscheduler.configuration_reserved(p_site, NULL) w), 'weekday'))
        FROM radscheduler.site s WHERE s.site_id = p_site);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_site(integer) IS 'A site with its opening hours, holidays, kept hours and its view of rules, without its lists: {code, name, timezone, phone_region, slot_minutes, unknown_senders, default_profile, travel_minutes, campus_minutes, clinical_rules, rules: [{code, severity, if_unknown, parameters}], own_rules, links, hours, days, reserved}.';

CREATE FUNCTION radscheduler.configuration_sender(p_site integer, p_application text, p_facility text) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT jsonb_build_object('sending_application', s.sending_application, 'sending_facility', s.sending_facility,
                                      'profile', s.profile, 'is_registered', s.is_registered)
        FROM radscheduler.sender s WHERE s.site_id = p_site AND s.sending_application = p_application AND s.sending_facility = p_facility);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_sender(integer, text, text) IS 'A sender: {sending_application, sending_facility, profile, is_registered}; NULL when there is none.';

CREATE FUNCTION radscheduler.configuration_modality(p_site integer, p_code text) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT jsonb_build_object('code', m.code, 'label', m.label, 'name', m.name, 'default_minutes', m.default_minutes,
        'aliases', (SELECT coalesce(jsonb_agg(a.alias ORDER BY a.alias COLLATE "C"), '[]') FROM radscheduler.modality_alias a
                    WHERE a.site_id = p_site AND a.code = p_code))
        FROM radscheduler.modality m WHERE m.site_id = p_site AND m.code = p_code);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_modality(integer, text) IS
    'A modality with all words that mean it, its own code among them: {code, label, name, default_minutes, aliases}; NULL when there is none.';

CREATE FUNCTION radscheduler.configuration_procedure(p_site integer, p_code text) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT jsonb_build_object('code', p.code, 'name', p.name, 'modality', p.modality, 'minutes', p.minutes, 'contrast', p.contrast, 'prep', p.prep,
        'aliases', (SELECT coalesce(jsonb_agg(a.alias ORDER BY a.alias COLLATE "C"), '[]') FROM radscheduler.procedure_alias a
                    WHERE a.site_id = p_site AND a.code = p_code))
        FROM radscheduler.procedure p WHERE p.site_id = p_site AND p.code = p_code);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_procedure(integer, text) IS 'A procedure with the other codes that mean it: {code, name, modality, minutes, contrast, prep, aliases}; NULL when there is none.';

CREATE FUNCTION radscheduler.configuration_resource(p_site integer, p_resource bigint) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT jsonb_build_object('code', r.code, 'kind', r.kind, 'name', r.name, 'role', r.role, 'modality', r.modality, 'modalities', to_jsonb(r.modalities), 'capacity', r.capacity,
        'location', r.location, 'campus', r.campus, 'weight_limit_kg', r.weight_limit_kg,
        'setup_minutes', r.setup_minutes, 'turnover_minutes', r.turnover_minutes, 'is_active', r.is_active, 'is_registered', r.is_registered,
        'aliases', (SELECT coalesce(jsonb_agg(CASE WHEN a.kind = r.kind THEN to_jsonb(a.alias) ELSE jsonb_build_object('kind', a.kind, 'alias', a.alias) END
                                              ORDER BY a.kind = r.kind DESC, a.kind, a.alias COLLATE "C"), '[]')
                    FROM radscheduler.resource_alias a WHERE a.site_id = p_site AND a.resource_id = p_resource),
        'hours', (SELECT coalesce(jsonb_agg(h.entry ORDER BY h.entry -> 'weekday', h.entry ->> 'opens' COLLATE "C", h.entry), '[]')
                  FROM (SELECT DISTINCT c.entry FROM radscheduler.configuration_hours(p_site, p_resource) c) h),
        'blocks', (SELECT coalesce(jsonb_agg(b.entry ORDER BY b.entry ->> 'starts_at' COLLATE "C", b.entry), '[]')
                   FROM (SELECT DISTINCT c.entry FROM radscheduler.configuration_blocks(p_site, p_resource) c) b),
        'days', radscheduler.configuration_sorted(ARRAY(SELECT d.entry FROM radscheduler.configuration_days(p_site, p_resource) d), 'day'),
        'reserved', radscheduler.configuration_sorted(ARRAY(SELECT w.entry FROM radscheduler.configuration_reserved(p_site, p_resource) w), 'weekday'))
        FROM radscheduler.resource r WHERE r.site_id = p_site AND r.resource_id = p_resource);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_resource(integer, bigint) IS
    'A resource with all its names (its own code among them; {kind, alias} for a name used under another kind), own hours, blocks that have not ended, exceptions and kept hours: {code, kind, name, role, modality, modalities, capacity, location, campus, weight_limit_kg, setup_minutes, turnover_minutes, is_active, is_registered, aliases, hours, blocks, days, reserved}; NULL when there is none.';

CREATE FUNCTION radscheduler.configuration_export() RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
DECLARE
    v_visible integer[] := radscheduler.visible_sites();
    v_site    record;
    v_entry   jsonb;
    v_sites   jsonb := '[]';
BEGIN
    FOR v_site IN SELECT s.site_id, s.code FROM radscheduler.site s WHERE s.site_id = ANY (v_visible) ORDER BY s.code COLLATE "C" LOOP
        IF EXISTS (SELECT FROM radscheduler.resource r WHERE r.site_id = v_site.site_id GROUP BY r.kind, r.code HAVING count(*) > 1) THEN
            RAISE EXCEPTION 'site "%" has two resources of the same kind and code, which a document could not tell apart', v_site.code
                USING ERRCODE = 'object_not_in_prerequisite_state',
                      HINT = 'SELECT site_id, kind, code FROM radscheduler.resource GROUP BY 1, 2, 3 HAVING count(*) > 1; give one of them another code.';
        END IF;
        -- The own code of a modality or resource is one of its names without being listed; a procedure is found by its code anyway. Sections of later tables join here.
        v_entry := radscheduler.configuration_site(v_site.site_id) || jsonb_build_object(
            'senders', (SELECT coalesce(jsonb_agg(radscheduler.configuration_sender(s.site_id, s.sending_application, s.sending_facility)
                                                  ORDER BY s.sending_application COLLATE "C", s.sending_facility COLLATE "C"), '[]')
                        FROM radscheduler.sender s WHERE s.site_id = v_site.site_id),
            'modalities', (SELECT coalesce(jsonb_agg(jsonb_set(c.item, '{aliases}', (c.item -> 'aliases') - upper(m.code)) ORDER BY m.code COLLATE "C"), '[]')
                           FROM radscheduler.modality m, LATERAL radscheduler.configuration_modality(m.site_id, m.code) c(item) WHERE m.site_id = v_site.site_id),
            'procedures', (SELECT coalesce(jsonb_agg(radscheduler.configuration_procedure(p.site_id, p.code) ORDER BY p.code COLLATE "C"), '[]')
                           FROM radscheduler.procedure p WHERE p.site_id = v_site.site_id),
            'resources', (SELECT coalesce(jsonb_agg(jsonb_set(c.item, '{aliases}', (c.item -> 'aliases') - upper(r.code)) ORDER BY r.kind, r.code COLLATE "C"), '[]')
                          FROM radscheduler.resource r, LATERAL radscheduler.configuration_resource(r.site_id, r.resource_id) c(item)
                          WHERE r.site_id = v_site.site_id));
        v_sites := v_sites || jsonb_build_array(v_entry);
        PERFORM radscheduler.audit(v_site.site_id, 'configuration.export', 'site', v_site.site_id,
            (SELECT jsonb_object_agg(l.name, jsonb_array_length(v_entry -> l.name)) FROM unnest(ARRAY['senders', 'modalities', 'procedures', 'resources']) l(name)));
    END LOOP;
    RETURN jsonb_build_object('format', 'radscheduler.configuration', 'version', 1,
                              'exported_at', radscheduler.configuration_moment(date_trunc('second', now())), 'sites', v_sites);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_export() IS
    'The configuration of the sites the caller may use as one document for configuration_import(): {format: radscheduler.configuration, version: 1, exported_at (UTC), sites: [{code, name, timezone, phone_region, slot_minutes, unknown_senders, default_profile, travel_minutes, campus_minutes, clinical_rules, rules, own_rules, links, hours, days, reserved, senders, modalities, procedures, resources}]}. Hours are wall-clock time of the site, valid_until is the last day; blocks are in UTC, only those that have not ended; days from today on. The own code of a modality or resource is one of its aliases without being listed. Everything is sorted: the same configuration is the same text but for exported_at. Writes one audit event per site. Raises 55000 when a site has two resources of the same kind and code.';
