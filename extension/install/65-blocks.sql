-- Blocks: S23 takes time of resources out of use, S24 gives it back. A block is known by its sender's identifier (sender_block), its times are rows of
-- resource_block like those made here. Ordered by MSH-7 and MSH-13 as appointments are. Appointments that stand in blocked time are flagged by
-- the rules RESOURCE_BLOCKED and MAINTENANCE (54-rules.sql), and healed when it is given back.

INSERT INTO radscheduler.warning_kind VALUES
    ('APPOINTMENTS_BLOCKED', 'Appointments stand in the blocked time; each of them is flagged.'),
    ('BLOCK_UNKNOWN', 'Time is given back of a block that is not known here; nothing was changed, and an older message about it will not be applied.');

CREATE FUNCTION radscheduler.block_kind(p_reading jsonb) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_words text := upper(concat_ws(' ', p_reading #>> '{schedule,event_reason,code}', p_reading #>> '{schedule,event_reason,text}',
        p_reading #>> '{schedule,reason,code}', p_reading #>> '{schedule,reason,text}', p_reading #>> '{schedule,type,code}', p_reading #>> '{schedule,type,text}',
        (SELECT string_agg(concat_ws(' ', r ->> 'type_code', r ->> 'type_text'), ' ') FROM jsonb_array_elements(p_reading -> 'resources') r)));
BEGIN
    RETURN CASE
        WHEN v_words ~ '\m(MAINT|MAINTENANCE|PM|QA|QC|QUALITY (CONTROL|ASSURANCE)|CALIBRATION|PHANTOM|COLD ?HEAD|HELIUM|UPGRADE|SERVICING|ENGINEER)\M' THEN 'maintenance'
        WHEN v_words ~ '\m(DOWN|DOWNTIME|OUTAGE|BREAKDOWN|BROKEN|DEFECT|DEFECTIVE|FAILURE|REPAIR|OUT OF (ORDER|SERVICE|USE))\M' THEN 'downtime'
        ELSE 'block' END;
END
$$;
COMMENT ON FUNCTION radscheduler.block_kind(jsonb) IS
    'What a block is by the words of its reasons (SCH-6, SCH-7), type (SCH-8) and resource types (AIG-4): maintenance (QA, calibration, cold head), downtime, else block. Notes are not asked: they also say what a block is not for.';

CREATE FUNCTION radscheduler.block_fault(p_item radscheduler.ingest_item) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_schedule CONSTANT jsonb := p_item.reading -> 'schedule';
BEGIN
    RETURN CASE
        WHEN p_item.filler_id IS NULL AND p_item.placer_id IS NULL THEN
            '{"code": "101", "path": "SCH-2", "text": "A block needs an identifier by which it is lifted again. Send one in SCH-2 or SCH-1."}'::jsonb
        WHEN p_item.trigger_event = 'S24' THEN NULL
        WHEN NOT EXISTS (SELECT FROM jsonb_array_elements(p_item.reading -> 'resources') r, LATERAL radscheduler.resource_name_of(r) n
                         WHERE n.code IS NOT NULL AND NOT radscheduler.is_referrer(n.role)) THEN
            '{"code": "101", "path": "AIG-3", "text": "A block needs the resource that is blocked. Send it in AIG-3, AIL-3 or AIP-3."}'
        WHEN radscheduler.to_instant(c_schedule ->> 'starts_at', p_item.context ->> 'zone') IS NULL THEN
            '{"code": "101", "path": "SCH-11.4", "text": "A block needs the date and time at which it begins. Send them in TQ1-7, SCH-11.4 or the segment of the resource."}'
        WHEN (SELECT s.ends_at IS NULL FROM radscheduler.schedule_span(c_schedule, p_item.context ->> 'zone') s) THEN
            '{"code": "101", "path": "SCH-11.5", "text": "A block needs an end or a duration. Send SCH-11.5, SCH-9 or TQ1-8."}' END;
END
$$;
COMMENT ON FUNCTION radscheduler.block_fault(radscheduler.ingest_item) IS 'What a message lacks to block time, {code, path, text}; NULL when nothing. S24 needs an identifier only.';

