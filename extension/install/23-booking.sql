-- The shapes of booking: what is asked for, what became of it, what is in the way.

CREATE TYPE radscheduler.booking_result AS (
    outcome        text,
    appointment_id bigint,
    version        integer,
    status         radscheduler.appointment_status,
    conflicts      jsonb,
    alternatives   jsonb,
    warnings       jsonb,
    error          jsonb
);
COMMENT ON TYPE radscheduler.booking_result IS
    'What became of a booking or change: outcome (booked, changed, unchanged, refused); the appointment, its version and status; its conflicts as conflicts_of() writes them; when refused free times as alternatives() writes them, and error {code, sqlstate, text, detail, hint}; warnings [{code, text}].';

CREATE TYPE radscheduler.booking_wish AS (
    site_id             integer,
    patient_key         text,
    patient_name        text,
    patient_phone       text,
    starts_at           timestamptz,
    ends_at             timestamptz,
    modality            text,
    study_code          text,
    study_text          text,
    resource_ids        bigint[],
    is_pooled           boolean,
    referring_physician text,
    urgency             text,
    notes               text,
    hold_id             bigint
);
COMMENT ON TYPE radscheduler.booking_wish IS 'A booking that was asked for, in stored values: read_wish() makes it. is_pooled: among its resources there is neither a scanner nor a room.';

CREATE TYPE radscheduler.conflict_found AS (
    code                 text,
    severity             radscheduler.severity,
    axis                 radscheduler.axis,
    resource             text,
    other_appointment_id bigint,
    starts_at            timestamptz,
    ends_at              timestamptz,
    message              text
);
COMMENT ON TYPE radscheduler.conflict_found IS 'A conflict as check_conflicts() tells of it: code, severity, axis, the resource''s code, the other appointment, the time it concerns, the sentence.';
