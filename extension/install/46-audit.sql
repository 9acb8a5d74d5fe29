-- Who did or saw what. Functions that change records write one event for each thing they did; where somebody writes to a table directly,
-- a trigger writes one for each row. Nothing here holds patient data: ids, names of columns, counts. The log is sealed in 47-audit-seal.sql.

CREATE FUNCTION radscheduler.audits_changes() RETURNS boolean
    AS 'MODULE_PATHNAME', 'rad_audits_changes' LANGUAGE c STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION radscheduler.audits_changes() IS 'Whether row triggers audit here: the setting radscheduler.audit_changes.';

CREATE FUNCTION radscheduler.audit(p_site integer, p_action text, p_object text, p_object_id bigint, p_detail jsonb DEFAULT '{}') RETURNS void
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

CREATE FUNCTION radscheduler.audit_all(p_site integer, p_actions text[], p_object text, p_object_ids bigint[], p_details jsonb[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    INSERT INTO radscheduler.audit_event (site_id, role_name, login_name, actor, purpose, trace_id, action, object, object_id, detail)
        SELECT p_site, pg_get_userbyid(radscheduler.caller()), session_user, nullif(current_setting('radscheduler.actor', true), ''),
               nullif(current_setting('radscheduler.purpose', true), ''), nullif(current_setting('radscheduler.trace_id', true), ''),
               u.action, p_object, u.id, coalesce(u.detail, '{}')
        FROM unnest(p_actions, p_object_ids, p_details) u(action, id, detail);
END
$$;
COMMENT ON FUNCTION radscheduler.audit_all(integer, text[], text, bigint[], jsonb[]) IS 'audit() of many things at once: arrays side by side of action, id and detail.';

CREATE FUNCTION radscheduler.audit_many(p_sites integer[], p_actions text[], p_objects text[], p_object_ids bigint[], p_details jsonb[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_role  CONSTANT name := pg_get_userbyid(radscheduler.caller());
    c_actor CONSTANT text := nullif(current_setting('radscheduler.actor', true), '');
    c_for   CONSTANT text := nullif(current_setting('radscheduler.purpose', true), '');
    c_trace CONSTANT text := nullif(current_setting('radscheduler.trace_id', true), '');
BEGIN
    INSERT INTO radscheduler.audit_event (site_id, role_name, login_name, actor, purpose, trace_id, action, object, object_id, detail)
        SELECT u.site, c_role, session_user, c_actor, c_for, c_trace, u.action, u.object, u.id, u.detail
        FROM unnest(p_sites, p_actions, p_objects, p_object_ids, p_details) u(site, action, object, id, detail);
END
$$;
COMMENT ON FUNCTION radscheduler.audit_many(integer[], text[], text[], bigint[], jsonb[]) IS 'audit() of many things of any kind at once: arrays side by side.';

CREATE FUNCTION radscheduler.audit_change() RETURNS trigger
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

CREATE FUNCTION radscheduler.audit_truncate() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
BEGIN
    PERFORM radscheduler.audit(0, 'truncate', TG_TABLE_NAME, NULL, '{"direct": true}');
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION radscheduler.audit_truncate() IS 'Statement trigger: audits TRUNCATE of a record table.';

CREATE FUNCTION radscheduler.refuse_change() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only: % is refused', TG_OP
        USING ERRCODE = 'insufficient_privilege', HINT = 'Old months leave by retention: see radscheduler.set_retention() and maintain().';
END
$$;
COMMENT ON FUNCTION radscheduler.refuse_change() IS 'Trigger of the audit tables: raises 42501 for UPDATE, DELETE and TRUNCATE, whoever asks.';

CREATE FUNCTION radscheduler.audit_table(p_table text, p_keys text, p_mode text) RETURNS void
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

CREATE FUNCTION radscheduler.audit_partition(p_partition regclass) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER audit_truncate AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION radscheduler.audit_truncate()', p_partition);
    EXECUTE format('COMMENT ON TRIGGER audit_truncate ON %s IS %L', p_partition, 'Audits TRUNCATE.');
END
$$;
COMMENT ON FUNCTION radscheduler.audit_partition(regclass) IS 'Audits TRUNCATE of a partition, which does not fire the trigger of its parent; row triggers come from there.';

CREATE FUNCTION radscheduler.make_append_only(p_table regclass, p_rows boolean) RETURNS void
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

CREATE FUNCTION radscheduler.renew_append_only() RETURNS integer
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
