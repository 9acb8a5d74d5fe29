-- Brings the code to 0.2, then the records. Frozen once released.
\echo Use "ALTER EXTENSION radscheduler UPDATE TO '0.2'" to load this file. \quit

DROP FUNCTION radscheduler.simulated_message(integer, jsonb);

DO $check$
BEGIN
    IF pg_catalog.current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION 'radscheduler needs a database in UTF8, this one is in %', pg_catalog.current_setting('server_encoding')
            USING ERRCODE = 'feature_not_supported',
                  HINT = 'Create the database with: CREATE DATABASE … ENCODING ''UTF8'' TEMPLATE template0.';
    END IF;
END
$check$;

CREATE OR REPLACE FUNCTION radscheduler.is_timezone(name text) RETURNS boolean
    LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM timezone(name, '2000-01-01 00:00+00'::timestamptz);
    RETURN true;
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN false;
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.is_profile(profile jsonb) RETURNS boolean
    LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN jsonb_typeof(profile) = 'object'
       AND NOT EXISTS (SELECT FROM jsonb_each(profile) p WHERE NOT CASE p.key
               WHEN 'timezone' THEN jsonb_typeof(p.value) = 'string' AND radscheduler.is_timezone(p.value #>> '{}')
               WHEN 'repair' THEN p.value IN ('"lenient"', '"strict"')
               WHEN 'on_conflict' THEN p.value IN ('"flag"', '"reject"')
               WHEN 'start_source' THEN p.value IN ('"appointment"', '"service"')
               WHEN 'charset' THEN jsonb_typeof(p.value) = 'string' AND radscheduler.hl7_charset(p.value #>> '{}') IS NOT NULL
               ELSE false END);
END
$$;

CREATE TABLE radscheduler.role_right (
    kind    text NOT NULL,
    object  text NOT NULL,
    rights  text NOT NULL,
    columns text NOT NULL DEFAULT '',
    PRIMARY KEY (kind, object, rights)
);

COMMENT ON TABLE  radscheduler.role_right IS 'What each kind of role may do: the rows grant_role() turns into GRANTs.';

COMMENT ON COLUMN radscheduler.role_right.kind IS 'reader, scheduler, ingest, analyst, auditor, admin; public is everyone.';

COMMENT ON COLUMN radscheduler.role_right.object IS 'Table or view; a function with () after its name, all its overloads.';

COMMENT ON COLUMN radscheduler.role_right.rights IS 'SELECT, INSERT, UPDATE, DELETE or EXECUTE, separated by commas.';

COMMENT ON COLUMN radscheduler.role_right.columns IS 'Columns the right is limited to, separated by commas; empty for all.';

INSERT INTO radscheduler.role_right (kind, object, rights)
SELECT k.kind, o, 'SELECT' FROM (VALUES ('reader'), ('scheduler'), ('admin')) k(kind),
    unnest(ARRAY['site', 'modality', 'modality_alias', 'procedure', 'resource', 'resource_alias', 'resource_hours', 'resource_block',
                 'patient', 'patient_identifier', 'appointment', 'appointment_service', 'appointment_resource', 'appointment_history',
                 'occupancy', 'conflict', 'appointments', 'schema_version']) o
UNION ALL
SELECT k.kind, o || '()', 'EXECUTE' FROM (VALUES ('reader'), ('scheduler'), ('admin')) k(kind),
    unnest(ARRAY['find_slots', 'conflicts_of', 'api_appointments', 'api_dashboard', 'health']) o;

UPDATE radscheduler.role_right SET rights = 'SELECT, INSERT, UPDATE, DELETE'
    WHERE kind IN ('scheduler', 'admin') AND object = 'resource_block' OR kind = 'scheduler' AND object = 'appointments'
       OR kind = 'admin' AND object IN ('modality', 'modality_alias', 'procedure', 'resource', 'resource_alias', 'resource_hours');

INSERT INTO radscheduler.role_right (kind, object, rights, columns) VALUES
    ('ingest', 'ingest()', 'EXECUTE', ''),
    ('ingest', 'ingest_json()', 'EXECUTE', ''),
    ('ingest', 'api_hl7_appointment()', 'EXECUTE', ''),
    ('ingest', 'api_hl7_raw()', 'EXECUTE', ''),
    ('ingest', 'api_hl7_simulate()', 'EXECUTE', ''),
    ('ingest', 'relay_fetch()', 'EXECUTE', ''),
    ('ingest', 'relay_advance()', 'EXECUTE', ''),
    ('ingest', 'maintain()', 'EXECUTE', ''),
    ('ingest', 'health()', 'EXECUTE', ''),
    ('analyst', 'site', 'SELECT', ''),
    ('analyst', 'modality', 'SELECT', ''),
    ('analyst', 'procedure', 'SELECT', ''),
    ('analyst', 'resource', 'SELECT', ''),
    ('analyst', 'resource_hours', 'SELECT', ''),
    ('analyst', 'resource_block', 'SELECT', 'site_id, block_id, resource_id, during, created_at'),
    ('analyst', 'appointment', 'SELECT', 'site_id, appointment_id, sender_id, generation, patient_id, status, review_reason, starts_at, ends_at, '
        'modality, study_code, urgency, source, is_test, reschedule_count, original_starts_at, version, message_id, created_at, updated_at'),
    ('analyst', 'appointment_service', 'SELECT', 'site_id, appointment_id, position, group_no, code, starts_at, ends_at'),
    ('analyst', 'appointment_resource', 'SELECT', ''),
    ('analyst', 'occupancy', 'SELECT', ''),
    ('analyst', 'conflict', 'SELECT', ''),
    ('analyst', 'event_log', 'SELECT', ''),
    ('analyst', 'hl7_message', 'SELECT', 'site_id, message_id, received_at, channel, sender_id, message_code, trigger_event, processing_id, '
        'version_id, message_time, outcome, code, warnings, appointment_id, duplicate_of'),
    ('analyst', 'sender', 'SELECT', ''),
    ('analyst', 'api_dashboard()', 'EXECUTE', ''),
    ('analyst', 'health()', 'EXECUTE', ''),
    ('auditor', 'site', 'SELECT', ''),
    ('auditor', 'audit_event', 'SELECT', ''),
    ('auditor', 'audit_seal', 'SELECT', ''),
    ('auditor', 'role_grant', 'SELECT', ''),
    ('auditor', 'site_grant', 'SELECT', ''),
    ('auditor', 'legal_hold', 'SELECT', ''),
    ('auditor', 'retention', 'SELECT', ''),
    ('auditor', 'schema_version', 'SELECT', ''),
    ('auditor', 'audit_verify()', 'EXECUTE', ''),
    ('auditor', 'audit_head()', 'EXECUTE', ''),
    ('admin', 'site', 'UPDATE', 'name, timezone, phone_region, slot_minutes'),
    ('admin', 'sender', 'SELECT, DELETE', ''),
    ('admin', 'sender', 'INSERT', 'site_id, sending_application, sending_facility, profile, is_registered'),
    ('admin', 'sender', 'UPDATE', 'profile, is_registered'),
    ('admin', 'hl7_message', 'SELECT', ''),
    ('admin', 'message_key', 'SELECT', ''),
    ('admin', 'event_log', 'SELECT', ''),
    ('admin', 'legal_hold', 'SELECT', ''),
    ('admin', 'retention', 'SELECT', ''),
    ('admin', 'create_site()', 'EXECUTE', ''),
    ('admin', 'add_resource()', 'EXECUTE', ''),
    ('admin', 'configuration_export()', 'EXECUTE', ''),
    ('admin', 'configuration_import()', 'EXECUTE', ''),
    ('admin', 'place_hold()', 'EXECUTE', ''),
    ('admin', 'lift_hold()', 'EXECUTE', ''),
    ('admin', 'purge()', 'EXECUTE', ''),
    ('admin', 'set_retention()', 'EXECUTE', ''),
    ('admin', 'maintain()', 'EXECUTE', ''),
    ('public', 'caller()', 'EXECUTE', ''),
    ('public', 'acting()', 'EXECUTE', ''),
    ('public', 'sites_for()', 'EXECUTE', ''),
    ('public', 'everywhere_for()', 'EXECUTE', ''),
    ('public', 'visible_sites()', 'EXECUTE', ''),
    ('public', 'sees_every_site()', 'EXECUTE', ''),
    ('public', 'current_site()', 'EXECUTE', ''),
    ('public', 'default_zone()', 'EXECUTE', ''),
    ('public', 'audits_changes()', 'EXECUTE', ''),
    ('public', 'is_timezone()', 'EXECUTE', ''),
    ('public', 'is_profile()', 'EXECUTE', ''),
    ('public', 'is_occupying()', 'EXECUTE', ''),
    ('public', 'is_closed()', 'EXECUTE', ''),
    ('public', 'siu_parse()', 'EXECUTE', ''),
    ('public', 'siu_read()', 'EXECUTE', '');

CREATE OR REPLACE FUNCTION radscheduler.caller() RETURNS regrole
    AS 'MODULE_PATHNAME', 'rad_caller' LANGUAGE c STABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION radscheduler.caller() IS
    'The role that asks: the one of SET ROLE, else the login. Not the owner of a SECURITY DEFINER function in between.';

CREATE OR REPLACE FUNCTION radscheduler.acting() RETURNS regrole
    AS 'MODULE_PATHNAME', 'rad_acting' LANGUAGE c STABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION radscheduler.acting() IS
    'The role whose rights narrow the caller''s: current_user, where that is neither the caller nor a superuser; else 0. Raises 42501 while PostgreSQL maintains an object for its owner (autovacuum, REFRESH, CREATE INDEX), unless the owner does it himself.';

CREATE OR REPLACE FUNCTION radscheduler.is_everywhere(p_role oid) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN EXISTS (SELECT FROM pg_roles r WHERE r.oid = p_role AND (r.rolsuper OR r.rolbypassrls))
        OR EXISTS (SELECT FROM radscheduler.site_grant g JOIN pg_roles r ON r.rolname = g.role_name
                   WHERE g.site_id IS NULL AND pg_has_role(p_role, r.oid, 'USAGE'));
END
$$;

COMMENT ON FUNCTION radscheduler.is_everywhere(oid) IS 'Whether a role may use every site, present and future: a superuser, one with BYPASSRLS, or one granted the site *.';

CREATE OR REPLACE FUNCTION radscheduler.everywhere_for(p_acting oid) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN radscheduler.is_everywhere(radscheduler.caller()) AND (p_acting = 0 OR radscheduler.is_everywhere(p_acting));
END
$$;

COMMENT ON FUNCTION radscheduler.everywhere_for(oid) IS 'What sees_every_site() asks: the caller, narrowed by another role (0 for none).';

CREATE OR REPLACE FUNCTION radscheduler.sees_every_site() RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN radscheduler.everywhere_for(radscheduler.acting());

COMMENT ON FUNCTION radscheduler.sees_every_site() IS
    'Whether the caller may use every site, present and future: a superuser, a role with BYPASSRLS, or one granted the site *.';

CREATE OR REPLACE FUNCTION radscheduler.sites_for(p_acting oid) RETURNS integer[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_caller oid := radscheduler.caller();
    v_code   text := nullif(current_setting('radscheduler.site', true), '');
    v_whole  boolean := radscheduler.is_everywhere(v_caller);
BEGIN
    IF v_whole AND p_acting = 0 THEN
        RETURN ARRAY(SELECT s.site_id FROM radscheduler.site s WHERE v_code IS NULL OR s.code = v_code
                     UNION ALL SELECT 0 WHERE v_code IS NULL);
    END IF;
    RETURN ARRAY(SELECT s.site_id FROM radscheduler.site s
                 WHERE (v_code IS NULL OR s.code = v_code)
                   AND (v_whole OR EXISTS (SELECT FROM radscheduler.site_grant g JOIN pg_roles r ON r.rolname = g.role_name
                                           WHERE g.site_id = s.site_id AND pg_has_role(v_caller, r.oid, 'USAGE')))
                   AND (p_acting = 0 OR radscheduler.is_everywhere(p_acting)
                        OR EXISTS (SELECT FROM radscheduler.site_grant g JOIN pg_roles r ON r.rolname = g.role_name
                                   WHERE g.site_id = s.site_id AND pg_has_role(p_acting, r.oid, 'USAGE'))));
END
$$;

COMMENT ON FUNCTION radscheduler.sites_for(oid) IS
    'What visible_sites() asks: the sites of the caller, narrowed by those of another role (0 for none) and by the setting radscheduler.site. Whatever is given, never more than the caller''s.';

CREATE OR REPLACE FUNCTION radscheduler.visible_sites() RETURNS integer[]
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN radscheduler.sites_for(radscheduler.acting());

COMMENT ON FUNCTION radscheduler.visible_sites() IS
    'Ids of the sites whose rows may be used here: those granted to the caller''s roles, and to the owner of a SECURITY DEFINER function in between, narrowed by the setting radscheduler.site. 0, the database itself, is among them for callers of every site. The policies of all record tables ask it once per query.';

CREATE OR REPLACE FUNCTION radscheduler.require_site(p_site integer) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF p_site IS NULL OR NOT p_site = ANY (radscheduler.visible_sites()) THEN
        RAISE EXCEPTION 'this session may not use that site' USING ERRCODE = 'insufficient_privilege',
            HINT = 'A DBA grants it with radscheduler.grant_site(role, site); the setting radscheduler.site can only narrow.';
    END IF;
END
$$;

COMMENT ON FUNCTION radscheduler.require_site(integer) IS 'Raises 42501 unless the caller may use the site; the words are the same whether or not there is one.';

CREATE OR REPLACE FUNCTION radscheduler.require_every_site(p_what text) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF NOT radscheduler.sees_every_site() THEN
        RAISE EXCEPTION '% concerns every site, and this role was granted only some', p_what USING ERRCODE = 'insufficient_privilege',
            HINT = 'A DBA grants all sites with radscheduler.grant_site(role, ''*'').';
    END IF;
END
$$;

COMMENT ON FUNCTION radscheduler.require_every_site(text) IS 'Raises 42501 unless the caller may use every site; p_what names what was asked for.';

CREATE OR REPLACE FUNCTION radscheduler.default_zone() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN COALESCE(NULLIF(pg_catalog.current_setting('radscheduler.default_timezone', true), ''), 'UTC');

COMMENT ON FUNCTION radscheduler.default_zone() IS 'The setting radscheduler.default_timezone, else UTC.';

CREATE OR REPLACE FUNCTION radscheduler.check_role(p_kind text, p_role text) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF p_role IS NULL OR p_kind IS NOT DISTINCT FROM '' THEN
        RAISE EXCEPTION 'a kind and a role are needed' USING ERRCODE = 'null_value_not_allowed', HINT = 'SELECT radscheduler.grant_role(''reader'', ''name of the role'');';
    ELSIF p_kind IS NOT NULL AND (p_kind = 'public' OR NOT EXISTS (SELECT FROM radscheduler.role_right r WHERE r.kind = p_kind)) THEN
        RAISE EXCEPTION 'there is no kind of role "%"', p_kind USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Use reader, scheduler, ingest, analyst, auditor or admin.';
    ELSIF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = p_role) THEN
        RAISE EXCEPTION 'role "%" does not exist', p_role USING ERRCODE = 'undefined_object',
            HINT = 'CREATE ROLE first; the extension makes no roles of its own.';
    END IF;
END
$$;

COMMENT ON FUNCTION radscheduler.check_role(text, text) IS 'Raises 22023 for an unknown kind of role, 42704 for a role that does not exist.';

CREATE OR REPLACE FUNCTION radscheduler.write_rights(p_verb text, p_kind text, p_role text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_right record;
    v_name  text;
    v_to    text := CASE p_verb WHEN 'GRANT' THEN 'TO ' ELSE 'FROM ' END || CASE p_role WHEN 'public' THEN 'PUBLIC' ELSE quote_ident(p_role) END;
BEGIN
    FOR v_right IN SELECT r.object, r.rights, r.columns FROM radscheduler.role_right r WHERE r.kind = p_kind ORDER BY r.object LOOP
        IF v_right.object LIKE '%()' THEN
            FOR v_name IN SELECT p.oid::regprocedure::text FROM pg_proc p
                          WHERE p.pronamespace = 'radscheduler'::regnamespace AND p.proname = left(v_right.object, -2) ORDER BY 1 LOOP
                EXECUTE format('%s EXECUTE ON FUNCTION %s %s', p_verb, v_name, v_to);
            END LOOP;
        ELSIF to_regclass(format('radscheduler.%I', v_right.object)) IS NOT NULL THEN
            EXECUTE format('%s %s%s ON radscheduler.%I %s', p_verb, v_right.rights,
                           coalesce('(' || (SELECT string_agg(quote_ident(btrim(c)), ', ') FROM unnest(string_to_array(nullif(v_right.columns, ''), ',')) c) || ')', ''),
                           v_right.object, v_to);
        END IF;
    END LOOP;
END
$$;

COMMENT ON FUNCTION radscheduler.write_rights(text, text, text) IS 'GRANTs or REVOKEs (p_verb) everything role_right lists for a kind. Objects that do not exist yet are passed over.';

CREATE OR REPLACE FUNCTION radscheduler.grant_role(kind text, role text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM radscheduler.check_role(coalesce(grant_role.kind, ''), grant_role.role);
    PERFORM radscheduler.write_rights('GRANT', grant_role.kind, grant_role.role);
    INSERT INTO radscheduler.role_grant AS g (role_name, kind) VALUES (grant_role.role, grant_role.kind) ON CONFLICT DO NOTHING;
END
$$;

COMMENT ON FUNCTION radscheduler.grant_role(text, text) IS
    'Gives a role the rights of a kind: reader, scheduler, ingest, analyst, auditor or admin (docs/security.md has the table). A role may be of several kinds. Which sites it may use is grant_site()''s. migrate() gives it what later versions add.';

CREATE OR REPLACE FUNCTION radscheduler.revoke_role(kind text, role text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM radscheduler.check_role(coalesce(revoke_role.kind, ''), revoke_role.role);
    PERFORM radscheduler.write_rights('REVOKE', revoke_role.kind, revoke_role.role);
    DELETE FROM radscheduler.role_grant g WHERE g.role_name = revoke_role.role AND g.kind = revoke_role.kind;
    PERFORM radscheduler.write_rights('GRANT', g.kind, g.role_name) FROM radscheduler.role_grant g WHERE g.role_name = revoke_role.role;
END
$$;

COMMENT ON FUNCTION radscheduler.revoke_role(text, text) IS 'Takes the rights of a kind from a role, except those another of its kinds also gives.';

CREATE OR REPLACE FUNCTION radscheduler.apply_grants() RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_grant record;
    v_count integer := 0;
BEGIN
    FOR v_grant IN SELECT g.kind, g.role_name FROM radscheduler.role_grant g JOIN pg_roles r ON r.rolname = g.role_name ORDER BY g.role_name, g.kind LOOP
        PERFORM radscheduler.write_rights('GRANT', v_grant.kind, v_grant.role_name);
        v_count := v_count + 1;
    END LOOP;
    RETURN v_count;
END
$$;

COMMENT ON FUNCTION radscheduler.apply_grants() IS 'Gives every role of role_grant that exists the rights its kinds have in this version; returns how many. migrate() calls it; call it after a restore into a cluster whose roles were made later.';

CREATE OR REPLACE FUNCTION radscheduler.named_site(p_site text) RETURNS integer
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_site integer;
BEGIN
    IF p_site = '*' THEN
        RETURN NULL;
    END IF;
    SELECT s.site_id INTO v_site FROM radscheduler.site s WHERE s.code = p_site;
    IF v_site IS NULL THEN
        RAISE EXCEPTION 'there is no site "%"', p_site USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Give the code of a row in radscheduler.site, or * for every site.';
    END IF;
    RETURN v_site;
END
$$;

COMMENT ON FUNCTION radscheduler.named_site(text) IS 'Id of a site by its code; NULL for *, every site. Raises 22023.';

CREATE OR REPLACE FUNCTION radscheduler.grant_site(role text, site text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_site integer := radscheduler.named_site(grant_site.site);
BEGIN
    PERFORM radscheduler.check_role(NULL, grant_site.role);
    INSERT INTO radscheduler.site_grant AS g (site_id, role_name) VALUES (v_site, grant_site.role) ON CONFLICT DO NOTHING;
END
$$;

COMMENT ON FUNCTION radscheduler.grant_site(text, text) IS
    'Lets a role, and every role that inherits from it, use the rows of a site (its code, or * for all sites, future ones too). What it may do there is grant_role()''s.';

CREATE OR REPLACE FUNCTION radscheduler.revoke_site(role text, site text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_site integer := radscheduler.named_site(revoke_site.site);
BEGIN
    DELETE FROM radscheduler.site_grant g WHERE g.role_name = revoke_site.role AND g.site_id IS NOT DISTINCT FROM v_site;
END
$$;

COMMENT ON FUNCTION radscheduler.revoke_site(text, text) IS 'Takes back what grant_site() gave to this very role; * takes back only a grant of *.';

CREATE OR REPLACE FUNCTION radscheduler.secure_table(p_table regclass) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', p_table);
    EXECUTE format('CREATE POLICY any_row ON %s USING (true)', p_table);
    EXECUTE format('COMMENT ON POLICY any_row ON %s IS %L', p_table, 'Leaves the decision to the restrictive policy site_rows.');
    EXECUTE format('CREATE POLICY site_rows ON %s AS RESTRICTIVE USING (site_id = ANY ((SELECT radscheduler.visible_sites())::integer[])) '
                   'WITH CHECK (site_id = ANY ((SELECT radscheduler.visible_sites())::integer[]))', p_table);
    EXECUTE format('COMMENT ON POLICY site_rows ON %s IS %L', p_table, 'Rows of the sites the caller was granted, and no others.');
END
$$;

COMMENT ON FUNCTION radscheduler.secure_table(regclass) IS
    'Puts a record table (or a partition) under row-level security: a role sees and writes rows of its sites only, the owner included. The policy is restrictive, so that no policy of the site''s own can widen it.';

CREATE OR REPLACE FUNCTION radscheduler.revoke_default_privileges() RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_right record;
BEGIN
    FOR v_right IN
        SELECT DISTINCT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind, c.oid::regclass AS name,
               CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END AS role
        FROM pg_class c, aclexplode(c.relacl) x
        WHERE c.relnamespace = 'radscheduler'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'S') AND x.grantee <> c.relowner
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    LOOP
        EXECUTE format('REVOKE ALL ON %s %s FROM %s', v_right.kind, v_right.name, v_right.role);
    END LOOP;
END
$$;

COMMENT ON FUNCTION radscheduler.revoke_default_privileges() IS
    'Takes from new records what ALTER DEFAULT PRIVILEGES has handed out, before anybody was granted anything; provision() calls it.';

CREATE OR REPLACE FUNCTION radscheduler.settle_initial_rights() RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- Records first: none of their rights come with CREATE EXTENSION.
    DELETE FROM pg_init_privs i
        WHERE i.privtype = 'e' AND i.classoid = 'pg_class'::regclass
          AND EXISTS (SELECT FROM pg_class c WHERE c.oid = i.objoid AND c.relnamespace = 'radscheduler'::regnamespace)
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = i.classoid AND d.objid = i.objoid AND d.deptype = 'e');
    UPDATE pg_init_privs i
        SET initprivs = ARRAY(SELECT a FROM unnest(i.initprivs) a WHERE NOT EXISTS (SELECT FROM aclexplode(ARRAY[a]) x WHERE x.grantee NOT IN (0, o.owner)))
        FROM (SELECT 'pg_proc'::regclass, p.oid, p.proowner FROM pg_proc p WHERE p.pronamespace = 'radscheduler'::regnamespace
              UNION ALL SELECT 'pg_class'::regclass, c.oid, c.relowner FROM pg_class c WHERE c.relnamespace = 'radscheduler'::regnamespace
              UNION ALL SELECT 'pg_type'::regclass, t.oid, t.typowner FROM pg_type t WHERE t.typnamespace = 'radscheduler'::regnamespace
              UNION ALL SELECT 'pg_namespace'::regclass, n.oid, n.nspowner FROM pg_namespace n WHERE n.nspname = 'radscheduler') o(class, id, owner)
        WHERE i.privtype = 'e' AND i.classoid = o.class AND i.objoid = o.id
          AND EXISTS (SELECT FROM aclexplode(i.initprivs) x WHERE x.grantee NOT IN (0, o.owner));
    DELETE FROM pg_shdepend s
        WHERE s.deptype = 'i' AND s.dbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
          AND NOT EXISTS (SELECT FROM pg_init_privs i, aclexplode(i.initprivs) x
                          WHERE i.classoid = s.classid AND i.objoid = s.objid AND i.objsubid = s.objsubid AND x.grantee = s.refobjid);
END
$$;

COMMENT ON FUNCTION radscheduler.settle_initial_rights() IS
    'Last statement of an update script. Whatever rights an object has when a script of an extension grants or revokes something, PostgreSQL takes for the extension''s own (pg_init_privs), and pg_dump leaves out: the site''s grants, too. This leaves PUBLIC''s and the owner''s in that note.';

CREATE OR REPLACE FUNCTION radscheduler.storage_objects(OUT kind text, OUT name text, OUT is_code boolean) RETURNS SETOF record
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END,
       c.relname::text,
       c.relname IN ('storage_step', 'modality_catalogue', 'procedure_catalogue', 'status_alias', 'event_rule',
                     'warning_kind', 'conflict_kind', 'phone_region', 'role_right')
FROM pg_depend d
JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
WHERE d.deptype = 'e' AND e.extname = 'radscheduler' AND c.relkind IN ('r', 'p', 'v', 'S')
$$;

CREATE OR REPLACE FUNCTION radscheduler.attach_view(p_view text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM radscheduler.storage_objects() o WHERE o.name = p_view) THEN
        EXECUTE format('ALTER EXTENSION radscheduler ADD VIEW radscheduler.%I', p_view);
    END IF;
END
$$;

COMMENT ON FUNCTION radscheduler.attach_view(text) IS
    'Takes a view of the records into the extension for as long as migrate() runs: an update script may replace only what belongs to the extension, and dropping the view would take the site''s own views with it.';

CREATE OR REPLACE FUNCTION radscheduler.migrate() RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_step    record;
    v_current integer;
    v_count   integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('radscheduler.migrate'));
    v_current := radscheduler.storage_version();
    IF v_current = 0 THEN
        CREATE TABLE radscheduler.schema_version (
            version    integer     PRIMARY KEY,
            topic      text        NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT pg_catalog.now()
        );
        COMMENT ON TABLE  radscheduler.schema_version IS 'Storage steps applied to these records.';
        COMMENT ON COLUMN radscheduler.schema_version.version IS 'Step, see storage_step.';
        COMMENT ON COLUMN radscheduler.schema_version.topic IS 'What it laid out.';
        COMMENT ON COLUMN radscheduler.schema_version.applied_at IS 'When.';
    END IF;
    FOR v_step IN SELECT s.version, s.topic, s.script FROM radscheduler.storage_step s WHERE s.version > v_current ORDER BY s.version LOOP
        EXECUTE v_step.script;
        INSERT INTO radscheduler.schema_version (version, topic) VALUES (v_step.version, v_step.topic);
        v_count := v_count + 1;
    END LOOP;
    IF v_count > 0 THEN
        PERFORM radscheduler.make_partitions(p.parent) FROM unnest(ARRAY['hl7_message', 'event_log', 'audit_event']) p(parent);
    END IF;
    PERFORM radscheduler.detach_records();
    PERFORM radscheduler.renew_append_only();
    PERFORM radscheduler.apply_grants();
    RETURN v_count;
END
$$;

COMMENT ON FUNCTION radscheduler.migrate() IS
    'Applies the storage steps that this database lacks, all in the calling transaction, and renews the rights of roles; returns how many steps. Safe to call again, to interrupt, and by several sessions.';

CREATE OR REPLACE FUNCTION radscheduler.is_restoring() RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
SELECT current_setting('row_security') = 'off'
    OR EXISTS (SELECT FROM pg_settings s WHERE s.name = 'xmloption' AND s.source = 'session')
$$;

COMMENT ON FUNCTION radscheduler.is_restoring() IS
    'Whether this session runs a dump: pg_dump and pg_restore begin every session with SET row_security = off (but not with --enable-row-security) and SET xmloption, which nobody else does.';

CREATE OR REPLACE FUNCTION radscheduler.provision() RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF radscheduler.is_restoring() OR NOT coalesce(current_setting('radscheduler.auto_provision', true), 'on')::boolean THEN
        RETURN false;
    ELSIF radscheduler.storage_version() > 0 THEN
        RAISE EXCEPTION 'this database has radscheduler records already'
            USING ERRCODE = 'duplicate_object', HINT = 'SELECT radscheduler.migrate(); brings them up to this version.';
    END IF;
    PERFORM radscheduler.migrate();
    PERFORM radscheduler.revoke_default_privileges();
    PERFORM radscheduler.create_site('MAIN', 'Main site', NULL);
    PERFORM radscheduler.detach_records();
    RETURN true;
END
$$;

COMMENT ON FUNCTION radscheduler.provision() IS
    'Creates the records with one site, MAIN; CREATE EXTENSION calls it. Does nothing in a restore (see is_restoring()) or when radscheduler.auto_provision is off. Fails rather than adopt tables that are already there.';

CREATE OR REPLACE FUNCTION radscheduler.destroy_records(database text) RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_object record;
    v_count  integer := 0;
BEGIN
    IF destroy_records.database IS DISTINCT FROM current_database()::text THEN
        RAISE EXCEPTION 'the records of this database stay' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'To destroy every appointment, message and audit event, give the name of this very database.';
    END IF;
    PERFORM radscheduler.require_every_site('destroying the records');
    IF EXISTS (SELECT FROM radscheduler.legal_hold h WHERE h.lifted_at IS NULL) THEN
        RAISE EXCEPTION 'records of this database are under legal hold' USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'SELECT * FROM radscheduler.legal_hold WHERE lifted_at IS NULL; lift_hold() lifts them.';
    END IF;
    FOR v_object IN
        SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END AS kind, c.oid::regclass AS name
        FROM pg_class c
        WHERE c.relnamespace = 'radscheduler'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
        ORDER BY c.relkind = 'v' DESC, c.relname
    LOOP
        EXECUTE format('DROP %s IF EXISTS %s CASCADE', v_object.kind, v_object.name);
        v_count := v_count + 1;
    END LOOP;
    RETURN v_count;
END
$$;

COMMENT ON FUNCTION radscheduler.destroy_records(text) IS
    'Drops every table and view of schema radscheduler that is not code, with what depends on them; returns how many. Only after this can the extension be dropped. Give the name of the database, so that nobody does it in the wrong one; refused under legal hold.';

CREATE OR REPLACE FUNCTION radscheduler.drop_guard() RETURNS event_trigger
    AS 'MODULE_PATHNAME', 'rad_drop_guard' LANGUAGE c VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION radscheduler.drop_guard() IS 'Event trigger: raises 2BP01 for DROP EXTENSION or DROP SCHEMA radscheduler, CASCADE too, while records exist.';

CREATE EVENT TRIGGER radscheduler_drop_guard ON ddl_command_start WHEN TAG IN ('DROP EXTENSION', 'DROP SCHEMA', 'DROP OWNED')
    EXECUTE FUNCTION radscheduler.drop_guard();

COMMENT ON EVENT TRIGGER radscheduler_drop_guard IS 'Keeps the extension and its schema from being dropped under records.';

CREATE OR REPLACE FUNCTION radscheduler.create_site(code text, name text, timezone text) RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site integer;
BEGIN
    IF create_site.timezone IS NOT NULL AND NOT radscheduler.is_timezone(create_site.timezone) THEN
        RAISE EXCEPTION 'time zone "%" is not known', create_site.timezone
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Use an IANA name such as America/New_York; pg_timezone_names lists them.';
    END IF;
    PERFORM radscheduler.require_every_site('creating a site');
    INSERT INTO radscheduler.site (code, name, timezone) VALUES (create_site.code, create_site.name, create_site.timezone)
        RETURNING site_id INTO v_site;
    INSERT INTO radscheduler.modality (site_id, code, label, name, default_minutes)
        SELECT v_site, c.code, c.label, c.name, c.default_minutes FROM radscheduler.modality_catalogue c;
    INSERT INTO radscheduler.modality_alias (site_id, alias, code)
        SELECT v_site, a.alias, c.code FROM radscheduler.modality_catalogue c, unnest(c.aliases) a(alias);
    INSERT INTO radscheduler.procedure (site_id, code, name, modality, minutes)
        SELECT v_site, c.code, c.name, c.modality, c.minutes FROM radscheduler.procedure_catalogue c;
    INSERT INTO radscheduler.resource_hours (site_id, weekday, opens, closes)
        SELECT v_site, d, '07:00', '19:00' FROM generate_series(1, 5) d;
    PERFORM radscheduler.audit(v_site, 'site.created', 'site', v_site, jsonb_build_object('code', create_site.code));
    RETURN v_site;
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.current_site() RETURNS integer
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_code  text := nullif(current_setting('radscheduler.site', true), '');
    v_sites integer[] := array_remove(radscheduler.visible_sites(), 0);
BEGIN
    IF cardinality(v_sites) = 1 THEN
        RETURN v_sites[1];
    ELSIF v_code IS NOT NULL THEN
        RAISE EXCEPTION 'there is no site "%" for this role', v_code
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Set radscheduler.site to the code of a site this role was granted (radscheduler.grant_site).';
    ELSIF cardinality(v_sites) > 1 THEN
        RAISE EXCEPTION 'this role may use several sites and the session names none'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'SET radscheduler.site = ''code of the site'';';
    END IF;
    PERFORM radscheduler.refuse_without_site();
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION radscheduler.current_site() IS
    'The site this session works for: the setting radscheduler.site, or the only one its role may use. Raises 22023 when neither says, 42501 when there is none.';

CREATE OR REPLACE FUNCTION radscheduler.refuse_without_site() RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF radscheduler.sees_every_site() THEN
        RAISE EXCEPTION 'this database has no site' USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'SELECT radscheduler.create_site(''MAIN'', ''Main site'', ''America/New_York'');';
    END IF;
    RAISE EXCEPTION 'role "%" was granted no site', pg_get_userbyid(radscheduler.caller()) USING ERRCODE = 'insufficient_privilege',
        HINT = 'A DBA grants it: SELECT radscheduler.grant_site(''role'', ''code of the site, or *'');';
END
$$;

COMMENT ON FUNCTION radscheduler.refuse_without_site() IS 'Raises for a session without any site: 42501 for a role that was granted none, 55000 where there is none.';

CREATE OR REPLACE FUNCTION radscheduler.site_zone(p_site integer) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT coalesce((SELECT s.timezone FROM radscheduler.site s WHERE s.site_id = p_site), radscheduler.default_zone()));
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.sender_of(p_application text, p_facility text,
                                       OUT site_id integer, OUT sender_id bigint, OUT profile jsonb, OUT is_new boolean) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_sites integer[] := radscheduler.visible_sites();
BEGIN
    is_new := false;
    SELECT s.site_id, s.sender_id, s.profile INTO sender_of.site_id, sender_of.sender_id, sender_of.profile
        FROM radscheduler.sender s
        WHERE s.sending_application = p_application AND s.sending_facility = p_facility
          AND s.site_id = ANY (v_sites)
        ORDER BY s.is_registered DESC, s.sender_id LIMIT 1;
    IF FOUND THEN
        RETURN;
    END IF;
    sender_of.site_id := (SELECT min(v) FROM unnest(v_sites) v WHERE v > 0);
    IF sender_of.site_id IS NULL THEN
        PERFORM radscheduler.refuse_without_site();
    END IF;
    INSERT INTO radscheduler.sender (site_id, sending_application, sending_facility, is_registered)
        VALUES (sender_of.site_id, p_application, p_facility, false)
        ON CONFLICT DO NOTHING
        RETURNING sender.sender_id, sender.profile INTO sender_of.sender_id, sender_of.profile;
    IF sender_of.sender_id IS NOT NULL THEN
        is_new := true;
        PERFORM radscheduler.audit(sender_of.site_id, 'sender.created', 'sender', sender_of.sender_id, '{}');
        RETURN;
    END IF;
    SELECT s.sender_id, s.profile INTO sender_of.sender_id, sender_of.profile FROM radscheduler.sender s
        WHERE s.site_id = sender_of.site_id AND s.sending_application = p_application AND s.sending_facility = p_facility;
END
$$;

COMMENT ON FUNCTION radscheduler.sender_of(text, text) IS
    'The sender known by MSH-3 and MSH-4, with its site and profile. Only sites the caller may use are looked at; where several know the pair, a registered sender goes before others, then the older. An unknown pair is recorded at the session''s site, else at the first of them.';

CREATE OR REPLACE FUNCTION radscheduler.sender_registration() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF NEW.is_registered AND (TG_OP = 'INSERT' OR NOT OLD.is_registered) AND NOT radscheduler.sees_every_site() THEN
        NEW.is_registered := false;
    END IF;
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION radscheduler.sender_registration() IS
    'Trigger of sender: only who may use every site registers a sender, because a registered one decides which site its messages go to where a daemon serves several.';

CREATE OR REPLACE FUNCTION radscheduler.lock_key(p_name text, p_secret text) RETURNS integer
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN ('x' || pg_catalog.substr(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(p_secret || p_name, 'UTF8')), 'hex'), 1, 8))::bit(32)::integer;

COMMENT ON FUNCTION radscheduler.lock_key(text, text) IS 'Key of an advisory lock for a name: the first 32 bits of SHA-256 over the database''s secret and the name.';

CREATE OR REPLACE FUNCTION radscheduler.lock_secret() RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT s.secret FROM radscheduler.lock_secret s);
END
$$;

