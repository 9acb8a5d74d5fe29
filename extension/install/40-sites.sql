-- Which site, whose clock, which sender.

CREATE FUNCTION radscheduler.create_site(code text, name text, timezone text) RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_site integer;
BEGIN
    IF create_site.timezone IS NOT NULL AND NOT radscheduler.is_timezone(create_site.timezone) THEN
        RAISE EXCEPTION 'time zone "%" is not known', create_site.timezone
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Use an IANA name such as America/New_York; pg_timezone_names lists them.';
    END IF;
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
    RETURN v_site;
END
$$;
COMMENT ON FUNCTION radscheduler.create_site(text, text, text) IS
    'Records a site with its catalogues and opening hours Monday to Friday 07:00 to 19:00; returns its id. timezone is an IANA name, or NULL for radscheduler.default_timezone.';

CREATE FUNCTION radscheduler.current_site() RETURNS integer
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_code text := nullif(current_setting('radscheduler.site', true), '');
    v_site integer;
    v_more boolean;
BEGIN
    IF v_code IS NOT NULL THEN
        SELECT s.site_id INTO v_site FROM radscheduler.site s WHERE s.code = v_code;
        IF v_site IS NULL THEN
            RAISE EXCEPTION 'there is no site "%"', v_code
                USING ERRCODE = 'invalid_parameter_value', HINT = 'Set radscheduler.site to the code of a row in radscheduler.site.';
        END IF;
        RETURN v_site;
    END IF;
    SELECT min(s.site_id), count(*) > 1 INTO v_site, v_more FROM radscheduler.site s;
    IF v_more OR v_site IS NULL THEN
        RAISE EXCEPTION 'this database has % and the session names none', CASE WHEN v_more THEN 'several sites' ELSE 'no site' END
            USING ERRCODE = 'invalid_parameter_value', HINT = 'SET radscheduler.site = ''code of the site''; or create one with radscheduler.create_site().';
    END IF;
    RETURN v_site;
END
$$;
COMMENT ON FUNCTION radscheduler.current_site() IS
    'The site this session works for: the setting radscheduler.site, or the only site there is. Raises 22023 when neither says.';

CREATE FUNCTION radscheduler.site_zone(p_site integer) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT coalesce((SELECT s.timezone FROM radscheduler.site s WHERE s.site_id = p_site), coalesce(nullif(current_setting('radscheduler.default_timezone', true), ''), 'UTC')));
END
$$;
COMMENT ON FUNCTION radscheduler.site_zone(integer) IS 'IANA zone of a site, or radscheduler.default_timezone.';

CREATE FUNCTION radscheduler.sender_of(p_application text, p_facility text,
                                       OUT site_id integer, OUT sender_id bigint, OUT profile jsonb, OUT is_new boolean) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_code text := nullif(current_setting('radscheduler.site', true), '');
BEGIN
    is_new := false;
    SELECT s.site_id, s.sender_id, s.profile INTO sender_of.site_id, sender_of.sender_id, sender_of.profile
        FROM radscheduler.sender s
        WHERE s.sending_application = p_application AND s.sending_facility = p_facility
          AND (v_code IS NULL OR s.site_id = (SELECT t.site_id FROM radscheduler.site t WHERE t.code = v_code))
        ORDER BY s.site_id LIMIT 1;
    IF FOUND THEN
        RETURN;
    END IF;
    sender_of.site_id := CASE WHEN v_code IS NOT NULL THEN radscheduler.current_site()
                              ELSE (SELECT min(s.site_id) FROM radscheduler.site s) END;
    INSERT INTO radscheduler.sender (site_id, sending_application, sending_facility, is_registered)
        VALUES (sender_of.site_id, p_application, p_facility, false)
        ON CONFLICT DO NOTHING
        RETURNING sender.sender_id, sender.profile INTO sender_of.sender_id, sender_of.profile;
    IF sender_of.sender_id IS NOT NULL THEN
        is_new := true;
        RETURN;
    END IF;
    SELECT s.sender_id, s.profile INTO sender_of.sender_id, sender_of.profile FROM radscheduler.sender s
        WHERE s.site_id = sender_of.site_id AND s.sending_application = p_application AND s.sending_facility = p_facility;
END
$$;
COMMENT ON FUNCTION radscheduler.sender_of(text, text) IS
    'The sender known by MSH-3 and MSH-4, with its site and profile. An unknown pair is recorded at the session''s site, else at the first one.';
