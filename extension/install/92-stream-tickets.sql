-- Who may follow live events: tickets for browsers, the site of a connection, and whether a credential still counts while it lasts.

CREATE FUNCTION radscheduler.create_stream_ticket(p_principal text, p_login text, p_version integer, p_scopes text[], p_until timestamptz) RETURNS text
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_ticket text := radscheduler.random_word(43);
BEGIN
    INSERT INTO radscheduler.stream_ticket (site_id, ticket_hash, principal, login, token_version, scopes, until, expires_at)
        VALUES (radscheduler.api_site(), sha256(convert_to(v_ticket, 'UTF8')), coalesce(p_principal, ''), p_login, p_version, coalesce(p_scopes, '{}'), p_until, now() + interval '30 seconds');
    RETURN v_ticket;
END
$$;
COMMENT ON FUNCTION radscheduler.create_stream_ticket(text, text, integer, text[], timestamptz) IS
    'For the daemon: a ticket for live events of the site HTTP works for, good once and for 30 seconds, in the name of whoever asked for it; the connection ends at p_until.';

CREATE FUNCTION radscheduler.redeem_stream_ticket(p_ticket text, OUT site text, OUT principal text, OUT login text, OUT token_version integer, OUT scopes text[], OUT until timestamptz) RETURNS SETOF record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH used AS (DELETE FROM radscheduler.stream_ticket t WHERE t.ticket_hash = sha256(convert_to(p_ticket, 'UTF8')) AND t.site_id = ANY (radscheduler.visible_sites()) RETURNING *)
    SELECT s.code, u.principal, u.login, u.token_version, u.scopes, u.until FROM used u JOIN radscheduler.site s ON s.site_id = u.site_id
    WHERE u.expires_at > now() AND (u.until > now()) IS NOT FALSE;
END
$$;
COMMENT ON FUNCTION radscheduler.redeem_stream_ticket(text) IS 'For the daemon: who a ticket was given to; no row when there is none, it was used, or its time is up. It is gone afterwards, whatever the answer.';

CREATE FUNCTION radscheduler.expire_stream_tickets() RETURNS void
    LANGUAGE sql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DELETE FROM radscheduler.stream_ticket t WHERE t.expires_at < now()
$$;
COMMENT ON FUNCTION radscheduler.expire_stream_tickets() IS 'Drops tickets that nobody used; maintain() calls it.';

CREATE FUNCTION radscheduler.live_enter(OUT site_id integer, OUT site text) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    site_id := radscheduler.api_site();
    site := (SELECT s.code FROM radscheduler.site s WHERE s.site_id = live_enter.site_id);
END
$$;
COMMENT ON FUNCTION radscheduler.live_enter() IS 'The one site whose events a connection is shown: that of its credential, else the one HTTP works for (api_site()).';

CREATE FUNCTION radscheduler.live_lapsed(p_sites integer[], p_principals text[], p_logins text[], p_versions integer[]) RETURNS SETOF integer
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN QUERY
    SELECT u.place::integer FROM unnest(p_sites, p_principals, p_logins, p_versions) WITH ORDINALITY u(site, principal, login, version, place)
    WHERE NOT coalesce(u.site = ANY (radscheduler.visible_sites()), false)
       OR u.principal LIKE 'key:%' AND NOT EXISTS (SELECT FROM radscheduler.api_key k
              WHERE k.site_id = u.site AND k.key_id = substr(u.principal, 5) AND k.revoked_at IS NULL AND (k.expires_at > now()) IS NOT FALSE)
       OR u.login <> '' AND NOT EXISTS (SELECT FROM radscheduler.app_user a WHERE a.site_id = u.site AND a.login = u.login AND a.is_active AND a.token_version = u.version)
    ORDER BY 1;
END
$$;
COMMENT ON FUNCTION radscheduler.live_lapsed(integer[], text[], text[], integer[]) IS
    'For the daemon, of connections side by side: the places (from 1) of those whose key was revoked or has expired, whose user was closed or got a new token version, or whose site is no longer the daemon''s.';