COMMENT ON FUNCTION radscheduler.lock_secret() IS 'The secret lock keys are made with; for functions of the extension.';

CREATE OR REPLACE FUNCTION radscheduler.lock_keys(names text[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_secret text := radscheduler.lock_secret();
    v_key    integer;
BEGIN
    FOR v_key IN SELECT DISTINCT radscheduler.lock_key(n, v_secret) FROM unnest(names) n WHERE n IS NOT NULL ORDER BY 1 LOOP
        PERFORM pg_advisory_xact_lock(7421001, v_key);
    END LOOP;
END
$$;

COMMENT ON FUNCTION radscheduler.lock_keys(text[]) IS 'Phase one: takes transaction locks on the names a request gives (appointment keys, patient identifiers), in ascending order of their keys.';

CREATE OR REPLACE FUNCTION radscheduler.lock_new_resources(p_site integer) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7421003, radscheduler.lock_key('resources/' || p_site, radscheduler.lock_secret()));
END
$$;

COMMENT ON FUNCTION radscheduler.lock_new_resources(integer) IS 'Between the phases: the transaction lock of a site under which unknown resources are recorded.';

CREATE OR REPLACE FUNCTION radscheduler.lock_subjects(p_site integer, resources bigint[], patients bigint[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_secret text := radscheduler.lock_secret();
    v_key    integer;
BEGIN
    FOR v_key IN
        SELECT radscheduler.lock_key(format('resource/%s/%s', p_site, r), v_secret) FROM unnest(resources) r WHERE r IS NOT NULL
        UNION
        SELECT radscheduler.lock_key(format('patient/%s/%s', p_site, p), v_secret) FROM unnest(patients) p WHERE p IS NOT NULL
        ORDER BY 1
    LOOP
        PERFORM pg_advisory_xact_lock(7421002, v_key);
    END LOOP;
END
$$;

COMMENT ON FUNCTION radscheduler.lock_subjects(integer, bigint[], bigint[]) IS 'Phase two: takes transaction locks on resources and patients, in ascending order of their keys.';

CREATE OR REPLACE FUNCTION radscheduler.audits_changes() RETURNS boolean
    AS 'MODULE_PATHNAME', 'rad_audits_changes' LANGUAGE c STABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION radscheduler.audits_changes() IS 'Whether row triggers audit here: the setting radscheduler.audit_changes.';

CREATE OR REPLACE FUNCTION radscheduler.audit(p_site integer, p_action text, p_object text, p_object_id bigint, p_detail jsonb DEFAULT '{}') RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    INSERT INTO radscheduler.audit_event (site_id, role_name, login_name, actor, purpose, trace_id, action, object, object_id, detail)
        VALUES (p_site, pg_get_userbyid(radscheduler.caller()), session_user, nullif(current_setting('radscheduler.actor', true), ''),
                nullif(current_setting('radscheduler.purpose', true), ''), nullif(current_setting('radscheduler.trace_id', true), ''),
                p_action, p_object, p_object_id, p_detail);
END
$$;

COMMENT ON FUNCTION radscheduler.audit(integer, text, text, bigint, jsonb) IS
    'Writes one event to the audit log: site (0 for the database itself), action, kind of object, its id, details without patient data. Role and login are PostgreSQL''s; actor, purpose and trace id are what the session says (radscheduler.actor, .purpose, .trace_id).';

CREATE OR REPLACE FUNCTION radscheduler.audit_change() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
DECLARE
    v_old    jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) ELSE '{}' END;
    v_new    jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) ELSE '{}' END;
    v_row    jsonb := CASE WHEN TG_OP <> 'DELETE' THEN v_new ELSE v_old END;
    v_keys   text[] := string_to_array(TG_ARGV[0], ',');
    v_detail jsonb;
BEGIN
    IF TG_ARGV[1] = 'values' THEN
        SELECT jsonb_object_agg(c.name, jsonb_build_array(v_old -> c.name, v_new -> c.name)) INTO v_detail
            FROM (SELECT jsonb_object_keys(v_old || v_new)) c(name) WHERE v_old -> c.name IS DISTINCT FROM v_new -> c.name;
    ELSE
        SELECT jsonb_agg(c.name ORDER BY c.name) INTO v_detail
            FROM (SELECT jsonb_object_keys(v_old || v_new)) c(name) WHERE TG_OP = 'UPDATE' AND v_old -> c.name IS DISTINCT FROM v_new -> c.name;
    END IF;
    IF TG_OP = 'UPDATE' AND v_detail IS NULL THEN
        RETURN NULL;
    ELSIF TG_OP = 'UPDATE' AND v_old -> 'site_id' IS DISTINCT FROM v_new -> 'site_id' THEN
        PERFORM radscheduler.audit(coalesce((v_old ->> 'site_id')::integer, 0), 'update', TG_ARGV[2], CASE WHEN v_old ->> v_keys[1] ~ '^[0-9]{1,18}$' THEN (v_old ->> v_keys[1])::bigint END,
            jsonb_build_object('key', (SELECT jsonb_object_agg(k, v_old -> k) FROM unnest(v_keys) k), 'direct', true, 'moved_to_another_site', true));
    END IF;
    PERFORM radscheduler.audit(coalesce((v_row ->> 'site_id')::integer, 0), lower(TG_OP), TG_ARGV[2], CASE WHEN v_row ->> v_keys[1] ~ '^[0-9]{1,18}$' THEN (v_row ->> v_keys[1])::bigint END,
        jsonb_build_object('key', (SELECT jsonb_object_agg(k, v_row -> k) FROM unnest(v_keys) k), 'direct', true)
        || CASE WHEN v_detail IS NULL THEN '{}' ELSE jsonb_build_object('columns', v_detail) END);
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION radscheduler.audit_change() IS
    'Row trigger: audits a change somebody made to a table directly. Arguments: key columns without patient data, ''values'' to keep old and new values (configuration) or ''names'' for the names of changed columns, name of the table.';

CREATE OR REPLACE FUNCTION radscheduler.audit_truncate() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
BEGIN
    PERFORM radscheduler.audit(0, 'truncate', TG_TABLE_NAME, NULL, '{"direct": true}');
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION radscheduler.audit_truncate() IS 'Statement trigger: audits TRUNCATE of a record table.';

CREATE OR REPLACE FUNCTION radscheduler.refuse_change() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only: % is refused', TG_OP
        USING ERRCODE = 'insufficient_privilege', HINT = 'Old months leave by retention: see radscheduler.set_retention() and maintain().';
END
$$;

COMMENT ON FUNCTION radscheduler.refuse_change() IS 'Trigger of the audit tables: raises 42501 for UPDATE, DELETE and TRUNCATE, whoever asks.';

CREATE OR REPLACE FUNCTION radscheduler.audit_table(p_table text, p_keys text, p_mode text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER audit_change AFTER INSERT OR UPDATE OR DELETE ON radscheduler.%I FOR EACH ROW '
                   'WHEN (radscheduler.audits_changes()) EXECUTE FUNCTION radscheduler.audit_change(%L, %L, %L)', p_table, p_keys, p_mode, p_table);
    EXECUTE format('COMMENT ON TRIGGER audit_change ON radscheduler.%I IS %L', p_table, 'Audits rows that somebody changes directly.');
    EXECUTE format('CREATE TRIGGER audit_truncate AFTER TRUNCATE ON radscheduler.%I FOR EACH STATEMENT EXECUTE FUNCTION radscheduler.audit_truncate()', p_table);
    EXECUTE format('COMMENT ON TRIGGER audit_truncate ON radscheduler.%I IS %L', p_table, 'Audits TRUNCATE.');
END
$$;

COMMENT ON FUNCTION radscheduler.audit_table(text, text, text) IS 'Puts the audit triggers on a record table: its key columns (comma-separated, no patient data among them), and values or names.';

CREATE OR REPLACE FUNCTION radscheduler.audit_partition(p_partition regclass) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER audit_truncate AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION radscheduler.audit_truncate()', p_partition);
    EXECUTE format('COMMENT ON TRIGGER audit_truncate ON %s IS %L', p_partition, 'Audits TRUNCATE.');
END
$$;

COMMENT ON FUNCTION radscheduler.audit_partition(regclass) IS 'Audits TRUNCATE of a partition, which does not fire the trigger of its parent; row triggers come from there.';

CREATE OR REPLACE FUNCTION radscheduler.make_append_only(p_table regclass, p_rows boolean) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF p_rows THEN
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION radscheduler.refuse_change()', p_table);
        EXECUTE format('COMMENT ON TRIGGER append_only ON %s IS %L', p_table, 'Refuses UPDATE and DELETE.');
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER append_only', p_table);
    END IF;
    EXECUTE format('CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION radscheduler.refuse_change()', p_table);
    EXECUTE format('COMMENT ON TRIGGER append_only_truncate ON %s IS %L', p_table, 'Refuses TRUNCATE.');
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER append_only_truncate', p_table);
END
$$;

COMMENT ON FUNCTION radscheduler.make_append_only(regclass, boolean) IS
    'Puts the triggers on a table of the audit log that refuse to change what is there. p_rows is false for a partition, whose row trigger comes from its parent.';

CREATE OR REPLACE FUNCTION radscheduler.renew_append_only() RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_trigger record;
    v_count   integer := 0;
BEGIN
    FOR v_trigger IN
        SELECT t.tgrelid::regclass AS name, t.tgname FROM pg_trigger t
        WHERE t.tgfoid = 'radscheduler.refuse_change()'::regprocedure AND t.tgenabled <> 'A' ORDER BY 1
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', v_trigger.name, v_trigger.tgname);
        v_count := v_count + 1;
    END LOOP;
    RETURN v_count;
END
$$;

COMMENT ON FUNCTION radscheduler.renew_append_only() IS
    'Makes the triggers of make_append_only() fire always again; returns how many did not. pg_restore --disable-triggers leaves them as ordinary ones.';

CREATE OR REPLACE FUNCTION radscheduler.audit_digest(e jsonb) RETURNS bytea
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN pg_catalog.sha256(pg_catalog.convert_to(e::text, 'UTF8'));

COMMENT ON FUNCTION radscheduler.audit_digest(jsonb) IS 'SHA-256 of an event in its canonical form, see audit_canonical().';

CREATE OR REPLACE FUNCTION radscheduler.audit_canonical(site_id integer, audit_id bigint, xid xid8, recorded_at timestamptz, role_name text, login_name text, actor text,
                                             purpose text, trace_id text, action text, object text, object_id bigint, detail jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN pg_catalog.jsonb_build_array(site_id, audit_id, xid::text, EXTRACT(epoch FROM recorded_at), role_name, login_name, actor, purpose, trace_id, action,
                                        object, object_id, detail);

COMMENT ON FUNCTION radscheduler.audit_canonical(integer, bigint, xid8, timestamptz, text, text, text, text, text, text, text, bigint, jsonb) IS
    'Every column of an audit event in a fixed order: the form that is digested. Independent of zone and of later columns.';

CREATE OR REPLACE FUNCTION radscheduler.seal_digest(p_previous bytea, p_site integer, p_seal bigint, p_month date, p_era integer, p_horizon xid8, p_next xid8, p_sealed timestamptz,
                                         p_events bigint[], p_digests bytea) RETURNS bytea
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN pg_catalog.sha256(COALESCE(p_previous, '\x'::bytea)
        OPERATOR(pg_catalog.||) pg_catalog.convert_to(pg_catalog.jsonb_build_array(p_site, p_seal, EXTRACT(epoch FROM p_month), p_era, p_horizon::text, p_next::text,
                                                                                             EXTRACT(epoch FROM p_sealed), pg_catalog.to_jsonb(p_events))::text, 'UTF8')
        OPERATOR(pg_catalog.||) p_digests);

COMMENT ON FUNCTION radscheduler.seal_digest(bytea, integer, bigint, date, integer, xid8, xid8, timestamptz, bigint[], bytea) IS 'SHA-256 that a seal carries: of the seal before it and of everything it states.';

CREATE OR REPLACE FUNCTION radscheduler.full_xid(p_xid xid, p_next xid8) RETURNS xid8
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN (p_next::text::numeric - pg_catalog.mod(pg_catalog.mod(p_next::text::numeric - p_xid::text::numeric, 4294967296) + 4294967296, 4294967296))::text::xid8;

COMMENT ON FUNCTION radscheduler.full_xid(xid, xid8) IS 'The full id of a past transaction of which a row holds the lower 32 bits (xmin); p_next is one that has not begun.';

CREATE OR REPLACE FUNCTION radscheduler.audit_era() RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_cluster text := (SELECT c.system_identifier::text FROM pg_control_system() c);
    v_next    xid8;
    v_era     record;
BEGIN
    SELECT e.era, e.cluster_id INTO v_era FROM radscheduler.audit_era e ORDER BY e.era DESC LIMIT 1;
    IF v_era.cluster_id = v_cluster THEN
        RETURN v_era.era;
    END IF;
    -- What was restored belongs to the past. Events written here since then have the transaction id of a transaction that came after the one that
    -- restored this very table, and that stored them, itself or in a subtransaction. Writers wait a moment, so that one event id parts the two.
    LOCK TABLE radscheduler.audit_event IN SHARE MODE;
    v_next := pg_snapshot_xmax(pg_current_snapshot());
    INSERT INTO radscheduler.audit_era (era, cluster_id, barrier, horizon)
        SELECT coalesce(v_era.era, 0) + 1, v_cluster, coalesce(max(a.audit_id), 0), pg_snapshot_xmin(pg_current_snapshot())
        FROM radscheduler.audit_event a
        WHERE a.xid <= (SELECT radscheduler.full_xid(e.xmin, v_next) FROM radscheduler.audit_era e ORDER BY 1 DESC LIMIT 1)
           OR a.xid > radscheduler.full_xid(a.xmin, v_next);
    PERFORM radscheduler.audit(0, 'audit.era', 'audit_era', e.era, jsonb_build_object('cluster_id', e.cluster_id, 'barrier', e.barrier, 'begun_at', extract(epoch FROM e.begun_at)))
        FROM radscheduler.audit_era e WHERE e.era = coalesce(v_era.era, 0) + 1;
    RETURN coalesce(v_era.era, 0) + 1;
END
$$;

COMMENT ON FUNCTION radscheduler.audit_era() IS 'Number of the era in this cluster (pg_control_system); begins a new one after a restore into another. Call it under the lock of audit_seal_pending().';

CREATE OR REPLACE FUNCTION radscheduler.audit_seal_pending() RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC'
    AS $$
DECLARE
    c_batch   constant integer := 5000;
    v_before  integer;
    v_era     integer;
    v_begin   record;
    v_horizon xid8;
    v_next    xid8;
    v_now     timestamptz;
    v_is_first boolean;
    v_group   record;
    v_last    record;
    v_sealed  bigint := 0;
BEGIN
    LOCK TABLE radscheduler.audit_era IN SHARE ROW EXCLUSIVE MODE; -- one sealer at a time; nobody else has a right on this table
    SELECT max(e.era) INTO v_before FROM radscheduler.audit_era e;
    v_era := radscheduler.audit_era();
    SELECT e.barrier, e.horizon INTO v_begin FROM radscheduler.audit_era e WHERE e.era = v_era;
    -- Everything sealed here was committed by now; a transaction with a later id than ours, which we take only now, numbers its events later.
    v_is_first := pg_current_xact_id_if_assigned() IS NULL;
    SELECT pg_snapshot_xmin(pg_current_snapshot()), clock_timestamp() INTO v_horizon, v_now;
    v_next := CASE WHEN v_is_first THEN pg_current_xact_id() ELSE '4611686018427387904'::xid8 END;
    FOR v_group IN
        WITH seen AS (
            SELECT DISTINCT ON (s.site_id) s.site_id, s.horizon FROM radscheduler.audit_seal s WHERE s.era = v_era ORDER BY s.site_id, s.seal_no DESC
        ), pending AS (
            SELECT a.site_id, a.audit_id, a.recorded_at,
                   radscheduler.audit_digest(radscheduler.audit_canonical(a.site_id, a.audit_id, a.xid, a.recorded_at, a.role_name, a.login_name, a.actor,
                                                                          a.purpose, a.trace_id, a.action, a.object, a.object_id, a.detail)) AS digest
            FROM radscheduler.audit_event a LEFT JOIN seen n ON n.site_id = a.site_id
            WHERE v_era = v_before AND a.audit_id > v_begin.barrier AND a.xid >= coalesce(n.horizon, v_begin.horizon) AND a.xid < v_horizon
            UNION ALL
            -- A new era begins: whatever no era has sealed.
            SELECT a.site_id, a.audit_id, a.recorded_at,
                   radscheduler.audit_digest(radscheduler.audit_canonical(a.site_id, a.audit_id, a.xid, a.recorded_at, a.role_name, a.login_name, a.actor,
                                                                          a.purpose, a.trace_id, a.action, a.object, a.object_id, a.detail))
            FROM radscheduler.audit_event a
            WHERE v_era > v_before AND (a.audit_id <= v_begin.barrier OR a.xid < v_horizon)
              AND NOT EXISTS (SELECT FROM (SELECT unnest(s.event_ids) FROM radscheduler.audit_seal s) k(id) WHERE k.id = a.audit_id)
        ), numbered AS (
            SELECT p.*, date_trunc('month', p.recorded_at)::date AS month,
                   (row_number() OVER (PARTITION BY p.site_id, date_trunc('month', p.recorded_at) ORDER BY p.audit_id) - 1) / c_batch AS batch
            FROM pending p
        )
        SELECT n.site_id, n.month, array_agg(n.audit_id ORDER BY n.audit_id) AS events, string_agg(n.digest, ''::bytea ORDER BY n.audit_id) AS digests
        FROM numbered n GROUP BY n.site_id, n.month, n.batch ORDER BY n.site_id, n.month, n.batch
    LOOP
        SELECT s.seal_no, s.digest INTO v_last FROM radscheduler.audit_seal s WHERE s.site_id = v_group.site_id ORDER BY s.seal_no DESC LIMIT 1;
        INSERT INTO radscheduler.audit_seal (site_id, seal_no, month, era, horizon, next_xid, sealed_at, event_ids, event_digests, previous_digest, digest)
            VALUES (v_group.site_id, coalesce(v_last.seal_no, 0) + 1, v_group.month, v_era, v_horizon, v_next, v_now, v_group.events, v_group.digests, v_last.digest,
                    radscheduler.seal_digest(v_last.digest, v_group.site_id, coalesce(v_last.seal_no, 0) + 1, v_group.month, v_era, v_horizon, v_next, v_now, v_group.events, v_group.digests));
        v_sealed := v_sealed + cardinality(v_group.events);
    END LOOP;
    RETURN v_sealed;
END
$$;

COMMENT ON FUNCTION radscheduler.audit_seal_pending() IS
    'Seals the audit events that were committed since the last time; returns how many. Writers neither wait for it nor for each other. maintain() calls it.';

CREATE OR REPLACE FUNCTION radscheduler.audit_is_sealed(p_partition regclass) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_open boolean;
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT FROM %s a WHERE NOT EXISTS (SELECT FROM (SELECT unnest(s.event_ids) FROM radscheduler.audit_seal s) k(id) WHERE k.id = a.audit_id))', p_partition)
        INTO v_open;
    RETURN NOT v_open;
END
$$;

COMMENT ON FUNCTION radscheduler.audit_is_sealed(regclass) IS 'Whether every event of a partition of audit_event is in a seal, so that retention may drop it.';

CREATE OR REPLACE FUNCTION radscheduler.audit_head(OUT site_id integer, OUT seal_no bigint, OUT digest text, OUT sealed_at timestamptz, OUT pending bigint) RETURNS SETOF record
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
SELECT s.site_id, s.seal_no, encode(s.digest, 'hex'), s.sealed_at,
       (SELECT count(*) FROM radscheduler.audit_event a
        WHERE a.site_id = s.site_id AND a.audit_id > (SELECT max(e.barrier) FROM radscheduler.audit_era e) AND a.xid >= s.horizon)
FROM (SELECT DISTINCT ON (x.site_id) x.* FROM radscheduler.audit_seal x
      WHERE x.site_id = ANY (radscheduler.visible_sites()) ORDER BY x.site_id, x.seal_no DESC) s
ORDER BY s.site_id
$$;

COMMENT ON FUNCTION radscheduler.audit_head() IS
    'The last seal of each site the caller may see, and how many events wait for the next one. Note it down outside the database: audit_verify() then also finds a log that was cut off at its end.';

CREATE OR REPLACE FUNCTION radscheduler.audit_verify(anchors jsonb DEFAULT '[]', OUT site_id integer, OUT seal_no bigint, OUT audit_id bigint, OUT problem text) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC'
    AS $$
#variable_conflict use_column
DECLARE
    v_sites   integer[] := radscheduler.visible_sites();
    v_era     record;
    v_here    boolean;
    v_dropped date[];
BEGIN
    SELECT e.era, e.barrier, e.cluster_id INTO v_era FROM radscheduler.audit_era e ORDER BY e.era DESC LIMIT 1;
    -- Restored elsewhere and not sealed there yet: transaction ids of new events cannot be compared with the horizon of the old era.
    v_here := v_era.cluster_id = (SELECT c.system_identifier::text FROM pg_control_system() c);
    -- A month that retention says it dropped: over for a month by then, and gone as a whole.
    v_dropped := ARRAY(SELECT k.month FROM radscheduler.audit_event a, LATERAL (SELECT (a.detail ->> 'month' || '-01')::date) k(month)
                       WHERE a.site_id = 0 AND a.action = 'retention.drop' AND a.object = 'audit_event' AND a.recorded_at >= k.month + interval '2 months'
                         AND NOT EXISTS (SELECT FROM radscheduler.audit_event x WHERE x.recorded_at >= k.month AND x.recorded_at < k.month + interval '1 month'));
    RETURN QUERY
    WITH seal AS MATERIALIZED (
        SELECT s.*, lag(s.digest) OVER w AS digest_before, lag(s.seal_no) OVER w AS number_before
        FROM radscheduler.audit_seal s WHERE s.site_id = ANY (v_sites) WINDOW w AS (PARTITION BY s.site_id ORDER BY s.seal_no)
    ), sealed AS MATERIALIZED (
        SELECT s.site_id, s.seal_no, s.month, u.id, substring(s.event_digests FROM (32 * (u.place - 1) + 1)::integer FOR 32) AS digest
        FROM seal s, unnest(s.event_ids) WITH ORDINALITY u(id, place)
    ), present AS MATERIALIZED (
        SELECT a.site_id, a.audit_id AS id, a.xid, a.recorded_at,
               radscheduler.audit_digest(radscheduler.audit_canonical(a.site_id, a.audit_id, a.xid, a.recorded_at, a.role_name, a.login_name, a.actor,
                                                                      a.purpose, a.trace_id, a.action, a.object, a.object_id, a.detail)) AS digest
        FROM radscheduler.audit_event a WHERE a.site_id = ANY (v_sites)
    ), run AS (
        -- One run of the sealer in one era of a site: what was sealed by then, and what the clocks said.
        SELECT s.site_id, s.era, min(s.seal_no) AS first_no, max(s.seal_no) AS last_no, s.horizon, s.next_xid, max(s.sealed_at) AS sealed_at,
               max((SELECT max(e) FROM unnest(s.event_ids) e)) AS last_id
        FROM seal s GROUP BY s.site_id, s.era, s.horizon, s.next_xid
    ), step AS (
        SELECT r.*, lag(r.horizon) OVER w AS horizon_before, lag(r.next_xid) OVER w AS next_before, lag(r.sealed_at) OVER w AS sealed_before, lag(r.last_id) OVER w AS id_before
        FROM run r WINDOW w AS (PARTITION BY r.site_id, r.era ORDER BY r.last_no)
    ), edge AS (
        SELECT DISTINCT ON (r.site_id, r.era) r.site_id, r.era, r.horizon, r.next_xid, r.sealed_at, r.last_id FROM run r ORDER BY r.site_id, r.era, r.last_no DESC
    ), placed AS (
        -- Each event beside the run before it, of the era it was written in: what a new era took over belongs to the one before. The first run of
        -- an era comes after everything of the one before, whatever transaction ids say.
        SELECT p.site_id, e.seal_no, p.id, p.xid, p.recorded_at, e.id IS NULL AS is_pending, b.is_old AND p.recorded_at < l.at - interval '1 hour' AS is_late,
               CASE WHEN b.is_old THEN o.horizon WHEN t.id_before IS NOT NULL THEN t.horizon_before WHEN e.id IS NULL AND v_here THEN g.horizon END AS horizon,
               CASE WHEN b.is_old THEN o.next_xid WHEN t.id_before IS NOT NULL THEN t.next_before WHEN e.id IS NULL AND v_here THEN g.next_xid ELSE '0'::xid8 END AS next_xid,
               CASE WHEN b.is_old THEN o.sealed_at WHEN t.id_before IS NOT NULL THEN t.sealed_before WHEN e.id IS NULL AND v_here THEN g.sealed_at ELSE o.sealed_at END AS sealed_at,
               CASE WHEN b.is_old THEN o.last_id WHEN t.id_before IS NOT NULL THEN t.id_before WHEN e.id IS NULL AND v_here THEN g.last_id ELSE o.last_id END AS last_id
        FROM present p
        LEFT JOIN sealed e ON e.id = p.id AND e.site_id = p.site_id
        LEFT JOIN step t ON t.site_id = e.site_id AND e.seal_no BETWEEN t.first_no AND t.last_no
        LEFT JOIN radscheduler.audit_era w ON w.era = coalesce(t.era, v_era.era)
        CROSS JOIN LATERAL (SELECT p.id <= w.barrier AND w.era > 1) b(is_old)
        LEFT JOIN edge g ON g.site_id = p.site_id AND g.era = w.era
        LEFT JOIN edge o ON o.site_id = p.site_id AND o.era = w.era - 1
        LEFT JOIN LATERAL (SELECT max(r.sealed_at) AS at FROM edge r WHERE r.site_id = p.site_id AND r.era < w.era) l ON true
    ), found AS (
        SELECT s.site_id, s.seal_no, NULL::bigint AS id, 'the seal was altered' AS what FROM seal s
        WHERE s.digest IS DISTINCT FROM radscheduler.seal_digest(s.previous_digest, s.site_id, s.seal_no, s.month, s.era, s.horizon, s.next_xid, s.sealed_at, s.event_ids, s.event_digests)
           OR octet_length(s.event_digests) IS DISTINCT FROM 32 * cardinality(s.event_ids)
        UNION ALL
        SELECT s.site_id, s.seal_no, NULL, 'the seal does not follow the one before it: a seal was removed, replaced or reordered' FROM seal s
        WHERE s.previous_digest IS DISTINCT FROM s.digest_before OR s.seal_no IS DISTINCT FROM coalesce(s.number_before, 0) + 1
        UNION ALL
        SELECT e.site_id, e.seal_no, e.id, CASE WHEN p.id IS NULL THEN 'the event was removed' ELSE 'the event was altered' END
        FROM sealed e LEFT JOIN present p ON p.id = e.id AND p.site_id = e.site_id
        WHERE p.digest IS DISTINCT FROM e.digest AND NOT (p.id IS NULL AND e.month = ANY (v_dropped))
        UNION ALL
        SELECT p.site_id, p.seal_no, p.id, 'the event was inserted into the past' FROM placed p
        WHERE p.is_pending AND v_here AND p.id <= v_era.barrier
           OR p.is_late OR p.xid < p.horizon
           OR p.xid >= p.next_xid AND (p.id <= p.last_id OR p.recorded_at < p.sealed_at - interval '5 minutes')
        UNION ALL
        SELECT 0, NULL, NULL, format('era %s of the audit log is not told in it', e.era) FROM radscheduler.audit_era e
        WHERE e.era > 1 AND 0 = ANY (v_sites)
          AND NOT EXISTS (SELECT FROM radscheduler.audit_event a WHERE a.site_id = 0 AND a.action = 'audit.era' AND a.object_id = e.era
                          AND a.detail = jsonb_build_object('cluster_id', e.cluster_id, 'barrier', e.barrier, 'begun_at', extract(epoch FROM e.begun_at)))
        UNION ALL
        SELECT (k ->> 'site_id')::integer, (k ->> 'seal_no')::bigint, NULL, 'the seal noted outside is missing or differs: the log was cut off or replaced'
        FROM jsonb_array_elements(anchors) k
        WHERE (k ->> 'site_id')::integer = ANY (v_sites)
          AND NOT EXISTS (SELECT FROM seal s WHERE s.site_id = (k ->> 'site_id')::integer AND s.seal_no = (k ->> 'seal_no')::bigint AND encode(s.digest, 'hex') = k ->> 'digest')
    )
    SELECT f.site_id, f.seal_no, f.id, f.what FROM found f ORDER BY f.site_id, f.seal_no NULLS LAST, f.id;
END
$$;

COMMENT ON FUNCTION radscheduler.audit_verify(jsonb) IS
    'Compares the audit log of the caller''s sites with its seals; no rows when it is whole. One row for each event altered, removed or inserted, and for each seal altered, removed or reordered. An event is held against the seal before it as well: written by a later transaction it must have a later number and time. anchors: what audit_head() gave earlier, as a JSON array [{site_id, seal_no, digest}]; those of other sites are passed over. Events of months that retention dropped are not missed.';

CREATE OR REPLACE FUNCTION radscheduler.settle(p_site integer, p_appointment bigint, p_resources bigint[], p_patients bigint[],
                                    p_message bigint DEFAULT NULL) RETURNS radscheduler.severity
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_partners bigint[];
    v_worst    radscheduler.severity;
    v_new      bigint[];
    v_healed   bigint[];
    v_audited  bigint;
    v_alternatives jsonb;
BEGIN
    -- Whoever was in conflict with it: only they can gain from its leaving.
    SELECT array_agg(DISTINCT u.id) INTO v_partners FROM (
        SELECT c.other_appointment_id FROM radscheduler.conflict c WHERE c.site_id = p_site AND c.appointment_id = p_appointment AND c.state <> 'resolved'
        UNION ALL
        SELECT c.appointment_id FROM radscheduler.conflict c WHERE c.site_id = p_site AND c.other_appointment_id = p_appointment AND c.state <> 'resolved') u(id);
    -- In the ordinary case nothing was, is, or comes to be in conflict: an overbooked lane, its own or one it overlaps, tells.
    IF v_partners IS NULL AND NOT EXISTS (
            SELECT FROM radscheduler.occupancy o
            LEFT JOIN radscheduler.resource r ON o.axis = 'resource' AND r.site_id = o.site_id AND r.resource_id = o.subject_id
            WHERE o.site_id = p_site AND o.appointment_id = p_appointment
              AND (o.lane >= coalesce(r.capacity, 1)
                   OR EXISTS (SELECT FROM radscheduler.conflict c WHERE c.site_id = o.site_id AND c.axis = o.axis AND c.subject_id = o.subject_id AND c.state <> 'resolved')
                      AND EXISTS (SELECT FROM radscheduler.occupancy q
                                  WHERE q.site_id = o.site_id AND q.axis = o.axis AND q.subject_id = o.subject_id AND q.buffered && o.buffered
                                    AND q.lane >= coalesce(r.capacity, 1)))) THEN
        RETURN NULL;
    END IF;

    PERFORM FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = ANY (v_partners) ORDER BY a.appointment_id FOR UPDATE;
    PERFORM radscheduler.replace_overbooked(p_site, v_partners, p_resources, p_patients);

    WITH pair AS MATERIALIZED (
        SELECT * FROM radscheduler.conflict_pairs(p_site, p_appointment, p_appointment || v_partners, p_resources, p_patients)
    ), gone AS (
        UPDATE radscheduler.conflict c SET state = 'resolved', resolved_at = now()
        WHERE c.site_id = p_site AND c.state <> 'resolved'
          AND (c.appointment_id = ANY (p_appointment || v_partners) OR c.other_appointment_id = ANY (p_appointment || v_partners))
          AND (c.axis = 'resource' AND c.subject_id = ANY (p_resources) OR c.axis = 'patient' AND c.subject_id = ANY (p_patients))
          AND NOT EXISTS (SELECT FROM pair p WHERE p.axis = c.axis AND p.subject_id = c.subject_id
                          AND p.later_id IN (c.appointment_id, c.other_appointment_id)
                          AND p.earlier_id IN (c.appointment_id, c.other_appointment_id))
        RETURNING c.conflict_id, c.code, c.appointment_id, c.other_appointment_id
    ), opened AS (
        INSERT INTO radscheduler.conflict (site_id, code, severity, axis, subject_id, appointment_id, other_appointment_id, overlap)
        SELECT p_site, p.code, p.severity, p.axis, p.subject_id, p.later_id, p.earlier_id, p.overlap FROM pair p
        ON CONFLICT DO NOTHING
        RETURNING conflict_id, code, severity, appointment_id, other_appointment_id
    ), told AS (
        INSERT INTO radscheduler.event_log (site_id, type, appointment_id, message_id, data)
        SELECT p_site, 'conflict.resolved', g.appointment_id, p_message,
               jsonb_build_object('conflict_id', g.conflict_id, 'code', g.code, 'with', g.other_appointment_id) FROM gone g
        UNION ALL
        SELECT p_site, 'conflict.detected', o.appointment_id, p_message,
               jsonb_build_object('conflict_id', o.conflict_id, 'code', o.code, 'severity', o.severity, 'with', o.other_appointment_id) FROM opened o
    ), audited AS (
        SELECT radscheduler.audit(p_site, c.action, 'conflict', c.id, jsonb_build_object('appointment_id', p_appointment, 'message_id', p_message))
        FROM (SELECT 'conflict.resolved', g.conflict_id FROM gone g UNION ALL SELECT 'conflict.detected', o.conflict_id FROM opened o) c(action, id)
    )
    SELECT (SELECT array_agg(o.conflict_id) FROM opened o WHERE o.appointment_id = p_appointment AND o.severity = 'critical'),
           (SELECT array_agg(DISTINCT g.appointment_id) FROM gone g), (SELECT count(*) FROM audited)
        INTO v_new, v_healed, v_audited;

    IF v_new IS NOT NULL THEN
        v_alternatives := radscheduler.alternatives(p_site, p_appointment);
        UPDATE radscheduler.conflict c SET alternatives = v_alternatives
            WHERE c.site_id = p_site AND c.conflict_id = ANY (v_new);
    END IF;
    PERFORM radscheduler.lift_reviews(p_site, v_healed, p_message);
    SELECT max(c.severity) INTO v_worst FROM radscheduler.conflict c
        WHERE c.site_id = p_site AND c.appointment_id = p_appointment AND c.state = 'open';
    RETURN v_worst;
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.record_version(p_site integer, p_appointment bigint, p_event text, p_message bigint, p_details jsonb DEFAULT '{}') RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    INSERT INTO radscheduler.appointment_history (site_id, appointment_id, version, event, message_id, actor, snapshot)
    SELECT a.site_id, a.appointment_id, a.version, p_event, p_message, pg_get_userbyid(radscheduler.caller()),
           jsonb_build_object('appointment', to_jsonb(a),
               'services', coalesce((SELECT jsonb_agg(to_jsonb(s) - 'site_id' - 'appointment_id' ORDER BY s.position) FROM radscheduler.appointment_service s
                                     WHERE s.site_id = a.site_id AND s.appointment_id = a.appointment_id), '[]'),
               'resources', coalesce((SELECT jsonb_agg(to_jsonb(r) - 'site_id' - 'appointment_id' ORDER BY r.position) FROM radscheduler.appointment_resource r
                                      WHERE r.site_id = a.site_id AND r.appointment_id = a.appointment_id), '[]'))
    FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointment;
    INSERT INTO radscheduler.event_log (site_id, type, appointment_id, message_id, data)
    SELECT a.site_id, p_event, a.appointment_id, p_message,
           jsonb_strip_nulls(jsonb_build_object('version', a.version, 'status', a.status, 'modality', a.modality, 'starts_at', a.starts_at, 'ends_at', a.ends_at)) || p_details
    FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointment;
    PERFORM radscheduler.audit(p_site, p_event, 'appointment', p_appointment, jsonb_build_object('message_id', p_message, 'version',
        (SELECT a.version FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointment)));
END
$$;

COMMENT ON FUNCTION radscheduler.record_version(integer, bigint, text, bigint, jsonb) IS
    'Writes the present version of an appointment to its history and tells it in event_log and the audit log, without patient data there.';

CREATE OR REPLACE FUNCTION radscheduler.conflicts_of(p_site integer, p_appointment bigint) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM radscheduler.conflict x WHERE x.site_id = p_site AND x.appointment_id = p_appointment AND x.state <> 'resolved')
       AND NOT EXISTS (SELECT FROM radscheduler.conflict x WHERE x.site_id = p_site AND x.other_appointment_id = p_appointment AND x.state <> 'resolved')
       OR NOT p_site = ANY (radscheduler.visible_sites()) THEN
        RETURN '[]';
    END IF;
    RETURN (SELECT coalesce(jsonb_agg(jsonb_build_object(
               'code', g.code, 'severity', g.severity, 'axis', g.axis, 'resource', g.resource, 'with', g.partners, 'overlap_min', g.overlap_min,
               'message', g.message, 'detected_at', g.detected_at, 'state', g.state, 'alternatives', g.alternatives) ORDER BY g.severity DESC, g.first_id), '[]')
    FROM (
        SELECT c.code, max(c.severity) AS severity, k.axis, r.code AS resource, min(c.conflict_id) AS first_id,
               jsonb_agg(jsonb_build_object('appointment_id', o.appointment_id, 'external_id', coalesce(o.filler_id, o.placer_id),
                                            'start', o.starts_at, 'end', o.ends_at) ORDER BY o.starts_at, o.appointment_id) AS partners,
               round(max(extract(epoch FROM upper(c.overlap) - lower(c.overlap)) / 60))::integer AS overlap_min,
               format(k.text, r.name) AS message, min(c.detected_at) AS detected_at, min(c.state)::text AS state,
               coalesce((array_agg(c.alternatives ORDER BY c.conflict_id) FILTER (WHERE c.appointment_id = p_appointment))[1], '[]') AS alternatives
        FROM (SELECT x.*, x.other_appointment_id AS partner_id FROM radscheduler.conflict x
              WHERE x.site_id = p_site AND x.appointment_id = p_appointment AND x.state <> 'resolved'
              UNION ALL
              SELECT x.*, x.appointment_id FROM radscheduler.conflict x
              WHERE x.site_id = p_site AND x.other_appointment_id = p_appointment AND x.state <> 'resolved') c
        JOIN radscheduler.appointment o ON o.site_id = c.site_id AND o.appointment_id = c.partner_id
        JOIN radscheduler.conflict_kind k ON k.code = c.code
        LEFT JOIN radscheduler.resource r ON c.axis = 'resource' AND r.site_id = c.site_id AND r.resource_id = c.subject_id
        GROUP BY c.code, k.axis, k.text, r.code, r.name, c.subject_id
    ) g);
