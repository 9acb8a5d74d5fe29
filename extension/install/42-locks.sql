-- One lock order for every writer: keys that the request itself names, ascending; then resources and patients, ascending; then rows of one's own;
-- then, when something is in doubt, the settling of conflicts and rows of others in one statement by id (settle()). Exams that name no scanner
-- lock all of their modality's pool (pool_scanners()). A class of its own for each phase (7421008 changes to hours, 7421007 statements on the appointments view, 7421006 unknown senders, 7421001 names, 7421003 the
-- recording of unknown resources, 7421002 subjects, 7421005 settling) keeps them apart, so that a hash collision can only make two writers wait
-- for each other in turn, never in a ring. Everybody may read pg_locks, so keys are made with a secret of the database: they tell nobody whose
-- appointment is being changed, and nobody can take one to hold up a patient.

CREATE FUNCTION radscheduler.lock_key(p_name text, p_secret text) RETURNS integer
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN ('x' || pg_catalog.substr(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(p_secret || p_name, 'UTF8')), 'hex'), 1, 8))::bit(32)::integer;
COMMENT ON FUNCTION radscheduler.lock_key(text, text) IS 'Key of an advisory lock for a name: the first 32 bits of SHA-256 over the database''s secret and the name.';

CREATE FUNCTION radscheduler.lock_secret() RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT s.secret FROM radscheduler.lock_secret s);
END
$$;
COMMENT ON FUNCTION radscheduler.lock_secret() IS 'The secret lock keys are made with; for functions of the extension.';

CREATE FUNCTION radscheduler.lock_keys(names text[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- The sorted subquery is read in its order, so locks are taken in that order.
    PERFORM pg_advisory_xact_lock(7421001, k.key)
        FROM (SELECT DISTINCT radscheduler.lock_key(n, s.secret) AS key FROM radscheduler.lock_secret s, unnest(names) n WHERE n IS NOT NULL ORDER BY 1) k;
END
$$;
COMMENT ON FUNCTION radscheduler.lock_keys(text[]) IS 'Phase one: takes transaction locks on the names a request gives (appointment keys, patient identifiers), in ascending order of their keys.';

CREATE FUNCTION radscheduler.lock_new_resources(p_site integer) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7421003, radscheduler.lock_key('resources/' || p_site, radscheduler.lock_secret()));
END
$$;
COMMENT ON FUNCTION radscheduler.lock_new_resources(integer) IS 'Between the phases: the transaction lock of a site under which unknown resources are recorded.';

CREATE FUNCTION radscheduler.lock_hours(p_sites integer[], p_alone boolean) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_key integer;
BEGIN
    FOR v_key IN SELECT DISTINCT radscheduler.lock_key('hours/' || s.id, k.secret) FROM radscheduler.lock_secret k, unnest(p_sites) s(id) WHERE s.id IS NOT NULL ORDER BY 1 LOOP
        IF p_alone THEN
            PERFORM pg_advisory_xact_lock(7421008, v_key);
        ELSE
            PERFORM pg_advisory_xact_lock_shared(7421008, v_key);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.lock_hours(integer[], boolean) IS
    'Before all phases: the transaction locks of sites under which their hours are written. Shared by changes, which take the other locks after it; alone for a preview, which takes none of them, writes several changes in the order it was given, and gives it back with them. Who books takes none.';

CREATE FUNCTION radscheduler.lock_subjects(p_site integer, resources bigint[], patients bigint[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_resource CONSTANT text := 'resource/' || p_site || '/';
    c_patient  CONSTANT text := 'patient/' || p_site || '/';
BEGIN
    PERFORM pg_advisory_xact_lock(7421002, k.key)
        FROM (SELECT DISTINCT radscheduler.lock_key(n.name, s.secret) AS key
              FROM radscheduler.lock_secret s,
                   LATERAL (SELECT c_resource || r AS name FROM unnest(resources) r UNION ALL SELECT c_patient || p FROM unnest(patients) p) n
              WHERE n.name IS NOT NULL ORDER BY 1) k;
END
$$;
COMMENT ON FUNCTION radscheduler.lock_subjects(integer, bigint[], bigint[]) IS 'Phase two: takes transaction locks on resources and patients, in ascending order of their keys.';

CREATE FUNCTION radscheduler.lock_settling(p_site integer, p_alone boolean) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- Before the lock, what writing the rows would wait for: recheck_conflicts() takes the table first and then this.
    LOCK TABLE radscheduler.appointment IN ROW EXCLUSIVE MODE;
    IF p_alone THEN
        PERFORM pg_advisory_xact_lock(7421005, radscheduler.lock_key('settling/' || p_site, radscheduler.lock_secret()));
    ELSE
        PERFORM pg_advisory_xact_lock_shared(7421005, radscheduler.lock_key('settling/' || p_site, radscheduler.lock_secret()));
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.lock_settling(integer, boolean) IS
    'After the subjects: the transaction lock of a site under which conflicts are brought into line. Shared by those who settle once, as settle() locks the rows of others in one order; alone for a batch that settles in several waves, before its first row, as it would come back for rows of others in another order.';
