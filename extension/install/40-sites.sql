-- Which site, whose clock, which sender.

CREATE FUNCTION radscheduler.create_site(code text, name text, timezone text) RETURNS integer
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
    PERFORM radscheduler.stock_site(v_site);
    INSERT INTO radscheduler.resource_hours (site_id, weekday, opens, closes)
        SELECT v_site, d, '07:00', '19:00' FROM generate_series(1, 5) d;
    PERFORM radscheduler.audit(v_site, 'site.created', 'site', v_site, jsonb_build_object('code', create_site.code));
    RETURN v_site;
END
$$;
COMMENT ON FUNCTION radscheduler.create_site(text, text, text) IS
    'Records a site with its catalogues and opening hours Monday to Friday 07:00 to 19:00; returns its id. timezone is an IANA name, or NULL for radscheduler.default_timezone.';

CREATE FUNCTION radscheduler.current_site() RETURNS integer
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

CREATE FUNCTION radscheduler.refuse_without_site() RETURNS void
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

CREATE FUNCTION radscheduler.site_zone(p_site integer) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT coalesce((SELECT s.timezone FROM radscheduler.site s WHERE s.site_id = p_site), radscheduler.default_zone()));
END
$$;
COMMENT ON FUNCTION radscheduler.site_zone(integer) IS 'IANA zone of a site, or radscheduler.default_timezone.';

CREATE FUNCTION radscheduler.sender_of(p_application text, p_facility text,
                                       OUT site_id integer, OUT sender_id bigint, OUT profile jsonb, OUT is_new boolean, OUT is_refused boolean) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_sites   integer[] := radscheduler.visible_sites();
    v_profile jsonb;
BEGIN
    is_new := false;
    SELECT s.site_id, s.sender_id, radscheduler.sender_profile(s.profile, t.default_profile), NOT s.is_registered AND t.unknown_senders = 'refuse'
        INTO sender_of.site_id, sender_of.sender_id, sender_of.profile, sender_of.is_refused
        FROM radscheduler.sender s JOIN radscheduler.site t ON t.site_id = s.site_id
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
    v_profile := coalesce(nullif(current_setting('radscheduler.new_sender_profile', true), '')::jsonb, '{}');
    PERFORM radscheduler.refuse_profile('the profile of new senders (radscheduler.new_sender_profile)', v_profile);
    IF v_profile ? 'override_requests' THEN -- any session may set the setting
        RAISE EXCEPTION 'the profile of new senders (radscheduler.new_sender_profile) cannot hold override_requests' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Give it to the sender itself: SELECT * FROM radscheduler.set_sender(...).';
    END IF;
    INSERT INTO radscheduler.sender (site_id, sending_application, sending_facility, is_registered, profile)
        VALUES (sender_of.site_id, p_application, p_facility, false, v_profile)
        ON CONFLICT DO NOTHING
        RETURNING sender.sender_id INTO sender_of.sender_id;
    IF sender_of.sender_id IS NOT NULL THEN
        is_new := true;
        PERFORM radscheduler.audit(sender_of.site_id, 'sender.created', 'sender', sender_of.sender_id, '{}');
    END IF;
    SELECT s.sender_id, radscheduler.sender_profile(s.profile, t.default_profile), NOT s.is_registered AND t.unknown_senders = 'refuse'
        INTO sender_of.sender_id, sender_of.profile, sender_of.is_refused
        FROM radscheduler.sender s JOIN radscheduler.site t ON t.site_id = s.site_id
        WHERE s.site_id = sender_of.site_id AND s.sending_application = p_application AND s.sending_facility = p_facility;
END
$$;
COMMENT ON FUNCTION radscheduler.sender_of(text, text) IS
    'The sender known by MSH-3 and MSH-4, with its site and profile. Only sites the caller may use are looked at; where several know the pair, a registered sender goes before others, then the older. An unknown pair is recorded at the session''s site, else at the first of them, with the profile radscheduler.new_sender_profile. profile is the whole one: preset written out, over site.default_profile. is_refused: the sender is not registered, and its site refuses such (site.unknown_senders).';

CREATE FUNCTION radscheduler.sender_registration() RETURNS trigger
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
