-- The exams and resources of an appointment. A message either shows them as they are now (snapshot: the types of segment it carries replace
-- what was stored of that type), or says what to do with single ones (action codes, HL7 table 0206; events S18 to S22).

CREATE FUNCTION radscheduler.part_mode(p_item radscheduler.ingest_item) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_mode text := p_item.context #>> '{profile,update_mode}';
BEGIN
    IF p_item.trigger_event IN ('S18', 'S19', 'S20', 'S21', 'S22') OR v_mode = 'action' THEN
        RETURN 'action';
    ELSIF v_mode = 'full' THEN
        RETURN 'full';
    END IF;
    -- A alone is what many send in everything; D, or a mixture, is meant.
    RETURN (SELECT CASE WHEN bool_or(q.action = 'D') OR count(DISTINCT q.action) > 1 THEN 'action' ELSE 'by_type' END
        FROM (SELECT upper(e ->> 'action') FROM jsonb_array_elements((p_item.reading -> 'services') || (p_item.reading -> 'resources')) e) q(action)
        WHERE q.action IN ('A', 'D', 'U', 'X'));
END
$$;
COMMENT ON FUNCTION radscheduler.part_mode(radscheduler.ingest_item) IS
    'How a message tells exams and resources: by_type (snapshot of the types of segment it carries), full (snapshot of everything) or action (add, update, delete by AIx-2). By profile key update_mode; S18 to S22, a delete or a mixture of codes is always action.';

