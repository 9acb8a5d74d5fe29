-- The import of a configuration document: access, lists, names, report. Every item is written (as configuration_export() would) before and after,
-- and the difference is what is reported: nothing is told that did not happen. A dry run does the same work and takes it back, so it fails
-- where the real run would. Locks: the hours of its sites (7421008), the table site (one import at a time), a site's senders, then the lock under which unknown resources
-- are recorded (7421003), then its other lists; a message being read takes its sender before that lock too.

CREATE FUNCTION radscheduler.configuration_item(p_item text, p_site integer, p_value jsonb) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN CASE p_item
        WHEN 'site' THEN radscheduler.configuration_site(p_site)
        WHEN 'sender' THEN radscheduler.configuration_sender(p_site, p_value ->> 'sending_application', p_value ->> 'sending_facility')
        WHEN 'modality' THEN radscheduler.configuration_modality(p_site, p_value ->> 'code')
        WHEN 'procedure' THEN radscheduler.configuration_procedure(p_site, p_value ->> 'code')
        WHEN 'resource' THEN (SELECT radscheduler.configuration_resource(p_site, min(r.resource_id)) FROM radscheduler.resource r
                              WHERE r.site_id = p_site AND r.kind = (p_value ->> 'kind')::radscheduler.resource_kind AND r.code = p_value ->> 'code') END;
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_item(text, integer, jsonb) IS 'The item of a site that a value of a document names by its key, as it is; NULL when there is none.';

CREATE FUNCTION radscheduler.configuration_row(p_item text, p_name text, p_old jsonb, p_new jsonb) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_changes jsonb := (SELECT coalesce(jsonb_object_agg(k, jsonb_build_array(p_old -> k, p_new -> k)), '{}') FROM jsonb_object_keys(p_new) k
                        WHERE coalesce(p_old -> k, 'null') <> p_new -> k AND k NOT IN ('code', 'kind', 'sending_application', 'sending_facility'));
BEGIN
    RETURN jsonb_build_object('item', p_item, 'name', p_name, 'changes', v_changes,
                              'action', CASE WHEN p_old IS NULL THEN 'insert' WHEN v_changes = '{}' THEN 'unchanged' ELSE 'update' END);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_row(text, text, jsonb, jsonb) IS
    'One row of the report of an import, {item, name, action, changes}, from an item as it was (NULL: it is new) and as it is.';

