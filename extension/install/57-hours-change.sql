-- Changing when a site is open: holidays, exceptions, weekly hours, hours that are kept or out of use. Whoever is booked then is flagged at once, and
-- healed at once when it is taken back. preview_hours() tells beforehand who that would be: it writes the change, looks, and takes it back.
-- Rows that are written by hand count from then on, as those of resource_hours do; recheck_conflicts() applies them to what is booked.

CREATE FUNCTION radscheduler.hours_concern(p_site integer, p_resources bigint[], p_modality text, p_days daterange, p_weekdays integer[]) RETURNS bigint[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_zone       CONSTANT text := radscheduler.site_zone(p_site);
    v_from       CONSTANT timestamptz := greatest(now(), timezone(v_zone, coalesce(lower(p_days), '-infinity')::timestamp));
    v_until      CONSTANT timestamptz := timezone(v_zone, coalesce(upper(p_days), 'infinity')::timestamp);
    v_resources  CONSTANT bigint[] := CASE WHEN p_modality IS NULL THEN p_resources
                     ELSE ARRAY(SELECT r.resource_id FROM radscheduler.resource r WHERE r.site_id = p_site AND r.kind <> 'staff' AND r.modality = p_modality) END;
    v_modalities CONSTANT text[] := p_modality || ARRAY(SELECT m FROM radscheduler.resource r, LATERAL unnest(r.modality || r.modalities) m
                                                        WHERE r.site_id = p_site AND r.resource_id = ANY (v_resources) AND r.kind <> 'staff' AND m IS NOT NULL);
BEGIN
    IF isempty(p_days) THEN
        RETURN '{}';
    END IF;
    RETURN ARRAY(
        SELECT a.appointment_id FROM radscheduler.appointment a
        WHERE a.site_id = p_site AND a.starts_at < v_until AND a.starts_at > v_from - interval '2 days' AND a.ends_at > v_from AND radscheduler.takes_time(a.status, a.holds_time)
          AND (p_weekdays IS NULL OR extract(isodow FROM timezone(v_zone, a.starts_at)) = ANY (p_weekdays) OR extract(isodow FROM timezone(v_zone, a.ends_at)) = ANY (p_weekdays))
          AND (p_resources IS NULL AND p_modality IS NULL OR a.is_pooled AND a.modality = ANY (v_modalities)
               OR EXISTS (SELECT FROM radscheduler.occupancy o WHERE o.site_id = p_site AND o.appointment_id = a.appointment_id AND o.axis = 'resource' AND o.subject_id = ANY (v_resources)))
        ORDER BY a.appointment_id);
END
$$;
COMMENT ON FUNCTION radscheduler.hours_concern(integer, bigint[], text, daterange, integer[]) IS
    'Appointments that are not over and that a change to hours may concern, as write_hours() tells what it is about: on its resources or its modality''s (those that name no scanner too), else all of the site, on its days and weekdays.';

CREATE FUNCTION radscheduler.hour_rules() RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN '{OUTSIDE_HOURS,RESOURCE_BLOCKED,MAINTENANCE,RESERVED,WRONG_EXAM_BLOCK,CAPACITY_EXCEEDED}'::text[];
COMMENT ON FUNCTION radscheduler.hour_rules() IS 'The rules whose answer depends on hours.';

CREATE FUNCTION radscheduler.change_hours(p_site integer, p_change jsonb, OUT ids bigint[], OUT opened integer, OUT resolved integer) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
#variable_conflict use_column
DECLARE
    c_chunk    CONSTANT integer := 200;
    v_change   jsonb := radscheduler.check_hours_change(p_change);
    v_resource bigint := CASE WHEN v_change ? 'resource' THEN radscheduler.resource_by_name(p_site, v_change ->> 'resource')
                              ELSE (SELECT w.resource_id FROM radscheduler.reserved_hours w WHERE w.site_id = p_site AND w.reserved_id = (v_change ->> 'reserved_id')::bigint) END;
    v_scope    record;
    v_ids      bigint[];
    v_doubted  bigint[] := '{}';
    v_open     bigint[];
BEGIN
    PERFORM radscheduler.lock_hours(ARRAY[p_site], false);
    -- One resource: as block_resource(). Else all are concerned, so this waits for those who write and lets nobody begin, as recheck_conflicts() does.
    IF v_resource IS NOT NULL THEN
        PERFORM radscheduler.lock_subjects(p_site, ARRAY[v_resource], NULL);
        LOCK TABLE radscheduler.appointment IN ROW EXCLUSIVE MODE; -- whoever changes the hours of all is done, and seen
    ELSE
        LOCK TABLE radscheduler.appointment IN EXCLUSIVE MODE;
    END IF;
    SELECT * INTO v_scope FROM radscheduler.write_hours(p_site, v_change);
    v_ids := radscheduler.hours_concern(p_site, v_scope.resources, v_scope.modality, v_scope.days, v_scope.weekdays);
    v_open := ARRAY(SELECT c.conflict_id FROM radscheduler.conflict c WHERE c.site_id = p_site AND c.appointment_id = ANY (v_ids) AND c.state <> 'resolved' AND c.code = ANY (radscheduler.hour_rules()));
    FOR k IN 0 .. (cardinality(v_ids) - 1) / c_chunk LOOP
        v_doubted := v_doubted || radscheduler.doubtful(p_site, v_ids[k * c_chunk + 1 : (k + 1) * c_chunk]);
    END LOOP;
    -- Of those who share a patient, only who is concerned: the others' rows are not locked.
    v_doubted := ARRAY(SELECT DISTINCT d FROM unnest(v_doubted) d WHERE d = ANY (v_ids) ORDER BY d);
    IF v_resource IS NOT NULL AND v_doubted <> '{}' THEN
        PERFORM radscheduler.settle(p_site, '{}', v_doubted, NULL);
    ELSE
        FOR k IN 0 .. (cardinality(v_doubted) - 1) / c_chunk LOOP
            PERFORM radscheduler.settle(p_site, '{}', v_doubted[k * c_chunk + 1 : (k + 1) * c_chunk], NULL);
        END LOOP;
    END IF;
    SELECT count(*) FILTER (WHERE b.id IS NULL), count(*) FILTER (WHERE a.id IS NULL) INTO change_hours.opened, change_hours.resolved
        FROM unnest(v_open) b(id)
        FULL JOIN (SELECT c.conflict_id FROM radscheduler.conflict c
                   WHERE c.site_id = p_site AND c.appointment_id = ANY (v_ids) AND c.state <> 'resolved' AND c.code = ANY (radscheduler.hour_rules())) a(id) ON a.id = b.id;
    change_hours.ids := v_scope.ids;
    v_change := jsonb_strip_nulls((v_change - '{name,reason,resource,modality}'::text[])
        || jsonb_build_object('resource_id', v_resource, 'modality', v_scope.modality, 'reserved_ids', to_jsonb(v_scope.ids), 'opened', change_hours.opened, 'resolved', change_hours.resolved));
    PERFORM radscheduler.audit(p_site, 'hours.changed', 'site', p_site, v_change);
    INSERT INTO radscheduler.event_log (site_id, type, data) VALUES (p_site, 'hours.changed', v_change);
END
$$;
COMMENT ON FUNCTION radscheduler.change_hours(integer, jsonb) IS
    'Makes one change to hours and settles who is booked: returns the reserved hours that were made or ended, and how many conflicts with hours opened and resolved. Tells hours.changed. One resource is locked as a subject; what concerns more makes writers of appointments wait until it has committed. Raises as write_hours() does.';

CREATE FUNCTION radscheduler.set_holiday(day date, name text DEFAULT NULL, opens time[] DEFAULT '{}', closes time[] DEFAULT '{}', OUT opened integer, OUT resolved integer) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
#variable_conflict use_variable
BEGIN
    SELECT c.opened, c.resolved INTO opened, resolved
        FROM radscheduler.change_hours(radscheduler.current_site(), jsonb_build_object('change', 'set_holiday', 'day', day, 'name', name, 'opens', to_jsonb(opens), 'closes', to_jsonb(closes))) c;
END
$$;
COMMENT ON FUNCTION radscheduler.set_holiday(date, text, time[], time[]) IS
    'Gives a day of the session''s site other hours, for all resources that have no exception that day: none, or those from each of opens until the one of closes beside it. Flags and heals who is booked; returns how many conflicts opened and resolved.';

CREATE FUNCTION radscheduler.remove_holiday(day date, OUT opened integer, OUT resolved integer) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
#variable_conflict use_variable
BEGIN
    SELECT c.opened, c.resolved INTO opened, resolved FROM radscheduler.change_hours(radscheduler.current_site(), jsonb_build_object('change', 'remove_holiday', 'day', day)) c;
END
$$;
COMMENT ON FUNCTION radscheduler.remove_holiday(date) IS 'Makes a holiday of the session''s site a day like others; returns how many conflicts opened and resolved. Raises P0002 where that day is none.';

CREATE FUNCTION radscheduler.set_exception(resource text, day date, name text DEFAULT NULL, opens time[] DEFAULT '{}', closes time[] DEFAULT '{}', OUT opened integer, OUT resolved integer) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
#variable_conflict use_variable
BEGIN
    SELECT c.opened, c.resolved INTO opened, resolved
        FROM radscheduler.change_hours(radscheduler.current_site(), jsonb_build_object('change', 'set_exception', 'resource', resource, 'day', day, 'name', name, 'opens', to_jsonb(opens), 'closes', to_jsonb(closes))) c;
END
$$;
COMMENT ON FUNCTION radscheduler.set_exception(text, date, text, time[], time[]) IS
    'Gives a resource, by any of its names, other hours on a day, whatever holiday it is: none, or those from each of opens until the one of closes beside it. Staff who have no hours of their own are away then, or there at these times only. Flags and heals who is booked; returns how many conflicts opened and resolved.';

CREATE FUNCTION radscheduler.remove_exception(resource text, day date, OUT opened integer, OUT resolved integer) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
#variable_conflict use_variable
BEGIN
    SELECT c.opened, c.resolved INTO opened, resolved FROM radscheduler.change_hours(radscheduler.current_site(), jsonb_build_object('change', 'remove_exception', 'resource', resource, 'day', day)) c;
END
$$;
COMMENT ON FUNCTION radscheduler.remove_exception(text, date) IS 'Takes back an exception of a resource; returns how many conflicts opened and resolved. Raises P0002 where it has none that day.';

CREATE FUNCTION radscheduler.set_hours(weekdays integer[], opens time[], closes time[], resource text DEFAULT NULL, valid_from date DEFAULT NULL, valid_until date DEFAULT NULL, OUT opened integer, OUT resolved integer) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
#variable_conflict use_variable
BEGIN
    SELECT c.opened, c.resolved INTO opened, resolved
        FROM radscheduler.change_hours(radscheduler.current_site(), jsonb_build_object('change', 'set_hours', 'weekdays', to_jsonb(weekdays), 'opens', to_jsonb(opens), 'closes', to_jsonb(closes),
                                       'resource', resource, 'valid_from', valid_from, 'valid_until', valid_until)) c;
END
$$;
COMMENT ON FUNCTION radscheduler.set_hours(integer[], time[], time[], text, date, date) IS
    'Gives weekdays (1 Monday to 7 Sunday) of the session''s site, or of one resource, other opening hours in wall time, from a day until a last day where these are given; before and after it stays as it is. Empty lists mean closed. A scanner or room that had no hours of its own keeps the site''s at all other times, as its own. Flags and heals who is booked; returns how many conflicts opened and resolved.';

CREATE FUNCTION radscheduler.reserve_hours(weekdays integer[], opens time, closes time, kind text DEFAULT 'urgent', resource text DEFAULT NULL, modality text DEFAULT NULL, procedures text[] DEFAULT NULL,
        urgencies text[] DEFAULT NULL, patient_classes text[] DEFAULT NULL, release_hours integer DEFAULT NULL, valid_from date DEFAULT NULL, valid_until date DEFAULT NULL, name text DEFAULT NULL,
        OUT reserved_ids bigint[], OUT opened integer, OUT resolved integer) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
#variable_conflict use_variable
BEGIN
    SELECT c.ids, c.opened, c.resolved INTO reserved_ids, opened, resolved
        FROM radscheduler.change_hours(radscheduler.current_site(), jsonb_build_object('change', 'reserve_hours', 'weekdays', to_jsonb(weekdays), 'opens', opens, 'closes', closes, 'kind', kind,
            'resource', resource, 'modality', modality, 'procedures', to_jsonb(procedures), 'urgencies', to_jsonb(urgencies), 'patient_classes', to_jsonb(patient_classes),
            'release_hours', release_hours, 'valid_from', valid_from, 'valid_until', valid_until, 'name', name)) c;
END
$$;
COMMENT ON FUNCTION radscheduler.reserve_hours(integer[], time, time, text, text, text, text[], text[], text[], integer, date, date, text) IS
    'Keeps hours of weekdays on one resource, or on all scanners and rooms of a modality. kind urgent: for some urgencies and patient classes (urgent, stat and class E where none are given); exams: for procedures, codes or patterns of LIKE; block, maintenance, downtime: for nobody, again and again. release_hours before it begins it is everybody''s. Others booked then are flagged (RESERVED, WRONG_EXAM_BLOCK, RESOURCE_BLOCKED, MAINTENANCE). Returns the rows it made, and how many conflicts opened and resolved.';

CREATE FUNCTION radscheduler.unreserve_hours(reserved_id bigint, from_day date DEFAULT NULL, OUT opened integer, OUT resolved integer) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
#variable_conflict use_variable
BEGIN
    SELECT c.opened, c.resolved INTO opened, resolved FROM radscheduler.change_hours(radscheduler.current_site(), jsonb_build_object('change', 'unreserve_hours', 'reserved_id', reserved_id, 'from_day', from_day)) c;
END
$$;
COMMENT ON FUNCTION radscheduler.unreserve_hours(bigint, date) IS 'Ends reserved hours of the session''s site, whole or from a day on; conflicts that they made resolve. Returns how many conflicts opened and resolved. Raises P0002 where there are none of this number.';
