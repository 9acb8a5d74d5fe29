-- What messages about blocks, patients and orders lock besides what they name (42-locks.sql): a merge concerns every identifier of both patients and
-- all appointments of the one given up, an arrival the appointment of the visit. Names are read before they are locked, so the handlers ask
-- again afterwards; what has come up meanwhile is taken without waiting, which cannot make a ring, or the message begins anew.

CREATE FUNCTION radscheduler.lock_keys_at_once(names text[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_secret text := radscheduler.lock_secret();
    v_key    integer;
BEGIN
    FOR v_key IN SELECT DISTINCT radscheduler.lock_key(n, v_secret) FROM unnest(names) n WHERE n IS NOT NULL ORDER BY 1 LOOP
        IF NOT pg_try_advisory_xact_lock(7421001, v_key) THEN
            RAISE EXCEPTION 'the records changed while the message waited for them' USING ERRCODE = 'RS004', HINT = 'Send the message again.';
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.lock_keys_at_once(text[]) IS
    'Names that came up after phase one: takes their locks without waiting. Raises RS004 where somebody else has one; ingest_one() then begins anew.';

CREATE FUNCTION radscheduler.item_of(p_context jsonb, p_reading jsonb, p_message bigint, p_at timestamptz) RETURNS radscheduler.ingest_item
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    r radscheduler.ingest_item;
BEGIN
    r.ordinal := 1;
    r.context := p_context;
    r.site_id := (p_context ->> 'site_id')::integer;
    r.sender_id := (p_context ->> 'sender_id')::bigint;
    r.message_id := p_message;
    r.reading := p_reading;
    r.trigger_event := p_context ->> 'trigger_event';
    r.at := p_at;
    r.sequence := (p_context ->> 'sequence')::bigint;
    r.filler_id := radscheduler.appointment_key(p_reading -> 'schedule', 'filler');
    r.placer_id := radscheduler.appointment_key(p_reading -> 'schedule', 'placer');
    r.warnings := '[]';
    RETURN r;
END
$$;
COMMENT ON FUNCTION radscheduler.item_of(jsonb, jsonb, bigint, timestamptz) IS 'A reading (siu_parse shape) in its context (message_context()) as an item of ingestion, with the order key p_at.';

CREATE FUNCTION radscheduler.order_names(p_site integer, p_patients bigint[], p_orders bigint[]) RETURNS text[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN ARRAY(SELECT format('order/%s/%s/%s', o.sender_id, n.kind, n.number)
                 FROM (SELECT x.* FROM radscheduler.imaging_order x WHERE x.site_id = p_site AND x.patient_id = ANY (p_patients)
                       UNION
                       SELECT x.* FROM radscheduler.imaging_order x WHERE x.site_id = p_site AND x.order_id = ANY (p_orders)) o,
                      LATERAL (VALUES ('P', o.placer_id), ('F', o.filler_id)) n(kind, number) WHERE n.number IS NOT NULL);
END
$$;
COMMENT ON FUNCTION radscheduler.order_names(integer, bigint[], bigint[]) IS 'Names for lock_keys() of the orders of these patients and of these orders, as other_lock_names() gives them for a message.';

CREATE FUNCTION radscheduler.other_lock_names(p_item radscheduler.ingest_item) RETURNS text[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN CASE p_item.action
        WHEN 'request' THEN radscheduler.appointment_lock_names(p_item.site_id, radscheduler.requested_appointment(p_item))
        WHEN 'patient' THEN
            CASE WHEN p_item.reading ? 'merges' THEN radscheduler.merge_lock_names(p_item.site_id, p_item.context ->> 'facility', p_item.reading -> 'merges')
                 WHEN radscheduler.is_arrival(p_item) THEN ARRAY(
                     SELECT unnest(radscheduler.appointment_lock_names(p_item.site_id, e.appointment_id)) FROM radscheduler.expected_on_day(p_item) e) END
        WHEN 'order' THEN ARRAY(
            SELECT format('order/%s/%s/%s', p_item.sender_id, n.kind, n.number)
            FROM jsonb_array_elements(p_item.reading -> 'orders') o, LATERAL (VALUES ('P', o ->> 'placer_id'), ('F', o ->> 'filler_id')) n(kind, number)
            WHERE n.number IS NOT NULL) END;
END
$$;
COMMENT ON FUNCTION radscheduler.other_lock_names(radscheduler.ingest_item) IS
    'Names for lock_keys() of a message that is not about an appointment, besides its identifiers: all of merged patients and the appointments of the one given up, the appointments somebody may arrive for, orders by either number, the appointment of a request.';

CREATE FUNCTION radscheduler.other_subjects(p_items radscheduler.ingest_item[], p_site integer, OUT resources bigint[], OUT patients bigint[]) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    WITH item AS (
        SELECT i.* FROM unnest(p_items) i WHERE i.outcome IS NULL AND i.site_id = p_site AND i.action IN ('block', 'patient', 'order')
    ), person AS (
        SELECT unnest(radscheduler.patients_named(p_site, i.context ->> 'facility', (m #> '{into,identifiers}') || (m #> '{from,identifiers}'))) AS id
        FROM item i, jsonb_array_elements(i.reading -> 'merges') m WHERE i.action = 'patient' AND i.reading ? 'merges'
        UNION
        SELECT unnest(radscheduler.patients_named(p_site, i.context ->> 'facility', i.reading #> '{patient,identifiers}'))
        FROM item i WHERE i.action = 'order' OR i.action = 'patient' AND radscheduler.is_arrival(i::radscheduler.ingest_item)
    )
    SELECT (SELECT array_agg(DISTINCT x.id) FROM (
                SELECT ar.resource_id FROM person p
                JOIN radscheduler.appointment a ON a.site_id = p_site AND a.patient_id = p.id AND NOT radscheduler.is_closed(a.status)
                JOIN radscheduler.appointment_resource ar ON ar.site_id = a.site_id AND ar.appointment_id = a.appointment_id
                UNION ALL
                SELECT b.resource_id FROM item i
                JOIN radscheduler.sender_block s ON s.site_id = p_site AND s.sender_id = i.sender_id AND (s.filler_id = i.filler_id OR s.placer_id = i.placer_id)
                JOIN radscheduler.resource_block b ON b.site_id = s.site_id AND b.sender_block_id = s.sender_block_id) x(id)),
           (SELECT array_agg(p.id) FROM (
                SELECT id FROM person
                UNION
                -- Of demographics only the person: his bookings may be looked at anew, and none moves.
                SELECT unnest(radscheduler.patients_named(p_site, i.context ->> 'facility', i.reading #> '{patient,identifiers}')) FROM item i WHERE i.action = 'patient' AND NOT i.reading ? 'merges') p)
        INTO resources, patients;
END
$$;
COMMENT ON FUNCTION radscheduler.other_subjects(radscheduler.ingest_item[], integer) IS
    'For lock_ahead(): the resources and patients that messages about blocks, patients and orders of one site concern, as far as they are known.';