CREATE FUNCTION radscheduler.configuration_release_names(p_item text, p_site integer, p_list jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF p_item = 'modality' THEN
        DELETE FROM radscheduler.modality_alias a USING jsonb_array_elements(p_list) WITH ORDINALITY e(value, place)
            WHERE e.value ? 'aliases' AND a.site_id = p_site AND a.code = e.value ->> 'code'
              AND (e.place - 1, a.alias) NOT IN (SELECT n.item, n.alias FROM radscheduler.configuration_names(p_list) n);
    ELSIF p_item = 'procedure' THEN
        DELETE FROM radscheduler.procedure_alias a USING jsonb_array_elements(p_list) WITH ORDINALITY e(value, place)
            WHERE e.value ? 'aliases' AND a.site_id = p_site AND a.code = e.value ->> 'code'
              AND (e.place - 1, a.alias) NOT IN (SELECT n.item, n.alias FROM radscheduler.configuration_names(p_list) n);
    ELSIF p_item = 'resource' THEN
        WITH named AS MATERIALIZED (
            SELECT r.resource_id, e.place - 1 AS item FROM jsonb_array_elements(p_list) WITH ORDINALITY e(value, place)
            JOIN radscheduler.resource r ON r.site_id = p_site AND r.code = e.value ->> 'code' AND r.kind = (e.value ->> 'kind')::radscheduler.resource_kind
            WHERE e.value ? 'aliases'
        )
        DELETE FROM radscheduler.resource_alias a USING named WHERE a.site_id = p_site AND a.resource_id = named.resource_id
              AND (named.item, a.kind::text, a.alias) NOT IN (SELECT n.item, n.kind, n.alias FROM radscheduler.configuration_names(p_list) n);
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_release_names(text, integer, jsonb) IS
    'Removes the aliases that a document takes from the modalities, procedures or resources whose aliases it lists; first of all, so that a name can move from one to another.';

CREATE FUNCTION radscheduler.configuration_put_names(p_item text, p_site integer, p_place text, p_list jsonb, p_is_new boolean[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_name   record;
    v_id     bigint;
    v_is_own boolean;
BEGIN
    FOR v_name IN
        SELECT n.item, n.listed, n.kind, n.alias, e.value FROM radscheduler.configuration_names(p_list) n
        JOIN jsonb_array_elements(p_list) WITH ORDINALITY e(value, place) ON e.place = n.item + 1
        WHERE n.listed IS NOT NULL OR p_is_new[n.item + 1] AND p_item <> 'procedure' ORDER BY n.item, n.listed
    LOOP
        IF p_item = 'modality' THEN
            SELECT a.code = v_name.value ->> 'code' INTO v_is_own FROM radscheduler.modality_alias a WHERE a.site_id = p_site AND a.alias = v_name.alias;
            IF NOT FOUND THEN
                INSERT INTO radscheduler.modality_alias (site_id, alias, code) VALUES (p_site, v_name.alias, v_name.value ->> 'code');
                CONTINUE;
            END IF;
        ELSIF p_item = 'procedure' THEN
            SELECT a.code = v_name.value ->> 'code' INTO v_is_own FROM radscheduler.procedure_alias a WHERE a.site_id = p_site AND a.alias = btrim(v_name.alias);
            IF NOT FOUND THEN
                INSERT INTO radscheduler.procedure_alias (site_id, alias, code) VALUES (p_site, btrim(v_name.alias), v_name.value ->> 'code');
                CONTINUE;
            END IF;
        ELSE
            SELECT r.resource_id INTO v_id FROM radscheduler.resource r
                WHERE r.site_id = p_site AND r.kind::text = v_name.value ->> 'kind' AND r.code = v_name.value ->> 'code';
            SELECT a.resource_id = v_id INTO v_is_own FROM radscheduler.resource_alias a
                WHERE a.site_id = p_site AND a.kind::text = v_name.kind AND a.alias = v_name.alias;
            IF NOT FOUND THEN
                INSERT INTO radscheduler.resource_alias (site_id, kind, alias, resource_id)
                    VALUES (p_site, v_name.kind::radscheduler.resource_kind, v_name.alias, v_id);
                CONTINUE;
            END IF;
        END IF;
        IF NOT v_is_own THEN
            PERFORM radscheduler.configuration_refuse(format('%s[%s].%s', p_place, v_name.item, coalesce('aliases[' || v_name.listed || ']', 'code')),
                format('is a name of another %s', p_item), format('The name is "%s".', left(v_name.alias, 60)),
                format('radscheduler.%s_alias tells whose it is. To move it here, name that %1$s in the document too, with "aliases"; else take another name.', p_item));
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_put_names(text, integer, text, jsonb, boolean[]) IS
    'Gives modalities, procedures or resources the aliases a document lists for them, and new modalities and resources their own code as a name. Raises 22023 when a name belongs to one whose aliases the document does not list.';

CREATE FUNCTION radscheduler.configuration_put_list(p_item text, p_site integer, p_place text, p_list jsonb, p_is_new_site boolean) RETURNS jsonb[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_old   jsonb[];
    v_place text := p_place;
    v_value jsonb;
    v_rule  text;
    v_table text;
BEGIN
    v_old := ARRAY(SELECT radscheduler.configuration_item(p_item, p_site, e.value) FROM jsonb_array_elements(p_list) WITH ORDINALITY e(value, place) ORDER BY e.place);
    PERFORM radscheduler.configuration_release_names(p_item, p_site, p_list);
    FOR v_i IN 1 .. cardinality(v_old) LOOP
        v_place := format('%s[%s]', p_place, v_i - 1);
        v_value := p_list -> v_i - 1;
        CASE p_item
            WHEN 'sender' THEN PERFORM radscheduler.configuration_put_sender(p_site, v_place, v_value, v_old[v_i] IS NOT NULL);
            WHEN 'modality' THEN PERFORM radscheduler.configuration_put_modality(p_site, v_place, v_value, v_old[v_i] IS NOT NULL);
            WHEN 'procedure' THEN PERFORM radscheduler.configuration_put_procedure(p_site, v_place, v_value, v_old[v_i] IS NOT NULL);
            WHEN 'resource' THEN PERFORM radscheduler.configuration_put_resource(p_site, v_place, v_value, v_old[v_i] IS NOT NULL);
        END CASE;
    END LOOP;
    v_place := p_place;
    IF p_is_new_site THEN
        v_old := array_fill(NULL::jsonb, ARRAY[cardinality(v_old)]);
    END IF;
    IF p_item IN ('modality', 'procedure', 'resource') THEN
        PERFORM radscheduler.configuration_put_names(p_item, p_site, p_place, p_list, ARRAY(SELECT o IS NULL FROM unnest(v_old) WITH ORDINALITY u(o, place) ORDER BY u.place));
    END IF;
    RETURN ARRAY(
        SELECT radscheduler.configuration_row(p_item, CASE p_item WHEN 'sender' THEN concat_ws('|', e.value ->> 'sending_application', e.value ->> 'sending_facility')
                                                               WHEN 'resource' THEN concat_ws(' ', e.value ->> 'kind', e.value ->> 'code') ELSE e.value ->> 'code' END,
                                              v_old[e.place], radscheduler.configuration_item(p_item, p_site, e.value))
        FROM jsonb_array_elements(p_list) WITH ORDINALITY e(value, place) ORDER BY e.place);
EXCEPTION WHEN integrity_constraint_violation THEN
    GET STACKED DIAGNOSTICS v_rule = CONSTRAINT_NAME, v_table = TABLE_NAME;
    PERFORM radscheduler.configuration_refuse_rule(v_place, v_rule, v_table);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_put_list(text, integer, text, jsonb, boolean) IS
    'Merges one list of a document (item: sender, modality, procedure, resource) into a site; returns the rows of the report. Raises 22023 with the place in the document, also for what a constraint refuses.';

CREATE FUNCTION radscheduler.configuration_sites(p_sites jsonb) RETURNS integer[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_visible integer[] := radscheduler.visible_sites();
    v_narrow  text := nullif(current_setting('radscheduler.site', true), '');
    v_ids     integer[];
    v_code    text;
BEGIN
    FOR v_i IN 0 .. jsonb_array_length(p_sites) - 1 LOOP
        v_code := p_sites -> v_i ->> 'code';
        v_ids[v_i + 1] := (SELECT s.site_id FROM radscheduler.site s WHERE s.code = v_code AND s.site_id = ANY (v_visible));
        IF v_ids[v_i + 1] IS NULL AND NOT (radscheduler.sees_every_site() AND coalesce(v_narrow, v_code) = v_code) THEN
            RAISE EXCEPTION 'sites[%] is not a site that this session may configure', v_i USING ERRCODE = 'insufficient_privilege',
                DETAIL = format('Its code is "%s".', v_code),
                HINT = 'A DBA grants it with radscheduler.grant_site(role, site); the setting radscheduler.site can only narrow.';
        END IF;
    END LOOP;
    RETURN v_ids;
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_sites(jsonb) IS
    'The ids of the sites of a document, NULL for one that the import is to make, which only a caller of every site may. Raises 42501 for a site that is not the caller''s, in the same words whether or not there is one.';

CREATE FUNCTION radscheduler.configuration_make_site(p_place text, p_value jsonb) RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_site integer;
BEGIN
    PERFORM radscheduler.configuration_require('site', p_place, p_value);
    v_site := radscheduler.create_site(p_value ->> 'code', p_value ->> 'name', p_value ->> 'timezone');
    IF p_value ? 'procedures' THEN
        DELETE FROM radscheduler.procedure p WHERE p.site_id = v_site
            AND p.code NOT IN (SELECT e ->> 'code' FROM jsonb_array_elements(p_value -> 'procedures') e);
    END IF;
    IF p_value ? 'modalities' THEN
        DELETE FROM radscheduler.modality_alias a WHERE a.site_id = v_site AND a.code <> 'OT'
            AND a.code NOT IN (SELECT e ->> 'code' FROM jsonb_array_elements(p_value -> 'modalities') e);
        DELETE FROM radscheduler.procedure p WHERE p.site_id = v_site AND p.modality <> 'OT'
            AND p.modality NOT IN (SELECT e ->> 'code' FROM jsonb_array_elements(p_value -> 'modalities') e);
        DELETE FROM radscheduler.modality m WHERE m.site_id = v_site AND m.code <> 'OT'
            AND m.code NOT IN (SELECT e ->> 'code' FROM jsonb_array_elements(p_value -> 'modalities') e);
    END IF;
    RETURN v_site;
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_make_site(text, jsonb) IS
    'Makes a site of a document with create_site(); returns its id. Of the catalogue only what the document lists stays, where it has that list (procedures of a modality that goes, go too); OT stays, as messages that tell no modality need it.';

CREATE FUNCTION radscheduler.configuration_merge(p_sites jsonb) RETURNS jsonb[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_ids    integer[];
    v_value  jsonb;
    v_place  text;
    v_site   integer;
    v_old    jsonb;
    v_list   record;
    v_rows   jsonb[];
    v_report jsonb[] := '{}';
    v_rule   text;
    v_table  text;
BEGIN
    PERFORM radscheduler.lock_hours(radscheduler.configuration_sites(p_sites), false);
    LOCK TABLE radscheduler.site IN SHARE ROW EXCLUSIVE MODE;
    v_ids := radscheduler.configuration_sites(p_sites);
    FOR v_i IN 1 .. jsonb_array_length(p_sites) LOOP
        v_value := p_sites -> v_i - 1;
        v_place := format('sites[%s]', v_i - 1);
        v_site := coalesce(v_ids[v_i], radscheduler.configuration_make_site(v_place, v_value));
        v_old := CASE WHEN v_ids[v_i] IS NOT NULL THEN radscheduler.configuration_site(v_site) END;
        PERFORM radscheduler.configuration_put_site(v_site, v_value);
        v_rows := ARRAY[radscheduler.configuration_row('site', v_value ->> 'code', v_old, radscheduler.configuration_site(v_site))];
        -- In this order a list finds what it refers to, and the locks are taken as said above. Sections of later tables join here.
        FOR v_list IN SELECT * FROM (VALUES ('senders', 'sender'), ('modalities', 'modality'), ('procedures', 'procedure'), ('resources', 'resource')) l(name, item) LOOP
            IF v_list.item = 'modality' THEN
                PERFORM radscheduler.lock_new_resources(v_site);
            END IF;
            IF v_value ? v_list.name THEN
                v_rows := v_rows || radscheduler.configuration_put_list(v_list.item, v_site, v_place || '.' || v_list.name, v_value -> v_list.name, v_ids[v_i] IS NULL);
            END IF;
        END LOOP;
        IF v_value ? 'reserved' THEN -- its modalities are there now
            PERFORM radscheduler.configuration_require_modality(v_site, format('%s.reserved[%s]', v_place, e.place - 1), e.item ->> 'modality') FROM jsonb_array_elements(v_value -> 'reserved') WITH ORDINALITY e(item, place);
            PERFORM radscheduler.configuration_put_reserved(v_site, NULL, v_value -> 'reserved');
            v_rows[1] := radscheduler.configuration_row('site', v_value ->> 'code', v_old, radscheduler.configuration_site(v_site));
        END IF;
        IF EXISTS (SELECT FROM unnest(v_rows) r WHERE r ->> 'action' <> 'unchanged') THEN
            PERFORM radscheduler.audit(v_site, 'configuration.' || (r ->> 'action'), r ->> 'item', NULL,
                                       jsonb_build_object('name', r -> 'name', 'columns', (r -> 'changes') || (SELECT coalesce(jsonb_object_agg(k, true), '{}') FROM unnest('{blocks,days,reserved}'::text[]) k WHERE r -> 'changes' ? k)))
                FROM unnest(v_rows) r WHERE r ->> 'action' <> 'unchanged';
            PERFORM radscheduler.audit(v_site, 'configuration.import', 'site', v_site,
                (SELECT jsonb_object_agg(c.item, c.actions)
                 FROM (SELECT n.item, jsonb_object_agg(n.action, n.times) AS actions
                       FROM (SELECT r ->> 'item' AS item, r ->> 'action' AS action, count(*) AS times FROM unnest(v_rows) r GROUP BY 1, 2) n GROUP BY n.item) c));
        END IF;
        v_report := v_report || ARRAY(SELECT jsonb_build_object('site', v_value -> 'code') || r FROM unnest(v_rows) WITH ORDINALITY u(r, place) ORDER BY u.place);
    END LOOP;
    RETURN v_report;
EXCEPTION WHEN integrity_constraint_violation THEN
    GET STACKED DIAGNOSTICS v_rule = CONSTRAINT_NAME, v_table = TABLE_NAME;
    PERFORM radscheduler.configuration_refuse_rule(v_place, v_rule, v_table);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_merge(jsonb) IS
    'Merges the sites of a checked document into the database, with one audit event per item that changed (configuration.insert, configuration.update) and one per site; returns the report, one {site, item, name, action, changes} per item. Raises 22023 and 42501.';

CREATE FUNCTION radscheduler.configuration_import(document jsonb, dry_run boolean DEFAULT true)
    RETURNS TABLE (site text, item text, name text, action text, changes jsonb)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 100 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
#variable_conflict use_column
DECLARE
    v_report jsonb[];
BEGIN
    IF document ->> 'format' IS DISTINCT FROM 'radscheduler.configuration' THEN
        PERFORM radscheduler.configuration_refuse('format', 'must be "radscheduler.configuration"', 'This is not a configuration document.',
            'Give a document that radscheduler.configuration_export() made, or one like it.');
    ELSIF document -> 'version' IS DISTINCT FROM '1' THEN
        PERFORM radscheduler.configuration_refuse('version', 'must be 1', radscheduler.configuration_found(document -> 'version'),
            'This version of the extension reads version 1. Export the document with the version that is to read it.');
    END IF;
    PERFORM radscheduler.configuration_check('document', '', document);
    BEGIN
        v_report := radscheduler.configuration_merge(document -> 'sites');
        IF dry_run IS NOT FALSE THEN
            RAISE EXCEPTION USING ERRCODE = 'RSDRY';
        END IF;
    EXCEPTION WHEN SQLSTATE 'RSDRY' THEN
        NULL;
    END;
    RETURN QUERY SELECT r ->> 'site', r ->> 'item', r ->> 'name', r ->> 'action', r -> 'changes' FROM unnest(v_report) WITH ORDINALITY u(r, place) ORDER BY u.place;
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_import(jsonb, boolean) IS
    'Merges a document of configuration_export(), or a part of one, into the sites the caller may use, in one transaction; without dry_run => false the same work is done, reported and taken back. Sites are known by code, senders by application and facility, modalities and procedures by code, resources by kind and code. What the document names is inserted or updated; what it does not name is left alone and not reported. A key left out keeps its value, or takes the table''s default in a new item; null clears. aliases, modalities of a resource, rules, own_rules, hours, days, reserved and blocks are replaced as a whole where the key is there, blocks and days only as far as they are not over. The own code of a modality or resource is one of its names without being listed, unless the document lists it under another item. A site that does not exist is made when the caller sees every site, from the catalogue as far as the document has no list of its own. One row per item: site (code), item (site, sender, modality, procedure, resource), name (code; application|facility; kind and code), action (insert, update, unchanged), changes {key: [old, new]}. Writes one audit event per item that changed, old and new values in it, and one per site. Raises 22023 with the place in the document, 42501 for a site that is not the caller''s.';
