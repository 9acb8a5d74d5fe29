-- The shapes of a search for free times: what is looked for, and what is found. read_slot_search() makes the one, search_slots() the other.

CREATE TYPE radscheduler.exam_asked AS (
    urgency       text,
    patient_class text,
    words         text[]
);
COMMENT ON TYPE radscheduler.exam_asked IS 'An exam as reserved hours see it: urgency, PV1-2, and the codes and names of what is done.';

CREATE TYPE radscheduler.slot_search AS (
    site_id    integer,
    resources  bigint[],
    patients   bigint[],
    minutes    integer,
    earliest   timestamptz,
    latest     timestamptz,
    max_slots  integer,
    without    bigint,
    wanted     timestamptz,
    prefer     bigint[],
    is_best    boolean,
    weekdays   integer[],
    from_times time[],
    to_times   time[],
    opens      time,
    closes     time,
    people     bigint[],
    places     integer[],
    urgency    text,
    exam       radscheduler.exam_asked
);
COMMENT ON TYPE radscheduler.slot_search IS
    'A search for free times, in stored values. The window bounds start and end; wanted is the time distances are counted from. prefer: resources and people wished for. is_best: by cost, else by start. weekdays (ISO), from_times and to_times (side by side: where the start lies), opens and closes (the whole exam) are the site''s wall time. people and places, side by side: who can take which place beside the scanner, one for each place. urgency: routine, urgent or stat. exam: what is to be done, as reserved hours ask.';

CREATE TYPE radscheduler.slot AS (
    resource_id   bigint,
    resource_code text,
    starts_at     timestamptz,
    ends_at       timestamptz,
    staff         text[],
    cost          integer,
    reasons       jsonb
);
COMMENT ON TYPE radscheduler.slot IS 'A free time: scanner, start and end, one free person for each place asked for, its cost in minutes (0 is what was wished) and what that is made of.';
