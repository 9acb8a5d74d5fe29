-- One lock order for every writer: keys that the request itself names, ascending; then resources and patients, ascending; then rows by id.
-- A class of its own for each phase (7421001 names, 7421003 the recording of unknown resources, 7421002 subjects) keeps them apart, so that
-- a hash collision can only make two writers wait for each other in turn, never in a ring.

CREATE FUNCTION radscheduler.lock_keys(names text[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_key integer;
BEGIN
    FOR v_key IN SELECT DISTINCT hashtext(n) FROM unnest(names) n WHERE n IS NOT NULL ORDER BY 1 LOOP
        PERFORM pg_advisory_xact_lock(7421001, v_key);
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.lock_keys(text[]) IS 'Phase one: takes transaction locks on the names a request gives (appointment keys, patient identifiers), in ascending order of their hashes.';

CREATE FUNCTION radscheduler.lock_subjects(p_site integer, resources bigint[], patients bigint[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_key integer;
BEGIN
    FOR v_key IN
        SELECT hashint8extended(r, p_site)::bit(32)::integer FROM unnest(resources) r WHERE r IS NOT NULL
        UNION
        SELECT hashint8extended(p, -p_site)::bit(32)::integer FROM unnest(patients) p WHERE p IS NOT NULL
        ORDER BY 1
    LOOP
        PERFORM pg_advisory_xact_lock(7421002, v_key);
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.lock_subjects(integer, bigint[], bigint[]) IS 'Phase two: takes transaction locks on resources and patients, in ascending order of their hashes.';
