-- Giving and taking rights. Only whoever owns the objects can: these run with the caller's own rights, nothing is lent.

CREATE FUNCTION radscheduler.check_role(p_kind text, p_role text) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF p_kind IS NOT NULL AND (p_kind = 'public' OR NOT EXISTS (SELECT FROM radscheduler.role_right r WHERE r.kind = p_kind)) THEN
        RAISE EXCEPTION 'there is no kind of role "%"', p_kind USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Use reader, scheduler, ingest, analyst, auditor or admin.';
    ELSIF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = p_role) THEN
        RAISE EXCEPTION 'role "%" does not exist', p_role USING ERRCODE = 'undefined_object',
            HINT = 'CREATE ROLE first; the extension makes no roles of its own.';
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.check_role(text, text) IS 'Raises 22023 for an unknown kind of role, 42704 for a role that does not exist.';

CREATE FUNCTION radscheduler.write_rights(p_verb text, p_kind text, p_role text) RETURNS void
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

CREATE FUNCTION radscheduler.grant_role(kind text, role text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM radscheduler.check_role(grant_role.kind, grant_role.role);
    PERFORM radscheduler.write_rights('GRANT', grant_role.kind, grant_role.role);
    INSERT INTO radscheduler.role_grant AS g (role_name, kind) VALUES (grant_role.role, grant_role.kind) ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION radscheduler.grant_role(text, text) IS
    'Gives a role the rights of a kind: reader, scheduler, ingest, analyst, auditor or admin (docs/security.md has the table). A role may be of several kinds. Which sites it may use is grant_site()''s. migrate() gives it what later versions add.';

CREATE FUNCTION radscheduler.revoke_role(kind text, role text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM radscheduler.check_role(revoke_role.kind, revoke_role.role);
    PERFORM radscheduler.write_rights('REVOKE', revoke_role.kind, revoke_role.role);
    DELETE FROM radscheduler.role_grant g WHERE g.role_name = revoke_role.role AND g.kind = revoke_role.kind;
    PERFORM radscheduler.write_rights('GRANT', g.kind, g.role_name) FROM radscheduler.role_grant g WHERE g.role_name = revoke_role.role;
END
$$;
COMMENT ON FUNCTION radscheduler.revoke_role(text, text) IS 'Takes the rights of a kind from a role, except those another of its kinds also gives.';

CREATE FUNCTION radscheduler.apply_grants() RETURNS integer
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

CREATE FUNCTION radscheduler.named_site(p_site text) RETURNS integer
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

CREATE FUNCTION radscheduler.grant_site(role text, site text) RETURNS void
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

CREATE FUNCTION radscheduler.revoke_site(role text, site text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_site integer := radscheduler.named_site(revoke_site.site);
BEGIN
    DELETE FROM radscheduler.site_grant g WHERE g.role_name = revoke_site.role AND g.site_id IS NOT DISTINCT FROM v_site;
END
$$;
COMMENT ON FUNCTION radscheduler.revoke_site(text, text) IS 'Takes back what grant_site() gave to this very role; * takes back only a grant of *.';

CREATE FUNCTION radscheduler.secure_table(p_table regclass) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', p_table);
    EXECUTE format('CREATE POLICY site_rows ON %s USING (site_id = ANY ((SELECT radscheduler.visible_sites())::integer[])) '
                   'WITH CHECK (site_id = ANY ((SELECT radscheduler.visible_sites())::integer[]))', p_table);
    EXECUTE format('COMMENT ON POLICY site_rows ON %s IS %L', p_table, 'Rows of the sites the caller was granted, and no others.');
END
$$;
COMMENT ON FUNCTION radscheduler.secure_table(regclass) IS
    'Puts a record table (or a partition) under row-level security: a role sees and writes rows of its sites only, the owner included.';
