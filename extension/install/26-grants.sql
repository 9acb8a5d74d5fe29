-- Giving and taking rights. Only whoever owns the objects can: these run with the caller's own rights, nothing is lent.

CREATE FUNCTION radscheduler.check_role(p_kind text, p_role text) RETURNS void
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
    PERFORM radscheduler.check_role(coalesce(grant_role.kind, ''), grant_role.role);
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
    PERFORM radscheduler.check_role(coalesce(revoke_role.kind, ''), revoke_role.role);
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
    EXECUTE format('CREATE POLICY any_row ON %s USING (true)', p_table);
    EXECUTE format('COMMENT ON POLICY any_row ON %s IS %L', p_table, 'Leaves the decision to the restrictive policy site_rows.');
    EXECUTE format('CREATE POLICY site_rows ON %s AS RESTRICTIVE USING (site_id = ANY ((SELECT radscheduler.visible_sites())::integer[])) '
                   'WITH CHECK (site_id = ANY ((SELECT radscheduler.visible_sites())::integer[]))', p_table);
    EXECUTE format('COMMENT ON POLICY site_rows ON %s IS %L', p_table, 'Rows of the sites the caller was granted, and no others.');
END
$$;
COMMENT ON FUNCTION radscheduler.secure_table(regclass) IS
    'Puts a record table (or a partition) under row-level security: a role sees and writes rows of its sites only, the owner included. The policy is restrictive, so that no policy of the site''s own can widen it.';

CREATE FUNCTION radscheduler.revoke_default_privileges() RETURNS void
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

CREATE FUNCTION radscheduler.settle_initial_rights() RETURNS void
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
