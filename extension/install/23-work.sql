-- What travels through ingestion: one item per message, from its bytes to its answer.

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
    duplicate_of   bigint,
    patient_event  text,
    event          text,
    event_data     jsonb,
    entry          jsonb,
    asks_time      boolean,
    is_overbook    boolean,
    is_heeded      boolean,
    best           jsonb,
    is_complete    boolean,
    reply          jsonb
);
COMMENT ON TYPE radscheduler.ingest_item IS
    'A message on its way through ingest(): its bytes, what it is read in the light of (context, see message_context()), its reading (siu_parse shape), order key (at, sequence), appointment key, what is to be done (action, status; entry: what appointment.ending will hold of it), who and what it names (best, is_complete: what find_patient() said of its patient), whether it asks for time that its appointment did not have (asks_time), whether its sender knows that it overbooks (is_overbook), whether it is late and still tells something (is_heeded), what became of it, and what event_log and the audit log will tell of it (patient_event, event, event_data); for a request, the segments of its response (reply).';

CREATE TYPE radscheduler.wanted_time AS (
    appointment_id bigint,
    axis           radscheduler.axis,
    subject_id     bigint,
    during         tstzrange,
    buffered       tstzrange
);
COMMENT ON TYPE radscheduler.wanted_time IS 'An interval that an appointment asks for: of which subject, the time itself and with set-up and turnover; a row of occupancy to be.';