CREATE FUNCTION radscheduler.block_times(p_item radscheduler.ingest_item, p_starts timestamptz, p_ends timestamptz, OUT resource_id bigint, OUT during tstzmultirange) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT p_item.resource_ids[e.place], range_agg(radscheduler.part_span(e.item, p_item.reading #>> '{schedule,starts_at}', p_item.context ->> 'zone', p_starts, p_ends))
    FROM jsonb_array_elements(p_item.reading -> 'resources') WITH ORDINALITY e(item, place)
    WHERE p_item.resource_ids[e.place] IS NOT NULL
    GROUP BY 1;
END
$$;
COMMENT ON FUNCTION radscheduler.block_times(radscheduler.ingest_item, timestamptz, timestamptz) IS
    'The resources that a message blocks or opens, once they are resolved, and when: each at its own time (AIx), else from p_starts to p_ends.';

CREATE FUNCTION radscheduler.put_block(p_site integer, p_block bigint, p_wanted jsonb, p_kind text, p_reason text, p_message bigint,
                                       OUT resources bigint[], OUT during tstzrange) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_gone jsonb;
    v_made jsonb;
BEGIN
    WITH wanted AS (
        SELECT w.r, tstzrange(w.starts, w.ends) AS during FROM jsonb_to_recordset(p_wanted) w(r bigint, starts timestamptz, ends timestamptz)
    ), gone AS (
        DELETE FROM radscheduler.resource_block b
        WHERE b.site_id = p_site AND b.sender_block_id = p_block
          AND NOT EXISTS (SELECT FROM wanted w WHERE w.r = b.resource_id AND w.during = b.during
                          AND (p_kind IS NULL OR b.kind = p_kind AND b.reason IS NOT DISTINCT FROM p_reason))
        RETURNING b.block_id, b.resource_id, b.during, b.kind, b.reason
    ), made AS (
        -- What is left of a time that was cut keeps its kind and reason.
        INSERT INTO radscheduler.resource_block AS b (site_id, resource_id, during, kind, reason, sender_block_id)
        SELECT p_site, w.r, w.during, coalesce(p_kind, g.kind), CASE WHEN p_kind IS NULL THEN g.reason ELSE p_reason END, p_block
        FROM wanted w LEFT JOIN gone g ON p_kind IS NULL AND g.resource_id = w.r AND g.during && w.during
        WHERE NOT EXISTS (SELECT FROM radscheduler.resource_block k WHERE k.site_id = p_site AND k.sender_block_id = p_block AND k.resource_id = w.r AND k.during = w.during
                          AND NOT EXISTS (SELECT FROM gone x WHERE x.block_id = k.block_id))
        RETURNING b.resource_id, b.during, b.kind
    )
    SELECT (SELECT jsonb_agg(jsonb_build_object('r', g.resource_id, 'during', g.during)) FROM gone g),
           (SELECT jsonb_agg(jsonb_build_object('r', m.resource_id, 'during', m.during, 'kind', m.kind)) FROM made m)
        INTO v_gone, v_made;
    IF v_gone IS NULL AND v_made IS NULL THEN
        RETURN;
    END IF;
    INSERT INTO radscheduler.event_log (site_id, type, message_id, data)
    SELECT p_site, t.type, p_message, jsonb_strip_nulls(jsonb_build_object('resource_id', c.r, 'kind', CASE WHEN t.type = 'resource.blocked' THEN c.kind END,
               'from', lower(t.part), 'until', upper(t.part)))
    FROM (SELECT x.r, max(x.kind) AS kind, coalesce(range_agg(x.during) FILTER (WHERE x.is_made), '{}') AS made, coalesce(range_agg(x.during) FILTER (WHERE NOT x.is_made), '{}') AS gone
          FROM (SELECT m.r, m.during, m.kind, true AS is_made FROM jsonb_to_recordset(v_made) m(r bigint, during tstzrange, kind text)
                UNION ALL
                SELECT g.r, g.during, NULL, false FROM jsonb_to_recordset(v_gone) g(r bigint, during tstzrange)) x
          GROUP BY x.r) c,
         LATERAL (SELECT 'resource.unblocked' AS type, unnest(c.gone - c.made) AS part UNION ALL SELECT 'resource.blocked', unnest(c.made - c.gone)) t
    ORDER BY c.r, t.type DESC, t.part;
    PERFORM radscheduler.audit(p_site, 'block.changed', 'sender_block', p_block,
        jsonb_build_object('message_id', p_message, 'made', coalesce(jsonb_array_length(v_made), 0), 'removed', coalesce(jsonb_array_length(v_gone), 0)));
    SELECT array_agg(DISTINCT b.r), range_merge(range_agg(b.during)) INTO resources, put_block.during
        FROM jsonb_to_recordset(coalesce(v_gone, '[]') || coalesce(v_made, '[]')) b(r bigint, during tstzrange);
END
$$;
COMMENT ON FUNCTION radscheduler.put_block(integer, bigint, jsonb, text, text, bigint) IS
    'Makes the times of a sender''s block what p_wanted says, [{r: resource, starts, ends}], with kind and reason (kind NULL: what is left keeps its own); tells what was blocked and opened in event_log and the audit log. Times that stay are not touched. Returns the resources whose times came or went, and from when to when; NULL when nothing changed. The caller holds the locks of the resources.';

CREATE FUNCTION radscheduler.apply_block(p_context jsonb, p_reading jsonb, p_message bigint, p_at timestamptz,
        OUT outcome text, OUT code text, OUT error jsonb, OUT appointment_id bigint, OUT warnings jsonb) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_item     radscheduler.ingest_item := radscheduler.item_of(p_context, p_reading, p_message, p_at);
    c_site     CONSTANT integer := v_item.site_id;
    c_opens    CONSTANT boolean := v_item.trigger_event = 'S24';
    v_block    radscheduler.sender_block;
    v_span     record;
    v_names    boolean;
    v_wanted   jsonb;
    v_changed  record;
BEGIN
    outcome := 'applied';
    code := 'AA';
    warnings := '[]';
    error := radscheduler.block_fault(v_item);
    IF error IS NOT NULL THEN
        outcome := 'error';
        code := 'AE';
        RETURN;
    END IF;

    -- Which block, and is this the newest that was said about it?
    SELECT b.* INTO v_block FROM radscheduler.sender_block b
        WHERE b.site_id = c_site AND b.sender_id = v_item.sender_id
          AND (b.filler_id = v_item.filler_id OR b.placer_id = v_item.placer_id AND (v_item.filler_id IS NULL OR b.filler_id IS NULL))
        ORDER BY b.filler_id = v_item.filler_id DESC NULLS LAST, b.sender_block_id LIMIT 1 FOR UPDATE;
    IF (p_at, coalesce(v_item.sequence, 0)) < (v_block.message_time, coalesce(v_block.message_sequence, 0)) THEN
        outcome := 'stale';
        warnings := warnings || radscheduler.warning('STALE', 'MSH-7');
        RETURN;
    END IF;
    IF v_block.sender_block_id IS NULL THEN
        INSERT INTO radscheduler.sender_block AS b (site_id, sender_id, filler_id, placer_id, message_time, message_sequence, message_id)
            VALUES (c_site, v_item.sender_id, v_item.filler_id, v_item.placer_id, p_at, v_item.sequence, p_message)
            RETURNING b.* INTO v_block;
        IF c_opens THEN
            outcome := 'ignored';
            warnings := warnings || radscheduler.warning('BLOCK_UNKNOWN', 'SCH-2');
            RETURN;
        END IF;
    ELSE
        UPDATE radscheduler.sender_block b
            SET filler_id = coalesce(v_item.filler_id, b.filler_id), placer_id = coalesce(v_item.placer_id, b.placer_id),
                message_time = p_at, message_sequence = v_item.sequence, message_id = p_message
            WHERE b.site_id = c_site AND b.sender_block_id = v_block.sender_block_id;
    END IF;

    -- Of which resources: a block records unknown ones, an opening cannot concern them.
    IF c_opens THEN
        SELECT f.resource_ids INTO v_item.resource_ids FROM radscheduler.find_resources(c_site, p_reading -> 'resources') f;
    ELSE
        SELECT f.resource_ids, f.warnings INTO v_item.resource_ids, warnings FROM radscheduler.resolve_resources(v_item) f;
    END IF;
    PERFORM radscheduler.lock_subjects(c_site, v_item.resource_ids || ARRAY(
        SELECT b.resource_id FROM radscheduler.resource_block b WHERE b.site_id = c_site AND b.sender_block_id = v_block.sender_block_id), NULL);

    -- The times it has now and those it shall have, as put_block() takes them.
    SELECT * INTO v_span FROM radscheduler.schedule_span(p_reading -> 'schedule', p_context ->> 'zone');
    IF c_opens THEN
        -- Time that has passed was blocked and remains so. Without resources all of them are meant, without times all that is to come.
        v_names := EXISTS (SELECT FROM jsonb_array_elements(p_reading -> 'resources') r, LATERAL radscheduler.resource_name_of(r) n WHERE n.code IS NOT NULL);
        WITH opened AS (
            SELECT t.resource_id, t.during FROM radscheduler.block_times(v_item, coalesce(v_span.starts_at, p_at), coalesce(v_span.ends_at, 'infinity')) t
        )
        SELECT jsonb_agg(jsonb_build_object('r', b.resource_id, 'starts', lower(x.part), 'ends', upper(x.part)) ORDER BY b.resource_id, x.part) INTO v_wanted
            FROM radscheduler.resource_block b
            LEFT JOIN opened o ON o.resource_id = b.resource_id,
            LATERAL unnest(tstzmultirange(b.during) - tstzmultirange(tstzrange(p_at, NULL))
                           * CASE WHEN v_names THEN coalesce(o.during, '{}') ELSE tstzmultirange(tstzrange(v_span.starts_at, v_span.ends_at)) END) x(part)
            WHERE b.site_id = c_site AND b.sender_block_id = v_block.sender_block_id;
    ELSE
        IF v_span.doubt IS NOT NULL THEN
            warnings := warnings || radscheduler.warning(v_span.doubt, 'SCH-11.4');
        END IF;
        SELECT jsonb_agg(jsonb_build_object('r', t.resource_id, 'starts', lower(x.part), 'ends', upper(x.part)) ORDER BY t.resource_id, x.part) INTO v_wanted
            FROM radscheduler.block_times(v_item, v_span.starts_at, v_span.ends_at) t, LATERAL unnest(t.during) x(part);
    END IF;
    v_changed := radscheduler.put_block(c_site, v_block.sender_block_id, coalesce(v_wanted, '[]'), CASE WHEN NOT c_opens THEN radscheduler.block_kind(p_reading) END,
        coalesce(p_reading #>> '{schedule,reason,text}', p_reading #>> '{schedule,event_reason,text}', p_reading #>> '{schedule,reason,code}',
                 p_reading #>> '{schedule,event_reason,code}', p_reading #>> '{schedule,type,text}', p_reading #>> '{schedule,notes}'), p_message);

    -- Whoever stands there now, or stood there until now.
    IF v_changed.during IS NOT NULL THEN
        PERFORM radscheduler.settle_block(c_site, v_changed.resources, v_changed.during, p_message);
        IF NOT c_opens AND EXISTS (SELECT FROM radscheduler.conflict c WHERE c.site_id = c_site AND c.state <> 'resolved' AND c.code IN ('RESOURCE_BLOCKED', 'MAINTENANCE')
                                   AND c.axis = 'resource' AND c.subject_id = ANY (v_item.resource_ids) AND c.overlap && v_changed.during) THEN
            outcome := 'flagged';
            warnings := warnings || radscheduler.warning('APPOINTMENTS_BLOCKED', 'SCH-11');
        END IF;
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.apply_block(jsonb, jsonb, bigint, timestamptz) IS
    'Applies an S23 or S24: blocks the resources it names, replacing what the same block held before, or gives their time back, what has not passed of it. Context and reading as apply_reading() takes them; p_at orders it against other messages of the same block. outcome is flagged when appointments stand in the blocked time. Call it under lock_keys() on the block''s identifiers.';
