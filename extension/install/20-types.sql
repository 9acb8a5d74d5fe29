-- The words the records are written in.

CREATE TYPE radscheduler.axis AS ENUM ('resource', 'patient');
COMMENT ON TYPE radscheduler.axis IS 'Which series of ids an occupied subject belongs to.';

CREATE TYPE radscheduler.resource_kind AS ENUM ('room', 'equipment', 'staff');
COMMENT ON TYPE radscheduler.resource_kind IS 'What a resource is: AIL names rooms, AIG equipment (or what its type says), AIP staff.';

CREATE TYPE radscheduler.severity AS ENUM ('info', 'warning', 'critical');
COMMENT ON TYPE radscheduler.severity IS 'How bad a conflict is, ascending.';

CREATE TYPE radscheduler.conflict_state AS ENUM ('open', 'accepted', 'resolved');
COMMENT ON TYPE radscheduler.conflict_state IS 'Open: someone must look. Accepted: someone has allowed it. Resolved: it no longer exists.';

CREATE TYPE radscheduler.appointment_status AS ENUM (
    'PENDING', 'WAITLISTED', 'SCHEDULED', 'CONFIRMED', 'PENDING_REVIEW', 'ARRIVED', 'IN_PROGRESS',
    'COMPLETED', 'CANCELLED', 'DISCONTINUED', 'NO_SHOW', 'DELETED');
COMMENT ON TYPE radscheduler.appointment_status IS
    'Life cycle of an appointment. SCHEDULED, CONFIRMED, PENDING_REVIEW, ARRIVED and IN_PROGRESS occupy time; COMPLETED, CANCELLED, DISCONTINUED, NO_SHOW and DELETED are closed.';

CREATE TYPE radscheduler.ingest_result AS (
    message_id     bigint,
    ack            bytea,
    code           text,
    outcome        text,
    appointment_id bigint,
    warnings       jsonb,
    conflicts      jsonb
);
COMMENT ON TYPE radscheduler.ingest_result IS
    'What became of a message: its number in hl7_message, the acknowledgement to send (unframed), MSA-1, outcome (applied, flagged, duplicate, stale, ignored, error, rejected), the appointment, warnings and conflicts.';

CREATE TYPE radscheduler.http_reply AS (
    status       integer,
    content_type text,
    body         text,
    headers      jsonb
);
COMMENT ON TYPE radscheduler.http_reply IS 'An HTTP answer made in SQL: status code, media type, body, further header fields ({"ETag": "\"3\""}; null for none).';

CREATE FUNCTION radscheduler.is_timezone(name text) RETURNS boolean
    LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM timezone(name, '2000-01-01 00:00+00'::timestamptz);
    RETURN true;
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN false;
END
$$;
COMMENT ON FUNCTION radscheduler.is_timezone(text) IS 'Whether PostgreSQL knows a time zone of this name.';

CREATE FUNCTION radscheduler.is_occupying(status radscheduler.appointment_status) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN status IN ('SCHEDULED'::radscheduler.appointment_status, 'CONFIRMED', 'PENDING_REVIEW', 'ARRIVED', 'IN_PROGRESS');
COMMENT ON FUNCTION radscheduler.is_occupying(radscheduler.appointment_status) IS 'True for the states that take time from patient and resources.';

CREATE FUNCTION radscheduler.is_closed(status radscheduler.appointment_status) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN status IN ('COMPLETED'::radscheduler.appointment_status, 'CANCELLED', 'DISCONTINUED', 'NO_SHOW', 'DELETED');
COMMENT ON FUNCTION radscheduler.is_closed(radscheduler.appointment_status) IS 'True for the states nothing follows in the ordinary course.';