CREATE FUNCTION radscheduler.clear_parts(p_items radscheduler.ingest_item[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    DELETE FROM radscheduler.appointment_service s USING unnest(p_items) i
        WHERE s.site_id = i.site_id AND s.appointment_id = i.appointment_id
          AND (i.reading -> 'services' <> '[]' OR i.context #>> '{profile,update_mode}' = 'full');
    DELETE FROM radscheduler.appointment_resource r USING unnest(p_items) i
        WHERE r.site_id = i.site_id AND r.appointment_id = i.appointment_id
          AND (i.reading -> 'resources' @> jsonb_build_array(jsonb_build_object('segment', r.segment)) OR i.context #>> '{profile,update_mode}' = 'full');
END
$$;
COMMENT ON FUNCTION radscheduler.clear_parts(radscheduler.ingest_item[]) IS 'Removes the exams and resources of known appointments that snapshots replace.';

CREATE FUNCTION radscheduler.part_status(p_item jsonb) RETURNS radscheduler.appointment_status
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_status radscheduler.appointment_status := radscheduler.status_of(jsonb_build_array(p_item -> 'status'));
BEGIN
    RETURN CASE WHEN v_status IN ('CANCELLED', 'DISCONTINUED', 'NO_SHOW', 'DELETED') THEN v_status END;
END
$$;
COMMENT ON FUNCTION radscheduler.part_status(jsonb) IS 'The status that takes one exam or resource of a reading out of its appointment (AIS-10, AIG-14, AIL-12, AIP-12); NULL for any other.';

CREATE FUNCTION radscheduler.write_parts(p_items radscheduler.ingest_item[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_item      radscheduler.ingest_item;
    v_part      jsonb;
    v_span      tstzrange;
    v_starts    timestamptz;
    v_ends      timestamptz;
    v_is_over   boolean;
    v_position  smallint;
    v_service   radscheduler.appointment_service;
    v_resource  radscheduler.appointment_resource;
    v_services  radscheduler.appointment_service[];
    v_resources radscheduler.appointment_resource[];
BEGIN
    FOREACH v_item IN ARRAY p_items LOOP
        SELECT a.starts_at, a.ends_at, radscheduler.is_closed(a.status) INTO v_starts, v_ends, v_is_over FROM radscheduler.appointment a WHERE a.site_id = v_item.site_id AND a.appointment_id = v_item.appointment_id;
        FOR n IN 0 .. coalesce(jsonb_array_length(v_item.reading -> 'services'), 0) - 1 LOOP
            v_part := v_item.reading -> 'services' -> n;
            CONTINUE WHEN upper(v_part ->> 'action') = 'D';
            v_span := radscheduler.part_span(v_part, v_item.reading #>> '{schedule,starts_at}', v_item.context ->> 'zone', v_starts, v_ends);
            v_service.site_id := v_item.site_id;
            v_service.appointment_id := v_item.appointment_id;
            v_service.position := n + 1;
            v_service.group_no := coalesce((v_part ->> 'group')::smallint, 1);
            v_service.set_id := v_part ->> 'set_id';
            v_service.code := coalesce(v_part ->> 'code', v_part ->> 'alt_code');
            v_service.name := coalesce(v_part ->> 'text', v_part ->> 'alt_text');
            v_service.status := CASE WHEN v_part ? 'is_out' AND NOT v_is_over THEN radscheduler.part_status(v_part) END;
            v_service.starts_at := lower(v_span);
            v_service.ends_at := upper(v_span);
            v_services := v_services || v_service;
        END LOOP;
        -- Of a known appointment resources of other types of segment may still be there.
        SELECT coalesce(max(r.position), 0) INTO v_position FROM radscheduler.appointment_resource r WHERE r.site_id = v_item.site_id AND r.appointment_id = v_item.appointment_id;
        FOR n IN 0 .. coalesce(cardinality(v_item.resource_ids), 0) - 1 LOOP
            CONTINUE WHEN v_item.resource_ids[n + 1] IS NULL;
            v_part := v_item.reading -> 'resources' -> n;
            CONTINUE WHEN upper(v_part ->> 'action') = 'D';
            v_span := radscheduler.part_span(v_part, v_item.reading #>> '{schedule,starts_at}', v_item.context ->> 'zone', v_starts, v_ends);
            v_position := v_position + 1;
            v_resource.site_id := v_item.site_id;
            v_resource.appointment_id := v_item.appointment_id;
            v_resource.position := v_position;
            v_resource.segment := v_part ->> 'segment';
            v_resource.group_no := coalesce((v_part ->> 'group')::smallint, 1);
            v_resource.set_id := v_part ->> 'set_id';
            v_resource.resource_id := v_item.resource_ids[n + 1];
            v_resource.role := upper(coalesce(v_part ->> 'role', v_part ->> 'type_code'));
            v_resource.status := CASE WHEN v_part ? 'is_out' AND NOT v_is_over THEN radscheduler.part_status(v_part) END;
            v_resource.starts_at := lower(v_span);
            v_resource.ends_at := upper(v_span);
            v_resources := v_resources || v_resource;
        END LOOP;
    END LOOP;
    IF v_services IS NOT NULL THEN
        INSERT INTO radscheduler.appointment_service SELECT * FROM unnest(v_services);
    END IF;
    IF v_resources IS NOT NULL THEN
        INSERT INTO radscheduler.appointment_resource SELECT * FROM unnest(v_resources);
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.write_parts(radscheduler.ingest_item[]) IS
    'Writes one row per AIS, AIG, AIL and AIP of readings whose resources were resolved, timed by part_span(); none for what is deleted (action code D). Appointments have their rows and times already.';

CREATE FUNCTION radscheduler.act_on_parts(p_item radscheduler.ingest_item) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_site   CONSTANT integer := p_item.site_id;
    c_id     CONSTANT bigint := p_item.appointment_id;
    c_closed CONSTANT radscheduler.appointment_status := CASE p_item.trigger_event WHEN 'S20' THEN 'CANCELLED' WHEN 'S21' THEN 'DISCONTINUED' WHEN 'S22' THEN 'DELETED' END;
    v_part   record;
    v_row    smallint;
    v_when   record;
BEGIN
    SELECT a.starts_at, a.ends_at INTO v_when FROM radscheduler.appointment a WHERE a.site_id = c_site AND a.appointment_id = c_id;
    FOR v_part IN
        SELECT e.item, e.place, coalesce((e.item ->> 'group')::smallint, 1) AS group_no, upper(coalesce(e.item ->> 'action', '')) AS action,
               radscheduler.part_span(e.item, p_item.reading #>> '{schedule,starts_at}', p_item.context ->> 'zone', v_when.starts_at, v_when.ends_at) AS span
        FROM jsonb_array_elements(p_item.reading -> 'services') WITH ORDINALITY e(item, place) ORDER BY e.place
    LOOP
        CONTINUE WHEN v_part.action = 'X';
        SELECT s.position INTO v_row FROM radscheduler.appointment_service s
            WHERE s.site_id = c_site AND s.appointment_id = c_id
              AND (s.code = v_part.item ->> 'code' OR NOT v_part.item ? 'code' AND s.group_no = v_part.group_no AND s.set_id = v_part.item ->> 'set_id')
            ORDER BY s.status IS NOT NULL, s.group_no = v_part.group_no DESC, s.position LIMIT 1;
        IF v_part.action = 'D' AND c_closed IS NULL THEN
            DELETE FROM radscheduler.appointment_service s WHERE s.site_id = c_site AND s.appointment_id = c_id AND s.position = v_row;
        ELSIF v_row IS NOT NULL THEN
            UPDATE radscheduler.appointment_service s
                SET status = c_closed, name = coalesce(v_part.item ->> 'text', s.name),
                    starts_at = CASE WHEN c_closed IS NULL THEN lower(v_part.span) ELSE s.starts_at END, ends_at = CASE WHEN c_closed IS NULL THEN upper(v_part.span) ELSE s.ends_at END
                WHERE s.site_id = c_site AND s.appointment_id = c_id AND s.position = v_row;
        ELSIF c_closed IS NULL THEN
            INSERT INTO radscheduler.appointment_service (site_id, appointment_id, position, group_no, set_id, code, name, starts_at, ends_at)
                SELECT c_site, c_id, coalesce(max(s.position), 0) + 1, v_part.group_no, v_part.item ->> 'set_id', v_part.item ->> 'code', v_part.item ->> 'text', lower(v_part.span), upper(v_part.span)
                FROM radscheduler.appointment_service s WHERE s.site_id = c_site AND s.appointment_id = c_id;
        END IF;
    END LOOP;
    FOR v_part IN
        SELECT e.item, p_item.resource_ids[e.place] AS resource_id, coalesce((e.item ->> 'group')::smallint, 1) AS group_no, upper(coalesce(e.item ->> 'action', '')) AS action,
               radscheduler.part_span(e.item, p_item.reading #>> '{schedule,starts_at}', p_item.context ->> 'zone', v_when.starts_at, v_when.ends_at) AS span
        FROM jsonb_array_elements(p_item.reading -> 'resources') WITH ORDINALITY e(item, place) ORDER BY e.place
    LOOP
        CONTINUE WHEN v_part.action = 'X';
        SELECT r.position INTO v_row FROM radscheduler.appointment_resource r
            WHERE r.site_id = c_site AND r.appointment_id = c_id AND r.segment = v_part.item ->> 'segment'
              AND (r.resource_id = v_part.resource_id
                   OR v_part.resource_id IS NULL AND r.group_no = v_part.group_no AND r.set_id = v_part.item ->> 'set_id'
                   OR v_part.action = 'U' AND r.group_no = v_part.group_no AND r.set_id = v_part.item ->> 'set_id')
            ORDER BY r.resource_id = v_part.resource_id DESC NULLS LAST, r.status IS NOT NULL, r.position LIMIT 1;
        IF v_part.action = 'D' AND c_closed IS NULL THEN
            DELETE FROM radscheduler.appointment_resource r WHERE r.site_id = c_site AND r.appointment_id = c_id AND r.position = v_row;
        ELSIF v_row IS NOT NULL THEN
            UPDATE radscheduler.appointment_resource r
                SET status = c_closed, resource_id = CASE WHEN c_closed IS NULL THEN coalesce(v_part.resource_id, r.resource_id) ELSE r.resource_id END,
                    starts_at = CASE WHEN c_closed IS NULL THEN lower(v_part.span) ELSE r.starts_at END, ends_at = CASE WHEN c_closed IS NULL THEN upper(v_part.span) ELSE r.ends_at END
                WHERE r.site_id = c_site AND r.appointment_id = c_id AND r.position = v_row;
        ELSIF c_closed IS NULL AND v_part.resource_id IS NOT NULL THEN
            INSERT INTO radscheduler.appointment_resource (site_id, appointment_id, position, segment, group_no, set_id, resource_id, role, starts_at, ends_at)
                SELECT c_site, c_id, coalesce(max(r.position), 0) + 1, v_part.item ->> 'segment', v_part.group_no, v_part.item ->> 'set_id', v_part.resource_id,
                       upper(coalesce(v_part.item ->> 'role', v_part.item ->> 'type_code')), lower(v_part.span), upper(v_part.span)
                FROM radscheduler.appointment_resource r WHERE r.site_id = c_site AND r.appointment_id = c_id;
        END IF;
    END LOOP;
    UPDATE radscheduler.appointment a SET study_code = q.code, study_text = q.text
        FROM (SELECT (array_agg(s.code ORDER BY s.group_no, s.position))[1] AS code, string_agg(coalesce(s.name, s.code), ' + ' ORDER BY s.group_no, s.position) AS text
              FROM radscheduler.appointment_service s WHERE s.site_id = c_site AND s.appointment_id = c_id AND s.status IS NULL) q
        WHERE a.site_id = c_site AND a.appointment_id = c_id AND q.text IS NOT NULL AND p_item.reading -> 'services' <> '[]';
    IF (c_closed IS NOT NULL OR p_item.reading -> 'services' @> '[{"action": "D"}]')
       AND NOT EXISTS (SELECT FROM radscheduler.appointment_service s WHERE s.site_id = c_site AND s.appointment_id = c_id AND s.status IS NULL)
       AND EXISTS (SELECT FROM jsonb_array_elements(p_item.reading -> 'services')) THEN
        UPDATE radscheduler.appointment a SET status = 'PENDING_REVIEW', review_reason = 'NO_SERVICE_LEFT', resume_status = NULL
            WHERE a.site_id = c_site AND a.appointment_id = c_id AND a.status IN ('SCHEDULED', 'CONFIRMED', 'PENDING_REVIEW');
        RETURN radscheduler.warning('NO_SERVICE_LEFT', 'AIS');
    END IF;
    RETURN '[]';
END
$$;
COMMENT ON FUNCTION radscheduler.act_on_parts(radscheduler.ingest_item) IS
    'Applies action codes to the exams and resources of a known appointment: A and U and none add or change, D removes, X leaves; S20, S21, S22 mark them cancelled, discontinued, deleted. An exam is known by its code, a resource by its id, else both by set id within the group. An appointment whose last exam is taken out waits for a person. Returns warnings.';
