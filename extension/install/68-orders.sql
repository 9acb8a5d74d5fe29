-- Orders (ORM^O01, OMI^O23), kept as they stand now and connected with appointments by their numbers: SCH-26 and SCH-27 on one side, ORC-2, ORC-3 and
-- OBR-18 on the other. What a control code or a status means is the table order_rule. An order changes no appointment, except that an appointment
-- takes from its order what its own messages do not say: referring physician, accession number, modality.

INSERT INTO radscheduler.warning_kind VALUES
    ('ORDER_CONTROL_UNKNOWN', 'The order control code is not in the table of codes; the order was taken as changed.'),
    ('ORDER_NUMBER_REUSED', 'This sender has used this order number for another patient before; the order was taken as another one.');

CREATE TABLE radscheduler.order_rule (
    field     text NOT NULL CHECK (field IN ('ORC-1', 'ORC-5')),
    word      text NOT NULL,
    status    text,
    only_from text[],
    meaning   text NOT NULL,
    PRIMARY KEY (field, word)
);
COMMENT ON TABLE  radscheduler.order_rule IS 'What becomes of an order by its control code (ORC-1, HL7 table 0119) and its status (ORC-5, table 0038). The status wins, unless the control code ends the order and the status does not.';
COMMENT ON COLUMN radscheduler.order_rule.field IS 'ORC-1 or ORC-5.';
COMMENT ON COLUMN radscheduler.order_rule.word IS 'Code as sent.';
COMMENT ON COLUMN radscheduler.order_rule.status IS 'Status the order takes; NULL keeps the one it has (REQUESTED when it is new).';
COMMENT ON COLUMN radscheduler.order_rule.only_from IS 'Only an order in one of these states takes it, or one that is new; NULL: any.';
COMMENT ON COLUMN radscheduler.order_rule.meaning IS 'What it stands for, for people.';
INSERT INTO radscheduler.order_rule VALUES
    ('ORC-1', 'NW', 'REQUESTED', '{CANCELLED,DISCONTINUED,REPLACED,REFUSED,COMPLETED}', 'New order'),
    ('ORC-1', 'RO', 'REQUESTED', '{CANCELLED,DISCONTINUED,REPLACED,REFUSED,COMPLETED}', 'Replacement order'),
    ('ORC-1', 'OK', NULL, NULL, 'Order accepted'),
    ('ORC-1', 'SN', NULL, NULL, 'Send order number'),
    ('ORC-1', 'NA', NULL, NULL, 'Number assigned'),
    ('ORC-1', 'XO', NULL, NULL, 'Change order'),
    ('ORC-1', 'XX', NULL, NULL, 'Order changed'),
    ('ORC-1', 'XR', NULL, NULL, 'Changed as requested'),
    ('ORC-1', 'UX', NULL, NULL, 'Unable to change'),
    ('ORC-1', 'SC', NULL, NULL, 'Status changed'),
    ('ORC-1', 'SR', NULL, NULL, 'Response to a status request'),
    ('ORC-1', 'SS', NULL, NULL, 'Status request'),
    ('ORC-1', 'RE', NULL, NULL, 'Observations follow'),
    ('ORC-1', 'PA', NULL, NULL, 'Parent order'),
    ('ORC-1', 'CH', NULL, NULL, 'Child order'),
    ('ORC-1', 'CA', 'CANCELLED', '{REQUESTED,HELD,SCHEDULED,IN_PROGRESS}', 'Cancel order'),
    ('ORC-1', 'OC', 'CANCELLED', '{REQUESTED,HELD,SCHEDULED,IN_PROGRESS}', 'Order cancelled'),
    ('ORC-1', 'CR', 'CANCELLED', '{REQUESTED,HELD,SCHEDULED,IN_PROGRESS}', 'Cancelled as requested'),
    ('ORC-1', 'UC', NULL, NULL, 'Unable to cancel'),
    ('ORC-1', 'DC', 'DISCONTINUED', '{REQUESTED,HELD,SCHEDULED,IN_PROGRESS}', 'Discontinue order'),
    ('ORC-1', 'OD', 'DISCONTINUED', '{REQUESTED,HELD,SCHEDULED,IN_PROGRESS}', 'Order discontinued'),
    ('ORC-1', 'DR', 'DISCONTINUED', '{REQUESTED,HELD,SCHEDULED,IN_PROGRESS}', 'Discontinued as requested'),
    ('ORC-1', 'UD', NULL, NULL, 'Unable to discontinue'),
    ('ORC-1', 'HD', 'HELD', '{REQUESTED,SCHEDULED}', 'Hold order'),
    ('ORC-1', 'OH', 'HELD', '{REQUESTED,SCHEDULED}', 'Order held'),
    ('ORC-1', 'HR', 'HELD', '{REQUESTED,SCHEDULED}', 'On hold as requested'),
    ('ORC-1', 'UH', NULL, NULL, 'Unable to put on hold'),
    ('ORC-1', 'RL', 'REQUESTED', '{HELD}', 'Release a hold'),
    ('ORC-1', 'OE', 'REQUESTED', '{HELD}', 'Order released'),
    ('ORC-1', 'OR', 'REQUESTED', '{HELD}', 'Released as requested'),
    ('ORC-1', 'UR', NULL, NULL, 'Unable to release'),
    ('ORC-1', 'RP', 'REPLACED', '{REQUESTED,HELD,SCHEDULED,IN_PROGRESS}', 'Replace order'),
    ('ORC-1', 'RU', 'REPLACED', '{REQUESTED,HELD,SCHEDULED,IN_PROGRESS}', 'Order replaced'),
    ('ORC-1', 'RQ', 'REPLACED', '{REQUESTED,HELD,SCHEDULED,IN_PROGRESS}', 'Replaced as requested'),
    ('ORC-1', 'UM', NULL, NULL, 'Unable to replace'),
    ('ORC-1', 'UA', 'REFUSED', '{REQUESTED,HELD}', 'Unable to accept order'),
    ('ORC-5', 'A', 'IN_PROGRESS', NULL, 'Some results are there'),
    ('ORC-5', 'CA', 'CANCELLED', NULL, 'Cancelled'),
    ('ORC-5', 'CM', 'COMPLETED', NULL, 'Completed'),
    ('ORC-5', 'DC', 'DISCONTINUED', NULL, 'Discontinued'),
    ('ORC-5', 'HD', 'HELD', NULL, 'On hold'),
    ('ORC-5', 'IP', 'IN_PROGRESS', NULL, 'In process'),
    ('ORC-5', 'RP', 'REPLACED', NULL, 'Replaced'),
    ('ORC-5', 'SC', 'SCHEDULED', NULL, 'Scheduled');