END
$$;

COMMENT ON FUNCTION radscheduler.conflicts_of(integer, bigint) IS
    'Unresolved conflicts of an appointment, from either side: [{code, severity, axis, resource, with: [{appointment_id, external_id, start, end}], overlap_min, message, detected_at, state, alternatives}], worst first; [] when there is none, or none at a site the caller may use.';

CREATE OR REPLACE FUNCTION radscheduler.find_slots(
        modality         text        DEFAULT NULL,
        resource         text        DEFAULT NULL,
        earliest         timestamptz DEFAULT pg_catalog.now(),
        latest           timestamptz DEFAULT NULL,
        duration_minutes integer     DEFAULT NULL,
        max_slots        integer     DEFAULT 10,
        patient_id       text        DEFAULT NULL,
        without          bigint      DEFAULT NULL,
        OUT resource_code text, OUT starts_at timestamptz, OUT ends_at timestamptz, OUT datetime timestamp) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 10 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
#variable_conflict use_variable
DECLARE
    v_site     integer := radscheduler.current_site();
    v_code     text;
    v_resource bigint[];
    v_patients bigint[];
    v_minutes  integer := duration_minutes;
BEGIN
    IF modality IS NULL AND resource IS NULL THEN
        RAISE EXCEPTION 'find_slots needs a modality or a resource'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'SELECT * FROM radscheduler.find_slots(modality => ''MRI'');';
    END IF;
    IF modality IS NOT NULL THEN
        v_code := radscheduler.modality_code(v_site, modality);
        IF v_code IS NULL THEN
            RAISE EXCEPTION 'modality "%" is not known at this site', modality
                USING ERRCODE = 'invalid_parameter_value', HINT = 'radscheduler.modality_alias lists the words that are.';
        END IF;
    END IF;
    SELECT array_agg(DISTINCT r.resource_id) INTO v_resource
        FROM radscheduler.resource r
        WHERE r.site_id = v_site AND r.is_active AND r.kind IN ('equipment', 'room', 'staff')
          AND (resource IS NULL AND r.kind IN ('equipment', 'room')
               OR r.resource_id IN (SELECT x.resource_id FROM radscheduler.resource_alias x WHERE x.site_id = v_site AND x.alias = upper(resource)))
          AND (v_code IS NULL OR r.modality = v_code);
    IF resource IS NOT NULL AND v_resource IS NULL THEN
        RAISE EXCEPTION 'resource "%" is not known at this site%', resource, CASE WHEN v_code IS NULL THEN '' ELSE ' for this modality' END
            USING ERRCODE = 'invalid_parameter_value', HINT = 'radscheduler.resource_alias lists the names that are.';
    END IF;
    IF v_minutes IS NULL THEN
        SELECT m.default_minutes INTO v_minutes FROM radscheduler.modality m
            WHERE m.site_id = v_site
              AND m.code = coalesce(v_code, (SELECT r.modality FROM radscheduler.resource r WHERE r.site_id = v_site AND r.resource_id = v_resource[1]));
        v_minutes := coalesce(v_minutes, 30);
    END IF;
    IF v_minutes NOT BETWEEN 1 AND 1440 THEN
        RAISE EXCEPTION 'a duration of % minutes cannot be searched for', v_minutes
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Give 1 to 1440 minutes.';
    END IF;
    IF NOT isfinite(earliest) OR coalesce(latest, earliest) > earliest + interval '400 days' THEN
        RAISE EXCEPTION 'a window of more than 400 days cannot be searched' USING ERRCODE = 'invalid_parameter_value', HINT = 'Search in parts.';
    END IF;
    IF latest < earliest OR max_slots < 1 THEN
        RAISE EXCEPTION 'find_slots was asked for %', CASE WHEN max_slots < 1 THEN 'fewer than one slot' ELSE 'a window that ends before it begins' END
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Give earliest before latest, and max_slots of at least 1.';
    END IF;
    IF patient_id IS NOT NULL THEN
        SELECT array_agg(DISTINCT i.patient_id) INTO v_patients
            FROM radscheduler.patient_identifier i WHERE i.site_id = v_site AND i.value = patient_id;
    END IF;
    RETURN QUERY SELECT * FROM radscheduler.free_slots(v_site, v_resource, v_patients, earliest, coalesce(latest, earliest + interval '14 days'),
                                                       v_minutes, max_slots, without);
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.alternatives(p_site integer, p_appointment bigint) RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
WITH wanted AS (
    SELECT a.starts_at, (extract(epoch FROM a.ends_at - a.starts_at) / 60)::integer AS minutes, a.patient_id, a.modality,
           (SELECT array_agg(r.resource_id) FROM radscheduler.appointment_resource ar
            JOIN radscheduler.resource r ON r.site_id = ar.site_id AND r.resource_id = ar.resource_id
            WHERE ar.site_id = a.site_id AND ar.appointment_id = a.appointment_id AND r.kind = 'equipment') AS equipment,
           (SELECT array_agg(r.resource_id) FROM radscheduler.appointment_resource ar
            JOIN radscheduler.resource r ON r.site_id = ar.site_id AND r.resource_id = ar.resource_id
            WHERE ar.site_id = a.site_id AND ar.appointment_id = a.appointment_id AND r.kind = 'room') AS rooms,
           (SELECT array_agg(r.resource_id) FROM radscheduler.appointment_resource ar
            JOIN radscheduler.resource r ON r.site_id = ar.site_id AND r.resource_id = ar.resource_id
            WHERE ar.site_id = a.site_id AND ar.appointment_id = a.appointment_id AND r.kind = 'staff') AS staff
    FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointment
), searched AS (
    SELECT w.*, coalesce(w.equipment, w.rooms,
                         (SELECT array_agg(r.resource_id) FROM radscheduler.resource r
                          WHERE r.site_id = p_site AND r.is_active AND r.modality = w.modality AND r.kind IN ('equipment', 'room')),
                         w.staff) AS resources
    FROM wanted w
)
SELECT coalesce(jsonb_agg(jsonb_build_object('start', f.starts_at, 'end', f.ends_at, 'resource', f.resource_code) ORDER BY f.starts_at, f.resource_code), '[]')
FROM searched s,
     LATERAL radscheduler.free_slots(p_site, s.resources[1:10], ARRAY[s.patient_id], greatest(s.starts_at, date_trunc('minute', now())),
                                     greatest(s.starts_at, now()) + interval '14 days', s.minutes, 3, p_appointment) f
$$;

COMMENT ON FUNCTION radscheduler.alternatives(integer, bigint) IS
    'Up to three free times for an appointment from its own start on, within 14 days: on its scanner, else its room, else any of its modality, else its staff (ten of them at most); the patient free as well. [{start, end, resource}].';

CREATE OR REPLACE FUNCTION radscheduler.resolve_patient(p_site integer, p_patient jsonb, p_facility text, p_region text,
                                             OUT patient_id bigint, OUT warnings jsonb) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_best  jsonb;
    v_item  jsonb;
    v_phone text := p_patient #>> '{phones,0,value}';
    v_e164  text;
    v_name  text := coalesce(p_patient ->> 'display', '');
    v_told  boolean := false;
    v_first_name text := coalesce(nullif(v_name, ''), p_patient ->> 'display_if_new', '');
BEGIN
    warnings := '[]';
    SELECT i INTO v_best FROM jsonb_array_elements(p_patient -> 'identifiers') WITH ORDINALITY e(i, place)
        ORDER BY CASE WHEN coalesce(i ->> 'type', 'MR') = 'MR' AND coalesce(i ->> 'authority', p_facility) = p_facility THEN 0
                      WHEN coalesce(i ->> 'type', 'MR') = 'MR' THEN 1
                      WHEN i ->> 'type' IN ('PI', 'PT') THEN 2
                      WHEN i ->> 'type' IN ('SS', 'NI', 'MC') THEN 4 ELSE 3 END, place
        LIMIT 1;
    IF v_best IS NULL THEN
        RETURN;
    END IF;
    v_e164 := radscheduler.e164(v_phone, p_region);
    IF v_phone IS NOT NULL AND v_e164 IS NULL THEN
        warnings := jsonb_build_array(radscheduler.warning('PHONE_UNUSABLE', 'PID-13'));
    END IF;
    FOR v_item IN SELECT i FROM jsonb_array_elements(p_patient -> 'identifiers') WITH ORDINALITY e(i, place) ORDER BY i = v_best DESC, place LOOP
        SELECT p.patient_id INTO resolve_patient.patient_id
            FROM radscheduler.patient_identifier p
            WHERE p.site_id = p_site AND p.value = v_item ->> 'value' AND p.type = coalesce(v_item ->> 'type', 'MR')
              AND (p.authority IN (coalesce(v_item ->> 'authority', p_facility), '') OR NOT v_item ? 'authority')
            ORDER BY p.authority = coalesce(v_item ->> 'authority', p_facility) DESC, p.patient_id LIMIT 1;
        EXIT WHEN FOUND;
    END LOOP;
    IF resolve_patient.patient_id IS NULL THEN
        INSERT INTO radscheduler.patient (site_id, mrn, family_name, given_name, middle_name, suffix, display_name, birth_date, sex,
                                          phone, phone_as_sent, is_deceased)
            VALUES (p_site, v_best ->> 'value', p_patient ->> 'family', p_patient ->> 'given', p_patient ->> 'middle', p_patient ->> 'suffix',
                    v_first_name, (p_patient ->> 'birth_date')::date, p_patient ->> 'sex', v_e164, v_phone,
                    coalesce((p_patient ->> 'deceased')::boolean, false))
            RETURNING patient.patient_id INTO resolve_patient.patient_id;
        PERFORM radscheduler.audit(p_site, 'patient.created', 'patient', resolve_patient.patient_id, '{}');
        v_told := true;
    ELSE
        UPDATE radscheduler.patient p SET
            mrn          = v_best ->> 'value',
            family_name  = CASE WHEN p_patient ? 'family' THEN p_patient ->> 'family' ELSE p.family_name END,
            given_name   = CASE WHEN p_patient ? 'given' THEN p_patient ->> 'given' ELSE p.given_name END,
            middle_name  = CASE WHEN p_patient ? 'middle' THEN p_patient ->> 'middle' ELSE p.middle_name END,
            suffix       = CASE WHEN p_patient ? 'suffix' THEN p_patient ->> 'suffix' ELSE p.suffix END,
            display_name = coalesce(nullif(v_name, ''), p.display_name),
            birth_date   = CASE WHEN p_patient ? 'birth_date' THEN (p_patient ->> 'birth_date')::date ELSE p.birth_date END,
            sex          = CASE WHEN p_patient ? 'sex' THEN p_patient ->> 'sex' ELSE p.sex END,
            phone        = CASE WHEN p_patient ? 'phones' THEN v_e164 ELSE p.phone END,
            phone_as_sent = CASE WHEN p_patient ? 'phones' THEN v_phone ELSE p.phone_as_sent END,
            is_deceased  = coalesce((p_patient ->> 'deceased')::boolean, p.is_deceased),
            updated_at   = now()
        WHERE p.site_id = p_site AND p.patient_id = resolve_patient.patient_id
          AND (p.mrn <> v_best ->> 'value' OR nullif(v_name, '') <> p.display_name
               OR p_patient ? 'family' AND p.family_name IS DISTINCT FROM p_patient ->> 'family'
               OR p_patient ? 'given' AND p.given_name IS DISTINCT FROM p_patient ->> 'given'
               OR p_patient ? 'middle' AND p.middle_name IS DISTINCT FROM p_patient ->> 'middle'
               OR p_patient ? 'suffix' AND p.suffix IS DISTINCT FROM p_patient ->> 'suffix'
               OR p_patient ? 'birth_date' AND p.birth_date IS DISTINCT FROM (p_patient ->> 'birth_date')::date
               OR p_patient ? 'sex' AND p.sex IS DISTINCT FROM p_patient ->> 'sex'
               OR p_patient ? 'phones' AND p.phone_as_sent IS DISTINCT FROM v_phone
               OR p.is_deceased IS DISTINCT FROM coalesce((p_patient ->> 'deceased')::boolean, p.is_deceased));
        IF FOUND THEN
            PERFORM radscheduler.audit(p_site, 'patient.updated', 'patient', resolve_patient.patient_id, '{}');
            v_told := true;
        END IF;
    END IF;
    INSERT INTO radscheduler.patient_identifier (site_id, authority, type, value, patient_id)
        SELECT DISTINCT ON (i ->> 'value', coalesce(i ->> 'authority', p_facility), coalesce(i ->> 'type', 'MR'))
               p_site, coalesce(i ->> 'authority', p_facility), coalesce(i ->> 'type', 'MR'), i ->> 'value', resolve_patient.patient_id
        FROM jsonb_array_elements(p_patient -> 'identifiers') i
        ON CONFLICT DO NOTHING;
    IF FOUND AND NOT v_told THEN
        PERFORM radscheduler.audit(p_site, 'patient.updated', 'patient', resolve_patient.patient_id, '{"columns": ["identifiers"]}');
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.resolve_resources(p_site integer, p_reading jsonb, OUT resource_ids bigint[], OUT warnings jsonb) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_items   jsonb := p_reading -> 'resources';
    v_missing integer;
    v_row     record;
    v_id      bigint;
BEGIN
    warnings := '[]';
    FOR v_attempt IN 1..2 LOOP
        SELECT array_agg(f.resource_id ORDER BY e.place), count(*) FILTER (WHERE f.resource_id IS NULL AND n.code IS NOT NULL AND NOT radscheduler.is_referrer(n.role))
            INTO resolve_resources.resource_ids, v_missing
            FROM jsonb_array_elements(v_items) WITH ORDINALITY e(item, place)
            CROSS JOIN LATERAL radscheduler.resource_name_of(e.item) n
            LEFT JOIN LATERAL (
                SELECT a.resource_id FROM radscheduler.resource_alias a
                WHERE a.site_id = p_site AND a.alias = upper(n.code) AND NOT radscheduler.is_referrer(n.role)
                  AND (a.kind = n.kind OR e.item ->> 'segment' = 'AIG')
                ORDER BY a.kind = n.kind DESC, a.kind LIMIT 1) f ON true;
        EXIT WHEN v_missing = 0 OR v_attempt = 2;
        PERFORM radscheduler.lock_new_resources(p_site);
        FOR v_row IN
            SELECT DISTINCT ON (n.kind, upper(n.code)) n.kind, n.code, n.name, n.role, e.item ->> 'path' AS path
            FROM jsonb_array_elements(v_items) e(item), LATERAL radscheduler.resource_name_of(e.item) n
            WHERE n.code IS NOT NULL AND NOT radscheduler.is_referrer(n.role)
              AND NOT EXISTS (SELECT FROM radscheduler.resource_alias a WHERE a.site_id = p_site AND a.alias = upper(n.code)
                              AND (a.kind = n.kind OR e.item ->> 'segment' = 'AIG'))
            ORDER BY n.kind, upper(n.code)
        LOOP
            INSERT INTO radscheduler.resource (site_id, code, name, kind, role, modality, is_registered)
                VALUES (p_site, v_row.code, v_row.name, v_row.kind, CASE WHEN v_row.kind = 'staff' THEN v_row.role END,
                        CASE WHEN v_row.kind = 'equipment' THEN coalesce(radscheduler.modality_guess(p_site, ARRAY[v_row.code], ARRAY[v_row.name]),
                                                                         radscheduler.modality_of(p_site, p_reading, NULL)) END, false)
                RETURNING resource.resource_id INTO v_id;
            INSERT INTO radscheduler.resource_alias (site_id, kind, alias, resource_id) VALUES (p_site, v_row.kind, upper(v_row.code), v_id);
            PERFORM radscheduler.audit(p_site, 'resource.created', 'resource', v_id, '{}');
            warnings := warnings || radscheduler.warning('RESOURCE_UNKNOWN', v_row.path);
        END LOOP;
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.add_resource(code text, name text, kind radscheduler.resource_kind, modality text DEFAULT NULL, capacity integer DEFAULT 1,
                                          setup_minutes integer DEFAULT 0, turnover_minutes integer DEFAULT 0, role text DEFAULT NULL,
                                          aliases text[] DEFAULT '{}') RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
#variable_conflict use_variable
DECLARE
    v_site integer := radscheduler.current_site();
    v_code text := radscheduler.modality_code(v_site, modality);
    v_id   bigint;
BEGIN
    IF kind = 'staff' AND (setup_minutes <> 0 OR turnover_minutes <> 0) THEN
        RAISE EXCEPTION 'staff have no set-up or turnover minutes' USING ERRCODE = 'invalid_parameter_value', HINT = 'Give buffers to the room or the scanner.';
    END IF;
    IF modality IS NOT NULL AND v_code IS NULL THEN
        RAISE EXCEPTION 'modality "%" is not known at this site', modality
            USING ERRCODE = 'invalid_parameter_value', HINT = 'radscheduler.modality_alias lists the words that are.';
    END IF;
    INSERT INTO radscheduler.resource AS r (site_id, code, name, kind, role, modality, capacity, setup_minutes, turnover_minutes)
        VALUES (v_site, code, name, kind, upper(role), v_code, capacity, setup_minutes, turnover_minutes)
        RETURNING r.resource_id INTO v_id;
    INSERT INTO radscheduler.resource_alias AS a (site_id, kind, alias, resource_id)
        SELECT v_site, kind, upper(n), v_id FROM unnest(code || aliases) n GROUP BY upper(n);
    RETURN v_id;
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.apply_reading(p_context jsonb, p_reading jsonb, p_message bigint, p_at timestamptz,
        OUT outcome text, OUT code text, OUT error jsonb, OUT appointment_id bigint, OUT warnings jsonb) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    c_site      CONSTANT integer := (p_context ->> 'site_id')::integer;
    c_sender    CONSTANT bigint := (p_context ->> 'sender_id')::bigint;
    c_zone      CONSTANT text := p_context ->> 'zone';
    c_trigger   CONSTANT text := p_context ->> 'trigger_event';
    c_sequence  CONSTANT bigint := (p_context ->> 'sequence')::bigint;
    v_schedule  jsonb := p_reading -> 'schedule';
    v_filler    text := v_schedule ->> 'filler_id' || coalesce('^' || nullif(v_schedule ->> 'filler_namespace', ''), '');
    v_placer    text := v_schedule ->> 'placer_id' || coalesce('^' || nullif(v_schedule ->> 'placer_namespace', ''), '');
    v_id        bigint;
    v_old       radscheduler.appointment;
    v_new       radscheduler.appointment;
    v_rule      record;
    v_action    text;
    v_sent      radscheduler.appointment_status;
    v_status    radscheduler.appointment_status;
    v_resources bigint[];
    v_held      bigint[];
    v_patient   bigint;
    v_more      jsonb;
    v_shift     interval;
    v_worst     radscheduler.severity;
    v_is_new    boolean;
    v_has_services boolean := jsonb_array_length(p_reading -> 'services') > 0;
    v_segments  text[];
