-- What a change to hours would do to who is booked, before it is made; and what happens by itself when kept hours become everybody's.

CREATE FUNCTION radscheduler.hours_conflicts(p_site integer, p_appointments bigint[]) RETURNS TABLE (appointment_id bigint, code text, severity radscheduler.severity, subject_id bigint)
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 10 SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    c_chunk CONSTANT integer := 200;
    v_some  bigint[];
BEGIN
    FOR k IN 0 .. (cardinality(p_appointments) - 1) / c_chunk LOOP
        v_some := p_appointments[k * c_chunk + 1 : (k + 1) * c_chunk];
        v_some := ARRAY(SELECT DISTINCT d FROM unnest(radscheduler.doubtful(p_site, v_some)) d WHERE d = ANY (v_some));
        RETURN QUERY SELECT DISTINCT ON (f.appointment_id, f.code) f.appointment_id, f.code, f.severity, f.subject_id FROM radscheduler.rule_conflicts(p_site, v_some) f
            WHERE f.code = ANY (radscheduler.hour_rules()) AND f.appointment_id = ANY (v_some) ORDER BY f.appointment_id, f.code, f.severity DESC, f.subject_id;
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.hours_conflicts(integer, bigint[]) IS 'The rules about hours that appointments break as rows stand now, the worst of each code, whatever the table conflict says.';

CREATE FUNCTION radscheduler.preview_hours(changes jsonb)
    RETURNS TABLE (effect text, appointment_id bigint, starts_at timestamptz, ends_at timestamptz, resource_code text, code text, severity radscheduler.severity, sentence text)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 10 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
#variable_conflict use_column
DECLARE
    v_site  integer := radscheduler.current_site();
    v_list  jsonb := CASE jsonb_typeof(changes) WHEN 'array' THEN changes ELSE jsonb_build_array(changes) END;
    v_one   jsonb;
    v_scope record;
    v_ids   bigint[] := '{}';
    v_after jsonb;