CREATE FUNCTION radscheduler.order_status(p_control text, p_sent text, p_old text) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_ends    CONSTANT text[] := '{CANCELLED,DISCONTINUED,COMPLETED,REPLACED,REFUSED}';
    v_control text := (SELECT r.status FROM radscheduler.order_rule r WHERE r.field = 'ORC-1' AND r.word = upper(p_control)
                       AND (p_old IS NULL OR r.only_from IS NULL OR p_old = ANY (r.only_from)));
    v_sent    text := (SELECT r.status FROM radscheduler.order_rule r WHERE r.field = 'ORC-5' AND r.word = upper(p_sent));
BEGIN
    RETURN coalesce(CASE WHEN v_control = ANY (c_ends) AND v_sent <> ALL (c_ends) THEN v_control ELSE v_sent END, v_control, p_old, 'REQUESTED');
END
$$;
COMMENT ON FUNCTION radscheduler.order_status(text, text, text) IS
    'Status of an order after a message, by order_rule: from its control code (ORC-1), the status sent (ORC-5) and the status it had, NULL for one that is new.';

CREATE FUNCTION radscheduler.is_ordered_by(p_placer_orders text[], p_filler_orders text[], p_placer text, p_filler text, p_accession text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN COALESCE(p_placer = ANY (p_placer_orders), false) OR COALESCE(p_filler = ANY (p_filler_orders), false) OR COALESCE(p_accession = ANY (p_filler_orders), false);
COMMENT ON FUNCTION radscheduler.is_ordered_by(text[], text[], text, text, text) IS
    'Whether an appointment (SCH-26, SCH-27) is for an order (ORC-2, ORC-3, OBR-18) by its numbers; that both are of one patient is for the caller to ask.';

CREATE FUNCTION radscheduler.orders_of(appointment bigint)
    RETURNS TABLE (order_id bigint, placer_id text, filler_id text, accession text, status text, code text, text text, modality text, urgency text,
                   wanted_at timestamptz, wanted_on date, ordered_by text, reason text)
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 2 SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT o.order_id, o.placer_id, o.filler_id, o.accession, o.status, o.code, o.text, o.modality, o.urgency, o.wanted_at, o.wanted_on, o.ordered_by, o.reason
    FROM radscheduler.appointment a
    JOIN radscheduler.imaging_order o ON o.site_id = a.site_id AND o.patient_id = a.patient_id
    WHERE a.appointment_id = orders_of.appointment AND radscheduler.is_ordered_by(a.placer_orders, a.filler_orders, o.placer_id, o.filler_id, o.accession)
    ORDER BY o.order_id;
END
$$;
COMMENT ON FUNCTION radscheduler.orders_of(bigint) IS
    'The orders an appointment is for: those of its patient whose placer number stands in SCH-26, or whose filler or accession number stands in SCH-27.';

CREATE FUNCTION radscheduler.appointments_of(imaging_order bigint)
    RETURNS TABLE (appointment_id bigint, filler_id text, placer_id text, status radscheduler.appointment_status, starts_at timestamptz, ends_at timestamptz)
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 2 SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT a.appointment_id, a.filler_id, a.placer_id, a.status, a.starts_at, a.ends_at
    FROM radscheduler.imaging_order o
    JOIN radscheduler.appointment a ON a.site_id = o.site_id AND a.patient_id = o.patient_id
    WHERE o.order_id = appointments_of.imaging_order AND radscheduler.is_ordered_by(a.placer_orders, a.filler_orders, o.placer_id, o.filler_id, o.accession)
    ORDER BY a.starts_at, a.appointment_id;
END
$$;
COMMENT ON FUNCTION radscheduler.appointments_of(bigint) IS 'The appointments for an order, see orders_of(); cancelled ones too.';

CREATE FUNCTION radscheduler.said_by_orders(p_site integer, p_patient bigint, p_placer_orders text[], p_filler_orders text[],
        OUT ordered_by text, OUT accession text, OUT modality text) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    SELECT (array_agg(o.ordered_by ORDER BY o.order_id) FILTER (WHERE o.ordered_by IS NOT NULL))[1],
           (array_agg(o.accession ORDER BY o.order_id) FILTER (WHERE o.accession IS NOT NULL))[1],
           (array_agg(o.modality ORDER BY o.order_id) FILTER (WHERE o.modality IS NOT NULL))[1]
        INTO said_by_orders.ordered_by, said_by_orders.accession, said_by_orders.modality
        FROM radscheduler.imaging_order o
        WHERE o.site_id = p_site AND o.patient_id = p_patient AND radscheduler.is_ordered_by(p_placer_orders, p_filler_orders, o.placer_id, o.filler_id, o.accession);
END
$$;
COMMENT ON FUNCTION radscheduler.said_by_orders(integer, bigint, text[], text[]) IS
    'What the orders of an appointment say that it may take from them: ordering physician, accession number, modality. By its patient, SCH-26 and SCH-27.';

CREATE FUNCTION radscheduler.complete_appointments(p_site integer, p_orders bigint[], p_message bigint) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_ids     bigint[] := ARRAY(SELECT DISTINCT a.appointment_id FROM radscheduler.imaging_order o
        JOIN radscheduler.appointment a ON a.site_id = o.site_id AND a.patient_id = o.patient_id AND NOT radscheduler.is_closed(a.status)
        WHERE o.site_id = p_site AND o.order_id = ANY (p_orders) AND radscheduler.is_ordered_by(a.placer_orders, a.filler_orders, o.placer_id, o.filler_id, o.accession)
          AND (a.referring_physician IS NULL OR a.accession IS NULL OR a.modality = 'OT'));
    v_row     record;
    v_changed bigint[] := '{}';
BEGIN
    IF v_ids = '{}' THEN
        RETURN v_changed;
    END IF;
    PERFORM radscheduler.lock_subjects(p_site,
        ARRAY(SELECT ar.resource_id FROM radscheduler.appointment_resource ar WHERE ar.site_id = p_site AND ar.appointment_id = ANY (v_ids)),
        ARRAY(SELECT a.patient_id FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = ANY (v_ids)));
    PERFORM FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = ANY (v_ids) ORDER BY a.appointment_id FOR UPDATE;
    FOR v_row IN
        UPDATE radscheduler.appointment a
            SET referring_physician = coalesce(a.referring_physician, s.ordered_by), accession = coalesce(a.accession, s.accession),
                modality = coalesce(nullif(a.modality, 'OT'), s.modality, a.modality), version = a.version + 1, updated_at = now()
            FROM radscheduler.appointment q, LATERAL radscheduler.said_by_orders(q.site_id, q.patient_id, q.placer_orders, q.filler_orders) s
            WHERE q.site_id = p_site AND q.appointment_id = ANY (v_ids) AND a.site_id = q.site_id AND a.appointment_id = q.appointment_id AND NOT radscheduler.is_closed(a.status)
              AND (a.referring_physician IS NULL AND s.ordered_by IS NOT NULL OR a.accession IS NULL AND s.accession IS NOT NULL OR a.modality = 'OT' AND s.modality <> 'OT')
            RETURNING a.appointment_id
    LOOP
        v_changed := v_changed || v_row.appointment_id;
    END LOOP;
    IF v_changed <> '{}' THEN
        PERFORM radscheduler.settle(p_site, v_changed, NULL, array_fill(p_message, ARRAY[cardinality(v_changed)]));
        PERFORM radscheduler.record_versions(p_site, v_changed, array_fill('appointment.modified'::text, ARRAY[cardinality(v_changed)]),
            array_fill(p_message, ARRAY[cardinality(v_changed)]), array_fill('{"reason": "ORDER"}'::jsonb, ARRAY[cardinality(v_changed)]));
    END IF;
    RETURN v_changed;
END
$$;
COMMENT ON FUNCTION radscheduler.complete_appointments(integer, bigint[], bigint) IS
    'Gives open appointments for these orders what said_by_orders() finds and they lack; each that changes gets a version. Returns those.';

CREATE FUNCTION radscheduler.ended_orders(p_site integer, p_before timestamptz, p_orders bigint[] DEFAULT NULL) RETURNS SETOF bigint
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN QUERY
    SELECT o.order_id FROM radscheduler.imaging_order o
    WHERE o.site_id = p_site AND (p_orders IS NULL OR o.order_id = ANY (p_orders))
      AND o.updated_at < p_before AND coalesce(o.wanted_at < p_before, o.wanted_on < p_before::date, true)
      AND NOT EXISTS (SELECT FROM radscheduler.appointment a
                      WHERE a.site_id = o.site_id AND a.patient_id = o.patient_id AND NOT radscheduler.has_ended(a.status, a.ends_at, a.updated_at, p_before)
                        AND radscheduler.is_ordered_by(a.placer_orders, a.filler_orders, o.placer_id, o.filler_id, o.accession))
    ORDER BY o.order_id;
END
$$;
COMMENT ON FUNCTION radscheduler.ended_orders(integer, timestamptz, bigint[]) IS
    'The orders of a site (of these, where given) that were over before an instant: not touched since, not wanted later, and every appointment for them over too.';

CREATE FUNCTION radscheduler.delete_orders(p_site integer, p_orders bigint[]) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_count bigint;
BEGIN
    INSERT INTO radscheduler.event_log (site_id, type, data) SELECT p_site, 'order.purged', jsonb_build_object('order_id', u.id) FROM unnest(p_orders) u(id);
    PERFORM radscheduler.audit(p_site, 'order.purged', 'imaging_order', u.id, '{}') FROM unnest(p_orders) u(id);
    DELETE FROM radscheduler.imaging_order o WHERE o.site_id = p_site AND o.order_id = ANY (p_orders);
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END
$$;
COMMENT ON FUNCTION radscheduler.delete_orders(integer, bigint[]) IS 'Deletes orders and tells it as order.purged, to listeners and to the audit log; returns how many. Call it under lock_keys() on order_names().';