BEGIN
    warnings := '[]';
    code := 'AA';
    outcome := 'applied';

    -- What it is about and what its event does to it.
    v_id := radscheduler.find_appointment(c_site, c_sender, v_filler, v_placer);
    SELECT * INTO v_old FROM radscheduler.appointment a WHERE a.site_id = c_site AND a.appointment_id = v_id;
    apply_reading.appointment_id := v_id;
    SELECT * INTO v_rule FROM radscheduler.event_rule r
        WHERE r.trigger_event = c_trigger
          AND r.state = CASE WHEN v_id IS NULL THEN 'unknown' WHEN radscheduler.is_closed(v_old.status) THEN v_old.status::text ELSE 'active' END;
    v_action := v_rule.action;
    v_sent := radscheduler.status_of(v_schedule -> 'status');
    IF v_sent IS NULL AND jsonb_array_length(v_schedule -> 'status') > 0 THEN
        warnings := warnings || radscheduler.warning('STATUS_UNKNOWN', 'SCH-25');
    END IF;

    IF v_id IS NOT NULL AND (p_at, coalesce(c_sequence, 0)) < (v_old.message_time, coalesce(v_old.message_sequence, 0)) THEN
        IF NOT (radscheduler.is_closed(v_old.status) AND v_old.patient_id IS NULL AND p_reading ? 'patient') THEN
            outcome := 'stale';
            warnings := warnings || radscheduler.warning('STALE', 'MSH-7');
            RETURN;
        END IF;
        v_action := 'fill';
    ELSIF c_trigger = 'S14' AND v_sent IS NULL AND NOT v_has_services AND jsonb_array_length(p_reading -> 'resources') = 0
          AND NOT v_schedule ? 'starts_at' AND NOT v_schedule ? 'duration_minutes' AND v_id IS NOT NULL THEN
        outcome := 'ignored';
        warnings := warnings || radscheduler.warning('S14_EMPTY_POSSIBLE_LEGACY_CANCEL', 'SCH');
        RETURN;
    ELSE
        IF v_action = 'amend' AND v_sent <> v_old.status THEN
            IF v_old.status <> 'COMPLETED' AND p_at > v_old.message_time AND NOT radscheduler.is_closed(v_sent) THEN
                v_action := 'revive';
            ELSE
                v_sent := NULL;
                warnings := warnings || radscheduler.warning('CLOSED_APPOINTMENT', 'SCH-25');
            END IF;
        END IF;
        IF v_action IN ('create', 'renew') AND radscheduler.is_closed(v_sent) THEN
            v_action := CASE WHEN v_id IS NULL THEN 'tombstone' ELSE 'keep' END;
        ELSIF v_action IN ('update', 'revive') AND radscheduler.is_closed(v_sent) THEN
            v_action := CASE WHEN v_action = 'update' THEN 'close' ELSE 'keep' END;
        ELSIF v_action IN ('close', 'tombstone') AND NOT radscheduler.is_closed(v_sent) THEN
            warnings := warnings || radscheduler.warning('STATUS_DISAGREES', 'SCH-25');
            v_sent := NULL;
        END IF;
        v_status := CASE WHEN c_trigger = 'S17' AND v_action IN ('close', 'tombstone') THEN 'DELETED'
                         ELSE coalesce(v_sent, v_rule.default_status) END;
    END IF;
    IF v_rule.warning IS NOT NULL AND v_action <> 'fill' THEN
        warnings := warnings || radscheduler.warning(v_rule.warning, 'SCH');
    END IF;
    IF v_action = 'keep' THEN
        outcome := 'ignored';
        RETURN;
    END IF;

    IF v_action = 'amend' THEN
        -- What is over is over: notes, people and orders may be mended, time and exams may not.
        v_schedule := v_schedule - ARRAY['starts_at', 'ends_at', 'duration_minutes'];
        v_has_services := false;
        p_reading := p_reading || jsonb_build_object('schedule', v_schedule, 'services', '[]'::jsonb, 'resources', '[]'::jsonb);
    END IF;

    -- Who and what. A closing needs neither.
    IF v_action <> 'close' THEN
        IF p_reading ? 'patient' THEN
            SELECT p.patient_id, p.warnings INTO v_patient, v_more
                FROM radscheduler.resolve_patient(c_site, p_reading -> 'patient', p_context ->> 'facility', p_context ->> 'region') p;
            warnings := warnings || v_more;
        END IF;
        IF jsonb_array_length(p_reading -> 'resources') > 0 THEN
            SELECT r.resource_ids, r.warnings INTO v_resources, v_more FROM radscheduler.resolve_resources(c_site, p_reading) r;
            warnings := warnings || v_more;
            SELECT array_agg(DISTINCT item ->> 'segment') INTO v_segments FROM jsonb_array_elements(p_reading -> 'resources') item;
        END IF;
        IF v_action = 'update' AND c_trigger = 'S12' AND v_patient <> v_old.patient_id THEN
            v_action := 'renew';
            v_status := 'PENDING_REVIEW';
            warnings := warnings || radscheduler.warning('ID_REUSED', 'SCH-2');
        END IF;
    END IF;
    v_is_new := v_id IS NULL OR v_action = 'renew';
    IF v_id IS NOT NULL AND v_action <> 'renew' THEN
        SELECT array_agg(ar.resource_id) INTO v_held FROM radscheduler.appointment_resource ar WHERE ar.site_id = c_site AND ar.appointment_id = v_id;
    END IF;
    PERFORM radscheduler.lock_subjects(c_site, v_resources || v_held, ARRAY[v_patient, v_old.patient_id]);
    IF v_id IS NOT NULL THEN
        SELECT * INTO v_old FROM radscheduler.appointment a WHERE a.site_id = c_site AND a.appointment_id = v_id FOR UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the appointment was removed while the message waited for it' USING ERRCODE = 'serialization_failure', HINT = 'Send the message again.';
        END IF;
    END IF;
    IF NOT v_is_new THEN
        v_new := v_old;
        v_new.version := v_old.version + 1;
        IF v_old.review_reason = 'CONFLICT' AND v_old.status = 'PENDING_REVIEW' THEN
            v_new.status := v_old.resume_status;
            v_new.review_reason := NULL;
            v_new.resume_status := NULL;
        END IF;
    ELSE
        v_new.site_id := c_site;
        v_new.sender_id := c_sender;
        v_new.generation := CASE WHEN v_action = 'renew' THEN v_old.generation + 1 ELSE 1 END;
        v_new.source := p_context ->> 'source';
        v_new.is_test := (p_context ->> 'is_test')::boolean;
        v_new.reschedule_count := 0;
        v_new.version := 1;
        v_new.urgency := 'routine';
        v_new.created_at := now();
        IF v_action = 'renew' AND v_status = 'PENDING_REVIEW' THEN
            v_new.review_reason := 'ID_REUSED';
        END IF;
    END IF;
    v_new.updated_at := now();
    v_new.message_id := p_message;
    IF v_action <> 'fill' THEN
        v_new.status := coalesce(v_status, v_new.status);
        v_new.message_time := p_at;
        v_new.message_sequence := c_sequence;
        IF NOT v_is_new AND v_old.review_reason = 'ID_REUSED' AND v_old.status = 'PENDING_REVIEW' AND v_new.status IN ('SCHEDULED', 'CONFIRMED') THEN
            v_new.status := 'PENDING_REVIEW'; -- a person decides that, not the next message
        END IF;
    END IF;
    IF v_new.status <> 'PENDING_REVIEW' THEN
        v_new.review_reason := NULL;
    END IF;

    -- Closing: the rest of the time goes back.
    IF v_action = 'close' THEN
        v_new.event_reason := coalesce(v_schedule #>> '{event_reason,text}', v_schedule #>> '{event_reason,code}', v_old.event_reason);
        UPDATE radscheduler.appointment a SET status = v_new.status, review_reason = NULL, resume_status = NULL, event_reason = v_new.event_reason,
               version = v_new.version, message_id = p_message, message_time = p_at, message_sequence = c_sequence, updated_at = now()
            WHERE a.site_id = c_site AND a.appointment_id = v_id;
        PERFORM radscheduler.vacate(c_site, v_id, CASE WHEN v_new.status IN ('COMPLETED', 'DISCONTINUED', 'NO_SHOW') THEN p_at END);
        PERFORM radscheduler.settle(c_site, v_id, v_held, ARRAY[v_old.patient_id], p_message);
        PERFORM radscheduler.record_version(c_site, v_id, radscheduler.event_name(v_old.status, v_new.status, false), p_message);
        RETURN;
    END IF;

    -- Fields: sent overwrites, the HL7 null clears, not sent keeps.
    v_new.filler_id := coalesce(v_filler, v_new.filler_id);
    v_new.placer_id := coalesce(v_placer, v_new.placer_id);
    v_new.patient_id := coalesce(v_patient, v_new.patient_id);
    v_new.notes := CASE WHEN v_schedule ? 'notes' THEN v_schedule ->> 'notes' ELSE v_new.notes END;
    v_new.reason := CASE WHEN v_schedule ? 'reason' THEN coalesce(v_schedule #>> '{reason,text}', v_schedule #>> '{reason,code}') ELSE v_new.reason END;
    v_new.event_reason := CASE WHEN v_schedule ? 'event_reason' THEN coalesce(v_schedule #>> '{event_reason,text}', v_schedule #>> '{event_reason,code}') ELSE v_new.event_reason END;
    v_new.urgency := CASE WHEN v_schedule ? 'priority' THEN radscheduler.urgency_of(v_schedule ->> 'priority') ELSE v_new.urgency END;
    v_new.referring_physician := CASE WHEN p_reading -> 'visit' ? 'referring' THEN p_reading #>> '{visit,referring}' ELSE v_new.referring_physician END;
    v_new.visit_number := coalesce(p_reading #>> '{visit,visit_number}', v_new.visit_number);
    IF v_schedule ? 'placer_orders' THEN
        v_new.placer_orders := ARRAY(SELECT jsonb_array_elements_text(v_schedule -> 'placer_orders'));
    END IF;
    IF v_schedule ? 'filler_orders' THEN
        v_new.filler_orders := ARRAY(SELECT jsonb_array_elements_text(v_schedule -> 'filler_orders'));
    END IF;
    IF v_has_services THEN
        SELECT item ->> 'code' INTO v_new.study_code FROM jsonb_array_elements(p_reading -> 'services') item LIMIT 1;
        SELECT string_agg(coalesce(item ->> 'text', item ->> 'alt_text', item ->> 'code'), ' + ' ORDER BY place) INTO v_new.study_text
            FROM jsonb_array_elements(p_reading -> 'services') WITH ORDINALITY s(item, place);
    END IF;
    v_new.study_text := coalesce(v_new.study_text, v_schedule #>> '{reason,text}', v_schedule #>> '{reason,code}', v_schedule #>> '{type,text}');
    IF v_has_services OR v_resources IS NOT NULL OR v_new.modality IS NULL THEN
        v_new.modality := coalesce(radscheduler.modality_of(c_site, p_reading, v_resources), nullif(v_new.modality, 'OT'), 'OT');
        IF v_new.modality = 'OT' THEN
            warnings := warnings || radscheduler.warning('MODALITY_UNKNOWN', 'AIS-3');
        END IF;
    END IF;

    -- Time.
    IF v_schedule ->> 'starts_at' IS NOT NULL THEN
        IF length(v_schedule ->> 'starts_at') = 10 THEN
            warnings := warnings || radscheduler.warning('DATE_ONLY', 'SCH-11.4');
            v_new.status := CASE WHEN radscheduler.is_closed(v_new.status) THEN v_new.status ELSE 'WAITLISTED' END;
            v_new.starts_at := NULL;
            v_new.ends_at := NULL;
        ELSE
            v_more := radscheduler.warning(radscheduler.clock_doubt(v_schedule ->> 'starts_at', c_zone), 'SCH-11.4');
            warnings := warnings || coalesce(v_more, '[]');
            v_new.starts_at := radscheduler.to_instant(v_schedule ->> 'starts_at', c_zone);
            v_new.ends_at := radscheduler.to_instant(v_schedule ->> 'ends_at', c_zone);
            IF v_new.ends_at IS NULL OR v_new.ends_at <= v_new.starts_at THEN
                v_new.ends_at := v_new.starts_at + coalesce(make_interval(mins => nullif(greatest((v_schedule ->> 'duration_minutes')::integer, 0), 0)),
                                                            v_old.ends_at - v_old.starts_at);
                IF v_new.ends_at IS NULL THEN
                    v_new.ends_at := v_new.starts_at + make_interval(mins => radscheduler.duration_of(c_site, p_reading, v_new.modality));
                    warnings := warnings || radscheduler.warning('DURATION_ASSUMED', 'SCH-9');
                END IF;
            END IF;
        END IF;
    ELSIF v_new.starts_at IS NOT NULL AND (v_schedule ->> 'duration_minutes')::integer > 0 THEN
        v_new.ends_at := v_new.starts_at + make_interval(mins => (v_schedule ->> 'duration_minutes')::integer);
    END IF;
    IF NOT radscheduler.is_closed(v_new.status) THEN
        IF v_new.patient_id IS NULL OR v_new.starts_at IS NULL AND v_new.status NOT IN ('PENDING', 'WAITLISTED') THEN
            code := 'AE';
            outcome := 'error';
            error := CASE
                WHEN c_trigger = 'S14' AND v_id IS NULL THEN jsonb_build_object('code', '204', 'path', 'SCH-2', 'text',
                    'This modification is about an appointment that is not known here and does not carry enough to create it (patient and start). Send the booking (S12) first.')
                WHEN v_new.patient_id IS NULL THEN jsonb_build_object('code', '101', 'path', 'PID-3', 'text',
                    'An appointment needs a patient identifier in PID-3. Send at least one.')
                ELSE jsonb_build_object('code', '101', 'path', 'SCH-11.4', 'text',
                    'No start time was found in TQ1-7, SCH-11.4 or any AIS, AIL, AIG or AIP. Send one of them.') END;
            RETURN;
        END IF;
    END IF;
    IF NOT v_is_new AND v_old.starts_at IS NOT NULL AND v_new.starts_at <> v_old.starts_at THEN
        v_shift := v_new.starts_at - v_old.starts_at;
        v_new.reschedule_count := v_old.reschedule_count + 1;
        v_new.original_starts_at := coalesce(v_old.original_starts_at, v_old.starts_at);
    END IF;

    -- Rows.
    IF v_is_new THEN
        INSERT INTO radscheduler.appointment AS a (site_id, sender_id, filler_id, placer_id, generation, patient_id, status, review_reason, starts_at, ends_at,
                modality, study_code, study_text, referring_physician, urgency, notes, reason, event_reason, visit_number, placer_orders, filler_orders,
                source, is_test, message_time, message_sequence, message_id)
            VALUES (c_site, c_sender, v_new.filler_id, v_new.placer_id, v_new.generation, v_new.patient_id, v_new.status, v_new.review_reason, v_new.starts_at, v_new.ends_at,
                v_new.modality, v_new.study_code, v_new.study_text, v_new.referring_physician, v_new.urgency, v_new.notes, v_new.reason, v_new.event_reason,
                v_new.visit_number, v_new.placer_orders, v_new.filler_orders, v_new.source, v_new.is_test, v_new.message_time, v_new.message_sequence, p_message)
            RETURNING a.appointment_id INTO v_id;
    ELSE
        UPDATE radscheduler.appointment a SET filler_id = v_new.filler_id, placer_id = v_new.placer_id, patient_id = v_new.patient_id, status = v_new.status,
                review_reason = v_new.review_reason, resume_status = v_new.resume_status, starts_at = v_new.starts_at, ends_at = v_new.ends_at, modality = v_new.modality,
                study_code = v_new.study_code, study_text = v_new.study_text, referring_physician = v_new.referring_physician, urgency = v_new.urgency,
                notes = v_new.notes, reason = v_new.reason, event_reason = v_new.event_reason, visit_number = v_new.visit_number,
                placer_orders = v_new.placer_orders, filler_orders = v_new.filler_orders, reschedule_count = v_new.reschedule_count,
                original_starts_at = v_new.original_starts_at, version = v_new.version, message_time = v_new.message_time,
                message_sequence = v_new.message_sequence, message_id = p_message, updated_at = v_new.updated_at
            WHERE a.site_id = c_site AND a.appointment_id = v_id;
        DELETE FROM radscheduler.appointment_service s WHERE v_has_services AND s.site_id = c_site AND s.appointment_id = v_id;
        DELETE FROM radscheduler.appointment_resource r WHERE r.site_id = c_site AND r.appointment_id = v_id AND r.segment = ANY (v_segments);
        PERFORM radscheduler.shift_rows(c_site, v_id, v_shift, v_old.ends_at, v_new.ends_at);
    END IF;
    apply_reading.appointment_id := v_id;
    IF v_has_services THEN
        PERFORM radscheduler.write_services(c_site, v_id, p_reading, c_zone, v_new.starts_at, v_new.ends_at);
    END IF;
    IF v_resources IS NOT NULL THEN
        PERFORM radscheduler.write_resources(c_site, v_id, p_reading, v_resources, c_zone, v_new.starts_at, v_new.ends_at);
    END IF;
    IF v_new.starts_at IS NOT NULL THEN
        warnings := warnings || radscheduler.distrusted_times(p_reading, c_zone, v_new.starts_at, v_new.ends_at);
    END IF;

    -- Time taken, conflicts found or healed, review opened, all of it told.
    PERFORM radscheduler.occupy(c_site, v_id, v_is_new);
    v_worst := radscheduler.settle(c_site, v_id, v_resources || v_held, ARRAY[v_new.patient_id, v_old.patient_id], p_message);
    IF v_worst = 'critical' AND v_new.status IN ('SCHEDULED', 'CONFIRMED') THEN
        UPDATE radscheduler.appointment a SET status = 'PENDING_REVIEW', review_reason = 'CONFLICT', resume_status = v_new.status
            WHERE a.site_id = c_site AND a.appointment_id = v_id;
    END IF;
    IF v_worst IS NOT NULL THEN
        outcome := 'flagged';
    END IF;
    PERFORM radscheduler.record_version(c_site, v_id,
        radscheduler.event_name(CASE WHEN NOT v_is_new THEN v_old.status END, v_new.status, v_shift IS NOT NULL), p_message);
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.log_message(p_context jsonb, p_bytes bytea, p_message bigint, p_result radscheduler.ingest_result,
                                         p_error jsonb, p_duplicate_of bigint, p_received timestamptz) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_header jsonb := p_context -> 'header';
BEGIN
    -- An acknowledgement promises that the message is kept, whatever the session would rather have.
    IF current_setting('synchronous_commit') = 'off' THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
    INSERT INTO radscheduler.hl7_message (site_id, message_id, received_at, channel, peer, raw, raw_sha256, sender_id, message_code, trigger_event, control_id,
                                          processing_id, version_id, message_time, outcome, code, warnings, error, ack, appointment_id, duplicate_of)
        VALUES ((p_context ->> 'site_id')::integer, p_message, p_received, p_context ->> 'channel', p_context ->> 'peer', p_bytes, sha256(p_bytes),
                (p_context ->> 'sender_id')::bigint, v_header ->> 'message_code', v_header ->> 'trigger_event', v_header ->> 'control_id',
                v_header ->> 'processing_id', v_header ->> 'version', radscheduler.to_instant(v_header ->> 'message_time', p_context ->> 'zone'),
                (p_result).outcome, (p_result).code, (p_result).warnings, p_error, (p_result).ack, (p_result).appointment_id, p_duplicate_of);
    INSERT INTO radscheduler.event_log (site_id, type, appointment_id, message_id, data)
        VALUES ((p_context ->> 'site_id')::integer,
                CASE (p_result).outcome WHEN 'duplicate' THEN 'hl7.duplicate' WHEN 'error' THEN 'hl7.rejected' WHEN 'rejected' THEN 'hl7.rejected' ELSE 'hl7.processed' END,
                (p_result).appointment_id, p_message,
                jsonb_strip_nulls(jsonb_build_object('outcome', (p_result).outcome, 'code', (p_result).code, 'trigger_event', v_header ->> 'trigger_event',
                                                     'warnings', jsonb_array_length((p_result).warnings), 'error', p_error ->> 'code')));
    PERFORM radscheduler.audit((p_context ->> 'site_id')::integer, 'message.received', 'hl7_message', p_message,
        jsonb_build_object('channel', p_context ->> 'channel', 'outcome', (p_result).outcome, 'appointment_id', (p_result).appointment_id));
END
$$;

COMMENT ON FUNCTION radscheduler.log_message(jsonb, bytea, bigint, radscheduler.ingest_result, jsonb, bigint, timestamptz) IS
    'Keeps a received message with what became of it, and tells it in event_log and the audit log.';

CREATE OR REPLACE FUNCTION radscheduler.message_context(p_header jsonb, p_channel text, p_peer text) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_sender record;
    v_site   record;
    v_zone   text;
    v_warnings jsonb := '[]';
BEGIN
    IF p_channel IS NULL OR p_channel !~ '^[a-z][a-z0-9_]{0,19}$' OR length(p_peer) > 100 THEN
        RAISE EXCEPTION 'the channel is a word such as mllp, http or sql, and the peer a network address' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Both are kept in logs: at most 20 and 100 characters.';
    END IF;
    SELECT * INTO v_sender FROM radscheduler.sender_of(coalesce(p_header ->> 'sending_application', ''), coalesce(p_header ->> 'sending_facility', ''));
    SELECT s.timezone, s.phone_region INTO v_site FROM radscheduler.site s WHERE s.site_id = v_sender.site_id;
    v_zone := coalesce(v_sender.profile ->> 'timezone', v_site.timezone, radscheduler.default_zone());
    IF v_sender.is_new THEN
        v_warnings := v_warnings || radscheduler.warning('SENDER_UNKNOWN', 'MSH-3');
    END IF;
    IF v_sender.profile ->> 'timezone' IS NULL AND v_site.timezone IS NULL THEN
        v_warnings := v_warnings || radscheduler.warning('ZONE_ASSUMED', 'MSH-7');
    END IF;
    RETURN jsonb_build_object('site_id', v_sender.site_id, 'sender_id', v_sender.sender_id, 'profile', v_sender.profile, 'zone', v_zone,
                              'region', v_site.phone_region, 'facility', coalesce(p_header ->> 'sending_facility', ''),
                              'trigger_event', p_header ->> 'trigger_event', 'sequence', p_header -> 'sequence_number',
                              'is_test', coalesce(p_header ->> 'processing_id', 'P') <> 'P', 'source', 'HL7',
                              'channel', p_channel, 'peer', p_peer, 'header', p_header, 'warnings', v_warnings);
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.ingest_message(p_bytes bytea, p_channel text, p_peer text) RETURNS radscheduler.ingest_result
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_message  bigint := nextval('radscheduler.hl7_message_id_seq');
    v_received timestamptz := clock_timestamp();
    v_head     jsonb := radscheduler.hl7_header(p_bytes);
    v_header   jsonb := v_head -> 'header';
    v_context  jsonb := radscheduler.message_context(v_header, p_channel, p_peer);
    v_site     integer := (v_context ->> 'site_id')::integer;
    v_sender   bigint := (v_context ->> 'sender_id')::bigint;
    v_sha256   bytea := sha256(p_bytes);
    v_reading  jsonb;
    v_error    jsonb := v_head -> 'error';
    v_applied  record;
    v_key      record;
    v_first    record;
    v_at       timestamptz;
    r          radscheduler.ingest_result;
BEGIN
    r.message_id := v_message;
    r.code := 'AA';
    r.warnings := v_context -> 'warnings';
    r.conflicts := '[]';

    -- Can it be read, and is it for us?
    IF v_error IS NOT NULL THEN
        r.code := 'AR';
    ELSIF coalesce(v_header ->> 'control_id', '') = '' THEN
        r.code := 'AE';
        v_error := '{"code": "101", "path": "MSH-10", "text": "The message has no control id (MSH-10), so its acknowledgement could not be told from another. Send one."}';
    ELSIF coalesce(v_header ->> 'message_code', '') <> 'SIU' THEN
        r.code := 'AR';
        v_error := '{"code": "200", "path": "MSH-9.1", "text": "Only scheduling messages (SIU) are taken here. The message is kept."}';
    ELSIF NOT EXISTS (SELECT FROM radscheduler.event_rule e WHERE e.trigger_event = v_header ->> 'trigger_event') THEN
        r.code := 'AR';
        v_error := '{"code": "201", "path": "MSH-9.2", "text": "This trigger event is not taken here: send S12, S13, S14, S15, S16, S17 or S26. The message is kept."}';
    ELSE
        v_reading := radscheduler.siu_read(p_bytes, coalesce(v_context #>> '{profile,repair}', 'lenient') <> 'strict',
                                           coalesce(v_context #>> '{profile,start_source}', 'appointment'),
                                           coalesce(v_context #>> '{profile,charset}', ''));
        r.warnings := r.warnings || (v_reading -> 'warnings');
        v_error := v_reading -> 'error';
        IF v_error IS NOT NULL THEN
            r.code := 'AE';
        ELSIF v_reading -> 'warnings' @> '[{"code": "EXTRA_SEGMENT", "path": "MSH[2]"}]' THEN
            r.code := 'AR';
            v_error := '{"code": "100", "path": "MSH[2]", "text": "These bytes hold more than one message, and one acknowledgement cannot answer several. Send each message by itself. All bytes are kept."}';
        END IF;
    END IF;

    IF v_error IS NULL THEN
        -- Order key: the message's own time, unless its clock runs ahead or it has none.
        v_at := coalesce(radscheduler.to_instant(v_header ->> 'message_time', v_context ->> 'zone'), v_received);
        IF v_at > v_received + interval '5 minutes' THEN
            v_at := v_received;
            r.warnings := r.warnings || radscheduler.warning('CLOCK_SKEW', 'MSH-7');
        END IF;
        PERFORM radscheduler.lock_keys(ARRAY[
                    'appointment/' || v_sender || '/F/' || (v_reading #>> '{schedule,filler_id}'),
                    'appointment/' || v_sender || '/P/' || (v_reading #>> '{schedule,placer_id}')]
                    || radscheduler.patient_lock_names(v_site, v_reading -> 'patient'));

        -- The duplicate guard, before anything else is written.
        INSERT INTO radscheduler.message_key AS k (site_id, sender_id, control_id, body_sha256, message_id, received_at)
            VALUES (v_site, v_sender, v_header ->> 'control_id', v_sha256, v_message, v_received)
            ON CONFLICT DO NOTHING
            RETURNING EXISTS (SELECT FROM radscheduler.message_key o
                              WHERE o.site_id = k.site_id AND o.sender_id = k.sender_id AND o.control_id = k.control_id) AS is_reused
            INTO v_key;
        IF v_key.is_reused IS NULL THEN
            SELECT m.message_id, m.ack, m.code, m.appointment_id, m.warnings INTO v_first
                FROM radscheduler.message_key k
                JOIN radscheduler.hl7_message m ON m.site_id = k.site_id AND m.received_at = k.received_at AND m.message_id = k.message_id
                WHERE k.site_id = v_site AND k.sender_id = v_sender
                  AND k.control_id = v_header ->> 'control_id' AND k.body_sha256 = v_sha256;
            IF FOUND THEN
                r.outcome := 'duplicate';
                r.ack := v_first.ack;
                r.code := v_first.code;
                r.appointment_id := v_first.appointment_id;
                r.warnings := v_first.warnings;
                r.conflicts := radscheduler.conflicts_of(v_site, r.appointment_id);
                PERFORM radscheduler.log_message(v_context, p_bytes, v_message, r, NULL, v_first.message_id, v_received);
                RETURN r;
            END IF;
            -- The answer went with an old partition: the message is taken anew, and its state in the schedule decides.
            UPDATE radscheduler.message_key k SET message_id = v_message, received_at = v_received
                WHERE k.site_id = v_site AND k.sender_id = v_sender
                  AND k.control_id = v_header ->> 'control_id' AND k.body_sha256 = v_sha256;
        END IF;
        IF v_key.is_reused THEN
            r.warnings := r.warnings || radscheduler.warning('CONTROL_ID_REUSED', 'MSH-10');
        END IF;

        SELECT * INTO v_applied FROM radscheduler.apply_reading(v_context, v_reading, v_message, v_at);
        r.outcome := v_applied.outcome;
        r.code := v_applied.code;
        r.appointment_id := v_applied.appointment_id;
        r.warnings := r.warnings || v_applied.warnings;
        IF v_applied.error IS NOT NULL THEN
            -- What was found out on the way (a patient, a resource) is not kept for a message that was not applied.
            RAISE EXCEPTION 'the message was not applied' USING ERRCODE = 'RS003', DETAIL = jsonb_build_object('error', v_applied.error, 'warnings', r.warnings,
                'appointment_id', v_applied.appointment_id)::text;
        END IF;
        IF r.outcome = 'flagged' THEN
            r.conflicts := radscheduler.conflicts_of(v_site, r.appointment_id);
            IF v_context #>> '{profile,on_conflict}' = 'reject' AND r.conflicts @> '[{"severity": "critical"}]' THEN
                RAISE EXCEPTION 'the sender''s profile refuses bookings that conflict' USING ERRCODE = 'RS001', DETAIL = r.conflicts::text;
            END IF;
        END IF;
    END IF;

    IF v_error IS NOT NULL THEN
        r.outcome := CASE WHEN r.code = 'AR' THEN 'rejected' ELSE 'error' END;
        DELETE FROM radscheduler.message_key k
            WHERE k.site_id = v_site AND k.sender_id = v_sender
              AND k.control_id = v_header ->> 'control_id' AND k.body_sha256 = v_sha256;
    END IF;
    r.ack := radscheduler.answer(p_bytes, r.code, v_message, v_context ->> 'zone', v_error, r.conflicts, v_context #>> '{profile,charset}');
    PERFORM radscheduler.log_message(v_context, p_bytes, v_message, r, v_error, NULL, v_received);
    RETURN r;
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.ingest(bytes bytea, channel text DEFAULT 'sql', peer text DEFAULT NULL) RETURNS radscheduler.ingest_result
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
DECLARE
    v_state      text;
    v_constraint text;
    v_detail     text;
    v_conflict   jsonb;
    v_head       jsonb;
    v_context    jsonb;
    v_error      jsonb;
    r            radscheduler.ingest_result;
BEGIN
    IF bytes IS NULL THEN
        RAISE EXCEPTION 'ingest needs the bytes of a message, not NULL' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    BEGIN
        RETURN radscheduler.ingest_message(bytes, channel, peer);
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_constraint = CONSTRAINT_NAME, v_detail = PG_EXCEPTION_DETAIL;
        IF left(v_state, 2) IN ('08', '40', '53', '55', '57', '58') OR v_state IN ('42501', '42P01') THEN
            RAISE;
        END IF;
    END;
    IF v_state = 'RS001' THEN
        SELECT c INTO v_conflict FROM jsonb_array_elements(v_detail::jsonb) c WHERE c ->> 'severity' = 'critical' LIMIT 1;
        v_error := jsonb_build_object('code', '207', 'path', CASE v_conflict ->> 'axis' WHEN 'patient' THEN 'PID-3' WHEN 'staff' THEN 'AIP-3' WHEN 'room' THEN 'AIL-3' ELSE 'AIG-3' END,
                                      'text', format('%s Appointment %s holds that time.', v_conflict ->> 'message', v_conflict #>> '{with,0,appointment_id}'));
    ELSIF v_state = 'RS003' THEN
        v_error := v_detail::jsonb -> 'error';
    ELSE
        v_error := jsonb_build_object('code', '207', 'path', '', 'text',
            format('The message could not be applied (SQLSTATE %s%s). It is kept and can be sent again once the cause is mended.', v_state,
                   coalesce(', constraint ' || nullif(v_constraint, ''), '')));
    END IF;
    v_head := radscheduler.hl7_header(bytes);
    v_context := radscheduler.message_context(v_head -> 'header', channel, peer);
    r.message_id := nextval('radscheduler.hl7_message_id_seq');
    r.code := 'AE';
    r.outcome := 'error';
    r.warnings := CASE WHEN v_state = 'RS003' THEN v_detail::jsonb -> 'warnings' ELSE v_context -> 'warnings' END;
    r.appointment_id := CASE WHEN v_state = 'RS003' THEN (v_detail::jsonb ->> 'appointment_id')::bigint END;
    r.conflicts := CASE WHEN v_state = 'RS001' THEN v_detail::jsonb ELSE '[]' END;
    r.ack := radscheduler.answer(bytes, r.code, r.message_id, v_context ->> 'zone', v_error, '[]', v_context #>> '{profile,charset}');
    PERFORM radscheduler.log_message(v_context, bytes, r.message_id, r, v_error, NULL, clock_timestamp());
    RETURN r;
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.appointments_write() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
DECLARE
    v_site      integer := CASE WHEN TG_OP = 'INSERT' THEN radscheduler.current_site() END;
    v_zone      text;
    v_id        bigint;
    v_old       radscheduler.appointment;
    v_values    record;
    v_patient   bigint := NULL;
    v_starts    timestamptz;
    v_ends      timestamptz;
    v_resources bigint[];
    v_status    radscheduler.appointment_status;
    v_shift     interval;
BEGIN
    -- What is asked for, in stored values.
    IF TG_OP <> 'DELETE' THEN
        NEW.patient_id := nullif(btrim(NEW.patient_id), '');
        NEW.patient_name := nullif(btrim(NEW.patient_name), '');
        IF NEW.patient_id IS NULL OR NEW.patient_name IS NULL OR NEW.modality IS NULL
           OR NEW.datetime IS NULL AND coalesce(NEW.status, 'SCHEDULED') NOT IN ('PENDING', 'WAITLISTED', 'CANCELLED') THEN
            RAISE EXCEPTION 'an appointment needs %', CASE WHEN NEW.patient_id IS NULL THEN 'patient_id' WHEN NEW.patient_name IS NULL THEN 'patient_name'
                                                           WHEN NEW.modality IS NULL THEN 'modality' ELSE 'datetime' END
                USING ERRCODE = 'not_null_violation', HINT = 'patient_id, patient_name, modality and datetime must be given; only PENDING, WAITLISTED and CANCELLED rows go without datetime.';
        END IF;
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.datetime NOT BETWEEN '1900-01-01' AND '2200-01-01' THEN
        RAISE EXCEPTION 'datetime lies outside the years 1900 to 2199' USING ERRCODE = 'datetime_field_overflow', HINT = 'Give the local date and time of the exam.';
    END IF;
    IF TG_OP <> 'INSERT' THEN
        SELECT a.site_id INTO v_site FROM radscheduler.appointment a WHERE a.appointment_id = OLD.id;
        PERFORM radscheduler.require_site(v_site);
    END IF;
    v_zone := radscheduler.site_zone(v_site);
    IF TG_OP <> 'DELETE' THEN
        SELECT * INTO v_values FROM radscheduler.check_appointment_values(v_site, NEW.modality, coalesce(NEW.duration, 30), coalesce(NEW.status, 'SCHEDULED'), coalesce(NEW.urgency, 'routine'));
        v_starts := radscheduler.to_instant(to_char(NEW.datetime, 'YYYY-MM-DD"T"HH24:MI:SS.US'), v_zone);
        v_ends := v_starts + make_interval(mins => coalesce(NEW.duration, 30));
        v_status := v_values.status;
    ELSE
        v_status := 'CANCELLED';
    END IF;
    IF TG_OP = 'UPDATE' AND (NEW.id IS DISTINCT FROM OLD.id OR NEW.conflicts IS DISTINCT FROM OLD.conflicts OR NEW.source IS DISTINCT FROM OLD.source) THEN
        RAISE EXCEPTION 'the columns id, conflicts and source of appointments cannot be updated'
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Conflicts follow from the bookings: move or cancel one of them.';
    END IF;

    -- Locks in the one order, then the row as it is now.
    PERFORM radscheduler.lock_keys(radscheduler.appointment_lock_names(v_site, CASE WHEN TG_OP <> 'INSERT' THEN OLD.id END)
                                   || CASE WHEN TG_OP <> 'DELETE' THEN format('patient/%s/%s', v_site, NEW.patient_id) END);
    IF TG_OP = 'INSERT' OR TG_OP = 'UPDATE' AND (NEW.patient_id, NEW.patient_name, NEW.patient_phone) IS DISTINCT FROM (OLD.patient_id, OLD.patient_name, OLD.patient_phone) THEN
        SELECT p.patient_id INTO v_patient FROM radscheduler.resolve_patient(v_site,
            jsonb_build_object('identifiers', jsonb_build_array(jsonb_build_object('value', NEW.patient_id)),
                               CASE WHEN TG_OP = 'INSERT' OR NEW.patient_name <> OLD.patient_name THEN 'display' ELSE 'display_if_new' END, NEW.patient_name)
            || CASE WHEN TG_OP = 'INSERT' AND NEW.patient_phone IS NULL OR TG_OP = 'UPDATE' AND NEW.patient_phone IS NOT DISTINCT FROM OLD.patient_phone THEN '{}'
                    WHEN NEW.patient_phone IS NULL THEN '{"phones": []}'
                    ELSE jsonb_build_object('phones', jsonb_build_array(jsonb_build_object('value', NEW.patient_phone))) END,
            '', (SELECT s.phone_region FROM radscheduler.site s WHERE s.site_id = v_site)) p;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        v_id := OLD.id;
        SELECT array_agg(ar.resource_id) INTO v_resources FROM radscheduler.appointment_resource ar WHERE ar.site_id = v_site AND ar.appointment_id = v_id;
        PERFORM radscheduler.lock_subjects(v_site, v_resources, ARRAY[v_patient, (SELECT a.patient_id FROM radscheduler.appointment a WHERE a.site_id = v_site AND a.appointment_id = v_id)]);
        SELECT * INTO v_old FROM radscheduler.appointment a WHERE a.site_id = v_site AND a.appointment_id = v_id FOR UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the appointment was removed while this change waited for it' USING ERRCODE = 'serialization_failure', HINT = 'Look again, it is no longer there.';
        END IF;
    ELSE
        PERFORM radscheduler.lock_subjects(v_site, NULL, ARRAY[v_patient]);
    END IF;

    -- The row.
    IF TG_OP = 'INSERT' THEN
        INSERT INTO radscheduler.appointment AS a (site_id, patient_id, status, starts_at, ends_at, modality, study_text, referring_physician, urgency, notes, source)
            VALUES (v_site, v_patient, v_status, v_starts, v_ends, v_values.modality, NEW.study_type, NEW.referring_physician, v_values.urgency, NEW.notes, coalesce(NEW.source, 'SQL'))
            RETURNING a.appointment_id INTO v_id;
    ELSIF TG_OP = 'UPDATE' THEN
        v_shift := nullif(v_starts - v_old.starts_at, interval '0');
        IF NEW.status = OLD.status THEN
            v_status := CASE WHEN v_old.review_reason = 'CONFLICT' THEN coalesce(v_old.resume_status, v_old.status) ELSE v_old.status END;
        END IF;
        UPDATE radscheduler.appointment a SET patient_id = coalesce(v_patient, a.patient_id), status = v_status,
               review_reason = CASE WHEN v_status = 'PENDING_REVIEW' THEN a.review_reason END, resume_status = NULL,
               starts_at = v_starts, ends_at = v_ends, modality = v_values.modality, study_text = NEW.study_type,
               referring_physician = NEW.referring_physician, urgency = v_values.urgency, notes = NEW.notes,
               reschedule_count = a.reschedule_count + CASE WHEN v_shift IS NULL THEN 0 ELSE 1 END,
               original_starts_at = CASE WHEN v_shift IS NULL THEN a.original_starts_at ELSE coalesce(a.original_starts_at, a.starts_at) END,
               version = a.version + 1, updated_at = now()
            WHERE a.site_id = v_site AND a.appointment_id = v_id;
        PERFORM radscheduler.shift_rows(v_site, v_id, v_shift, v_old.ends_at, v_ends);
    ELSE
        IF radscheduler.is_closed(v_old.status) THEN
            RETURN OLD;
        END IF;
        UPDATE radscheduler.appointment a SET status = 'CANCELLED', review_reason = NULL, resume_status = NULL, version = a.version + 1, updated_at = now()
            WHERE a.site_id = v_site AND a.appointment_id = v_id;
    END IF;

    -- Its time, and whether that may be.
    IF radscheduler.is_occupying(v_status) THEN
        PERFORM radscheduler.occupy(v_site, v_id, TG_OP = 'INSERT');
    ELSIF TG_OP <> 'INSERT' THEN
        PERFORM radscheduler.vacate(v_site, v_id, CASE WHEN v_status IN ('COMPLETED', 'DISCONTINUED', 'NO_SHOW') THEN now() END);
    END IF;
    IF radscheduler.settle(v_site, v_id, v_resources, ARRAY[v_patient, v_old.patient_id]) = 'critical' THEN
        IF TG_OP = 'INSERT' OR v_shift IS NOT NULL OR v_ends > v_old.ends_at OR v_patient <> v_old.patient_id OR NOT radscheduler.is_occupying(v_old.status) THEN
            PERFORM radscheduler.raise_conflict(v_site, v_id);
        END IF;
        UPDATE radscheduler.appointment a SET status = 'PENDING_REVIEW', review_reason = 'CONFLICT', resume_status = v_status
            WHERE a.site_id = v_site AND a.appointment_id = v_id AND v_status IN ('SCHEDULED', 'CONFIRMED');
    END IF;
    PERFORM radscheduler.record_version(v_site, v_id, radscheduler.event_name(v_old.status, v_status, v_shift IS NOT NULL), NULL);
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    SELECT v.* INTO NEW FROM radscheduler.appointments v WHERE v.id = v_id;
    RETURN NEW;
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.json_reading(p_site integer, p_body jsonb, OUT reading jsonb, OUT error jsonb) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_key   text;
    v_names text[];
    v_at    text := p_body ->> 'datetime';
    v_bad   text;
    v_text  text;
BEGIN
    IF jsonb_typeof(p_body) <> 'object' THEN
        error := '{"code": "invalid_body", "path": "", "text": "The body must be a JSON object with patientId, patientName, modality, studyType, datetime and referringPhysician."}';
        RETURN;
    END IF;
    FOREACH v_key IN ARRAY ARRAY['patientId', 'patientName', 'modality', 'studyType', 'datetime', 'referringPhysician'] LOOP
        IF jsonb_typeof(p_body -> v_key) IS DISTINCT FROM 'string' OR btrim(p_body ->> v_key) = '' THEN
            error := jsonb_build_object('code', 'missing_field', 'path', v_key, 'text', format('"%s" is required and must be a text that is not empty.', v_key));
            RETURN;
        END IF;
    END LOOP;
    SELECT k.key INTO v_bad FROM jsonb_each_text(p_body) k WHERE length(k.value) > CASE k.key WHEN 'notes' THEN 20000 ELSE 500 END LIMIT 1;
    IF v_bad IS NOT NULL THEN
        error := jsonb_build_object('code', 'invalid_field', 'path', v_bad, 'text', format('"%s" is too long.', left(v_bad, 40)));
        RETURN;
    END IF;
    SELECT k.key INTO v_bad FROM jsonb_each(p_body) k
        WHERE k.key IN ('patientPhone', 'urgency', 'notes', 'appointmentId', 'resource') AND jsonb_typeof(k.value) NOT IN ('string', 'null') LIMIT 1;
    IF v_bad IS NOT NULL THEN
        v_text := format('"%s" must be a text.', v_bad);
    ELSIF p_body ->> 'patientPhone' !~ '^\+?[0-9 ().-]{2,30}$' THEN
        v_bad := 'patientPhone'; v_text := '"patientPhone" must be a phone number, for example +16175550123.';
    ELSIF v_at !~ '^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?$' THEN
        v_bad := 'datetime'; v_text := '"datetime" must be an ISO 8601 date and time, for example 2024-01-15T10:00:00Z.';
    ELSIF radscheduler.modality_code(p_site, p_body ->> 'modality') IS NULL THEN
        v_bad := 'modality'; v_text := '"modality" is not one this site knows. Use for example MRI, CT, XRAY or US.';
    ELSIF p_body ? 'urgency' AND lower(p_body ->> 'urgency') NOT IN ('routine', 'urgent', 'emergency', 'stat') THEN
        v_bad := 'urgency'; v_text := '"urgency" must be routine, urgent or emergency.';
    ELSIF p_body ? 'duration' AND (p_body ->> 'duration' !~ '^\d{1,4}$' OR (p_body ->> 'duration')::integer NOT BETWEEN 1 AND 1440) THEN
        v_bad := 'duration'; v_text := '"duration" must be whole minutes from 1 to 1440.';
    ELSE
        BEGIN
            PERFORM v_at::timestamptz;
        EXCEPTION WHEN data_exception THEN
            v_bad := 'datetime'; v_text := '"datetime" names a moment that does not exist. Give an ISO 8601 date and time, for example 2024-01-15T10:00:00Z.';
        END;
    END IF;
    IF v_bad IS NOT NULL THEN
        error := jsonb_build_object('code', 'invalid_field', 'path', v_bad, 'text', v_text);
        RETURN;
    END IF;
    v_names := regexp_split_to_array(btrim(p_body ->> 'patientName'), '\s+');
    reading := jsonb_build_object(
        'header', jsonb_build_object('message_code', 'JSON', 'trigger_event', 'S12'),
        'schedule', jsonb_strip_nulls(jsonb_build_object(
            'filler_id', p_body ->> 'appointmentId', 'starts_at', radscheduler.json_time(v_at),
            'duration_minutes', (p_body ->> 'duration')::integer, 'priority', p_body ->> 'urgency', 'notes', p_body ->> 'notes',
            'modality', p_body ->> 'modality')),
        'patient', jsonb_build_object('identifiers', jsonb_build_array(jsonb_build_object('value', p_body ->> 'patientId')),
            'display', btrim(p_body ->> 'patientName'), 'family', v_names[cardinality(v_names)], 'given', array_to_string(v_names[1:cardinality(v_names) - 1], ' '))
            || CASE WHEN p_body ->> 'patientPhone' IS NULL THEN '{}' ELSE jsonb_build_object('phones', jsonb_build_array(jsonb_build_object('value', p_body ->> 'patientPhone'))) END,
        'visit', jsonb_build_object('referring', p_body ->> 'referringPhysician'),
        'services', jsonb_build_array(jsonb_build_object('path', 'studyType', 'group', 1, 'text', p_body ->> 'studyType')),
        'resources', CASE WHEN coalesce(p_body ->> 'resource', '') = '' THEN '[]'
                          ELSE jsonb_build_array(jsonb_build_object('path', 'resource', 'segment', 'AIG', 'group', 1, 'code', p_body ->> 'resource')) END);
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.ingest_json(body jsonb, raw bytea DEFAULT NULL, channel text DEFAULT 'sql', peer text DEFAULT NULL) RETURNS radscheduler.ingest_result
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
DECLARE
    v_bytes    bytea := coalesce(raw, convert_to(body::text, 'UTF8'));
    v_received timestamptz := clock_timestamp();
    v_context  jsonb := radscheduler.message_context(jsonb_build_object('sending_application', 'API', 'message_code', 'JSON', 'trigger_event', 'S12'), channel, peer)
                        || jsonb_build_object('source', 'API');
    v_site     integer := (v_context ->> 'site_id')::integer;
    v_sender   bigint := (v_context ->> 'sender_id')::bigint;
    v_read     record;
    v_applied  record;
    v_first    record;
    v_error    jsonb;
    r          radscheduler.ingest_result;
BEGIN
    r.message_id := nextval('radscheduler.hl7_message_id_seq');
    r.warnings := '[]';
    r.conflicts := '[]';
    SELECT * INTO v_read FROM radscheduler.json_reading(v_site, body);
    v_error := v_read.error;
    IF v_error IS NULL THEN
        PERFORM radscheduler.lock_keys(ARRAY['appointment/' || v_sender || '/F/' || (v_read.reading #>> '{schedule,filler_id}'), 'body/' || encode(sha256(v_bytes), 'hex')]
                                       || radscheduler.patient_lock_names(v_site, v_read.reading -> 'patient'));
        INSERT INTO radscheduler.message_key (site_id, sender_id, control_id, body_sha256, message_id, received_at)
            VALUES (v_site, v_sender, '', sha256(v_bytes), r.message_id, v_received) ON CONFLICT DO NOTHING;
        IF NOT FOUND THEN
            SELECT m.message_id, m.code, m.ack, m.appointment_id INTO v_first
                FROM radscheduler.message_key k
                JOIN radscheduler.hl7_message m ON m.site_id = k.site_id AND m.received_at = k.received_at AND m.message_id = k.message_id
                JOIN radscheduler.appointment a ON a.site_id = m.site_id AND a.appointment_id = m.appointment_id AND NOT radscheduler.is_closed(a.status)
                WHERE k.site_id = v_site AND k.sender_id = v_sender AND k.control_id = '' AND k.body_sha256 = sha256(v_bytes);
            IF FOUND THEN
                r.outcome := 'duplicate';
                r.code := v_first.code;
                r.ack := v_first.ack;
                r.appointment_id := v_first.appointment_id;
                r.conflicts := radscheduler.conflicts_of(v_site, r.appointment_id);
                PERFORM radscheduler.log_message(v_context, v_bytes, r.message_id, r, NULL, v_first.message_id, v_received);
                RETURN r;
            END IF;
            UPDATE radscheduler.message_key k SET message_id = r.message_id, received_at = v_received
                WHERE k.site_id = v_site AND k.sender_id = v_sender AND k.control_id = '' AND k.body_sha256 = sha256(v_bytes);
        END IF;
        SELECT * INTO v_applied FROM radscheduler.apply_reading(v_context, v_read.reading, r.message_id, v_received);
        v_error := v_applied.error;
        r.outcome := v_applied.outcome;
        r.appointment_id := v_applied.appointment_id;
        r.warnings := v_applied.warnings;
        r.conflicts := radscheduler.conflicts_of(v_site, r.appointment_id);
    END IF;
    r.code := CASE WHEN v_error IS NULL THEN 'AA' ELSE 'AE' END;
    r.outcome := CASE WHEN v_error IS NULL THEN r.outcome ELSE 'error' END;
    r.ack := convert_to(jsonb_strip_nulls(jsonb_build_object('code', r.code, 'message_id', r.message_id, 'appointment_id', r.appointment_id, 'error', v_error))::text, 'UTF8');
    PERFORM radscheduler.log_message(v_context, v_bytes, r.message_id, r, v_error, NULL, v_received);
    RETURN r;
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.configuration_moment(p_at timestamptz) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT CASE WHEN isfinite(p_at) THEN rtrim(rtrim(to_char(timezone('UTC', p_at), 'YYYY-MM-DD"T"HH24:MI:SS.US'), '0'), '.') || 'Z'
                        ELSE p_at::text END);
END
$$;

COMMENT ON FUNCTION radscheduler.configuration_moment(timestamptz) IS 'An instant in UTC as a configuration document writes it, such as 2031-11-03T10:00:00Z, or infinity.';

CREATE OR REPLACE FUNCTION radscheduler.configuration_hours_entry(p_weekday integer, p_opens time, p_closes time, p_valid daterange) RETURNS jsonb
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

CREATE OR REPLACE FUNCTION radscheduler.configuration_block_entry(p_during tstzrange, p_reason text) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT jsonb_strip_nulls(jsonb_build_object('starts_at', radscheduler.configuration_moment(lower(p_during)),
        'ends_at', radscheduler.configuration_moment(upper(p_during)), 'reason', p_reason)));
END
$$;

COMMENT ON FUNCTION radscheduler.configuration_block_entry(tstzrange, text) IS 'One block as a configuration document writes it: {starts_at, ends_at, reason}.';

CREATE OR REPLACE FUNCTION radscheduler.configuration_hours(p_site integer, p_resource bigint, OUT hours_id bigint, OUT entry jsonb) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 7 SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN QUERY SELECT h.hours_id, radscheduler.configuration_hours_entry(h.weekday, h.opens, h.closes, h.valid)
        FROM radscheduler.resource_hours h
        WHERE h.site_id = p_site AND (h.resource_id = p_resource OR h.resource_id IS NULL AND p_resource IS NULL) AND NOT isempty(h.valid);
END
$$;

COMMENT ON FUNCTION radscheduler.configuration_hours(integer, bigint) IS 'Opening hours of a resource, or of the site itself when the resource is NULL, with their ids. Rows that hold on no day are left out.';

CREATE OR REPLACE FUNCTION radscheduler.configuration_blocks(p_site integer, p_resource bigint, OUT block_id bigint, OUT entry jsonb) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 5 SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN QUERY SELECT b.block_id, radscheduler.configuration_block_entry(b.during, b.reason)
        FROM radscheduler.resource_block b WHERE b.site_id = p_site AND b.resource_id = p_resource AND upper(b.during) > now();
END
$$;

COMMENT ON FUNCTION radscheduler.configuration_blocks(integer, bigint) IS 'Blocks of a resource that have not ended, with their ids.';

CREATE OR REPLACE FUNCTION radscheduler.configuration_site(p_site integer) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT jsonb_build_object('code', s.code, 'name', s.name, 'timezone', s.timezone, 'phone_region', s.phone_region, 'slot_minutes', s.slot_minutes,
        'hours', (SELECT coalesce(jsonb_agg(h.entry ORDER BY h.entry -> 'weekday', h.entry ->> 'opens' COLLATE "C", h.entry), '[]')
                  FROM (SELECT DISTINCT c.entry FROM radscheduler.configuration_hours(p_site, NULL) c) h))
        FROM radscheduler.site s WHERE s.site_id = p_site);
END
$$;

COMMENT ON FUNCTION radscheduler.configuration_site(integer) IS 'A site with its opening hours, without its lists: {code, name, timezone, phone_region, slot_minutes, hours}.';

CREATE OR REPLACE FUNCTION radscheduler.configuration_sender(p_site integer, p_application text, p_facility text) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT jsonb_build_object('sending_application', s.sending_application, 'sending_facility', s.sending_facility,
                                      'profile', s.profile, 'is_registered', s.is_registered)
        FROM radscheduler.sender s WHERE s.site_id = p_site AND s.sending_application = p_application AND s.sending_facility = p_facility);
END
$$;

COMMENT ON FUNCTION radscheduler.configuration_sender(integer, text, text) IS 'A sender: {sending_application, sending_facility, profile, is_registered}; NULL when there is none.';

CREATE OR REPLACE FUNCTION radscheduler.configuration_modality(p_site integer, p_code text) RETURNS jsonb
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

CREATE OR REPLACE FUNCTION radscheduler.configuration_procedure(p_site integer, p_code text) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT jsonb_build_object('code', p.code, 'name', p.name, 'modality', p.modality, 'minutes', p.minutes)
        FROM radscheduler.procedure p WHERE p.site_id = p_site AND p.code = p_code);
END
$$;

COMMENT ON FUNCTION radscheduler.configuration_procedure(integer, text) IS 'A procedure: {code, name, modality, minutes}; NULL when there is none.';

CREATE OR REPLACE FUNCTION radscheduler.configuration_resource(p_site integer, p_resource bigint) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT jsonb_build_object('code', r.code, 'kind', r.kind, 'name', r.name, 'role', r.role, 'modality', r.modality, 'capacity', r.capacity,
        'setup_minutes', r.setup_minutes, 'turnover_minutes', r.turnover_minutes, 'is_active', r.is_active, 'is_registered', r.is_registered,
        'aliases', (SELECT coalesce(jsonb_agg(CASE WHEN a.kind = r.kind THEN to_jsonb(a.alias) ELSE jsonb_build_object('kind', a.kind, 'alias', a.alias) END
                                              ORDER BY a.kind = r.kind DESC, a.kind, a.alias COLLATE "C"), '[]')
                    FROM radscheduler.resource_alias a WHERE a.site_id = p_site AND a.resource_id = p_resource),
        'hours', (SELECT coalesce(jsonb_agg(h.entry ORDER BY h.entry -> 'weekday', h.entry ->> 'opens' COLLATE "C", h.entry), '[]')
                  FROM (SELECT DISTINCT c.entry FROM radscheduler.configuration_hours(p_site, p_resource) c) h),
        'blocks', (SELECT coalesce(jsonb_agg(b.entry ORDER BY b.entry ->> 'starts_at' COLLATE "C", b.entry), '[]')
                   FROM (SELECT DISTINCT c.entry FROM radscheduler.configuration_blocks(p_site, p_resource) c) b))
        FROM radscheduler.resource r WHERE r.site_id = p_site AND r.resource_id = p_resource);
END
$$;

COMMENT ON FUNCTION radscheduler.configuration_resource(integer, bigint) IS
    'A resource with all its names (its own code among them; {kind, alias} for a name used under another kind), own hours and blocks that have not ended: {code, kind, name, role, modality, capacity, setup_minutes, turnover_minutes, is_active, is_registered, aliases, hours, blocks}; NULL when there is none.';

CREATE OR REPLACE FUNCTION radscheduler.configuration_export() RETURNS jsonb
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
        -- Each item's own code is one of its names without being listed. Sections of later tables join here.
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
    'The configuration of the sites the caller may use as one document for configuration_import(): {format: radscheduler.configuration, version: 1, exported_at (UTC), sites: [{code, name, timezone, phone_region, slot_minutes, hours, senders, modalities, procedures, resources}]}. Hours are wall-clock time of the site, valid_until is the last day; blocks are in UTC, only those that have not ended. An item''s own code is one of its aliases without being listed. Everything is sorted: the same configuration is the same text but for exported_at. Writes one audit event per site. Raises 55000 when a site has two resources of the same kind and code.';

CREATE OR REPLACE FUNCTION radscheduler.configuration_refuse(p_place text, p_fault text, p_detail text, p_hint text) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RAISE EXCEPTION '% %', coalesce(nullif(p_place, ''), 'the document'), p_fault USING ERRCODE = 'invalid_parameter_value', DETAIL = p_detail, HINT = p_hint;
END
$$;

COMMENT ON FUNCTION radscheduler.configuration_refuse(text, text, text, text) IS
    'Raises 22023 with a sentence that begins with a place of a document, such as sites[0].resources[3].capacity; an empty place is the document itself.';

CREATE OR REPLACE FUNCTION radscheduler.configuration_found(p_value jsonb) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT CASE jsonb_typeof(p_value)
        WHEN 'string' THEN format('The document has the string "%s"%s there.', left(p_value #>> '{}', 60), CASE WHEN length(p_value #>> '{}') > 60 THEN ' and more' ELSE '' END)
        WHEN 'number' THEN format('The document has the number %s there.', left(p_value #>> '{}', 60))
        WHEN 'array' THEN format('The document has a list of %s there.', jsonb_array_length(p_value))
        WHEN 'object' THEN 'The document has an object there.'
        WHEN 'boolean' THEN format('The document has %s there.', p_value)
        WHEN 'null' THEN 'The document has null there.'
        ELSE 'The key is not in the document.' END);
END
$$;

COMMENT ON FUNCTION radscheduler.configuration_found(jsonb) IS 'A sentence that says what stands at a place of a document; NULL is a key that is not there.';

CREATE OR REPLACE FUNCTION radscheduler.configuration_fields(p_item text, OUT field text, OUT kind text, OUT need text, OUT is_nullable boolean,
                                                  OUT low integer, OUT high integer) RETURNS SETOF record
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE ROWS 10 SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN QUERY SELECT f.field, f.kind, f.need, f.is_nullable, f.low, f.high FROM (VALUES
        (101, 'document', 'format'::text, 'text'::text, 'always'::text, false, NULL::integer, NULL::integer),
        (102, 'document', 'version', 'integer', 'always', false, 1, 1),
        (103, 'document', 'exported_at', 'text', '', false, NULL, NULL),
        (104, 'document', 'sites', 'list:site', 'always', false, NULL, NULL),
        (201, 'site', 'code', 'site_code', 'key', false, NULL, NULL),
        (202, 'site', 'name', 'text', 'new', false, NULL, NULL),
        (203, 'site', 'timezone', 'zone', '', true, NULL, NULL),
        (204, 'site', 'phone_region', 'region', '', false, NULL, NULL),
        (205, 'site', 'slot_minutes', 'integer', '', false, 1, 240),
        (206, 'site', 'senders', 'list:sender', '', false, NULL, NULL),
        (207, 'site', 'modalities', 'list:modality', '', false, NULL, NULL),
        (208, 'site', 'procedures', 'list:procedure', '', false, NULL, NULL),
        (209, 'site', 'hours', 'list:hours', '', false, NULL, NULL),
        (210, 'site', 'resources', 'list:resource', '', false, NULL, NULL),
        (301, 'sender', 'sending_application', 'text', 'key', false, NULL, NULL),
        (302, 'sender', 'sending_facility', 'text', 'key', false, NULL, NULL),
        (303, 'sender', 'profile', 'profile', '', false, NULL, NULL),
        (304, 'sender', 'is_registered', 'boolean', '', false, NULL, NULL),
        (401, 'modality', 'code', 'code', 'key', false, NULL, NULL),
        (402, 'modality', 'label', 'text', 'new', false, NULL, NULL),
        (403, 'modality', 'name', 'text', 'new', false, NULL, NULL),
        (404, 'modality', 'default_minutes', 'integer', 'new', false, 1, 1440),
        (405, 'modality', 'aliases', 'list:word', '', false, NULL, NULL),
        (501, 'procedure', 'code', 'code', 'key', false, NULL, NULL),
        (502, 'procedure', 'name', 'text', 'new', false, NULL, NULL),
        (503, 'procedure', 'modality', 'code', 'new', false, NULL, NULL),
        (504, 'procedure', 'minutes', 'integer', '', true, 1, 1440),
        (601, 'hours', 'weekday', 'integer', 'always', false, 1, 7),
        (602, 'hours', 'opens', 'time', 'always', false, NULL, NULL),
        (603, 'hours', 'closes', 'time', 'always', false, NULL, NULL),
        (604, 'hours', 'valid_from', 'date', '', true, NULL, NULL),
        (605, 'hours', 'valid_until', 'date', '', true, NULL, NULL),
        (701, 'resource', 'kind', 'kind', 'key', false, NULL, NULL),
        (702, 'resource', 'code', 'code', 'key', false, NULL, NULL),
        (703, 'resource', 'name', 'text', 'new', false, NULL, NULL),
        (704, 'resource', 'role', 'text', '', true, NULL, NULL),
        (705, 'resource', 'modality', 'code', '', true, NULL, NULL),
        (706, 'resource', 'capacity', 'integer', '', false, 1, 1000),
        (707, 'resource', 'setup_minutes', 'integer', '', false, 0, 480),
        (708, 'resource', 'turnover_minutes', 'integer', '', false, 0, 480),
        (709, 'resource', 'is_active', 'boolean', '', false, NULL, NULL),
        (710, 'resource', 'is_registered', 'boolean', '', false, NULL, NULL),
        (711, 'resource', 'aliases', 'list:name', '', false, NULL, NULL),
        (712, 'resource', 'hours', 'list:hours', '', false, NULL, NULL),
        (713, 'resource', 'blocks', 'list:block', '', false, NULL, NULL),
        (801, 'block', 'starts_at', 'moment', 'always', false, NULL, NULL),
        (802, 'block', 'ends_at', 'moment', 'always', false, NULL, NULL),
        (803, 'block', 'reason', 'text', '', true, NULL, NULL),
        (901, 'name', 'kind', 'kind', 'always', false, NULL, NULL),
        (902, 'name', 'alias', 'code', 'always', false, NULL, NULL)) f(place, item, field, kind, need, is_nullable, low, high)
    WHERE f.item = p_item ORDER BY f.place;
END
$$;

COMMENT ON FUNCTION radscheduler.configuration_fields(text) IS
    'The keys of an object of a configuration document, in the order they are checked: type (list:x is a list of objects x), need (key: names the item; always; new: when the item does not exist yet), whether null may stand there, bounds of numbers.';

CREATE OR REPLACE FUNCTION radscheduler.configuration_keys(p_item text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT format('The keys of this object are %s.', string_agg(f.field, ', ')) FROM radscheduler.configuration_fields(p_item) f);
END
$$;

COMMENT ON FUNCTION radscheduler.configuration_keys(text) IS 'A sentence with the keys of an object of a configuration document, for hints.';

CREATE OR REPLACE FUNCTION radscheduler.configuration_fault(p_kind text, p_value jsonb, p_low integer, p_high integer, OUT fault text, OUT hint text) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_text text := CASE WHEN jsonb_typeof(p_value) = 'string' THEN p_value #>> '{}' END;
BEGIN
    IF p_kind = 'text' AND v_text IS NULL THEN
        fault := 'must be a string'; hint := 'Write the value in double quotes.';
    ELSIF p_kind = 'code' AND coalesce(v_text, '') = '' THEN
        fault := 'must be a string that is not empty'; hint := 'Write the code in double quotes.';
    ELSIF p_kind = 'site_code' AND v_text ~ '^[A-Za-z0-9_.-]{1,40}$' IS NOT TRUE THEN
        fault := 'must be the code of a site'; hint := 'A code has 1 to 40 letters, digits, dots, dashes and underscores.';
    ELSIF p_kind = 'zone' AND radscheduler.is_timezone(v_text) IS NOT TRUE THEN
        fault := 'must be a time zone that is known'; hint := 'Use an IANA name such as America/New_York; pg_timezone_names lists them.';
    ELSIF p_kind = 'region' AND v_text ~ '^[A-Z]{2}$' IS NOT TRUE THEN
        fault := 'must be a country code of two capital letters'; hint := 'Use an ISO 3166 code such as US; radscheduler.phone_region lists those whose numbers are understood.';
    ELSIF p_kind = 'profile' AND radscheduler.is_profile(p_value) IS NOT TRUE THEN
        fault := 'must be a profile that is understood';
        hint := 'Its keys are timezone (IANA), repair (lenient, strict), on_conflict (flag, reject), start_source (appointment, service) and charset (HL7 table 0211).';
    ELSIF p_kind = 'boolean' AND jsonb_typeof(p_value) <> 'boolean' THEN
        fault := 'must be true or false'; hint := 'Write true or false without quotes.';
    ELSIF p_kind = 'kind' AND v_text IN ('room', 'equipment', 'staff') IS NOT TRUE THEN
        fault := 'must be a kind of resource'; hint := 'Write "room", "equipment" or "staff".';
    ELSIF p_kind = 'time' AND v_text ~ '^(([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?|24:00(:00)?)$' IS NOT TRUE THEN
        fault := 'must be a time of day'; hint := 'Write "07:30"; midnight at the end of a day is "24:00".';
    ELSIF p_kind = 'integer' THEN
        IF jsonb_typeof(p_value) <> 'number' OR (p_value #>> '{}')::numeric NOT BETWEEN p_low AND p_high OR (p_value #>> '{}')::numeric % 1 <> 0 THEN
            fault := format('must be a whole number from %s to %s', p_low, p_high); hint := 'Write the number without quotes and without decimals.';
        END IF;
    ELSIF p_kind = 'date' THEN
        BEGIN
            IF v_text ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' AND v_text::date IS NOT NULL THEN
                RETURN;
            END IF;
        EXCEPTION WHEN data_exception THEN NULL;
        END;
        fault := 'must be a date'; hint := 'Write "2031-12-31".';
    ELSIF p_kind = 'moment' THEN
        BEGIN
            IF v_text ~ '^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})|-?infinity)$'
               AND v_text::timestamptz IS NOT NULL THEN
                RETURN;
            END IF;
        EXCEPTION WHEN data_exception THEN NULL;
        END;
        fault := 'must be a date and time with its offset from UTC'; hint := 'Write "2031-11-03T10:00:00Z" or "2031-11-03T05:00:00-05:00".';
    END IF;
END
$$;

COMMENT ON FUNCTION radscheduler.configuration_fault(text, jsonb, integer, integer) IS
    'What is wrong with a value of a document that is to be of a type of configuration_fields(), and what to write instead; NULL when nothing is.';

CREATE OR REPLACE FUNCTION radscheduler.configuration_names(p_list jsonb, OUT item integer, OUT listed integer, OUT kind text, OUT alias text) RETURNS SETOF record
    LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 100 SET search_path = pg_catalog, pg_temp
    AS $$
WITH entry AS (
    SELECT i.place::integer - 1 AS item, a.place::integer - 1 AS listed, coalesce(a.entry ->> 'kind', i.item ->> 'kind', '') AS kind,
           upper(coalesce(a.entry ->> 'alias', a.entry #>> '{}')) AS alias
    FROM jsonb_array_elements(p_list) WITH ORDINALITY i(item, place), jsonb_array_elements(i.item -> 'aliases') WITH ORDINALITY a(entry, place)
), own AS (
    SELECT i.place::integer - 1 AS item, NULL::integer AS listed, coalesce(i.item ->> 'kind', '') AS kind, upper(i.item ->> 'code') AS alias
    FROM jsonb_array_elements(p_list) WITH ORDINALITY i(item, place)
)
SELECT * FROM entry
UNION ALL
SELECT * FROM own WHERE (own.kind, own.alias) NOT IN (SELECT entry.kind, entry.alias FROM entry)
ORDER BY item, listed
$$;

COMMENT ON FUNCTION radscheduler.configuration_names(jsonb) IS
    'The names a document gives to the modalities or resources of a list, upper case: number of the item, number within its aliases, kind (empty for modalities). An item''s own code (listed is NULL) is one of its names unless the document lists it, here or under another item.';

CREATE OR REPLACE FUNCTION radscheduler.configuration_check_list(p_item text, p_place text, p_list jsonb) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_keys text[] := ARRAY(SELECT f.field FROM radscheduler.configuration_fields(p_item) f WHERE f.need = 'key');
    v_twin record;
BEGIN
    IF jsonb_typeof(p_list) <> 'array' THEN
        PERFORM radscheduler.configuration_refuse(p_place, 'must be a list', radscheduler.configuration_found(p_list),
                                                  'Write a list in brackets; leave the key out to leave the list alone.');
    END IF;
    PERFORM radscheduler.configuration_check(p_item, format('%s[%s]', p_place, e.place - 1), e.item)
        FROM jsonb_array_elements(p_list) WITH ORDINALITY e(item, place);
    IF cardinality(v_keys) > 0 THEN
        SELECT t.place, t.first INTO v_twin
            FROM (SELECT e.place, min(e.place) OVER (PARTITION BY (SELECT jsonb_agg(e.item -> k) FROM unnest(v_keys) k)) AS first
                  FROM jsonb_array_elements(p_list) WITH ORDINALITY e(item, place)) t
            WHERE t.place > t.first ORDER BY t.place LIMIT 1;
        IF FOUND THEN
            PERFORM radscheduler.configuration_refuse(format('%s[%s]', p_place, v_twin.place - 1),
                format('has the %s of another %s in the document', array_to_string(v_keys, ' and '), p_item),
                format('The other one is %s[%s].', p_place, v_twin.first - 1), 'Name each once.');
        END IF;
    END IF;
    IF p_item IN ('modality', 'resource') THEN
        SELECT n.place, n.first INTO v_twin
            FROM (SELECT c.position, format('%s[%s].aliases[%s]', p_place, c.item, c.listed) AS place,
                         first_value(format('%s[%s].aliases[%s]', p_place, c.item, c.listed)) OVER names AS first, row_number() OVER names AS n
                  FROM radscheduler.configuration_names(p_list) WITH ORDINALITY c(item, listed, kind, alias, position) WHERE c.listed IS NOT NULL
                  WINDOW names AS (PARTITION BY c.kind, c.alias ORDER BY c.position)) n
            WHERE n.n > 1 ORDER BY n.position LIMIT 1;
        IF FOUND THEN
            PERFORM radscheduler.configuration_refuse(v_twin.place, 'is a name that the document gives twice', format('It stands at %s too.', v_twin.first),
                'A name means one modality, or one resource of its kind, whatever its case. List it once.');
        END IF;
    END IF;
END
$$;

COMMENT ON FUNCTION radscheduler.configuration_check_list(text, text, jsonb) IS
    'Checks a list of a configuration document: each item of it, and that no item and no alias is named twice. Raises 22023.';

CREATE OR REPLACE FUNCTION radscheduler.configuration_check(p_item text, p_place text, p_value jsonb) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_field record;
    v_value jsonb;
    v_place text;
    v_fault text;
    v_hint  text;
BEGIN
    IF p_item IN ('word', 'name') AND jsonb_typeof(p_value) = 'string' AND p_value <> '""' THEN
        RETURN;
    ELSIF p_item = 'word' THEN
        PERFORM radscheduler.configuration_refuse(p_place, 'must be a string that is not empty', radscheduler.configuration_found(p_value), 'Write the word in double quotes.');
    ELSIF jsonb_typeof(p_value) <> 'object' AND p_item = 'name' THEN
        PERFORM radscheduler.configuration_refuse(p_place, 'must be a string that is not empty', radscheduler.configuration_found(p_value),
            'Write the name in double quotes; one that is used under another kind is {"kind": "room", "alias": "the name"}.');
    ELSIF jsonb_typeof(p_value) <> 'object' THEN
        PERFORM radscheduler.configuration_refuse(p_place, 'must be an object', radscheduler.configuration_found(p_value), radscheduler.configuration_keys(p_item));
    END IF;
    SELECT k INTO v_place FROM jsonb_object_keys(p_value) k
        WHERE k NOT IN (SELECT f.field FROM radscheduler.configuration_fields(p_item) f) ORDER BY k COLLATE "C" LIMIT 1;
    IF FOUND THEN
        PERFORM radscheduler.configuration_refuse(concat_ws('.', nullif(p_place, ''), left(v_place, 60)), 'is not a key that is understood',
                                                  radscheduler.configuration_found(p_value -> v_place), radscheduler.configuration_keys(p_item));
    END IF;
    FOR v_field IN SELECT * FROM radscheduler.configuration_fields(p_item) LOOP
        v_value := p_value -> v_field.field;
        v_place := concat_ws('.', nullif(p_place, ''), v_field.field);
        IF v_value IS NULL THEN
            IF v_field.need IN ('key', 'always') THEN
                PERFORM radscheduler.configuration_refuse(v_place, 'is missing', radscheduler.configuration_found(NULL), 'Add the key; this object is not understood without it.');
            END IF;
        ELSIF v_value = 'null' AND v_field.is_nullable THEN
            CONTINUE;
        ELSIF v_field.kind LIKE 'list:%' THEN
            PERFORM radscheduler.configuration_check_list(substr(v_field.kind, 6), v_place, v_value);
        ELSE
            SELECT f.fault, f.hint INTO v_fault, v_hint FROM radscheduler.configuration_fault(v_field.kind, v_value, v_field.low, v_field.high) f;
            IF v_fault IS NOT NULL THEN
                PERFORM radscheduler.configuration_refuse(v_place, v_fault, radscheduler.configuration_found(v_value), v_hint);
            END IF;
        END IF;
    END LOOP;
    IF p_item = 'hours' AND (p_value ->> 'closes')::time <= (p_value ->> 'opens')::time THEN
        PERFORM radscheduler.configuration_refuse(p_place || '.closes', 'must be later than opens', radscheduler.configuration_found(p_value -> 'closes'),
            'Hours past midnight are two entries: one until "24:00" and one from "00:00" of the next weekday.');
    ELSIF p_item = 'hours' AND (p_value ->> 'valid_until')::date < (p_value ->> 'valid_from')::date THEN
        PERFORM radscheduler.configuration_refuse(p_place || '.valid_until', 'must not be before valid_from', radscheduler.configuration_found(p_value -> 'valid_until'),
            'valid_until is the last day on which the hours hold.');
    ELSIF p_item = 'block' AND (p_value ->> 'ends_at')::timestamptz <= (p_value ->> 'starts_at')::timestamptz THEN
        PERFORM radscheduler.configuration_refuse(p_place || '.ends_at', 'must be later than starts_at', radscheduler.configuration_found(p_value -> 'ends_at'),
            'Exchange the two, or take the block out.');
    END IF;
END
$$;

COMMENT ON FUNCTION radscheduler.configuration_check(text, text, jsonb) IS
    'Checks one object of a configuration document and everything in it: keys, types, bounds, times that end before they begin. Raises 22023 at the first fault.';

CREATE OR REPLACE FUNCTION radscheduler.patient_by_identifier(p_site integer, p_identifier text) RETURNS bigint
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

CREATE OR REPLACE FUNCTION radscheduler.hold_lock_name(p_site integer) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN 'hold/' || p_site::text;

COMMENT ON FUNCTION radscheduler.hold_lock_name(integer) IS 'Name for lock_keys() under which the holds of a site and the removal of its records wait for each other.';

CREATE OR REPLACE FUNCTION radscheduler.holds_in_force(p_site integer, OUT is_site_held boolean, OUT patients bigint[], OUT identifiers text[]) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    SELECT coalesce(bool_or(h.patient_id IS NULL), false), coalesce(array_agg(DISTINCT h.patient_id) FILTER (WHERE h.patient_id IS NOT NULL), '{}')
        INTO is_site_held, patients
        FROM radscheduler.legal_hold h WHERE h.site_id = p_site AND h.lifted_at IS NULL;
    identifiers := ARRAY(SELECT DISTINCT i.value FROM radscheduler.patient_identifier i WHERE i.site_id = p_site AND i.patient_id = ANY (patients));
END
$$;

COMMENT ON FUNCTION radscheduler.holds_in_force(integer) IS 'The holds of a site: whether everything is held, which patients are, and the values of their identifiers. Ask it under hold_lock_name().';

CREATE OR REPLACE FUNCTION radscheduler.place_hold(reason text, patient text DEFAULT NULL) RETURNS bigint
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

CREATE OR REPLACE FUNCTION radscheduler.lift_hold(hold bigint, reason text) RETURNS void
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

CREATE OR REPLACE FUNCTION radscheduler.message_identifiers(p_code text, p_bytes bytea, p_charset text, OUT identifiers jsonb, OUT facility text, OUT is_person boolean) RETURNS record
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
    v_body := radscheduler.siu_read(p_bytes, true, 'appointment', coalesce(p_charset, ''));
    IF NOT v_body ? 'header' THEN
        RETURN;
    END IF;
    facility := coalesce(v_body #>> '{header,sending_facility}', '');
    is_person := v_body ? 'patient';
    identifiers := coalesce(v_body #> '{patient,identifiers}', '[]');
    IF v_body -> 'warnings' @> '[{"code": "EXTRA_SEGMENT"}]' THEN
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
    'The patients'' identifiers that a received message carries, [{value, authority, type}] as sent (PID-3, else PID-2 and PID-4, of every PID; patientId of a JSON body), its sending facility, and whether it is about a person at all. identifiers is NULL for bytes that cannot be read. p_code is hl7_message.message_code, p_charset the charset of the sender''s profile.';

CREATE OR REPLACE FUNCTION radscheduler.message_subjects(p_site integer, p_appointment bigint, p_code text, p_bytes bytea, p_charset text, p_values text[],
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

CREATE OR REPLACE FUNCTION radscheduler.has_ended(status radscheduler.appointment_status, ends_at timestamptz, updated_at timestamptz, before timestamptz) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN COALESCE(ends_at < before, false) OR (radscheduler.is_closed(status) OR ends_at IS NULL) AND updated_at < before;

COMMENT ON FUNCTION radscheduler.has_ended(radscheduler.appointment_status, timestamptz, timestamptz, timestamptz) IS
    'Whether an appointment was over before an instant: its time was, or it was closed and not touched since; one without time counts by its last change.';

CREATE OR REPLACE FUNCTION radscheduler.patient_names(p_site integer, p_patients bigint[]) RETURNS text[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN ARRAY(SELECT format('patient/%s/%s', p_site, i.value) FROM radscheduler.patient_identifier i WHERE i.site_id = p_site AND i.patient_id = ANY (p_patients)
                 UNION
                 SELECT format('patient/%s/%s', p_site, p.mrn) FROM radscheduler.patient p WHERE p.site_id = p_site AND p.patient_id = ANY (p_patients));
END
$$;

COMMENT ON FUNCTION radscheduler.patient_names(integer, bigint[]) IS 'Names for lock_keys() of patients that are known, as patient_lock_names() gives them for a reading.';

CREATE OR REPLACE FUNCTION radscheduler.release_appointments(p_site integer, p_appointments bigint[], p_patients bigint[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_id   bigint;
    v_item record;
BEGIN
    PERFORM radscheduler.lock_subjects(p_site,
        ARRAY(SELECT r.resource_id FROM radscheduler.appointment_resource r WHERE r.site_id = p_site AND r.appointment_id = ANY (p_appointments)),
        p_patients || ARRAY(SELECT a.patient_id FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments)));
    PERFORM FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments) ORDER BY a.appointment_id FOR UPDATE;
    -- All of them leave before the first is settled: none is healed by another that leaves with it.
    UPDATE radscheduler.appointment a SET status = 'DELETED', review_reason = NULL, resume_status = NULL
        WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments) AND NOT radscheduler.is_closed(a.status);
    FOREACH v_id IN ARRAY p_appointments LOOP
        PERFORM radscheduler.vacate(p_site, v_id, NULL);
    END LOOP;
    FOR v_item IN
        SELECT a.appointment_id, a.patient_id,
               ARRAY(SELECT r.resource_id FROM radscheduler.appointment_resource r WHERE r.site_id = a.site_id AND r.appointment_id = a.appointment_id) AS resources
        FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments) ORDER BY a.appointment_id
    LOOP
        PERFORM radscheduler.settle(p_site, v_item.appointment_id, v_item.resources, ARRAY[v_item.patient_id]);
    END LOOP;
END
$$;

COMMENT ON FUNCTION radscheduler.release_appointments(integer, bigint[], bigint[]) IS
    'Locks the subjects (those patients too) and rows of appointments that are about to be deleted, gives back all their time and heals whoever was in conflict with them. Call it under lock_keys() on their names.';

CREATE OR REPLACE FUNCTION radscheduler.delete_appointments(p_site integer, p_appointments bigint[], OUT appointments bigint, OUT history bigint) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    INSERT INTO radscheduler.event_log (site_id, type, appointment_id) SELECT p_site, 'appointment.purged', u.id FROM unnest(p_appointments) u(id);
    PERFORM radscheduler.audit(p_site, 'appointment.purged', 'appointment', u.id, '{}') FROM unnest(p_appointments) u(id);
    DELETE FROM radscheduler.appointment_history h WHERE h.site_id = p_site AND h.appointment_id = ANY (p_appointments);
    GET DIAGNOSTICS history = ROW_COUNT;
    DELETE FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments);
    GET DIAGNOSTICS appointments = ROW_COUNT;
END
$$;

COMMENT ON FUNCTION radscheduler.delete_appointments(integer, bigint[]) IS
    'Deletes appointments with everything that hangs on them and tells it as appointment.purged, to listeners and to the audit log; returns how many, and how many versions. Call release_appointments() before.';

CREATE OR REPLACE FUNCTION radscheduler.is_held(p_site integer, p_appointment bigint, p_patient bigint, p_held bigint[]) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN p_held <> '{}'
       AND (coalesce(p_patient = ANY (p_held), false)
            OR EXISTS (SELECT FROM radscheduler.appointment_history h WHERE h.site_id = p_site AND h.appointment_id = p_appointment
                       AND (h.snapshot #>> '{appointment,patient_id}')::bigint = ANY (p_held)));
END
$$;

COMMENT ON FUNCTION radscheduler.is_held(integer, bigint, bigint, bigint[]) IS
    'Whether an appointment is, or in any version was, of a patient under a hold: moving it to another patient does not end the hold.';

CREATE OR REPLACE FUNCTION radscheduler.purge_patient(p_site integer, p_patient bigint) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_names    text[];
    v_own      bigint[];
    v_values   text[];
    v_holds    record;
    v_messages record;
    v_deleted  record;
    v_patients bigint;
    v_history  bigint;
    v_others   bigint;
    v_kept     bigint;
BEGIN
    FOR v_round IN 1..2 LOOP
        v_own := ARRAY(SELECT a.appointment_id FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.patient_id = p_patient ORDER BY a.appointment_id);
        v_values := ARRAY(SELECT i.value FROM radscheduler.patient_identifier i WHERE i.site_id = p_site AND i.patient_id = p_patient);
        IF v_round = 1 THEN
            v_names := radscheduler.hold_lock_name(p_site) || radscheduler.patient_names(p_site, ARRAY[p_patient])
                       || ARRAY(SELECT n FROM unnest(v_own) u(id), unnest(radscheduler.appointment_lock_names(p_site, u.id)) n);
            PERFORM radscheduler.lock_keys(v_names);
        ELSIF NOT v_names @> (radscheduler.patient_names(p_site, ARRAY[p_patient])
                              || ARRAY(SELECT n FROM unnest(v_own) u(id), unnest(radscheduler.appointment_lock_names(p_site, u.id)) n WHERE n IS NOT NULL)) THEN
            RAISE EXCEPTION 'the patient''s records changed while they were being locked' USING ERRCODE = 'serialization_failure', HINT = 'Run it again.';
        END IF;
    END LOOP;
    SELECT * INTO v_holds FROM radscheduler.holds_in_force(p_site);
    IF v_holds.is_site_held OR p_patient = ANY (v_holds.patients) THEN
        RAISE EXCEPTION '% is under a legal hold and nothing was removed', CASE WHEN v_holds.is_site_held THEN 'this site' ELSE 'this patient' END
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'radscheduler.legal_hold lists the holds; radscheduler.lift_hold() ends one.';
    END IF;

    SELECT coalesce(array_agg(u.id) FILTER (WHERE NOT radscheduler.is_held(p_site, u.id, p_patient, v_holds.patients)), '{}'),
           count(*) FILTER (WHERE radscheduler.is_held(p_site, u.id, p_patient, v_holds.patients)) INTO v_own, v_kept FROM unnest(v_own) u(id);
    IF v_kept > 0 THEN
        RAISE EXCEPTION 'appointments of this patient were of a patient under a legal hold, and nothing was removed' USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'radscheduler.legal_hold lists the holds; radscheduler.lift_hold() ends one.';
    END IF;

    -- Messages first: whom they are about is told by appointments and identifiers that are still there.
    SELECT coalesce(array_agg(q.message_id) FILTER (WHERE q.is_his AND NOT q.is_held), '{}') AS his,
           count(*) FILTER (WHERE q.is_his AND q.is_held) AS held,
           count(*) FILTER (WHERE q.trouble = 'unreadable') AS unreadable,
           count(*) FILTER (WHERE NOT q.is_his AND (q.trouble = 'unclear' OR q.is_doubtful)) AS unclear
        INTO v_messages
        FROM (SELECT m.message_id, s.trouble, p_patient = ANY (s.patients) AS is_his, p_patient = ANY (s.doubtful) AS is_doubtful,
                     (s.patients || s.doubtful) && v_holds.patients AS is_held
              FROM radscheduler.hl7_message m
              LEFT JOIN radscheduler.sender x ON x.site_id = m.site_id AND x.sender_id = m.sender_id,
              LATERAL radscheduler.message_subjects(m.site_id, m.appointment_id, m.message_code, m.raw, x.profile ->> 'charset', v_values || v_holds.identifiers) s
              WHERE m.site_id = p_site) q;
    PERFORM radscheduler.release_appointments(p_site, v_own, ARRAY[p_patient]);
    SELECT * INTO v_deleted FROM radscheduler.delete_appointments(p_site, v_own);
    DELETE FROM radscheduler.message_key k WHERE k.site_id = p_site AND k.message_id = ANY (v_messages.his);
    DELETE FROM radscheduler.hl7_message m WHERE m.site_id = p_site AND m.message_id = ANY (v_messages.his);
    PERFORM radscheduler.audit(p_site, 'message.purged', 'hl7_message', NULL, jsonb_build_object('messages', v_messages.his)) WHERE v_messages.his <> '{}';
    -- Appointments that are another's now and were his once: those versions are about him.
    SELECT count(*) INTO v_others FROM radscheduler.appointment_history h JOIN radscheduler.appointment a ON a.site_id = h.site_id AND a.appointment_id = h.appointment_id
        WHERE h.site_id = p_site AND h.snapshot #>> '{appointment,patient_id}' = p_patient::text AND a.patient_id = ANY (v_holds.patients);
    PERFORM radscheduler.audit(p_site, 'history.purged', 'appointment', h.appointment_id, jsonb_build_object('version', h.version))
        FROM radscheduler.appointment_history h JOIN radscheduler.appointment a ON a.site_id = h.site_id AND a.appointment_id = h.appointment_id
        WHERE h.site_id = p_site AND h.snapshot #>> '{appointment,patient_id}' = p_patient::text AND NOT coalesce(a.patient_id = ANY (v_holds.patients), false);
    DELETE FROM radscheduler.appointment_history h USING radscheduler.appointment a
        WHERE h.site_id = p_site AND h.snapshot #>> '{appointment,patient_id}' = p_patient::text
          AND a.site_id = h.site_id AND a.appointment_id = h.appointment_id AND NOT coalesce(a.patient_id = ANY (v_holds.patients), false);
    GET DIAGNOSTICS v_history = ROW_COUNT;
    DELETE FROM radscheduler.patient p WHERE p.site_id = p_site AND p.patient_id = p_patient;
    GET DIAGNOSTICS v_patients = ROW_COUNT;
    RETURN jsonb_build_object('patients', v_patients, 'appointments', v_deleted.appointments, 'messages', cardinality(v_messages.his),
                              'history', v_deleted.history + v_history, 'held', v_messages.held + v_others,
                              'unreadable_messages', v_messages.unreadable, 'unclear_messages', v_messages.unclear, 'remaining', 0);
END
$$;

COMMENT ON FUNCTION radscheduler.purge_patient(integer, bigint) IS
    'Removes a patient, his appointments and the messages about him; returns the counts as purge() does. held counts messages and versions kept because they are also about a patient under a hold. Raises 55000 when he or the site is under a hold, 40001 when his records changed while they were being locked.';

CREATE OR REPLACE FUNCTION radscheduler.purge_period(p_site integer, p_before timestamptz) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_batch    CONSTANT integer := 500;
    v_names    text[];
    v_own      bigint[];
    v_gone     bigint[];
    v_holds    record;
    v_kept     record;
    v_deleted  record;
    v_held     bigint;
    v_messages bigint := 0;
    v_patients bigint;
    v_remaining bigint;
BEGIN
    FOR v_round IN 1..2 LOOP
        SELECT * INTO v_holds FROM radscheduler.holds_in_force(p_site);
        IF v_round = 1 THEN
            v_own := ARRAY(SELECT a.appointment_id FROM radscheduler.appointment a
                WHERE a.site_id = p_site AND NOT v_holds.is_site_held AND radscheduler.has_ended(a.status, a.ends_at, a.updated_at, p_before)
                  AND NOT radscheduler.is_held(a.site_id, a.appointment_id, a.patient_id, v_holds.patients) ORDER BY a.appointment_id LIMIT c_batch);
            v_gone := ARRAY(SELECT p.patient_id FROM radscheduler.patient p
                WHERE p.site_id = p_site AND NOT v_holds.is_site_held AND p.created_at < p_before AND NOT p.patient_id = ANY (v_holds.patients)
                  AND NOT EXISTS (SELECT FROM radscheduler.appointment a WHERE a.site_id = p.site_id AND a.patient_id = p.patient_id AND NOT a.appointment_id = ANY (v_own))
                ORDER BY p.patient_id LIMIT c_batch);
            v_names := radscheduler.hold_lock_name(p_site) || radscheduler.patient_names(p_site, v_gone)
                       || ARRAY(SELECT n FROM unnest(v_own) u(id), unnest(radscheduler.appointment_lock_names(p_site, u.id)) n);
            PERFORM radscheduler.lock_keys(v_names);
        ELSE
            -- What has changed meanwhile waits for the next call.
            v_own := ARRAY(SELECT a.appointment_id FROM radscheduler.appointment a
                WHERE a.site_id = p_site AND a.appointment_id = ANY (v_own) AND NOT v_holds.is_site_held
                  AND radscheduler.has_ended(a.status, a.ends_at, a.updated_at, p_before) AND NOT radscheduler.is_held(a.site_id, a.appointment_id, a.patient_id, v_holds.patients)
                  AND array_remove(radscheduler.appointment_lock_names(a.site_id, a.appointment_id), NULL) <@ v_names ORDER BY a.appointment_id);
        END IF;
    END LOOP;

    SELECT coalesce(array_agg(q.message_id), '{}') AS ids, count(*) FILTER (WHERE q.trouble IS NULL) AS held,
           count(*) FILTER (WHERE q.trouble = 'unreadable') AS unreadable, count(*) FILTER (WHERE q.trouble = 'unclear') AS unclear
        INTO v_kept
        FROM (SELECT m.message_id, s.trouble
              FROM radscheduler.hl7_message m
              LEFT JOIN radscheduler.sender x ON x.site_id = m.site_id AND x.sender_id = m.sender_id,
              LATERAL radscheduler.message_subjects(m.site_id, m.appointment_id, m.message_code, m.raw, x.profile ->> 'charset', v_holds.identifiers) s
              WHERE m.site_id = p_site AND m.received_at < p_before AND v_holds.patients <> '{}' AND NOT v_holds.is_site_held
                AND (s.trouble IS NOT NULL OR (s.patients || s.doubtful) && v_holds.patients)) q;
    SELECT v_kept.held
           + (SELECT count(*) FROM radscheduler.hl7_message m WHERE m.site_id = p_site AND m.received_at < p_before AND v_holds.is_site_held)
           + (SELECT count(*) FROM radscheduler.appointment a WHERE a.site_id = p_site AND radscheduler.has_ended(a.status, a.ends_at, a.updated_at, p_before)
                AND (v_holds.is_site_held OR radscheduler.is_held(a.site_id, a.appointment_id, a.patient_id, v_holds.patients)))
           + (SELECT count(*) FROM radscheduler.patient p WHERE p.site_id = p_site AND p.created_at < p_before AND (v_holds.is_site_held OR p.patient_id = ANY (v_holds.patients))
                AND NOT EXISTS (SELECT FROM radscheduler.appointment a WHERE a.site_id = p.site_id AND a.patient_id = p.patient_id
                                AND NOT radscheduler.has_ended(a.status, a.ends_at, a.updated_at, p_before)))
        INTO v_held;
    IF NOT v_holds.is_site_held THEN
        DELETE FROM radscheduler.message_key k WHERE k.site_id = p_site AND k.received_at < p_before AND k.message_id <> ALL (v_kept.ids);
        DELETE FROM radscheduler.hl7_message m WHERE m.site_id = p_site AND m.received_at < p_before AND m.message_id <> ALL (v_kept.ids);
        GET DIAGNOSTICS v_messages = ROW_COUNT;
    END IF;
    PERFORM radscheduler.release_appointments(p_site, v_own, v_gone);
    SELECT * INTO v_deleted FROM radscheduler.delete_appointments(p_site, v_own);
    v_gone := ARRAY(SELECT p.patient_id FROM radscheduler.patient p
        WHERE p.site_id = p_site AND p.patient_id = ANY (v_gone) AND NOT v_holds.is_site_held AND NOT p.patient_id = ANY (v_holds.patients)
          AND NOT EXISTS (SELECT FROM radscheduler.appointment a WHERE a.site_id = p.site_id AND a.patient_id = p.patient_id)
          AND radscheduler.patient_names(p.site_id, ARRAY[p.patient_id]) <@ v_names);
    PERFORM radscheduler.audit(p_site, 'patient.purged', 'patient', u.id, '{}') FROM unnest(v_gone) u(id);
    DELETE FROM radscheduler.patient p WHERE p.site_id = p_site AND p.patient_id = ANY (v_gone);
    GET DIAGNOSTICS v_patients = ROW_COUNT;
    SELECT (SELECT count(*) FROM radscheduler.appointment a WHERE a.site_id = p_site AND radscheduler.has_ended(a.status, a.ends_at, a.updated_at, p_before)
              AND NOT radscheduler.is_held(a.site_id, a.appointment_id, a.patient_id, v_holds.patients))
           + (SELECT count(*) FROM radscheduler.patient p WHERE p.site_id = p_site AND p.created_at < p_before AND NOT p.patient_id = ANY (v_holds.patients)
                AND NOT EXISTS (SELECT FROM radscheduler.appointment a WHERE a.site_id = p.site_id AND a.patient_id = p.patient_id))
        INTO v_remaining WHERE NOT v_holds.is_site_held;
    RETURN jsonb_build_object('patients', v_patients, 'appointments', v_deleted.appointments, 'messages', v_messages, 'history', v_deleted.history, 'held', v_held,
                              'unreadable_messages', v_kept.unreadable, 'unclear_messages', v_kept.unclear, 'remaining', coalesce(v_remaining, 0));
END
$$;

COMMENT ON FUNCTION radscheduler.purge_period(integer, timestamptz) IS
    'Removes what ended or arrived before an instant and is not held: all messages, at most 500 appointments and 500 patients, because each takes locks until the transaction ends; returns the counts as purge() does. While a patient is held, messages that cannot be told to be another''s stay too.';

CREATE OR REPLACE FUNCTION radscheduler.purge(reason text, patient text DEFAULT NULL, before timestamptz DEFAULT NULL, dry_run boolean DEFAULT true) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site    integer := radscheduler.current_site();
    v_dry     boolean := coalesce(dry_run, true);
    v_patient bigint;
    v_counts  jsonb;
BEGIN
    IF coalesce(btrim(reason), '') = '' THEN
        RAISE EXCEPTION 'a purge needs a reason' USING ERRCODE = 'invalid_parameter_value', HINT = 'Say why, without the patient''s name or number: it is kept in the audit log.';
    ELSIF length(reason) > 1000 THEN
        RAISE EXCEPTION 'the reason is longer than 1000 characters' USING ERRCODE = 'invalid_parameter_value', HINT = 'It is kept in the audit log: a sentence or a case number.';
    ELSIF num_nonnulls(patient, before) <> 1 THEN
        RAISE EXCEPTION 'a purge needs either a patient or an instant' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Give patient => an identifier, or before => the instant before which records have ended.';
    ELSIF before > now() THEN
        RAISE EXCEPTION 'the instant of a purge must not lie in the future' USING ERRCODE = 'invalid_parameter_value', HINT = 'Only what is over can be removed as a period.';
    END IF;
    BEGIN
        IF patient IS NOT NULL THEN
            v_patient := radscheduler.patient_by_identifier(v_site, patient);
            v_counts := radscheduler.purge_patient(v_site, v_patient);
        ELSE
            v_counts := radscheduler.purge_period(v_site, before);
        END IF;
        IF v_dry THEN
            RAISE EXCEPTION 'dry run' USING ERRCODE = 'RS002';
        END IF;
        PERFORM radscheduler.audit(v_site, 'purge', CASE WHEN v_patient IS NULL THEN 'period' ELSE 'patient' END, v_patient,
                                   jsonb_strip_nulls(jsonb_build_object('reason', reason, 'before', before, 'counts', v_counts)));
    EXCEPTION WHEN SQLSTATE 'RS002' THEN
        NULL; -- Everything is as it was; the counts are kept in the variable.
    END;
    RETURN jsonb_build_object('dry_run', v_dry) || v_counts;
END
$$;

COMMENT ON FUNCTION radscheduler.purge(text, text, timestamptz, boolean) IS
    'Removes for good, at the session''s site, a patient with everything about him (patient: an identifier, value or authority|value), or what ended before an instant (before). Without dry_run => false it only counts: it does everything and takes it back. Nothing under a hold is removed. The reason goes into the audit log and must not contain the patient''s name or number; nobody checks that. Returns {dry_run, patients, appointments, messages, history, held, unreadable_messages, unclear_messages, remaining}: unreadable and unclear messages (a person without number, a number that several have) were kept and are for a person to look at; repeat a period until remaining is 0. Raises 22023 for wrong arguments, 55000 for a patient under a hold, 40001 when the patient''s records changed meanwhile.';

CREATE OR REPLACE FUNCTION radscheduler.set_retention(record text, keep interval) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET intervalstyle = 'postgres' SET radscheduler.audit_changes = off
    AS $$
#variable_conflict use_column
DECLARE
    v_old interval;
BEGIN
    IF NOT radscheduler.sees_every_site() THEN
        RAISE EXCEPTION 'retention concerns every site, and this role was granted only some' USING ERRCODE = 'insufficient_privilege',
            HINT = 'Ask a role that may use all sites.';
    ELSIF set_retention.keep > interval '1000 years' THEN
        RAISE EXCEPTION 'records cannot be kept for more than 1000 years' USING ERRCODE = 'invalid_parameter_value', HINT = 'NULL keeps them for ever.';
    ELSIF set_retention.keep < interval '1 month' THEN
        RAISE EXCEPTION 'records are kept for one month at least' USING ERRCODE = 'invalid_parameter_value', HINT = 'Give an interval such as ''13 months'', or NULL to keep them for ever.';
    END IF;
    SELECT r.keep INTO v_old FROM radscheduler.retention r WHERE r.record = set_retention.record FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no retention for "%"', set_retention.record USING ERRCODE = 'invalid_parameter_value', HINT = 'Use hl7_message, event_log or audit_event.';
    END IF;
    UPDATE radscheduler.retention r SET keep = set_retention.keep WHERE r.record = set_retention.record;
    PERFORM radscheduler.audit(0, 'retention.set', set_retention.record, NULL, jsonb_build_object('keep', jsonb_build_array(v_old, set_retention.keep)));
END
$$;

COMMENT ON FUNCTION radscheduler.set_retention(text, interval) IS
    'Sets how long hl7_message, event_log or audit_event is kept in all sites, at least one month; NULL is for ever. maintain() removes what is older. Raises 42501 for a role that may not use every site, 22023 for another name or a shorter time.';

CREATE OR REPLACE FUNCTION radscheduler.expired_months(p_parent text, p_before timestamptz) RETURNS text[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO'
    AS $$
BEGIN
    RETURN ARRAY(
        SELECT n.name
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid,
             LATERAL (SELECT c.relname::text, CASE WHEN c.relname ~ ('^' || p_parent || '_\d{6}$') THEN to_date(right(c.relname, 6), 'YYYYMM')::timestamptz END) n(name, month)
        WHERE i.inhparent = format('radscheduler.%I', p_parent)::regclass AND n.month + interval '1 month' <= p_before
          AND pg_get_expr(c.relpartbound, c.oid) = format('FOR VALUES FROM (%L) TO (%L)', n.month, n.month + interval '1 month')
        ORDER BY n.name);
END
$$;

COMMENT ON FUNCTION radscheduler.expired_months(text, timestamptz) IS
    'Monthly partitions (parent_YYYYMM, UTC) of a table that lie wholly before an instant, oldest first. A partition whose bounds are not those of its name is not ours and not listed.';

CREATE OR REPLACE FUNCTION radscheduler.kept_messages(p_partition regclass, p_sites integer[], p_before timestamptz) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_site  integer;
    v_holds record;
    v_some  bigint[];
    v_kept  bigint[] := '{}';
BEGIN
    FOREACH v_site IN ARRAY p_sites LOOP
        SELECT * INTO v_holds FROM radscheduler.holds_in_force(v_site);
        CONTINUE WHEN v_holds.patients = '{}';
        EXECUTE format('SELECT array_agg(m.message_id) FROM %s m
                        LEFT JOIN radscheduler.sender x ON x.site_id = m.site_id AND x.sender_id = m.sender_id,
                        LATERAL radscheduler.message_subjects(m.site_id, m.appointment_id, m.message_code, m.raw, x.profile ->> ''charset'', $2) s
                        WHERE m.site_id = $1 AND m.received_at < $4 AND (s.trouble IS NOT NULL OR (s.patients || s.doubtful) && $3)', p_partition)
            INTO v_some USING v_site, v_holds.identifiers, v_holds.patients, p_before;
        v_kept := v_kept || v_some;
    END LOOP;
    RETURN v_kept;
END
$$;

COMMENT ON FUNCTION radscheduler.kept_messages(regclass, integer[], timestamptz) IS
    'Ids of the messages in a partition of hl7_message, received before an instant at some sites, that a hold on a patient keeps: those about him, and those that cannot be told to be another''s.';

CREATE OR REPLACE FUNCTION radscheduler.delete_expired_messages(p_partition regclass, p_label text, p_sites integer[], p_before timestamptz, p_kept bigint[]) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_rows bigint;
BEGIN
    EXECUTE format('WITH gone AS (DELETE FROM %s m WHERE m.site_id = ANY ($1) AND m.received_at < $2 AND m.message_id <> ALL ($3)
                                  RETURNING m.site_id, m.message_id, m.sender_id, m.control_id, m.raw_sha256),
                    keys AS (DELETE FROM radscheduler.message_key k USING gone g
                             WHERE k.site_id = g.site_id AND k.sender_id = g.sender_id AND k.control_id = coalesce(g.control_id, '''')
                               AND k.body_sha256 = g.raw_sha256 AND k.message_id = g.message_id)
                    SELECT count(*) FROM gone', p_partition) INTO v_rows USING p_sites, p_before, p_kept;
    IF v_rows > 0 THEN
        PERFORM radscheduler.audit(0, 'retention.delete', 'hl7_message', NULL, jsonb_build_object('month', p_label, 'rows', v_rows));
    END IF;
    RETURN v_rows;
END
$$;

COMMENT ON FUNCTION radscheduler.delete_expired_messages(regclass, text, integer[], timestamptz, bigint[]) IS
    'Deletes from a partition of hl7_message, with their duplicate keys, what was received before an instant at some sites, except the ids to keep; returns how many and audits it (retention.delete, month = p_label).';

CREATE OR REPLACE FUNCTION radscheduler.drop_months(p_parent text, p_months text[], p_kept bigint[]) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
    AS $$
DECLARE
    v_name    text;
    v_month   timestamptz;
    v_rows    bigint;
    v_columns text;
BEGIN
    FOREACH v_name IN ARRAY p_months LOOP
        v_month := to_date(right(v_name, 6), 'YYYYMM')::timestamptz;
        EXECUTE format('SELECT count(*) FROM radscheduler.%I', v_name) INTO v_rows;
        IF p_parent = 'hl7_message' THEN
            EXECUTE format('SELECT $2 - count(*) FROM radscheduler.%I m WHERE m.message_id = ANY ($1)', v_name) INTO v_rows USING p_kept, v_rows;
            DELETE FROM radscheduler.message_key k
                WHERE k.received_at >= v_month AND k.received_at < v_month + interval '1 month' AND k.message_id <> ALL (p_kept);
        END IF;
        PERFORM radscheduler.audit(0, 'retention.drop', p_parent, NULL, jsonb_build_object('month', to_char(v_month, 'YYYY-MM'), 'rows', v_rows));
    END LOOP;
    SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO v_columns
        FROM pg_attribute a WHERE a.attrelid = format('radscheduler.%I', p_parent)::regclass AND a.attnum > 0 AND NOT a.attisdropped;
    -- From here to the end of the transaction nobody else has the table.
    EXECUTE format('LOCK TABLE ONLY radscheduler.%I IN ACCESS EXCLUSIVE MODE', p_parent);
    FOREACH v_name IN ARRAY p_months LOOP
        EXECUTE format('ALTER TABLE radscheduler.%I DETACH PARTITION radscheduler.%I', p_parent, v_name);
        IF p_kept <> '{}' THEN
            EXECUTE format('INSERT INTO radscheduler.%1$I (%3$s) SELECT %3$s FROM radscheduler.%2$I m WHERE m.message_id = ANY ($1)', p_parent, v_name, v_columns) USING p_kept;
        END IF;
        EXECUTE format('DROP TABLE radscheduler.%I', v_name);
    END LOOP;
    RETURN true;
EXCEPTION WHEN lock_not_available OR deadlock_detected OR dependent_objects_still_exist THEN
    RETURN false;
END
$$;

COMMENT ON FUNCTION radscheduler.drop_months(text, text[], bigint[]) IS
    'Detaches and drops partitions of a table, all or none, and audits each (retention.drop, {month: YYYY-MM, rows: how many were removed}). Messages to keep go back into the parent, which puts them into its default partition; the duplicate keys of the others go. False when a lock could not be had in time or something of the site''s own depends on one.';

CREATE OR REPLACE FUNCTION radscheduler.expire_messages(p_before timestamptz, OUT dropped text[], OUT postponed text[]) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_most  CONSTANT integer := 5000;
    v_sites integer[] := ARRAY(SELECT s.site_id FROM radscheduler.site s ORDER BY s.site_id);
    v_free  integer[];
    v_held  integer[];
    v_name  text;
    v_table regclass;
    v_kept  bigint[];
    v_back  bigint[] := '{}';
    v_is_held boolean;
BEGIN
    dropped := '{}';
    postponed := '{}';
    PERFORM radscheduler.lock_keys(ARRAY(SELECT radscheduler.hold_lock_name(s) FROM unnest(v_sites) s));
    v_held := ARRAY(SELECT DISTINCT h.site_id FROM radscheduler.legal_hold h WHERE h.lifted_at IS NULL AND h.patient_id IS NULL);
    v_free := ARRAY(SELECT s FROM unnest(v_sites) s WHERE s <> ALL (v_held));
    v_table := 'radscheduler.hl7_message_default'::regclass;
    PERFORM radscheduler.delete_expired_messages(v_table, 'default', v_free, p_before, radscheduler.kept_messages(v_table, v_free, p_before));
    FOREACH v_name IN ARRAY radscheduler.expired_months('hl7_message', p_before) LOOP
        v_table := format('radscheduler.%I', v_name)::regclass;
        EXECUTE format('SELECT EXISTS (SELECT FROM unnest($1) s WHERE EXISTS (SELECT FROM %s m WHERE m.site_id = s))', v_table) INTO v_is_held USING v_held;
        v_kept := radscheduler.kept_messages(v_table, v_free, 'infinity');
        IF v_is_held OR cardinality(v_kept) > c_most THEN
            -- Too much of the month is held to be moved: it loses its other rows and stays until the hold is lifted.
            PERFORM radscheduler.delete_expired_messages(v_table, right(v_name, 6), v_free, 'infinity', v_kept);
        ELSE
            dropped := dropped || v_name;
            v_back := v_back || v_kept;
        END IF;
    END LOOP;
    IF dropped <> '{}' AND NOT radscheduler.drop_months('hl7_message', dropped, v_back) THEN
        postponed := dropped;
        dropped := '{}';
    END IF;
END
$$;

COMMENT ON FUNCTION radscheduler.expire_messages(timestamptz) IS
    'Removes messages received in months wholly before an instant, and older rows of the default partition. Held ones stay: a few go back into the default partition, a month with many, or with rows of a site under a hold, stays and loses its other rows.';

CREATE OR REPLACE FUNCTION radscheduler.expire_events(p_before timestamptz, OUT dropped text[], OUT postponed text[]) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_name    text;
    v_waiting boolean;
    v_rows    bigint;
BEGIN
    dropped := '{}';
    postponed := '{}';
    DELETE FROM radscheduler.event_log_default e
        WHERE e.recorded_at < p_before AND NOT EXISTS (SELECT FROM radscheduler.relay_cursor c WHERE (c.xid, c.seq) < (e.xid, e.seq));
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    IF v_rows > 0 THEN
        PERFORM radscheduler.audit(0, 'retention.delete', 'event_log', NULL, jsonb_build_object('month', 'default', 'rows', v_rows));
    END IF;
    FOREACH v_name IN ARRAY radscheduler.expired_months('event_log', p_before) LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM (SELECT e.xid, e.seq FROM radscheduler.%I e ORDER BY e.xid DESC, e.seq DESC LIMIT 1) l
                                       JOIN radscheduler.relay_cursor c ON (c.xid, c.seq) < (l.xid, l.seq))', v_name) INTO v_waiting;
        IF v_waiting THEN
            postponed := postponed || v_name;
        ELSE
            dropped := dropped || v_name;
        END IF;
    END LOOP;
    IF dropped <> '{}' AND NOT radscheduler.drop_months('event_log', dropped, '{}') THEN
        postponed := postponed || dropped;
        dropped := '{}';
    END IF;
END
$$;

COMMENT ON FUNCTION radscheduler.expire_events(timestamptz) IS
    'Removes events of months wholly before an instant, and older rows of the default partition, except what a relay in relay_cursor has still to publish.';

CREATE OR REPLACE FUNCTION radscheduler.expire_audit(p_before timestamptz, OUT dropped text[], OUT postponed text[]) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_name text;
BEGIN
    dropped := '{}';
    postponed := '{}';
    FOREACH v_name IN ARRAY radscheduler.expired_months('audit_event', p_before) LOOP
        IF radscheduler.audit_is_sealed(format('radscheduler.%I', v_name)::regclass) THEN
            dropped := dropped || v_name;
        ELSE
            postponed := postponed || v_name;
        END IF;
    END LOOP;
    IF dropped <> '{}' AND NOT radscheduler.drop_months('audit_event', dropped, '{}') THEN
        postponed := postponed || dropped;
        dropped := '{}';
    END IF;
END
$$;

COMMENT ON FUNCTION radscheduler.expire_audit(timestamptz) IS 'Removes audit events of months wholly before an instant once all of them are sealed; never rows of the default partition.';

CREATE OR REPLACE FUNCTION radscheduler.drop_expired(OUT dropped text[], OUT postponed text[]) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET lock_timeout = '2s' SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_rule   record;
    v_result record;
    v_months text[];
BEGIN
    dropped := '{}';
    postponed := '{}';
    FOR v_rule IN SELECT r.record, now() - r.keep AS before FROM radscheduler.retention r WHERE r.keep IS NOT NULL ORDER BY r.record DESC LOOP
        v_months := radscheduler.expired_months(v_rule.record, v_rule.before);
        IF dropped <> '{}' THEN
            postponed := postponed || v_months;
            CONTINUE;
        END IF;
        BEGIN
            CASE v_rule.record
                WHEN 'hl7_message' THEN SELECT * INTO v_result FROM radscheduler.expire_messages(v_rule.before);
                WHEN 'event_log'   THEN SELECT * INTO v_result FROM radscheduler.expire_events(v_rule.before);
                ELSE                    SELECT * INTO v_result FROM radscheduler.expire_audit(v_rule.before);
            END CASE;
            dropped := v_result.dropped;
            postponed := postponed || v_result.postponed;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            postponed := postponed || v_months;
        END;
    END LOOP;
END
$$;

COMMENT ON FUNCTION radscheduler.drop_expired() IS
    'Removes what is older than radscheduler.retention says: dropped are the partitions that went, of one table in each call; postponed those that are due and wait for the next call (a lock was not to be had within 2 seconds, another table went first), for a relay or for a seal. A month that a hold keeps is in neither. Call it last in a transaction and end that soon: until then nobody else has the table. maintain() does.';

CREATE OR REPLACE FUNCTION radscheduler.partition_key(p_parent text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN CASE p_parent WHEN 'hl7_message' THEN 'received_at' ELSE 'recorded_at' END;

COMMENT ON FUNCTION radscheduler.partition_key(text) IS 'Column by which a record table is partitioned.';

CREATE OR REPLACE FUNCTION radscheduler.make_partition(p_parent text, p_name text, p_bounds text, p_comment text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_table  regclass;
    v_role   text;
    v_column text;
BEGIN
    -- Made aside and attached: that holds up neither writers nor readers of the parent.
    EXECUTE format('CREATE TABLE radscheduler.%I (LIKE radscheduler.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS)', p_name, p_parent);
    v_table := format('radscheduler.%I', p_name)::regclass;
    EXECUTE format('COMMENT ON TABLE %s IS %L', v_table, p_comment);
    -- Rights that ALTER DEFAULT PRIVILEGES hands out are nobody's here.
    FOR v_role IN SELECT DISTINCT CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END
                  FROM pg_class c, aclexplode(c.relacl) x WHERE c.oid = v_table AND x.grantee <> c.relowner LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %s', v_table, v_role);
    END LOOP;
    FOR v_column IN SELECT a.attname FROM pg_attribute a
                    WHERE a.attrelid = format('radscheduler.%I', p_parent)::regclass AND a.attnum > 0 AND a.attstattarget = 0 LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS 0', v_table, v_column);
    END LOOP;
    PERFORM radscheduler.secure_table(v_table);
    IF p_parent = 'audit_event' THEN
        PERFORM radscheduler.make_append_only(v_table, false);
    ELSE
        PERFORM radscheduler.audit_partition(v_table);
    END IF;
    EXECUTE format('ALTER TABLE radscheduler.%I ATTACH PARTITION %s %s', p_parent, v_table, p_bounds);
END
$$;

COMMENT ON FUNCTION radscheduler.make_partition(text, text, text, text) IS 'Makes one partition with its policy and triggers and attaches it; p_bounds is DEFAULT or FOR VALUES …';

CREATE OR REPLACE FUNCTION radscheduler.make_partitions(p_parent text) RETURNS text[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO'
    AS $$
DECLARE
    v_start   timestamptz := date_trunc('month', now());
    v_month   timestamptz;
    v_missing timestamptz[];
    v_waiting boolean;
    v_name    text;
    v_columns text;
    v_made    text[] := '{}';
BEGIN
    v_missing := ARRAY(SELECT m FROM generate_series(v_start, v_start + interval '3 months', interval '1 month') m
                       WHERE to_regclass(format('radscheduler.%I', p_parent || to_char(m, '_YYYYMM'))) IS NULL ORDER BY m);
    IF cardinality(v_missing) = 0 THEN
        RETURN v_made;
    END IF;
    -- Rows of these months that had to wait in the default partition: it is taken off, a new one is made, and the old one is poured into the parent.
    EXECUTE format('SELECT EXISTS (SELECT FROM radscheduler.%I WHERE %I >= $1 AND %2$I < $2)', p_parent || '_default', radscheduler.partition_key(p_parent))
        INTO v_waiting USING v_missing[1], v_missing[cardinality(v_missing)] + interval '1 month';
    IF v_waiting THEN
        EXECUTE format('ALTER TABLE radscheduler.%I DETACH PARTITION radscheduler.%I', p_parent, p_parent || '_default');
        EXECUTE format('ALTER TABLE radscheduler.%I RENAME TO %I', p_parent || '_default', p_parent || '_waiting');
    END IF;
    FOREACH v_month IN ARRAY v_missing LOOP
        v_name := p_parent || to_char(v_month, '_YYYYMM');
        PERFORM radscheduler.make_partition(p_parent, v_name, format('FOR VALUES FROM (%L) TO (%L)', v_month, v_month + interval '1 month'),
                                            format('Rows of %s of one month (UTC).', p_parent));
        v_made := v_made || v_name;
    END LOOP;
    IF v_waiting THEN
        PERFORM radscheduler.make_partition(p_parent, p_parent || '_default', 'DEFAULT',
                                            obj_description(format('radscheduler.%I', p_parent || '_waiting')::regclass, 'pg_class'));
        SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO v_columns
            FROM pg_attribute a WHERE a.attrelid = format('radscheduler.%I', p_parent)::regclass AND a.attnum > 0 AND NOT a.attisdropped;
        EXECUTE format('INSERT INTO radscheduler.%1$I (%3$s) SELECT %3$s FROM radscheduler.%2$I', p_parent, p_parent || '_waiting', v_columns);
        EXECUTE format('DROP TABLE radscheduler.%I', p_parent || '_waiting');
    END IF;
    RETURN v_made;
END
$$;

COMMENT ON FUNCTION radscheduler.make_partitions(text) IS 'Makes the monthly partitions (UTC) of a table for this and the next three months where they are missing; returns their names.';

CREATE OR REPLACE FUNCTION radscheduler.make_next_partitions(OUT created text[], OUT postponed text[]) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
    AS $$
DECLARE
    v_parent text;
BEGIN
    created := '{}';
    postponed := '{}';
    FOREACH v_parent IN ARRAY ARRAY['hl7_message', 'event_log', 'audit_event'] LOOP
        IF created <> '{}' THEN
            EXIT; -- its locks are held to the end: the next table has its turn in the next call
        END IF;
        BEGIN
            created := radscheduler.make_partitions(v_parent);
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            postponed := postponed || v_parent;
        END;
    END LOOP;
END
$$;

COMMENT ON FUNCTION radscheduler.make_next_partitions() IS
    'Makes the missing partitions of the first table that lacks some; postponed names tables whose lock was not to be had within 2 seconds.';

CREATE OR REPLACE FUNCTION radscheduler.maintain() RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_sealed  bigint;
    v_made    record;
    v_dropped text[] := '{}';
    v_later   text[] := '{}';
BEGIN
    LOCK TABLE radscheduler.retention IN SHARE ROW EXCLUSIVE MODE; -- one at a time
    v_sealed := radscheduler.audit_seal_pending();
    SELECT * INTO v_made FROM radscheduler.make_next_partitions();
    -- Exclusive locks on one table in one transaction: two would meet with a message that needs both.
    IF v_made.created = '{}' THEN
        SELECT d.dropped, d.postponed INTO v_dropped, v_later FROM radscheduler.drop_expired() d;
    END IF;
    RETURN jsonb_build_object('partitions_created', to_jsonb(v_made.created), 'partitions_dropped', to_jsonb(v_dropped),
                              'postponed', to_jsonb(v_made.postponed || v_later), 'audit_events_sealed', v_sealed);
END
$$;

COMMENT ON FUNCTION radscheduler.maintain() IS
    'Seals the audit log, makes monthly partitions of hl7_message, event_log and audit_event for this and the next three months, and drops those older than set_retention() says; of one table in each call. The sidecar calls it every few minutes; without it let pg_cron call it, or by hand, several times a day. Returns {partitions_created, partitions_dropped, postponed, audit_events_sealed}.';

CREATE OR REPLACE FUNCTION radscheduler.configuration_require(p_item text, p_place text, p_value jsonb) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM radscheduler.configuration_refuse(p_place || '.' || f.field, 'is missing', format('There is no such %s yet.', p_item), format('A new %s needs the key; add it.', p_item))
        FROM radscheduler.configuration_fields(p_item) f WHERE f.need = 'new' AND NOT p_value ? f.field;
END
$$;

COMMENT ON FUNCTION radscheduler.configuration_require(text, text, jsonb) IS 'Raises 22023 when an item that is to be made lacks a key it needs.';

CREATE OR REPLACE FUNCTION radscheduler.configuration_require_modality(p_site integer, p_place text, p_code text) RETURNS void
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

CREATE OR REPLACE FUNCTION radscheduler.configuration_refuse_rule(p_place text, p_rule text, p_table text) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM radscheduler.configuration_refuse(p_place, format('breaks the rule "%s" of table %s', p_rule, p_table),
        'A constraint of the table refuses what this item would become.',
        'Read the rule with \d in psql, and correct the item or the rows it collides with.');
END
$$;

COMMENT ON FUNCTION radscheduler.configuration_refuse_rule(text, text, text) IS 'Raises 22023 for what a constraint has refused: its name and table, and nothing of the row.';

CREATE OR REPLACE FUNCTION radscheduler.configuration_put_hours(p_site integer, p_resource bigint, p_hours jsonb) RETURNS void
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

CREATE OR REPLACE FUNCTION radscheduler.configuration_put_blocks(p_site integer, p_resource bigint, p_blocks jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_entries jsonb[];
BEGIN
    v_entries := ARRAY(SELECT radscheduler.configuration_block_entry(tstzrange((b ->> 'starts_at')::timestamptz, (b ->> 'ends_at')::timestamptz), b ->> 'reason')
                       FROM jsonb_array_elements(p_blocks) b WHERE (b ->> 'ends_at')::timestamptz > now());
    DELETE FROM radscheduler.resource_block b USING radscheduler.configuration_blocks(p_site, p_resource) c
        WHERE b.site_id = p_site AND b.block_id = c.block_id AND c.entry <> ALL (v_entries);
    INSERT INTO radscheduler.resource_block (site_id, resource_id, during, reason)
        SELECT DISTINCT p_site, p_resource, tstzrange((b ->> 'starts_at')::timestamptz, (b ->> 'ends_at')::timestamptz), b ->> 'reason'
        FROM unnest(v_entries) b WHERE b NOT IN (SELECT c.entry FROM radscheduler.configuration_blocks(p_site, p_resource) c);
END
$$;

COMMENT ON FUNCTION radscheduler.configuration_put_blocks(integer, bigint, jsonb) IS
    'Replaces the blocks of a resource that have not ended; rows that stay are not touched. Blocks of the document that have ended are passed over.';

CREATE OR REPLACE FUNCTION radscheduler.configuration_put_site(p_site integer, p_value jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_new jsonb := radscheduler.configuration_site(p_site) || p_value;
BEGIN
    UPDATE radscheduler.site s
        SET name = v_new ->> 'name', timezone = v_new ->> 'timezone', phone_region = v_new ->> 'phone_region', slot_minutes = (v_new ->> 'slot_minutes')::numeric
        WHERE s.site_id = p_site AND (s.name, s.timezone, s.phone_region, s.slot_minutes)
              IS DISTINCT FROM (v_new ->> 'name', v_new ->> 'timezone', v_new ->> 'phone_region', (v_new ->> 'slot_minutes')::numeric);
    IF p_value ? 'hours' THEN
        PERFORM radscheduler.configuration_put_hours(p_site, NULL, p_value -> 'hours');
    END IF;
END
$$;

COMMENT ON FUNCTION radscheduler.configuration_put_site(integer, jsonb) IS 'Gives a site, which is there, the keys and the opening hours of a document; not its lists.';

CREATE OR REPLACE FUNCTION radscheduler.configuration_put_sender(p_site integer, p_place text, p_value jsonb, p_is_there boolean) RETURNS void
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

CREATE OR REPLACE FUNCTION radscheduler.configuration_put_modality(p_site integer, p_place text, p_value jsonb, p_is_there boolean) RETURNS void
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

CREATE OR REPLACE FUNCTION radscheduler.configuration_put_procedure(p_site integer, p_place text, p_value jsonb, p_is_there boolean) RETURNS void
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
    UPDATE radscheduler.procedure p SET name = v_new ->> 'name', modality = v_new ->> 'modality', minutes = (v_new ->> 'minutes')::numeric
        WHERE p.site_id = p_site AND p.code = p_value ->> 'code'
          AND (p.name, p.modality, p.minutes) IS DISTINCT FROM (v_new ->> 'name', v_new ->> 'modality', (v_new ->> 'minutes')::numeric);
END
$$;

COMMENT ON FUNCTION radscheduler.configuration_put_procedure(integer, text, jsonb, boolean) IS
    'Makes a procedure that is not there, and gives it the keys of a document. Raises 22023 when a new one lacks a key or the site has no such modality.';

CREATE OR REPLACE FUNCTION radscheduler.configuration_put_resource(p_site integer, p_place text, p_value jsonb, p_is_there boolean) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_kind radscheduler.resource_kind := p_value ->> 'kind';
    v_ids  bigint[];
    v_new  jsonb;
BEGIN
    PERFORM radscheduler.configuration_require_modality(p_site, p_place, p_value ->> 'modality');
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
    IF v_kind = 'staff' AND (v_new ->> 'setup_minutes' <> '0' OR v_new ->> 'turnover_minutes' <> '0') THEN
        PERFORM radscheduler.configuration_refuse(p_place || '.' || k, 'must be 0 for staff', radscheduler.configuration_found(v_new -> k), 'Give buffers to the room or the scanner.')
            FROM unnest(ARRAY['setup_minutes', 'turnover_minutes']) k WHERE (v_new ->> k)::numeric <> 0;
    END IF;
    UPDATE radscheduler.resource r
        SET name = v_new ->> 'name', role = v_new ->> 'role', modality = v_new ->> 'modality', capacity = (v_new ->> 'capacity')::numeric,
            setup_minutes = (v_new ->> 'setup_minutes')::numeric, turnover_minutes = (v_new ->> 'turnover_minutes')::numeric,
            is_active = (v_new ->> 'is_active')::boolean, is_registered = (v_new ->> 'is_registered')::boolean
        WHERE r.site_id = p_site AND r.resource_id = v_ids[1]
          AND (r.name, r.role, r.modality, r.capacity, r.setup_minutes, r.turnover_minutes, r.is_active, r.is_registered)
              IS DISTINCT FROM (v_new ->> 'name', v_new ->> 'role', v_new ->> 'modality', (v_new ->> 'capacity')::numeric, (v_new ->> 'setup_minutes')::numeric,
                                (v_new ->> 'turnover_minutes')::numeric, (v_new ->> 'is_active')::boolean, (v_new ->> 'is_registered')::boolean);
    IF p_value ? 'hours' THEN
        PERFORM radscheduler.configuration_put_hours(p_site, v_ids[1], p_value -> 'hours');
    END IF;
    IF p_value ? 'blocks' THEN
        PERFORM radscheduler.configuration_put_blocks(p_site, v_ids[1], p_value -> 'blocks');
    END IF;
END
$$;

COMMENT ON FUNCTION radscheduler.configuration_put_resource(integer, text, jsonb, boolean) IS
    'Makes a resource that is not there, and gives it the keys, hours and blocks of a document; not its aliases. Raises 22023 when a new one lacks a key, the site has no such modality, staff would have buffers, or two resources have this kind and code.';

CREATE OR REPLACE FUNCTION radscheduler.configuration_item(p_item text, p_site integer, p_value jsonb) RETURNS jsonb
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

CREATE OR REPLACE FUNCTION radscheduler.configuration_row(p_item text, p_name text, p_old jsonb, p_new jsonb) RETURNS jsonb
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

CREATE OR REPLACE FUNCTION radscheduler.configuration_release_names(p_item text, p_site integer, p_list jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF p_item = 'modality' THEN
        DELETE FROM radscheduler.modality_alias a USING jsonb_array_elements(p_list) WITH ORDINALITY e(value, place)
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
    'Removes the aliases that a document takes from the modalities or resources whose aliases it lists; first of all, so that a name can move from one to another.';

CREATE OR REPLACE FUNCTION radscheduler.configuration_put_names(p_item text, p_site integer, p_place text, p_list jsonb, p_is_new boolean[]) RETURNS void
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
        WHERE n.listed IS NOT NULL OR p_is_new[n.item + 1] ORDER BY n.item, n.listed
    LOOP
        IF p_item = 'modality' THEN
            SELECT a.code = v_name.value ->> 'code' INTO v_is_own FROM radscheduler.modality_alias a WHERE a.site_id = p_site AND a.alias = v_name.alias;
            IF NOT FOUND THEN
                INSERT INTO radscheduler.modality_alias (site_id, alias, code) VALUES (p_site, v_name.alias, v_name.value ->> 'code');
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
    'Gives modalities or resources the aliases a document lists for them, and new ones their own code as a name. Raises 22023 when a name belongs to one whose aliases the document does not list.';

CREATE OR REPLACE FUNCTION radscheduler.configuration_put_list(p_item text, p_site integer, p_place text, p_list jsonb, p_is_new_site boolean) RETURNS jsonb[]
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
    IF p_item IN ('modality', 'resource') THEN
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

CREATE OR REPLACE FUNCTION radscheduler.configuration_sites(p_sites jsonb) RETURNS integer[]
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

CREATE OR REPLACE FUNCTION radscheduler.configuration_make_site(p_place text, p_value jsonb) RETURNS integer
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

CREATE OR REPLACE FUNCTION radscheduler.configuration_merge(p_sites jsonb) RETURNS jsonb[]
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
        IF EXISTS (SELECT FROM unnest(v_rows) r WHERE r ->> 'action' <> 'unchanged') THEN
            PERFORM radscheduler.audit(v_site, 'configuration.' || (r ->> 'action'), r ->> 'item', NULL,
                                       jsonb_build_object('name', r -> 'name', 'columns', CASE WHEN r -> 'changes' ? 'blocks' THEN (r -> 'changes') || '{"blocks": true}' ELSE r -> 'changes' END))
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

CREATE OR REPLACE FUNCTION radscheduler.configuration_import(document jsonb, dry_run boolean DEFAULT true)
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
    'Merges a document of configuration_export(), or a part of one, into the sites the caller may use, in one transaction; without dry_run => false the same work is done, reported and taken back. Sites are known by code, senders by application and facility, modalities and procedures by code, resources by kind and code. What the document names is inserted or updated; what it does not name is left alone and not reported. A key left out keeps its value, or takes the table''s default in a new item; null clears. aliases, hours and blocks are replaced as a whole where the key is there, blocks only as far as they have not ended. An item''s own code is one of its names without being listed, unless the document lists it under another item. A site that does not exist is made when the caller sees every site, from the catalogue as far as the document has no list of its own. One row per item: site (code), item (site, sender, modality, procedure, resource), name (code; application|facility; kind and code), action (insert, update, unchanged), changes {key: [old, new]}. Writes one audit event per item that changed, old and new values in it, and one per site. Raises 22023 with the place in the document, 42501 for a site that is not the caller''s.';

CREATE OR REPLACE FUNCTION radscheduler.api_site() RETURNS integer
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_sites integer[] := array_remove(radscheduler.visible_sites(), 0);
    v_site  integer;
BEGIN
    IF cardinality(v_sites) < 2 THEN
        RETURN radscheduler.current_site();
    END IF;
    SELECT s.site_id INTO v_site FROM radscheduler.sender s
        WHERE s.sending_application = 'API' AND s.sending_facility = '' AND s.site_id = ANY (v_sites)
        ORDER BY s.is_registered DESC, s.sender_id LIMIT 1;
    RETURN coalesce(v_site, (SELECT min(v) FROM unnest(v_sites) v));
END
$$;

COMMENT ON FUNCTION radscheduler.api_site() IS
    'The site HTTP works for: the setting radscheduler.site of the daemon''s role, else the one of its sites where the sender API is registered, else the first of them.';

CREATE OR REPLACE FUNCTION radscheduler.body_text(bytes bytea) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN convert_from(bytes, 'UTF8');
EXCEPTION WHEN character_not_in_repertoire OR untranslatable_character THEN
    RETURN convert_from(decode(replace(encode(bytes, 'hex'), '00', '20'), 'hex'), 'LATIN1');
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.body_json(bytes bytea) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN convert_from(bytes, 'UTF8')::jsonb;
EXCEPTION WHEN data_exception OR statement_too_complex THEN
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.api_hl7_appointment(body bytea) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
DECLARE
    v_json  jsonb := radscheduler.body_json(body);
    v_error jsonb;
    r       radscheduler.ingest_result;
BEGIN
    r := radscheduler.ingest_json(coalesce(v_json, 'null'), body, 'http');
    IF v_json IS NULL THEN
        RETURN radscheduler.problem(400, 'invalid_json', 'Not JSON', 'The body is not JSON in UTF-8. Send a JSON object with content type application/json.',
                                    jsonb_build_object('messageId', r.message_id));
    ELSIF r.code <> 'AA' THEN
        SELECT m.error INTO v_error FROM radscheduler.hl7_message m WHERE m.message_id = r.message_id;
        RETURN radscheduler.problem(400, v_error ->> 'code', 'The appointment cannot be taken', v_error ->> 'text',
                                    jsonb_build_object('messageId', r.message_id, 'errors', jsonb_build_array(jsonb_build_object('pointer', '/' || (v_error ->> 'path'), 'detail', v_error ->> 'text'))));
    END IF;
    RETURN radscheduler.reply(201, jsonb_build_object('success', true, 'appointmentId', r.appointment_id, 'conflicts', radscheduler.api_conflicts(r.conflicts),
        'message', CASE r.outcome WHEN 'duplicate' THEN 'Appointment was already taken' WHEN 'flagged' THEN 'Appointment taken with conflicts, please review' ELSE 'Appointment taken' END,
        'messageId', r.message_id, 'outcome', r.outcome, 'warnings', r.warnings));
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.api_hl7_raw(body bytea, content_type text, accept text) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
DECLARE
    v_bytes bytea := body;
    v_json  jsonb;
    v_error jsonb;
    r       radscheduler.ingest_result;
BEGIN
    IF content_type ILIKE 'application/json%' THEN
        v_json := radscheduler.body_json(body);
        v_json := CASE WHEN jsonb_typeof(v_json) = 'object' THEN v_json -> 'message' ELSE v_json END;
        IF jsonb_typeof(v_json) IS DISTINCT FROM 'string' THEN
            r := radscheduler.ingest(body, 'http');
            RETURN radscheduler.problem(400, 'invalid_json', 'Not an HL7 message in JSON', 'With content type application/json the body must be a JSON string, or an object whose "message" is one.',
                                        jsonb_build_object('messageId', r.message_id));
        END IF;
        v_bytes := convert_to(v_json #>> '{}', 'UTF8');
    END IF;
    r := radscheduler.ingest(v_bytes, 'http');
    IF accept ILIKE '%application/hl7-v2%' OR accept ILIKE '%x-application/hl7-v2+er7%' THEN
        RETURN ROW(CASE r.code WHEN 'AA' THEN 200 WHEN 'AE' THEN 422 ELSE 400 END, 'application/hl7-v2', radscheduler.body_text(r.ack))::radscheduler.http_reply;
    ELSIF r.code <> 'AA' THEN
        SELECT m.error INTO v_error FROM radscheduler.hl7_message m WHERE m.message_id = r.message_id;
        RETURN radscheduler.problem(CASE r.code WHEN 'AE' THEN 422 ELSE 400 END, 'hl7_' || (v_error ->> 'code'), 'The HL7 message was not applied', v_error ->> 'text',
                                    jsonb_build_object('hl7Path', v_error ->> 'path', 'acknowledgement', r.code, 'messageId', r.message_id));
    END IF;
    RETURN radscheduler.reply(201, jsonb_build_object('success', true, 'message', 'HL7 message processed', 'appointmentId', r.appointment_id, 'acknowledgement', r.code,
        'messageId', r.message_id, 'outcome', r.outcome, 'warnings', r.warnings, 'conflicts', radscheduler.api_conflicts(r.conflicts)));
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.simulated_message(p_site integer, p_body jsonb, p_is_known boolean) RETURNS text
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_zone   text := radscheduler.site_zone(p_site);
    v_token  text := upper(substr(replace(gen_random_uuid()::text, '-', ''), 1, 12));
    v_names  text[] := regexp_split_to_array(btrim(coalesce(nullif(btrim(p_body ->> 'patientName'), ''), CASE WHEN p_is_known THEN '' ELSE 'Test Patient' END)), '\s+');
    v_iso    text := radscheduler.json_time(p_body ->> 'datetime');
    v_start  timestamptz := coalesce(radscheduler.to_instant(v_iso, v_zone), date_trunc('minute', now()) + interval '1 hour');
    v_start_hl7 text := to_char(timezone('UTC', v_start), 'YYYYMMDDHH24MI') || '+0000';
    v_minutes text := coalesce(p_body ->> 'duration', '');
    v_modality text := coalesce(nullif(btrim(p_body ->> 'modality'), ''), 'MRI');
    v_code   text := radscheduler.modality_code(p_site, v_modality);
BEGIN
    RETURN concat_ws(E'\r',
        format('MSH|^~\&|SIMULATOR|%s|RADSCHED|RAD|%s||SIU^S12^SIU_S12|SIM%s|P|2.5', radscheduler.hl7_escape((SELECT s.code FROM radscheduler.site s WHERE s.site_id = p_site)),
               radscheduler.ack_stamp(v_zone), v_token),
        format('SCH||SIM-%s|||||||%s|MIN|^^%s^%s^^%s||||||||||||||SCHEDULED', v_token, v_minutes, v_minutes, v_start_hl7,
               CASE lower(coalesce(p_body ->> 'urgency', 'routine')) WHEN 'emergency' THEN 'S' WHEN 'stat' THEN 'S' WHEN 'urgent' THEN 'A' ELSE 'R' END),
        CASE WHEN p_body ->> 'notes' IS NOT NULL THEN format('NTE|1||%s', radscheduler.hl7_escape(p_body ->> 'notes')) END,
        format('PID|1||%s||%s^%s||||||||%s', radscheduler.hl7_escape(coalesce(nullif(p_body ->> 'patientId', ''), 'SIM-' || v_token)),
               radscheduler.hl7_escape(v_names[cardinality(v_names)]), radscheduler.hl7_escape(array_to_string(v_names[1:cardinality(v_names) - 1], ' ')),
               radscheduler.hl7_escape(coalesce(p_body ->> 'patientPhone', ''))),
        CASE WHEN p_body ->> 'referringPhysician' IS NOT NULL THEN format('PV1|1|O||||||^%s', radscheduler.hl7_escape(p_body ->> 'referringPhysician')) END,
        'RGS|1|A',
        format('AIS|1|A|%s^%s|%s', v_code, radscheduler.hl7_escape(coalesce(nullif(p_body ->> 'studyType', ''), 'Routine Study')), v_start_hl7),
        CASE WHEN p_body ->> 'resource' IS NOT NULL THEN format('AIG|1|A|%s', radscheduler.hl7_escape(p_body ->> 'resource')) END);
END
$$;

COMMENT ON FUNCTION radscheduler.simulated_message(integer, jsonb, boolean) IS 'An SIU^S12 made from the guide''s JSON, with a new control id and appointment id; without patientId the patient is SIM-….';

CREATE OR REPLACE FUNCTION radscheduler.api_hl7_simulate(body bytea) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
DECLARE
    v_json  jsonb := radscheduler.body_json(body);
    v_site  integer := radscheduler.api_site();
    v_check record;
    v_error jsonb;
    v_is_known boolean;
    r       radscheduler.ingest_result;
BEGIN
    IF jsonb_typeof(v_json) IS DISTINCT FROM 'object' THEN
        r := radscheduler.ingest_json('null', body, 'http');
        RETURN radscheduler.problem(400, 'invalid_json', 'Not JSON', 'The body is not a JSON object in UTF-8.', jsonb_build_object('messageId', r.message_id));
    END IF;
    IF v_json ? 'scenario' AND coalesce(v_json ->> 'scenario', '') NOT IN ('dramatic_save', 'efficiency_boost', 'bulk_processing') THEN
        RETURN radscheduler.problem(400, 'invalid_field', 'The simulation cannot be run', '"scenario" must be dramatic_save, efficiency_boost or bulk_processing.');
    END IF;
    SELECT * INTO v_check FROM radscheduler.json_reading(v_site,
        '{"patientId": "SIM", "patientName": "Test Patient", "modality": "MRI", "studyType": "Routine Study", "datetime": "2024-01-15T10:00:00Z", "referringPhysician": "-"}'
        || jsonb_strip_nulls(v_json));
    IF v_check.error IS NOT NULL THEN
        RETURN radscheduler.problem(400, v_check.error ->> 'code', 'The simulation cannot be run', v_check.error ->> 'text');
    END IF;
    -- Whoever may only send gets back what he sent, not what is known of the patient; and a name is made up for nobody who has one.
    v_is_known := EXISTS (SELECT FROM radscheduler.patient_identifier i WHERE i.site_id = v_site AND i.value = v_json ->> 'patientId');
    r := radscheduler.ingest(convert_to(radscheduler.simulated_message(v_site, v_json, v_is_known), 'UTF8'), 'http');
    IF r.code <> 'AA' THEN
        SELECT m.error INTO v_error FROM radscheduler.hl7_message m WHERE m.message_id = r.message_id;
        RETURN radscheduler.problem(422, 'hl7_' || (v_error ->> 'code'), 'The simulated message was not applied', v_error ->> 'text', jsonb_build_object('messageId', r.message_id));
    END IF;
    PERFORM radscheduler.audit(v_site, 'read', 'appointment', r.appointment_id, '{}');
    RETURN radscheduler.reply(201, jsonb_build_object('success', true, 'message', 'Simulated HL7 processed', 'result', jsonb_build_object(
        'appointment', (SELECT to_jsonb(a) || jsonb_build_object('patient_name', CASE WHEN v_is_known THEN v_json -> 'patientName' ELSE to_jsonb(a.patient_name) END,
                                                                 'patient_phone', CASE WHEN v_is_known THEN v_json -> 'patientPhone' ELSE to_jsonb(a.patient_phone) END)
                        FROM radscheduler.appointments a WHERE a.id = r.appointment_id),
        'conflicts', radscheduler.api_conflicts(r.conflicts), 'messageId', r.message_id, 'acknowledgement', r.code)));
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.api_appointments(params jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET jit = off
    AS $$
DECLARE
    v_site     integer := radscheduler.api_site();
    v_zone     text := radscheduler.site_zone(v_site);
    v_date     date;
    v_modality text;
    v_status   text := upper(params ->> 'status');
    v_rows     jsonb;
    v_ids      bigint[];
BEGIN
    IF params ->> 'date' IS NOT NULL THEN
        BEGIN
            IF params ->> 'date' !~ '^\d{4}-\d\d-\d\d' THEN
                RAISE datetime_field_overflow;
            END IF;
            v_date := left(params ->> 'date', 10)::date;
        EXCEPTION WHEN data_exception THEN
            RETURN radscheduler.problem(400, 'invalid_field', 'Not a date', '"date" must be a calendar day such as 2024-01-15.');
        END;
    END IF;
    IF params ->> 'modality' IS NOT NULL THEN
        v_modality := radscheduler.modality_code(v_site, params ->> 'modality');
        IF v_modality IS NULL THEN
            RETURN radscheduler.problem(400, 'invalid_field', 'Unknown modality', '"modality" is not one this site knows. Use for example MRI, CT, XRAY or US.');
        END IF;
    END IF;
    IF v_status IS NOT NULL AND NOT v_status = ANY (enum_range(NULL::radscheduler.appointment_status)::text[]) THEN
        RETURN radscheduler.problem(400, 'invalid_field', 'Unknown status', '"status" must be a life cycle state, for example SCHEDULED, COMPLETED or CANCELLED.');
    END IF;
    SELECT coalesce(jsonb_agg(to_jsonb(v) ORDER BY v.datetime, v.id), '[]'), array_agg(v.id ORDER BY v.id) INTO v_rows, v_ids
        FROM (SELECT a.appointment_id FROM radscheduler.appointment a
              WHERE a.site_id = v_site AND a.status <> 'DELETED' AND a.patient_id IS NOT NULL
                AND (v_date IS NULL OR a.starts_at >= timezone(v_zone, v_date::timestamp) AND a.starts_at < timezone(v_zone, (v_date + 1)::timestamp))
                AND (v_modality IS NULL OR a.modality = v_modality)
                AND (v_status IS NULL OR a.status::text = v_status)
              ORDER BY a.starts_at DESC NULLS LAST, a.appointment_id LIMIT 1000) k
        JOIN radscheduler.appointments v ON v.id = k.appointment_id;
    PERFORM radscheduler.audit(v_site, 'read', 'appointment', NULL, jsonb_strip_nulls(jsonb_build_object('appointments', v_ids)));
    RETURN radscheduler.reply(200, jsonb_build_object('success', true, 'count', jsonb_array_length(v_rows), 'appointments', v_rows));
END
$$;

COMMENT ON FUNCTION radscheduler.api_appointments(jsonb) IS
    'GET /api/appointments: {date, modality, status}, each optional; date is a calendar day of the site. At most 1,000 rows, the latest ones, in order of time. The read is audited with the ids of the rows.';

CREATE OR REPLACE FUNCTION radscheduler.api_dashboard(params jsonb) RETURNS radscheduler.http_reply
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET jit = off
    AS $$
WITH day AS (
    SELECT s.site_id, z.zone, timezone(z.zone, now())::date AS date,
           timezone(z.zone, date_trunc('day', timezone(z.zone, now()))) AS opens, timezone(z.zone, date_trunc('day', timezone(z.zone, now())) + interval '1 day') AS closes
    FROM (SELECT radscheduler.api_site() AS site_id) s, LATERAL (SELECT radscheduler.site_zone(s.site_id)) z(zone)
), today AS MATERIALIZED (
    SELECT a.status, coalesce(m.label, a.modality) AS modality, extract(hour FROM timezone(d.zone, a.starts_at))::integer AS hour
    FROM day d
    JOIN radscheduler.appointment a ON a.site_id = d.site_id AND a.starts_at >= d.opens AND a.starts_at < d.closes AND a.status <> 'DELETED' AND NOT a.is_test
    LEFT JOIN radscheduler.modality m ON m.site_id = a.site_id AND m.code = a.modality
)
SELECT radscheduler.reply(200, jsonb_build_object('success', true, 'dashboard', jsonb_build_object(
    'date', (SELECT d.date FROM day d),
    'timezone', (SELECT d.zone FROM day d),
    'overview', (SELECT jsonb_build_object('totalToday', count(*), 'completed', count(*) FILTER (WHERE t.status = 'COMPLETED'),
                     'scheduled', count(*) FILTER (WHERE t.status IN ('SCHEDULED', 'CONFIRMED')), 'cancelled', count(*) FILTER (WHERE t.status = 'CANCELLED'),
                     'pendingReview', count(*) FILTER (WHERE t.status = 'PENDING_REVIEW'), 'noShow', count(*) FILTER (WHERE t.status = 'NO_SHOW')) FROM today t),
    'realtime', jsonb_build_object(
        'processingNow', (SELECT count(*) FROM pg_stat_activity p WHERE p.datname = current_database() AND p.application_name LIKE 'radschedulerd%' AND p.state = 'active' AND p.pid <> pg_backend_pid()),
        'messagesLastHour', (SELECT count(*) FROM day d JOIN radscheduler.hl7_message h ON h.site_id = d.site_id AND h.received_at > now() - interval '1 hour'),
        'openConflicts', (SELECT count(*) FROM day d JOIN radscheduler.conflict c ON c.site_id = d.site_id AND c.state = 'open'),
        'queueLength', NULL, 'activeUsers', NULL),
    'trends', jsonb_build_object(
        'hourly', (SELECT coalesce(jsonb_agg(jsonb_build_object('hour', h.hour || ':00', 'appointments', h.n) ORDER BY h.hour), '[]')
                   FROM (SELECT t.hour, count(*) AS n FROM today t GROUP BY t.hour) h),
        'modality', (SELECT coalesce(jsonb_agg(jsonb_build_object('modality', m.modality, 'count', m.n, 'percentage', round(100.0 * m.n / m.total, 1)) ORDER BY m.n DESC, m.modality), '[]')
                     FROM (SELECT t.modality, count(*) AS n, sum(count(*)) OVER () AS total FROM today t GROUP BY t.modality) m)))))
$$;

CREATE OR REPLACE FUNCTION radscheduler.health() RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
BEGIN
    IF radscheduler.storage_version() = 0 THEN
        RAISE EXCEPTION 'this database has no radscheduler records' USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'SELECT radscheduler.provision();';
    ELSIF EXISTS (SELECT FROM radscheduler.storage_step s WHERE s.version > radscheduler.storage_version()) THEN
        RAISE EXCEPTION 'the records of this database are of an older version' USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'SELECT radscheduler.migrate();';
    END IF;
    RETURN jsonb_build_object('extension', (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'radscheduler'),
                              'schema_version', radscheduler.storage_version(), 'time', now());
END
$$;

COMMENT ON FUNCTION radscheduler.health() IS 'What a health probe asks: {extension, schema_version, time}. Raises 55000 when the records are missing, or older than the code (a dump of an earlier version was restored): migrate() brings them up.';

CREATE OR REPLACE FUNCTION radscheduler.relay_fetch(relay text, max_events integer DEFAULT 500, OUT cursor text, OUT channel text, OUT payload text) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 100 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
#variable_conflict use_column
BEGIN
    PERFORM radscheduler.require_every_site('the relay');
    RETURN QUERY
SELECT e.xid::text || '-' || e.seq,
       format('radsched:{%s}:ch:%s', s.code, split_part(e.type, '.', 1)),
       jsonb_strip_nulls(jsonb_build_object('specversion', '1.0', 'id', e.xid::text || '-' || e.seq, 'source', '/radscheduler/' || s.code,
           'type', e.type, 'subject', coalesce('appointment/' || e.appointment_id, 'message/' || e.message_id), 'time', e.recorded_at,
           'datacontenttype', 'application/json', 'site', s.code, 'cursor', e.xid::text || '-' || e.seq,
           'data', e.data || jsonb_build_object('appointment_id', e.appointment_id, 'message_id', e.message_id)))::text
FROM radscheduler.event_log e
JOIN radscheduler.site s ON s.site_id = e.site_id
WHERE (e.xid, e.seq) > (coalesce((SELECT c.xid FROM radscheduler.relay_cursor c WHERE c.relay = relay_fetch.relay), '0'::xid8),
                        coalesce((SELECT c.seq FROM radscheduler.relay_cursor c WHERE c.relay = relay_fetch.relay), 0))
  AND e.xid < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY e.xid, e.seq
LIMIT relay_fetch.max_events;
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.relay_advance(relay text, cursor text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
#variable_conflict use_column
BEGIN
    PERFORM radscheduler.require_every_site('the relay');
    IF cursor !~ '^[0-9]{1,19}-[0-9]{1,18}$' OR split_part(cursor, '-', 1)::xid8 >= pg_snapshot_xmax(pg_current_snapshot()) THEN
        RAISE EXCEPTION 'this is no cursor of an event that was published' USING ERRCODE = 'invalid_parameter_value', HINT = 'Give the cursor of the last event that relay_fetch() returned.';
    END IF;
    INSERT INTO radscheduler.relay_cursor AS c (relay, xid, seq) VALUES (relay_advance.relay, split_part(cursor, '-', 1)::xid8, split_part(cursor, '-', 2)::bigint)
    ON CONFLICT (relay) DO UPDATE SET xid = excluded.xid, seq = excluded.seq, updated_at = now()
    WHERE (c.xid, c.seq) < (excluded.xid, excluded.seq);
END
$$;

INSERT INTO radscheduler.storage_step (version, topic, script) VALUES (9, 'access', $storage_step$
-- Who may do what, and where. Roles are kept by name: a restored database must not depend on which roles its new cluster has.

CREATE TABLE radscheduler.role_grant (
    role_name  text        NOT NULL,
    kind       text        NOT NULL,
    granted_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (role_name, kind)
);
COMMENT ON TABLE  radscheduler.role_grant IS 'The kinds of each role, as grant_role() gave them; migrate() renews their rights.';
COMMENT ON COLUMN radscheduler.role_grant.role_name IS 'Name of the role.';
COMMENT ON COLUMN radscheduler.role_grant.kind IS 'reader, scheduler, ingest, analyst, auditor or admin.';
COMMENT ON COLUMN radscheduler.role_grant.granted_at IS 'When.';

CREATE TABLE radscheduler.site_grant (
    site_id    integer     REFERENCES radscheduler.site ON DELETE CASCADE,
    role_name  text        NOT NULL,
    granted_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    UNIQUE NULLS NOT DISTINCT (site_id, role_name)
);
COMMENT ON TABLE  radscheduler.site_grant IS 'The sites whose rows a role, and every role that inherits from it, may use.';
COMMENT ON COLUMN radscheduler.site_grant.site_id IS 'Site; NULL is every site, present and future.';
COMMENT ON COLUMN radscheduler.site_grant.role_name IS 'Name of the role.';
COMMENT ON COLUMN radscheduler.site_grant.granted_at IS 'When.';

CREATE TABLE radscheduler.lock_secret (
    secret text PRIMARY KEY
);
INSERT INTO radscheduler.lock_secret (secret) VALUES (pg_catalog.replace(pg_catalog.gen_random_uuid()::text || pg_catalog.gen_random_uuid()::text, '-', ''));
COMMENT ON TABLE  radscheduler.lock_secret IS 'One row: what keys of advisory locks are made with, so that pg_locks tells nobody whose records are in use. Nobody needs a right on it.';
COMMENT ON COLUMN radscheduler.lock_secret.secret IS 'Random, made once.';
$storage_step$);

INSERT INTO radscheduler.storage_step (version, topic, script) VALUES (10, 'retention', $storage_step$
-- How long records are kept, and what must be kept whatever that says.

CREATE TABLE radscheduler.legal_hold (
    site_id     integer     NOT NULL REFERENCES radscheduler.site,
    hold_id     bigint      GENERATED BY DEFAULT AS IDENTITY,
    patient_id  bigint,
    reason      text        NOT NULL CHECK (pg_catalog.btrim(reason) <> ''),
    placed_at   timestamptz NOT NULL DEFAULT pg_catalog.now(),
    placed_by   text        NOT NULL,
    lifted_at   timestamptz,
    lifted_by   text,
    lift_reason text        CHECK (pg_catalog.btrim(lift_reason) <> ''),
    PRIMARY KEY (site_id, hold_id),
    CHECK ((lifted_at IS NULL) = (lifted_by IS NULL) AND (lifted_at IS NULL) = (lift_reason IS NULL))
);
CREATE INDEX legal_hold_in_force ON radscheduler.legal_hold (site_id, patient_id) WHERE lifted_at IS NULL;
COMMENT ON TABLE  radscheduler.legal_hold IS 'Records that must not be removed while the hold is in force: one patient''s, or everything of a site. purge() and drop_expired() ask it; lifted holds stay as evidence. Write to it with place_hold() and lift_hold().';
COMMENT ON COLUMN radscheduler.legal_hold.site_id IS 'Site.';
COMMENT ON COLUMN radscheduler.legal_hold.hold_id IS 'Identity within the database.';
COMMENT ON COLUMN radscheduler.legal_hold.patient_id IS 'Patient whose records are held; NULL holds the whole site. No foreign key: a lifted hold outlives its patient.';
COMMENT ON COLUMN radscheduler.legal_hold.reason IS 'Why, for people, for example a case number; without the patient''s name or number.';
COMMENT ON COLUMN radscheduler.legal_hold.placed_at IS 'When it was placed.';
COMMENT ON COLUMN radscheduler.legal_hold.placed_by IS 'Database role that placed it.';
COMMENT ON COLUMN radscheduler.legal_hold.lifted_at IS 'When it was lifted; NULL while it is in force.';
COMMENT ON COLUMN radscheduler.legal_hold.lifted_by IS 'Database role that lifted it.';
COMMENT ON COLUMN radscheduler.legal_hold.lift_reason IS 'Why it was lifted; without the patient''s name or number.';

CREATE TABLE radscheduler.retention (
    record text     PRIMARY KEY CHECK (record IN ('hl7_message', 'event_log', 'audit_event')),
    keep   interval CHECK (keep >= '1 month'::interval)
);
INSERT INTO radscheduler.retention (record, keep) VALUES ('hl7_message', NULL), ('event_log', '13 months'), ('audit_event', NULL);
COMMENT ON TABLE  radscheduler.retention IS 'How long the partitioned records are kept, in all sites; maintain() removes what is older. Write to it with set_retention().';
COMMENT ON COLUMN radscheduler.retention.record IS 'The table: hl7_message, event_log or audit_event.';
COMMENT ON COLUMN radscheduler.retention.keep IS 'How long, at least one month; NULL is for ever.';

-- Removing an appointment removes its conflicts, the resolved ones too, which the indexes of step 5 leave out.
CREATE INDEX conflict_of_appointment ON radscheduler.conflict (site_id, appointment_id);
CREATE INDEX conflict_with_appointment ON radscheduler.conflict (site_id, other_appointment_id);
$storage_step$);

INSERT INTO radscheduler.storage_step (version, topic, script) VALUES (11, 'audit', $storage_step$
-- Who did or saw what, append-only and sealed; and the triggers that tell it of changes nobody else tells.

CREATE SEQUENCE radscheduler.audit_event_id_seq;
COMMENT ON SEQUENCE radscheduler.audit_event_id_seq IS 'Numbers audit events.';

CREATE TABLE radscheduler.audit_event (
    site_id     integer     NOT NULL,
    xid         xid8        NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
    audit_id    bigint      NOT NULL DEFAULT pg_catalog.nextval('radscheduler.audit_event_id_seq'),
    recorded_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    role_name   text        NOT NULL,
    login_name  text        NOT NULL,
    actor       text,
    purpose     text,
    trace_id    text,
    action      text        NOT NULL,
    object      text        NOT NULL,
    object_id   bigint,
    detail      jsonb       NOT NULL DEFAULT '{}',
    PRIMARY KEY (site_id, xid, audit_id, recorded_at)
) PARTITION BY RANGE (recorded_at);
ALTER SEQUENCE radscheduler.audit_event_id_seq OWNED BY radscheduler.audit_event.audit_id;
CREATE INDEX audit_event_object ON radscheduler.audit_event (site_id, object, object_id);
CREATE TABLE radscheduler.audit_event_default PARTITION OF radscheduler.audit_event DEFAULT;
COMMENT ON TABLE  radscheduler.audit_event IS 'Who did or saw what, when and why. Append-only, sealed in batches (audit_seal), no patient data: ids, column names, counts. Partitioned by month.';
COMMENT ON TABLE  radscheduler.audit_event_default IS 'Events outside the months that maintain() has made ahead.';
COMMENT ON COLUMN radscheduler.audit_event.site_id IS 'Site; 0 for what concerns the database itself.';
COMMENT ON COLUMN radscheduler.audit_event.xid IS 'Writing transaction; evaluated before audit_id, so that no number is taken before the transaction has its own.';
COMMENT ON COLUMN radscheduler.audit_event.audit_id IS 'Identity within the database. Gaps mean nothing: a transaction that failed leaves one.';
COMMENT ON COLUMN radscheduler.audit_event.recorded_at IS 'When; the partition key.';
COMMENT ON COLUMN radscheduler.audit_event.role_name IS 'Role in effect (SET ROLE or login).';
COMMENT ON COLUMN radscheduler.audit_event.login_name IS 'Role that logged in.';
COMMENT ON COLUMN radscheduler.audit_event.actor IS 'On whose behalf, as the session says: radscheduler.actor.';
COMMENT ON COLUMN radscheduler.audit_event.purpose IS 'What for, as the session says: radscheduler.purpose.';
COMMENT ON COLUMN radscheduler.audit_event.trace_id IS 'Trace of the request, as the session says: radscheduler.trace_id.';
COMMENT ON COLUMN radscheduler.audit_event.action IS 'For example ingest, read, appointment.created, insert, grant, purge.';
COMMENT ON COLUMN radscheduler.audit_event.object IS 'Kind of object: a table, role, site.';
COMMENT ON COLUMN radscheduler.audit_event.object_id IS 'Its id, when it has one.';
COMMENT ON COLUMN radscheduler.audit_event.detail IS 'More, without patient data.';

CREATE TABLE radscheduler.audit_era (
    era        integer     PRIMARY KEY,
    cluster_id text        NOT NULL,
    barrier    bigint      NOT NULL,
    horizon    xid8        NOT NULL,
    begun_at   timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE  radscheduler.audit_era IS 'The clusters this log has lived in: transaction ids order events within one era only.';
COMMENT ON COLUMN radscheduler.audit_era.era IS 'Number, ascending.';
COMMENT ON COLUMN radscheduler.audit_era.cluster_id IS 'System identifier of the cluster (pg_control_system).';
COMMENT ON COLUMN radscheduler.audit_era.barrier IS 'Last audit_id of the era before.';
COMMENT ON COLUMN radscheduler.audit_era.horizon IS 'Oldest transaction that was running when it began.';
COMMENT ON COLUMN radscheduler.audit_era.begun_at IS 'When the first batch was sealed there.';
INSERT INTO radscheduler.audit_era (era, cluster_id, barrier, horizon) SELECT 1, c.system_identifier::text, 0, '0'::xid8 FROM pg_catalog.pg_control_system() c;

CREATE TABLE radscheduler.audit_seal (
    site_id         integer     NOT NULL,
    seal_no         bigint      NOT NULL,
    month           date        NOT NULL,
    era             integer     NOT NULL,
    horizon         xid8        NOT NULL,
    next_xid        xid8        NOT NULL,
    event_ids       bigint[]    NOT NULL,
    event_digests   bytea       NOT NULL,
    previous_digest bytea,
    digest          bytea       NOT NULL,
    sealed_at       timestamptz NOT NULL,
    PRIMARY KEY (site_id, seal_no)
);
ALTER TABLE radscheduler.audit_seal ALTER COLUMN event_digests SET STORAGE EXTERNAL;
COMMENT ON TABLE  radscheduler.audit_seal IS 'The seals of the audit log: one chain for each site. audit_verify() compares the log with them.';
COMMENT ON COLUMN radscheduler.audit_seal.site_id IS 'Site; 0 for the database itself.';
COMMENT ON COLUMN radscheduler.audit_seal.seal_no IS 'Place in the chain of the site, from 1 without gap.';
COMMENT ON COLUMN radscheduler.audit_seal.month IS 'Month (UTC) of its events.';
COMMENT ON COLUMN radscheduler.audit_seal.era IS 'Era it was made in, see audit_era.';
COMMENT ON COLUMN radscheduler.audit_seal.horizon IS 'Oldest transaction that was running: every event of an older one is in this seal or one before.';
COMMENT ON COLUMN radscheduler.audit_seal.next_xid IS 'The sealing transaction: events of later ones come after this seal, in number and time. 2^62 where it had begun to write before.';
COMMENT ON COLUMN radscheduler.audit_seal.event_ids IS 'audit_id of each event, ascending.';
COMMENT ON COLUMN radscheduler.audit_seal.event_digests IS 'SHA-256 of each event, 32 bytes each, in the same order.';
COMMENT ON COLUMN radscheduler.audit_seal.previous_digest IS 'digest of the seal before.';
COMMENT ON COLUMN radscheduler.audit_seal.digest IS 'SHA-256 over all of this.';
COMMENT ON COLUMN radscheduler.audit_seal.sealed_at IS 'When.';

SELECT radscheduler.make_append_only('radscheduler.audit_event', true);
SELECT radscheduler.make_append_only('radscheduler.audit_event_default', false);
SELECT radscheduler.make_append_only('radscheduler.audit_era', true);
SELECT radscheduler.make_append_only('radscheduler.audit_seal', true);

SELECT radscheduler.audit_table('site', 'site_id', 'values');
SELECT radscheduler.audit_table('sender', 'sender_id', 'values');
SELECT radscheduler.audit_table('modality', 'code', 'values');
SELECT radscheduler.audit_table('modality_alias', 'alias', 'values');
SELECT radscheduler.audit_table('procedure', 'code', 'values');
SELECT radscheduler.audit_table('resource', 'resource_id', 'values');
SELECT radscheduler.audit_table('resource_alias', 'resource_id,kind,alias', 'values');
SELECT radscheduler.audit_table('resource_hours', 'hours_id', 'values');
SELECT radscheduler.audit_table('resource_block', 'block_id,resource_id', 'names');
SELECT radscheduler.audit_table('patient', 'patient_id', 'names');
SELECT radscheduler.audit_table('patient_identifier', 'patient_id', 'names');
SELECT radscheduler.audit_table('appointment', 'appointment_id', 'names');
SELECT radscheduler.audit_table('appointment_service', 'appointment_id,position', 'names');
SELECT radscheduler.audit_table('appointment_resource', 'appointment_id,position', 'names');
SELECT radscheduler.audit_table('appointment_history', 'appointment_id,version', 'names');
SELECT radscheduler.audit_table('occupancy', 'occupancy_id,appointment_id', 'names');
SELECT radscheduler.audit_table('conflict', 'conflict_id', 'names');
SELECT radscheduler.audit_table('hl7_message', 'message_id', 'names');
SELECT radscheduler.audit_table('message_key', 'message_id', 'names');
SELECT radscheduler.audit_table('event_log', 'seq', 'names');
SELECT radscheduler.audit_table('legal_hold', 'hold_id', 'names');
SELECT radscheduler.audit_table('retention', 'record', 'values');
SELECT radscheduler.audit_table('role_grant', 'role_name,kind', 'values');
SELECT radscheduler.audit_table('site_grant', 'role_name', 'values');
$storage_step$);

INSERT INTO radscheduler.storage_step (version, topic, script) VALUES (12, 'row_security', $storage_step$
-- From here on no role sees or writes rows of a site it was not granted, the owner of the tables included.

SELECT radscheduler.secure_table(t::regclass)
FROM pg_catalog.unnest(ARRAY['site', 'sender', 'modality', 'modality_alias', 'procedure', 'resource', 'resource_alias', 'resource_hours', 'resource_block',
                             'patient', 'patient_identifier', 'appointment', 'appointment_service', 'appointment_resource', 'appointment_history',
                             'occupancy', 'conflict', 'hl7_message', 'message_key', 'event_log', 'legal_hold', 'audit_event', 'audit_seal']) n,
     LATERAL (SELECT pg_catalog.format('radscheduler.%I', n)) q(t);

-- Partitions too: a right on one of them must not be a way around the parent.
SELECT radscheduler.secure_table(i.inhrelid::regclass)
FROM pg_catalog.pg_inherits i
WHERE i.inhparent IN ('radscheduler.hl7_message'::regclass, 'radscheduler.event_log'::regclass, 'radscheduler.audit_event'::regclass);

-- A grant of every site has no site of its own.
ALTER TABLE radscheduler.site_grant ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY any_row ON radscheduler.site_grant USING (true);
COMMENT ON POLICY any_row ON radscheduler.site_grant IS 'Leaves the decision to the restrictive policy site_rows.';
CREATE POLICY site_rows ON radscheduler.site_grant AS RESTRICTIVE
    USING (site_id = ANY ((SELECT radscheduler.visible_sites())::integer[]) OR site_id IS NULL)
    WITH CHECK (site_id = ANY ((SELECT radscheduler.visible_sites())::integer[]) OR site_id IS NULL AND (SELECT radscheduler.sees_every_site()));
COMMENT ON POLICY site_rows ON radscheduler.site_grant IS 'Grants of the sites the caller was granted, and of every site.';

CREATE TRIGGER sender_registration BEFORE INSERT OR UPDATE OF is_registered ON radscheduler.sender
    FOR EACH ROW EXECUTE FUNCTION radscheduler.sender_registration();
COMMENT ON TRIGGER sender_registration ON radscheduler.sender IS 'Keeps the choice of a sender''s site with those who may use every site.';

-- The audit log is written by functions of the extension alone: not by a role with rights on all tables either.
CREATE POLICY no_insert ON radscheduler.audit_event AS RESTRICTIVE FOR INSERT WITH CHECK (false);
COMMENT ON POLICY no_insert ON radscheduler.audit_event IS 'Written by functions of the extension only.';
CREATE POLICY no_insert ON radscheduler.audit_seal AS RESTRICTIVE FOR INSERT WITH CHECK (false);
COMMENT ON POLICY no_insert ON radscheduler.audit_seal IS 'Written by functions of the extension only.';
ALTER TABLE radscheduler.audit_era ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY any_row ON radscheduler.audit_era FOR SELECT USING (true);
COMMENT ON POLICY any_row ON radscheduler.audit_era IS 'Read by whoever has the right, written by functions of the extension only.';

-- What the planner knows of a column it tells in its estimates, over all sites: it shall not know what patients are called or have.
DO $$
DECLARE
    v_column record;
BEGIN
    FOR v_column IN
        SELECT c.relname, u.name FROM (VALUES
            ('patient', ARRAY['mrn', 'family_name', 'given_name', 'middle_name', 'suffix', 'display_name', 'birth_date', 'sex', 'phone', 'phone_as_sent']),
            ('patient_identifier', ARRAY['value', 'authority', 'type']),
            ('appointment', ARRAY['filler_id', 'placer_id', 'study_code', 'study_text', 'referring_physician', 'notes', 'reason', 'event_reason', 'visit_number',
                                  'placer_orders', 'filler_orders']),
            ('appointment_service', ARRAY['code', 'name']), ('appointment_history', ARRAY['snapshot']),
            ('hl7_message', ARRAY['raw', 'raw_sha256', 'control_id', 'ack', 'peer']), ('message_key', ARRAY['control_id', 'body_sha256']),
            ('resource_block', ARRAY['reason']), ('legal_hold', ARRAY['reason', 'lift_reason'])) t(name, columns)
        JOIN pg_catalog.pg_class c ON c.relnamespace = 'radscheduler'::regnamespace
             AND (c.relname = t.name OR c.oid IN (SELECT i.inhrelid FROM pg_catalog.pg_inherits i WHERE i.inhparent = pg_catalog.format('radscheduler.%I', t.name)::regclass)),
        LATERAL pg_catalog.unnest(t.columns) u(name)
        WHERE c.relkind IN ('r', 'p')
    LOOP
        EXECUTE pg_catalog.format('ALTER TABLE radscheduler.%I ALTER COLUMN %I SET STATISTICS 0', v_column.relname, v_column.name);
    END LOOP;
END
$$;
DELETE FROM pg_catalog.pg_statistic s USING pg_catalog.pg_attribute a
    WHERE a.attrelid = s.starelid AND a.attnum = s.staattnum AND a.attstattarget = 0
      AND s.starelid IN (SELECT c.oid FROM pg_catalog.pg_class c WHERE c.relnamespace = 'radscheduler'::regnamespace);

-- TRUNCATE of a partition does not fire the parent's trigger.
SELECT radscheduler.audit_partition(i.inhrelid::regclass)
FROM pg_catalog.pg_inherits i WHERE i.inhparent IN ('radscheduler.hl7_message'::regclass, 'radscheduler.event_log'::regclass);
$storage_step$);

INSERT INTO radscheduler.storage_step (version, topic, script) VALUES (13, 'appointments_view', $storage_step$
-- The zone of each row comes from the site the reader may see, in the same scan.

SELECT radscheduler.attach_view('appointments');
CREATE OR REPLACE VIEW radscheduler.appointments WITH (security_invoker = true) AS
SELECT a.appointment_id                                                            AS id,
       p.mrn                                                                       AS patient_id,
       p.display_name                                                              AS patient_name,
       COALESCE(p.phone, p.phone_as_sent)                                          AS patient_phone,
       COALESCE(m.label, a.modality)                                               AS modality,
       a.study_text                                                                AS study_type,
       pg_catalog.timezone(COALESCE(s.timezone, radscheduler.default_zone()), a.starts_at)  AS datetime,
       (EXTRACT(epoch FROM a.ends_at - a.starts_at) / 60)::integer                 AS duration,
       a.status::text                                                              AS status,
       a.referring_physician                                                       AS referring_physician,
       a.urgency                                                                   AS urgency,
       a.notes                                                                     AS notes,
       radscheduler.conflicts_of(a.site_id, a.appointment_id)                      AS conflicts,
       a.source                                                                    AS source,
       pg_catalog.timezone(COALESCE(s.timezone, radscheduler.default_zone()), a.created_at) AS created_at,
       pg_catalog.timezone(COALESCE(s.timezone, radscheduler.default_zone()), a.updated_at) AS updated_at
FROM radscheduler.appointment a
JOIN radscheduler.site s ON s.site_id = a.site_id
JOIN radscheduler.patient p ON p.site_id = a.site_id AND p.patient_id = a.patient_id
LEFT JOIN radscheduler.modality m ON m.site_id = a.site_id AND m.code = a.modality
WHERE a.status <> 'DELETED';
$storage_step$);

DO $$
DECLARE
    v_function text;
    v_role     text;
BEGIN
    -- Before there are records nobody was granted anything: what others than PUBLIC hold came by ALTER DEFAULT PRIVILEGES.
    FOR v_function, v_role IN
        SELECT DISTINCT p.oid::regprocedure::text, x.grantee::regrole::text FROM pg_catalog.pg_proc p, pg_catalog.aclexplode(p.proacl) x
        WHERE p.pronamespace = 'radscheduler'::regnamespace AND x.grantee NOT IN (0, p.proowner) AND radscheduler.storage_version() = 0
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM %s', v_function, v_role);
    END LOOP;
    FOR v_function IN
        SELECT p.oid::regprocedure::text FROM pg_catalog.pg_proc p
        JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
        JOIN pg_catalog.pg_extension e ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND e.oid = d.refobjid AND e.extname = 'radscheduler'
        WHERE p.proname NOT LIKE 'hl7%'
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', v_function);
    END LOOP;
END
$$;

SELECT radscheduler.write_rights('GRANT', 'public', 'public');

GRANT USAGE ON SCHEMA radscheduler TO PUBLIC;

GRANT SELECT ON radscheduler.storage_step, radscheduler.modality_catalogue, radscheduler.procedure_catalogue, radscheduler.status_alias, radscheduler.event_rule,
                radscheduler.warning_kind, radscheduler.conflict_kind, radscheduler.phone_region, radscheduler.role_right TO PUBLIC;

SELECT radscheduler.migrate();

SELECT radscheduler.settle_initial_rights();