BEGIN
    BEGIN
        PERFORM radscheduler.lock_hours(v_site || ARRAY(SELECT s.site_id FROM radscheduler.site s WHERE s.site_id = ANY (radscheduler.visible_sites())
                    AND s.code IN (SELECT c #>> '{}' FROM jsonb_path_query(v_list, '$[*].document.sites[*].code') c)), true);
        FOR v_one IN SELECT e.value FROM jsonb_array_elements(v_list) WITH ORDINALITY e(value, n) ORDER BY e.n LOOP
            IF v_one ->> 'change' = 'configuration_import' THEN
                PERFORM radscheduler.configuration_import(v_one -> 'document', dry_run => false);
                v_ids := v_ids || radscheduler.hours_concern(v_site, NULL, NULL, '(,)', NULL);
                CONTINUE;
            END IF;
            SELECT * INTO v_scope FROM radscheduler.write_hours(v_site, radscheduler.check_hours_change(v_one));
            v_ids := v_ids || radscheduler.hours_concern(v_site, v_scope.resources, v_scope.modality, v_scope.days, v_scope.weekdays);
        END LOOP;
        v_ids := ARRAY(SELECT DISTINCT u FROM unnest(v_ids) u ORDER BY u);
        v_after := (SELECT coalesce(jsonb_agg(jsonb_build_object('id', f.appointment_id, 'code', f.code, 'severity', f.severity, 'subject', f.subject_id)), '[]')
                    FROM radscheduler.hours_conflicts(v_site, v_ids) f);
        RAISE EXCEPTION 'taken back' USING ERRCODE = 'RSDRY';
    EXCEPTION WHEN SQLSTATE 'RSDRY' THEN
        NULL;
    END;
    RETURN QUERY
    WITH before AS MATERIALIZED (
        SELECT f.appointment_id, f.code, f.severity, f.subject_id FROM radscheduler.hours_conflicts(v_site, v_ids) f
    ), after AS (
        SELECT (e ->> 'id')::bigint AS appointment_id, e ->> 'code' AS code, (e ->> 'severity')::radscheduler.severity AS severity, (e ->> 'subject')::bigint AS subject_id FROM jsonb_array_elements(v_after) e
    )
    SELECT CASE WHEN n.code IS NOT NULL AND (b.code IS NULL OR n.severity > b.severity) THEN 'strands' ELSE 'frees' END, a.appointment_id, a.starts_at, a.ends_at, r.code,
           coalesce(n.code, b.code), coalesce(n.severity, b.severity),
           radscheduler.conflict_sentence(v_site, coalesce(n.code, b.code), coalesce(n.subject_id, b.subject_id), 'resource', a.appointment_id)
    FROM before b
    FULL JOIN after n ON n.appointment_id = b.appointment_id AND n.code = b.code
    JOIN radscheduler.appointment a ON a.site_id = v_site AND a.appointment_id = coalesce(n.appointment_id, b.appointment_id)
    LEFT JOIN radscheduler.resource r ON r.site_id = v_site AND r.resource_id = coalesce(n.subject_id, b.subject_id)
    WHERE n.severity IS DISTINCT FROM b.severity
    ORDER BY 1 DESC, a.starts_at, a.appointment_id, 6;
END
$$;
COMMENT ON FUNCTION radscheduler.preview_hours(jsonb) IS
    'Which bookings a change to hours, or several in a list, would strand or free, without making it: {"change": "set_holiday", "day": "2031-12-25"}; change is set_holiday, remove_holiday, set_exception, remove_exception, set_hours, reserve_hours, unreserve_hours, block_resource or configuration_import (all of its document, at this site), the other keys are that function''s arguments. One row per appointment, coming ones only, and rule: effect strands (the conflict would be new or worse) or frees (gone or milder), the resource (NULL: the site), the sentence of the conflict. Nobody who books waits for it, and nothing is kept; previews and changes of one site wait for each other. Raises as the change itself would.';

CREATE FUNCTION radscheduler.release_reserved() RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_site integer;
    v_ids  bigint[];
BEGIN
    -- One site in each call, as reap_holds(). What time has released is flagged no more, and a scanner that was kept counts for its pool again.
    FOR v_site IN SELECT DISTINCT w.site_id FROM radscheduler.reserved_hours w WHERE w.release_hours IS NOT NULL ORDER BY 1 LOOP
        v_ids := ARRAY(
            SELECT c.appointment_id FROM radscheduler.conflict c
            JOIN radscheduler.appointment a ON a.site_id = c.site_id AND a.appointment_id = c.appointment_id
            LEFT JOIN radscheduler.resource r ON r.site_id = c.site_id AND r.resource_id = c.subject_id
            WHERE c.site_id = v_site AND c.state <> 'resolved' AND c.code IN ('RESERVED', 'WRONG_EXAM_BLOCK') AND upper(c.overlap) > now()
              AND NOT EXISTS (SELECT FROM radscheduler.reserved_times(v_site, r.resource_id, CASE WHEN c.subject_id = 0 THEN a.modality WHEN r.kind <> 'staff' THEN r.modality END,
                                                                      lower(c.overlap), upper(c.overlap), radscheduler.exam_of(v_site, c.appointment_id)) w WHERE w.code = c.code)
            UNION
            SELECT c.appointment_id FROM radscheduler.conflict c
            WHERE c.site_id = v_site AND c.state <> 'resolved' AND c.code = 'CAPACITY_EXCEEDED' AND upper(c.overlap) > now() AND (radscheduler.pool_excess(v_site, c.appointment_id)).excess IS NULL
            ORDER BY 1 LIMIT 200);
        IF v_ids <> '{}' THEN
            PERFORM radscheduler.lock_subjects(v_site, radscheduler.pool_scanners(v_site, NULL, v_ids) ||
                ARRAY(SELECT ar.resource_id FROM radscheduler.appointment_resource ar WHERE ar.site_id = v_site AND ar.appointment_id = ANY (v_ids)),
                ARRAY(SELECT a.patient_id FROM radscheduler.appointment a WHERE a.site_id = v_site AND a.appointment_id = ANY (v_ids)));
            PERFORM radscheduler.settle(v_site, '{}', v_ids, NULL);
            RETURN cardinality(v_ids);
        END IF;
    END LOOP;
    RETURN 0;
END
$$;
COMMENT ON FUNCTION radscheduler.release_reserved() IS
    'Heals appointments that were flagged because of hours kept for others, and that are everybody''s by now; of one site, 200 at most. maintain() calls it. Takes the locks of their subjects, so call it once in a transaction and before any others.';
