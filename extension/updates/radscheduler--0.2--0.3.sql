-- Brings the code to 0.3, then the records. Frozen once released.
\echo Use "ALTER EXTENSION radscheduler UPDATE TO '0.3'" to load this file. \quit

DROP FUNCTION radscheduler.occupancy_wanted(integer, bigint);

DROP FUNCTION radscheduler.conflict_pairs(integer, bigint, bigint[], bigint[], bigint[]);

DROP FUNCTION radscheduler.replace_overbooked(integer, bigint[], bigint[], bigint[]);

DROP FUNCTION radscheduler.settle(integer, bigint, bigint[], bigint[], bigint);

DROP FUNCTION radscheduler.lift_reviews(integer, bigint[], bigint);

DROP FUNCTION radscheduler.resolve_patient(integer, jsonb, text, text);

DROP FUNCTION radscheduler.resolve_resources(integer, jsonb);

DROP FUNCTION radscheduler.item_span(jsonb, text, timestamptz, timestamptz);

DROP FUNCTION radscheduler.write_services(integer, bigint, jsonb, text, timestamptz, timestamptz);

DROP FUNCTION radscheduler.write_resources(integer, bigint, jsonb, bigint[], text, timestamptz, timestamptz);

DROP FUNCTION radscheduler.distrusted_times(jsonb, text, timestamptz, timestamptz);

DROP FUNCTION radscheduler.find_appointment(integer, bigint, text, text);

DROP FUNCTION radscheduler.log_message(jsonb, bytea, bigint, radscheduler.ingest_result, jsonb, bigint, timestamptz);

DROP FUNCTION radscheduler.ingest_message(bytea, text, text);

DO $check$
BEGIN
    IF pg_catalog.current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION 'radscheduler needs a database in UTF8, this one is in %', pg_catalog.current_setting('server_encoding')
            USING ERRCODE = 'feature_not_supported',
                  HINT = 'Create the database with: CREATE DATABASE … ENCODING ''UTF8'' TEMPLATE template0.';
    END IF;
END
$check$;

