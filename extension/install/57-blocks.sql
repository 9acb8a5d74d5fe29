-- Times at which a resource is not there. Whoever is booked then is flagged at once, and healed at once when the block is lifted. Messages (S23,
-- S24) and SQL users end in settle_block(); rows written to resource_block by hand count from then on, recheck_conflicts() applies them to what is booked.

CREATE FUNCTION radscheduler.settle_block(p_site integer, p_resources bigint[], p_during tstzrange, p_message bigint) RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_ids bigint[] := ARRAY(
        SELECT o.appointment_id FROM unnest(p_resources) u(id)
        JOIN radscheduler.occupancy o ON o.site_id = p_site AND o.axis = 'resource' AND o.subject_id = u.id AND o.buffered && p_during
        WHERE o.during && p_during
        UNION
        SELECT q.appointment_id FROM unnest(p_resources) u(id)
        JOIN radscheduler.resource r ON r.site_id = p_site AND r.resource_id = u.id AND r.kind <> 'staff' AND r.is_registered,
        LATERAL unnest(r.modality || r.modalities) m(code)
        JOIN radscheduler.appointment q ON q.site_id = p_site AND q.modality = m.code AND q.is_pooled AND tstzrange(q.starts_at, q.ends_at) && p_during);
BEGIN
    IF v_ids <> '{}' THEN
        PERFORM radscheduler.settle(p_site, '{}', v_ids, ARRAY[p_message]);
    END IF;
    RETURN cardinality(v_ids);
END
$$;
COMMENT ON FUNCTION radscheduler.settle_block(integer, bigint[], tstzrange, bigint) IS
    'After rows of resource_block came or went: settles the appointments on these resources at that time, and those in their pools; returns how many those are. Call it under lock_subjects() on the resources, taken before the rows were written.';

CREATE FUNCTION radscheduler.block_resource(resource text, from_time timestamptz, until_time timestamptz, reason text DEFAULT NULL, kind text DEFAULT 'block',
                                            OUT block_id bigint, OUT appointments integer) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
#variable_conflict use_variable
DECLARE
    v_site      integer := radscheduler.current_site();
    v_resources bigint[];
BEGIN
    IF from_time IS NULL OR until_time IS NULL OR NOT isfinite(from_time) OR NOT isfinite(until_time) OR until_time <= from_time THEN
        RAISE EXCEPTION 'a block lasts from one time until a later one' USING ERRCODE = 'invalid_parameter_value', HINT = 'Give from_time and until_time.';
    ELSIF kind IS NULL OR kind NOT IN ('block', 'maintenance', 'downtime') THEN
        RAISE EXCEPTION 'a block is of the kind block, maintenance or downtime' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'maintenance and downtime make the conflict MAINTENANCE, which no overbooking excuses.';
    END IF;
    v_resources := ARRAY(SELECT DISTINCT a.resource_id FROM radscheduler.resource_alias a WHERE a.site_id = v_site AND a.alias = upper(resource));
    IF cardinality(v_resources) <> 1 THEN
        RAISE EXCEPTION 'resource "%" is %', resource, CASE cardinality(v_resources) WHEN 0 THEN 'not known at this site' ELSE 'the name of several at this site' END
            USING ERRCODE = 'invalid_parameter_value', HINT = 'radscheduler.resource_alias lists the names that are known.';
    END IF;
    PERFORM radscheduler.lock_subjects(v_site, v_resources, NULL);
    INSERT INTO radscheduler.resource_block AS b (site_id, resource_id, during, reason, kind)
        VALUES (v_site, v_resources[1], tstzrange(from_time, until_time), reason, kind) RETURNING b.block_id INTO block_id;
    PERFORM radscheduler.audit(v_site, 'resource.blocked', 'resource_block', block_id, jsonb_build_object('resource_id', v_resources[1], 'kind', kind));
    INSERT INTO radscheduler.event_log (site_id, type, data)
        VALUES (v_site, 'resource.blocked', jsonb_build_object('block_id', block_id, 'resource_id', v_resources[1], 'kind', kind, 'from', from_time, 'until', until_time));
    appointments := radscheduler.settle_block(v_site, v_resources, tstzrange(from_time, until_time), NULL);
END
$$;
COMMENT ON FUNCTION radscheduler.block_resource(text, timestamptz, timestamptz, text, text) IS
    'Takes a resource of the session''s site, by any of its names, out of use for a time; kind is block, maintenance or downtime. Returns the number of the block and how many appointments are concerned: those on it are flagged (RESOURCE_BLOCKED, MAINTENANCE), those that name no scanner where the others are too few.';

CREATE FUNCTION radscheduler.unblock_resource(block_id bigint, from_time timestamptz DEFAULT NULL) RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
#variable_conflict use_variable
DECLARE
    v_block radscheduler.resource_block;
    v_sites integer[] := radscheduler.visible_sites();
BEGIN
    SELECT * INTO v_block FROM radscheduler.resource_block b WHERE b.site_id = ANY (v_sites) AND b.block_id = block_id;
    IF FOUND THEN
        -- The lock first, then the row as it is.
        PERFORM radscheduler.lock_subjects(v_block.site_id, ARRAY[v_block.resource_id], NULL);
        SELECT * INTO v_block FROM radscheduler.resource_block b WHERE b.site_id = v_block.site_id AND b.block_id = block_id;
    END IF;
    IF v_block.block_id IS NULL THEN
        RAISE EXCEPTION 'block % is not known at any site of this session', block_id USING ERRCODE = 'invalid_parameter_value',
            HINT = 'radscheduler.resource_block lists the blocks.';
    ELSIF from_time >= upper(v_block.during) THEN
        RETURN 0;
    ELSIF from_time > lower(v_block.during) THEN
        UPDATE radscheduler.resource_block b SET during = tstzrange(lower(b.during), from_time) WHERE b.site_id = v_block.site_id AND b.block_id = block_id;
    ELSE
        DELETE FROM radscheduler.resource_block b WHERE b.site_id = v_block.site_id AND b.block_id = block_id;
    END IF;
    PERFORM radscheduler.audit(v_block.site_id, 'resource.unblocked', 'resource_block', block_id, jsonb_build_object('resource_id', v_block.resource_id));
    INSERT INTO radscheduler.event_log (site_id, type, data)
        VALUES (v_block.site_id, 'resource.unblocked', jsonb_build_object('block_id', block_id, 'resource_id', v_block.resource_id,
                'from', greatest(from_time, lower(v_block.during)), 'until', upper(v_block.during)));
    RETURN radscheduler.settle_block(v_block.site_id, ARRAY[v_block.resource_id],
                                     tstzrange(greatest(from_time, lower(v_block.during)), upper(v_block.during)), NULL);
END
$$;
COMMENT ON FUNCTION radscheduler.unblock_resource(bigint, timestamptz) IS
    'Lifts a block, whole or from an instant on (what lies before stays blocked); conflicts that it made resolve at once. Returns how many appointments lie in the time that is free again.';
