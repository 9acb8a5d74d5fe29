-- One item of a configuration document, merged into its rows: made when it is not there, then given the keys the document has. A key left out
-- keeps its value; hours and blocks are replaced where the key is there, and rows that stay are not touched. The document has been checked
-- (73-configuration-check.sql); here only what depends on the rows is refused.

CREATE FUNCTION radscheduler.configuration_require(p_item text, p_place text, p_value jsonb) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM radscheduler.configuration_refuse(p_place || '.' || f.field, 'is missing', format('There is no such %s yet.', p_item), format('A new %s needs the key; add it.', p_item))
        FROM radscheduler.configuration_fields(p_item) f WHERE f.need = 'new' AND NOT p_value ? f.field;
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_require(text, text, jsonb) IS 'Raises 22023 when an item that is to be made lacks a key it needs.';

CREATE FUNCTION radscheduler.configuration_require_modality(p_site integer, p_place text, p_code text) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF p_code IS NOT NULL AND NOT EXISTS (SELECT FROM radscheduler.modality m WHERE m.site_id = p_site AND m.code = p_code) THEN
        PERFORM radscheduler.configuration_refuse(p_place || '.modality', 'must be the code of a modality of this site', radscheduler.configuration_found(to_jsonb(p_code)),
            'Add it to "modalities" of the site, or use one that radscheduler.modality has.');
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_require_modality(integer, text, text) IS 'Raises 22023 when a site has no modality of this code.';

CREATE FUNCTION radscheduler.configuration_refuse_rule(p_place text, p_rule text, p_table text) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM radscheduler.configuration_refuse(p_place, format('breaks the rule "%s" of table %s', p_rule, p_table),
        'A constraint of the table refuses what this item would become.',
        'Read the rule with \d in psql, and correct the item or the rows it collides with.');
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_refuse_rule(text, text, text) IS 'Raises 22023 for what a constraint has refused: its name and table, and nothing of the row.';