CREATE OR REPLACE FUNCTION radscheduler.siu_read(p_bytes bytea, p_profile jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN RETURN radscheduler.siu_read(p_bytes, coalesce(p_profile ->> 'repair', 'lenient') <> 'strict', coalesce(p_profile ->> 'start_source', 'appointment'), coalesce(p_profile ->> 'charset', '')); END $$;

COMMENT ON FUNCTION radscheduler.siu_read(bytea, jsonb) IS 'x';

DELETE FROM radscheduler.event_rule;

INSERT INTO radscheduler.event_rule VALUES
    ('S12', 'unknown', 'create', 'SCHEDULED', NULL),
    ('S12', 'active', 'update', NULL, NULL),
    ('S12', 'COMPLETED', 'renew', 'SCHEDULED', 'ID_REUSED'),
    ('S12', 'CANCELLED', 'renew', 'SCHEDULED', NULL),
    ('S12', 'DISCONTINUED', 'renew', 'SCHEDULED', 'ID_REUSED'),
    ('S12', 'NO_SHOW', 'renew', 'SCHEDULED', NULL),
    ('S12', 'DELETED', 'renew', 'SCHEDULED', 'ID_REUSED'),
    ('S13', 'unknown', 'create', 'SCHEDULED', 'UPDATE_BEFORE_CREATE'),
    ('S13', 'active', 'update', 'SCHEDULED', NULL),
    ('S13', 'COMPLETED', 'revive', 'SCHEDULED', 'REVIVED'),
    ('S13', 'CANCELLED', 'revive', 'SCHEDULED', 'REVIVED'),
    ('S13', 'DISCONTINUED', 'revive', 'SCHEDULED', 'REVIVED'),
    ('S13', 'NO_SHOW', 'revive', 'SCHEDULED', 'REVIVED'),
    ('S13', 'DELETED', 'revive', 'SCHEDULED', 'REVIVED'),
    ('S14', 'unknown', 'create', 'SCHEDULED', 'UPDATE_BEFORE_CREATE'),
    ('S14', 'active', 'update', NULL, NULL),
    ('S14', 'COMPLETED', 'amend', NULL, NULL),
    ('S14', 'CANCELLED', 'amend', NULL, NULL),
    ('S14', 'DISCONTINUED', 'amend', NULL, NULL),
    ('S14', 'NO_SHOW', 'amend', NULL, NULL),
    ('S14', 'DELETED', 'amend', NULL, NULL),
    ('S15', 'unknown', 'tombstone', 'CANCELLED', 'CANCEL_BEFORE_CREATE'),
    ('S15', 'active', 'close', 'CANCELLED', NULL),
    ('S15', 'COMPLETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S15', 'CANCELLED', 'keep', NULL, NULL),
    ('S15', 'DISCONTINUED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S15', 'NO_SHOW', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S15', 'DELETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S16', 'unknown', 'tombstone', 'DISCONTINUED', 'CANCEL_BEFORE_CREATE'),
    ('S16', 'active', 'close', 'DISCONTINUED', NULL),
    ('S16', 'COMPLETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S16', 'CANCELLED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S16', 'DISCONTINUED', 'keep', NULL, NULL),
    ('S16', 'NO_SHOW', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S16', 'DELETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S17', 'unknown', 'tombstone', 'DELETED', 'CANCEL_BEFORE_CREATE'),
    ('S17', 'active', 'close', 'DELETED', NULL),
    ('S17', 'COMPLETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S17', 'CANCELLED', 'close', 'DELETED', NULL),
    ('S17', 'DISCONTINUED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S17', 'NO_SHOW', 'close', 'DELETED', NULL),
    ('S17', 'DELETED', 'keep', NULL, NULL),
    ('S18', 'unknown', 'create', 'SCHEDULED', 'UPDATE_BEFORE_CREATE'),
    ('S18', 'active', 'update', NULL, NULL),
    ('S18', 'COMPLETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S18', 'CANCELLED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S18', 'DISCONTINUED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S18', 'NO_SHOW', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S18', 'DELETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S19', 'unknown', 'create', 'SCHEDULED', 'UPDATE_BEFORE_CREATE'),
    ('S19', 'active', 'update', NULL, NULL),
    ('S19', 'COMPLETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S19', 'CANCELLED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S19', 'DISCONTINUED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S19', 'NO_SHOW', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S19', 'DELETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S20', 'unknown', 'refuse', NULL, NULL),
    ('S20', 'active', 'update', NULL, NULL),
    ('S20', 'COMPLETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S20', 'CANCELLED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S20', 'DISCONTINUED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S20', 'NO_SHOW', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S20', 'DELETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S21', 'unknown', 'refuse', NULL, NULL),
    ('S21', 'active', 'update', NULL, NULL),
    ('S21', 'COMPLETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S21', 'CANCELLED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S21', 'DISCONTINUED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S21', 'NO_SHOW', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S21', 'DELETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S22', 'unknown', 'refuse', NULL, NULL),
    ('S22', 'active', 'update', NULL, NULL),
    ('S22', 'COMPLETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S22', 'CANCELLED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S22', 'DISCONTINUED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S22', 'NO_SHOW', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S22', 'DELETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S27', 'unknown', 'create', 'SCHEDULED', NULL),
    ('S27', 'active', 'update', NULL, NULL),
    ('S27', 'COMPLETED', 'amend', NULL, NULL),
    ('S27', 'CANCELLED', 'revive', 'SCHEDULED', 'REVIVED'),
    ('S27', 'DISCONTINUED', 'revive', 'SCHEDULED', 'REVIVED'),
    ('S27', 'NO_SHOW', 'revive', 'SCHEDULED', 'REVIVED'),
    ('S27', 'DELETED', 'revive', 'SCHEDULED', 'REVIVED'),
    ('S26', 'unknown', 'tombstone', 'NO_SHOW', 'CANCEL_BEFORE_CREATE'),
    ('S26', 'active', 'close', 'NO_SHOW', NULL),
    ('S26', 'COMPLETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S26', 'CANCELLED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S26', 'DISCONTINUED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S26', 'NO_SHOW', 'keep', NULL, NULL),
    ('S26', 'DELETED', 'keep', NULL, 'CLOSED_APPOINTMENT');

CREATE OR REPLACE FUNCTION radscheduler.status_rank(status radscheduler.appointment_status) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN status IN ('PENDING'::radscheduler.appointment_status, 'WAITLISTED') THEN 0
                WHEN status IN ('SCHEDULED'::radscheduler.appointment_status, 'CONFIRMED', 'PENDING_REVIEW') THEN 1
                WHEN status = 'ARRIVED'::radscheduler.appointment_status THEN 2
                WHEN status = 'IN_PROGRESS'::radscheduler.appointment_status THEN 3 ELSE 4 END;

COMMENT ON FUNCTION radscheduler.status_rank(radscheduler.appointment_status) IS
    'How far an appointment has come: 0 waiting, 1 booked, 2 arrived, 3 in progress, 4 closed. It goes back only by a newer message that says so in SCH-25.';

DELETE FROM radscheduler.warning_kind;

INSERT INTO radscheduler.warning_kind VALUES
    ('CONTROL_ID_REUSED', 'This sender has used this control id for other bytes before; the message was processed as a new one.'),
    ('SENDER_UNKNOWN', 'This pair of sending application and facility was not known; it was recorded with the default profile.'),
    ('RESOURCE_UNKNOWN', 'This resource was not known; it was recorded with capacity 1 and no buffers.'),
    ('ZONE_ASSUMED', 'Neither the message nor the sender nor the site names a time zone; radscheduler.default_timezone was used.'),
    ('ID_REUSED', 'The appointment identifier was used before for another appointment; a new generation was opened.'),
    ('UPDATE_BEFORE_CREATE', 'The change arrived before the booking; the appointment was created from it.'),
    ('CANCEL_BEFORE_CREATE', 'The closing arrived before the booking; it is kept so that a late booking does not open the appointment.'),
    ('CLOSED_APPOINTMENT', 'The appointment is already closed in another way; nothing was changed.'),
    ('REVIVED', 'A closed appointment was opened again by a newer reschedule.'),
    ('STALE', 'A newer message has already been applied to this appointment; this one was kept but not applied.'),
    ('CLOCK_SKEW', 'The message time is more than five minutes ahead of this system; arrival time was used for ordering.'),
    ('STATUS_UNKNOWN', 'The status sent is not in the table of status words; it was not used.'),
    ('STATUS_DISAGREES', 'The status sent says the appointment is still open, the event closes it; the event was followed.'),
    ('MODALITY_UNKNOWN', 'No procedure, resource, code or word of the message names a modality; OT was recorded.'),
    ('DURATION_ASSUMED', 'No usable duration was sent; the usual one of the procedure or modality was used.'),
    ('DATE_ONLY', 'Only a date was sent as start; the appointment was put on the waiting list without occupying time.'),
    ('TIME_DISTRUSTED', 'A resource time lies more than a day away from the appointment; the appointment''s own time was used.'),
    ('PHONE_UNUSABLE', 'The phone number cannot be completed to an international number; it was kept as sent.'),
    ('S14_EMPTY_POSSIBLE_LEGACY_CANCEL', 'A modification without time, status or resources may be a cancellation in an older naming; nothing was changed.'),
    ('STATUS_BACKWARD', 'The status sent lies behind the present one and the message is not newer; it was not used.'),
    ('NO_SHOW_AFTER_ARRIVAL', 'The patient has arrived here; the no-show was not recorded (profile key no_show_after_arrival allows it).'),
    ('CANCEL_DISPUTED', 'By this sender''s naming the event cancels, but the status sent says the appointment is open: it waits for a person.'),
    ('NO_SERVICE_LEFT', 'The last exam of the appointment was taken out; the appointment itself waits for a person.'),
    ('UNKNOWN_APPOINTMENT', 'The message is about parts of an appointment that is not known here; nothing was changed.'),
    ('TEST_MESSAGE', 'MSH-11 is not P (production) and this sender''s profile leaves such messages alone; nothing was changed.'),
    ('TIME_IN_DST_GAP', 'The start does not exist on that day (clocks are put forward); the moment after the gap was used.'),
    ('TIME_AMBIGUOUS', 'The start exists twice on that day (clocks are put back); the first of the two was used.');

CREATE TYPE radscheduler.ingest_item AS (
    ordinal        integer,
    message_id     bigint,
    received_at    timestamptz,
    raw            bytea,
    raw_sha256     bytea,
    context        jsonb,
    site_id        integer,
    sender_id      bigint,
    reading        jsonb,
    trigger_event  text,
    at             timestamptz,
    sequence       bigint,
    filler_id      text,
    placer_id      text,
    action         text,
    status         radscheduler.appointment_status,
    review_reason  text,
    patient_id     bigint,
    resource_ids   bigint[],
    appointment_id bigint,
    code           text,
    outcome        text,
    error          jsonb,
    warnings       jsonb,
    conflicts      jsonb,
    ack            bytea,
    duplicate_of   bigint
);

COMMENT ON TYPE radscheduler.ingest_item IS
    'A message on its way through ingest(): its bytes, what it is read in the light of (context, see message_context()), its reading (siu_parse shape), order key (at, sequence), appointment key, what is to be done (action, status), who and what it names, and what became of it.';

CREATE OR REPLACE FUNCTION radscheduler.audit_all(p_site integer, p_actions text[], p_object text, p_object_ids bigint[], p_details jsonb[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    INSERT INTO radscheduler.audit_event (site_id, role_name, login_name, actor, purpose, trace_id, action, object, object_id, detail)
        SELECT p_site, pg_get_userbyid(radscheduler.caller()), session_user, nullif(current_setting('radscheduler.actor', true), ''),
               nullif(current_setting('radscheduler.purpose', true), ''), nullif(current_setting('radscheduler.trace_id', true), ''),
               u.action, p_object, u.id, coalesce(u.detail, '{}')
        FROM unnest(p_actions, p_object_ids, p_details) u(action, id, detail);
END
$$;

COMMENT ON FUNCTION radscheduler.audit_all(integer, text[], text, bigint[], jsonb[]) IS 'audit() of many things at once: arrays side by side of action, id and detail.';

CREATE OR REPLACE FUNCTION radscheduler.claim_of(moved_at timestamptz, booked_at timestamptz, created_at timestamptz) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN COALESCE(moved_at, booked_at, created_at);

COMMENT ON FUNCTION radscheduler.claim_of(timestamptz, timestamptz, timestamptz) IS 'Since when an appointment has laid claim to its present time: what decides who keeps a place that several want.';

CREATE OR REPLACE FUNCTION radscheduler.waiting_behind(p_site integer, p_appointments bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT array_agg(DISTINCT w.occupancy_id)
        FROM radscheduler.occupancy o
        JOIN radscheduler.occupancy w ON w.site_id = o.site_id AND w.axis = o.axis AND w.subject_id = o.subject_id AND w.buffered && o.buffered AND w.lane > o.lane
        WHERE o.site_id = p_site AND o.appointment_id = ANY (p_appointments) AND w.appointment_id <> ALL (p_appointments));
END
$$;

COMMENT ON FUNCTION radscheduler.waiting_behind(integer, bigint[]) IS 'Intervals of others in a higher lane than an overlapping one of these appointments: who could move down when they leave. NULL when nobody.';

CREATE OR REPLACE FUNCTION radscheduler.overlapping(p_site integer, p_appointment bigint) RETURNS bigint[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT array_agg(DISTINCT w.occupancy_id)
        FROM radscheduler.occupancy o
        JOIN radscheduler.occupancy w ON w.site_id = o.site_id AND w.axis = o.axis AND w.subject_id = o.subject_id AND w.buffered && o.buffered
        WHERE o.site_id = p_site AND o.appointment_id = p_appointment
        HAVING count(*) FILTER (WHERE w.appointment_id <> p_appointment) > 0);
END
$$;

COMMENT ON FUNCTION radscheduler.overlapping(integer, bigint) IS 'Intervals of an appointment and of others that overlap them on the same subject; NULL when it overlaps nobody.';

CREATE OR REPLACE FUNCTION radscheduler.reseat(p_site integer, p_rows bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_queue bigint[] := p_rows;
    v_ids   bigint[] := '{}';
    v_lanes smallint[] := '{}';
    v_row   record;
    v_lane  smallint;
    v_moved bigint[];
BEGIN
    -- Oldest claim first: everything that may decide a lane is final when its turn comes.
    WHILE cardinality(v_queue) > 0 LOOP
        SELECT o.occupancy_id, o.axis, o.subject_id, o.buffered, o.lane, o.appointment_id, radscheduler.claim_of(a.moved_at, a.booked_at, a.created_at) AS claim INTO v_row
            FROM unnest(v_queue) q(id)
            JOIN radscheduler.occupancy o ON o.site_id = p_site AND o.occupancy_id = q.id
            JOIN radscheduler.appointment a ON a.site_id = o.site_id AND a.appointment_id = o.appointment_id
            ORDER BY claim, o.appointment_id, o.occupancy_id LIMIT 1;
        EXIT WHEN NOT FOUND;
        v_queue := array_remove(v_queue, v_row.occupancy_id);
        WITH before AS (
            SELECT coalesce(m.lane, o.lane) AS lane
            FROM radscheduler.occupancy o
            JOIN radscheduler.appointment a ON a.site_id = o.site_id AND a.appointment_id = o.appointment_id
            LEFT JOIN unnest(v_ids, v_lanes) m(id, lane) ON m.id = o.occupancy_id
            WHERE o.site_id = p_site AND o.axis = v_row.axis AND o.subject_id = v_row.subject_id AND o.buffered && v_row.buffered
              AND (radscheduler.claim_of(a.moved_at, a.booked_at, a.created_at), o.appointment_id, o.occupancy_id) < (v_row.claim, v_row.appointment_id, v_row.occupancy_id))
        SELECT min(g.lane) INTO v_lane FROM generate_series(0, (SELECT count(*)::integer FROM before)) g(lane)
            WHERE NOT EXISTS (SELECT FROM before b WHERE b.lane = g.lane);
        CONTINUE WHEN v_lane = v_row.lane;
        v_ids := v_ids || v_row.occupancy_id;
        v_lanes := v_lanes || v_lane;
        v_queue := v_queue || ARRAY(
            SELECT o.occupancy_id FROM radscheduler.occupancy o
            JOIN radscheduler.appointment a ON a.site_id = o.site_id AND a.appointment_id = o.appointment_id
            WHERE o.site_id = p_site AND o.axis = v_row.axis AND o.subject_id = v_row.subject_id AND o.buffered && v_row.buffered
              AND (radscheduler.claim_of(a.moved_at, a.booked_at, a.created_at), o.appointment_id, o.occupancy_id) > (v_row.claim, v_row.appointment_id, v_row.occupancy_id)
              AND o.occupancy_id <> ALL (v_queue));
    END LOOP;
    -- Out of the way first, so that two that change places do not meet in one lane.
    IF v_ids <> '{}' THEN
        UPDATE radscheduler.occupancy o SET lane = 20000 + m.place
            FROM unnest(v_ids) WITH ORDINALITY m(id, place) WHERE o.site_id = p_site AND o.occupancy_id = m.id;
        UPDATE radscheduler.occupancy o SET lane = m.lane
            FROM unnest(v_ids, v_lanes) m(id, lane) WHERE o.site_id = p_site AND o.occupancy_id = m.id;
        SELECT array_agg(DISTINCT o.appointment_id) INTO v_moved FROM radscheduler.occupancy o WHERE o.site_id = p_site AND o.occupancy_id = ANY (v_ids);
    END IF;
    RETURN v_moved;
END
$$;

COMMENT ON FUNCTION radscheduler.reseat(integer, bigint[]) IS
    'Gives these intervals, and those that must follow them, the lanes they have by the age of their claims; returns the appointments whose lanes changed, NULL when none. The caller holds the locks of the subjects.';

CREATE OR REPLACE FUNCTION radscheduler.occupancy_wanted(p_site integer, p_appointments bigint[],
        OUT appointment_id bigint, OUT axis radscheduler.axis, OUT subject_id bigint, OUT during tstzrange, OUT buffered tstzrange) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 4 SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT w.appointment_id, 'resource'::radscheduler.axis, w.resource_id,
           tstzrange(lower(w.span) + make_interval(mins => w.setup), upper(w.span) - make_interval(mins => w.turnover)), w.span
    FROM (SELECT a.appointment_id, r.resource_id, r.setup_minutes::integer AS setup, r.turnover_minutes::integer AS turnover,
                 unnest(range_agg(tstzrange(coalesce(ar.starts_at, a.starts_at) - make_interval(mins => r.setup_minutes::integer),
                                            coalesce(ar.ends_at, a.ends_at) + make_interval(mins => r.turnover_minutes::integer)))) AS span
          FROM unnest(p_appointments) u(id)
          JOIN radscheduler.appointment a ON a.site_id = p_site AND a.appointment_id = u.id
          JOIN radscheduler.appointment_resource ar ON ar.site_id = a.site_id AND ar.appointment_id = a.appointment_id AND ar.status IS NULL
          JOIN radscheduler.resource r ON r.site_id = ar.site_id AND r.resource_id = ar.resource_id
          WHERE (radscheduler.is_occupying(a.status) OR a.holds_time AND a.status = 'PENDING') AND a.starts_at IS NOT NULL
          GROUP BY a.appointment_id, r.resource_id, r.setup_minutes, r.turnover_minutes) w
    UNION ALL
    SELECT p.appointment_id, 'patient', p.patient_id, p.span, p.span
    FROM (SELECT a.appointment_id, a.patient_id, unnest(range_agg(tstzrange(coalesce(s.starts_at, a.starts_at), coalesce(s.ends_at, a.ends_at)))) AS span
          FROM unnest(p_appointments) u(id)
          JOIN radscheduler.appointment a ON a.site_id = p_site AND a.appointment_id = u.id
          LEFT JOIN radscheduler.appointment_service s ON s.site_id = a.site_id AND s.appointment_id = a.appointment_id AND s.status IS NULL
          WHERE (radscheduler.is_occupying(a.status) OR a.holds_time AND a.status = 'PENDING') AND a.starts_at IS NOT NULL AND a.patient_id IS NOT NULL
          GROUP BY a.appointment_id, a.patient_id) p;
END
$$;

COMMENT ON FUNCTION radscheduler.occupancy_wanted(integer, bigint[]) IS
    'What appointments occupy by their own rows: each resource over its intervals widened by set-up and turnover, the patient over the exams. Nothing for a state that does not occupy.';

CREATE OR REPLACE FUNCTION radscheduler.place(p_site integer, p_axis radscheduler.axis, p_subject bigint, p_during tstzrange, p_buffered tstzrange,
                                   p_appointment bigint) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_lane smallint;
    v_id   bigint;
BEGIN
    FOR v_attempt IN 1..100 LOOP
        WITH busy AS (
            SELECT DISTINCT o.lane FROM radscheduler.occupancy o
            WHERE o.site_id = p_site AND o.axis = p_axis AND o.subject_id = p_subject AND o.buffered && p_buffered)
        SELECT min(g.lane) INTO v_lane
        FROM generate_series(0, (SELECT count(*)::integer FROM busy)) g(lane)
        WHERE NOT EXISTS (SELECT FROM busy b WHERE b.lane = g.lane);
        INSERT INTO radscheduler.occupancy AS o (site_id, axis, subject_id, lane, during, buffered, appointment_id)
            VALUES (p_site, p_axis, p_subject, v_lane, p_during, p_buffered, p_appointment)
            ON CONFLICT ON CONSTRAINT occupancy_no_overlap DO NOTHING
            RETURNING o.occupancy_id INTO v_id;
        IF FOUND THEN
            RETURN v_id;
        END IF;
    END LOOP;
    RAISE EXCEPTION 'no lane could be taken: other transactions took each one first'
        USING ERRCODE = 'serialization_failure', HINT = 'Run the transaction again.';
END
$$;

COMMENT ON FUNCTION radscheduler.place(integer, radscheduler.axis, bigint, tstzrange, tstzrange, bigint) IS
    'Takes the lowest free lane of a subject and returns the id of the row made. A race is lost cleanly to the exclusion constraint and tried again; 40001 after 100 lost races.';

CREATE OR REPLACE FUNCTION radscheduler.occupy(p_site integer, p_appointments bigint[], p_known bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_item    record;
    v_unseated bigint[];
    v_moved   bigint[];
BEGIN
    -- What is given back may be what somebody waits for.
    IF cardinality(p_known) > 0 THEN
        v_unseated := radscheduler.waiting_behind(p_site, p_known);
        DELETE FROM radscheduler.occupancy o WHERE o.site_id = p_site AND o.appointment_id = ANY (p_known);
    END IF;
    FOR v_item IN
        WITH wanted AS MATERIALIZED (
            SELECT w.* FROM radscheduler.occupancy_wanted(p_site, p_appointments) w
        ), placed AS (
            INSERT INTO radscheduler.occupancy (site_id, axis, subject_id, lane, during, buffered, appointment_id)
                SELECT p_site, w.axis, w.subject_id, 0, w.during, w.buffered, w.appointment_id FROM wanted w
                ORDER BY array_position(p_appointments, w.appointment_id), w.axis, w.subject_id, w.buffered
                ON CONFLICT ON CONSTRAINT occupancy_no_overlap DO NOTHING
                RETURNING appointment_id, axis, subject_id, buffered
        )
        SELECT w.* FROM wanted w
        WHERE NOT EXISTS (SELECT FROM placed p WHERE p.appointment_id = w.appointment_id AND p.axis = w.axis AND p.subject_id = w.subject_id AND p.buffered = w.buffered)
        ORDER BY array_position(p_appointments, w.appointment_id), w.axis, w.subject_id, w.buffered
    LOOP
        v_unseated := v_unseated || radscheduler.place(p_site, v_item.axis, v_item.subject_id, v_item.during, v_item.buffered, v_item.appointment_id);
    END LOOP;
    IF v_unseated IS NOT NULL THEN
        v_moved := radscheduler.reseat(p_site, v_unseated);
    END IF;
    RETURN v_moved;
END
$$;

COMMENT ON FUNCTION radscheduler.occupy(integer, bigint[], bigint[]) IS
    'Gives appointments the time their rows ask for, first come first served by their claims; p_known names those among them that held time before. Returns other appointments whose lanes changed. Follow it with settle().';

CREATE OR REPLACE FUNCTION radscheduler.occupy(p_site integer, p_appointment bigint, p_is_new boolean) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN radscheduler.occupy(p_site, ARRAY[p_appointment], CASE WHEN p_is_new THEN '{}' ELSE ARRAY[p_appointment] END);
END
$$;

COMMENT ON FUNCTION radscheduler.occupy(integer, bigint, boolean) IS 'occupy() of one appointment; p_is_new says that it held no time before.';

CREATE OR REPLACE FUNCTION radscheduler.vacate(p_site integer, p_appointment bigint, p_at timestamptz) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_waiting bigint[] := radscheduler.waiting_behind(p_site, ARRAY[p_appointment]);
BEGIN
    DELETE FROM radscheduler.occupancy o
        WHERE o.site_id = p_site AND o.appointment_id = p_appointment AND (p_at IS NULL OR lower(o.during) >= p_at);
    IF p_at IS NOT NULL THEN
        UPDATE radscheduler.occupancy o
            SET during = tstzrange(lower(o.during), p_at), buffered = tstzrange(lower(o.buffered), p_at)
            WHERE o.site_id = p_site AND o.appointment_id = p_appointment AND upper(o.during) > p_at;
    END IF;
    RETURN CASE WHEN v_waiting IS NOT NULL THEN radscheduler.reseat(p_site, v_waiting) END;
END
$$;

COMMENT ON FUNCTION radscheduler.vacate(integer, bigint, timestamptz) IS
    'Gives back the time an appointment holds: all of it, or with p_at only what lies after that instant (an exam that ended early keeps its past). Who waited for it moves up; returns the appointments whose lanes changed. Follow it with settle().';

CREATE OR REPLACE FUNCTION radscheduler.conflict_pairs(p_site integer, p_appointments bigint[],
        OUT axis radscheduler.axis, OUT subject_id bigint, OUT appointment_id bigint, OUT other_appointment_id bigint, OUT overlap tstzrange,
        OUT code text, OUT severity radscheduler.severity) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH pair AS (
        SELECT DISTINCT ON (o.axis, o.subject_id, least(o.appointment_id, q.appointment_id), greatest(o.appointment_id, q.appointment_id))
               o.axis, o.subject_id, r.kind, r.role, o.buffered * q.buffered AS overlap,
               CASE WHEN o.lane >= coalesce(r.capacity, 1) THEN o.appointment_id ELSE q.appointment_id END AS flagged,
               CASE WHEN o.lane >= coalesce(r.capacity, 1) THEN q.appointment_id ELSE o.appointment_id END AS holder
        FROM unnest(p_appointments) u(id)
        JOIN radscheduler.occupancy o ON o.site_id = p_site AND o.appointment_id = u.id
        LEFT JOIN radscheduler.resource r ON o.axis = 'resource' AND r.site_id = o.site_id AND r.resource_id = o.subject_id
        JOIN radscheduler.occupancy q ON q.site_id = o.site_id AND q.axis = o.axis AND q.subject_id = o.subject_id
                                     AND q.buffered && o.buffered AND q.appointment_id <> o.appointment_id
        WHERE (o.lane >= coalesce(r.capacity, 1)) <> (q.lane >= coalesce(r.capacity, 1))
        ORDER BY o.axis, o.subject_id, least(o.appointment_id, q.appointment_id), greatest(o.appointment_id, q.appointment_id), lower(o.buffered * q.buffered)
    )
    SELECT p.axis, p.subject_id, p.flagged, p.holder, p.overlap,
           CASE WHEN p.axis = 'patient' THEN 'PATIENT_DOUBLE_BOOKED' ELSE upper(p.kind::text) || '_DOUBLE_BOOKED' END,
           CASE WHEN p.axis = 'patient' THEN 'critical' ELSE radscheduler.conflict_severity(p.kind, p.role, a.modality) END
    FROM pair p
    JOIN radscheduler.appointment a ON a.site_id = p_site AND a.appointment_id = p.flagged;
END
$$;

COMMENT ON FUNCTION radscheduler.conflict_pairs(integer, bigint[]) IS
    'The pairs in conflict now with one of these appointments on either side: appointment_id stands in an overbooked lane, other_appointment_id holds a legal one.';

CREATE OR REPLACE FUNCTION radscheduler.in_question(p_site integer, p_appointments bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT array_agg(u.id) FROM unnest(p_appointments) u(id)
        WHERE EXISTS (SELECT FROM radscheduler.occupancy o
                      LEFT JOIN radscheduler.resource r ON o.axis = 'resource' AND r.site_id = o.site_id AND r.resource_id = o.subject_id
                      WHERE o.site_id = p_site AND o.appointment_id = u.id
                        AND (o.lane >= coalesce(r.capacity, 1)
                             OR EXISTS (SELECT FROM radscheduler.conflict c WHERE c.site_id = o.site_id AND c.axis = o.axis AND c.subject_id = o.subject_id AND c.state <> 'resolved')
                                AND EXISTS (SELECT FROM radscheduler.occupancy q
                                            WHERE q.site_id = o.site_id AND q.axis = o.axis AND q.subject_id = o.subject_id AND q.buffered && o.buffered
                                              AND q.lane >= coalesce(r.capacity, 1))))
           OR EXISTS (SELECT FROM radscheduler.conflict c WHERE c.site_id = p_site AND c.appointment_id = u.id AND c.state <> 'resolved')
           OR EXISTS (SELECT FROM radscheduler.conflict c WHERE c.site_id = p_site AND c.other_appointment_id = u.id AND c.state <> 'resolved'));
END
$$;

COMMENT ON FUNCTION radscheduler.in_question(integer, bigint[]) IS
    'Those of some appointments that are, were or come to be in conflict: in the ordinary case none, and that is found out cheaply. An overbooked lane, its own or one it overlaps, tells.';

CREATE OR REPLACE FUNCTION radscheduler.settle(p_site integer, p_changed bigint[], p_moved bigint[], p_messages bigint[] DEFAULT NULL) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_concerned bigint[] := radscheduler.in_question(p_site, p_changed) || p_moved;
    v_reviewed  bigint[];
    v_gone      bigint[];
    v_opened    bigint[];
BEGIN
    IF cardinality(v_concerned) IS NULL OR cardinality(v_concerned) = 0 THEN
        RETURN NULL;
    END IF;
    PERFORM FROM radscheduler.appointment a
        WHERE a.site_id = p_site AND a.appointment_id = ANY (v_concerned || ARRAY(
            SELECT unnest(ARRAY[c.appointment_id, c.other_appointment_id]) FROM radscheduler.conflict c
            WHERE c.site_id = p_site AND c.state <> 'resolved' AND (c.appointment_id = ANY (v_concerned) OR c.other_appointment_id = ANY (v_concerned))))
        ORDER BY a.appointment_id FOR UPDATE;

    WITH pair AS MATERIALIZED (
        SELECT * FROM radscheduler.conflict_pairs(p_site, v_concerned)
    ), gone AS (
        UPDATE radscheduler.conflict c SET state = 'resolved', resolved_at = now()
        WHERE c.site_id = p_site AND c.state <> 'resolved' AND (c.appointment_id = ANY (v_concerned) OR c.other_appointment_id = ANY (v_concerned))
          AND NOT EXISTS (SELECT FROM pair p WHERE p.axis = c.axis AND p.subject_id = c.subject_id AND p.code = c.code AND p.severity = c.severity
                          AND p.appointment_id = c.appointment_id AND p.other_appointment_id = c.other_appointment_id)
        RETURNING c.conflict_id, c.appointment_id
    )
    SELECT array_agg(g.conflict_id), array_agg(DISTINCT g.appointment_id) INTO v_gone, v_reviewed FROM gone g;
    WITH opened AS (
        INSERT INTO radscheduler.conflict AS c (site_id, code, severity, axis, subject_id, appointment_id, other_appointment_id, overlap)
        SELECT p_site, p.code, p.severity, p.axis, p.subject_id, p.appointment_id, p.other_appointment_id, p.overlap
        FROM radscheduler.conflict_pairs(p_site, v_concerned) p
        ORDER BY p.appointment_id, p.axis, p.subject_id, p.other_appointment_id
        ON CONFLICT DO NOTHING
        RETURNING c.conflict_id, c.appointment_id
    )
    SELECT array_agg(o.conflict_id), v_reviewed || array_agg(DISTINCT o.appointment_id) INTO v_opened, v_reviewed FROM opened o;

    -- An interval that only changed is the same conflict still.
    UPDATE radscheduler.conflict c SET overlap = p.overlap
        FROM radscheduler.conflict_pairs(p_site, v_concerned) p
        WHERE c.site_id = p_site AND c.state <> 'resolved' AND c.axis = p.axis AND c.subject_id = p.subject_id AND c.code = p.code
          AND c.appointment_id = p.appointment_id AND c.other_appointment_id = p.other_appointment_id AND c.overlap <> p.overlap;
    PERFORM radscheduler.tell_conflicts(p_site, v_gone || v_opened, p_changed, p_messages);
    PERFORM radscheduler.suggest_alternatives(p_site, v_opened);
    PERFORM radscheduler.review(p_site, v_reviewed || p_changed, p_changed, p_messages[1]);
    RETURN (SELECT array_agg(u.id) FROM unnest(p_changed) u(id)
            WHERE EXISTS (SELECT FROM radscheduler.conflict c WHERE c.site_id = p_site AND c.appointment_id = u.id AND c.state = 'open')
               OR EXISTS (SELECT FROM radscheduler.conflict c WHERE c.site_id = p_site AND c.other_appointment_id = u.id AND c.state = 'open'));
END
$$;

COMMENT ON FUNCTION radscheduler.settle(integer, bigint[], bigint[], bigint[]) IS
    'Brings conflicts and reviews into line after appointments changed. p_changed: those whose rows the caller changed and whose versions he will record; p_moved: others whose lanes changed in passing (what occupy() and vacate() return); p_messages: the messages that changed p_changed, side by side. Returns those of p_changed that have an open conflict, on either side; NULL when none.';

CREATE OR REPLACE FUNCTION radscheduler.tell_conflicts(p_site integer, p_conflicts bigint[], p_changed bigint[], p_messages bigint[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_row record;
BEGIN
    FOR v_row IN
        SELECT c.conflict_id, c.code, c.severity, c.state, c.appointment_id, c.other_appointment_id,
               coalesce(p_messages[array_position(p_changed, c.appointment_id)], p_messages[array_position(p_changed, c.other_appointment_id)], p_messages[1]) AS message_id,
               CASE WHEN c.state = 'resolved' THEN 'conflict.resolved' ELSE 'conflict.detected' END AS event
        FROM radscheduler.conflict c WHERE c.site_id = p_site AND c.conflict_id = ANY (p_conflicts) ORDER BY c.state DESC, c.conflict_id
    LOOP
        INSERT INTO radscheduler.event_log (site_id, type, appointment_id, message_id, data)
            VALUES (p_site, v_row.event, v_row.appointment_id, v_row.message_id,
                    jsonb_strip_nulls(jsonb_build_object('conflict_id', v_row.conflict_id, 'code', v_row.code,
                        'severity', CASE WHEN v_row.state <> 'resolved' THEN v_row.severity END, 'with', v_row.other_appointment_id)));
        PERFORM radscheduler.audit(p_site, v_row.event, 'conflict', v_row.conflict_id, jsonb_build_object('appointment_id', v_row.appointment_id, 'message_id', v_row.message_id));
    END LOOP;
END
$$;

COMMENT ON FUNCTION radscheduler.tell_conflicts(integer, bigint[], bigint[], bigint[]) IS
    'Tells conflicts that went and came in event_log and the audit log; p_messages caused the changes of p_changed, side by side.';

CREATE OR REPLACE FUNCTION radscheduler.suggest_alternatives(p_site integer, p_conflicts bigint[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_id           bigint;
    v_alternatives jsonb;
BEGIN
    FOR v_id IN SELECT DISTINCT c.appointment_id FROM radscheduler.conflict c
        WHERE c.site_id = p_site AND c.conflict_id = ANY (p_conflicts) AND c.severity = 'critical' ORDER BY 1
    LOOP
        v_alternatives := radscheduler.alternatives(p_site, v_id);
        UPDATE radscheduler.conflict c SET alternatives = v_alternatives
            WHERE c.site_id = p_site AND c.conflict_id = ANY (p_conflicts) AND c.appointment_id = v_id AND c.severity = 'critical';
    END LOOP;
END
$$;

COMMENT ON FUNCTION radscheduler.suggest_alternatives(integer, bigint[]) IS 'Notes free times for the flagged appointments of critical conflicts that were opened.';

CREATE OR REPLACE FUNCTION radscheduler.record_versions(p_site integer, p_appointments bigint[], p_events text[], p_messages bigint[], p_details jsonb[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    INSERT INTO radscheduler.appointment_history (site_id, appointment_id, version, event, message_id, actor, snapshot)
    SELECT a.site_id, a.appointment_id, a.version, u.event, u.message, pg_get_userbyid(radscheduler.caller()),
           jsonb_build_object('appointment', to_jsonb(a),
               'services', (SELECT coalesce(jsonb_agg(to_jsonb(s) - '{site_id,appointment_id}'::text[] ORDER BY s.position), '[]') FROM radscheduler.appointment_service s
                            WHERE s.site_id = a.site_id AND s.appointment_id = a.appointment_id),
               'resources', (SELECT coalesce(jsonb_agg(to_jsonb(r) - '{site_id,appointment_id}'::text[] ORDER BY r.position), '[]') FROM radscheduler.appointment_resource r
                             WHERE r.site_id = a.site_id AND r.appointment_id = a.appointment_id))
    FROM unnest(p_appointments, p_events, p_messages) u(id, event, message)
    JOIN radscheduler.appointment a ON a.site_id = p_site AND a.appointment_id = u.id;
    INSERT INTO radscheduler.event_log (site_id, type, appointment_id, message_id, data)
    SELECT a.site_id, u.event, a.appointment_id, u.message,
           jsonb_strip_nulls(jsonb_build_object('version', a.version, 'status', a.status, 'modality', a.modality, 'starts_at', a.starts_at, 'ends_at', a.ends_at))
           || coalesce(u.details, '{}')
    FROM unnest(p_appointments, p_events, p_messages, p_details) u(id, event, message, details)
    JOIN radscheduler.appointment a ON a.site_id = p_site AND a.appointment_id = u.id;
    PERFORM radscheduler.audit_all(p_site, p_events, 'appointment', p_appointments, ARRAY(
        SELECT jsonb_build_object('message_id', u.message, 'version', a.version)
        FROM unnest(p_appointments, p_messages) WITH ORDINALITY u(id, message, place)
        JOIN radscheduler.appointment a ON a.site_id = p_site AND a.appointment_id = u.id ORDER BY u.place));
END
$$;

COMMENT ON FUNCTION radscheduler.record_versions(integer, bigint[], text[], bigint[], jsonb[]) IS
    'Writes the present versions of appointments to their history and tells them in event_log and the audit log, without patient data there. Arrays side by side: appointment, type of event, message that caused it, details for the event.';

CREATE OR REPLACE FUNCTION radscheduler.record_version(p_site integer, p_appointment bigint, p_event text, p_message bigint, p_details jsonb DEFAULT '{}') RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM radscheduler.record_versions(p_site, ARRAY[p_appointment], ARRAY[p_event], ARRAY[p_message], ARRAY[p_details]);
END
$$;

COMMENT ON FUNCTION radscheduler.record_version(integer, bigint, text, bigint, jsonb) IS 'record_versions() of one appointment.';

CREATE OR REPLACE FUNCTION radscheduler.review(p_site integer, p_appointments bigint[], p_own bigint[], p_message bigint) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_row record;
BEGIN
    FOR v_row IN
        WITH judged AS (
            SELECT a.appointment_id, a.status,
                   EXISTS (SELECT FROM radscheduler.conflict c WHERE c.site_id = a.site_id AND c.appointment_id = a.appointment_id
                           AND c.state = 'open' AND c.severity = 'critical') AS is_critical
            FROM radscheduler.appointment a
            WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments)
              AND (a.status IN ('SCHEDULED', 'CONFIRMED') OR a.status = 'PENDING_REVIEW' AND a.review_reason = 'CONFLICT')
        )
        UPDATE radscheduler.appointment a SET
            status        = CASE WHEN j.is_critical THEN 'PENDING_REVIEW' ELSE coalesce(a.resume_status, 'SCHEDULED') END,
            review_reason = CASE WHEN j.is_critical THEN 'CONFLICT' END,
            resume_status = CASE WHEN j.is_critical THEN a.status END,
            version       = a.version + CASE WHEN a.appointment_id = ANY (p_own) THEN 0 ELSE 1 END,
            updated_at    = now()
        FROM judged j
        WHERE a.site_id = p_site AND a.appointment_id = j.appointment_id AND j.is_critical <> (j.status = 'PENDING_REVIEW')
        RETURNING a.appointment_id, j.is_critical
    LOOP
        IF v_row.appointment_id <> ALL (coalesce(p_own, '{}')) THEN
            PERFORM radscheduler.record_version(p_site, v_row.appointment_id, 'appointment.modified', p_message,
                jsonb_build_object('reason', CASE WHEN v_row.is_critical THEN 'CONFLICT' ELSE 'CONFLICT_RESOLVED' END));
        END IF;
    END LOOP;
END
$$;

COMMENT ON FUNCTION radscheduler.review(integer, bigint[], bigint[], bigint) IS
    'Sends booked appointments with an open critical conflict of their own to PENDING_REVIEW, and returns those whose conflicts have gone to the status they had. p_own are those whose versions the caller counts and records himself.';

CREATE OR REPLACE FUNCTION radscheduler.find_patients(p_items radscheduler.ingest_item[],
        OUT place bigint, OUT best jsonb, OUT patient_id bigint, OUT has_new_identifier boolean, OUT e164 text) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT i.ordinality, b.best, f.patient_id,
           EXISTS (SELECT FROM jsonb_array_elements(i.reading #> '{patient,identifiers}') x
                   WHERE NOT EXISTS (SELECT FROM radscheduler.patient_identifier p
                                     WHERE p.site_id = i.site_id AND p.value = x ->> 'value' AND p.type = coalesce(x ->> 'type', 'MR')
                                       AND p.authority = coalesce(x ->> 'authority', i.context ->> 'facility'))),
           CASE WHEN i.reading #>> '{patient,phones,0,value}' IS NOT NULL THEN radscheduler.e164(i.reading #>> '{patient,phones,0,value}', i.context ->> 'region') END
    FROM unnest(p_items) WITH ORDINALITY i
    CROSS JOIN LATERAL (
        SELECT x AS best FROM jsonb_array_elements(i.reading #> '{patient,identifiers}') WITH ORDINALITY e(x, place)
        ORDER BY CASE WHEN coalesce(x ->> 'type', 'MR') = 'MR' AND coalesce(x ->> 'authority', i.context ->> 'facility') = i.context ->> 'facility' THEN 0
                      WHEN coalesce(x ->> 'type', 'MR') = 'MR' THEN 1
                      WHEN x ->> 'type' IN ('PI', 'PT') THEN 2
                      WHEN x ->> 'type' IN ('SS', 'NI', 'MC') THEN 4 ELSE 3 END, place
        LIMIT 1) b
    LEFT JOIN LATERAL (
        SELECT p.patient_id
        FROM jsonb_array_elements(i.reading #> '{patient,identifiers}') WITH ORDINALITY e(x, place),
             LATERAL (SELECT q.patient_id FROM radscheduler.patient_identifier q
                      WHERE q.site_id = i.site_id AND q.value = x ->> 'value' AND q.type = coalesce(x ->> 'type', 'MR')
                        AND (q.authority IN (coalesce(x ->> 'authority', i.context ->> 'facility'), '') OR NOT x ? 'authority')
                      ORDER BY q.authority = coalesce(x ->> 'authority', i.context ->> 'facility') DESC, q.patient_id LIMIT 1) p
        ORDER BY x = b.best DESC, place LIMIT 1) f ON true;
END
$$;

COMMENT ON FUNCTION radscheduler.find_patients(radscheduler.ingest_item[]) IS
    'For messages with patient identifiers, by their place in the array: the identifier to show (type MR of the facility, then MR, then PI or PT, then the first, social security and national numbers last), the patient known by any of them, whether one is new, and the phone number in E.164 form. An identifier without authority, here or there, matches any.';

CREATE OR REPLACE FUNCTION radscheduler.resolve_patients(p_items radscheduler.ingest_item[], OUT ordinal integer, OUT patient_id bigint, OUT warnings jsonb) RETURNS SETOF record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_found    record;
    v_item     radscheduler.ingest_item;
    v_sent     jsonb;
    v_places   bigint[] := '{}';
    v_ids      bigint[] := '{}';
    v_values   text[] := '{}';
    v_later    radscheduler.ingest_item[] := '{}';
    v_row      radscheduler.patient;
    v_rows     radscheduler.patient[];
    v_bests    jsonb[] := '{}';
    v_e164s    text[] := '{}';
    v_known    boolean := false;
    v_naming   boolean := false;
    v_told     bigint[] := '{}';
    v_count    bigint;
BEGIN
    FOR v_found IN SELECT * FROM radscheduler.find_patients(p_items) LOOP
        v_item := p_items[v_found.place];
        v_sent := v_item.reading -> 'patient';
        IF v_found.patient_id = ANY (v_ids) OR v_found.patient_id IS NULL AND v_values && ARRAY(SELECT v_item.site_id || '/' || (x ->> 'value') FROM jsonb_array_elements(v_sent -> 'identifiers') x) THEN
            v_later := v_later || v_item; -- an earlier message of these tells of the same person
            CONTINUE;
        END IF;
        IF v_found.patient_id IS NULL THEN
            v_row.site_id := v_item.site_id;
            v_row.patient_id := nextval(pg_get_serial_sequence('radscheduler.patient', 'patient_id'));
            v_row.mrn := v_found.best ->> 'value';
            v_row.family_name := v_sent ->> 'family';
            v_row.given_name := v_sent ->> 'given';
            v_row.middle_name := v_sent ->> 'middle';
            v_row.suffix := v_sent ->> 'suffix';
            v_row.display_name := coalesce(nullif(v_sent ->> 'display', ''), v_sent ->> 'display_if_new', '');
            v_row.birth_date := (v_sent ->> 'birth_date')::date;
            v_row.sex := v_sent ->> 'sex';
            v_row.phone := v_found.e164;
            v_row.phone_as_sent := v_sent #>> '{phones,0,value}';
            v_row.is_deceased := coalesce((v_sent ->> 'deceased')::boolean, false);
            v_row.created_at := now();
            v_row.updated_at := now();
            v_row.message_time := v_item.at;
            v_rows := v_rows || v_row;
            v_found.patient_id := v_row.patient_id;
            v_values := v_values || ARRAY(SELECT v_item.site_id || '/' || (x ->> 'value') FROM jsonb_array_elements(v_sent -> 'identifiers') x);
            v_naming := true;
        ELSE
            v_known := true;
            v_naming := v_naming OR v_found.has_new_identifier;
        END IF;
        v_places := v_places || v_found.place;
        v_ids := v_ids || v_found.patient_id;
        v_bests := v_bests || v_found.best;
        v_e164s := v_e164s || v_found.e164;
    END LOOP;

    IF v_rows IS NOT NULL THEN
        INSERT INTO radscheduler.patient SELECT * FROM unnest(v_rows);
        v_told := ARRAY(SELECT r.patient_id FROM unnest(v_rows) r);
        PERFORM radscheduler.audit_all(r.site_id, array_agg('patient.created'::text), 'patient', array_agg(r.patient_id), array_agg('{}'::jsonb)) FROM unnest(v_rows) r GROUP BY r.site_id;
    END IF;
    IF v_known THEN
        WITH sent AS (
            SELECT i.site_id, u.id, u.best, u.e164, i.at, i.reading -> 'patient' AS p
            FROM unnest(v_places, v_ids, v_bests, v_e164s) u(place, id, best, e164) JOIN unnest(p_items) WITH ORDINALITY i ON i.ordinality = u.place
            WHERE u.id <> ALL (v_told)
        ), judged AS (
            SELECT s.*, p.mrn <> s.best ->> 'value' OR nullif(s.p ->> 'display', '') <> p.display_name
                   OR s.p ? 'family' AND p.family_name IS DISTINCT FROM s.p ->> 'family'
                   OR s.p ? 'given' AND p.given_name IS DISTINCT FROM s.p ->> 'given'
                   OR s.p ? 'middle' AND p.middle_name IS DISTINCT FROM s.p ->> 'middle'
                   OR s.p ? 'suffix' AND p.suffix IS DISTINCT FROM s.p ->> 'suffix'
                   OR s.p ? 'birth_date' AND p.birth_date IS DISTINCT FROM (s.p ->> 'birth_date')::date
                   OR s.p ? 'sex' AND p.sex IS DISTINCT FROM s.p ->> 'sex'
                   OR s.p ? 'phones' AND p.phone_as_sent IS DISTINCT FROM s.p #>> '{phones,0,value}'
                   OR p.is_deceased IS DISTINCT FROM coalesce((s.p ->> 'deceased')::boolean, p.is_deceased) AS differs
            FROM sent s JOIN radscheduler.patient p ON p.site_id = s.site_id AND p.patient_id = s.id
            WHERE p.message_time IS NULL OR p.message_time <= s.at
        ), renewed AS (
            UPDATE radscheduler.patient p SET
                mrn          = j.best ->> 'value',
                family_name  = CASE WHEN j.p ? 'family' THEN j.p ->> 'family' ELSE p.family_name END,
                given_name   = CASE WHEN j.p ? 'given' THEN j.p ->> 'given' ELSE p.given_name END,
                middle_name  = CASE WHEN j.p ? 'middle' THEN j.p ->> 'middle' ELSE p.middle_name END,
                suffix       = CASE WHEN j.p ? 'suffix' THEN j.p ->> 'suffix' ELSE p.suffix END,
                display_name = coalesce(nullif(j.p ->> 'display', ''), p.display_name),
                birth_date   = CASE WHEN j.p ? 'birth_date' THEN (j.p ->> 'birth_date')::date ELSE p.birth_date END,
                sex          = CASE WHEN j.p ? 'sex' THEN j.p ->> 'sex' ELSE p.sex END,
                phone        = CASE WHEN j.p ? 'phones' THEN j.e164 ELSE p.phone END,
                phone_as_sent = CASE WHEN j.p ? 'phones' THEN j.p #>> '{phones,0,value}' ELSE p.phone_as_sent END,
                is_deceased  = coalesce((j.p ->> 'deceased')::boolean, p.is_deceased),
                message_time = j.at,
                updated_at   = CASE WHEN j.differs THEN now() ELSE p.updated_at END
            FROM judged j
            WHERE p.site_id = j.site_id AND p.patient_id = j.id AND (j.differs OR p.message_time IS DISTINCT FROM j.at)
            RETURNING p.site_id, p.patient_id, j.differs
        ), audited AS (
            SELECT radscheduler.audit(r.site_id, 'patient.updated', 'patient', r.patient_id, '{}') FROM renewed r WHERE r.differs
        )
        SELECT v_told || coalesce((SELECT array_agg(r.patient_id) FROM renewed r WHERE r.differs), '{}') INTO v_told FROM (SELECT count(*) FROM audited) q;
    END IF;
    IF v_naming THEN
        WITH named AS (
            INSERT INTO radscheduler.patient_identifier AS n (site_id, authority, type, value, patient_id)
            SELECT DISTINCT ON (i.site_id, x ->> 'value', coalesce(x ->> 'authority', i.context ->> 'facility'), coalesce(x ->> 'type', 'MR'))
                   i.site_id, coalesce(x ->> 'authority', i.context ->> 'facility'), coalesce(x ->> 'type', 'MR'), x ->> 'value', u.id
            FROM unnest(v_places, v_ids) u(place, id) JOIN unnest(p_items) WITH ORDINALITY i ON i.ordinality = u.place, jsonb_array_elements(i.reading #> '{patient,identifiers}') x
            ON CONFLICT DO NOTHING
            RETURNING n.site_id, n.patient_id
        ), audited AS (
            SELECT radscheduler.audit(n.site_id, 'patient.updated', 'patient', n.patient_id, '{"columns": ["identifiers"]}')
            FROM (SELECT DISTINCT * FROM named) n WHERE n.patient_id <> ALL (v_told)
        )
        SELECT count(*) INTO v_count FROM audited;
    END IF;
    RETURN QUERY
        SELECT i.ordinal, u.id, CASE WHEN u.e164 IS NULL AND i.reading #>> '{patient,phones,0,value}' IS NOT NULL
                                     THEN jsonb_build_array(radscheduler.warning('PHONE_UNUSABLE', 'PID-13')) ELSE '[]' END
        FROM unnest(v_places, v_ids, v_e164s) u(place, id, e164) JOIN unnest(p_items) WITH ORDINALITY i ON i.ordinality = u.place;
    IF v_later <> '{}' THEN
        RETURN QUERY SELECT * FROM radscheduler.resolve_patients(v_later);
    END IF;
END
$$;

COMMENT ON FUNCTION radscheduler.resolve_patients(radscheduler.ingest_item[]) IS
    'The patients of messages, found by any identifier or created; fields that were sent overwrite unless a newer message told them, an HL7 null clears. Rows carry the ordinal of their item; one without identifier gives none. Call it under lock_keys(patient_lock_names(…)).';

CREATE OR REPLACE FUNCTION radscheduler.resolve_patient(p_site integer, p_patient jsonb, p_facility text, p_region text, p_at timestamptz DEFAULT pg_catalog.now(),
                                             OUT patient_id bigint, OUT warnings jsonb) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_item radscheduler.ingest_item;
BEGIN
    v_item.ordinal := 1;
    v_item.site_id := p_site;
    v_item.at := p_at;
    v_item.reading := jsonb_build_object('patient', p_patient);
    v_item.context := jsonb_build_object('facility', p_facility, 'region', p_region);
    SELECT r.patient_id, r.warnings INTO resolve_patient.patient_id, resolve_patient.warnings FROM radscheduler.resolve_patients(ARRAY[v_item]) r;
    warnings := coalesce(warnings, '[]');
END
$$;

COMMENT ON FUNCTION radscheduler.resolve_patient(integer, jsonb, text, text, timestamptz) IS
    'resolve_patients() of one patient in siu_parse shape: assigning authority and phone region to assume, time of the message. NULL when no identifier was sent.';

CREATE OR REPLACE FUNCTION radscheduler.find_resources(p_items radscheduler.ingest_item[], OUT place bigint, OUT resource_ids bigint[], OUT missing boolean) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT i.ordinality, array_agg(f.resource_id ORDER BY e.place), bool_or(f.resource_id IS NULL AND n.code IS NOT NULL AND NOT radscheduler.is_referrer(n.role))
    FROM unnest(p_items) WITH ORDINALITY i
    CROSS JOIN LATERAL jsonb_array_elements(i.reading -> 'resources') WITH ORDINALITY e(item, place)
    CROSS JOIN LATERAL radscheduler.resource_name_of(e.item) n
    LEFT JOIN LATERAL (
        SELECT a.resource_id FROM radscheduler.resource_alias a
        WHERE a.site_id = i.site_id AND a.alias = upper(n.code) AND (a.kind = n.kind OR e.item ->> 'segment' = 'AIG') AND NOT radscheduler.is_referrer(n.role)
        ORDER BY a.kind = n.kind DESC, a.kind LIMIT 1) f ON true
    GROUP BY i.ordinality;
END
$$;

COMMENT ON FUNCTION radscheduler.find_resources(radscheduler.ingest_item[]) IS
    'For messages that name resources, by their place in the array: one id per resource of the reading, NULL for one that is not known or not booked, and whether one is unknown.';

CREATE OR REPLACE FUNCTION radscheduler.record_resources(p_item radscheduler.ingest_item) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_row      record;
    v_id       bigint;
    v_warnings jsonb := '[]';
BEGIN
    PERFORM radscheduler.lock_new_resources(p_item.site_id);
    FOR v_row IN
        SELECT DISTINCT ON (n.kind, upper(n.code)) n.kind, n.code, n.name, n.role, e.item ->> 'path' AS path
        FROM jsonb_array_elements(p_item.reading -> 'resources') e(item), LATERAL radscheduler.resource_name_of(e.item) n
        WHERE n.code IS NOT NULL AND NOT radscheduler.is_referrer(n.role)
          AND NOT EXISTS (SELECT FROM radscheduler.resource_alias a WHERE a.site_id = p_item.site_id AND a.alias = upper(n.code)
                          AND (a.kind = n.kind OR e.item ->> 'segment' = 'AIG'))
        ORDER BY n.kind, upper(n.code)
    LOOP
        INSERT INTO radscheduler.resource (site_id, code, name, kind, role, modality, is_registered)
            VALUES (p_item.site_id, v_row.code, v_row.name, v_row.kind, CASE WHEN v_row.kind = 'staff' THEN v_row.role END,
                    CASE WHEN v_row.kind = 'equipment' THEN coalesce(radscheduler.modality_guess(p_item.site_id, ARRAY[v_row.code], ARRAY[v_row.name]),
                                                                     radscheduler.modality_of(p_item.site_id, p_item.reading, NULL)) END, false)
            RETURNING resource.resource_id INTO v_id;
        INSERT INTO radscheduler.resource_alias (site_id, kind, alias, resource_id) VALUES (p_item.site_id, v_row.kind, upper(v_row.code), v_id);
        PERFORM radscheduler.audit(p_item.site_id, 'resource.created', 'resource', v_id, '{}');
        v_warnings := v_warnings || radscheduler.warning('RESOURCE_UNKNOWN', v_row.path);
    END LOOP;
    RETURN v_warnings;
END
$$;

COMMENT ON FUNCTION radscheduler.record_resources(radscheduler.ingest_item) IS
    'Records the resources of a message that are not known, with capacity 1, no buffers and is_registered = false (a scanner with the modality its name tells, else its exam''s), so that a booking is never lost for a missing row; returns a warning for each.';

CREATE OR REPLACE FUNCTION radscheduler.resolve_resources(p_items radscheduler.ingest_item[], OUT ordinal integer, OUT resource_ids bigint[], OUT warnings jsonb) RETURNS SETOF record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_found record;
BEGIN
    FOR v_found IN SELECT * FROM radscheduler.find_resources(p_items) LOOP
        ordinal := (p_items[v_found.place]).ordinal;
        resource_ids := v_found.resource_ids;
        warnings := '[]';
        IF v_found.missing THEN
            warnings := radscheduler.record_resources(p_items[v_found.place]);
            SELECT f.resource_ids INTO resolve_resources.resource_ids FROM radscheduler.find_resources(ARRAY[p_items[v_found.place]]) f;
        END IF;
        RETURN NEXT;
    END LOOP;
END
$$;

COMMENT ON FUNCTION radscheduler.resolve_resources(radscheduler.ingest_item[]) IS
    'The resources of messages: for each message that names any, one id per resource of its reading (NULL for one that is not booked, such as a referrer). Unknown ones are recorded and told as warnings.';

CREATE OR REPLACE FUNCTION radscheduler.part_mode(p_item radscheduler.ingest_item) RETURNS text
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

CREATE OR REPLACE FUNCTION radscheduler.clear_parts(p_items radscheduler.ingest_item[]) RETURNS void
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

CREATE OR REPLACE FUNCTION radscheduler.write_parts(p_items radscheduler.ingest_item[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    INSERT INTO radscheduler.appointment_service (site_id, appointment_id, position, group_no, set_id, code, name, starts_at, ends_at)
    SELECT i.site_id, i.appointment_id, e.place, coalesce((e.item ->> 'group')::smallint, 1), e.item ->> 'set_id', e.item ->> 'code', e.item ->> 'text', lower(t.span), upper(t.span)
    FROM unnest(p_items) i
    JOIN radscheduler.appointment a ON a.site_id = i.site_id AND a.appointment_id = i.appointment_id
    CROSS JOIN LATERAL jsonb_array_elements(i.reading -> 'services') WITH ORDINALITY e(item, place)
    CROSS JOIN LATERAL (SELECT radscheduler.part_span(e.item, i.reading #>> '{schedule,starts_at}', i.context ->> 'zone', a.starts_at, a.ends_at) OFFSET 0) t(span);
    INSERT INTO radscheduler.appointment_resource (site_id, appointment_id, position, segment, group_no, set_id, resource_id, role, starts_at, ends_at)
    SELECT i.site_id, i.appointment_id,
           coalesce((SELECT max(x.position) FROM radscheduler.appointment_resource x WHERE x.site_id = i.site_id AND x.appointment_id = i.appointment_id), 0)
           + row_number() OVER (PARTITION BY i.ordinal ORDER BY e.place),
           e.item ->> 'segment', coalesce((e.item ->> 'group')::smallint, 1), e.item ->> 'set_id', i.resource_ids[e.place],
           upper(coalesce(e.item ->> 'role', e.item ->> 'type_code')), lower(t.span), upper(t.span)
    FROM unnest(p_items) i
    JOIN radscheduler.appointment a ON a.site_id = i.site_id AND a.appointment_id = i.appointment_id
    CROSS JOIN LATERAL jsonb_array_elements(i.reading -> 'resources') WITH ORDINALITY e(item, place)
    CROSS JOIN LATERAL (SELECT radscheduler.part_span(e.item, i.reading #>> '{schedule,starts_at}', i.context ->> 'zone', a.starts_at, a.ends_at) OFFSET 0) t(span)
    WHERE i.resource_ids[e.place] IS NOT NULL;
END
$$;

COMMENT ON FUNCTION radscheduler.write_parts(radscheduler.ingest_item[]) IS
    'Writes one row per AIS, AIG, AIL and AIP of readings whose resources were resolved, timed by part_span(). Appointments have their rows and times already.';

CREATE OR REPLACE FUNCTION radscheduler.act_on_parts(p_item radscheduler.ingest_item) RETURNS jsonb
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

CREATE OR REPLACE FUNCTION radscheduler.part_span(item jsonb, schedule_start text, zone text, starts timestamptz, ends timestamptz) RETURNS tstzrange
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_from    timestamptz := starts;
    v_minutes integer := nullif((item ->> 'duration_minutes')::integer, 0);
BEGIN
    IF item ->> 'starts_at' <> schedule_start OR schedule_start IS NULL AND item ? 'starts_at' OR item ? 'offset_minutes' THEN
        v_from := coalesce(radscheduler.to_instant(item ->> 'starts_at', zone), starts + make_interval(mins => (item ->> 'offset_minutes')::integer), starts);
        IF v_from NOT BETWEEN starts - interval '24 hours' AND ends + interval '24 hours' THEN
            v_from := starts;
        END IF;
    END IF;
    RETURN tstzrange(v_from, CASE WHEN v_minutes > 0 THEN v_from + make_interval(mins => v_minutes)
                                  WHEN ends > v_from THEN ends
                                  ELSE v_from + (ends - starts) END);
END
$$;

COMMENT ON FUNCTION radscheduler.part_span(jsonb, text, text, timestamptz, timestamptz) IS
    'When an exam or resource of a reading takes place: its own start, else its offset, else the appointment''s start; its own duration, else until the appointment''s end. schedule_start is the appointment''s start as it stands in the reading. A start more than a day outside the appointment is not believed. Empty bounds for an appointment without time.';

CREATE OR REPLACE FUNCTION radscheduler.other_resources(p_site integer, p_appointment bigint, p_item radscheduler.ingest_item) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF p_item.resource_ids IS NULL THEN
        RETURN false;
    END IF;
    RETURN (WITH sent AS (
            SELECT DISTINCT e.item ->> 'segment' AS segment, p_item.resource_ids[e.place] AS id
            FROM jsonb_array_elements(p_item.reading -> 'resources') WITH ORDINALITY e(item, place))
        SELECT EXISTS (SELECT FROM sent s WHERE s.id IS NOT NULL AND NOT EXISTS (
                           SELECT FROM radscheduler.appointment_resource r
                           WHERE r.site_id = p_site AND r.appointment_id = p_appointment AND r.segment = s.segment AND r.resource_id = s.id AND r.status IS NULL))
            OR EXISTS (SELECT FROM radscheduler.appointment_resource r
                       WHERE r.site_id = p_site AND r.appointment_id = p_appointment AND r.status IS NULL AND r.segment IN (SELECT s.segment FROM sent s)
                         AND r.resource_id NOT IN (SELECT s.id FROM sent s WHERE s.id IS NOT NULL)));
END
$$;

COMMENT ON FUNCTION radscheduler.other_resources(integer, bigint, radscheduler.ingest_item) IS
    'Whether a message names other resources than its appointment has, among the types of segment it carries.';

CREATE OR REPLACE FUNCTION radscheduler.heed_late(p_item radscheduler.ingest_item) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_old     radscheduler.appointment;
    v_item    radscheduler.ingest_item := p_item;
    v_starts  timestamptz := radscheduler.to_instant(p_item.reading #>> '{schedule,starts_at}', p_item.context ->> 'zone');
    v_ends    timestamptz := radscheduler.to_instant(p_item.reading #>> '{schedule,ends_at}', p_item.context ->> 'zone');
    v_differs boolean;
    v_rows    bigint[];
BEGIN
    SELECT * INTO v_old FROM radscheduler.appointment a WHERE a.site_id = p_item.site_id AND a.appointment_id = p_item.appointment_id FOR UPDATE;
    v_ends := coalesce(v_ends, v_starts + make_interval(mins => (p_item.reading #>> '{schedule,duration_minutes}')::integer));
    SELECT f.resource_ids INTO v_item.resource_ids FROM radscheduler.find_resources(ARRAY[p_item]) f;
    v_differs := p_item.action = 'late_close' OR v_starts <> v_old.starts_at OR v_ends <> v_old.ends_at
                 OR radscheduler.other_resources(v_old.site_id, v_old.appointment_id, v_item);
    IF v_old.booked_at <= p_item.at AND (NOT v_differs OR v_old.moved_at >= p_item.at) THEN
        RETURN;
    END IF;
    UPDATE radscheduler.appointment a
        SET booked_at = least(a.booked_at, p_item.at), moved_at = CASE WHEN v_differs THEN greatest(a.moved_at, p_item.at) ELSE a.moved_at END
        WHERE a.site_id = v_old.site_id AND a.appointment_id = v_old.appointment_id;
    v_rows := radscheduler.overlapping(v_old.site_id, v_old.appointment_id);
    IF v_rows IS NOT NULL THEN
        PERFORM radscheduler.settle(v_old.site_id, '{}', radscheduler.reseat(v_old.site_id, v_rows), ARRAY[p_item.message_id]);
    END IF;
END
$$;

COMMENT ON FUNCTION radscheduler.heed_late(radscheduler.ingest_item) IS
    'What a late message still tells: how old the claim to the present time is. It may be older than was known, or younger, because something else was said in between; who then comes first changes places.';

CREATE OR REPLACE FUNCTION radscheduler.appointment_key(p_schedule jsonb, p_kind text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN p_schedule ->> (p_kind || '_id') || coalesce('^' || nullif(p_schedule ->> (p_kind || '_namespace'), ''), '')
           || CASE WHEN p_schedule ? 'occurrence' AND (p_schedule ? 'parent_filler_id' OR p_schedule ? 'parent_placer_id') THEN '#' || (p_schedule ->> 'occurrence') ELSE '' END;
END
$$;

COMMENT ON FUNCTION radscheduler.appointment_key(jsonb, text) IS
    'A sender''s key of an appointment, kind filler or placer: SCH-2.1 or SCH-1.1, namespace after a caret, and in a series (SCH-23, SCH-24) the occurrence number (SCH-3) after a #.';

CREATE OR REPLACE FUNCTION radscheduler.study_of(p_reading jsonb, p_old text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN coalesce((SELECT string_agg(coalesce(item ->> 'text', item ->> 'alt_text', item ->> 'code'), ' + ' ORDER BY place) FROM jsonb_array_elements(p_reading -> 'services') WITH ORDINALITY s(item, place)),
                    p_old, p_reading #>> '{schedule,reason,text}', p_reading #>> '{schedule,reason,code}', p_reading #>> '{schedule,type,text}');
END
$$;

COMMENT ON FUNCTION radscheduler.study_of(jsonb, text) IS 'Exam text of a reading: its services joined with " + ", else what was there before, else reason or type.';

CREATE OR REPLACE FUNCTION radscheduler.apply_items(p_items radscheduler.ingest_item[]) RETURNS radscheduler.ingest_item[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_items     radscheduler.ingest_item[] := p_items;
    v_item      radscheduler.ingest_item;
    v_olds      radscheduler.appointment[];
    v_old       radscheduler.appointment;
    v_new       radscheduler.appointment;
    v_rules     radscheduler.event_rule[];
    v_sents     radscheduler.appointment_status[];
    v_overbooks boolean[];
    v_modalities text[];
    v_row       record;
    v_schedule  jsonb;
    v_live      radscheduler.ingest_item[] := '{}';
    v_held      jsonb := '{}';
    v_closes    bigint[] := '{}';
    v_inserts   radscheduler.appointment[] := '{}';
    v_updates   radscheduler.appointment[] := '{}';
    v_known     bigint[] := '{}';
    v_snapshots radscheduler.ingest_item[] := '{}';
    v_cleared   radscheduler.ingest_item[] := '{}';
    v_acting    radscheduler.ingest_item[] := '{}';
    v_late      radscheduler.ingest_item[] := '{}';
    v_placed    bigint[] := '{}';
    v_changed   bigint[] := '{}';
    v_moved     bigint[];
    v_events    text[] := '{}';
    v_messages  bigint[] := '{}';
    v_shift     interval;
    v_claims    boolean;
    c_site      CONSTANT integer := (p_items[1]).site_id;
BEGIN
    -- What each is about and what its event does to it.
    SELECT array_agg(f.a ORDER BY i.ordinality), array_agg(r ORDER BY i.ordinality), array_agg(s.status ORDER BY i.ordinality), array_agg(s.is_overbook ORDER BY i.ordinality)
        INTO v_olds, v_rules, v_sents, v_overbooks
        FROM unnest(p_items) WITH ORDINALITY i
        LEFT JOIN LATERAL (
            SELECT u.a FROM (
                (SELECT a, 1 AS preference, a.generation FROM radscheduler.appointment a
                 WHERE a.site_id = i.site_id AND a.sender_id = i.sender_id AND a.filler_id = i.filler_id ORDER BY a.generation DESC LIMIT 1)
                UNION ALL
                (SELECT a, 2, a.generation FROM radscheduler.appointment a
                 WHERE a.site_id = i.site_id AND a.sender_id = i.sender_id AND a.placer_id = i.placer_id AND (i.filler_id IS NULL OR a.filler_id IS NULL)
                 ORDER BY a.generation DESC LIMIT 1)) u ORDER BY u.preference LIMIT 1) f ON true
        LEFT JOIN radscheduler.event_rule r ON r.trigger_event = i.trigger_event
             AND r.state = CASE WHEN (f.a).appointment_id IS NULL THEN 'unknown' WHEN radscheduler.is_closed((f.a).status) THEN (f.a).status::text ELSE 'active' END
        LEFT JOIN LATERAL (
            SELECT (array_agg(s.status ORDER BY w.place))[1] AS status, bool_or(s.alias = 'OVERBOOK') AS is_overbook
            FROM jsonb_array_elements_text(i.reading #> '{schedule,status}') WITH ORDINALITY w(word, place)
            JOIN radscheduler.status_alias s ON s.alias = regexp_replace(upper(w.word), '[^A-Z0-9]', '', 'g')) s ON true;
    FOR k IN 1 .. cardinality(v_items) LOOP
        v_old := v_olds[k];
        v_item := v_items[k];
        v_item.appointment_id := v_old.appointment_id;
        v_item := radscheduler.judge(v_item, v_rules[k], v_sents[k], v_old.status, v_old.message_time, v_old.message_sequence, v_old.patient_id IS NOT NULL, v_old.starts_at IS NOT NULL);
        v_items[k] := v_item;
        IF v_item.outcome IS NULL AND v_item.action <> 'close' THEN
            v_item.ordinal := k;
            v_live := v_live || v_item;
        ELSIF v_item.action IN ('late', 'late_close') AND v_item.outcome = 'stale' AND NOT radscheduler.is_closed(v_old.status) THEN
            v_late := v_late || v_item;
        END IF;
    END LOOP;

    -- Who and what. A closing needs neither.
    FOR v_row IN SELECT * FROM radscheduler.resolve_patients(v_live) LOOP
        v_items[v_row.ordinal].patient_id := v_row.patient_id;
        v_items[v_row.ordinal].warnings := v_items[v_row.ordinal].warnings || v_row.warnings;
    END LOOP;
    FOR v_row IN SELECT * FROM radscheduler.resolve_resources(v_live) LOOP
        v_items[v_row.ordinal].resource_ids := v_row.resource_ids;
        v_items[v_row.ordinal].warnings := v_items[v_row.ordinal].warnings || v_row.warnings;
    END LOOP;
    FOR k IN 1 .. cardinality(v_items) LOOP
        IF v_items[k].action = 'update' AND v_items[k].outcome IS NULL AND v_items[k].trigger_event = 'S12' AND v_items[k].patient_id <> v_olds[k].patient_id THEN
            v_items[k].action := 'renew';
            v_items[k].status := 'PENDING_REVIEW';
            v_items[k].review_reason := 'ID_REUSED';
            v_items[k].warnings := v_items[k].warnings || radscheduler.warning('ID_REUSED', 'SCH-2');
        END IF;
    END LOOP;
    -- The rows as they are once nobody else is at work on them.
    v_known := ARRAY(SELECT i.appointment_id FROM unnest(v_items) i WHERE i.appointment_id IS NOT NULL AND (i.outcome IS NULL OR i.outcome = 'stale'));
    IF v_known <> '{}' THEN
        SELECT coalesce(jsonb_object_agg(q.appointment_id, q.ids), '{}') INTO v_held
            FROM (SELECT ar.appointment_id, jsonb_agg(ar.resource_id ORDER BY ar.resource_id) AS ids FROM radscheduler.appointment_resource ar
                  WHERE ar.site_id = c_site AND ar.appointment_id = ANY (v_known) GROUP BY ar.appointment_id) q;
    END IF;
    PERFORM radscheduler.lock_subjects(c_site,
        ARRAY(SELECT unnest(i.resource_ids) FROM unnest(v_items) i) || ARRAY(SELECT e::bigint FROM jsonb_each(v_held) h, jsonb_array_elements_text(h.value) e),
        ARRAY(SELECT i.patient_id FROM unnest(v_items) i) || ARRAY(SELECT o.patient_id FROM unnest(v_olds) o WHERE o.appointment_id = ANY (v_known)));
    IF v_known <> '{}' THEN
        FOR v_old IN SELECT * FROM radscheduler.appointment a WHERE a.site_id = c_site AND a.appointment_id = ANY (v_known) ORDER BY a.appointment_id FOR UPDATE LOOP
            FOR k IN 1 .. cardinality(v_items) LOOP
                IF v_items[k].appointment_id = v_old.appointment_id THEN
                    v_olds[k] := v_old;
                    v_known := array_remove(v_known, v_old.appointment_id);
                END IF;
            END LOOP;
        END LOOP;
        IF v_known <> '{}' THEN
            RAISE EXCEPTION 'the appointment was removed while the message waited for it' USING ERRCODE = 'serialization_failure', HINT = 'Send the message again.';
        END IF;
    END IF;
    IF v_live <> '{}' THEN
        SELECT array_agg(CASE WHEN i.outcome IS NULL AND i.action <> 'close' THEN radscheduler.modality_of(i.site_id, i.reading, i.resource_ids) END ORDER BY i.ordinality)
            INTO v_modalities FROM unnest(v_items) WITH ORDINALITY i;
    END IF;

    -- The new rows.
    v_known := '{}';
    FOR k IN 1 .. cardinality(v_items) LOOP
        v_item := v_items[k];
        CONTINUE WHEN v_item.outcome IS NOT NULL;
        v_old := v_olds[k];
        v_schedule := v_item.reading -> 'schedule';
        v_shift := NULL;
        IF v_item.appointment_id IS NOT NULL AND v_item.action <> 'renew' THEN
            v_new := v_old;
            v_new.version := v_old.version + 1;
            IF v_old.review_reason = 'CONFLICT' AND v_old.status = 'PENDING_REVIEW' THEN
                v_new.status := v_old.resume_status;
                v_new.review_reason := NULL;
            END IF;
            v_new.resume_status := NULL;
        ELSE
            v_new := NULL;
            v_new.site_id := c_site;
            v_new.appointment_id := nextval(pg_get_serial_sequence('radscheduler.appointment', 'appointment_id'));
            v_new.sender_id := v_item.sender_id;
            v_new.generation := CASE WHEN v_item.action = 'renew' THEN v_old.generation + 1 ELSE 1 END;
            v_new.source := v_item.context ->> 'source';
            v_new.is_test := (v_item.context ->> 'is_test')::boolean;
            v_new.reschedule_count := 0;
            v_new.version := 1;
            v_new.urgency := 'routine';
            v_new.created_at := now();
            v_new.moved_at := CASE WHEN v_item.action = 'renew' THEN v_old.message_time END;
        END IF;
        v_new.updated_at := now();
        v_new.message_id := v_item.message_id;
        v_new.booked_at := least(v_new.booked_at, v_item.at);
        v_new.holds_time := coalesce((v_item.context #>> '{profile,pending_occupies}')::boolean, false);
        IF v_item.action <> 'fill' THEN
            v_new.status := coalesce(v_item.status, v_new.status);
            v_new.message_time := v_item.at;
            v_new.message_sequence := v_item.sequence;
            IF v_item.review_reason IS NOT NULL THEN
                v_new.review_reason := v_item.review_reason;
            ELSIF v_old.status = 'PENDING_REVIEW' AND v_old.review_reason = 'ID_REUSED' AND v_item.action <> 'renew' AND v_new.status IN ('SCHEDULED', 'CONFIRMED') THEN
                v_new.status := 'PENDING_REVIEW'; -- a person decides that, not the next message
            END IF;
        END IF;
        IF v_new.status <> 'PENDING_REVIEW' THEN
            v_new.review_reason := NULL;
        END IF;
        IF v_item.action = 'close' THEN
            v_new.event_reason := coalesce(v_schedule #>> '{event_reason,text}', v_schedule #>> '{event_reason,code}', v_old.event_reason);
            v_closes := v_closes || v_new.appointment_id;
            v_updates := v_updates || v_new;
            v_changed := v_changed || v_new.appointment_id;
            v_messages := v_messages || v_item.message_id;
            v_events := v_events || radscheduler.event_name(v_old.status, v_new.status, false);
            v_items[k].outcome := 'applied';
            CONTINUE;
        END IF;

        -- Fields: sent overwrites, the HL7 null clears, not sent keeps.
        v_new.filler_id := coalesce(v_item.filler_id, v_new.filler_id);
        v_new.placer_id := coalesce(v_item.placer_id, v_new.placer_id);
        v_new.patient_id := coalesce(v_item.patient_id, v_new.patient_id);
        v_new.notes := CASE WHEN v_schedule ? 'notes' THEN v_schedule ->> 'notes' ELSE v_new.notes END;
        v_new.reason := CASE WHEN v_schedule ? 'reason' THEN coalesce(v_schedule #>> '{reason,text}', v_schedule #>> '{reason,code}') ELSE v_new.reason END;
        v_new.event_reason := CASE WHEN v_schedule ? 'event_reason' THEN coalesce(v_schedule #>> '{event_reason,text}', v_schedule #>> '{event_reason,code}') ELSE v_new.event_reason END;
        v_new.urgency := CASE WHEN v_schedule ? 'priority' THEN radscheduler.urgency_of(v_schedule ->> 'priority') ELSE v_new.urgency END;
        v_new.referring_physician := CASE WHEN v_item.reading -> 'visit' ? 'referring' THEN v_item.reading #>> '{visit,referring}' ELSE v_new.referring_physician END;
        v_new.visit_number := coalesce(v_item.reading #>> '{visit,visit_number}', v_new.visit_number);
        v_new.visit_group := CASE WHEN v_schedule ? 'visit_group' THEN v_schedule ->> 'visit_group' ELSE v_new.visit_group END;
        v_new.parent_filler_id := coalesce(v_schedule ->> 'parent_filler_id', v_new.parent_filler_id);
        v_new.parent_placer_id := coalesce(v_schedule ->> 'parent_placer_id', v_new.parent_placer_id);
        IF v_schedule ? 'placer_orders' THEN
            v_new.placer_orders := ARRAY(SELECT jsonb_array_elements_text(v_schedule -> 'placer_orders'));
        END IF;
        IF v_schedule ? 'filler_orders' THEN
            v_new.filler_orders := ARRAY(SELECT jsonb_array_elements_text(v_schedule -> 'filler_orders'));
        END IF;
        v_new.study_code := coalesce(v_item.reading #>> '{services,0,code}', CASE WHEN v_item.reading -> 'services' = '[]' THEN v_new.study_code END);
        v_new.study_text := radscheduler.study_of(v_item.reading, v_new.study_text);
        IF v_item.reading -> 'services' <> '[]' OR v_item.resource_ids IS NOT NULL OR v_new.modality IS NULL THEN
            v_new.modality := coalesce(v_modalities[k], nullif(v_new.modality, 'OT'), 'OT');
            IF v_new.modality = 'OT' THEN
                v_item.warnings := v_item.warnings || radscheduler.warning('MODALITY_UNKNOWN', 'AIS-3');
            END IF;
        END IF;

        -- Time.
        IF length(v_schedule ->> 'starts_at') = 10 THEN
            v_item.warnings := v_item.warnings || radscheduler.warning('DATE_ONLY', 'SCH-11.4');
            v_new.status := CASE WHEN radscheduler.is_closed(v_new.status) OR v_new.status = 'PENDING' THEN v_new.status ELSE 'WAITLISTED' END;
            v_new.review_reason := NULL;
            v_new.starts_at := NULL;
            v_new.ends_at := NULL;
        ELSIF v_schedule ->> 'starts_at' IS NOT NULL THEN
            v_new.starts_at := radscheduler.to_instant(v_schedule ->> 'starts_at', v_item.context ->> 'zone');
            v_new.ends_at := radscheduler.to_instant(v_schedule ->> 'ends_at', v_item.context ->> 'zone');
            v_item.warnings := v_item.warnings || coalesce(radscheduler.warning(radscheduler.clock_doubt(v_schedule ->> 'starts_at', v_item.context ->> 'zone'), 'SCH-11.4'), '[]');
            IF v_new.ends_at IS NULL OR v_new.ends_at <= v_new.starts_at THEN
                v_new.ends_at := v_new.starts_at + coalesce(make_interval(mins => nullif(greatest((v_schedule ->> 'duration_minutes')::integer, 0), 0)),
                                                            CASE WHEN v_item.action <> 'renew' THEN v_old.ends_at - v_old.starts_at END);
                IF v_new.ends_at IS NULL THEN
                    v_new.ends_at := v_new.starts_at + make_interval(mins => radscheduler.duration_of(c_site, v_item.reading, v_new.modality));
                    v_item.warnings := v_item.warnings || radscheduler.warning('DURATION_ASSUMED', 'SCH-9');
                END IF;
            END IF;
        ELSIF v_new.starts_at IS NOT NULL AND (v_schedule ->> 'duration_minutes')::integer > 0 THEN
            v_new.ends_at := v_new.starts_at + make_interval(mins => (v_schedule ->> 'duration_minutes')::integer);
        END IF;

        -- Since when it claims this time, and whether it moved.
        IF v_item.appointment_id IS NULL OR v_item.action = 'renew' THEN
            v_inserts := v_inserts || v_new;
            v_events := v_events || radscheduler.event_name(NULL, v_new.status, false);
        ELSE
            v_claims := (v_new.starts_at, v_new.ends_at) IS DISTINCT FROM (v_old.starts_at, v_old.ends_at) OR radscheduler.is_closed(v_old.status)
                        OR radscheduler.other_resources(c_site, v_old.appointment_id, v_item);
            IF v_claims AND v_item.action <> 'fill' THEN
                v_new.moved_at := coalesce(v_old.message_time, v_old.updated_at);
            END IF;
            v_shift := nullif(v_new.starts_at - v_old.starts_at, interval '0');
            IF v_shift IS NOT NULL THEN
                v_new.reschedule_count := v_old.reschedule_count + 1;
                v_new.original_starts_at := coalesce(v_old.original_starts_at, v_old.starts_at);
            END IF;
            v_updates := v_updates || v_new;
            PERFORM radscheduler.shift_rows(c_site, v_new.appointment_id, v_shift, v_old.ends_at, v_new.ends_at);
            v_known := v_known || v_new.appointment_id;
            v_events := v_events || radscheduler.event_name(v_old.status, v_new.status, v_shift IS NOT NULL);
        END IF;
        v_item.appointment_id := v_new.appointment_id;
        v_item.outcome := 'applied';
        v_items[k] := v_item;
        v_placed := v_placed || v_new.appointment_id;
        v_changed := v_changed || v_new.appointment_id;
        v_messages := v_messages || v_item.message_id;
        IF v_new.appointment_id <> ALL (v_known) THEN
            v_snapshots := v_snapshots || v_item;
        ELSIF radscheduler.part_mode(v_item) = 'action' THEN
            v_acting := v_acting || v_item;
        ELSE
            v_snapshots := v_snapshots || v_item;
            v_cleared := v_cleared || v_item;
        END IF;
    END LOOP;

    -- Rows.
    IF v_updates <> '{}' THEN
        UPDATE radscheduler.appointment a SET filler_id = n.filler_id, placer_id = n.placer_id, patient_id = n.patient_id, status = n.status,
               review_reason = n.review_reason, resume_status = n.resume_status, starts_at = n.starts_at, ends_at = n.ends_at, modality = n.modality,
               study_code = n.study_code, study_text = n.study_text, referring_physician = n.referring_physician, urgency = n.urgency,
               notes = n.notes, reason = n.reason, event_reason = n.event_reason, visit_number = n.visit_number, visit_group = n.visit_group,
               parent_filler_id = n.parent_filler_id, parent_placer_id = n.parent_placer_id, holds_time = n.holds_time,
               placer_orders = n.placer_orders, filler_orders = n.filler_orders, reschedule_count = n.reschedule_count,
               original_starts_at = n.original_starts_at, booked_at = n.booked_at, moved_at = n.moved_at, version = n.version,
               message_time = n.message_time, message_sequence = n.message_sequence, message_id = n.message_id, updated_at = n.updated_at
            FROM unnest(v_updates) n WHERE a.site_id = n.site_id AND a.appointment_id = n.appointment_id;
    END IF;
    IF v_inserts <> '{}' THEN
        INSERT INTO radscheduler.appointment SELECT * FROM unnest(v_inserts);
    END IF;
    IF v_cleared <> '{}' THEN
        PERFORM radscheduler.clear_parts(v_cleared);
    END IF;
    IF v_snapshots <> '{}' THEN
        PERFORM radscheduler.write_parts(v_snapshots);
    END IF;
    FOREACH v_item IN ARRAY v_acting LOOP
        v_items[v_item.ordinal].warnings := v_items[v_item.ordinal].warnings || radscheduler.act_on_parts(v_item);
    END LOOP;

    -- Time given back and taken, conflicts found or healed, all of it told.
    FOR k IN 1 .. cardinality(v_closes) LOOP
        SELECT v_moved || radscheduler.vacate(c_site, a.appointment_id, CASE WHEN a.status IN ('COMPLETED', 'DISCONTINUED', 'NO_SHOW') THEN a.message_time END) INTO v_moved
            FROM radscheduler.appointment a WHERE a.site_id = c_site AND a.appointment_id = v_closes[k];
    END LOOP;
    IF v_placed <> '{}' THEN
        v_moved := v_moved || radscheduler.occupy(c_site, v_placed, v_known);
    END IF;
    IF v_changed <> '{}' THEN
        v_placed := radscheduler.settle(c_site, v_changed, v_moved, v_messages);
        IF v_placed IS NOT NULL THEN
            FOR k IN 1 .. cardinality(v_items) LOOP
                IF v_items[k].outcome = 'applied' AND v_items[k].appointment_id = ANY (v_placed) THEN
                    v_items[k].outcome := 'flagged';
                END IF;
            END LOOP;
        END IF;
        PERFORM radscheduler.record_versions(c_site, v_changed, v_events, v_messages, NULL);
    END IF;
    FOREACH v_item IN ARRAY v_late LOOP
        PERFORM radscheduler.heed_late(v_item);
    END LOOP;
    RETURN v_items;
END
$$;

COMMENT ON FUNCTION radscheduler.apply_items(radscheduler.ingest_item[]) IS
    'Applies readings to the schedule of one site, each about an appointment of its own, and returns them with appointment, code, outcome, error and warnings. Call it under lock_keys() on the names of appointments and patients.';

CREATE OR REPLACE FUNCTION radscheduler.apply_reading(p_context jsonb, p_reading jsonb, p_message bigint, p_at timestamptz,
        OUT outcome text, OUT code text, OUT error jsonb, OUT appointment_id bigint, OUT warnings jsonb) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_item radscheduler.ingest_item;
BEGIN
    v_item.ordinal := 1;
    v_item.context := p_context;
    v_item.site_id := (p_context ->> 'site_id')::integer;
    v_item.sender_id := (p_context ->> 'sender_id')::bigint;
    v_item.message_id := p_message;
    v_item.reading := p_reading;
    v_item.trigger_event := p_context ->> 'trigger_event';
    v_item.at := p_at;
    v_item.sequence := (p_context ->> 'sequence')::bigint;
    v_item.filler_id := radscheduler.appointment_key(p_reading -> 'schedule', 'filler');
    v_item.placer_id := radscheduler.appointment_key(p_reading -> 'schedule', 'placer');
    v_item.warnings := '[]';
    SELECT i.outcome, i.code, i.error, i.appointment_id, i.warnings
        INTO apply_reading.outcome, apply_reading.code, apply_reading.error, apply_reading.appointment_id, apply_reading.warnings
        FROM unnest(radscheduler.apply_items(ARRAY[v_item])) i;
END
$$;

COMMENT ON FUNCTION radscheduler.apply_reading(jsonb, jsonb, bigint, timestamptz) IS
    'apply_items() of one reading (siu_parse shape) in a context (see message_context()); p_at orders it against other messages of the same appointment.';

CREATE OR REPLACE FUNCTION radscheduler.judge(p_item radscheduler.ingest_item, p_rule radscheduler.event_rule, p_sent radscheduler.appointment_status,
                                   p_old_status radscheduler.appointment_status, p_old_at timestamptz, p_old_sequence bigint,
                                   p_old_has_patient boolean, p_old_has_time boolean) RETURNS radscheduler.ingest_item
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_known    CONSTANT boolean := p_rule.state <> 'unknown';
    c_schedule CONSTANT jsonb := p_item.reading -> 'schedule';
    c_mapped   CONSTANT boolean := p_item.trigger_event <> p_item.context #>> '{header,trigger_event}';
    v_newer    boolean := true;
    v_sent     radscheduler.appointment_status := p_sent;
    v_will     radscheduler.appointment_status;
    r          radscheduler.ingest_item := p_item;
BEGIN
    r.code := 'AA';
    r.action := p_rule.action;
    IF v_sent IS NULL AND jsonb_array_length(c_schedule -> 'status') > 0 THEN
        r.warnings := r.warnings || radscheduler.warning('STATUS_UNKNOWN', 'SCH-25');
    END IF;

    -- Late, or saying nothing.
    IF c_known THEN
        IF (p_item.at, coalesce(p_item.sequence, 0)) < (p_old_at, coalesce(p_old_sequence, 0)) THEN
            IF radscheduler.is_closed(p_old_status) AND NOT p_old_has_patient AND p_item.reading ? 'patient' THEN
                r.action := 'fill';
                RETURN r;
            END IF;
            r.action := CASE WHEN p_rule.action = 'close' OR radscheduler.is_closed(v_sent) THEN 'late_close' ELSE 'late' END;
            r.outcome := 'stale';
            r.warnings := r.warnings || radscheduler.warning('STALE', 'MSH-7');
            RETURN r;
        END IF;
        v_newer := (p_item.at, coalesce(p_item.sequence, 0)) > (p_old_at, coalesce(p_old_sequence, 0)) OR p_old_at IS NULL;
        IF p_item.trigger_event = 'S14' AND v_sent IS NULL AND p_item.reading -> 'services' = '[]' AND p_item.reading -> 'resources' = '[]'
           AND NOT c_schedule ? 'starts_at' AND NOT c_schedule ? 'duration_minutes' THEN
            r.outcome := 'ignored';
            r.warnings := r.warnings || radscheduler.warning('S14_EMPTY_POSSIBLE_LEGACY_CANCEL', 'SCH');
            RETURN r;
        END IF;
    END IF;

    -- What SCH-25 makes of the event: an explicit status wins over the trigger.
    IF c_mapped AND p_item.trigger_event = 'S15' AND NOT radscheduler.is_closed(v_sent) THEN
        r.action := CASE WHEN c_known AND radscheduler.is_closed(p_old_status) THEN 'keep' WHEN c_known THEN 'update' ELSE 'create' END;
        r.warnings := r.warnings || radscheduler.warning('CANCEL_DISPUTED', 'SCH-25');
        r.review_reason := 'DISPUTED';
        v_sent := 'PENDING_REVIEW';
    ELSIF r.action = 'amend' AND v_sent <> p_old_status THEN
        IF v_newer AND NOT radscheduler.is_closed(v_sent) THEN
            r.action := 'revive';
        ELSE
            v_sent := NULL;
            r.warnings := r.warnings || radscheduler.warning('CLOSED_APPOINTMENT', 'SCH-25');
        END IF;
    END IF;
    IF r.action IN ('create', 'renew', 'update', 'revive') AND radscheduler.is_closed(v_sent) THEN
        r.action := CASE r.action WHEN 'create' THEN 'tombstone' WHEN 'update' THEN 'close' ELSE 'keep' END;
    ELSIF r.action IN ('close', 'tombstone') AND NOT radscheduler.is_closed(v_sent) THEN
        r.warnings := r.warnings || radscheduler.warning('STATUS_DISAGREES', 'SCH-25');
        v_sent := NULL;
    END IF;
    r.status := CASE WHEN p_item.trigger_event = 'S17' AND r.action IN ('close', 'tombstone') THEN 'DELETED' ELSE coalesce(v_sent, p_rule.default_status) END;
    IF r.action = 'close' AND r.status = 'NO_SHOW' AND p_old_status IN ('ARRIVED', 'IN_PROGRESS')
       AND NOT (v_newer AND coalesce((p_item.context #>> '{profile,no_show_after_arrival}')::boolean, false)) THEN
        r.action := 'keep';
        r.warnings := r.warnings || radscheduler.warning('NO_SHOW_AFTER_ARRIVAL', 'SCH-25');
    ELSIF r.action = 'update' AND r.review_reason IS NULL AND radscheduler.status_rank(r.status) < radscheduler.status_rank(p_old_status) AND NOT (v_newer AND v_sent IS NOT NULL) THEN
        IF v_sent IS NOT NULL THEN
            r.warnings := r.warnings || radscheduler.warning('STATUS_BACKWARD', 'SCH-25');
        END IF;
        r.status := NULL;
    END IF;
    IF p_rule.warning IS NOT NULL THEN
        r.warnings := r.warnings || radscheduler.warning(p_rule.warning, 'SCH');
    END IF;

    IF r.action = 'keep' THEN
        r.outcome := 'ignored';
    ELSIF r.action = 'refuse' THEN
        IF p_item.context #>> '{profile,unknown_resource_change}' = 'ignore' THEN
            r.outcome := 'ignored';
            r.warnings := r.warnings || radscheduler.warning('UNKNOWN_APPOINTMENT', 'SCH-2');
        ELSE
            r.error := '{"code": "204", "path": "SCH-2", "text": "This change of resources is about an appointment that is not known here. Send the booking (S12) first."}';
        END IF;
    ELSIF r.action = 'amend' THEN
        -- What is over is over: notes, people and orders may be mended, time and exams may not.
        r.reading := r.reading || jsonb_build_object('schedule', c_schedule - '{starts_at,ends_at,duration_minutes}'::text[], 'services', '[]'::jsonb, 'resources', '[]'::jsonb);
    ELSIF r.action IN ('create', 'update', 'revive', 'renew') THEN
        v_will := coalesce(r.status, p_old_status);
        IF NOT (coalesce(p_item.reading #> '{patient,identifiers,0}', 'null') <> 'null' OR p_old_has_patient AND r.action <> 'renew')
           OR NOT (c_schedule ->> 'starts_at' IS NOT NULL OR p_old_has_time AND r.action <> 'renew' OR v_will IN ('PENDING', 'WAITLISTED')) THEN
            r.error := CASE
                WHEN p_item.trigger_event IN ('S14', 'S18', 'S19') AND NOT c_known THEN jsonb_build_object('code', '204', 'path', 'SCH-2', 'text',
                    'This modification is about an appointment that is not known here and does not carry enough to create it (patient and start). Send the booking (S12) first.')
                WHEN NOT (coalesce(p_item.reading #> '{patient,identifiers,0}', 'null') <> 'null' OR p_old_has_patient AND r.action <> 'renew') THEN
                    jsonb_build_object('code', '101', 'path', 'PID-3', 'text', 'An appointment needs a patient identifier in PID-3. Send at least one.')
                ELSE jsonb_build_object('code', '101', 'path', 'SCH-11.4', 'text',
                    'No start time was found in TQ1-7, SCH-11.4 or any AIS, AIL, AIG or AIP. Send one of them.') END;
        END IF;
    END IF;
    IF r.error IS NOT NULL THEN
        r.code := 'AE';
        r.outcome := 'error';
    END IF;
    RETURN r;
END
$$;

COMMENT ON FUNCTION radscheduler.judge(radscheduler.ingest_item, radscheduler.event_rule, radscheduler.appointment_status, radscheduler.appointment_status,
                                       timestamptz, bigint, boolean, boolean) IS
    'Decides what a message does: sets action (event_rule''s, or fill, late, late_close), status (NULL keeps the present one), warnings, and for a message that ends here its outcome and error. Facts of the present appointment: status, order key of its last message, whether it has a patient and a time.';

CREATE OR REPLACE FUNCTION radscheduler.log_items(p_items radscheduler.ingest_item[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- An acknowledgement promises that the message is kept, whatever the session would rather have.
    IF current_setting('synchronous_commit') = 'off' THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
    INSERT INTO radscheduler.hl7_message (site_id, message_id, received_at, channel, peer, raw, raw_sha256, sender_id, message_code, trigger_event, control_id,
                                          processing_id, version_id, message_time, outcome, code, warnings, error, ack, appointment_id, duplicate_of)
        SELECT i.site_id, i.message_id, i.received_at, i.context ->> 'channel', i.context ->> 'peer', i.raw, i.raw_sha256, i.sender_id,
               i.context #>> '{header,message_code}', i.context #>> '{header,trigger_event}', i.context #>> '{header,control_id}',
               i.context #>> '{header,processing_id}', i.context #>> '{header,version}',
               CASE WHEN i.context #>> '{header,message_time}' IS NOT NULL THEN radscheduler.to_instant(i.context #>> '{header,message_time}', i.context ->> 'zone') END,
               i.outcome, i.code, i.warnings, i.error, i.ack, i.appointment_id, i.duplicate_of
        FROM unnest(p_items) i;
    INSERT INTO radscheduler.event_log (site_id, type, appointment_id, message_id, data)
        SELECT i.site_id, CASE i.outcome WHEN 'duplicate' THEN 'hl7.duplicate' WHEN 'error' THEN 'hl7.rejected' WHEN 'rejected' THEN 'hl7.rejected' ELSE 'hl7.processed' END,
               i.appointment_id, i.message_id,
               jsonb_strip_nulls(jsonb_build_object('outcome', i.outcome, 'code', i.code, 'trigger_event', i.context #>> '{header,trigger_event}',
                                                    'warnings', jsonb_array_length(i.warnings), 'error', i.error ->> 'code'))
        FROM unnest(p_items) i;
    PERFORM radscheduler.audit_all(q.site_id, q.actions, 'hl7_message', q.ids, q.details)
        FROM (SELECT i.site_id, array_agg('message.received'::text ORDER BY i.ordinality) AS actions, array_agg(i.message_id ORDER BY i.ordinality) AS ids,
                     array_agg(jsonb_build_object('channel', i.context ->> 'channel', 'outcome', i.outcome, 'appointment_id', i.appointment_id) ORDER BY i.ordinality) AS details
              FROM unnest(p_items) WITH ORDINALITY i GROUP BY i.site_id) q;
END
$$;

COMMENT ON FUNCTION radscheduler.log_items(radscheduler.ingest_item[]) IS
    'Keeps received messages with what became of them, and tells it in event_log and the audit log.';

CREATE OR REPLACE FUNCTION radscheduler.result_of(p_item radscheduler.ingest_item) RETURNS radscheduler.ingest_result
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN ROW(p_item.message_id, p_item.ack, p_item.code, p_item.outcome, p_item.appointment_id, p_item.warnings, p_item.conflicts)::radscheduler.ingest_result;
END
$$;

COMMENT ON FUNCTION radscheduler.result_of(radscheduler.ingest_item) IS 'What a caller of ingest() is told of a message.';

CREATE OR REPLACE FUNCTION radscheduler.message_context(p_header jsonb, p_channel text, p_peer text) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_sender record;
    v_site   record;
    v_zone   text;
    v_warnings jsonb := '[]';
BEGIN
    IF p_channel IS NULL OR p_channel !~ '^[a-z][a-z0-9_]{0,19}$' OR length(p_peer) > 100 THEN
        RAISE EXCEPTION 'the channel is a word such as mllp, http or sql, and the peer a network address' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Both are kept in logs: at most 20 and 100 characters.';
    END IF;
    SELECT * INTO v_sender FROM radscheduler.sender_of(coalesce(p_header ->> 'sending_application', ''), coalesce(p_header ->> 'sending_facility', ''));
    SELECT s.timezone, s.phone_region INTO v_site FROM radscheduler.site s WHERE s.site_id = v_sender.site_id;
    v_zone := coalesce(v_sender.profile ->> 'timezone', v_site.timezone, radscheduler.default_zone());
    IF v_sender.is_new THEN
        v_warnings := v_warnings || radscheduler.warning('SENDER_UNKNOWN', 'MSH-3');
    END IF;
    IF v_sender.profile ->> 'timezone' IS NULL AND v_site.timezone IS NULL THEN
        v_warnings := v_warnings || radscheduler.warning('ZONE_ASSUMED', 'MSH-7');
    END IF;
    RETURN jsonb_build_object('site_id', v_sender.site_id, 'sender_id', v_sender.sender_id, 'profile', v_sender.profile, 'zone', v_zone,
                              'region', coalesce(v_sender.profile ->> 'phone_region', v_site.phone_region),
                              'facility', coalesce(v_sender.profile ->> 'default_authority', p_header ->> 'sending_facility', ''),
                              'trigger_event', radscheduler.mapped_event(v_sender.profile, p_header ->> 'trigger_event'), 'sequence', p_header -> 'sequence_number',
                              'is_test', coalesce(p_header ->> 'processing_id', 'P') <> 'P', 'source', 'HL7',
                              'channel', p_channel, 'peer', p_peer, 'header', p_header, 'warnings', v_warnings);
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.mapped_event(p_profile jsonb, p_trigger text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF NOT p_profile ? 'event_map' THEN
        RETURN p_trigger;
    END IF;
    RETURN coalesce(CASE p_profile -> 'event_map' ->> p_trigger
        WHEN 'NEW' THEN 'S12' WHEN 'RESCHEDULE' THEN 'S13' WHEN 'MODIFY' THEN 'S14' WHEN 'CANCEL' THEN 'S15' WHEN 'DISCONTINUE' THEN 'S16'
        WHEN 'DELETE' THEN 'S17' WHEN 'NO_SHOW' THEN 'S26' WHEN 'IGNORE' THEN 'IGNORE' END, p_trigger);
END
$$;

COMMENT ON FUNCTION radscheduler.mapped_event(jsonb, text) IS 'The event a sender means by a trigger event, after its profile''s event_map; IGNORE for one that is to be left alone.';

CREATE OR REPLACE FUNCTION radscheduler.open_message(p_bytes bytea, p_channel text, p_peer text) RETURNS radscheduler.ingest_item
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_head   jsonb := radscheduler.hl7_header(p_bytes);
    v_header jsonb := v_head -> 'header';
    r        radscheduler.ingest_item;
BEGIN
    r.message_id := nextval('radscheduler.hl7_message_id_seq');
    r.received_at := clock_timestamp();
    r.raw := p_bytes;
    r.raw_sha256 := sha256(p_bytes);
    r.context := radscheduler.message_context(v_header, p_channel, p_peer);
    r.site_id := (r.context ->> 'site_id')::integer;
    r.sender_id := (r.context ->> 'sender_id')::bigint;
    r.code := 'AA';
    r.warnings := r.context -> 'warnings';
    r.conflicts := '[]';
    r.trigger_event := r.context ->> 'trigger_event';
    r.sequence := (r.context ->> 'sequence')::bigint;

    -- Can it be read, and is it for us?
    r.error := v_head -> 'error';
    IF r.error IS NOT NULL THEN
        r.code := 'AR';
    ELSIF (r.context ->> 'is_refused')::boolean THEN
        r.code := 'AR';
        r.error := '{"code": "207", "path": "MSH-3", "text": "This site takes messages of registered senders only, and this pair of sending application and facility is not registered. The message is kept."}';
    ELSIF coalesce(v_header ->> 'control_id', '') = '' THEN
        r.code := 'AE';
        r.error := '{"code": "101", "path": "MSH-10", "text": "The message has no control id (MSH-10), so its acknowledgement could not be told from another. Send one."}';
    ELSE
        r.action := radscheduler.message_kind(v_header ->> 'message_code', r.trigger_event);
        IF r.action IS NULL THEN
            r.code := 'AR';
            r.error := CASE WHEN v_header ->> 'message_code' IN ('SIU', 'ADT') THEN
                jsonb_build_object('code', '201', 'path', 'MSH-9.2', 'text', 'This trigger event is not taken here. The message is kept.')
                ELSE '{"code": "200", "path": "MSH-9.1", "text": "Only scheduling (SIU), patient (ADT) and order messages (ORM^O01, OMI^O23) are taken here. The message is kept."}' END;
        END IF;
    END IF;
    IF r.error IS NULL AND (r.context ->> 'is_test')::boolean AND r.context #>> '{profile,test_messages}' IN ('ignore', 'refuse') THEN
        IF r.context #>> '{profile,test_messages}' = 'refuse' THEN
            r.code := 'AR';
            r.error := '{"code": "202", "path": "MSH-11", "text": "This sender''s test messages (MSH-11 other than P) are refused here. The message is kept."}';
        ELSE
            r.outcome := 'ignored';
            r.warnings := r.warnings || radscheduler.warning('TEST_MESSAGE', 'MSH-11');
        END IF;
    ELSIF r.error IS NULL AND r.action = 'ignore' THEN
        r.outcome := 'ignored';
    END IF;
    IF r.error IS NULL AND r.outcome IS NULL THEN
        r.reading := radscheduler.siu_read(p_bytes, r.context -> 'profile');
        r.warnings := r.warnings || (r.reading -> 'warnings');
        r.error := r.reading -> 'error';
        IF r.error IS NOT NULL THEN
            r.code := 'AE';
        ELSIF r.reading -> 'warnings' @> '[{"code": "EXTRA_SEGMENT", "path": "MSH[2]"}]' THEN
            r.code := 'AR';
            r.error := '{"code": "100", "path": "MSH[2]", "text": "These bytes hold more than one message, and one acknowledgement cannot answer several. Send each message by itself. All bytes are kept."}';
        END IF;
    END IF;
    IF r.error IS NOT NULL THEN
        r.outcome := CASE WHEN r.code = 'AR' THEN 'rejected' ELSE 'error' END;
    END IF;
    IF r.outcome IS NULL THEN
        -- Order key: the message's own time, unless its clock runs ahead or it has none.
        r.at := r.received_at;
        IF r.context #>> '{profile,order_by}' IS DISTINCT FROM 'arrival' THEN
            r.at := coalesce(radscheduler.to_instant(v_header ->> 'message_time', r.context ->> 'zone'), r.received_at);
            IF r.at > r.received_at + interval '5 minutes' THEN
                r.at := r.received_at;
                r.warnings := r.warnings || radscheduler.warning('CLOCK_SKEW', 'MSH-7');
            END IF;
        END IF;
        r.filler_id := radscheduler.appointment_key(r.reading -> 'schedule', 'filler');
        r.placer_id := radscheduler.appointment_key(r.reading -> 'schedule', 'placer');
    END IF;
    RETURN r;
END
$$;

COMMENT ON FUNCTION radscheduler.open_message(bytea, text, text) IS
    'One message opened: header, sender and site, reading, order key and appointment key, the kind of handling it needs in action; outcome and error for one that ends here.';

CREATE OR REPLACE FUNCTION radscheduler.message_kind(p_message_code text, p_trigger text) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN CASE
        WHEN p_trigger = 'IGNORE' THEN 'ignore'
        WHEN p_message_code = 'SIU' AND p_trigger IN ('S23', 'S24') THEN 'block'
        WHEN p_message_code = 'SIU' AND EXISTS (SELECT FROM radscheduler.event_rule e WHERE e.trigger_event = p_trigger) THEN 'schedule'
        WHEN p_message_code = 'ADT' AND p_trigger IN ('A01', 'A04', 'A08', 'A10', 'A18', 'A30', 'A31', 'A34', 'A40') THEN 'patient'
        WHEN p_message_code = 'ORM' AND p_trigger = 'O01' OR p_message_code = 'OMI' AND p_trigger = 'O23' THEN 'order' END;
END
$$;

COMMENT ON FUNCTION radscheduler.message_kind(text, text) IS
    'Who handles a message by MSH-9.1 and its event: schedule, block, patient, order, ignore; NULL for what is not taken.';

CREATE OR REPLACE FUNCTION radscheduler.lock_names(p_item radscheduler.ingest_item) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN ARRAY['appointment/' || p_item.sender_id || '/F/' || (p_item.reading #>> '{schedule,filler_id}'),
                 'appointment/' || p_item.sender_id || '/P/' || (p_item.reading #>> '{schedule,placer_id}')]
           || radscheduler.patient_lock_names(p_item.site_id, p_item.reading -> 'patient')
           || CASE WHEN p_item.reading ? 'merges' THEN
                  ARRAY(SELECT unnest(radscheduler.patient_lock_names(p_item.site_id, m -> 'into') || radscheduler.patient_lock_names(p_item.site_id, m -> 'from'))
                        FROM jsonb_array_elements(p_item.reading -> 'merges') m) END;
END
$$;

COMMENT ON FUNCTION radscheduler.lock_names(radscheduler.ingest_item) IS 'Names for lock_keys() of a message: its appointment by either key, every patient it names.';

CREATE OR REPLACE FUNCTION radscheduler.guard_items(p_items radscheduler.ingest_item[]) RETURNS radscheduler.ingest_item[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_items radscheduler.ingest_item[] := p_items;
    v_item  radscheduler.ingest_item;
    v_row   record;
    v_first record;
BEGIN
    FOR v_row IN
        WITH made AS (
            INSERT INTO radscheduler.message_key AS k (site_id, sender_id, control_id, body_sha256, message_id, received_at)
            SELECT i.site_id, i.sender_id, i.context #>> '{header,control_id}', i.raw_sha256, i.message_id, i.received_at FROM unnest(p_items) i
            ON CONFLICT DO NOTHING
            RETURNING k.message_id
        )
        SELECT i.ordinality AS place, m.message_id IS NULL AS is_known,
               EXISTS (SELECT FROM radscheduler.message_key o WHERE o.site_id = i.site_id AND o.sender_id = i.sender_id
                       AND o.control_id = i.context #>> '{header,control_id}' AND o.body_sha256 <> i.raw_sha256) AS is_reused
        FROM unnest(p_items) WITH ORDINALITY i LEFT JOIN made m ON m.message_id = i.message_id
    LOOP
        CONTINUE WHEN NOT v_row.is_known AND NOT v_row.is_reused;
        v_item := v_items[v_row.place];
        IF v_row.is_known THEN
            SELECT m.message_id, m.ack, m.code, m.appointment_id, m.warnings INTO v_first
                FROM radscheduler.message_key k
                JOIN radscheduler.hl7_message m ON m.site_id = k.site_id AND m.received_at = k.received_at AND m.message_id = k.message_id
                WHERE k.site_id = v_item.site_id AND k.sender_id = v_item.sender_id
                  AND k.control_id = v_item.context #>> '{header,control_id}' AND k.body_sha256 = v_item.raw_sha256;
            IF FOUND THEN
                v_item.outcome := 'duplicate';
                v_item.ack := v_first.ack;
                v_item.code := v_first.code;
                v_item.appointment_id := v_first.appointment_id;
                v_item.warnings := v_first.warnings;
                v_item.duplicate_of := v_first.message_id;
                v_item.conflicts := radscheduler.conflicts_of(v_item.site_id, v_item.appointment_id);
            ELSE
                -- The answer went with an old partition: the message is taken anew, and its state in the schedule decides.
                UPDATE radscheduler.message_key k SET message_id = v_item.message_id, received_at = v_item.received_at
                    WHERE k.site_id = v_item.site_id AND k.sender_id = v_item.sender_id
                      AND k.control_id = v_item.context #>> '{header,control_id}' AND k.body_sha256 = v_item.raw_sha256;
            END IF;
        END IF;
        IF v_row.is_reused AND v_item.duplicate_of IS NULL THEN
            v_item.warnings := v_item.warnings || radscheduler.warning('CONTROL_ID_REUSED', 'MSH-10');
        END IF;
        v_items[v_row.place] := v_item;
    END LOOP;
    RETURN v_items;
END
$$;

COMMENT ON FUNCTION radscheduler.guard_items(radscheduler.ingest_item[]) IS
    'The duplicate guard, before anything else is written: sender, control id and SHA-256 of the bytes. A message known already gets outcome duplicate and the stored answer. No two of the items may be the same message.';

CREATE OR REPLACE FUNCTION radscheduler.refuse_conflict(p_item radscheduler.ingest_item) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_conflict record;
BEGIN
    SELECT c.axis, c.subject_id, c.code, coalesce(c.other_appointment_id, c.appointment_id) AS partner, k.axis AS word, r.name,
           format(k.text, r.name) || CASE WHEN c.other_appointment_id IS NULL THEN ''
               ELSE format(' Appointment %s holds that time.', CASE c.appointment_id WHEN p_item.appointment_id THEN c.other_appointment_id ELSE c.appointment_id END) END AS text
        INTO v_conflict
        FROM radscheduler.conflict c JOIN radscheduler.conflict_kind k ON k.code = c.code
        LEFT JOIN radscheduler.resource r ON c.axis = 'resource' AND r.site_id = c.site_id AND r.resource_id = c.subject_id
        WHERE c.site_id = p_item.site_id AND c.state = 'open' AND c.severity = 'critical'
          AND (c.appointment_id = p_item.appointment_id OR c.other_appointment_id = p_item.appointment_id)
        ORDER BY c.appointment_id = p_item.appointment_id DESC, c.conflict_id LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the sender''s profile refuses bookings that conflict' USING ERRCODE = 'RS001', DETAIL = jsonb_build_object(
            'error', jsonb_build_object('code', '207', 'text', v_conflict.text, 'path', coalesce(
                (SELECT (e.item ->> 'path') || CASE WHEN e.item ->> 'path' LIKE '%-3%' THEN '' ELSE '-3' END
                 FROM jsonb_array_elements(p_item.reading -> 'resources') WITH ORDINALITY e(item, place)
                 WHERE v_conflict.axis = 'resource' AND p_item.resource_ids[e.place] = v_conflict.subject_id ORDER BY e.place LIMIT 1),
                CASE v_conflict.axis WHEN 'patient' THEN 'PID-3' ELSE 'SCH-11' END)),
            'warnings', p_item.warnings, 'conflicts', radscheduler.conflicts_of(p_item.site_id, p_item.appointment_id))::text;
    END IF;
END
$$;

COMMENT ON FUNCTION radscheduler.refuse_conflict(radscheduler.ingest_item) IS
    'For senders whose profile says on_conflict reject: raises RS001 when the appointment of a message has a critical conflict, with the error to answer (at the AIx field that asked for the time), warnings and conflicts as DETAIL.';

CREATE OR REPLACE FUNCTION radscheduler.process_items(p_items radscheduler.ingest_item[]) RETURNS radscheduler.ingest_item[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_items   radscheduler.ingest_item[] := p_items;
    v_item    radscheduler.ingest_item;
    v_applied record;
BEGIN
    IF v_items[1].action = 'schedule' THEN
        v_items := radscheduler.apply_items(v_items);
    ELSE
        v_item := v_items[1];
        CASE v_item.action
            WHEN 'block' THEN SELECT * INTO v_applied FROM radscheduler.apply_block(v_item.context, v_item.reading, v_item.message_id, v_item.at);
            WHEN 'patient' THEN SELECT * INTO v_applied FROM radscheduler.apply_adt(v_item.context, v_item.reading, v_item.message_id, v_item.at);
            WHEN 'order' THEN SELECT * INTO v_applied FROM radscheduler.apply_order(v_item.context, v_item.reading, v_item.message_id, v_item.at);
        END CASE;
        v_item.code := v_applied.code;
        v_item.outcome := v_applied.outcome;
        v_item.error := v_applied.error;
        v_item.appointment_id := v_applied.appointment_id;
        v_item.warnings := v_item.warnings || v_applied.warnings;
        v_items[1] := v_item;
        IF v_item.error IS NOT NULL THEN
            -- What was found out on the way (a patient, a resource) is not kept for a message that was not applied.
            RAISE EXCEPTION 'the message was not applied' USING ERRCODE = 'RS003', DETAIL = jsonb_build_object('error', v_item.error, 'warnings', v_item.warnings,
                'appointment_id', v_item.appointment_id)::text;
        END IF;
    END IF;
    FOR k IN 1 .. cardinality(v_items) LOOP
        IF v_items[k].outcome = 'flagged' THEN
            IF v_items[k].context #>> '{profile,on_conflict}' = 'reject' THEN
                PERFORM radscheduler.refuse_conflict(v_items[k]);
            END IF;
            v_items[k].conflicts := radscheduler.conflicts_of(v_items[k].site_id, v_items[k].appointment_id);
        END IF;
    END LOOP;
    RETURN v_items;
END
$$;

COMMENT ON FUNCTION radscheduler.process_items(radscheduler.ingest_item[]) IS
    'Applies opened messages that may go together (see waves()), by the handler that their action names; nothing is logged here.';

CREATE OR REPLACE FUNCTION radscheduler.waves(p_items radscheduler.ingest_item[]) RETURNS integer[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_item   radscheduler.ingest_item;
    v_waves  integer[] := '{}';
    v_wave   integer := 1;
    v_before radscheduler.ingest_item;
    v_used   text[] := '{}';
    v_names  text[];
BEGIN
    FOREACH v_item IN ARRAY p_items LOOP
        v_names := ARRAY['K/' || v_item.sender_id || '/' || (v_item.context #>> '{header,control_id}') || '/' || encode(v_item.raw_sha256, 'hex'),
                         'F/' || v_item.sender_id || '/' || (v_item.reading #>> '{schedule,filler_id}'), 'P/' || v_item.sender_id || '/' || (v_item.reading #>> '{schedule,placer_id}')];
        IF cardinality(v_waves) > 0 AND (v_used && array_remove(v_names, NULL) OR v_item.site_id <> v_before.site_id
                                         OR v_item.outcome IS NULL AND (v_item.action <> 'schedule' OR v_before.action IS DISTINCT FROM 'schedule')) THEN
            v_wave := v_wave + 1;
            v_used := '{}';
        END IF;
        v_used := v_used || array_remove(v_names, NULL);
        v_waves := v_waves || v_wave;
        IF v_item.outcome IS NULL OR v_before IS NULL THEN
            v_before := v_item;
        END IF;
    END LOOP;
    RETURN v_waves;
END
$$;

COMMENT ON FUNCTION radscheduler.waves(radscheduler.ingest_item[]) IS
    'Numbers messages by the wave they are applied in, in their order: within a wave each is about an appointment of its own at one site; messages about blocks, patients and orders go alone.';

CREATE OR REPLACE FUNCTION radscheduler.ingest_many(p_messages bytea[], p_channel text, p_peer text) RETURNS radscheduler.ingest_item[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_items radscheduler.ingest_item[] := '{}';
    v_done  radscheduler.ingest_item[] := '{}';
    v_wave  radscheduler.ingest_item[];
    v_apart radscheduler.ingest_item[];
    v_item  radscheduler.ingest_item;
    v_names text[];
    v_waves integer[];
BEGIN
    FOR k IN 1 .. cardinality(p_messages) LOOP
        v_item := radscheduler.open_message(p_messages[k], p_channel, p_peer);
        v_item.ordinal := k;
        v_items := v_items || v_item;
        IF v_item.outcome IS NULL THEN
            v_names := v_names || radscheduler.lock_names(v_item);
        END IF;
    END LOOP;
    PERFORM radscheduler.lock_keys(v_names);
    v_waves := CASE WHEN cardinality(v_items) = 1 THEN '{1}' ELSE radscheduler.waves(v_items) END;
    IF v_waves[cardinality(v_waves)] > 1 THEN
        PERFORM radscheduler.lock_ahead(v_items);
    END IF;
    FOR w IN 1 .. v_waves[cardinality(v_waves)] LOOP
        v_apart := '{}';
        v_wave := '{}';
        FOR k IN 1 .. cardinality(v_items) LOOP
            IF v_waves[k] = w AND v_items[k].outcome IS NULL THEN
                v_wave := v_wave || v_items[k];
            ELSIF v_waves[k] = w THEN
                v_apart := v_apart || v_items[k];
            END IF;
        END LOOP;
        IF v_wave <> '{}' THEN
            v_items := v_items; -- what follows works on the wave alone
            v_wave := radscheduler.guard_items(v_wave);
            v_apart := v_apart || ARRAY(SELECT i::radscheduler.ingest_item FROM unnest(v_wave) i WHERE i.outcome IS NOT NULL);
            v_wave := ARRAY(SELECT i::radscheduler.ingest_item FROM unnest(v_wave) i WHERE i.outcome IS NULL);
            IF v_wave <> '{}' THEN
                v_wave := radscheduler.process_items(v_wave);
            END IF;
        END IF;
        v_wave := v_apart || v_wave;
        FOR k IN 1 .. cardinality(v_wave) LOOP
            IF v_wave[k].ack IS NULL THEN
                v_wave[k].ack := radscheduler.answer(v_wave[k].raw, v_wave[k].code, v_wave[k].message_id, v_wave[k].context ->> 'zone', v_wave[k].error,
                                                     v_wave[k].conflicts, v_wave[k].context #>> '{profile,charset}');
            END IF;
            IF v_wave[k].error IS NOT NULL THEN
                DELETE FROM radscheduler.message_key m WHERE m.site_id = v_wave[k].site_id AND m.sender_id = v_wave[k].sender_id AND m.message_id = v_wave[k].message_id
                    AND m.control_id = v_wave[k].context #>> '{header,control_id}' AND m.body_sha256 = v_wave[k].raw_sha256;
            END IF;
        END LOOP;
        PERFORM radscheduler.log_items(v_wave);
        v_done := v_done || v_wave;
    END LOOP;
    RETURN v_done;
END
$$;

COMMENT ON FUNCTION radscheduler.ingest_many(bytea[], text, text) IS
    'ingest_batch() without its safety net: an unexpected error is raised. Items come back numbered by their place, not in order.';

CREATE OR REPLACE FUNCTION radscheduler.lock_ahead(p_items radscheduler.ingest_item[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_site integer;
BEGIN
    PERFORM radscheduler.resolve_resources(ARRAY(SELECT i::radscheduler.ingest_item FROM unnest(p_items) i WHERE i.outcome IS NULL AND i.action IN ('schedule', 'block')));
    FOR v_site IN SELECT DISTINCT i.site_id FROM unnest(p_items) i WHERE i.outcome IS NULL ORDER BY 1 LOOP
        PERFORM radscheduler.lock_subjects(v_site,
            ARRAY(SELECT unnest(f.resource_ids) FROM radscheduler.find_resources(ARRAY(SELECT i::radscheduler.ingest_item FROM unnest(p_items) i WHERE i.outcome IS NULL AND i.site_id = v_site)) f)
            || ARRAY(SELECT r.resource_id FROM unnest(p_items) i
                     JOIN radscheduler.appointment a ON a.site_id = i.site_id AND a.sender_id = i.sender_id AND (a.filler_id = i.filler_id OR a.placer_id = i.placer_id)
                     JOIN radscheduler.appointment_resource r ON r.site_id = a.site_id AND r.appointment_id = a.appointment_id
                     WHERE i.outcome IS NULL AND i.site_id = v_site),
            ARRAY(SELECT f.patient_id FROM radscheduler.find_patients(ARRAY(SELECT i::radscheduler.ingest_item FROM unnest(p_items) i WHERE i.outcome IS NULL AND i.site_id = v_site)) f)
            || ARRAY(SELECT a.patient_id FROM unnest(p_items) i
                     JOIN radscheduler.appointment a ON a.site_id = i.site_id AND a.sender_id = i.sender_id AND (a.filler_id = i.filler_id OR a.placer_id = i.placer_id)
                     WHERE i.outcome IS NULL AND i.site_id = v_site));
    END LOOP;
END
$$;

COMMENT ON FUNCTION radscheduler.lock_ahead(radscheduler.ingest_item[]) IS
    'For messages that are applied in several waves: records unknown resources and locks every resource and patient of all of them before the first row is written, so that two batches cannot wait for each other.';

CREATE OR REPLACE FUNCTION radscheduler.is_passing(p_state text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN pg_catalog.left(p_state, 2) IN ('08', '40', '53', '55', '57', '58') OR p_state IN ('42501', '42P01');

COMMENT ON FUNCTION radscheduler.is_passing(text) IS
    'Whether an SQLSTATE tells of something that trying again, or a grant, may cure (classes 08, 40, 53, 55, 57, 58; 42501, 42P01): no message is answered AE for it.';

CREATE OR REPLACE FUNCTION radscheduler.ingest_one(p_bytes bytea, p_channel text, p_peer text) RETURNS radscheduler.ingest_item
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_state      text;
    v_constraint text;
    v_detail     text;
    v_items      radscheduler.ingest_item[];
    r            radscheduler.ingest_item;
BEGIN
    BEGIN
        v_items := radscheduler.ingest_many(ARRAY[p_bytes], p_channel, p_peer);
        RETURN v_items[1];
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_constraint = CONSTRAINT_NAME, v_detail = PG_EXCEPTION_DETAIL;
        IF radscheduler.is_passing(v_state) THEN
            RAISE;
        END IF;
    END;
    r.message_id := nextval('radscheduler.hl7_message_id_seq');
    r.received_at := clock_timestamp();
    r.raw := p_bytes;
    r.raw_sha256 := sha256(p_bytes);
    r.context := radscheduler.message_context(radscheduler.hl7_header(p_bytes) -> 'header', p_channel, p_peer);
    r.site_id := (r.context ->> 'site_id')::integer;
    r.sender_id := (r.context ->> 'sender_id')::bigint;
    r.code := 'AE';
    r.outcome := 'error';
    r.warnings := r.context -> 'warnings';
    r.conflicts := '[]';
    IF v_state IN ('RS001', 'RS003') THEN
        r.error := v_detail::jsonb -> 'error';
        r.warnings := v_detail::jsonb -> 'warnings';
        r.conflicts := coalesce(v_detail::jsonb -> 'conflicts', '[]');
        r.appointment_id := (v_detail::jsonb ->> 'appointment_id')::bigint;
    ELSE
        r.error := jsonb_build_object('code', '207', 'path', '', 'text',
            format('The message could not be applied (SQLSTATE %s%s). It is kept and can be sent again once the cause is mended.', v_state,
                   coalesce(', constraint ' || nullif(v_constraint, ''), '')));
    END IF;
    r.ack := radscheduler.answer(p_bytes, r.code, r.message_id, r.context ->> 'zone', r.error, '[]', r.context #>> '{profile,charset}');
    PERFORM radscheduler.log_items(ARRAY[r]);
    RETURN r;
END
$$;

COMMENT ON FUNCTION radscheduler.ingest_one(bytea, text, text) IS
    'One message with the safety net: what goes wrong inside is undone, the bytes are kept and answered AE. Raises only what is_passing().';

CREATE OR REPLACE FUNCTION radscheduler.ingest(bytes bytea, channel text DEFAULT 'sql', peer text DEFAULT NULL) RETURNS radscheduler.ingest_result
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
BEGIN
    IF bytes IS NULL THEN
        RAISE EXCEPTION 'ingest needs the bytes of a message, not NULL' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    RETURN radscheduler.result_of(radscheduler.ingest_one(bytes, channel, peer));
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.ingest_batch(messages bytea[], channel text DEFAULT 'sql', peer text DEFAULT NULL) RETURNS SETOF radscheduler.ingest_result
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 50 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
DECLARE
    v_items radscheduler.ingest_item[];
    v_state text;
BEGIN
    IF messages IS NULL OR array_position(messages, NULL) IS NOT NULL OR array_ndims(messages) > 1 THEN
        RAISE EXCEPTION 'ingest_batch needs a one-dimensional array of messages, none of them NULL' USING ERRCODE = 'null_value_not_allowed';
    ELSIF cardinality(messages) > 1000 THEN
        RAISE EXCEPTION 'a batch of % messages is too large', cardinality(messages)
            USING ERRCODE = 'program_limit_exceeded', HINT = 'Give at most 1000 messages at a time; 50 to 200 is where it is fastest.';
    ELSIF cardinality(messages) = 0 THEN
        RETURN;
    END IF;
    BEGIN
        v_items := radscheduler.ingest_many(messages, channel, peer);
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE;
        IF radscheduler.is_passing(v_state) THEN
            RAISE;
        END IF;
        v_items := NULL;
    END;
    IF v_items IS NOT NULL THEN
        RETURN QUERY SELECT i.message_id, i.ack, i.code, i.outcome, i.appointment_id, i.warnings, i.conflicts FROM unnest(v_items) i ORDER BY i.ordinal;
    ELSE
        -- One of them failed: each goes alone, and only that one is answered AE.
        FOR k IN 1 .. cardinality(messages) LOOP
            RETURN NEXT radscheduler.result_of(radscheduler.ingest_one(messages[k], channel, peer));
        END LOOP;
    END IF;
END
$$;

COMMENT ON FUNCTION radscheduler.ingest_batch(bytea[], text, text) IS
    'ingest() of several messages in one transaction, in their order, with one statement per table for all of them: results come in that order. What becomes of each is what ingest() would make of it. At most 1000.';

CREATE OR REPLACE FUNCTION radscheduler.raise_conflict(p_site integer, p_appointment bigint) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_zone     text := radscheduler.site_zone(p_site);
    v_conflict record;
BEGIN
    SELECT c.code, k.text, r.name, o.appointment_id AS other_appointment_id, o.starts_at, o.ends_at, c.alternatives INTO v_conflict
        FROM radscheduler.conflict c
        JOIN radscheduler.conflict_kind k ON k.code = c.code
        JOIN radscheduler.appointment o ON o.site_id = c.site_id AND o.appointment_id = CASE c.appointment_id WHEN p_appointment THEN c.other_appointment_id ELSE c.appointment_id END
        LEFT JOIN radscheduler.resource r ON c.axis = 'resource' AND r.site_id = c.site_id AND r.resource_id = c.subject_id
        WHERE c.site_id = p_site AND p_appointment IN (c.appointment_id, c.other_appointment_id) AND c.state = 'open' AND c.severity = 'critical'
        ORDER BY c.conflict_id LIMIT 1;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    RAISE EXCEPTION '%', format(v_conflict.text, v_conflict.name)
        USING ERRCODE = 'exclusion_violation', SCHEMA = 'radscheduler', TABLE = 'occupancy', CONSTRAINT = 'occupancy_no_overlap',
              DETAIL = format('%s: appointment %s holds %s to %s (%s).', v_conflict.code, v_conflict.other_appointment_id,
                              to_char(timezone(v_zone, v_conflict.starts_at), 'YYYY-MM-DD HH24:MI'),
                              to_char(timezone(v_zone, v_conflict.ends_at), 'HH24:MI'), v_zone),
              HINT = coalesce('Free instead: ' || (SELECT string_agg(format('%s on %s', to_char(timezone(v_zone, (a ->> 'start')::timestamptz), 'YYYY-MM-DD HH24:MI'), a ->> 'resource'), ', ')
                                                   FROM jsonb_array_elements(v_conflict.alternatives) a) || '.',
                              'Choose another time; radscheduler.find_slots() lists free ones.');
END
$$;

COMMENT ON FUNCTION radscheduler.raise_conflict(integer, bigint) IS
    'Refuses a booking that has a critical conflict, on either side of it: raises 23P01 with the other appointment in DETAIL and free times in HINT. No patient data.';

CREATE OR REPLACE FUNCTION radscheduler.appointments_write() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
DECLARE
    v_site      integer := CASE WHEN TG_OP = 'INSERT' THEN radscheduler.current_site() END;
    v_zone      text;
    v_id        bigint;
    v_old       radscheduler.appointment;
    v_values    record;
    v_patient   bigint := NULL;
    v_starts    timestamptz;
    v_ends      timestamptz;
    v_resources bigint[];
    v_status    radscheduler.appointment_status;
    v_shift     interval;
    v_moved     bigint[];
BEGIN
    -- What is asked for, in stored values.
    IF TG_OP <> 'DELETE' THEN
        NEW.patient_id := nullif(btrim(NEW.patient_id), '');
        NEW.patient_name := nullif(btrim(NEW.patient_name), '');
        IF NEW.patient_id IS NULL OR NEW.patient_name IS NULL OR NEW.modality IS NULL
           OR NEW.datetime IS NULL AND coalesce(NEW.status, 'SCHEDULED') NOT IN ('PENDING', 'WAITLISTED', 'CANCELLED') THEN
            RAISE EXCEPTION 'an appointment needs %', CASE WHEN NEW.patient_id IS NULL THEN 'patient_id' WHEN NEW.patient_name IS NULL THEN 'patient_name'
                                                           WHEN NEW.modality IS NULL THEN 'modality' ELSE 'datetime' END
                USING ERRCODE = 'not_null_violation', HINT = 'patient_id, patient_name, modality and datetime must be given; only PENDING, WAITLISTED and CANCELLED rows go without datetime.';
        END IF;
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.datetime NOT BETWEEN '1900-01-01' AND '2200-01-01' THEN
        RAISE EXCEPTION 'datetime lies outside the years 1900 to 2199' USING ERRCODE = 'datetime_field_overflow', HINT = 'Give the local date and time of the exam.';
    END IF;
    IF TG_OP <> 'INSERT' THEN
        SELECT a.site_id INTO v_site FROM radscheduler.appointment a WHERE a.appointment_id = OLD.id;
        PERFORM radscheduler.require_site(v_site);
    END IF;
    v_zone := radscheduler.site_zone(v_site);
    IF TG_OP <> 'DELETE' THEN
        SELECT * INTO v_values FROM radscheduler.check_appointment_values(v_site, NEW.modality, coalesce(NEW.duration, 30), coalesce(NEW.status, 'SCHEDULED'), coalesce(NEW.urgency, 'routine'));
        v_starts := radscheduler.to_instant(to_char(NEW.datetime, 'YYYY-MM-DD"T"HH24:MI:SS.US'), v_zone);
        v_ends := v_starts + make_interval(mins => coalesce(NEW.duration, 30));
        v_status := v_values.status;
    ELSE
        v_status := 'CANCELLED';
    END IF;
    IF TG_OP = 'UPDATE' AND (NEW.id IS DISTINCT FROM OLD.id OR NEW.conflicts IS DISTINCT FROM OLD.conflicts OR NEW.source IS DISTINCT FROM OLD.source) THEN
        RAISE EXCEPTION 'the columns id, conflicts and source of appointments cannot be updated'
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Conflicts follow from the bookings: move or cancel one of them.';
    END IF;

    -- Locks in the one order, then the row as it is now.
    PERFORM radscheduler.lock_keys(radscheduler.appointment_lock_names(v_site, CASE WHEN TG_OP <> 'INSERT' THEN OLD.id END)
                                   || CASE WHEN TG_OP <> 'DELETE' THEN format('patient/%s/%s', v_site, NEW.patient_id) END);
    IF TG_OP = 'INSERT' OR TG_OP = 'UPDATE' AND (NEW.patient_id, NEW.patient_name, NEW.patient_phone) IS DISTINCT FROM (OLD.patient_id, OLD.patient_name, OLD.patient_phone) THEN
        SELECT p.patient_id INTO v_patient FROM radscheduler.resolve_patient(v_site,
            jsonb_build_object('identifiers', jsonb_build_array(jsonb_build_object('value', NEW.patient_id)),
                               CASE WHEN TG_OP = 'INSERT' OR NEW.patient_name <> OLD.patient_name THEN 'display' ELSE 'display_if_new' END, NEW.patient_name)
            || CASE WHEN TG_OP = 'INSERT' AND NEW.patient_phone IS NULL OR TG_OP = 'UPDATE' AND NEW.patient_phone IS NOT DISTINCT FROM OLD.patient_phone THEN '{}'
                    WHEN NEW.patient_phone IS NULL THEN '{"phones": []}'
                    ELSE jsonb_build_object('phones', jsonb_build_array(jsonb_build_object('value', NEW.patient_phone))) END,
            '', (SELECT s.phone_region FROM radscheduler.site s WHERE s.site_id = v_site)) p;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        v_id := OLD.id;
        SELECT array_agg(ar.resource_id) INTO v_resources FROM radscheduler.appointment_resource ar WHERE ar.site_id = v_site AND ar.appointment_id = v_id;
        PERFORM radscheduler.lock_subjects(v_site, v_resources, ARRAY[v_patient, (SELECT a.patient_id FROM radscheduler.appointment a WHERE a.site_id = v_site AND a.appointment_id = v_id)]);
        SELECT * INTO v_old FROM radscheduler.appointment a WHERE a.site_id = v_site AND a.appointment_id = v_id FOR UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the appointment was removed while this change waited for it' USING ERRCODE = 'serialization_failure', HINT = 'Look again, it is no longer there.';
        END IF;
    ELSE
        PERFORM radscheduler.lock_subjects(v_site, NULL, ARRAY[v_patient]);
    END IF;

    -- The row.
    IF TG_OP = 'INSERT' THEN
        INSERT INTO radscheduler.appointment AS a (site_id, patient_id, status, starts_at, ends_at, modality, study_text, referring_physician, urgency, notes, source, booked_at)
            VALUES (v_site, v_patient, v_status, v_starts, v_ends, v_values.modality, NEW.study_type, NEW.referring_physician, v_values.urgency, NEW.notes, coalesce(NEW.source, 'SQL'), now())
            RETURNING a.appointment_id INTO v_id;
    ELSIF TG_OP = 'UPDATE' THEN
        v_shift := nullif(v_starts - v_old.starts_at, interval '0');
        IF NEW.status = OLD.status THEN
            v_status := CASE WHEN v_old.review_reason = 'CONFLICT' THEN coalesce(v_old.resume_status, v_old.status) ELSE v_old.status END;
        END IF;
        UPDATE radscheduler.appointment a SET patient_id = coalesce(v_patient, a.patient_id), status = v_status,
               review_reason = CASE WHEN v_status = 'PENDING_REVIEW' THEN a.review_reason END, resume_status = NULL,
               starts_at = v_starts, ends_at = v_ends, modality = v_values.modality, study_text = NEW.study_type,
               referring_physician = NEW.referring_physician, urgency = v_values.urgency, notes = NEW.notes,
               reschedule_count = a.reschedule_count + CASE WHEN v_shift IS NULL THEN 0 ELSE 1 END,
               original_starts_at = CASE WHEN v_shift IS NULL THEN a.original_starts_at ELSE coalesce(a.original_starts_at, a.starts_at) END,
               moved_at = CASE WHEN (v_starts, v_ends) IS DISTINCT FROM (a.starts_at, a.ends_at) OR radscheduler.is_closed(a.status) THEN now() ELSE a.moved_at END,
               version = a.version + 1, updated_at = now()
            WHERE a.site_id = v_site AND a.appointment_id = v_id;
        PERFORM radscheduler.shift_rows(v_site, v_id, v_shift, v_old.ends_at, v_ends);
    ELSE
        IF radscheduler.is_closed(v_old.status) THEN
            RETURN OLD;
        END IF;
        UPDATE radscheduler.appointment a SET status = 'CANCELLED', review_reason = NULL, resume_status = NULL, version = a.version + 1, updated_at = now()
            WHERE a.site_id = v_site AND a.appointment_id = v_id;
    END IF;

    -- Its time, and whether that may be.
    IF radscheduler.is_occupying(v_status) THEN
        v_moved := radscheduler.occupy(v_site, v_id, TG_OP = 'INSERT');
    ELSIF TG_OP <> 'INSERT' THEN
        v_moved := radscheduler.vacate(v_site, v_id, CASE WHEN v_status IN ('COMPLETED', 'DISCONTINUED', 'NO_SHOW') THEN now() END);
    END IF;
    IF radscheduler.settle(v_site, ARRAY[v_id], v_moved) IS NOT NULL
       AND (TG_OP = 'INSERT' OR v_shift IS NOT NULL OR v_ends > v_old.ends_at OR v_patient <> v_old.patient_id OR NOT radscheduler.is_occupying(v_old.status)) THEN
        PERFORM radscheduler.raise_conflict(v_site, v_id);
    END IF;
    PERFORM radscheduler.record_version(v_site, v_id, radscheduler.event_name(v_old.status, v_status, v_shift IS NOT NULL), NULL);
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    SELECT v.* INTO NEW FROM radscheduler.appointments v WHERE v.id = v_id;
    RETURN NEW;
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.log_json(p_context jsonb, p_bytes bytea, p_result radscheduler.ingest_result, p_error jsonb, p_duplicate_of bigint, p_received timestamptz) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_item radscheduler.ingest_item;
BEGIN
    v_item.context := p_context;
    v_item.site_id := (p_context ->> 'site_id')::integer;
    v_item.sender_id := (p_context ->> 'sender_id')::bigint;
    v_item.message_id := p_result.message_id;
    v_item.received_at := p_received;
    v_item.raw := p_bytes;
    v_item.raw_sha256 := sha256(p_bytes);
    v_item.outcome := p_result.outcome;
    v_item.code := p_result.code;
    v_item.warnings := p_result.warnings;
    v_item.ack := p_result.ack;
    v_item.appointment_id := p_result.appointment_id;
    v_item.error := p_error;
    v_item.duplicate_of := p_duplicate_of;
    PERFORM radscheduler.log_items(ARRAY[v_item]);
END
$$;

COMMENT ON FUNCTION radscheduler.log_json(jsonb, bytea, radscheduler.ingest_result, jsonb, bigint, timestamptz) IS 'log_items() of one JSON body and what became of it.';

CREATE OR REPLACE FUNCTION radscheduler.ingest_json(body jsonb, raw bytea DEFAULT NULL, channel text DEFAULT 'sql', peer text DEFAULT NULL) RETURNS radscheduler.ingest_result
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
DECLARE
    v_bytes    bytea := coalesce(raw, convert_to(body::text, 'UTF8'));
    v_received timestamptz := clock_timestamp();
    v_context  jsonb := radscheduler.message_context(jsonb_build_object('sending_application', 'API', 'message_code', 'JSON', 'trigger_event', 'S12'), channel, peer)
                        || jsonb_build_object('source', 'API');
    v_site     integer := (v_context ->> 'site_id')::integer;
    v_sender   bigint := (v_context ->> 'sender_id')::bigint;
    v_read     record;
    v_applied  record;
    v_first    record;
    v_error    jsonb;
    r          radscheduler.ingest_result;
BEGIN
    r.message_id := nextval('radscheduler.hl7_message_id_seq');
    r.warnings := '[]';
    r.conflicts := '[]';
    SELECT * INTO v_read FROM radscheduler.json_reading(v_site, body);
    v_error := v_read.error;
    IF v_error IS NULL THEN
        PERFORM radscheduler.lock_keys(ARRAY['appointment/' || v_sender || '/F/' || (v_read.reading #>> '{schedule,filler_id}'), 'body/' || encode(sha256(v_bytes), 'hex')]
                                       || radscheduler.patient_lock_names(v_site, v_read.reading -> 'patient'));
        INSERT INTO radscheduler.message_key (site_id, sender_id, control_id, body_sha256, message_id, received_at)
            VALUES (v_site, v_sender, '', sha256(v_bytes), r.message_id, v_received) ON CONFLICT DO NOTHING;
        IF NOT FOUND THEN
            SELECT m.message_id, m.code, m.ack, m.appointment_id INTO v_first
                FROM radscheduler.message_key k
                JOIN radscheduler.hl7_message m ON m.site_id = k.site_id AND m.received_at = k.received_at AND m.message_id = k.message_id
                JOIN radscheduler.appointment a ON a.site_id = m.site_id AND a.appointment_id = m.appointment_id AND NOT radscheduler.is_closed(a.status)
                WHERE k.site_id = v_site AND k.sender_id = v_sender AND k.control_id = '' AND k.body_sha256 = sha256(v_bytes);
            IF FOUND THEN
                r.outcome := 'duplicate';
                r.code := v_first.code;
                r.ack := v_first.ack;
                r.appointment_id := v_first.appointment_id;
                r.conflicts := radscheduler.conflicts_of(v_site, r.appointment_id);
                PERFORM radscheduler.log_json(v_context, v_bytes, r, NULL, v_first.message_id, v_received);
                RETURN r;
            END IF;
            UPDATE radscheduler.message_key k SET message_id = r.message_id, received_at = v_received
                WHERE k.site_id = v_site AND k.sender_id = v_sender AND k.control_id = '' AND k.body_sha256 = sha256(v_bytes);
        END IF;
        SELECT * INTO v_applied FROM radscheduler.apply_reading(v_context, v_read.reading, r.message_id, v_received);
        v_error := v_applied.error;
        r.outcome := v_applied.outcome;
        r.appointment_id := v_applied.appointment_id;
        r.warnings := v_applied.warnings;
        r.conflicts := radscheduler.conflicts_of(v_site, r.appointment_id);
    END IF;
    r.code := CASE WHEN v_error IS NULL THEN 'AA' ELSE 'AE' END;
    r.outcome := CASE WHEN v_error IS NULL THEN r.outcome ELSE 'error' END;
    r.ack := convert_to(jsonb_strip_nulls(jsonb_build_object('code', r.code, 'message_id', r.message_id, 'appointment_id', r.appointment_id, 'error', v_error))::text, 'UTF8');
    PERFORM radscheduler.log_json(v_context, v_bytes, r, v_error, NULL, v_received);
    RETURN r;
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.release_appointments(p_site integer, p_appointments bigint[], p_patients bigint[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_waiting bigint[];
BEGIN
    PERFORM radscheduler.lock_subjects(p_site,
        ARRAY(SELECT r.resource_id FROM radscheduler.appointment_resource r WHERE r.site_id = p_site AND r.appointment_id = ANY (p_appointments)),
        p_patients || ARRAY(SELECT a.patient_id FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments)));
    PERFORM FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments) ORDER BY a.appointment_id FOR UPDATE;
    -- All of them leave before the first is settled: none is healed by another that leaves with it.
    UPDATE radscheduler.appointment a SET status = 'DELETED', review_reason = NULL, resume_status = NULL
        WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments) AND NOT radscheduler.is_closed(a.status);
    v_waiting := radscheduler.waiting_behind(p_site, p_appointments);
    DELETE FROM radscheduler.occupancy o WHERE o.site_id = p_site AND o.appointment_id = ANY (p_appointments);
    PERFORM radscheduler.settle(p_site, p_appointments, CASE WHEN v_waiting IS NOT NULL THEN radscheduler.reseat(p_site, v_waiting) END);
END
$$;

INSERT INTO radscheduler.storage_step (version, topic, script) VALUES (14, 'ingestion', $storage_step$
-- What messages in any order need: when an appointment laid claim to its time, where it belongs, which of its parts are still in force.

ALTER TABLE radscheduler.appointment
    ADD COLUMN booked_at        timestamptz,
    ADD COLUMN moved_at         timestamptz,
    ADD COLUMN visit_group      text,
    ADD COLUMN parent_filler_id text,
    ADD COLUMN parent_placer_id text,
    ADD COLUMN holds_time       boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN radscheduler.appointment.booked_at IS 'Earliest MSH-7 of any message about it, late ones included (or when it was booked here): with moved_at, its place in the queue for a time that others want too.';
COMMENT ON COLUMN radscheduler.appointment.moved_at IS 'Latest MSH-7 of a message that told another time than it has now, or closed it: its claim to the present time is younger than that. NULL when it was never anything else.';
COMMENT ON COLUMN radscheduler.appointment.visit_group IS 'SCH-4: appointments of one visit.';
COMMENT ON COLUMN radscheduler.appointment.parent_filler_id IS 'SCH-24: the series it belongs to, in the filler''s numbering.';
COMMENT ON COLUMN radscheduler.appointment.parent_placer_id IS 'SCH-23: the series it belongs to, in the placer''s numbering.';
COMMENT ON COLUMN radscheduler.appointment.holds_time IS 'True when a PENDING appointment of this sender takes its time (profile key pending_occupies).';

ALTER TABLE radscheduler.appointment_service
    ADD COLUMN set_id text,
    ADD COLUMN status radscheduler.appointment_status CHECK (radscheduler.is_closed(status));
COMMENT ON COLUMN radscheduler.appointment_service.set_id IS 'AIS-1.';
COMMENT ON COLUMN radscheduler.appointment_service.status IS 'CANCELLED, DISCONTINUED or DELETED when this exam alone was taken out (S20 to S22); NULL while it is in force.';

ALTER TABLE radscheduler.appointment_resource
    ADD COLUMN set_id text,
    ADD COLUMN status radscheduler.appointment_status CHECK (radscheduler.is_closed(status));
COMMENT ON COLUMN radscheduler.appointment_resource.set_id IS 'AIG-1, AIL-1 or AIP-1.';
COMMENT ON COLUMN radscheduler.appointment_resource.status IS 'CANCELLED, DISCONTINUED or DELETED when this resource alone was taken out (S20 to S22); NULL while it is in force.';

ALTER TABLE radscheduler.patient ADD COLUMN message_time timestamptz;
COMMENT ON COLUMN radscheduler.patient.message_time IS 'MSH-7 of the last message that changed the row (or when it was changed here): an older one does not overwrite it.';
$storage_step$);

DO $$
DECLARE
    v_function text;
    v_role     text;
BEGIN
    -- Before there are records nobody was granted anything: what others than PUBLIC hold came by ALTER DEFAULT PRIVILEGES.
    FOR v_function, v_role IN
        SELECT DISTINCT p.oid::regprocedure::text, x.grantee::regrole::text FROM pg_catalog.pg_proc p, pg_catalog.aclexplode(p.proacl) x
        WHERE p.pronamespace = 'radscheduler'::regnamespace AND x.grantee NOT IN (0, p.proowner) AND radscheduler.storage_version() = 0
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM %s', v_function, v_role);
    END LOOP;
    FOR v_function IN
        SELECT p.oid::regprocedure::text FROM pg_catalog.pg_proc p
        JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
        JOIN pg_catalog.pg_extension e ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND e.oid = d.refobjid AND e.extname = 'radscheduler'
        WHERE p.proname NOT LIKE 'hl7%'
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', v_function);
    END LOOP;
END
$$;

SELECT radscheduler.write_rights('GRANT', 'public', 'public');

GRANT USAGE ON SCHEMA radscheduler TO PUBLIC;

GRANT SELECT ON radscheduler.storage_step, radscheduler.modality_catalogue, radscheduler.procedure_catalogue, radscheduler.status_alias, radscheduler.event_rule,
                radscheduler.warning_kind, radscheduler.conflict_kind, radscheduler.phone_region, radscheduler.role_right TO PUBLIC;

SELECT radscheduler.migrate();

SELECT radscheduler.settle_initial_rights();
