-- Which cached figures may be shown to whom: where they are in Redis, and the mark that says what they were made from. Redis is anybody's: what is
-- read there counts only with the mark that the caller's site has at this moment, so neither another site's figures, nor another database's, nor
-- those of yesterday are ever taken for today's.

CREATE FUNCTION radscheduler.aggregate_mark(p_site integer) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_zone text := radscheduler.site_zone(p_site);
BEGIN
    RETURN encode(sha256(convert_to(concat_ws('|', radscheduler.event_epoch(), (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()),
                                              (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'radscheduler'),
                                              p_site, (SELECT s.code FROM radscheduler.site s WHERE s.site_id = p_site), v_zone, timezone(v_zone, now())::date), 'UTF8')), 'hex');
END
$$;
COMMENT ON FUNCTION radscheduler.aggregate_mark(integer) IS
    'What cached figures of a site depend on besides its records, as a digest: the database and its epoch, the version of the code, the site, its zone and the day there.';

CREATE FUNCTION radscheduler.aggregate_place(aggregate text, OUT key text, OUT mark text, OUT seconds bigint) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
#variable_conflict use_column
DECLARE
    v_site integer;
BEGIN
    -- Who may not ask for the figures themselves is not shown what is kept of them.
    IF aggregate_place.aggregate = 'dashboard' AND has_function_privilege(radscheduler.caller(), 'radscheduler.api_dashboard(jsonb)', 'EXECUTE') THEN
        v_site := radscheduler.api_site();
        key := format('radsched:{%s}:cache:%s', (SELECT s.code FROM radscheduler.site s WHERE s.site_id = v_site), aggregate_place.aggregate);
        mark := radscheduler.aggregate_mark(v_site);
        seconds := floor(extract(epoch FROM now()))::bigint;
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.aggregate_place(text) IS
    'For the daemon, in the name of a caller of the API: the key in Redis of cached figures (dashboard) of the caller''s site, the mark they must have, and the time in seconds since 1970 to tell their age by. NULLs where they are not cached, or the daemon''s role may not ask for them.';

INSERT INTO radscheduler.role_right (kind, object, rights) VALUES ('ingest', 'aggregate_place()', 'EXECUTE');