CREATE FUNCTION radscheduler.configuration_put_hours(p_site integer, p_resource bigint, p_hours jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_entries jsonb[];
BEGIN
    v_entries := ARRAY(SELECT radscheduler.configuration_hours_entry((h ->> 'weekday')::numeric::integer, (h ->> 'opens')::time, (h ->> 'closes')::time,
                                  daterange((h ->> 'valid_from')::date, (h ->> 'valid_until')::date, '[]')) FROM jsonb_array_elements(p_hours) h);
    DELETE FROM radscheduler.resource_hours h USING radscheduler.configuration_hours(p_site, p_resource) c
        WHERE h.site_id = p_site AND h.hours_id = c.hours_id AND c.entry <> ALL (v_entries);
    INSERT INTO radscheduler.resource_hours (site_id, resource_id, weekday, opens, closes, valid)
        SELECT DISTINCT p_site, p_resource, (h ->> 'weekday')::smallint, (h ->> 'opens')::time, (h ->> 'closes')::time,
               daterange((h ->> 'valid_from')::date, (h ->> 'valid_until')::date, '[]')
        FROM unnest(v_entries) h WHERE h NOT IN (SELECT c.entry FROM radscheduler.configuration_hours(p_site, p_resource) c);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_put_hours(integer, bigint, jsonb) IS 'Replaces the opening hours of a resource, or of the site itself when the resource is NULL; rows that stay are not touched.';

CREATE FUNCTION radscheduler.configuration_put_blocks(p_site integer, p_resource bigint, p_blocks jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_entries jsonb[];
BEGIN
    v_entries := ARRAY(SELECT radscheduler.configuration_block_entry(tstzrange((b ->> 'starts_at')::timestamptz, (b ->> 'ends_at')::timestamptz), b ->> 'reason', b ->> 'kind')
                       FROM jsonb_array_elements(p_blocks) b WHERE (b ->> 'ends_at')::timestamptz > now());
    DELETE FROM radscheduler.resource_block b USING radscheduler.configuration_blocks(p_site, p_resource) c
        WHERE b.site_id = p_site AND b.block_id = c.block_id AND c.entry <> ALL (v_entries);
    INSERT INTO radscheduler.resource_block (site_id, resource_id, during, reason, kind)
        SELECT DISTINCT p_site, p_resource, tstzrange((b ->> 'starts_at')::timestamptz, (b ->> 'ends_at')::timestamptz), b ->> 'reason', coalesce(b ->> 'kind', 'block')
        FROM unnest(v_entries) b WHERE b NOT IN (SELECT c.entry FROM radscheduler.configuration_blocks(p_site, p_resource) c);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_put_blocks(integer, bigint, jsonb) IS
    'Replaces the blocks of a resource that have not ended; rows that stay are not touched. Blocks of the document that have ended are passed over.';

CREATE FUNCTION radscheduler.configuration_put_own_rules(p_site integer, p_rules jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_rules jsonb[] := ARRAY(SELECT jsonb_build_object('if_unknown', 'warning', 'applies_to', 'all') || e FROM jsonb_array_elements(p_rules) e);
BEGIN
    DELETE FROM radscheduler.site_rule o WHERE o.site_id = p_site AND jsonb_strip_nulls(to_jsonb(o) - 'site_id') <> ALL (v_rules);
    INSERT INTO radscheduler.site_rule
        SELECT n.* FROM unnest(v_rules) e, jsonb_populate_record(NULL::radscheduler.site_rule, e || jsonb_build_object('site_id', p_site)) n
        WHERE NOT EXISTS (SELECT FROM radscheduler.site_rule o WHERE o.site_id = p_site AND o.code = e ->> 'code');
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_put_own_rules(integer, jsonb) IS 'Replaces the rules that a site added; rows that stay are not touched.';

CREATE FUNCTION radscheduler.configuration_put_site(p_site integer, p_value jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_new jsonb := radscheduler.configuration_site(p_site) || p_value;
BEGIN
    UPDATE radscheduler.site s
        SET name = v_new ->> 'name', timezone = v_new ->> 'timezone', phone_region = v_new ->> 'phone_region', slot_minutes = (v_new ->> 'slot_minutes')::numeric,
            unknown_senders = v_new ->> 'unknown_senders', default_profile = v_new -> 'default_profile',
            travel_minutes = (v_new ->> 'travel_minutes')::numeric, campus_minutes = (v_new ->> 'campus_minutes')::numeric, clinical_rules = v_new ->> 'clinical_rules'
        WHERE s.site_id = p_site AND (s.name, s.timezone, s.phone_region, s.slot_minutes, s.unknown_senders, s.default_profile, s.travel_minutes, s.campus_minutes, s.clinical_rules)
              IS DISTINCT FROM (v_new ->> 'name', v_new ->> 'timezone', v_new ->> 'phone_region', (v_new ->> 'slot_minutes')::numeric,
                                v_new ->> 'unknown_senders', v_new -> 'default_profile', (v_new ->> 'travel_minutes')::numeric, (v_new ->> 'campus_minutes')::numeric,
                                v_new ->> 'clinical_rules');
    IF p_value ? 'rules' THEN
        DELETE FROM radscheduler.rule_setting r WHERE r.site_id = p_site AND r.code NOT IN (SELECT e ->> 'code' FROM jsonb_array_elements(p_value -> 'rules') e);
        INSERT INTO radscheduler.rule_setting AS r (site_id, code, severity, if_unknown, parameters)
            SELECT p_site, e ->> 'code', e ->> 'severity', e ->> 'if_unknown', coalesce(e -> 'parameters', '{}') FROM jsonb_array_elements(p_value -> 'rules') e
            ON CONFLICT (site_id, code) DO UPDATE SET severity = excluded.severity, if_unknown = excluded.if_unknown, parameters = excluded.parameters
            WHERE (r.severity, r.if_unknown, r.parameters) IS DISTINCT FROM (excluded.severity, excluded.if_unknown, excluded.parameters);
    END IF;
    IF p_value ? 'own_rules' THEN
        PERFORM radscheduler.configuration_put_own_rules(p_site, p_value -> 'own_rules');
    END IF;
    IF p_value ? 'links' THEN
        PERFORM radscheduler.configuration_put_links(p_site, p_value -> 'links');
    END IF;
    IF p_value ? 'hours' THEN
        PERFORM radscheduler.configuration_put_hours(p_site, NULL, p_value -> 'hours');
    END IF;
    IF p_value ? 'days' THEN
        PERFORM radscheduler.configuration_put_days(p_site, NULL, p_value -> 'days');
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_put_site(integer, jsonb) IS 'Gives a site, which is there, the keys, the rules, its own rules, the links, the opening hours and the holidays of a document; not its lists. A link that the document does not name stays: its queue goes with it.';

CREATE FUNCTION radscheduler.configuration_put_sender(p_site integer, p_place text, p_value jsonb, p_is_there boolean) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_application text := p_value ->> 'sending_application';
    v_facility    text := p_value ->> 'sending_facility';
    v_new         jsonb;
BEGIN
    IF NOT p_is_there THEN
        INSERT INTO radscheduler.sender (site_id, sending_application, sending_facility) VALUES (p_site, v_application, v_facility) ON CONFLICT DO NOTHING;
    END IF;
    v_new := radscheduler.configuration_sender(p_site, v_application, v_facility) || p_value;
    UPDATE radscheduler.sender s SET profile = v_new -> 'profile', is_registered = (v_new ->> 'is_registered')::boolean
        WHERE s.site_id = p_site AND s.sending_application = v_application AND s.sending_facility = v_facility
          AND (s.profile, s.is_registered) IS DISTINCT FROM (v_new -> 'profile', (v_new ->> 'is_registered')::boolean);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_put_sender(integer, text, jsonb, boolean) IS 'Makes a sender that is not there, and gives it the keys of a document.';

CREATE FUNCTION radscheduler.configuration_put_modality(p_site integer, p_place text, p_value jsonb, p_is_there boolean) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_new jsonb;
BEGIN
    IF NOT p_is_there THEN
        PERFORM radscheduler.configuration_require('modality', p_place, p_value);
        INSERT INTO radscheduler.modality (site_id, code, label, name, default_minutes)
            VALUES (p_site, p_value ->> 'code', p_value ->> 'label', p_value ->> 'name', (p_value ->> 'default_minutes')::numeric);
        RETURN;
    END IF;
    v_new := radscheduler.configuration_modality(p_site, p_value ->> 'code') || p_value;
    UPDATE radscheduler.modality m SET label = v_new ->> 'label', name = v_new ->> 'name', default_minutes = (v_new ->> 'default_minutes')::numeric
        WHERE m.site_id = p_site AND m.code = p_value ->> 'code'
          AND (m.label, m.name, m.default_minutes) IS DISTINCT FROM (v_new ->> 'label', v_new ->> 'name', (v_new ->> 'default_minutes')::numeric);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_put_modality(integer, text, jsonb, boolean) IS
    'Makes a modality that is not there, or gives it the keys of a document; not its aliases. Raises 22023 when a new one lacks a key.';

CREATE FUNCTION radscheduler.configuration_put_procedure(p_site integer, p_place text, p_value jsonb, p_is_there boolean) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_new jsonb;
BEGIN
    PERFORM radscheduler.configuration_require_modality(p_site, p_place, p_value ->> 'modality');
    IF NOT p_is_there THEN
        PERFORM radscheduler.configuration_require('procedure', p_place, p_value);
        INSERT INTO radscheduler.procedure (site_id, code, name, modality) VALUES (p_site, p_value ->> 'code', p_value ->> 'name', p_value ->> 'modality');
    END IF;
    v_new := radscheduler.configuration_procedure(p_site, p_value ->> 'code') || p_value;
    UPDATE radscheduler.procedure p
        SET name = v_new ->> 'name', modality = v_new ->> 'modality', minutes = (v_new ->> 'minutes')::numeric, contrast = v_new ->> 'contrast', prep = v_new ->> 'prep'
        WHERE p.site_id = p_site AND p.code = p_value ->> 'code'
          AND (p.name, p.modality, p.minutes, p.contrast, p.prep)
              IS DISTINCT FROM (v_new ->> 'name', v_new ->> 'modality', (v_new ->> 'minutes')::numeric, v_new ->> 'contrast', v_new ->> 'prep');
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_put_procedure(integer, text, jsonb, boolean) IS
    'Makes a procedure that is not there, and gives it the keys of a document; not its aliases. Raises 22023 when a new one lacks a key or the site has no such modality.';

CREATE FUNCTION radscheduler.configuration_put_resource(p_site integer, p_place text, p_value jsonb, p_is_there boolean) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_kind radscheduler.resource_kind := p_value ->> 'kind';
    v_ids  bigint[];
    v_new  jsonb;
    v_modalities text[];
BEGIN
    PERFORM radscheduler.configuration_require_modality(p_site, p_place, p_value ->> 'modality');
    PERFORM radscheduler.configuration_require_modality(p_site, p_place, m) FROM jsonb_array_elements_text(p_value -> 'modalities') m;
    IF NOT p_is_there THEN
        PERFORM radscheduler.configuration_require('resource', p_place, p_value);
        INSERT INTO radscheduler.resource (site_id, kind, code, name) VALUES (p_site, v_kind, p_value ->> 'code', p_value ->> 'name');
    END IF;
    v_ids := ARRAY(SELECT r.resource_id FROM radscheduler.resource r WHERE r.site_id = p_site AND r.kind = v_kind AND r.code = p_value ->> 'code');
    IF cardinality(v_ids) > 1 THEN
        PERFORM radscheduler.configuration_refuse(p_place, 'could be either of two resources', 'The site has two resources of this kind and code.',
            'Give one of them another code in radscheduler.resource.');
    END IF;
    v_new := radscheduler.configuration_resource(p_site, v_ids[1]) || p_value;
    v_modalities := ARRAY(SELECT m FROM jsonb_array_elements_text(v_new -> 'modalities') WITH ORDINALITY e(m, place) ORDER BY e.place);
    IF v_kind = 'staff' AND (v_new ->> 'setup_minutes' <> '0' OR v_new ->> 'turnover_minutes' <> '0') THEN
        PERFORM radscheduler.configuration_refuse(p_place || '.' || k, 'must be 0 for staff', radscheduler.configuration_found(v_new -> k), 'Give buffers to the room or the scanner.')
            FROM unnest(ARRAY['setup_minutes', 'turnover_minutes']) k WHERE (v_new ->> k)::numeric <> 0;
    END IF;
    UPDATE radscheduler.resource r
        SET name = v_new ->> 'name', role = v_new ->> 'role', modality = v_new ->> 'modality', capacity = (v_new ->> 'capacity')::numeric,
            setup_minutes = (v_new ->> 'setup_minutes')::numeric, turnover_minutes = (v_new ->> 'turnover_minutes')::numeric,
            is_active = (v_new ->> 'is_active')::boolean, is_registered = (v_new ->> 'is_registered')::boolean,
            modalities = v_modalities, location = v_new ->> 'location', campus = v_new ->> 'campus', weight_limit_kg = (v_new ->> 'weight_limit_kg')::numeric
        WHERE r.site_id = p_site AND r.resource_id = v_ids[1]
          AND (r.name, r.role, r.modality, r.capacity, r.setup_minutes, r.turnover_minutes, r.is_active, r.is_registered, r.modalities, r.location, r.campus, r.weight_limit_kg)
              IS DISTINCT FROM (v_new ->> 'name', v_new ->> 'role', v_new ->> 'modality', (v_new ->> 'capacity')::numeric, (v_new ->> 'setup_minutes')::numeric,
                                (v_new ->> 'turnover_minutes')::numeric, (v_new ->> 'is_active')::boolean, (v_new ->> 'is_registered')::boolean,
                                v_modalities, v_new ->> 'location', v_new ->> 'campus', (v_new ->> 'weight_limit_kg')::numeric);
    IF p_value ? 'hours' THEN
        PERFORM radscheduler.configuration_put_hours(p_site, v_ids[1], p_value -> 'hours');
    END IF;
    IF p_value ? 'blocks' THEN
        PERFORM radscheduler.configuration_put_blocks(p_site, v_ids[1], p_value -> 'blocks');
    END IF;
    IF p_value ? 'days' THEN
        PERFORM radscheduler.configuration_put_days(p_site, v_ids[1], p_value -> 'days');
    END IF;
    IF p_value ? 'reserved' THEN
        PERFORM radscheduler.configuration_put_reserved(p_site, v_ids[1], p_value -> 'reserved');
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_put_resource(integer, text, jsonb, boolean) IS
    'Makes a resource that is not there, and gives it the keys, hours, blocks, exceptions and kept hours of a document; not its aliases. Raises 22023 when a new one lacks a key, the site has no such modality, staff would have buffers, or two resources have this kind and code.';
