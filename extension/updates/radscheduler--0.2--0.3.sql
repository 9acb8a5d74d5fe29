-- Brings the code to 0.3, then the records. Frozen once released.
\echo Use "ALTER EXTENSION radscheduler UPDATE TO '0.3'" to load this file. \quit

DROP FUNCTION radscheduler.sender_of(text, text);

DROP FUNCTION radscheduler.place(integer, radscheduler.axis, bigint, tstzrange, tstzrange, bigint);

DROP FUNCTION radscheduler.occupy(integer, bigint, boolean);

DROP FUNCTION radscheduler.vacate(integer, bigint, timestamptz);

DROP FUNCTION radscheduler.apply_reading(jsonb, jsonb, bigint, timestamptz);

DROP FUNCTION radscheduler.siu_read(bytea, boolean, text, text);

DROP FUNCTION radscheduler.occupancy_wanted(integer, bigint);

DROP FUNCTION radscheduler.conflict_severity(radscheduler.resource_kind, text, text);

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

DROP FUNCTION radscheduler.answer(bytea, text, bigint, text, jsonb, jsonb, text);

DROP FUNCTION radscheduler.log_message(jsonb, bytea, bigint, radscheduler.ingest_result, jsonb, bigint, timestamptz);

DROP FUNCTION radscheduler.message_context(jsonb, text, text);

DROP FUNCTION radscheduler.ingest_message(bytea, text, text);

DROP FUNCTION radscheduler.configuration_block_entry(tstzrange, text);

DELETE FROM radscheduler.role_right;

DELETE FROM radscheduler.procedure_catalogue;

DELETE FROM radscheduler.warning_kind;

DELETE FROM radscheduler.event_rule;

DELETE FROM radscheduler.modality_catalogue;

DO $check$
BEGIN
    IF pg_catalog.current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION 'radscheduler needs a database in UTF8, this one is in %', pg_catalog.current_setting('server_encoding')
            USING ERRCODE = 'feature_not_supported',
                  HINT = 'Create the database with: CREATE DATABASE … ENCODING ''UTF8'' TEMPLATE template0.';
    END IF;
END
$check$;

COMMENT ON FUNCTION radscheduler.siu_parse(radscheduler.hl7) IS
    'The typed reading of a scheduling, patient or order message (HL7 chapters 10, 3, 4), lenient: {header, schedule, patient, visit, services, resources, warnings[, error]}; of a merge of patients (ADT A18, A30, A34, A40) also merges, of an order (ORM^O01, OMI^O23) orders. Keys are absent when nothing was sent, null when the HL7 null was.';

CREATE OR REPLACE FUNCTION radscheduler.siu_read(bytes bytea, profile jsonb DEFAULT '{}') RETURNS jsonb
    AS 'MODULE_PATHNAME', 'rad_siu_read' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 50;

COMMENT ON FUNCTION radscheduler.siu_read(bytea, jsonb) IS
    'siu_parse() for bytes as received, in the light of a sender''s profile: its keys charset, repair, id_source, start_source, location_source, referrer_source, modality_source and priority_notes (radscheduler.profile_key); others change nothing. Never raises for bad bytes: {error: {code, path, text}}.';

INSERT INTO radscheduler.modality_catalogue VALUES
    ('MR', 'MRI',    'Magnetic resonance',   45, '{MR,MRI,MRA,MRV,MRCP,MRE,FMRI,CMR,NMR,MAGNETIC}'),
    ('CT', 'CT',     'Computed tomography',  30, '{CT,CTA,CTV,CAT,CTU,CTPA,CCTA,HRCT,LDCT,CBCT,TOMOGRAPHY}'),
    ('DX', 'XRAY',   'Radiography',          15, '{DX,CR,DR,XR,RG,IO,PX,XRAY,XRAYS,CXR,AXR,RADIOGRAPH,RADIOGRAPHY,RADIOGRAPHS,RADIOGRAM,PANOREX}'),
    ('US', 'US',     'Ultrasound',           30,
     '{US,USG,ULTRASOUND,ULTRASOUNDS,ULTRASONOGRAPHY,SONO,SONOGRAM,SONOGRAPHY,DOPPLER,DUPLEX,TVUS,ECHO,ECHOCARDIOGRAM,ECHOCARDIOGRAPHY}'),
    ('MG', 'MAMMO',  'Mammography',          20, '{MG,MAM,MAMMO,MAMMOGRAM,MAMMOGRAMS,MAMMOGRAPHY,TOMOSYNTHESIS,DBT}'),
    ('NM', 'NM',     'Nuclear medicine',     60, '{NM,NUC,NUCLEAR,SPECT,SCINTIGRAPHY,SCINTIGRAM,LYMPHOSCINTIGRAPHY,HIDA,MUGA,DATSCAN}'),
    ('PT', 'PET',    'Positron emission tomography', 120, '{PT,PET,PETCT,POSITRON,FDG}'),
    ('RF', 'FLUORO', 'Fluoroscopy',          30,
     '{RF,FL,FLUORO,FLUOROSCOPY,FLUOROSCOPIC,BARIUM,ESOPHAGRAM,ESOPHAGOGRAM,UGI,VCUG,HSG,MYELOGRAM,CYSTOGRAM}'),
    ('XA', 'ANGIO',  'Angiography and intervention', 60,
     '{XA,IR,ANGIO,ANGIOGRAM,ANGIOGRAPHY,ANGIOPLASTY,ARTERIOGRAM,VENOGRAM,FISTULAGRAM,EMBOLIZATION,NEPHROSTOMY,PICC,BIOPSY}'),
    ('BMD', 'DEXA',  'Bone densitometry',    20, '{BMD,BD,DEXA,DXA,DENSITOMETRY,DENSITY}'),
    ('OT', 'OTHER',  'Other',                30, '{OT,OTHER,ES,OP,OPT,SM,XC}');

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

INSERT INTO radscheduler.warning_kind VALUES
    ('CONTROL_ID_REUSED', 'This sender has used this control id for other bytes before; the message was processed as a new one.'),
    ('SENDER_UNKNOWN', 'This pair of sending application and facility was not known; it was recorded with the default profile.'),
    ('RESOURCE_UNKNOWN', 'This resource was not known; it was recorded with capacity 1 and no buffers.'),
    ('ZONE_ASSUMED', 'Neither the message nor the sender nor the site names a time zone; radscheduler.default_timezone was used.'),
    ('ZONE_OF_MESSAGE', 'Neither the sender nor the site names a time zone; the offset of MSH-7 was used, which is an hour off behind the next change of clocks.'),
    ('ID_REUSED', 'The appointment identifier was used before for another appointment; a new generation was opened.'),
    ('UPDATE_BEFORE_CREATE', 'The change arrived before the booking; the appointment was created from it.'),
    ('CANCEL_BEFORE_CREATE', 'The closing arrived before the booking; it is kept so that a late booking does not open the appointment.'),
    ('CLOSED_APPOINTMENT', 'The appointment is already closed in another way; nothing was changed.'),
    ('REVIVED', 'A closed appointment was opened again by a newer message.'),
    ('STALE', 'A newer message about the same thing has already been applied; this one was kept but not applied.'),
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
    ('REPLAY_KEPT', 'Read again, a message about this appointment is refused or tells of another one; the appointment was left as it is.'),
    ('REPLAY_LOCAL', 'Something on the appointment was changed here by hand since, or by a message about something else; that was kept.'),
    ('TIME_IN_DST_GAP', 'The start does not exist on that day (clocks are put forward); the moment after the gap was used.'),
    ('TIME_AMBIGUOUS', 'The start exists twice on that day (clocks are put back); the first of the two was used.');

CREATE TABLE radscheduler.profile_key (
    key           text     PRIMARY KEY,
    place         smallint NOT NULL UNIQUE,
    shape         text     NOT NULL CHECK (shape IN ('zone', 'charset', 'region', 'preset', 'word', 'words', 'boolean', 'text', 'path', 'id_paths', 'event_map')),
    words         text[]   NOT NULL,
    default_value jsonb,
    example       jsonb    NOT NULL,
    meaning       text     NOT NULL
);

COMMENT ON TABLE  radscheduler.profile_key IS 'Every key of a sender''s profile, and what may stand under it.';

COMMENT ON COLUMN radscheduler.profile_key.key IS 'The key as it is written in the profile.';

COMMENT ON COLUMN radscheduler.profile_key.place IS 'Order in which keys are explained.';

COMMENT ON COLUMN radscheduler.profile_key.shape IS
    'What stands under it: zone (IANA), charset (HL7 table 0211), region (phone_region), preset (profile_preset), word (one of words), words (a list of them), boolean, text, path (of a field, as hl7_get() takes it), id_paths (such a path or a list of them, in segments that can hold an appointment''s id), event_map (an object of trigger events and words).';

COMMENT ON COLUMN radscheduler.profile_key.words IS 'The words that are understood, where the shape has such.';

COMMENT ON COLUMN radscheduler.profile_key.default_value IS 'What holds without the key; NULL where that is decided elsewhere, see meaning.';

COMMENT ON COLUMN radscheduler.profile_key.example IS 'A value that is understood.';

COMMENT ON COLUMN radscheduler.profile_key.meaning IS 'What it does, for people.';

INSERT INTO radscheduler.profile_key (key, place, shape, words, default_value, example, meaning) VALUES
    ('preset', 1, 'preset', '{}', NULL, '"seed_naming"', 'A ready profile of radscheduler.profile_preset that stands under the keys given beside it. Default none.'),
    ('timezone', 2, 'zone', '{}', NULL, '"America/Chicago"', 'Zone of times sent without an offset. Default the site''s zone, else radscheduler.default_timezone.'),
    ('charset', 3, 'charset', '{}', NULL, '"8859/1"', 'Charset of the bytes, whatever MSH-18 says. Default UTF-8 where the bytes are that, else what MSH-18 names, else Windows-1252 with a warning.'),
    ('phone_region', 4, 'region', '{}', NULL, '"GB"', 'Country (ISO 3166) whose numbering plan completes phone numbers sent without country code. Default the site''s.'),
    ('default_authority', 5, 'text', '{}', NULL, '"NORTH"', 'Assigning authority of patient identifiers that are sent without one (PID-3.4). Default the sending facility, MSH-4.'),
    ('repair', 6, 'word', '{lenient,strict}', '"lenient"', '"strict"', 'What becomes of values in the wrong place: lenient reads them and warns, strict answers AE 102 with the place.'),
    ('id_source', 7, 'id_paths', '{}', NULL, '["PV1-19", "ZSI-2"]', 'Where the appointment''s identifier stands when SCH-2 and SCH-1 are empty: a path, or a list tried in order. Default nowhere: such a message is answered AE 101.'),
    ('start_source', 8, 'word', '{appointment,service}', '"appointment"', '"service"', 'Whose start holds when they differ: appointment takes TQ1-7 and SCH-11.4 first, service AIS-4.'),
    ('location_source', 9, 'word', '{none,PV1-3}', '"none"', '"PV1-3"', 'Where a room is read when no AIL or AIG names one.'),
    ('referrer_source', 10, 'word', '{standard,PV1-7}', '"standard"', '"PV1-7"', 'Whom the referring physician is taken from: standard takes PV1-8, then staff in that role, then SCH-12; PV1-7 looks at the attending doctor after PV1-8.'),
    ('modality_source', 11, 'path', '{}', NULL, '"ZMO-2"', 'A field that holds a modality word, asked after procedures and resources, before OBR-24 and IPC-5. Default none.'),
    ('priority_notes', 12, 'boolean', '{}', 'false', 'true', 'Whether a note (NTE-3) that reads "Priority: S" sets the urgency where no field does.'),
    ('event_map', 13, 'event_map', '{NEW,RESCHEDULE,MODIFY,CANCEL,DISCONTINUE,DELETE,NO_SHOW,IGNORE}', '{}', '{"S14": "CANCEL", "S18": "MODIFY"}',
        'What this sender means by a trigger event, where it is not what the standard says. NEW is S12, RESCHEDULE S13, MODIFY S14, CANCEL S15, DISCONTINUE S16, DELETE S17, NO_SHOW S26; IGNORE keeps the message and changes nothing.'),
    ('arrival_events', 14, 'words', '{A01,A04,A10}', '[]', '["A04", "A10"]', 'ADT events that mean the patient has arrived for the appointment of that visit.'),
    ('update_mode', 15, 'word', '{by_type,full,action}', '"by_type"', '"full"', 'How services and resources of an update are taken: by_type replaces those of the segment types that are sent, full replaces all, action follows the action codes (AIx-2).'),
    ('unknown_resource_change', 16, 'word', '{refuse,ignore}', '"refuse"', '"ignore"', 'What becomes of S20, S21 and S22 about an appointment that is not known: refuse answers AE 204, ignore AA with a warning.'),
    ('order_by', 17, 'word', '{message_time,arrival}', '"message_time"', '"arrival"', 'What orders messages of one appointment: their own time (MSH-7), or their arrival, where an interface engine rewrites MSH-7.'),
    ('on_conflict', 18, 'word', '{flag,reject}', '"flag"', '"reject"', 'What becomes of a booking with a critical conflict: flag takes it for review, reject answers AE 207 and books nothing.'),
    ('pending_occupies', 19, 'boolean', '{}', 'false', 'true', 'Whether a booking that is only pending holds its time.'),
    ('no_show_after_arrival', 20, 'boolean', '{}', 'false', 'true', 'Whether a no-show (S26) may close an appointment whose patient has arrived.'),
    ('test_messages', 21, 'word', '{flag,ignore,refuse}', '"flag"', '"refuse"', 'What becomes of messages whose MSH-11 is not P: flag takes them and marks the appointment, ignore keeps them and changes nothing, refuse answers AR.');

CREATE TABLE radscheduler.profile_preset (
    name    text  PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9_]{0,39}$'),
    profile jsonb NOT NULL,
    meaning text  NOT NULL
);

COMMENT ON TABLE  radscheduler.profile_preset IS 'Ready profiles, for senders that share a habit. Never a default: a sender''s profile names one with the key preset.';

COMMENT ON COLUMN radscheduler.profile_preset.name IS 'What stands under the key preset.';

COMMENT ON COLUMN radscheduler.profile_preset.profile IS 'The keys it stands for; those given beside it win.';

COMMENT ON COLUMN radscheduler.profile_preset.meaning IS 'Whom it is for.';

INSERT INTO radscheduler.profile_preset VALUES
    ('seed_naming', '{"event_map": {"S13": "MODIFY", "S14": "CANCEL", "S15": "DISCONTINUE"}}',
     'Senders built after an integration guide that calls S13 a modification, S14 a cancellation and S15 a discontinuation.');

CREATE OR REPLACE FUNCTION radscheduler.nearest_word(p_word text, p_words text[]) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
WITH pair(word, two) AS (
    SELECT w.word, substr(lower('^' || w.word || '$'), n, 2)
    FROM unnest(p_words || left(p_word, 60)) w(word), generate_series(1, length(w.word) + 1) n
), likeness AS (
    SELECT w.word, 2.0 * count(DISTINCT p.two) FILTER (WHERE p.two IN (SELECT q.two FROM pair q WHERE q.word = left(p_word, 60)))
                   / (count(DISTINCT p.two) + (SELECT count(DISTINCT q.two) FROM pair q WHERE q.word = left(p_word, 60))) AS share
    FROM unnest(p_words) w(word) JOIN pair p ON p.word = w.word GROUP BY w.word
)
SELECT l.word FROM likeness l WHERE l.share >= 0.4 ORDER BY l.share DESC, l.word LIMIT 1
$$;

COMMENT ON FUNCTION radscheduler.nearest_word(text, text[]) IS
    'The word of a list that shares most pairs of letters with one that is not in it, for "did you mean"; NULL when none is near.';

CREATE OR REPLACE FUNCTION radscheduler.is_path(p_path text) RETURNS boolean
    LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM radscheduler.hl7_get(E'MSH|^~\\&|'::radscheduler.hl7, p_path);
    RETURN true;
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN false;
END
$$;

COMMENT ON FUNCTION radscheduler.is_path(text) IS 'Whether hl7_get() takes this as the path of one value.';

CREATE OR REPLACE FUNCTION radscheduler.event_map_fault(p_map jsonb, p_words text[]) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_events  CONSTANT text[] := '{S12,S13,S14,S15,S16,S17,S18,S19,S20,S21,S22,S23,S24,S26,S27}';
    c_closing CONSTANT text[] := '{CANCEL,DISCONTINUE,DELETE,NO_SHOW}';
    v_entry   record;
BEGIN
    IF jsonb_typeof(p_map) <> 'object' THEN
        RETURN 'must be an object of trigger events and words, such as {"S14": "CANCEL"}';
    END IF;
    FOR v_entry IN SELECT m.key AS event, m.value #>> '{}' AS word, jsonb_typeof(m.value) = 'string' AS is_text FROM jsonb_each(p_map) m ORDER BY m.key LOOP
        IF v_entry.event <> ALL (c_events) THEN
            RETURN format('names "%s", which is no trigger event of a scheduling message: write S12 to S24, S26 or S27', left(v_entry.event, 20));
        ELSIF NOT v_entry.is_text OR v_entry.word <> ALL (p_words) THEN
            RETURN format('gives %s "%s", which is not one of %s%s', v_entry.event, left(v_entry.word, 20), array_to_string(p_words, ', '),
                          coalesce(' (did you mean ' || radscheduler.nearest_word(v_entry.word, p_words) || '?)', ''));
        ELSIF v_entry.event IN ('S23', 'S24') AND v_entry.word <> 'IGNORE' THEN
            RETURN format('makes %s, which blocks or opens time of a resource, an event of an appointment: only IGNORE can stand there', v_entry.event);
        ELSIF v_entry.event = 'S12' AND v_entry.word = ANY (c_closing) AND NOT EXISTS (SELECT FROM jsonb_each(p_map) m WHERE m.value = '"NEW"') THEN
            RETURN 'makes S12, the booking, a closing, and no other event books: give one of them NEW';
        ELSIF v_entry.event IN ('S15', 'S16', 'S17', 'S26') AND v_entry.word IN ('NEW', 'RESCHEDULE') AND p_map ->> 'S12' = ANY (c_closing) IS NOT TRUE THEN
            RETURN format('makes %s, which closes an appointment, open one; that would book what was cancelled', v_entry.event);
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION radscheduler.event_map_fault(jsonb, text[]) IS
    'What is wrong with an event_map: unknown events or words, blocks as appointments, S12 as a closing where nothing else books, closings that open. NULL when nothing is.';

CREATE OR REPLACE FUNCTION radscheduler.profile_value_fault(p_key radscheduler.profile_key, p_value jsonb) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_text    CONSTANT text := CASE WHEN jsonb_typeof(p_value) = 'string' THEN p_value #>> '{}' END;
    c_example CONSTANT text := ', such as ' || p_key.example::text;
    v_item    record;
BEGIN
    CASE p_key.shape
        WHEN 'zone' THEN
            RETURN CASE WHEN radscheduler.is_timezone(c_text) IS NOT TRUE THEN 'must be an IANA time zone that is known' || c_example || '; pg_timezone_names lists them' END;
        WHEN 'charset' THEN
            RETURN CASE WHEN radscheduler.hl7_charset(c_text) IS NULL THEN 'must be a charset of HL7 table 0211 or its usual name' || c_example END;
        WHEN 'region' THEN
            RETURN CASE WHEN NOT EXISTS (SELECT FROM radscheduler.phone_region r WHERE r.region = c_text)
                        THEN 'must be a country code of radscheduler.phone_region' || c_example END;
        WHEN 'preset' THEN
            RETURN CASE WHEN NOT EXISTS (SELECT FROM radscheduler.profile_preset r WHERE r.name = c_text)
                        THEN format('must be a ready profile of radscheduler.profile_preset: %s', (SELECT string_agg(r.name, ', ' ORDER BY r.name) FROM radscheduler.profile_preset r)) END;
        WHEN 'word' THEN
            RETURN CASE WHEN c_text = ANY (p_key.words) IS NOT TRUE
                        THEN format('must be %s%s', regexp_replace(array_to_string(p_key.words, ', '), ', ([^,]+)$', ' or \1'),
                                    coalesce(' (did you mean ' || radscheduler.nearest_word(c_text, p_key.words) || '?)', '')) END;
        WHEN 'boolean' THEN
            RETURN CASE WHEN jsonb_typeof(p_value) <> 'boolean' THEN 'must be true or false, without quotes' END;
        WHEN 'text' THEN
            RETURN CASE WHEN c_text ~ '^[^|^~\\&[:cntrl:]]{1,100}$' IS NOT TRUE THEN 'must be a string of 1 to 100 characters without delimiters of HL7' || c_example END;
        WHEN 'path' THEN
            RETURN CASE WHEN radscheduler.is_path(c_text) IS NOT TRUE THEN 'must be the path of a field' || c_example END;
        WHEN 'event_map' THEN
            RETURN radscheduler.event_map_fault(p_value, p_key.words);
        ELSE
            IF c_text IS NOT NULL AND p_key.shape = 'id_paths' THEN
                p_value := jsonb_build_array(p_value);
            ELSIF jsonb_typeof(p_value) <> 'array' THEN
                RETURN 'must be a list' || c_example;
            END IF;
            FOR v_item IN SELECT CASE WHEN jsonb_typeof(e.value) = 'string' THEN e.value #>> '{}' END AS word FROM jsonb_array_elements(p_value) e LOOP
                IF p_key.shape = 'words' AND v_item.word = ANY (p_key.words) IS NOT TRUE THEN
                    RETURN 'must be a list out of ' || array_to_string(p_key.words, ', ');
                ELSIF p_key.shape = 'id_paths' AND radscheduler.is_path(v_item.word) IS NOT TRUE THEN
                    RETURN 'must be the path of a field, or a list of paths' || c_example;
                ELSIF p_key.shape = 'id_paths' AND v_item.word !~ '^(SCH|PV1|ORC|OBR|Z[A-Z0-9]{2})[^/]*$' THEN
                    -- Anything else is the patient's, the service's or the message's: two appointments would become one, or one many.
                    RETURN format('names %s, which does not tell one appointment from another: use SCH-5, SCH-26, SCH-27, PV1-19, PV1-50, or a field of ORC, OBR or a Z segment', left(v_item.word, 20));
                END IF;
            END LOOP;
            RETURN CASE WHEN (SELECT count(*) <> count(DISTINCT e.value) FROM jsonb_array_elements(p_value) e) THEN 'names something twice'
                        WHEN p_key.shape = 'id_paths' AND jsonb_array_length(p_value) NOT BETWEEN 1 AND 5 THEN 'must hold one to five paths' END;
    END CASE;
END
$$;

COMMENT ON FUNCTION radscheduler.profile_value_fault(radscheduler.profile_key, jsonb) IS
    'What is wrong with a value under a key of a profile, and what to write instead; NULL when nothing is.';

CREATE OR REPLACE FUNCTION radscheduler.profile_faults(profile jsonb) RETURNS TABLE (key text, fault text)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 2 SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    IF jsonb_typeof(profile) IS DISTINCT FROM 'object' THEN
        RETURN QUERY SELECT NULL::text, 'must be an object, such as {"timezone": "America/Chicago"}';
        RETURN;
    END IF;
    RETURN QUERY
        SELECT left(p.key, 60), f.fault
        FROM jsonb_each(profile) p LEFT JOIN radscheduler.profile_key k ON k.key = p.key,
             LATERAL (SELECT CASE WHEN k.key IS NOT NULL THEN radscheduler.profile_value_fault(k, p.value)
                                  ELSE 'is not a key of a profile' || coalesce(' (did you mean ' ||
                                      radscheduler.nearest_word(p.key, ARRAY(SELECT a.key FROM radscheduler.profile_key a)) || '?)', ': radscheduler.profile_key lists them') END) f(fault)
        WHERE f.fault IS NOT NULL ORDER BY k.place NULLS LAST, p.key COLLATE "C";
END
$$;

COMMENT ON FUNCTION radscheduler.profile_faults(jsonb) IS
    'Everything that is wrong with a sender''s profile: the key and half a sentence that goes on from it ("must be lenient or strict"). No rows: it is understood. radscheduler.profile_key has the keys.';

CREATE OR REPLACE FUNCTION radscheduler.is_profile(profile jsonb) RETURNS boolean
    LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN NOT EXISTS (SELECT FROM radscheduler.profile_faults(profile));
END
$$;

COMMENT ON FUNCTION radscheduler.is_profile(jsonb) IS 'Whether a sender profile holds only keys and values that are understood; profile_faults() says what is not.';

CREATE OR REPLACE FUNCTION radscheduler.sender_profile(p_profile jsonb, p_default jsonb DEFAULT '{}') RETURNS jsonb
    LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF p_default ? 'preset' THEN
        p_default := coalesce((SELECT r.profile FROM radscheduler.profile_preset r WHERE r.name = p_default ->> 'preset'), '{}') || p_default;
    END IF;
    IF p_profile ? 'preset' THEN
        p_profile := coalesce((SELECT r.profile FROM radscheduler.profile_preset r WHERE r.name = p_profile ->> 'preset'), '{}') || p_profile;
    END IF;
    RETURN p_default || p_profile;
END
$$;

COMMENT ON FUNCTION radscheduler.sender_profile(jsonb, jsonb) IS
    'A profile with its preset written out, over a default one (site.default_profile) with its own. A key of the profile wins over its preset, and both over the default; values are taken whole, an event_map too.';

CREATE OR REPLACE FUNCTION radscheduler.event_meant(p_profile jsonb, p_trigger text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN CASE p_profile -> 'event_map' ->> p_trigger
        WHEN 'NEW' THEN 'S12' WHEN 'RESCHEDULE' THEN 'S13' WHEN 'MODIFY' THEN 'S14' WHEN 'CANCEL' THEN 'S15' WHEN 'DISCONTINUE' THEN 'S16'
        WHEN 'DELETE' THEN 'S17' WHEN 'NO_SHOW' THEN 'S26' WHEN 'IGNORE' THEN 'IGNORE' ELSE p_trigger END;
END
$$;

COMMENT ON FUNCTION radscheduler.event_meant(jsonb, text) IS
    'The trigger event of the standard that a sender means, by the event_map of its profile (presets written out); IGNORE where nothing is to be done.';

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
    is_complete    boolean
);

COMMENT ON TYPE radscheduler.ingest_item IS
    'A message on its way through ingest(): its bytes, what it is read in the light of (context, see message_context()), its reading (siu_parse shape), order key (at, sequence), appointment key, what is to be done (action, status; entry: what appointment.ending will hold of it), who and what it names (best, is_complete: what find_patient() said of its patient), whether it asks for time that its appointment did not have (asks_time), whether its sender knows that it overbooks (is_overbook), whether it is late and still tells something (is_heeded), what became of it, and what event_log and the audit log will tell of it (patient_event, event, event_data).';

ALTER TABLE radscheduler.procedure_catalogue
    ADD COLUMN contrast text   NOT NULL DEFAULT 'unknown' CHECK (contrast IN ('none', 'with', 'with_and_without', 'unknown')),
    ADD COLUMN prep     text,
    ADD COLUMN aliases  text[] NOT NULL DEFAULT '{}';

COMMENT ON COLUMN radscheduler.procedure_catalogue.contrast IS 'Iodine or gadolinium contrast agent: none, with, with_and_without, or unknown: the name does not tell.';

COMMENT ON COLUMN radscheduler.procedure_catalogue.prep IS 'What the patient prepares, in a sentence or two; NULL: nothing.';

COMMENT ON COLUMN radscheduler.procedure_catalogue.aliases IS 'Other codes that senders use for it, upper case.';

INSERT INTO radscheduler.procedure_catalogue VALUES
    ('CT-HEAD', 'CT head', 'CT', 20, 'unknown', NULL, '{CT BRAIN,CT HEAD,CTBRAIN,CTH,CTHEAD}'),
    ('CT-HEAD-WO', 'CT head without contrast', 'CT', 15, 'none', NULL,
     '{CT BRAIN W/O CONTRAST,CT BRAIN WO,CT HEAD W/O,CT HEAD W/O CONTRAST,CT HEAD WITHOUT CONTRAST,CT HEAD WO,CTHEADWO}'),
    ('CT-HEAD-W', 'CT head with contrast', 'CT', 20, 'with', 'Kidney function and allergies are checked.',
     '{CT BRAIN W,CT HEAD W,CT HEAD W CONTRAST,CT HEAD WITH CONTRAST,CTHEADW}'),
    ('CT-HEAD-WWO', 'CT head without and with contrast', 'CT', 25, 'with_and_without', 'Kidney function and allergies are checked.',
     '{CT HEAD W & WO CONTRAST,CT HEAD W AND WO CONTRAST,CT HEAD W WO,CT HEAD W/WO,CT HEAD WWO,CTHEADWWO}'),
    ('CT-FACE-WO', 'CT facial bones without contrast', 'CT', 15, 'none', NULL, '{CT FACE WO,CT MAXFACE WO,CT MAXILLOFACIAL WO,CTFACEWO}'),
    ('CT-SINUS', 'CT sinuses', 'CT', 15, 'unknown', NULL, '{CT PARANASAL SINUSES,CT SINUS,CT SINUSES,CTSINUS}'),
    ('CT-SINUS-WO', 'CT sinuses without contrast', 'CT', 15, 'none', NULL, '{CT SINUS WO,CT SINUSES WO,CTSINUSWO}'),
    ('CT-NECK', 'CT neck', 'CT', 20, 'unknown', NULL, '{CT NECK,CT SOFT TISSUE NECK,CTNECK}'),
    ('CT-NECK-W', 'CT neck with contrast', 'CT', 25, 'with', 'Nothing to eat for 4 hours; water is allowed. Kidney function and allergies are checked.',
     '{CT NECK W,CT NECK W CONTRAST,CT NECK WITH CONTRAST,CT SOFT TISSUE NECK W,CTNECKW}'),
    ('CTA-HEADNECK', 'CT angiography head and neck', 'CT', 30, 'with', 'Nothing to eat for 4 hours; water is allowed. Kidney function and allergies are checked.',
     '{CTA CAROTID,CTA COW,CTA HEAD AND NECK,CTA HEAD NECK,CTA HEAD/NECK,CTAHEADNECK}'),
    ('CT-CHEST', 'CT chest', 'CT', 20, 'unknown', NULL, '{CT CHEST,CT THORAX,CTCHEST,CTTHORAX}'),
    ('CT-CHEST-WO', 'CT chest without contrast', 'CT', 15, 'none', NULL,
     '{CT CHEST W/O,CT CHEST W/O CONTRAST,CT CHEST WITHOUT CONTRAST,CT CHEST WO,CT THORAX WO,CTCHESTWO}'),
    ('CT002', 'CT CHEST W CONTRAST', 'CT', 30, 'with', 'Nothing to eat for 4 hours; water is allowed. Kidney function and allergies are checked.',
     '{CT CHEST W,CT CHEST W/ CONTRAST,CT CHEST WITH CONTRAST,CT THORAX W,CT-CHEST-W,CTCHESTW}'),
    ('CT-CHEST-HR', 'CT chest high resolution', 'CT', 20, 'none', NULL, '{CT CHEST HIGH RES,CT HIGH RESOLUTION CHEST,CT HRCT,CTCHESTHR,HRCT,HRCT CHEST}'),
    ('CT-LUNGSCREEN', 'CT lung cancer screening, low dose', 'CT', 15, 'none', NULL, '{CT LOW DOSE CHEST,CT LUNG SCREEN,CT LUNG SCREENING,CTLUNGSCREEN,LDCT,LDCT LUNG}'),
    ('CTA-CHEST-PE', 'CT angiography chest for pulmonary embolism', 'CT', 30, 'with', 'Nothing to eat for 4 hours; water is allowed. Kidney function and allergies are checked.',
     '{CT CHEST PE,CT PE PROTOCOL,CTA CHEST,CTA CHEST PE,CTACHESTPE,CTPA,CTPE}'),
    ('CTA-AORTA', 'CT angiography aorta', 'CT', 30, 'with', 'Nothing to eat for 4 hours; water is allowed. Kidney function and allergies are checked.',
     '{CTA AORTA,CTA AORTA CAP,CTA CHEST ABD PELVIS,CTA THORACIC AORTA,CTAAORTA}'),
    ('CTA-CORONARY', 'CT angiography coronary arteries', 'CT', 45, 'with', 'No caffeine for 12 hours, nothing to eat for 4 hours; heart rate, kidney function and allergies are checked.',
     '{CCTA,CORONARY CTA,CTA CARDIAC,CTA CORONARY,CTA HEART,CTACORONARY}'),
    ('CT-CALCIUM', 'CT coronary calcium score', 'CT', 15, 'none', 'No caffeine for 12 hours.', '{CT CALCIUM SCORE,CT CALCIUM SCORING,CT CARDIAC CALCIUM,CTCALCIUM}'),
    ('CT-ABD', 'CT abdomen', 'CT', 25, 'unknown', NULL, '{CT ABD,CT ABDOMEN,CTABD,CTABDOMEN}'),
    ('CT-ABD-W', 'CT abdomen with contrast', 'CT', 30, 'with', 'Nothing to eat for 4 hours; water is allowed. Kidney function and allergies are checked.',
     '{CT ABD W,CT ABDOMEN W,CT ABDOMEN W CONTRAST,CT ABDOMEN WITH CONTRAST,CTABDW}'),
    ('CT-ABDPEL', 'CT abdomen and pelvis', 'CT', 25, 'unknown', NULL, '{CT ABD PELVIS,CT ABD/PEL,CT ABDOMEN AND PELVIS,CT ABDOMEN PELVIS,CT AP,CTABDPEL,CTAP}'),
    ('CT-ABDPEL-WO', 'CT abdomen and pelvis without contrast', 'CT', 20, 'none', NULL,
     '{CT ABD PELVIS WO,CT ABD/PEL WO,CT ABDOMEN AND PELVIS W/O CONTRAST,CT ABDOMEN PELVIS WO,CTABDPELWO,CTAPWO}'),
    ('CT-ABDPEL-W', 'CT abdomen and pelvis with contrast', 'CT', 30, 'with', 'Nothing to eat for 4 hours; water is allowed. Kidney function and allergies are checked.',
     '{CT ABD PELVIS W,CT ABD/PEL W,CT ABDOMEN AND PELVIS W CONTRAST,CT ABDOMEN AND PELVIS WITH CONTRAST,CT ABDOMEN PELVIS W,CTABDPELW,CTAPW}'),
    ('CT-ABDPEL-WWO', 'CT abdomen and pelvis without and with contrast', 'CT', 40, 'with_and_without', 'Nothing to eat for 4 hours; water is allowed. Kidney function and allergies are checked.',
     '{CT ABD PELVIS WWO,CT ABD/PEL W/WO,CT ABDOMEN PELVIS WWO,CTABDPELWWO,CTAPWWO}'),
    ('CT-CAP-W', 'CT chest, abdomen and pelvis with contrast', 'CT', 35, 'with', 'Nothing to eat for 4 hours; water is allowed. Kidney function and allergies are checked.',
     '{CT C/A/P W,CT CAP W,CT CHEST ABD PELVIS W,CT CHEST ABDOMEN PELVIS W,CTCAPW}'),
    ('CT-STONE', 'CT abdomen and pelvis for kidney stones', 'CT', 20, 'none', NULL, '{CT FLANK PAIN,CT KUB,CT RENAL STONE,CT STONE PROTOCOL,CTKUB,CTSTONE}'),
    ('CT-UROGRAM', 'CT urography', 'CT', 45, 'with_and_without', 'Nothing to eat for 4 hours; water is allowed. Kidney function and allergies are checked.',
     '{CT HEMATURIA,CT UROGRAM,CT UROGRAPHY,CTUROGRAM}'),
    ('CT-ENTERO-W', 'CT enterography', 'CT', 75, 'with', 'Nothing to eat for 6 hours; oral contrast is drunk for an hour before. Kidney function and allergies are checked.',
     '{CT ENTERO,CT ENTEROGRAPHY,CTENTEROW}'),
    ('CT-COLON-WO', 'CT colonography', 'CT', 45, 'none', 'Bowel preparation the day before; clear liquids only.', '{CT COLONOGRAPHY,CT VIRTUAL COLONOSCOPY,CTCOLONWO}'),
    ('CTA-RUNOFF', 'CT angiography abdominal aorta and legs', 'CT', 40, 'with', 'Nothing to eat for 4 hours; water is allowed. Kidney function and allergies are checked.',
     '{CTA ABD RUNOFF,CTA AORTA RUNOFF,CTA LOWER EXTREMITY,CTA RUNOFF,CTARUNOFF}'),
    ('CT-CSPINE', 'CT cervical spine', 'CT', 15, 'unknown', NULL, '{CT C SPINE,CT C-SPINE,CT CERVICAL SPINE,CT CSPINE,CTCSPINE}'),
    ('CT-CSPINE-WO', 'CT cervical spine without contrast', 'CT', 15, 'none', NULL,
     '{CT C SPINE WO,CT CERVICAL SPINE W/O CONTRAST,CT CERVICAL SPINE WO,CT CSPINE WO,CTCSPINEWO}'),
    ('CT-TSPINE-WO', 'CT thoracic spine without contrast', 'CT', 15, 'none', NULL,
     '{CT T SPINE WO,CT THORACIC SPINE W/O CONTRAST,CT THORACIC SPINE WO,CT TSPINE WO,CTTSPINEWO}'),
    ('CT-LSPINE', 'CT lumbar spine', 'CT', 15, 'unknown', NULL, '{CT L SPINE,CT L-SPINE,CT LSPINE,CT LUMBAR SPINE,CTLSPINE}'),
    ('CT-LSPINE-WO', 'CT lumbar spine without contrast', 'CT', 15, 'none', NULL,
     '{CT L SPINE WO,CT LSPINE WO,CT LUMBAR SPINE W/O CONTRAST,CT LUMBAR SPINE WO,CTLSPINEWO}'),
    ('CT-BIOPSY', 'CT guided biopsy', 'CT', 90, 'unknown', 'Nothing to eat for 6 hours. Clotting and blood thinners are checked; somebody drives home.',
     '{CT BIOPSY,CT GUIDED BX,CT NEEDLE BIOPSY,CTBIOPSY,CTBX}'),
    ('MR-BRAIN', 'MRI brain', 'MR', 45, 'unknown', 'Screening for implants and metal.', '{MR BRAIN,MR HEAD,MRBRAIN,MRI BRAIN,MRI HEAD,MRIBRAIN}'),
    ('MRI001', 'MRI BRAIN W/O CONTRAST', 'MR', 45, 'none', 'Screening for implants and metal.',
     '{MR BRAIN WO,MR-BRAIN-WO,MRBRAINWO,MRI BRAIN W/O,MRI BRAIN WITHOUT CONTRAST,MRI BRAIN WO,MRI HEAD W/O CONTRAST}'),
    ('MR-BRAIN-WWO', 'MRI brain without and with contrast', 'MR', 60, 'with_and_without', 'Screening for implants and metal. Kidney function and allergies are checked.',
     '{MR BRAIN WWO,MRBRAINWWO,MRI BRAIN W & WO CONTRAST,MRI BRAIN W AND WO CONTRAST,MRI BRAIN W WO,MRI BRAIN W/WO,MRI BRAIN WWO}'),
    ('MRA-HEAD', 'MR angiography head', 'MR', 30, 'unknown', 'Screening for implants and metal.', '{MRA BRAIN,MRA CIRCLE OF WILLIS,MRA COW,MRA HEAD,MRAHEAD}'),
    ('MRA-HEAD-WO', 'MR angiography head without contrast', 'MR', 30, 'none', 'Screening for implants and metal.',
     '{MRA BRAIN WO,MRA HEAD W/O CONTRAST,MRA HEAD WO,MRAHEADWO}'),
    ('MRA-NECK-WWO', 'MR angiography neck without and with contrast', 'MR', 45, 'with_and_without', 'Screening for implants and metal. Kidney function and allergies are checked.',
     '{MRA NECK W/WO,MRA NECK WWO,MRANECKWWO}'),
    ('MRV-HEAD', 'MR venography head', 'MR', 30, 'unknown', 'Screening for implants and metal.', '{MRV BRAIN,MRV HEAD,MRVHEAD}'),
    ('MR-PITUITARY-WWO', 'MRI pituitary without and with contrast', 'MR', 45, 'with_and_without', 'Screening for implants and metal. Kidney function and allergies are checked.',
     '{MRI PITUITARY WWO,MRI SELLA WWO,MRPITUITARYWWO}'),
    ('MR-IAC-WWO', 'MRI internal auditory canals without and with contrast', 'MR', 45, 'with_and_without', 'Screening for implants and metal. Kidney function and allergies are checked.',
     '{MRI IAC WWO,MRIACWWO}'),
    ('MR-CSPINE', 'MRI cervical spine', 'MR', 40, 'unknown', 'Screening for implants and metal.',
     '{MR C SPINE,MRCSPINE,MRI C SPINE,MRI C-SPINE,MRI CERVICAL SPINE,MRI CSPINE}'),
    ('MR-CSPINE-WO', 'MRI cervical spine without contrast', 'MR', 40, 'none', 'Screening for implants and metal.',
     '{MRCSPINEWO,MRI C SPINE WO,MRI CERVICAL SPINE W/O CONTRAST,MRI CERVICAL SPINE WO,MRI CSPINE WO}'),
    ('MR-CSPINE-WWO', 'MRI cervical spine without and with contrast', 'MR', 60, 'with_and_without', 'Screening for implants and metal. Kidney function and allergies are checked.',
     '{MRCSPINEWWO,MRI C SPINE WWO,MRI CERVICAL SPINE WWO,MRI CSPINE WWO}'),
    ('MR-TSPINE-WO', 'MRI thoracic spine without contrast', 'MR', 40, 'none', 'Screening for implants and metal.',
     '{MRI T SPINE WO,MRI THORACIC SPINE W/O CONTRAST,MRI THORACIC SPINE WO,MRI TSPINE WO,MRTSPINEWO}'),
    ('MR-TSPINE-WWO', 'MRI thoracic spine without and with contrast', 'MR', 60, 'with_and_without', 'Screening for implants and metal. Kidney function and allergies are checked.',
     '{MRI T SPINE WWO,MRI THORACIC SPINE WWO,MRI TSPINE WWO,MRTSPINEWWO}'),
    ('MR-LSPINE', 'MRI lumbar spine', 'MR', 40, 'unknown', 'Screening for implants and metal.',
     '{MR L SPINE,MRI L SPINE,MRI L-SPINE,MRI LSPINE,MRI LUMBAR SPINE,MRLSPINE}'),
    ('MR-LSPINE-WO', 'MRI lumbar spine without contrast', 'MR', 40, 'none', 'Screening for implants and metal.',
     '{MRI L SPINE WO,MRI LSPINE WO,MRI LUMBAR SPINE W/O CONTRAST,MRI LUMBAR SPINE WO,MRLSPINEWO}'),
    ('MR-LSPINE-WWO', 'MRI lumbar spine without and with contrast', 'MR', 60, 'with_and_without', 'Screening for implants and metal. Kidney function and allergies are checked.',
     '{MRI L SPINE WWO,MRI LSPINE WWO,MRI LUMBAR SPINE WWO,MRLSPINEWWO}'),
    ('MR-SHOULDER', 'MRI shoulder', 'MR', 40, 'unknown', 'Screening for implants and metal.', '{MR SHOULDER,MRI SHOULDER,MRSHOULDER}'),
    ('MR-SHOULDER-WO', 'MRI shoulder without contrast', 'MR', 40, 'none', 'Screening for implants and metal.',
     '{MRI SHOULDER W/O CONTRAST,MRI SHOULDER WO,MRSHOULDERWO}'),
    ('MR-SHOULDER-ARTHRO', 'MR arthrography shoulder', 'MR', 75, 'with', 'Screening for implants and metal. Allergies are checked.',
     '{MR ARTHROGRAM SHOULDER,MRI ARTHROGRAM SHOULDER,MRI SHOULDER ARTHROGRAM,MRSHOULDERARTHRO}'),
    ('MR-HIP', 'MRI hip', 'MR', 45, 'unknown', 'Screening for implants and metal.', '{MR HIP,MRHIP,MRI HIP}'),
    ('MR-HIP-WO', 'MRI hip without contrast', 'MR', 45, 'none', 'Screening for implants and metal.', '{MRHIPWO,MRI HIP W/O CONTRAST,MRI HIP WO}'),
    ('MR-KNEE', 'MRI knee', 'MR', 40, 'unknown', 'Screening for implants and metal.', '{MR KNEE,MRI KNEE,MRKNEE}'),
    ('MR-KNEE-WO', 'MRI knee without contrast', 'MR', 40, 'none', 'Screening for implants and metal.', '{MRI KNEE W/O CONTRAST,MRI KNEE WO,MRKNEEWO}'),
    ('MR-ANKLE', 'MRI ankle', 'MR', 40, 'unknown', 'Screening for implants and metal.', '{MR ANKLE,MRANKLE,MRI ANKLE}'),
    ('MR-ANKLE-WO', 'MRI ankle without contrast', 'MR', 40, 'none', 'Screening for implants and metal.', '{MRANKLEWO,MRI ANKLE W/O CONTRAST,MRI ANKLE WO}'),
    ('MR-ABD', 'MRI abdomen', 'MR', 45, 'unknown', 'Screening for implants and metal. Nothing to eat for 4 hours.', '{MR ABDOMEN,MRABD,MRI ABDOMEN}'),
    ('MR-ABD-WWO', 'MRI abdomen without and with contrast', 'MR', 60, 'with_and_without', 'Screening for implants and metal. Kidney function and allergies are checked. Nothing to eat for 4 hours.',
     '{MR ABDOMEN WWO,MRABDWWO,MRI ABDOMEN W/WO,MRI ABDOMEN WWO}'),
    ('MR-LIVER-WWO', 'MRI liver without and with contrast', 'MR', 60, 'with_and_without', 'Screening for implants and metal. Kidney function and allergies are checked. Nothing to eat for 4 hours.',
     '{MR LIVER WWO,MRI LIVER W/WO,MRI LIVER WWO,MRLIVERWWO}'),
    ('MR-MRCP-WO', 'MR cholangiopancreatography', 'MR', 45, 'none', 'Screening for implants and metal. Nothing to eat or drink for 4 hours.',
     '{MR MRCP,MRCP,MRCP WO,MRI MRCP,MRMRCPWO}'),
    ('MR-ENTERO-WWO', 'MR enterography', 'MR', 90, 'with_and_without', 'Screening for implants and metal. Kidney function and allergies are checked. Nothing to eat for 6 hours; oral contrast is drunk before.',
     '{MR ENTEROGRAPHY,MRENTEROWWO,MRI ENTEROGRAPHY}'),
    ('MR-PELVIS', 'MRI pelvis', 'MR', 45, 'unknown', 'Screening for implants and metal.', '{MR PELVIS,MRI PELVIS,MRPELVIS}'),
    ('MR-PELVIS-WWO', 'MRI pelvis without and with contrast', 'MR', 60, 'with_and_without', 'Screening for implants and metal. Kidney function and allergies are checked.',
     '{MRI PELVIS WWO,MRPELVISWWO}'),
    ('MR-PROSTATE-WWO', 'MRI prostate without and with contrast', 'MR', 60, 'with_and_without', 'Screening for implants and metal. Kidney function and allergies are checked.',
     '{MRI PROSTATE W/WO,MRI PROSTATE WWO,MRPROSTATEWWO}'),
    ('MR-BREAST-WWO', 'MRI breast without and with contrast', 'MR', 60, 'with_and_without', 'Screening for implants and metal. Kidney function and allergies are checked.',
     '{MRBREASTWWO,MRI BREAST W/WO,MRI BREAST WWO,MRI BREASTS WWO}'),
    ('MR-CARDIAC', 'MRI heart', 'MR', 75, 'unknown', 'Screening for implants and metal.', '{CARDIAC MRI,CMR,MR CARDIAC,MRCARDIAC,MRI CARDIAC,MRI HEART}'),
    ('MR-CARDIAC-WWO', 'MRI heart without and with contrast', 'MR', 90, 'with_and_without', 'Screening for implants and metal. Kidney function and allergies are checked.',
     '{MR CARDIAC WWO,MRCARDIACWWO,MRI CARDIAC WWO,MRI HEART WWO}'),
    ('XR003', 'CHEST XRAY 2 VIEWS', 'DX', 15, 'none', NULL, '{CXR,CXR2,CXR2V,XR CHEST 2V,XR CHEST PA AND LATERAL,XR CHEST PA LAT,XR-CHEST-2V,XRCHEST2V}'),
    ('XR-CHEST-1V', 'XR chest 1 view', 'DX', 10, 'none', NULL, '{CXR1,CXR1V,PORTABLE CXR,XR CHEST 1V,XR CHEST AP,XR CHEST PORTABLE,XRCHEST1V}'),
    ('XR-RIBS', 'XR ribs', 'DX', 15, 'none', NULL, '{XR RIB SERIES,XR RIBS,XR RIBS UNILATERAL,XRRIBS}'),
    ('XR-ABD-1V', 'XR abdomen 1 view', 'DX', 10, 'none', NULL, '{AXR,KUB,XR ABD 1V,XR ABDOMEN 1V,XR KUB,XRABD1V}'),
    ('XR-ABD-2V', 'XR abdomen 2 views', 'DX', 15, 'none', NULL, '{XR ABD 2V,XR ABDOMEN 2V,XR ABDOMEN FLAT AND UPRIGHT,XRABD2V}'),
    ('XR-SINUS', 'XR sinuses', 'DX', 15, 'none', NULL, '{XR PARANASAL SINUSES,XR SINUS,XR SINUSES,XRSINUS}'),
    ('XR-PANOREX', 'XR jaw panorama', 'DX', 10, 'none', 'Jewelry and dentures are taken out.', '{OPG,PANOREX,XR PANOREX,XRPANOREX}'),
    ('XR-CSPINE', 'XR cervical spine', 'DX', 15, 'none', NULL, '{XR C SPINE,XR C-SPINE,XR CERVICAL SPINE,XR CERVICAL SPINE 3V,XRCSPINE}'),
    ('XR-TSPINE', 'XR thoracic spine', 'DX', 15, 'none', NULL, '{XR T SPINE,XR T-SPINE,XR THORACIC SPINE,XRTSPINE}'),
    ('XR-LSPINE', 'XR lumbar spine', 'DX', 15, 'none', NULL, '{XR L SPINE,XR L-SPINE,XR LUMBAR SPINE,XR LUMBAR SPINE 2V,XR LUMBOSACRAL SPINE,XRLSPINE}'),
    ('XR-SCOLIOSIS', 'XR whole spine for scoliosis', 'DX', 20, 'none', NULL, '{XR SCOLIOSIS,XR SCOLIOSIS SERIES,XR SPINE SCOLIOSIS,XRSCOLIOSIS}'),
    ('XR-PELVIS', 'XR pelvis', 'DX', 10, 'none', NULL, '{XR PELVIS,XR PELVIS 1V,XR PELVIS AP,XRPELVIS}'),
    ('XR-HIP', 'XR hip', 'DX', 15, 'none', NULL, '{XR HIP,XR HIP 2V,XR HIP UNILATERAL,XRHIP}'),
    ('XR-FEMUR', 'XR femur', 'DX', 15, 'none', NULL, '{XR FEMUR,XR FEMUR 2V,XRFEMUR}'),
    ('XR-KNEE', 'XR knee', 'DX', 15, 'none', NULL, '{XR KNEE,XR KNEE 2V,XR KNEE 3V,XR KNEE 4V,XRKNEE}'),
    ('XR-TIBFIB', 'XR tibia and fibula', 'DX', 15, 'none', NULL, '{XR TIB FIB,XR TIB/FIB,XR TIBIA FIBULA,XRTIBFIB}'),
    ('XR-ANKLE', 'XR ankle', 'DX', 15, 'none', NULL, '{XR ANKLE,XR ANKLE 3V,XRANKLE}'),
    ('XR-FOOT', 'XR foot', 'DX', 15, 'none', NULL, '{XR FOOT,XR FOOT 3V,XR TOE,XR TOES,XRFOOT}'),
    ('XR-SHOULDER', 'XR shoulder', 'DX', 15, 'none', NULL, '{XR SHOULDER,XR SHOULDER 2V,XRSHOULDER}'),
    ('XR-CLAVICLE', 'XR clavicle', 'DX', 10, 'none', NULL, '{XR AC JOINTS,XR CLAVICLE,XRCLAVICLE}'),
    ('XR-HUMERUS', 'XR humerus', 'DX', 15, 'none', NULL, '{XR HUMERUS,XR HUMERUS 2V,XRHUMERUS}'),
    ('XR-ELBOW', 'XR elbow', 'DX', 15, 'none', NULL, '{XR ELBOW,XR ELBOW 3V,XRELBOW}'),
    ('XR-FOREARM', 'XR forearm', 'DX', 15, 'none', NULL, '{XR FOREARM,XR RADIUS ULNA,XRFOREARM}'),
    ('XR-WRIST', 'XR wrist', 'DX', 15, 'none', NULL, '{XR WRIST,XR WRIST 3V,XRWRIST}'),
    ('XR-HAND', 'XR hand', 'DX', 15, 'none', NULL, '{XR FINGER,XR FINGERS,XR HAND,XR HAND 3V,XRHAND}'),
    ('XR-SURVEY', 'XR skeletal survey', 'DX', 45, 'none', NULL, '{XR BONE SURVEY,XR SKELETAL SURVEY,XRSURVEY}'),
    ('US004', 'ABDOMINAL ULTRASOUND', 'US', 30, 'none', 'Nothing to eat or drink for 8 hours.', '{US ABD COMPLETE,US ABDOMEN,US ABDOMEN COMPLETE,US-ABD,USABD}'),
    ('US-RUQ', 'US right upper quadrant', 'US', 20, 'none', 'Nothing to eat or drink for 8 hours.', '{US ABDOMEN LIMITED,US GALLBLADDER,US LIVER,US RUQ,USRUQ}'),
    ('US-RENAL', 'US kidneys and bladder', 'US', 30, 'none', 'Bladder full: half a liter of water an hour before.',
     '{US KIDNEY,US KIDNEYS,US RENAL,US RENAL BLADDER,US RETROPERITONEAL,USRENAL}'),
    ('US-PELVIS', 'US pelvis', 'US', 30, 'none', 'Bladder full: a liter of water an hour before.', '{US PELVIC,US PELVIS,US PELVIS TRANSABDOMINAL,USPELVIS}'),
    ('US-PELVIS-TV', 'US pelvis transvaginal', 'US', 30, 'none', NULL, '{TVUS,US PELVIS TV,US TRANSVAGINAL,US TV,USPELVISTV}'),
    ('US-OB-1T', 'US pregnancy, first trimester', 'US', 30, 'none', 'Bladder full: half a liter of water an hour before.',
     '{US OB 1ST TRIMESTER,US OB <14 WKS,US OB DATING,US OB FIRST TRIMESTER,USOB1T}'),
    ('US-OB-ANATOMY', 'US pregnancy, anatomy', 'US', 60, 'none', NULL, '{US OB 2ND TRIMESTER,US OB >14 WKS,US OB ANATOMY,US OB COMPLETE,USOBANATOMY}'),
    ('US-OB-FOLLOWUP', 'US pregnancy, follow-up', 'US', 30, 'none', NULL, '{US OB FOLLOW UP,US OB FOLLOW-UP,US OB GROWTH,US OB LIMITED,USOBFOLLOWUP}'),
    ('US-THYROID', 'US thyroid', 'US', 30, 'none', NULL, '{US HEAD NECK,US NECK,US THYROID,USTHYROID}'),
    ('US-THYROID-FNA', 'US guided fine needle aspiration of the thyroid', 'US', 45, 'none', 'Clotting and blood thinners are checked.',
     '{US FNA THYROID,US GUIDED FNA,US THYROID FNA,USTHYROIDFNA}'),
    ('US-BREAST', 'US breast', 'US', 30, 'none', NULL, '{US BREAST,US BREAST COMPLETE,US BREAST LIMITED,USBREAST}'),
    ('US-BREAST-BX', 'US guided breast biopsy', 'US', 60, 'none', 'Clotting and blood thinners are checked.', '{US BREAST BIOPSY,US BREAST BX,USBREASTBX}'),
    ('US-SCROTUM', 'US scrotum', 'US', 30, 'none', NULL, '{US SCROTAL,US SCROTUM,US TESTICLE,US TESTICULAR,USSCROTUM}'),
    ('US-CAROTID', 'US carotid arteries with Doppler', 'US', 45, 'none', NULL, '{CAROTID DUPLEX,US CAROTID,US CAROTID DOPPLER,US CAROTID DUPLEX,USCAROTID}'),
    ('US-DVT-LEG', 'US leg veins', 'US', 30, 'none', NULL, '{US DVT,US DVT LEG,US LE VENOUS,US VENOUS DOPPLER LE,US VENOUS LOWER EXTREMITY,USDVTLEG}'),
    ('US-ARTERIAL-LEG', 'US leg arteries', 'US', 45, 'none', NULL, '{US ABI,US ARTERIAL LOWER EXTREMITY,US LE ARTERIAL,USARTERIALLEG}'),
    ('US-AORTA', 'US abdominal aorta', 'US', 30, 'none', 'Nothing to eat or drink for 8 hours.', '{US AAA,US AAA SCREEN,US AORTA,USAORTA}'),
    ('US-LIVER-DOPPLER', 'US liver with Doppler', 'US', 45, 'none', 'Nothing to eat or drink for 8 hours.',
     '{US HEPATIC DOPPLER,US LIVER DOPPLER,US PORTAL VEIN,USLIVERDOPPLER}'),
    ('US-SOFTTISSUE', 'US soft tissue', 'US', 20, 'none', NULL, '{US EXTREMITY LIMITED,US MSK,US SOFT TISSUE,USSOFTTISSUE}'),
    ('US-HIP-INFANT', 'US hips of an infant', 'US', 30, 'none', NULL, '{US HIPS INFANT,US INFANT HIPS,USHIPINFANT}'),
    ('US-PARACENTESIS', 'US guided paracentesis', 'US', 60, 'none', 'Clotting and blood thinners are checked.',
     '{US GUIDED PARACENTESIS,US PARACENTESIS,USPARACENTESIS}'),
    ('US-THORACENTESIS', 'US guided thoracentesis', 'US', 60, 'none', 'Clotting and blood thinners are checked.',
     '{US GUIDED THORACENTESIS,US THORACENTESIS,USTHORACENTESIS}'),
    ('US-ECHO', 'US echocardiography', 'US', 60, 'none', NULL, '{ECHO,ECHO COMPLETE,TTE,US ECHO TTE,USECHO}'),
    ('MG-SCREEN', 'Mammography screening', 'MG', 20, 'none', 'No deodorant, powder or lotion on the day.',
     '{MAMMO SCREEN BILAT,MAMMO SCREENING,MAMMOGRAM SCREENING,MG SCREEN,MG SCREENING,MGSCREEN,SCREENING MAMMOGRAM}'),
    ('MG-SCREEN-TOMO', 'Mammography screening with tomosynthesis', 'MG', 20, 'none', 'No deodorant, powder or lotion on the day.',
     '{MAMMO 3D SCREENING,MAMMO SCREENING TOMO,MG 3D SCREENING,MG SCREEN TOMO,MGSCREENTOMO}'),
    ('MG-DIAG-BI', 'Mammography diagnostic, both breasts', 'MG', 30, 'none', 'No deodorant, powder or lotion on the day.',
     '{DIAGNOSTIC MAMMOGRAM,MAMMO DIAG BILAT,MAMMO DIAGNOSTIC,MG DIAG BILAT,MG DIAGNOSTIC BILATERAL,MGDIAGBI}'),
    ('MG-DIAG-UNI', 'Mammography diagnostic, one breast', 'MG', 30, 'none', 'No deodorant, powder or lotion on the day.',
     '{MAMMO DIAG LT,MAMMO DIAG RT,MAMMO DIAG UNILATERAL,MG DIAG UNI,MG DIAGNOSTIC UNILATERAL,MGDIAGUNI}'),
    ('MG-STEREO-BX', 'Mammography guided breast biopsy', 'MG', 90, 'none', 'Clotting and blood thinners are checked.',
     '{MAMMO STEREO BX,MG STEREO BIOPSY,MG STEREOTACTIC BIOPSY,MGSTEREOBX}'),
    ('MG-LOCALIZE', 'Mammography guided localization', 'MG', 60, 'none', 'Clotting and blood thinners are checked.',
     '{MAMMO NEEDLE LOC,MG NEEDLE LOC,MG WIRE LOC,MGLOCALIZE}'),
    ('NM-BONE-WB', 'NM bone scan whole body', 'NM', 240, 'none', 'Much to drink between injection and scan, about 3 hours.',
     '{BONE SCAN,BONESCAN,NM BONE SCAN,NM BONE SCAN WHOLE BODY,NMBONEWB}'),
    ('NM-BONE-3P', 'NM bone scan, three phases', 'NM', 240, 'none', 'Much to drink between injection and scan, about 3 hours.',
     '{NM 3 PHASE BONE,NM BONE SCAN 3 PHASE,NMBONE3P}'),
    ('NM-HIDA', 'NM hepatobiliary scan', 'NM', 120, 'none', 'Nothing to eat for 4 hours; no opiates for 6 hours.', '{HIDA,HIDA SCAN,NM HEPATOBILIARY,NM HIDA,NMHIDA}'),
    ('NM-MPI', 'NM myocardial perfusion, rest and stress', 'NM', 240, 'none', 'No caffeine for 24 hours, nothing to eat for 4 hours; heart medication as the referrer says.',
     '{NM CARDIAC STRESS,NM LEXISCAN,NM MPI SPECT,NM MYOCARDIAL PERFUSION,NM STRESS TEST,NMMPI}'),
    ('NM-MUGA', 'NM cardiac blood pool', 'NM', 90, 'none', NULL, '{MUGA,MUGA SCAN,NM MUGA,NMMUGA}'),
    ('NM-VQ', 'NM lung ventilation and perfusion', 'NM', 60, 'none', NULL, '{NM LUNG VQ,NM V/Q,NM VQ,NMVQ,V/Q SCAN,VQ SCAN}'),
    ('NM-RENAL', 'NM renal scan', 'NM', 60, 'none', 'Half a liter of water an hour before.', '{NM MAG3,NM RENAL LASIX,NM RENAL SCAN,NM RENOGRAM,NMRENAL}'),
    ('NM-GASTRIC', 'NM gastric emptying', 'NM', 270, 'none', 'Nothing to eat or drink for 8 hours.', '{GASTRIC EMPTYING,NM GASTRIC EMPTYING,NMGASTRIC}'),
    ('NM-THYROID', 'NM thyroid uptake and scan', 'NM', 60, 'none', 'No iodine contrast and no thyroid medication for the weeks that the department says.',
     '{NM THYROID SCAN,NM THYROID UPTAKE,NM THYROID UPTAKE AND SCAN,NMTHYROID}'),
    ('NM-DATSCAN', 'NM brain dopamine transporter', 'NM', 300, 'none', 'Thyroid is protected an hour before; medication as the referrer says.',
     '{DATSCAN,NM BRAIN DATSCAN,NM DAT SCAN,NMDATSCAN}'),
    ('PT-FDG', 'PET/CT skull base to mid-thigh, FDG', 'PT', 120, 'none', 'Nothing to eat for 6 hours, no sugar; blood sugar is measured. No exercise for 24 hours.',
     '{PET CT,PET CT SKULL BASE TO MID THIGH,PET CT SKULL TO THIGH,PET/CT,PETCT,PT CT SKULL THIGH,PTFDG}'),
    ('PT-FDG-WB', 'PET/CT whole body, FDG', 'PT', 135, 'none', 'Nothing to eat for 6 hours, no sugar; blood sugar is measured. No exercise for 24 hours.',
     '{PET CT WHOLE BODY,PET WB,PET/CT WHOLE BODY,PTFDGWB}'),
    ('PT-BRAIN', 'PET/CT brain, FDG', 'PT', 90, 'none', 'Nothing to eat for 6 hours, no sugar; blood sugar is measured. No exercise for 24 hours.',
     '{PET BRAIN,PET CT BRAIN,PET/CT BRAIN,PTBRAIN}'),
    ('PT-PSMA', 'PET/CT PSMA', 'PT', 120, 'none', 'Half a liter of water before; the bladder is emptied.', '{PET CT PSMA,PET PSMA,PET/CT PSMA,PTPSMA}'),
    ('PT-CARDIAC', 'PET heart perfusion', 'PT', 120, 'none', 'No caffeine for 24 hours, nothing to eat for 6 hours.',
     '{PET CARDIAC,PET CT CARDIAC,PET MYOCARDIAL,PTCARDIAC}'),
    ('FL-ESOPHAGRAM', 'Fluoroscopy esophagus', 'RF', 30, 'none', 'Nothing to eat for 4 hours.',
     '{BARIUM SWALLOW,ESOPHAGRAM,FL BARIUM SWALLOW,FL ESOPHAGRAM,FLESOPHAGRAM,RF ESOPHAGRAM}'),
    ('FL-SWALLOW', 'Fluoroscopy swallowing study', 'RF', 45, 'none', NULL, '{FL MODIFIED BARIUM SWALLOW,FL SWALLOW STUDY,FLSWALLOW,MBS,MBSS,MODIFIED BARIUM SWALLOW}'),
    ('FL-UGI', 'Fluoroscopy upper gastrointestinal series', 'RF', 45, 'none', 'Nothing to eat or drink for 8 hours.', '{FL UGI SERIES,FLUGI,RF UGI,UGI}'),
    ('FL-SBFT', 'Fluoroscopy small bowel follow-through', 'RF', 120, 'none', 'Nothing to eat or drink for 8 hours.',
     '{FL SMALL BOWEL,FLSBFT,SBFT,SMALL BOWEL SERIES,UGI SBFT}'),
    ('FL-ENEMA', 'Fluoroscopy contrast enema', 'RF', 60, 'none', 'Bowel preparation the day before; clear liquids only.',
     '{BARIUM ENEMA,FL BARIUM ENEMA,FL CONTRAST ENEMA,FLENEMA,RF BE}'),
    ('FL-VCUG', 'Fluoroscopy voiding cystourethrogram', 'RF', 45, 'with', 'Allergies are checked.', '{FL VOIDING CYSTOGRAM,FLVCUG,RF VCUG,VCUG}'),
    ('FL-CYSTOGRAM', 'Fluoroscopy cystogram', 'RF', 30, 'with', 'Allergies are checked.', '{CYSTOGRAM,FL CYSTO,FLCYSTOGRAM,RF CYSTOGRAM}'),
    ('FL-HSG', 'Fluoroscopy hysterosalpingogram', 'RF', 45, 'with', 'Days 7 to 10 of the cycle; pregnancy excluded; allergies are checked.',
     '{FL HYSTEROSALPINGOGRAM,FLHSG,HSG,RF HSG}'),
    ('FL-MYELOGRAM', 'Fluoroscopy myelogram', 'RF', 90, 'with', 'Nothing to eat for 6 hours. Clotting and blood thinners are checked; somebody drives home.',
     '{FL MYELO,FLMYELOGRAM,MYELOGRAM,RF MYELOGRAM}'),
    ('FL-ARTHROGRAM', 'Fluoroscopy arthrogram', 'RF', 45, 'with', 'Allergies and blood thinners are checked.',
     '{ARTHROGRAM,FL ARTHRO,FL ARTHROGRAM SHOULDER,FLARTHROGRAM}'),
    ('IR-PICC', 'IR PICC line', 'XA', 60, 'unknown', 'Clotting and blood thinners are checked.', '{IR PICC LINE,IR PICC PLACEMENT,IRPICC,PICC,PICC LINE}'),
    ('IR-PORT', 'IR port placement', 'XA', 90, 'unknown', 'Nothing to eat for 6 hours. Clotting and blood thinners are checked; somebody drives home.',
     '{IR PORT A CATH,IR PORT PLACEMENT,IR PORTACATH,IRPORT}'),
    ('IR-DIALYSIS', 'IR dialysis fistula or graft', 'XA', 120, 'with', 'Nothing to eat for 6 hours. Clotting and blood thinners are checked; somebody drives home.',
     '{IR DECLOT,IR FISTULAGRAM,IR FISTULOGRAM,IRDIALYSIS}'),
    ('IR-DRAIN', 'IR abscess drainage', 'XA', 90, 'unknown', 'Nothing to eat for 6 hours. Clotting and blood thinners are checked; somebody drives home.',
     '{IR ABSCESS DRAIN,IR DRAINAGE,IRDRAIN}'),
    ('IR-NEPHROSTOMY', 'IR nephrostomy', 'XA', 90, 'with', 'Nothing to eat for 6 hours. Clotting and blood thinners are checked; somebody drives home.',
     '{IR NEPHROSTOMY TUBE,IR PCN,IRNEPHROSTOMY}'),
    ('IR-BIOPSY', 'IR biopsy', 'XA', 90, 'unknown', 'Nothing to eat for 6 hours. Clotting and blood thinners are checked; somebody drives home.',
     '{IR BX,IR LIVER BIOPSY,IR NEEDLE BIOPSY,IRBIOPSY}'),
    ('IR-ANGIO-LEG', 'IR angiogram of the leg', 'XA', 120, 'with', 'Nothing to eat for 6 hours. Clotting and blood thinners are checked; somebody drives home.',
     '{IR ANGIO LOWER EXTREMITY,IR ANGIOGRAM RUNOFF,IR LEG ANGIOGRAM,IRANGIOLEG}'),
    ('IR-ANGIO-HEAD', 'IR angiogram of the brain', 'XA', 150, 'with', 'Nothing to eat for 6 hours. Clotting and blood thinners are checked; somebody drives home.',
     '{CEREBRAL ANGIOGRAM,IR CEREBRAL ANGIOGRAM,IRANGIOHEAD}'),
    ('IR-VENOGRAM', 'IR venogram', 'XA', 90, 'with', 'Nothing to eat for 6 hours. Clotting and blood thinners are checked; somebody drives home.',
     '{IR VENOGRAPHY,IRVENOGRAM}'),
    ('IR-EMBOLIZE', 'IR embolization', 'XA', 180, 'with', 'Nothing to eat for 6 hours. Clotting and blood thinners are checked; somebody drives home.',
     '{IR EMBOLIZATION,IR TACE,IR UFE,IREMBOLIZE}'),
    ('BD-AXIAL', 'Bone density of hip and spine', 'BMD', 20, 'none', 'No calcium tablets for 24 hours; no barium or contrast exam in the week before.',
     '{BDAXIAL,BMD,BONE DENSITY,DEXA,DEXA AXIAL,DEXA HIP AND SPINE,DEXA SCAN,DXA,DXA AXIAL}'),
    ('BD-VFA', 'Bone density with vertebral fracture assessment', 'BMD', 30, 'none', 'No calcium tablets for 24 hours.', '{BDVFA,DEXA VFA,DXA VFA}');

INSERT INTO radscheduler.role_right (kind, object, rights)
SELECT k.kind, o, 'SELECT' FROM (VALUES ('reader'), ('scheduler'), ('admin')) k(kind),
    unnest(ARRAY['site', 'modality', 'modality_alias', 'procedure', 'procedure_alias', 'resource', 'resource_alias', 'resource_hours', 'resource_block', 'rule_setting',
                 'patient', 'patient_identifier', 'patient_merge', 'imaging_order', 'appointment', 'appointment_service', 'appointment_resource', 'appointment_history',
                 'occupancy', 'conflict', 'appointments', 'schema_version']) o
UNION ALL
SELECT k.kind, o || '()', 'EXECUTE' FROM (VALUES ('reader'), ('scheduler'), ('admin')) k(kind),
    unnest(ARRAY['find_slots', 'conflicts_of', 'orders_of', 'appointments_of', 'schedule_as_of', 'appointment_as_of', 'drift_report', 'api_appointments', 'api_dashboard', 'health']) o;

UPDATE radscheduler.role_right SET rights = 'SELECT, INSERT, UPDATE, DELETE'
    WHERE kind IN ('scheduler', 'admin') AND object = 'resource_block' OR kind = 'scheduler' AND object = 'appointments'
       OR kind = 'admin' AND object IN ('modality', 'modality_alias', 'procedure', 'procedure_alias', 'resource', 'resource_alias', 'resource_hours', 'rule_setting');

INSERT INTO radscheduler.role_right (kind, object, rights, columns) VALUES
    ('ingest', 'ingest()', 'EXECUTE', ''),
    ('ingest', 'ingest_batch()', 'EXECUTE', ''),
    ('ingest', 'dry_run()', 'EXECUTE', ''),
    ('ingest', 'dry_run_batch()', 'EXECUTE', ''),
    ('ingest', 'ingest_json()', 'EXECUTE', ''),
    ('ingest', 'api_hl7_appointment()', 'EXECUTE', ''),
    ('ingest', 'api_hl7_raw()', 'EXECUTE', ''),
    ('ingest', 'api_hl7_simulate()', 'EXECUTE', ''),
    ('ingest', 'relay_fetch()', 'EXECUTE', ''),
    ('ingest', 'relay_advance()', 'EXECUTE', ''),
    ('ingest', 'maintain()', 'EXECUTE', ''),
    ('ingest', 'health()', 'EXECUTE', ''),
    ('analyst', 'site', 'SELECT', ''),
    ('analyst', 'modality', 'SELECT', ''),
    ('analyst', 'procedure', 'SELECT', ''),
    ('analyst', 'resource', 'SELECT', ''),
    ('analyst', 'resource_hours', 'SELECT', ''),
    ('analyst', 'resource_block', 'SELECT', 'site_id, block_id, resource_id, during, created_at'),
    ('analyst', 'appointment', 'SELECT', 'site_id, appointment_id, sender_id, generation, patient_id, status, review_reason, starts_at, ends_at, '
        'modality, study_code, urgency, source, is_test, reschedule_count, original_starts_at, version, message_id, created_at, updated_at'),
    ('analyst', 'appointment_service', 'SELECT', 'site_id, appointment_id, position, group_no, code, starts_at, ends_at'),
    ('analyst', 'appointment_resource', 'SELECT', ''),
    ('analyst', 'occupancy', 'SELECT', ''),
    ('analyst', 'patient_merge', 'SELECT', ''),
    ('analyst', 'imaging_order', 'SELECT', 'site_id, order_id, sender_id, patient_id, status, control, code, modality, urgency, wanted_at, wanted_on, is_test, message_id, '
        'created_at, updated_at'),
    ('analyst', 'conflict', 'SELECT', ''),
    ('analyst', 'event_log', 'SELECT', ''),
    ('analyst', 'hl7_message', 'SELECT', 'site_id, message_id, received_at, channel, sender_id, message_code, trigger_event, processing_id, '
        'version_id, message_time, outcome, code, warnings, appointment_id, duplicate_of'),
    ('analyst', 'sender', 'SELECT', ''),
    ('analyst', 'api_dashboard()', 'EXECUTE', ''),
    ('analyst', 'health()', 'EXECUTE', ''),
    ('scheduler', 'block_resource()', 'EXECUTE', ''),
    ('scheduler', 'unblock_resource()', 'EXECUTE', ''),
    ('scheduler', 'recheck_conflicts()', 'EXECUTE', ''),
    ('auditor', 'site', 'SELECT', ''),
    ('auditor', 'audit_event', 'SELECT', ''),
    ('auditor', 'audit_seal', 'SELECT', ''),
    ('auditor', 'role_grant', 'SELECT', ''),
    ('auditor', 'site_grant', 'SELECT', ''),
    ('auditor', 'legal_hold', 'SELECT', ''),
    ('auditor', 'retention', 'SELECT', ''),
    ('auditor', 'schema_version', 'SELECT', ''),
    ('auditor', 'sender_report()', 'EXECUTE', ''),
    ('auditor', 'audit_verify()', 'EXECUTE', ''),
    ('auditor', 'audit_head()', 'EXECUTE', ''),
    ('admin', 'site', 'UPDATE', 'name, timezone, phone_region, slot_minutes, travel_minutes, campus_minutes, unknown_senders, default_profile'),
    ('admin', 'sender', 'SELECT, DELETE', ''),
    ('admin', 'sender', 'INSERT', 'site_id, sending_application, sending_facility, profile, is_registered'),
    ('admin', 'sender', 'UPDATE', 'profile, is_registered'),
    ('admin', 'hl7_message', 'SELECT', ''),
    ('admin', 'message_key', 'SELECT', ''),
    ('admin', 'sender_block', 'SELECT', ''),
    ('admin', 'event_log', 'SELECT', ''),
    ('admin', 'legal_hold', 'SELECT', ''),
    ('admin', 'retention', 'SELECT', ''),
    ('admin', 'create_site()', 'EXECUTE', ''),
    ('admin', 'add_procedure()', 'EXECUTE', ''),
    ('admin', 'add_resource()', 'EXECUTE', ''),
    ('admin', 'block_resource()', 'EXECUTE', ''),
    ('admin', 'unblock_resource()', 'EXECUTE', ''),
    ('admin', 'recheck_conflicts()', 'EXECUTE', ''),
    ('admin', 'set_sender()', 'EXECUTE', ''),
    ('admin', 'sender_report()', 'EXECUTE', ''),
    ('admin', 'dry_run()', 'EXECUTE', ''),
    ('admin', 'dry_run_batch()', 'EXECUTE', ''),
    ('admin', 'replay()', 'EXECUTE', ''),
    ('admin', 'configuration_export()', 'EXECUTE', ''),
    ('admin', 'configuration_import()', 'EXECUTE', ''),
    ('admin', 'place_hold()', 'EXECUTE', ''),
    ('admin', 'lift_hold()', 'EXECUTE', ''),
    ('admin', 'purge()', 'EXECUTE', ''),
    ('admin', 'set_retention()', 'EXECUTE', ''),
    ('admin', 'maintain()', 'EXECUTE', ''),
    ('public', 'caller()', 'EXECUTE', ''),
    ('public', 'acting()', 'EXECUTE', ''),
    ('public', 'sites_for()', 'EXECUTE', ''),
    ('public', 'everywhere_for()', 'EXECUTE', ''),
    ('public', 'visible_sites()', 'EXECUTE', ''),
    ('public', 'sees_every_site()', 'EXECUTE', ''),
    ('public', 'current_site()', 'EXECUTE', ''),
    ('public', 'default_zone()', 'EXECUTE', ''),
    ('public', 'audits_changes()', 'EXECUTE', ''),
    ('public', 'is_timezone()', 'EXECUTE', ''),
    ('public', 'is_profile()', 'EXECUTE', ''),
    ('public', 'is_rule()', 'EXECUTE', ''),
    ('public', 'profile_faults()', 'EXECUTE', ''),
    ('public', 'profile_value_fault()', 'EXECUTE', ''),
    ('public', 'event_map_fault()', 'EXECUTE', ''),
    ('public', 'nearest_word()', 'EXECUTE', ''),
    ('public', 'is_path()', 'EXECUTE', ''),
    ('public', 'sender_profile()', 'EXECUTE', ''),
    ('public', 'event_meant()', 'EXECUTE', ''),
    ('public', 'is_occupying()', 'EXECUTE', ''),
    ('public', 'is_closed()', 'EXECUTE', ''),
    ('public', 'is_ordered_by()', 'EXECUTE', ''),
    ('public', 'siu_parse()', 'EXECUTE', ''),
    ('public', 'siu_read()', 'EXECUTE', '');

CREATE OR REPLACE FUNCTION radscheduler.is_everywhere(p_role oid) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- pg_authid, not the view pg_roles: this is asked for every message and every query over records.
    RETURN EXISTS (SELECT FROM pg_authid r WHERE r.oid = p_role AND (r.rolsuper OR r.rolbypassrls))
        OR EXISTS (SELECT FROM radscheduler.site_grant g JOIN pg_roles r ON r.rolname = g.role_name
                   WHERE g.site_id IS NULL AND pg_has_role(p_role, r.oid, 'USAGE'));
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.storage_objects(OUT kind text, OUT name text, OUT is_code boolean) RETURNS SETOF record
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END,
       c.relname::text,
       c.relname IN ('storage_step', 'modality_catalogue', 'procedure_catalogue', 'status_alias', 'event_rule',
                     'warning_kind', 'conflict_kind', 'rule_kind', 'order_rule', 'phone_region', 'role_right', 'profile_key', 'profile_preset')
FROM pg_depend d
JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
WHERE d.deptype = 'e' AND e.extname = 'radscheduler' AND c.relkind IN ('r', 'p', 'v', 'S')
$$;

CREATE OR REPLACE FUNCTION radscheduler.create_site(code text, name text, timezone text) RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site integer;
BEGIN
    IF create_site.timezone IS NOT NULL AND NOT radscheduler.is_timezone(create_site.timezone) THEN
        RAISE EXCEPTION 'time zone "%" is not known', create_site.timezone
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Use an IANA name such as America/New_York; pg_timezone_names lists them.';
    END IF;
    PERFORM radscheduler.require_every_site('creating a site');
    INSERT INTO radscheduler.site (code, name, timezone) VALUES (create_site.code, create_site.name, create_site.timezone)
        RETURNING site_id INTO v_site;
    INSERT INTO radscheduler.modality (site_id, code, label, name, default_minutes)
        SELECT v_site, c.code, c.label, c.name, c.default_minutes FROM radscheduler.modality_catalogue c;
    PERFORM radscheduler.stock_site(v_site);
    INSERT INTO radscheduler.resource_hours (site_id, weekday, opens, closes)
        SELECT v_site, d, '07:00', '19:00' FROM generate_series(1, 5) d;
    PERFORM radscheduler.audit(v_site, 'site.created', 'site', v_site, jsonb_build_object('code', create_site.code));
    RETURN v_site;
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.sender_of(p_application text, p_facility text,
                                       OUT site_id integer, OUT sender_id bigint, OUT profile jsonb, OUT is_new boolean, OUT is_refused boolean) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_sites integer[] := radscheduler.visible_sites();
BEGIN
    is_new := false;
    SELECT s.site_id, s.sender_id, radscheduler.sender_profile(s.profile, t.default_profile), NOT s.is_registered AND t.unknown_senders = 'refuse'
        INTO sender_of.site_id, sender_of.sender_id, sender_of.profile, sender_of.is_refused
        FROM radscheduler.sender s JOIN radscheduler.site t ON t.site_id = s.site_id
        WHERE s.sending_application = p_application AND s.sending_facility = p_facility
          AND s.site_id = ANY (v_sites)
        ORDER BY s.is_registered DESC, s.sender_id LIMIT 1;
    IF FOUND THEN
        RETURN;
    END IF;
    sender_of.site_id := (SELECT min(v) FROM unnest(v_sites) v WHERE v > 0);
    IF sender_of.site_id IS NULL THEN
        PERFORM radscheduler.refuse_without_site();
    END IF;
    INSERT INTO radscheduler.sender (site_id, sending_application, sending_facility, is_registered)
        VALUES (sender_of.site_id, p_application, p_facility, false)
        ON CONFLICT DO NOTHING
        RETURNING sender.sender_id INTO sender_of.sender_id;
    IF sender_of.sender_id IS NOT NULL THEN
        is_new := true;
        PERFORM radscheduler.audit(sender_of.site_id, 'sender.created', 'sender', sender_of.sender_id, '{}');
    END IF;
    SELECT s.sender_id, radscheduler.sender_profile(s.profile, t.default_profile), NOT s.is_registered AND t.unknown_senders = 'refuse'
        INTO sender_of.sender_id, sender_of.profile, sender_of.is_refused
        FROM radscheduler.sender s JOIN radscheduler.site t ON t.site_id = s.site_id
        WHERE s.site_id = sender_of.site_id AND s.sending_application = p_application AND s.sending_facility = p_facility;
END
$$;

COMMENT ON FUNCTION radscheduler.sender_of(text, text) IS
    'The sender known by MSH-3 and MSH-4, with its site and profile. Only sites the caller may use are looked at; where several know the pair, a registered sender goes before others, then the older. An unknown pair is recorded at the session''s site, else at the first of them. profile is the whole one: preset written out, over site.default_profile. is_refused: the sender is not registered, and its site refuses such (site.unknown_senders).';

CREATE OR REPLACE FUNCTION radscheduler.modality_guess(p_site integer, codes text[], texts text[]) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT coalesce(
        (SELECT a.code FROM unnest(codes) WITH ORDINALITY c(value, place)
            JOIN radscheduler.modality_alias a ON a.site_id = p_site AND a.alias = upper(substring(c.value from '^[A-Za-z]+')) AND a.code <> 'OT'
            ORDER BY c.place LIMIT 1),
        (SELECT a.code FROM unnest(texts) WITH ORDINALITY t(value, place),
                regexp_split_to_table(replace(upper(t.value), 'X-RAY', 'XRAY'), '[^A-Z0-9]+') WITH ORDINALITY w(word, position)
            JOIN radscheduler.modality_alias a ON a.site_id = p_site AND a.alias = w.word AND a.code <> 'OT'
            ORDER BY t.place, w.position LIMIT 1)));
END
$$;

COMMENT ON FUNCTION radscheduler.modality_guess(integer, text[], text[]) IS
    'DICOM code told by the letters that start a study code, else by the first word of the texts that is a modality alias; NULL when nothing tells. A word for OT tells nothing, so that it hides no other.';

CREATE OR REPLACE FUNCTION radscheduler.urgency_of(priority text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT CASE WHEN upper(btrim(priority)) IN ('S', 'STAT', 'EMERGENCY', 'E', 'EMERGENT') THEN 'stat'
                WHEN upper(btrim(priority)) IN ('A', 'ASAP', 'U', 'URGENT', 'P', 'C', 'T', 'TS', 'WALKIN', 'WALK-IN') OR upper(btrim(priority)) ~ '^T[SMHDWL]\d' THEN 'urgent'
                ELSE 'routine' END);
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.lock_keys(names text[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- The sorted subquery is read in its order, so locks are taken in that order.
    PERFORM pg_advisory_xact_lock(7421001, k.key)
        FROM (SELECT DISTINCT radscheduler.lock_key(n, s.secret) AS key FROM radscheduler.lock_secret s, unnest(names) n WHERE n IS NOT NULL ORDER BY 1) k;
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.lock_subjects(p_site integer, resources bigint[], patients bigint[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_resource CONSTANT text := 'resource/' || p_site || '/';
    c_patient  CONSTANT text := 'patient/' || p_site || '/';
BEGIN
    PERFORM pg_advisory_xact_lock(7421002, k.key)
        FROM (SELECT DISTINCT radscheduler.lock_key(n.name, s.secret) AS key
              FROM radscheduler.lock_secret s,
                   LATERAL (SELECT c_resource || r AS name FROM unnest(resources) r UNION ALL SELECT c_patient || p FROM unnest(patients) p) n
              WHERE n.name IS NOT NULL ORDER BY 1) k;
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.lock_settling(p_site integer, p_alone boolean) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- Before the lock, what writing the rows would wait for: recheck_conflicts() takes the table first and then this.
    LOCK TABLE radscheduler.appointment IN ROW EXCLUSIVE MODE;
    IF p_alone THEN
        PERFORM pg_advisory_xact_lock(7421005, radscheduler.lock_key('settling/' || p_site, radscheduler.lock_secret()));
    ELSE
        PERFORM pg_advisory_xact_lock_shared(7421005, radscheduler.lock_key('settling/' || p_site, radscheduler.lock_secret()));
    END IF;
END
$$;

COMMENT ON FUNCTION radscheduler.lock_settling(integer, boolean) IS
    'After the subjects: the transaction lock of a site under which conflicts are brought into line. Shared by those who settle once, as settle() locks the rows of others in one order; alone for a batch that settles in several waves, before its first row, as it would come back for rows of others in another order.';

CREATE OR REPLACE FUNCTION radscheduler.refuse_profile(p_what text, p_profile jsonb) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_faults text[] := ARRAY(SELECT concat_ws(' ', f.key, f.fault) FROM radscheduler.profile_faults(p_profile) f);
BEGIN
    IF cardinality(v_faults) > 0 THEN
        RAISE EXCEPTION '% is not understood: %', p_what, array_to_string(v_faults, '; ') USING ERRCODE = 'invalid_parameter_value',
            HINT = 'SELECT key, words, default_value, example, meaning FROM radscheduler.profile_key ORDER BY place;';
    END IF;
END
$$;

COMMENT ON FUNCTION radscheduler.refuse_profile(text, jsonb) IS 'Raises 22023 with every fault of a profile, each with what to write instead; nothing when it is understood.';

CREATE OR REPLACE FUNCTION radscheduler.set_sender(application text, facility text, profile jsonb DEFAULT '{}', registered boolean DEFAULT true, replace boolean DEFAULT false,
                                        OUT sender_id bigint, OUT is_new boolean, OUT is_registered boolean, OUT own_profile jsonb, OUT whole_profile jsonb) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
#variable_conflict use_column
DECLARE
    v_site    integer := radscheduler.current_site();
    v_old     record;
    v_changes jsonb;
BEGIN
    IF set_sender.application IS NULL OR set_sender.facility IS NULL OR set_sender.application || set_sender.facility = '' THEN
        RAISE EXCEPTION 'a sender is known by its application (MSH-3) and facility (MSH-4), and neither was given' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Give both; one that the sender leaves empty is an empty string.';
    ELSIF length(set_sender.application) > 200 OR length(set_sender.facility) > 200 THEN
        RAISE EXCEPTION 'application and facility have at most 200 characters' USING ERRCODE = 'invalid_parameter_value', HINT = 'Give MSH-3 and MSH-4 as they are sent.';
    ELSIF jsonb_typeof(set_sender.profile) IS DISTINCT FROM 'object' THEN
        PERFORM radscheduler.refuse_profile('the profile', coalesce(set_sender.profile, 'null'));
    END IF;

    INSERT INTO radscheduler.sender (site_id, sending_application, sending_facility, is_registered)
        VALUES (v_site, set_sender.application, set_sender.facility, false) ON CONFLICT DO NOTHING;
    set_sender.is_new := FOUND;
    SELECT s.sender_id, s.profile, s.is_registered INTO v_old FROM radscheduler.sender s
        WHERE s.site_id = v_site AND s.sending_application = set_sender.application AND s.sending_facility = set_sender.facility FOR UPDATE;
    set_sender.sender_id := v_old.sender_id;
    -- A key that is null goes; what is not named stays, unless the whole is replaced.
    set_sender.own_profile := CASE WHEN replace THEN '{}' ELSE v_old.profile - ARRAY(SELECT jsonb_object_keys(set_sender.profile)) END
        || (SELECT coalesce(jsonb_object_agg(e.key, e.value), '{}') FROM jsonb_each(set_sender.profile) e WHERE e.value <> 'null');
    PERFORM radscheduler.refuse_profile(format('the profile of sender "%s|%s"', set_sender.application, set_sender.facility), set_sender.own_profile);
    UPDATE radscheduler.sender s SET profile = set_sender.own_profile, is_registered = coalesce(set_sender.registered, s.is_registered)
        WHERE s.site_id = v_site AND s.sender_id = v_old.sender_id
          AND (s.profile, s.is_registered) IS DISTINCT FROM (set_sender.own_profile, coalesce(set_sender.registered, s.is_registered));
    SELECT s.is_registered, radscheduler.sender_profile(s.profile, t.default_profile) INTO set_sender.is_registered, set_sender.whole_profile
        FROM radscheduler.sender s JOIN radscheduler.site t ON t.site_id = s.site_id WHERE s.site_id = v_site AND s.sender_id = v_old.sender_id;
    IF set_sender.registered AND NOT set_sender.is_registered THEN
        RAISE NOTICE 'the sender is recorded, and stays unregistered' USING HINT = 'Only who may use every site registers a sender: it decides which site its messages go to.';
    END IF;

    SELECT coalesce(jsonb_object_agg(c.name, jsonb_build_array(c.old, c.new)), '{}') INTO v_changes
        FROM (VALUES ('profile', v_old.profile, set_sender.own_profile),
                     ('is_registered', to_jsonb(v_old.is_registered), to_jsonb(set_sender.is_registered))) c(name, old, new) WHERE c.old <> c.new;
    IF set_sender.is_new OR v_changes <> '{}' THEN
        PERFORM radscheduler.audit(v_site, CASE WHEN set_sender.is_new THEN 'sender.created' ELSE 'sender.changed' END, 'sender', v_old.sender_id,
                                   jsonb_build_object('columns', v_changes));
    END IF;
END
$$;

COMMENT ON FUNCTION radscheduler.set_sender(text, text, jsonb, boolean, boolean) IS
    'Records or changes the sender known by MSH-3 (application) and MSH-4 (facility) at the session''s site. The keys of profile are set, one that is null is removed, those not named stay; with replace => true the profile becomes exactly this. registered => NULL leaves that as it is; only who may use every site registers a sender, for others it stays unregistered with a notice. Returns the sender''s id, whether it is new, whether it is registered, its own profile, and the whole one: preset written out, over site.default_profile. Writes one audit event when something changed. Raises 22023 with every fault of the profile and what to write instead.';

CREATE OR REPLACE FUNCTION radscheduler.stock_site(p_site integer, p_procedures text[] DEFAULT '{}', p_words text[] DEFAULT '{}') RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET radscheduler.audit_changes = off
    AS $$
BEGIN
    INSERT INTO radscheduler.modality_alias (site_id, alias, code)
        SELECT m.site_id, a.alias, c.code FROM radscheduler.modality_catalogue c
        JOIN radscheduler.modality m ON m.site_id = p_site AND m.code = c.code, unnest(c.aliases) a(alias)
        WHERE a.alias <> ALL (p_words)
        ON CONFLICT DO NOTHING;
    INSERT INTO radscheduler.procedure (site_id, code, name, modality, minutes, contrast, prep)
        SELECT m.site_id, c.code, c.name, c.modality, c.minutes, c.contrast, c.prep FROM radscheduler.procedure_catalogue c
        JOIN radscheduler.modality m ON m.site_id = p_site AND m.code = c.modality
        WHERE c.code <> ALL (p_procedures)
        ON CONFLICT DO NOTHING;
    UPDATE radscheduler.procedure p SET contrast = c.contrast, prep = c.prep FROM radscheduler.procedure_catalogue c
        WHERE p.site_id = p_site AND p.code = ANY (p_procedures) AND c.code = p.code AND c.name = p.name AND c.modality = p.modality
          AND p.contrast = 'unknown' AND p.prep IS NULL;
    -- A site that uses a code for another exam, or under another name, is left to its own words.
    INSERT INTO radscheduler.procedure_alias (site_id, alias, code)
        SELECT p.site_id, a.alias, c.code FROM radscheduler.procedure_catalogue c
        JOIN radscheduler.procedure p ON p.site_id = p_site AND p.code = c.code AND p.name = c.name AND p.modality = c.modality, unnest(c.aliases) a(alias)
        WHERE NOT EXISTS (SELECT FROM radscheduler.procedure q WHERE q.site_id = p_site AND upper(q.code) = a.alias)
        ON CONFLICT DO NOTHING;
END
$$;

COMMENT ON FUNCTION radscheduler.stock_site(integer, text[], text[]) IS
    'Gives a site the exams of the catalogue, their aliases and the words for modalities that it lacks, as far as it has the modality; rows that are there are not touched. p_procedures and p_words were offered to it before, without contrast and prep: what it lacks of those it has taken out, what it has is told contrast and prep if it says nothing of them.';

CREATE OR REPLACE FUNCTION radscheduler.procedure_of(p_site integer, p_code text, p_alternate text, OUT code text, OUT modality text, OUT minutes integer) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_code  text;
    v_name  text;
    v_alias text;
BEGIN
    -- One statement, one index probe: with joins the planner would read whole tables, for every message.
    FOREACH v_code IN ARRAY ARRAY[p_code, p_alternate] LOOP
        CONTINUE WHEN v_code IS NULL;
        SELECT p.code, p.modality, p.minutes INTO procedure_of.code, procedure_of.modality, procedure_of.minutes
            FROM radscheduler.procedure p WHERE p.site_id = p_site AND p.code = v_code;
        IF FOUND THEN
            RETURN;
        END IF;
        v_name := upper(btrim(v_code));
        SELECT a.code INTO v_alias FROM radscheduler.procedure_alias a WHERE a.site_id = p_site AND a.alias = v_name;
        IF FOUND OR v_name <> v_code THEN
            SELECT p.code, p.modality, p.minutes INTO procedure_of.code, procedure_of.modality, procedure_of.minutes
                FROM radscheduler.procedure p WHERE p.site_id = p_site AND p.code = coalesce(v_alias, v_name);
            IF FOUND THEN
                RETURN;
            END IF;
        END IF;
    END LOOP;
END
$$;

COMMENT ON FUNCTION radscheduler.procedure_of(integer, text, text) IS
    'The exam of a site that a code of a message means (AIS-3.1), else its alternate code (AIS-3.4): by code, by alias, by the code in upper case. All NULL when the site has none. minutes is NULL where those of the modality count.';

CREATE OR REPLACE FUNCTION radscheduler.add_procedure(code text, name text, modality text, minutes integer DEFAULT NULL, contrast text DEFAULT 'unknown', prep text DEFAULT NULL,
                                           aliases text[] DEFAULT '{}') RETURNS text
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
#variable_conflict use_variable
DECLARE
    v_site     integer := radscheduler.current_site();
    v_code     text := btrim(code);
    v_modality text := radscheduler.modality_code(v_site, modality);
    v_names    text[];
    v_taken    record;
BEGIN
    IF coalesce(v_code, '') = '' OR coalesce(name, '') = '' THEN
        RAISE EXCEPTION 'an exam needs a code and a name' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'The code is what senders write in AIS-3.1; the name is its text, AIS-3.2.';
    ELSIF v_modality IS NULL THEN
        RAISE EXCEPTION 'modality "%" is not known at this site', modality
            USING ERRCODE = 'invalid_parameter_value', HINT = 'radscheduler.modality_alias lists the words that are.';
    ELSIF contrast IS NULL OR contrast NOT IN ('none', 'with', 'with_and_without', 'unknown') THEN
        RAISE EXCEPTION 'contrast "%" is not understood', contrast
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Write none, with, with_and_without or unknown.';
    ELSIF minutes NOT BETWEEN 1 AND 1440 THEN
        RAISE EXCEPTION 'an exam takes 1 to 1440 minutes, not %', minutes
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Leave minutes out for those of the modality.';
    END IF;
    v_names := ARRAY(SELECT DISTINCT upper(btrim(n)) FROM unnest(aliases) n WHERE btrim(n) <> '' AND upper(btrim(n)) <> upper(v_code) ORDER BY 1);
    SELECT t.alias, t.code INTO v_taken FROM (
        SELECT a.alias, a.code FROM radscheduler.procedure_alias a WHERE a.site_id = v_site AND a.alias = ANY (v_names)
        UNION ALL
        SELECT upper(p.code), p.code FROM radscheduler.procedure p WHERE p.site_id = v_site AND upper(p.code) = ANY (v_names)) t
        ORDER BY t.alias LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '"%" already means the exam "%"', v_taken.alias, v_taken.code USING ERRCODE = 'unique_violation',
            HINT = 'Leave the alias out, or give it away first: UPDATE or DELETE in radscheduler.procedure_alias.';
    END IF;
    INSERT INTO radscheduler.procedure AS p (site_id, code, name, modality, minutes, contrast, prep)
        VALUES (v_site, v_code, name, v_modality, minutes, contrast, nullif(prep, '')) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this site has an exam with the code "%" already', v_code USING ERRCODE = 'unique_violation',
            HINT = 'UPDATE radscheduler.procedure changes it; other codes for it go into radscheduler.procedure_alias.';
    END IF;
    DELETE FROM radscheduler.procedure_alias a WHERE a.site_id = v_site AND a.alias = upper(v_code) RETURNING a.alias, a.code INTO v_taken;
    IF FOUND THEN
        RAISE NOTICE '"%" no longer means the exam "%"', v_taken.alias, v_taken.code;
    END IF;
    INSERT INTO radscheduler.procedure_alias AS a (site_id, alias, code) SELECT v_site, n, v_code FROM unnest(v_names) n;
    PERFORM radscheduler.audit(v_site, 'procedure.created', 'procedure', NULL,
        jsonb_strip_nulls(jsonb_build_object('code', v_code, 'modality', v_modality, 'minutes', minutes, 'contrast', contrast, 'aliases', to_jsonb(v_names))));
    RETURN v_code;
END
$$;

COMMENT ON FUNCTION radscheduler.add_procedure(text, text, text, integer, text, text, text[]) IS
    'Records an exam at the session''s site with the other codes that senders use for it (aliases, whatever their case); returns its code. modality is a DICOM code or a word for one, minutes NULL means the modality''s. A code that was an alias of another exam is one no longer, with a notice. Raises 22023 for a value that is not understood, 23505 for a code or alias that is taken. UPDATE and DELETE on radscheduler.procedure and procedure_alias do the rest.';

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

CREATE OR REPLACE FUNCTION radscheduler.audit_many(p_sites integer[], p_actions text[], p_objects text[], p_object_ids bigint[], p_details jsonb[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_role  CONSTANT name := pg_get_userbyid(radscheduler.caller());
    c_actor CONSTANT text := nullif(current_setting('radscheduler.actor', true), '');
    c_for   CONSTANT text := nullif(current_setting('radscheduler.purpose', true), '');
    c_trace CONSTANT text := nullif(current_setting('radscheduler.trace_id', true), '');
BEGIN
    INSERT INTO radscheduler.audit_event (site_id, role_name, login_name, actor, purpose, trace_id, action, object, object_id, detail)
        SELECT u.site, c_role, session_user, c_actor, c_for, c_trace, u.action, u.object, u.id, u.detail
        FROM unnest(p_sites, p_actions, p_objects, p_object_ids, p_details) u(site, action, object, id, detail);
END
$$;

COMMENT ON FUNCTION radscheduler.audit_many(integer[], text[], text[], bigint[], jsonb[]) IS 'audit() of many things of any kind at once: arrays side by side.';

CREATE OR REPLACE FUNCTION radscheduler.claim_of(moved_at timestamptz, booked_at timestamptz, created_at timestamptz) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN COALESCE(moved_at, booked_at, created_at);

COMMENT ON FUNCTION radscheduler.claim_of(timestamptz, timestamptz, timestamptz) IS 'Since when an appointment has laid claim to its present time: what decides who keeps a place that several want.';

CREATE OR REPLACE FUNCTION radscheduler.waiting_behind(p_site integer, p_rows bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT array_agg(DISTINCT w.occupancy_id)
        FROM unnest(p_rows) u(id)
        JOIN radscheduler.occupancy o ON o.site_id = p_site AND o.occupancy_id = u.id
        LEFT JOIN radscheduler.resource r ON o.axis = 'resource' AND r.site_id = o.site_id AND r.resource_id = o.subject_id
        JOIN radscheduler.occupancy w ON w.site_id = o.site_id AND w.axis = o.axis AND w.subject_id = o.subject_id AND w.buffered && o.buffered
                                     AND w.lane > o.lane AND w.lane >= coalesce(r.capacity, 1)
        WHERE w.occupancy_id <> ALL (p_rows));
END
$$;

COMMENT ON FUNCTION radscheduler.waiting_behind(integer, bigint[]) IS
    'Overbooked intervals that could get a better lane when these intervals leave; NULL when there are none. Those that leave too are not among them.';

CREATE OR REPLACE FUNCTION radscheduler.overlapping(p_site integer, p_appointments bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT array_agg(DISTINCT x.id)
        FROM unnest(p_appointments) u(id)
        JOIN radscheduler.occupancy o ON o.site_id = p_site AND o.appointment_id = u.id
        LEFT JOIN radscheduler.resource r ON o.axis = 'resource' AND r.site_id = o.site_id AND r.resource_id = o.subject_id
        JOIN radscheduler.occupancy w ON w.site_id = o.site_id AND w.axis = o.axis AND w.subject_id = o.subject_id AND w.buffered && o.buffered
                                     AND w.occupancy_id <> o.occupancy_id AND greatest(w.lane, o.lane) >= coalesce(r.capacity, 1),
        LATERAL unnest(ARRAY[o.occupancy_id, w.occupancy_id]) x(id));
END
$$;

COMMENT ON FUNCTION radscheduler.overlapping(integer, bigint[]) IS
    'Intervals of appointments and others that overlap them on the same subject, one of the two overbooked: those whose lanes may be others once the claims of these appointments have changed. NULL when there are none.';

CREATE OR REPLACE FUNCTION radscheduler.lane_due(p_site integer, p_row bigint, p_capacity integer, p_ids bigint[], p_lanes smallint[]) RETURNS smallint
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_mine   record;
    v_ranges tstzrange[];
    v_over   smallint[];
    v_peak   bigint;
BEGIN
    SELECT o.axis, o.subject_id, o.buffered, o.lane, o.appointment_id, radscheduler.is_closed(a.status) AS is_closed, radscheduler.claim_of(a.moved_at, a.booked_at, a.created_at) AS claim INTO v_mine
        FROM radscheduler.occupancy o JOIN radscheduler.appointment a ON a.site_id = o.site_id AND a.appointment_id = o.appointment_id
        WHERE o.site_id = p_site AND o.occupancy_id = p_row;
    SELECT array_agg(q.during) FILTER (WHERE q.lane < p_capacity), array_agg(q.lane) FILTER (WHERE q.lane >= p_capacity) INTO v_ranges, v_over
        FROM (SELECT o.buffered * v_mine.buffered AS during, coalesce(m.lane, o.lane) AS lane
              FROM radscheduler.occupancy o
              JOIN radscheduler.appointment a ON a.site_id = o.site_id AND a.appointment_id = o.appointment_id
              LEFT JOIN unnest(p_ids, p_lanes) m(id, lane) ON m.id = o.occupancy_id
              WHERE o.site_id = p_site AND o.axis = v_mine.axis AND o.subject_id = v_mine.subject_id AND o.buffered && v_mine.buffered
                AND (radscheduler.is_closed(a.status), radscheduler.claim_of(a.moved_at, a.booked_at, a.created_at), o.appointment_id, o.occupancy_id)
                    < (v_mine.is_closed, v_mine.claim, v_mine.appointment_id, p_row)) q;
    v_peak := coalesce(cardinality(v_ranges), 0);
    IF v_peak >= p_capacity AND p_capacity > 1 THEN
        -- As many at once as there are where one of them begins.
        v_peak := (SELECT max(q.n) FROM (SELECT count(*) AS n FROM unnest(v_ranges) WITH ORDINALITY b(during, place) JOIN unnest(v_ranges) o(during) ON o.during @> lower(b.during)
                                         GROUP BY b.place) q);
    END IF;
    RETURN CASE WHEN v_peak >= p_capacity THEN (SELECT min(g.lane) FROM generate_series(p_capacity, p_capacity + coalesce(cardinality(v_over), 0)) g(lane) WHERE g.lane <> ALL (coalesce(v_over, '{}')))
                WHEN v_mine.lane < p_capacity THEN v_mine.lane
                WHEN p_capacity = 1 THEN 0
                ELSE -1 END;
END
$$;

COMMENT ON FUNCTION radscheduler.lane_due(integer, bigint, integer, bigint[], smallint[]) IS
    'The lane an interval is due to by the age of its claim, when some intervals (p_ids) are to have other lanes (p_lanes, side by side): its present one while that is legal and it is, a higher one when it is overbooked, -1 when it has become legal and its seat is still to be found.';

CREATE OR REPLACE FUNCTION radscheduler.seat(p_site integer, p_row bigint, p_capacity integer, p_ids bigint[], p_lanes smallint[], OUT ids bigint[], OUT lanes smallint[]) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_axis    radscheduler.axis;
    v_subject bigint;
    v_mine    tstzrange;
    v_block   tstzrange;
    v_lane    smallint;
    v_row     record;
    v_free    timestamptz[] := array_fill('-infinity'::timestamptz, ARRAY[p_capacity]);
BEGIN
    SELECT o.axis, o.subject_id, o.buffered INTO v_axis, v_subject, v_mine FROM radscheduler.occupancy o WHERE o.site_id = p_site AND o.occupancy_id = p_row;
    SELECT min(g.lane) INTO v_lane FROM generate_series(0, p_capacity - 1) g(lane)
        WHERE NOT EXISTS (SELECT FROM radscheduler.occupancy o LEFT JOIN unnest(p_ids, p_lanes) m(id, lane) ON m.id = o.occupancy_id
                          WHERE o.site_id = p_site AND o.axis = v_axis AND o.subject_id = v_subject AND o.buffered && v_mine AND coalesce(m.lane, o.lane) = g.lane);
    IF v_lane IS NOT NULL THEN
        ids := ARRAY[p_row];
        lanes := ARRAY[v_lane];
        RETURN;
    END IF;
    -- Room enough, but never in one place for all the time: everybody of this unbroken stretch sits down anew, in order of their starts.
    LOOP
        v_block := v_mine;
        SELECT range_merge(range_agg(o.buffered)) INTO v_mine
            FROM radscheduler.occupancy o LEFT JOIN unnest(p_ids, p_lanes) m(id, lane) ON m.id = o.occupancy_id
            WHERE o.site_id = p_site AND o.axis = v_axis AND o.subject_id = v_subject AND o.buffered && v_block AND coalesce(m.lane, o.lane) < p_capacity;
        EXIT WHEN v_mine = v_block;
    END LOOP;
    ids := '{}';
    lanes := '{}';
    FOR v_row IN
        SELECT o.occupancy_id, o.buffered FROM radscheduler.occupancy o LEFT JOIN unnest(p_ids, p_lanes) m(id, lane) ON m.id = o.occupancy_id
        WHERE o.site_id = p_site AND o.axis = v_axis AND o.subject_id = v_subject AND o.buffered && v_block AND coalesce(m.lane, o.lane) < p_capacity
        ORDER BY lower(o.buffered), o.occupancy_id
    LOOP
        SELECT min(f.place) INTO v_lane FROM unnest(v_free) WITH ORDINALITY f(until, place) WHERE f.until <= lower(v_row.buffered);
        v_free[v_lane] := upper(v_row.buffered);
        ids := ids || v_row.occupancy_id;
        lanes := lanes || (v_lane - 1)::smallint;
    END LOOP;
END
$$;

COMMENT ON FUNCTION radscheduler.seat(integer, bigint, integer, bigint[], smallint[]) IS
    'A lane below the capacity for an interval that has become legal, given lanes that others are to have (-1: to be found): its own alone where one is free all the time, else those of every legal interval of the unbroken stretch of time that it stands in.';

CREATE OR REPLACE FUNCTION radscheduler.reseat(p_site integer, p_rows bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_queue bigint[] := p_rows;
    v_ids   bigint[] := '{}';
    v_lanes smallint[] := '{}';
    v_row   record;
    v_lane  smallint;
    v_seats record;
    v_moved bigint[];
BEGIN
    -- Oldest claim first: everything that may decide a lane is final when its turn comes.
    WHILE cardinality(v_queue) > 0 LOOP
        SELECT o.occupancy_id, o.axis, o.subject_id, o.buffered, o.lane, o.appointment_id, coalesce(r.capacity, 1)::integer AS capacity,
               radscheduler.is_closed(a.status) AS is_closed, radscheduler.claim_of(a.moved_at, a.booked_at, a.created_at) AS claim INTO v_row
            FROM unnest(v_queue) q(id)
            JOIN radscheduler.occupancy o ON o.site_id = p_site AND o.occupancy_id = q.id
            JOIN radscheduler.appointment a ON a.site_id = o.site_id AND a.appointment_id = o.appointment_id
            LEFT JOIN radscheduler.resource r ON o.axis = 'resource' AND r.site_id = o.site_id AND r.resource_id = o.subject_id
            ORDER BY is_closed, claim, o.appointment_id, o.occupancy_id LIMIT 1;
        EXIT WHEN NOT FOUND;
        v_queue := array_remove(v_queue, v_row.occupancy_id);
        v_lane := radscheduler.lane_due(p_site, v_row.occupancy_id, v_row.capacity, v_ids, v_lanes);
        CONTINUE WHEN v_lane = v_row.lane;
        v_ids := v_ids || v_row.occupancy_id;
        v_lanes := v_lanes || v_lane;
        v_queue := v_queue || ARRAY(
            SELECT o.occupancy_id FROM radscheduler.occupancy o
            JOIN radscheduler.appointment a ON a.site_id = o.site_id AND a.appointment_id = o.appointment_id
            WHERE o.site_id = p_site AND o.axis = v_row.axis AND o.subject_id = v_row.subject_id AND o.buffered && v_row.buffered
              AND (radscheduler.is_closed(a.status), radscheduler.claim_of(a.moved_at, a.booked_at, a.created_at), o.appointment_id, o.occupancy_id)
                  > (v_row.is_closed, v_row.claim, v_row.appointment_id, v_row.occupancy_id)
              AND o.occupancy_id <> ALL (v_queue));
    END LOOP;
    WHILE array_position(v_lanes, -1::smallint) IS NOT NULL LOOP
        v_lane := array_position(v_lanes, -1::smallint);
        SELECT r.capacity INTO v_row FROM radscheduler.occupancy o JOIN radscheduler.resource r ON r.site_id = o.site_id AND r.resource_id = o.subject_id
            WHERE o.site_id = p_site AND o.occupancy_id = v_ids[v_lane];
        v_seats := radscheduler.seat(p_site, v_ids[v_lane], v_row.capacity, v_ids, v_lanes);
        SELECT array_agg(coalesce(s.id, m.id)), array_agg(coalesce(s.lane, m.lane)) INTO v_ids, v_lanes
            FROM unnest(v_ids, v_lanes) m(id, lane) FULL JOIN unnest(v_seats.ids, v_seats.lanes) s(id, lane) ON s.id = m.id;
    END LOOP;
    SELECT coalesce(array_agg(m.id), '{}'), array_agg(m.lane) INTO v_ids, v_lanes
        FROM unnest(v_ids, v_lanes) m(id, lane) JOIN radscheduler.occupancy o ON o.site_id = p_site AND o.occupancy_id = m.id AND o.lane <> m.lane;
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
    'Gives these intervals, and those that must follow them, the lanes they are due to by the age of their claims; returns the appointments whose lanes changed, NULL when none. The caller holds the locks of the subjects.';

CREATE OR REPLACE FUNCTION radscheduler.held_until(p_status radscheduler.appointment_status, p_holds_time boolean, p_ending jsonb) RETURNS timestamptz
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN CASE WHEN p_ending IS NOT NULL AND p_status IN ('COMPLETED', 'DISCONTINUED', 'NO_SHOW') AND NOT p_ending -> 0 ? 'event'
                     AND radscheduler.takes_time((p_ending #>> '{0,status}')::radscheduler.appointment_status, p_holds_time)
                THEN (radscheduler.ended(p_ending)).at END;
END
$$;

COMMENT ON FUNCTION radscheduler.held_until(radscheduler.appointment_status, boolean, jsonb) IS
    'Until when a completed, discontinued or missed appointment had its time: it keeps what lay before it ended. NULL for other states, and for one that took no time before.';

CREATE OR REPLACE FUNCTION radscheduler.occupancy_wanted(p_site integer, p_appointments bigint[],
        OUT appointment_id bigint, OUT axis radscheduler.axis, OUT subject_id bigint, OUT during tstzrange, OUT buffered tstzrange) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 4 SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    -- OFFSET 0: rows are looked up by id, whatever the planner thinks of the tables' sizes.
    SELECT w.appointment_id, 'resource'::radscheduler.axis, w.resource_id,
           tstzrange(lower(w.span) + make_interval(mins => w.setup), least(upper(w.span) - make_interval(mins => w.turnover), w.until)),
           CASE WHEN upper(w.span) - make_interval(mins => w.turnover) > w.until THEN tstzrange(lower(w.span), w.until) ELSE w.span END
    FROM (SELECT u.id AS appointment_id, x.resource_id, x.setup, x.turnover, x.until, unnest(range_agg(x.span)) AS span
          FROM unnest(p_appointments) u(id)
          CROSS JOIN LATERAL (
              SELECT ar.resource_id, r.setup, r.turnover, a.until,
                     tstzrange(coalesce(ar.starts_at, a.starts_at) - make_interval(mins => r.setup), coalesce(ar.ends_at, a.ends_at) + make_interval(mins => r.turnover)) AS span
              FROM (SELECT a.starts_at, a.ends_at, CASE WHEN a.ending IS NOT NULL THEN radscheduler.held_until(a.status, a.holds_time, a.ending) END AS until
                    FROM radscheduler.appointment a
                    WHERE a.site_id = p_site AND a.appointment_id = u.id AND a.starts_at IS NOT NULL
                      AND (radscheduler.takes_time(a.status, a.holds_time) OR radscheduler.held_until(a.status, a.holds_time, a.ending) IS NOT NULL) OFFSET 0) a
              CROSS JOIN LATERAL (SELECT * FROM radscheduler.appointment_resource ar WHERE ar.site_id = p_site AND ar.appointment_id = u.id AND ar.status IS NULL OFFSET 0) ar
              CROSS JOIN LATERAL (SELECT r.setup_minutes::integer AS setup, r.turnover_minutes::integer AS turnover
                                  FROM radscheduler.resource r WHERE r.site_id = p_site AND r.resource_id = ar.resource_id OFFSET 0) r
              WHERE coalesce(ar.starts_at, a.starts_at) < coalesce(ar.ends_at, a.ends_at) OFFSET 0) x
          GROUP BY u.id, x.resource_id, x.setup, x.turnover, x.until) w
    WHERE w.until IS NULL OR lower(w.span) + make_interval(mins => w.setup) < w.until
    UNION ALL
    SELECT p.appointment_id, 'patient', p.patient_id, x.held, x.held
    FROM (SELECT u.id AS appointment_id, x.patient_id, x.until, unnest(range_agg(x.span)) AS span
          FROM unnest(p_appointments) u(id)
          CROSS JOIN LATERAL (
              SELECT a.patient_id, a.until, tstzrange(coalesce(s.starts_at, a.starts_at), coalesce(s.ends_at, a.ends_at)) AS span
              FROM (SELECT a.patient_id, a.starts_at, a.ends_at, CASE WHEN a.ending IS NOT NULL THEN radscheduler.held_until(a.status, a.holds_time, a.ending) END AS until
                    FROM radscheduler.appointment a
                    WHERE a.site_id = p_site AND a.appointment_id = u.id AND a.starts_at IS NOT NULL AND a.patient_id IS NOT NULL
                      AND (radscheduler.takes_time(a.status, a.holds_time) OR radscheduler.held_until(a.status, a.holds_time, a.ending) IS NOT NULL) OFFSET 0) a
              LEFT JOIN LATERAL (SELECT s.starts_at, s.ends_at FROM radscheduler.appointment_service s
                                 WHERE s.site_id = p_site AND s.appointment_id = u.id AND s.status IS NULL OFFSET 0) s ON true
              WHERE coalesce(s.starts_at, a.starts_at) < coalesce(s.ends_at, a.ends_at) OFFSET 0) x
          GROUP BY u.id, x.patient_id, x.until) p
    CROSS JOIN LATERAL (SELECT CASE WHEN upper(p.span) > p.until THEN tstzrange(lower(p.span), p.until) ELSE p.span END AS held) x
    WHERE p.until IS NULL OR lower(p.span) < p.until;
END
$$;

COMMENT ON FUNCTION radscheduler.occupancy_wanted(integer, bigint[]) IS
    'What appointments occupy by their own rows: each resource over its intervals widened by set-up and turnover, the patient over the exams; until it ended where held_until() says so. Nothing for other states that do not occupy.';

CREATE OR REPLACE FUNCTION radscheduler.place(p_site integer, p_axis radscheduler.axis, p_subject bigint, p_during tstzrange, p_buffered tstzrange, p_appointment bigint,
                                   OUT occupancy_id bigint, OUT is_overbooked boolean) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_capacity integer := 1;
    v_lane     smallint;
BEGIN
    IF p_axis = 'resource' THEN
        SELECT r.capacity INTO v_capacity FROM radscheduler.resource r WHERE r.site_id = p_site AND r.resource_id = p_subject;
    END IF;
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
            RETURNING o.occupancy_id INTO place.occupancy_id;
        IF FOUND THEN
            place.is_overbooked := v_lane >= v_capacity;
            RETURN;
        END IF;
    END LOOP;
    RAISE EXCEPTION 'no lane could be taken: other transactions took each one first'
        USING ERRCODE = 'serialization_failure', HINT = 'Run the transaction again.';
END
$$;

COMMENT ON FUNCTION radscheduler.place(integer, radscheduler.axis, bigint, tstzrange, tstzrange, bigint) IS
    'Takes the lowest free lane of a subject: the row made, and whether that lane lies beyond the capacity. A race is lost cleanly to the exclusion constraint and tried again; 40001 after 100 lost races.';

CREATE OR REPLACE FUNCTION radscheduler.give_back(p_site integer, p_rows bigint[], p_at timestamptz) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_waiting bigint[] := radscheduler.waiting_behind(p_site, p_rows);
    v_over    bigint[] := radscheduler.pool_waiting(p_site, p_rows);
    v_cut     bigint[];
BEGIN
    DELETE FROM radscheduler.occupancy o
        WHERE o.site_id = p_site AND o.occupancy_id = ANY (p_rows) AND (p_at IS NULL OR lower(o.during) >= p_at);
    IF p_at IS NOT NULL THEN
        -- What is left of an overbooked one may lie where there is room.
        WITH cut AS (
            UPDATE radscheduler.occupancy o
                SET during = tstzrange(lower(o.during), p_at), buffered = tstzrange(lower(o.buffered), p_at)
                WHERE o.site_id = p_site AND o.occupancy_id = ANY (p_rows) AND upper(o.during) > p_at
                RETURNING o.occupancy_id, o.lane)
        SELECT array_agg(c.occupancy_id) INTO v_cut FROM cut c WHERE c.lane > 0;
        v_waiting := v_waiting || v_cut;
    END IF;
    RETURN CASE WHEN v_waiting IS NOT NULL THEN radscheduler.reseat(p_site, v_waiting) || v_over ELSE v_over END;
END
$$;

COMMENT ON FUNCTION radscheduler.give_back(integer, bigint[], timestamptz) IS
    'Gives back intervals: whole, or with p_at only what lies after that instant. Who waited for them moves up; returns the appointments whose lanes changed and those over the capacity of a pool at that time, NULL when nobody.';

CREATE OR REPLACE FUNCTION radscheduler.occupy(p_site integer, p_appointments bigint[], p_known bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_item     record;
    v_seat     record;
    v_rows     bigint[];
    v_unseated bigint[];
    v_moved    bigint[];
BEGIN
    -- What is the same as before stays, though its claim may be another; what was closed keeps its past, which vacate() left to it.
    IF cardinality(p_known) > 0 THEN
        v_rows := ARRAY(SELECT o.occupancy_id FROM radscheduler.occupancy o
            JOIN radscheduler.appointment a ON a.site_id = o.site_id AND a.appointment_id = o.appointment_id AND (NOT radscheduler.is_closed(a.status) OR a.ending IS NOT NULL)
            WHERE o.site_id = p_site AND o.appointment_id = ANY (p_known)
              AND NOT EXISTS (SELECT FROM radscheduler.occupancy_wanted(p_site, p_known) w WHERE w.appointment_id = o.appointment_id AND w.axis = o.axis
                              AND w.subject_id = o.subject_id AND w.during = o.during AND w.buffered = o.buffered));
        v_moved := radscheduler.pool_waiting(p_site, ARRAY(SELECT o.occupancy_id FROM radscheduler.occupancy o WHERE o.site_id = p_site AND o.appointment_id = ANY (p_known)));
        IF v_rows <> '{}' THEN
            v_moved := v_moved || radscheduler.give_back(p_site, v_rows, NULL);
        END IF;
        v_unseated := radscheduler.overlapping(p_site, p_known);
        PERFORM radscheduler.mark_pooled(p_site, p_known);
    END IF;
    FOR v_item IN
        WITH wanted AS MATERIALIZED (
            SELECT w.* FROM radscheduler.occupancy_wanted(p_site, p_appointments) w
            WHERE w.appointment_id <> ALL (p_known)
               OR NOT EXISTS (SELECT FROM radscheduler.occupancy o WHERE o.site_id = p_site AND o.appointment_id = w.appointment_id AND o.axis = w.axis
                              AND o.subject_id = w.subject_id AND o.during = w.during AND o.buffered = w.buffered)
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
        SELECT p.occupancy_id, p.is_overbooked INTO v_seat FROM radscheduler.place(p_site, v_item.axis, v_item.subject_id, v_item.during, v_item.buffered, v_item.appointment_id) p;
        IF v_seat.is_overbooked THEN
            v_unseated := v_unseated || v_seat.occupancy_id;
        END IF;
    END LOOP;
    IF v_unseated IS NOT NULL THEN
        v_moved := v_moved || radscheduler.reseat(p_site, v_unseated);
    END IF;
    RETURN v_moved;
END
$$;

COMMENT ON FUNCTION radscheduler.occupy(integer, bigint[], bigint[]) IS
    'Gives appointments the time their rows ask for, first come first served by their claims, and takes back what they held and no longer ask for; p_known names those among them that held time before. Returns appointments that this concerns besides (give_back(), reseat()). Follow it with settle().';

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
    v_moved    bigint[] := radscheduler.give_back(p_site, ARRAY(SELECT o.occupancy_id FROM radscheduler.occupancy o
        WHERE o.site_id = p_site AND o.appointment_id = p_appointment AND (p_at IS NULL OR upper(o.during) > p_at)), p_at);
    v_unseated bigint[];
BEGIN
    PERFORM radscheduler.mark_pooled(p_site, ARRAY[p_appointment]);
    IF p_at IS NOT NULL THEN
        v_unseated := radscheduler.overlapping(p_site, ARRAY[p_appointment]);
        IF v_unseated IS NOT NULL THEN
            v_moved := v_moved || radscheduler.reseat(p_site, v_unseated);
        END IF;
    END IF;
    RETURN v_moved;
END
$$;

COMMENT ON FUNCTION radscheduler.vacate(integer, bigint, timestamptz) IS
    'Gives back the time of an appointment that is closed: all of it, or with p_at only what lies after that instant (an exam that ended early keeps its past, without a claim against others). Returns what give_back() does. Follow it with settle().';

COMMENT ON COLUMN radscheduler.conflict_kind.axis IS 'room, equipment, staff or patient; rule for one that a rule makes (the kind of its resource is told where it has one).';

COMMENT ON COLUMN radscheduler.conflict_kind.text IS 'Sentence; %s is the resource, or what rule_subject() says.';

CREATE OR REPLACE FUNCTION radscheduler.conflict_severity(p_kind radscheduler.resource_kind, p_role text, p_modality text, p_study text) RETURNS radscheduler.severity
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT CASE WHEN p_kind = 'staff' AND p_role LIKE '%RADIOLOGIST%' AND coalesce(p_modality, '') NOT IN ('XA', 'RF')
                             AND coalesce(p_study, '') !~* '\m(biops|drainage|ablation|puncture|intervention|fluoro)'
                THEN 'warning'::radscheduler.severity ELSE 'critical' END);
END
$$;

COMMENT ON FUNCTION radscheduler.conflict_severity(radscheduler.resource_kind, text, text, text) IS
    'How bad a double booking is, by the kind of resource, its role in the flagged appointment, and that one''s modality and study text. A radiologist reads several diagnostic exams at once: a warning. Everything else, and a radiologist where hands are needed (XA, RF, biopsies, drainages): critical.';

CREATE OR REPLACE FUNCTION radscheduler.conflict_pairs(p_site integer, p_appointments bigint[])
    RETURNS TABLE (appointment_id bigint, code text, severity radscheduler.severity, axis radscheduler.axis, subject_id bigint,
                   other_appointment_id bigint, overlap tstzrange)
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 1 SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH pair AS MATERIALIZED (
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
    SELECT p.flagged, CASE WHEN p.axis = 'patient' THEN 'PATIENT_DOUBLE_BOOKED' ELSE upper(p.kind::text) || '_DOUBLE_BOOKED' END,
           CASE WHEN a.is_overbook THEN 'warning' WHEN p.axis = 'patient' THEN 'critical'
                ELSE radscheduler.conflict_severity(p.kind, coalesce((SELECT string_agg(ar.role, ' ') FROM radscheduler.appointment_resource ar
                    WHERE ar.site_id = p_site AND ar.appointment_id = p.flagged AND ar.resource_id = p.subject_id AND ar.status IS NULL), p.role), a.modality, a.study_text) END,
           p.axis, p.subject_id, p.holder, p.overlap
    FROM pair p
    JOIN radscheduler.appointment a ON a.site_id = p_site AND a.appointment_id = p.flagged AND NOT radscheduler.is_closed(a.status)
    JOIN radscheduler.appointment h ON h.site_id = p_site AND h.appointment_id = p.holder AND NOT radscheduler.is_closed(h.status);
END
$$;

COMMENT ON FUNCTION radscheduler.conflict_pairs(integer, bigint[]) IS
    'The pairs in conflict now with one of these appointments on either side, as rows of conflict would say it: appointment_id stands in an overbooked lane, other_appointment_id holds a legal one. Where the sender said Overbook it knows, and the conflict only warns.';

CREATE OR REPLACE FUNCTION radscheduler.conflict_changes(p_site integer, p_concerned bigint[])
    RETURNS TABLE (conflict_id bigint, flagged_before bigint, appointment_id bigint, code text, severity radscheduler.severity, axis radscheduler.axis,
                   subject_id bigint, other_appointment_id bigint, overlap tstzrange)
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 1 SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH wanted AS MATERIALIZED (
        SELECT * FROM radscheduler.conflict_pairs(p_site, p_concerned)
        UNION ALL
        SELECT * FROM radscheduler.rule_conflicts(p_site, p_concerned)
    ), known AS MATERIALIZED (
        SELECT c.* FROM radscheduler.conflict c
        WHERE c.site_id = p_site AND c.state <> 'resolved' AND (c.appointment_id = ANY (p_concerned) OR c.other_appointment_id = ANY (p_concerned))
    )
    SELECT k.conflict_id, k.appointment_id, w.appointment_id, w.code, w.severity, w.axis, w.subject_id, w.other_appointment_id, w.overlap
    FROM wanted w
    LEFT JOIN known k ON k.code = w.code AND k.axis = w.axis AND k.subject_id = w.subject_id
        AND least(k.appointment_id, k.other_appointment_id) = least(w.appointment_id, w.other_appointment_id)
        AND greatest(k.appointment_id, k.other_appointment_id) = greatest(w.appointment_id, w.other_appointment_id)
    WHERE (k.severity, k.overlap, k.appointment_id) IS DISTINCT FROM (w.severity, w.overlap, w.appointment_id)
    UNION ALL
    SELECT k.conflict_id, k.appointment_id, NULL, k.code, NULL, k.axis, k.subject_id, NULL, NULL
    FROM known k
    WHERE NOT EXISTS (SELECT FROM wanted w WHERE w.code = k.code AND w.axis = k.axis AND w.subject_id = k.subject_id
                      AND least(w.appointment_id, w.other_appointment_id) = least(k.appointment_id, k.other_appointment_id)
                      AND greatest(w.appointment_id, w.other_appointment_id) = greatest(k.appointment_id, k.other_appointment_id));
END
$$;

COMMENT ON FUNCTION radscheduler.conflict_changes(integer, bigint[]) IS
    'What is to be changed so that the unresolved conflicts with these appointments on either side are what conflict_pairs() and rule_conflicts() say: new ones (conflict_id NULL), changed ones, vanished ones (appointment_id NULL). What is as it should be is not among them, and is left alone: it may be somebody else''s to change.';

CREATE OR REPLACE FUNCTION radscheduler.write_conflicts(p_site integer, p_concerned bigint[], OUT touched bigint[], OUT told bigint[], OUT altered bigint[]) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- What is still so stays the same conflict. An acceptance covers what was accepted: not what is worse, nor another time.
    WITH change AS MATERIALIZED (
        SELECT * FROM radscheduler.conflict_changes(p_site, p_concerned)
    ), gone AS (
        UPDATE radscheduler.conflict c SET state = 'resolved', resolved_at = now()
        FROM change h WHERE h.appointment_id IS NULL AND c.site_id = p_site AND c.conflict_id = h.conflict_id
        RETURNING c.conflict_id
    ), changed AS (
        UPDATE radscheduler.conflict c SET severity = h.severity, overlap = h.overlap, appointment_id = h.appointment_id, other_appointment_id = h.other_appointment_id,
            state = CASE WHEN c.overlap @> h.overlap AND h.severity <= c.severity THEN c.state ELSE 'open' END,
            accepted_by = CASE WHEN c.overlap @> h.overlap AND h.severity <= c.severity THEN c.accepted_by END
        FROM change h JOIN radscheduler.conflict b ON b.site_id = p_site AND b.conflict_id = h.conflict_id
        WHERE h.appointment_id IS NOT NULL AND c.site_id = p_site AND c.conflict_id = h.conflict_id
        RETURNING c.conflict_id, (c.severity, c.appointment_id, c.state) IS DISTINCT FROM (b.severity, b.appointment_id, b.state) AS is_news
    ), added AS (
        INSERT INTO radscheduler.conflict AS c (site_id, code, severity, axis, subject_id, appointment_id, other_appointment_id, overlap)
        SELECT p_site, h.code, h.severity, h.axis, h.subject_id, h.appointment_id, h.other_appointment_id, h.overlap
        FROM change h WHERE h.conflict_id IS NULL ORDER BY h.appointment_id, h.code, h.subject_id, h.other_appointment_id
        RETURNING c.conflict_id
    )
    SELECT (SELECT array_agg(DISTINCT t.id) FROM change h, LATERAL unnest(ARRAY[h.flagged_before, h.appointment_id]) t(id) WHERE t.id IS NOT NULL),
           (SELECT array_agg(t.id) FROM (SELECT g.conflict_id FROM gone g UNION ALL SELECT c.conflict_id FROM changed c WHERE c.is_news UNION ALL SELECT a.conflict_id FROM added a) t(id)),
           (SELECT array_agg(t.id) FROM (SELECT c.conflict_id FROM changed c UNION ALL SELECT a.conflict_id FROM added a) t(id))
        INTO touched, told, altered;
END
$$;

COMMENT ON FUNCTION radscheduler.write_conflicts(integer, bigint[]) IS
    'Makes the changes that conflict_changes() tells of. touched: appointments flagged before or after by a conflict that went, came or changed; told: conflicts to be told of (not those of which only the time changed); altered: new ones and all that changed.';

CREATE OR REPLACE FUNCTION radscheduler.settle(p_site integer, p_changed bigint[], p_moved bigint[], p_messages bigint[] DEFAULT NULL) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_concerned bigint[] := radscheduler.doubtful(p_site, p_changed) || p_moved;
    v_done      record;
BEGIN
    IF v_concerned IS NULL OR v_concerned = '{}' THEN
        RETURN NULL;
    END IF;
    PERFORM radscheduler.lock_settling(p_site, false);
    v_concerned := v_concerned || radscheduler.pool_neighbours(p_site, v_concerned);
    -- Rows of others, in one order: those whose review may change. An exam without scanner is judged after its row is locked: of several
    -- bookings that take its scanners at once, the last to get here sees all of them.
    PERFORM FROM radscheduler.appointment a
        WHERE a.site_id = p_site AND (a.appointment_id = ANY (v_concerned) AND a.is_pooled
            OR a.appointment_id = ANY (ARRAY(SELECT unnest(ARRAY[h.flagged_before, h.appointment_id]) FROM radscheduler.conflict_changes(p_site, v_concerned) h)))
        ORDER BY a.appointment_id FOR NO KEY UPDATE;
    v_done := radscheduler.write_conflicts(p_site, v_concerned);
    IF v_done.told IS NOT NULL THEN
        PERFORM radscheduler.tell_conflicts(p_site, v_done.told, p_changed, p_messages);
    END IF;
    -- A block over a whole month concerns hundreds; looking for other times for each would hold up everybody.
    IF cardinality(v_done.altered) <= 20 THEN
        PERFORM radscheduler.suggest_alternatives(p_site, v_done.altered);
    END IF;
    PERFORM radscheduler.review(p_site, v_done.touched || p_changed, p_changed, p_messages[1]);
    RETURN (SELECT array_agg(u.id) FROM unnest(p_changed) u(id)
            WHERE EXISTS (SELECT FROM radscheduler.conflict c WHERE c.site_id = p_site AND c.appointment_id = u.id AND c.state = 'open' AND c.severity > 'info')
               OR EXISTS (SELECT FROM radscheduler.conflict c WHERE c.site_id = p_site AND c.other_appointment_id = u.id AND c.state = 'open' AND c.severity > 'info'));
END
$$;

COMMENT ON FUNCTION radscheduler.settle(integer, bigint[], bigint[], bigint[]) IS
    'Brings conflicts and reviews into line after appointments changed. p_changed: those whose rows the caller changed and whose versions he will record; p_moved: others that the change concerns (what occupy() and vacate() return); p_messages: the messages that changed p_changed, side by side. Returns those of p_changed that have an open conflict worse than info, on either side; NULL when none. The ordinary case, a booking in doubt nowhere, ends after one question.';

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
    'Tells conflicts that went, came or changed (conflict.detected again, under the same conflict_id) in event_log and the audit log; p_messages caused the changes of p_changed, side by side.';

CREATE OR REPLACE FUNCTION radscheduler.suggest_alternatives(p_site integer, p_conflicts bigint[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_row          record;
    v_alternatives jsonb;
BEGIN
    FOR v_row IN SELECT c.appointment_id, max(c.severity) = 'critical' AS is_critical FROM radscheduler.conflict c
        WHERE c.site_id = p_site AND c.conflict_id = ANY (p_conflicts) GROUP BY c.appointment_id ORDER BY c.appointment_id
    LOOP
        v_alternatives := CASE WHEN v_row.is_critical THEN radscheduler.alternatives(p_site, v_row.appointment_id) ELSE '[]' END;
        UPDATE radscheduler.conflict c SET alternatives = CASE WHEN c.severity = 'critical' THEN v_alternatives ELSE '[]' END
            WHERE c.site_id = p_site AND c.conflict_id = ANY (p_conflicts) AND c.appointment_id = v_row.appointment_id
              AND c.alternatives <> CASE WHEN c.severity = 'critical' THEN v_alternatives ELSE '[]' END;
    END LOOP;
END
$$;

COMMENT ON FUNCTION radscheduler.suggest_alternatives(integer, bigint[]) IS 'Notes free times for the flagged appointments of conflicts that came or changed, where they are critical.';

CREATE OR REPLACE FUNCTION radscheduler.write_history(p_site integer, p_appointments bigint[], p_events text[], p_messages bigint[]) RETURNS jsonb[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_row       radscheduler.appointment;
    v_services  jsonb;
    v_resources jsonb;
    v_versions  integer[];
    v_snapshots jsonb[];
    v_told      jsonb[];
    v_actor     text := pg_get_userbyid(radscheduler.caller());
BEGIN
    FOR k IN 1 .. cardinality(p_appointments) LOOP
        SELECT * INTO v_row FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointments[k];
        SELECT coalesce(jsonb_agg(to_jsonb(s) - '{site_id,appointment_id}'::text[] ORDER BY s.position), '[]') INTO v_services
            FROM radscheduler.appointment_service s WHERE s.site_id = p_site AND s.appointment_id = p_appointments[k];
        SELECT coalesce(jsonb_agg(to_jsonb(r) - '{site_id,appointment_id}'::text[] ORDER BY r.position), '[]') INTO v_resources
            FROM radscheduler.appointment_resource r WHERE r.site_id = p_site AND r.appointment_id = p_appointments[k];
        v_versions := v_versions || v_row.version;
        v_snapshots := v_snapshots || jsonb_build_object('appointment', to_jsonb(v_row), 'services', v_services, 'resources', v_resources);
        v_told := v_told || jsonb_strip_nulls(jsonb_build_object('version', v_row.version, 'status', v_row.status, 'modality', v_row.modality,
                                                                 'starts_at', v_row.starts_at, 'ends_at', v_row.ends_at));
    END LOOP;
    INSERT INTO radscheduler.appointment_history (site_id, appointment_id, version, event, message_id, actor, snapshot)
        SELECT p_site, u.id, u.version, u.event, u.message, v_actor, u.snapshot
        FROM unnest(p_appointments, v_versions, p_events, p_messages, v_snapshots) u(id, version, event, message, snapshot);
    RETURN v_told;
END
$$;

COMMENT ON FUNCTION radscheduler.write_history(integer, bigint[], text[], bigint[]) IS
    'Writes the present versions of appointments to their history, and returns for each what event_log tells of it: {version, status, modality, starts_at, ends_at}, no patient data. Arrays side by side: appointment, type of event, message that caused it.';

CREATE OR REPLACE FUNCTION radscheduler.record_versions(p_site integer, p_appointments bigint[], p_events text[], p_messages bigint[], p_details jsonb[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_told jsonb[] := radscheduler.write_history(p_site, p_appointments, p_events, p_messages);
BEGIN
    INSERT INTO radscheduler.event_log (site_id, type, appointment_id, message_id, data)
        SELECT p_site, u.event, u.id, u.message, u.told || coalesce(u.details, '{}')
        FROM unnest(p_appointments, p_events, p_messages, v_told, p_details) u(id, event, message, told, details);
    PERFORM radscheduler.audit_all(p_site, p_events, 'appointment', p_appointments, ARRAY(
        SELECT jsonb_build_object('message_id', u.message, 'version', u.told -> 'version')
        FROM unnest(p_messages, v_told) WITH ORDINALITY u(message, told, place) ORDER BY u.place));
END
$$;

COMMENT ON FUNCTION radscheduler.record_versions(integer, bigint[], text[], bigint[], jsonb[]) IS
    'write_history(), told in event_log and the audit log. Arrays side by side: appointment, type of event, message that caused it, details for the event.';

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
        WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments) AND a.appointment_id = j.appointment_id AND j.is_critical <> (j.status = 'PENDING_REVIEW')
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

CREATE OR REPLACE FUNCTION radscheduler.conflicts_of(p_site integer, p_appointment bigint) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM radscheduler.conflict x WHERE x.site_id = p_site AND x.appointment_id = p_appointment AND x.state <> 'resolved')
       AND NOT EXISTS (SELECT FROM radscheduler.conflict x WHERE x.site_id = p_site AND x.other_appointment_id = p_appointment AND x.state <> 'resolved')
       OR NOT p_site = ANY (radscheduler.visible_sites()) THEN
        RETURN '[]';
    END IF;
    RETURN (SELECT coalesce(jsonb_agg(jsonb_build_object(
               'code', g.code, 'severity', g.severity, 'axis', g.axis, 'resource', g.resource, 'with', g.partners, 'overlap_min', g.overlap_min,
               'message', g.message, 'detected_at', g.detected_at, 'state', g.state, 'by', g.by, 'alternatives', g.alternatives) ORDER BY g.severity DESC, g.first_id), '[]')
    FROM (
        SELECT c.code, max(c.severity) AS severity, CASE k.axis WHEN 'rule' THEN coalesce(r.kind::text, 'rule') ELSE k.axis END AS axis, r.code AS resource, min(c.conflict_id) AS first_id,
               coalesce(jsonb_agg(jsonb_build_object('appointment_id', o.appointment_id, 'external_id', coalesce(o.filler_id, o.placer_id),
                                                     'start', o.starts_at, 'end', o.ends_at) ORDER BY o.starts_at, o.appointment_id)
                            FILTER (WHERE o.appointment_id IS NOT NULL), '[]') AS partners,
               round(max(extract(epoch FROM upper(c.overlap) - lower(c.overlap)) / 60))::integer AS overlap_min,
               format(k.text, coalesce(r.name, radscheduler.rule_subject(p_site, c.code, p_appointment))) AS message, min(c.detected_at) AS detected_at, min(c.state)::text AS state,
               CASE WHEN min(c.state) = 'accepted' THEN max(c.accepted_by) END AS by,
               coalesce((array_agg(c.alternatives ORDER BY c.conflict_id) FILTER (WHERE c.appointment_id = p_appointment))[1], '[]') AS alternatives
        FROM (SELECT x.*, x.other_appointment_id AS partner_id FROM radscheduler.conflict x
              WHERE x.site_id = p_site AND x.appointment_id = p_appointment AND x.state <> 'resolved'
              UNION ALL
              SELECT x.*, x.appointment_id FROM radscheduler.conflict x
              WHERE x.site_id = p_site AND x.other_appointment_id = p_appointment AND x.state <> 'resolved') c
        LEFT JOIN radscheduler.appointment o ON o.site_id = c.site_id AND o.appointment_id = c.partner_id
        JOIN radscheduler.conflict_kind k ON k.code = c.code
        LEFT JOIN radscheduler.resource r ON c.axis = 'resource' AND r.site_id = c.site_id AND r.resource_id = c.subject_id
        GROUP BY c.code, k.axis, k.text, r.code, r.name, r.kind, c.subject_id
    ) g);
END
$$;

COMMENT ON FUNCTION radscheduler.conflicts_of(integer, bigint) IS
    'Unresolved conflicts of an appointment, from either side: [{code, severity, axis, resource, with: [{appointment_id, external_id, start, end}], overlap_min, message, detected_at, state, by, alternatives}], worst first; by is who accepted it; [] when there is none, or none at a site the caller may use.';

CREATE OR REPLACE FUNCTION radscheduler.open_hours(p_site integer, p_resource bigint, p_from timestamptz, p_until timestamptz) RETURNS tstzmultirange
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_zone text := radscheduler.site_zone(p_site);
BEGIN
    RETURN (SELECT coalesce(range_agg(tstzrange(timezone(v_zone, d.day + h.opens), timezone(v_zone, d.day + h.closes))), '{}') * tstzmultirange(tstzrange(p_from, p_until))
        FROM generate_series(timezone(v_zone, p_from)::date, timezone(v_zone, p_until)::date, interval '1 day') g(day),
             LATERAL (SELECT g.day::date AS day) d
        JOIN radscheduler.resource_hours h ON h.site_id = p_site AND h.weekday = extract(isodow FROM d.day) AND h.valid @> d.day
        WHERE h.resource_id = p_resource
           OR h.resource_id IS NULL AND NOT EXISTS (SELECT FROM radscheduler.resource_hours own WHERE own.site_id = p_site AND own.resource_id = p_resource));
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.find_slots(
        modality         text        DEFAULT NULL,
        resource         text        DEFAULT NULL,
        earliest         timestamptz DEFAULT pg_catalog.now(),
        latest           timestamptz DEFAULT NULL,
        duration_minutes integer     DEFAULT NULL,
        max_slots        integer     DEFAULT 10,
        patient_id       text        DEFAULT NULL,
        without          bigint      DEFAULT NULL,
        OUT resource_code text, OUT starts_at timestamptz, OUT ends_at timestamptz, OUT datetime timestamp) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 10 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
#variable_conflict use_variable
DECLARE
    v_site     integer := radscheduler.current_site();
    v_code     text;
    v_resource bigint[];
    v_patients bigint[];
    v_minutes  integer := duration_minutes;
BEGIN
    IF modality IS NULL AND resource IS NULL THEN
        RAISE EXCEPTION 'find_slots needs a modality or a resource'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'SELECT * FROM radscheduler.find_slots(modality => ''MRI'');';
    END IF;
    IF modality IS NOT NULL THEN
        v_code := radscheduler.modality_code(v_site, modality);
        IF v_code IS NULL THEN
            RAISE EXCEPTION 'modality "%" is not known at this site', modality
                USING ERRCODE = 'invalid_parameter_value', HINT = 'radscheduler.modality_alias lists the words that are.';
        END IF;
    END IF;
    SELECT array_agg(DISTINCT r.resource_id) INTO v_resource
        FROM radscheduler.resource r
        WHERE r.site_id = v_site AND r.is_active AND r.kind IN ('equipment', 'room', 'staff')
          AND (resource IS NULL AND r.kind IN ('equipment', 'room')
               OR r.resource_id IN (SELECT x.resource_id FROM radscheduler.resource_alias x WHERE x.site_id = v_site AND x.alias = upper(resource)))
          AND (v_code IS NULL OR r.modality = v_code OR v_code = ANY (r.modalities));
    IF resource IS NOT NULL AND v_resource IS NULL THEN
        RAISE EXCEPTION 'resource "%" is not known at this site%', resource, CASE WHEN v_code IS NULL THEN '' ELSE ' for this modality' END
            USING ERRCODE = 'invalid_parameter_value', HINT = 'radscheduler.resource_alias lists the names that are.';
    END IF;
    IF v_minutes IS NULL THEN
        SELECT m.default_minutes INTO v_minutes FROM radscheduler.modality m
            WHERE m.site_id = v_site
              AND m.code = coalesce(v_code, (SELECT r.modality FROM radscheduler.resource r WHERE r.site_id = v_site AND r.resource_id = v_resource[1]));
        v_minutes := coalesce(v_minutes, 30);
    END IF;
    IF v_minutes NOT BETWEEN 1 AND 1440 THEN
        RAISE EXCEPTION 'a duration of % minutes cannot be searched for', v_minutes
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Give 1 to 1440 minutes.';
    END IF;
    IF NOT isfinite(earliest) OR coalesce(latest, earliest) > earliest + interval '400 days' THEN
        RAISE EXCEPTION 'a window of more than 400 days cannot be searched' USING ERRCODE = 'invalid_parameter_value', HINT = 'Search in parts.';
    END IF;
    IF latest < earliest OR max_slots < 1 THEN
        RAISE EXCEPTION 'find_slots was asked for %', CASE WHEN max_slots < 1 THEN 'fewer than one slot' ELSE 'a window that ends before it begins' END
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Give earliest before latest, and max_slots of at least 1.';
    END IF;
    IF patient_id IS NOT NULL THEN
        SELECT array_agg(DISTINCT i.patient_id) INTO v_patients
            FROM radscheduler.patient_identifier i WHERE i.site_id = v_site AND i.value = patient_id;
    END IF;
    RETURN QUERY SELECT * FROM radscheduler.free_slots(v_site, v_resource, v_patients, earliest, coalesce(latest, earliest + interval '14 days'),
                                                       v_minutes, max_slots, without);
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.free_slots(p_site integer, p_resources bigint[], p_patients bigint[], p_from timestamptz, p_until timestamptz,
                                        p_minutes integer, p_limit integer, p_without bigint,
        OUT resource_code text, OUT starts_at timestamptz, OUT ends_at timestamptz, OUT datetime timestamp) RETURNS SETOF record
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 10 SET search_path = pg_catalog, pg_temp SET jit = off
    AS $$
WITH bookable AS (
    SELECT r.resource_id, r.code, r.capacity, r.setup_minutes::integer AS setup, r.turnover_minutes::integer AS turnover,
           radscheduler.open_hours(p_site, r.resource_id, p_from, p_until)
           - coalesce((SELECT range_agg(b.during) FROM radscheduler.resource_block b
                       WHERE b.site_id = p_site AND b.resource_id = r.resource_id AND b.during && tstzrange(p_from, p_until)), '{}')
           - coalesce((SELECT range_agg(o.during) FROM radscheduler.occupancy o
                       WHERE o.site_id = p_site AND o.axis = 'patient' AND o.subject_id = ANY (p_patients)
                         AND o.buffered && tstzrange(p_from, p_until) AND o.appointment_id IS DISTINCT FROM p_without), '{}')
           - radscheduler.pool_full(p_site, r.modality, tstzrange(p_from, p_until), p_without) AS open
    FROM radscheduler.resource r
    WHERE r.site_id = p_site AND r.resource_id = ANY (p_resources)
), lane AS (
    SELECT b.resource_id, b.code, l.lane,
           b.open - coalesce((
               SELECT range_agg(tstzrange(lower(o.buffered) - make_interval(mins => b.turnover), upper(o.buffered) + make_interval(mins => b.setup)))
               FROM radscheduler.occupancy o
               WHERE o.site_id = p_site AND o.axis = 'resource' AND o.subject_id = b.resource_id
                 AND (o.lane = l.lane OR o.lane >= b.capacity)
                 AND o.buffered && tstzrange(p_from - make_interval(mins => b.setup), p_until + make_interval(mins => b.turnover))
                 AND o.appointment_id IS DISTINCT FROM p_without), '{}') AS free
    FROM bookable b, generate_series(0, b.capacity - 1) l(lane)
), grid AS MATERIALIZED (
    SELECT z.zone, s.slot_minutes::integer AS step FROM radscheduler.site s, LATERAL (SELECT radscheduler.site_zone(p_site)) z(zone) WHERE s.site_id = p_site
)
SELECT l.code, t.start, t.start + make_interval(mins => p_minutes), timezone(g.zone, t.start)
FROM grid g, lane l, unnest(l.free) gap,
     LATERAL (SELECT generate_series(
         date_bin(make_interval(mins => g.step), lower(gap) + make_interval(mins => g.step) - interval '1 microsecond',
                  timezone(g.zone, date_trunc('day', timezone(g.zone, lower(gap))))),
         upper(gap) - make_interval(mins => p_minutes), make_interval(mins => g.step)) AS start LIMIT p_limit) t
GROUP BY l.code, t.start, g.zone
ORDER BY t.start, l.code
LIMIT p_limit
$$;

COMMENT ON FUNCTION radscheduler.free_slots(integer, bigint[], bigint[], timestamptz, timestamptz, integer, integer, bigint) IS
    'The search under find_slots, by ids. A resource of capacity n is free where one of its n lanes is, no overbooking stands, and exams that name no scanner have not taken the last place of its modality: the test that a booking is put to.';

CREATE OR REPLACE FUNCTION radscheduler.alternatives(p_site integer, p_appointment bigint) RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
WITH wanted AS (
    SELECT a.starts_at, (extract(epoch FROM a.ends_at - a.starts_at) / 60)::integer AS minutes, a.patient_id, a.modality,
           (SELECT array_agg(r.resource_id) FROM radscheduler.appointment_resource ar
            JOIN radscheduler.resource r ON r.site_id = ar.site_id AND r.resource_id = ar.resource_id
            WHERE ar.site_id = a.site_id AND ar.appointment_id = a.appointment_id AND r.kind = 'equipment'
              AND (r.modality = a.modality OR a.modality = ANY (r.modalities)) IS NOT FALSE) AS equipment,
           (SELECT array_agg(r.resource_id) FROM radscheduler.appointment_resource ar
            JOIN radscheduler.resource r ON r.site_id = ar.site_id AND r.resource_id = ar.resource_id
            WHERE ar.site_id = a.site_id AND ar.appointment_id = a.appointment_id AND r.kind = 'room'
              AND (r.modality = a.modality OR a.modality = ANY (r.modalities)) IS NOT FALSE) AS rooms,
           (SELECT array_agg(r.resource_id) FROM radscheduler.appointment_resource ar
            JOIN radscheduler.resource r ON r.site_id = ar.site_id AND r.resource_id = ar.resource_id
            WHERE ar.site_id = a.site_id AND ar.appointment_id = a.appointment_id AND r.kind = 'staff') AS staff
    FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointment
), searched AS (
    SELECT w.*, coalesce(w.equipment, w.rooms,
                         (SELECT array_agg(r.resource_id) FROM radscheduler.resource r
                          WHERE r.site_id = p_site AND r.is_active AND (r.modality = w.modality OR w.modality = ANY (r.modalities)) AND r.kind IN ('equipment', 'room')),
                         w.staff) AS resources
    FROM wanted w
)
SELECT coalesce(jsonb_agg(jsonb_build_object('start', f.starts_at, 'end', f.ends_at, 'resource', f.resource_code) ORDER BY f.starts_at, f.resource_code), '[]')
FROM searched s,
     LATERAL radscheduler.free_slots(p_site, s.resources[1:10], ARRAY[s.patient_id], greatest(s.starts_at, date_trunc('minute', now())),
                                     greatest(s.starts_at, now()) + interval '14 days', s.minutes, 3, p_appointment) f
$$;

COMMENT ON FUNCTION radscheduler.alternatives(integer, bigint) IS
    'Up to three free times for an appointment from its own start on, within 14 days: on its scanner, else its room, else any of its modality, else its staff (ten of them at most); a scanner or room of another modality is passed over; the patient free as well. [{start, end, resource}].';

INSERT INTO radscheduler.conflict_kind VALUES
    ('OUTSIDE_HOURS', 'rule', 'The exam lies outside the opening hours of %s.'),
    ('RESOURCE_BLOCKED', 'rule', '%s is blocked at that time.'),
    ('MAINTENANCE', 'rule', '%s is out of service at that time.'),
    ('MODALITY_MISMATCH', 'rule', '%s cannot do this kind of exam.'),
    ('CAPACITY_EXCEEDED', 'rule', 'More %s exams are booked at that time than there are scanners.'),
    ('PATIENT_TRAVEL', 'patient', 'The patient has too little time to get from one exam to the next.'),
    ('INVALID_TIME', 'rule', 'The time of the appointment cannot be right: %s.');

CREATE TABLE radscheduler.rule_kind (
    code        text PRIMARY KEY REFERENCES radscheduler.conflict_kind,
    severity    radscheduler.severity NOT NULL,
    if_overbook radscheduler.severity,
    if_urgent   radscheduler.severity
);

COMMENT ON TABLE  radscheduler.rule_kind IS 'The rules that appointments are held to besides double booking, and how bad breaking one is. A site''s own choice is a row of rule_setting.';

COMMENT ON COLUMN radscheduler.rule_kind.code IS 'Code of the conflict, see conflict_kind.';

COMMENT ON COLUMN radscheduler.rule_kind.severity IS 'Severity. CAPACITY_EXCEEDED is critical beyond one and a half times the capacity, PATIENT_TRAVEL between campuses; INVALID_TIME only warns of a start that the change of clocks skips.';

COMMENT ON COLUMN radscheduler.rule_kind.if_overbook IS 'At most this bad where the sender says Overbook; NULL: Overbook excuses nothing.';

COMMENT ON COLUMN radscheduler.rule_kind.if_urgent IS 'At most this bad for urgency stat and for emergency and inpatients, to whom it happens daily; NULL: no difference.';

INSERT INTO radscheduler.rule_kind VALUES
    ('OUTSIDE_HOURS', 'warning', 'warning', 'info'),
    ('RESOURCE_BLOCKED', 'critical', 'warning', NULL),
    ('MAINTENANCE', 'critical', NULL, NULL),
    ('MODALITY_MISMATCH', 'critical', NULL, NULL),
    ('CAPACITY_EXCEEDED', 'warning', 'warning', 'warning'),
    ('PATIENT_TRAVEL', 'warning', 'warning', NULL),
    ('INVALID_TIME', 'critical', NULL, NULL);

CREATE OR REPLACE FUNCTION radscheduler.is_rule(code text) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN EXISTS (SELECT FROM radscheduler.rule_kind k WHERE k.code = is_rule.code);
END
$$;

COMMENT ON FUNCTION radscheduler.is_rule(text) IS 'Whether rule_kind has this code; what rule_setting may name.';

CREATE OR REPLACE FUNCTION radscheduler.takes_time(status radscheduler.appointment_status, holds_time boolean) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN radscheduler.is_occupying(status) OR holds_time AND status = 'PENDING';

COMMENT ON FUNCTION radscheduler.takes_time(radscheduler.appointment_status, boolean) IS 'Whether an appointment takes time: by its state, or as a PENDING one whose sender says so (appointment.holds_time).';

CREATE OR REPLACE FUNCTION radscheduler.is_urgent(urgency text, patient_class text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN urgency = 'stat' OR COALESCE(patient_class IN ('E', 'I'), false);

COMMENT ON FUNCTION radscheduler.is_urgent(text, text) IS 'Whether rule_kind.if_urgent counts: urgency stat, or an emergency or inpatient (PV1-2).';

CREATE OR REPLACE FUNCTION radscheduler.rule_subject(p_site integer, p_code text, p_appointment bigint) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN CASE p_code
        WHEN 'OUTSIDE_HOURS' THEN (SELECT s.name FROM radscheduler.site s WHERE s.site_id = p_site)
        WHEN 'CAPACITY_EXCEEDED' THEN (SELECT coalesce(m.label, a.modality) FROM radscheduler.appointment a
                                       LEFT JOIN radscheduler.modality m ON m.site_id = a.site_id AND m.code = a.modality
                                       WHERE a.site_id = p_site AND a.appointment_id = p_appointment)
        WHEN 'INVALID_TIME' THEN (SELECT CASE a.time_fault WHEN 'gap' THEN 'clocks are put forward over its start' WHEN 'end' THEN 'the end sent is not after the start'
                                                           ELSE 'it would take more than 24 hours' END
                                  FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointment) END;
END
$$;

COMMENT ON FUNCTION radscheduler.rule_subject(integer, text, bigint) IS
    'What the sentence of a conflict (conflict_kind.text) is about where that is no resource: the site whose hours count, the modality whose scanners are too few, what is wrong with the time; else NULL.';

CREATE OR REPLACE FUNCTION radscheduler.way_between(p_site integer, p_one bigint, p_other bigint) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (WITH place AS (
            SELECT o.appointment_id, coalesce(r.location, '#' || r.resource_id) AS name, coalesce(r.campus, '') AS campus,
                   rank() OVER (PARTITION BY o.appointment_id ORDER BY r.kind = 'room' DESC) AS rank
            FROM radscheduler.occupancy o
            JOIN radscheduler.resource r ON r.site_id = o.site_id AND r.resource_id = o.subject_id AND r.kind <> 'staff'
            WHERE o.site_id = p_site AND o.appointment_id IN (p_one, p_other) AND o.axis = 'resource')
        SELECT CASE WHEN bool_or(one.campus = other.campus AND one.name = other.name) THEN NULL WHEN bool_and(one.campus <> other.campus) THEN 'campus' WHEN count(*) > 0 THEN 'place' END
        FROM place one JOIN place other ON other.appointment_id = p_other AND other.rank = 1 WHERE one.appointment_id = p_one AND one.rank = 1);
END
$$;

COMMENT ON FUNCTION radscheduler.way_between(integer, bigint, bigint) IS
    'What a patient must change to get from one appointment to another: place, campus, or NULL where that is not known to be any. By the rooms named, else by the scanners; a resource without location is a place of its own.';

CREATE OR REPLACE FUNCTION radscheduler.can_do(p_site integer, p_appointment bigint, p_resource bigint, p_modalities text[]) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (WITH exam AS (
            SELECT s.code, s.name, count(*) OVER () AS n,
                   s.group_no IN (SELECT r.group_no FROM radscheduler.appointment_resource r
                                  WHERE r.site_id = p_site AND r.appointment_id = p_appointment AND r.resource_id = p_resource AND r.status IS NULL) AS is_here
            FROM radscheduler.appointment_service s WHERE s.site_id = p_site AND s.appointment_id = p_appointment AND s.status IS NULL
        ), wanted AS (
            -- The appointment's modality is that of its first exam: of several, each has its own.
            SELECT a.modality FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointment AND (SELECT count(*) < 2 FROM exam)
            UNION ALL
            SELECT coalesce(p.modality, radscheduler.modality_guess(p_site, ARRAY[e.code], ARRAY[e.name]))
            FROM exam e CROSS JOIN LATERAL radscheduler.procedure_of(p_site, e.code, NULL) p
            WHERE e.n > 1 AND (e.is_here OR NOT EXISTS (SELECT FROM exam x WHERE x.is_here)))
        SELECT coalesce(bool_or(p_modalities IS NULL OR coalesce(w.modality, 'OT') = 'OT' OR w.modality = ANY (p_modalities)), true) FROM wanted w);
END
$$;

COMMENT ON FUNCTION radscheduler.can_do(integer, bigint, bigint, text[]) IS
    'Whether a resource of some modalities (NULL: any) can do an appointment: its exam, or of several at least one of the resource''s own group. An exam whose modality nobody knows can be done anywhere.';

CREATE OR REPLACE FUNCTION radscheduler.rule_conflicts(p_site integer, p_appointments bigint[])
    RETURNS TABLE (appointment_id bigint, code text, severity radscheduler.severity, axis radscheduler.axis, subject_id bigint,
                   other_appointment_id bigint, overlap tstzrange)
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 1 SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH place AS MATERIALIZED (
        SELECT coalesce(s.timezone, radscheduler.default_zone()) AS zone, make_interval(mins => s.travel_minutes::integer) AS travel,
               make_interval(mins => s.campus_minutes::integer) AS campus_travel
        FROM radscheduler.site s WHERE s.site_id = p_site
    ), rule AS MATERIALIZED (
        SELECT k.code, k.severity, k.if_overbook, k.if_urgent, s.severity::radscheduler.severity AS chosen
        FROM radscheduler.rule_kind k LEFT JOIN radscheduler.rule_setting s ON s.site_id = p_site AND s.code = k.code
        WHERE s.severity IS DISTINCT FROM 'off'
    ), changed AS MATERIALIZED (
        SELECT a.appointment_id, a.modality, tstzrange(a.starts_at, a.ends_at) AS during, a.is_pooled, a.time_fault, a.sender_id, a.visit_group
        FROM radscheduler.appointment a
        WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments) AND a.starts_at IS NOT NULL AND radscheduler.takes_time(a.status, a.holds_time)
    ), held AS MATERIALIZED (
        SELECT c.appointment_id, r.resource_id, r.kind, o.during,
               CASE WHEN r.is_registered AND r.kind <> 'staff' THEN nullif(array_remove(r.modality || r.modalities, NULL), '{}') END AS able,
               EXISTS (SELECT FROM radscheduler.resource_hours h WHERE h.site_id = p_site AND h.resource_id = r.resource_id) AS has_hours
        FROM changed c
        JOIN radscheduler.occupancy o ON o.site_id = p_site AND o.appointment_id = c.appointment_id AND o.axis = 'resource'
        JOIN radscheduler.resource r ON r.site_id = p_site AND r.resource_id = o.subject_id
    ), timed AS MATERIALIZED (
        -- Whose hours count: those of a resource that has some, else the site's for scanners, rooms and exams that name neither. Staff work when they work.
        SELECT h.appointment_id, CASE WHEN h.has_hours THEN h.resource_id END AS resource_id, h.during FROM held h WHERE h.has_hours OR h.kind <> 'staff'
        UNION
        SELECT c.appointment_id, NULL, c.during FROM changed c WHERE c.is_pooled
    ), near AS MATERIALIZED (
        -- Exams of one visit are planned together: whoever booked them knows the way.
        SELECT o.subject_id, c.appointment_id, q.appointment_id AS other_id, o.during, q.during AS other_during, x.way,
               CASE x.way WHEN 'place' THEN p.travel WHEN 'campus' THEN greatest(p.travel, p.campus_travel) END AS needed
        FROM place p
        CROSS JOIN changed c
        JOIN radscheduler.occupancy o ON o.site_id = p_site AND o.appointment_id = c.appointment_id AND o.axis = 'patient'
        JOIN radscheduler.occupancy q ON q.site_id = p_site AND q.axis = 'patient' AND q.subject_id = o.subject_id AND q.appointment_id <> o.appointment_id
                                     AND q.buffered && tstzrange(lower(o.during) - greatest(p.travel, p.campus_travel), upper(o.during) + greatest(p.travel, p.campus_travel))
        JOIN radscheduler.appointment n ON n.site_id = p_site AND n.appointment_id = q.appointment_id AND radscheduler.takes_time(n.status, n.holds_time)
                                       AND (n.sender_id = c.sender_id AND n.visit_group = c.visit_group) IS NOT TRUE
        CROSS JOIN LATERAL radscheduler.way_between(p_site, o.appointment_id, q.appointment_id) x(way)
        WHERE EXISTS (SELECT FROM rule WHERE code = 'PATIENT_TRAVEL') AND greatest(p.travel, p.campus_travel) > interval '0' AND NOT q.during && o.during
    ), broken AS MATERIALIZED (
        SELECT t.appointment_id, 'OUTSIDE_HOURS' AS code, NULL::radscheduler.severity AS severity, 'resource'::radscheduler.axis AS axis,
               coalesce(t.resource_id, 0) AS subject_id, NULL::bigint AS other_appointment_id, range_merge(x.shut) AS overlap
        FROM timed t, LATERAL (SELECT tstzmultirange(t.during) - radscheduler.open_hours(p_site, t.resource_id, lower(t.during), upper(t.during)) AS shut OFFSET 0) x
        WHERE EXISTS (SELECT FROM rule WHERE code = 'OUTSIDE_HOURS') AND NOT isempty(x.shut) AND (t.resource_id IS NOT NULL OR EXISTS (SELECT FROM radscheduler.resource_hours h WHERE h.site_id = p_site AND h.resource_id IS NULL))
        UNION ALL
        SELECT h.appointment_id, CASE b.kind WHEN 'block' THEN 'RESOURCE_BLOCKED' ELSE 'MAINTENANCE' END, NULL, 'resource', h.resource_id, NULL, h.during * b.during
        FROM held h JOIN radscheduler.resource_block b ON b.site_id = p_site AND b.resource_id = h.resource_id AND b.during && h.during
        UNION ALL
        SELECT h.appointment_id, 'MODALITY_MISMATCH', NULL, 'resource', h.resource_id, NULL, h.during
        FROM held h WHERE EXISTS (SELECT FROM rule WHERE code = 'MODALITY_MISMATCH') AND NOT radscheduler.can_do(p_site, h.appointment_id, h.resource_id, h.able)
        UNION ALL
        SELECT c.appointment_id, 'CAPACITY_EXCEEDED', CASE WHEN 2 * x.peak > 3 * x.capacity THEN 'critical'::radscheduler.severity END, 'resource', 0, NULL, x.excess
        FROM changed c, LATERAL radscheduler.pool_excess(p_site, c.appointment_id) x
        WHERE EXISTS (SELECT FROM rule WHERE code = 'CAPACITY_EXCEEDED') AND c.is_pooled AND x.excess IS NOT NULL
        UNION ALL
        -- Two that meet several times are told of once, by the first time.
        (SELECT DISTINCT ON (n.subject_id, least(n.appointment_id, n.other_id), greatest(n.appointment_id, n.other_id))
               CASE WHEN n.other_during < n.during THEN n.appointment_id ELSE n.other_id END, 'PATIENT_TRAVEL', CASE n.way WHEN 'campus' THEN 'critical'::radscheduler.severity END,
               'patient'::radscheduler.axis, n.subject_id, CASE WHEN n.other_during < n.during THEN n.other_id ELSE n.appointment_id END,
               tstzrange(greatest(lower(n.during), lower(n.other_during)), least(upper(n.during), upper(n.other_during)) + n.needed)
        FROM near n WHERE greatest(lower(n.during), lower(n.other_during)) < least(upper(n.during), upper(n.other_during)) + n.needed
        ORDER BY n.subject_id, least(n.appointment_id, n.other_id), greatest(n.appointment_id, n.other_id), least(n.during, n.other_during))
        UNION ALL
        SELECT c.appointment_id, 'INVALID_TIME', CASE c.time_fault WHEN 'gap' THEN 'warning'::radscheduler.severity END, 'resource', 0, NULL, c.during
        FROM changed c WHERE c.time_fault IS NOT NULL OR upper(c.during) - lower(c.during) > interval '24 hours'
    )
    SELECT b.appointment_id, b.code,
           least(coalesce(k.chosen, max(b.severity), k.severity), CASE WHEN a.is_overbook THEN k.if_overbook END,
                 CASE WHEN radscheduler.is_urgent(a.urgency, a.patient_class) THEN k.if_urgent END),
           b.axis, b.subject_id, b.other_appointment_id, range_merge(range_agg(b.overlap))
    FROM broken b
    JOIN rule k ON k.code = b.code
    JOIN radscheduler.appointment a ON a.site_id = p_site AND a.appointment_id = b.appointment_id
    GROUP BY b.appointment_id, b.code, b.axis, b.subject_id, b.other_appointment_id, k.severity, k.chosen, k.if_overbook, k.if_urgent, a.is_overbook, a.urgency, a.patient_class;
END
$$;

COMMENT ON FUNCTION radscheduler.rule_conflicts(integer, bigint[]) IS
    'The rules (rule_kind) that some appointments break now, as rows of conflict would say it, severity by the site''s choice, Overbook and urgency. subject_id is 0 where the site as a whole or the appointment itself is meant. Of two exams too close together the later one in time is appointment_id. Only appointments that take time; call mark_pooled() before.';

CREATE OR REPLACE FUNCTION radscheduler.pool(p_site integer, p_modality text, OUT resource_id bigint, OUT capacity integer) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 10 SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT r.resource_id, r.capacity::integer
    FROM (SELECT r.resource_id, r.capacity, rank() OVER (ORDER BY r.kind = 'equipment' DESC) AS rank
          FROM (SELECT q.resource_id, q.capacity, q.kind FROM radscheduler.resource q
                WHERE q.site_id = p_site AND q.is_active AND q.is_registered AND q.kind <> 'staff' AND q.modality = p_modality
                UNION ALL
                SELECT q.resource_id, q.capacity, q.kind FROM radscheduler.resource q
                WHERE q.site_id = p_site AND q.is_active AND q.is_registered AND q.kind <> 'staff' AND q.modalities <> '{}'
                  AND p_modality = ANY (q.modalities) AND q.modality IS DISTINCT FROM p_modality) r) r
    WHERE r.rank = 1;
END
$$;

COMMENT ON FUNCTION radscheduler.pool(integer, text) IS
    'The active registered scanners of a modality and how many exams each takes at once; its rooms where the site has registered no scanner of it, as with ultrasound bays. No rows: exams of this modality are not counted.';

CREATE OR REPLACE FUNCTION radscheduler.pool_users(p_site integer, p_modality text, p_during tstzrange)
    RETURNS TABLE (appointment_id bigint, claim timestamptz, during tstzrange, places integer)
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 10 SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH scanner AS MATERIALIZED (
        SELECT p.resource_id, p.capacity, (SELECT range_agg(b.during * p_during) FROM radscheduler.resource_block b
                                           WHERE b.site_id = p_site AND b.resource_id = p.resource_id AND b.during && p_during) AS blocked
        FROM radscheduler.pool(p_site, p_modality) p
    )
    SELECT o.appointment_id, NULL::timestamptz, t.during, 1
    FROM scanner s
    JOIN radscheduler.occupancy o ON o.site_id = p_site AND o.axis = 'resource' AND o.subject_id = s.resource_id AND o.buffered && p_during AND o.lane < s.capacity
    CROSS JOIN LATERAL unnest(tstzmultirange(o.during * p_during) - coalesce(s.blocked, '{}')) t(during)
    UNION ALL
    SELECT NULL, NULL, t.during, s.capacity FROM scanner s, unnest(s.blocked) t(during)
    UNION ALL
    SELECT q.appointment_id, radscheduler.claim_of(q.moved_at, q.booked_at, q.created_at), tstzrange(q.starts_at, q.ends_at) * p_during, 1
    FROM radscheduler.appointment q
    WHERE q.site_id = p_site AND q.modality = p_modality AND q.is_pooled AND tstzrange(q.starts_at, q.ends_at) && p_during;
END
$$;

COMMENT ON FUNCTION radscheduler.pool_users(integer, text, tstzrange) IS
    'What takes places of a pool within a time: exams on its scanners (in legal lanes; who is overbooked there has no place), blocks of them (no appointment), and exams that name no scanner (only these have a claim).';

CREATE OR REPLACE FUNCTION radscheduler.pool_is_tight(p_site integer, p_modality text, p_during tstzrange) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_capacity bigint := (SELECT sum(p.capacity) FROM radscheduler.pool(p_site, p_modality) p);
BEGIN
    RETURN v_capacity IS NOT NULL AND v_capacity < (SELECT sum(u.places) FROM radscheduler.pool_users(p_site, p_modality, p_during) u);
END
$$;

COMMENT ON FUNCTION radscheduler.pool_is_tight(integer, text, tstzrange) IS
    'Whether more want places of a pool within a time than it has: the quick question before pool_excess(), which asks whether they want them at once. For whoever holds the locks of the pool; others may not see who is just taking a place.';

CREATE OR REPLACE FUNCTION radscheduler.pool_excess(p_site integer, p_appointment bigint, OUT excess tstzrange, OUT peak integer, OUT capacity integer) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_mine record;
BEGIN
    SELECT a.appointment_id, a.modality, a.starts_at, a.ends_at, radscheduler.claim_of(a.moved_at, a.booked_at, a.created_at) AS claim INTO v_mine
        FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointment AND a.is_pooled;
    pool_excess.capacity := (SELECT sum(p.capacity)::integer FROM radscheduler.pool(p_site, v_mine.modality) p);
    IF pool_excess.capacity IS NULL THEN
        RETURN;
    END IF;
    WITH other AS (
        SELECT u.during, u.places FROM radscheduler.pool_users(p_site, v_mine.modality, tstzrange(v_mine.starts_at, v_mine.ends_at)) u
        WHERE u.claim IS NULL OR (u.claim, u.appointment_id) < (v_mine.claim, v_mine.appointment_id)
    ), edge AS (
        SELECT lower(o.during) AS at, o.places AS step FROM other o
        UNION ALL
        SELECT upper(o.during), -o.places FROM other o
        UNION ALL
        SELECT v_mine.starts_at, 1
    ), level AS (
        SELECT e.at, lead(e.at, 1, v_mine.ends_at) OVER (ORDER BY e.at) AS until, sum(sum(e.step)) OVER (ORDER BY e.at)::integer AS taken
        FROM edge e GROUP BY e.at
    )
    SELECT tstzrange(min(l.at), max(l.until)), max(l.taken) INTO pool_excess.excess, pool_excess.peak
        FROM level l WHERE l.taken > pool_excess.capacity AND l.at < l.until HAVING count(*) > 0;
END
$$;

COMMENT ON FUNCTION radscheduler.pool_excess(integer, bigint) IS
    'When an exam that names no scanner finds none: the time, the most places wanted at once by it and those before it, and the capacity of its pool. excess is NULL where a place is free for it all the time; everything is NULL where there is no pool.';

CREATE OR REPLACE FUNCTION radscheduler.pool_full(p_site integer, p_modality text, p_during tstzrange, p_without bigint) RETURNS tstzmultirange
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_capacity bigint;
BEGIN
    -- Without such exams the scanners' own bookings tell all.
    IF NOT EXISTS (SELECT FROM radscheduler.appointment q WHERE q.site_id = p_site AND q.modality = p_modality AND q.is_pooled
                   AND tstzrange(q.starts_at, q.ends_at) && p_during AND q.appointment_id IS DISTINCT FROM p_without) THEN
        RETURN '{}';
    END IF;
    v_capacity := (SELECT sum(p.capacity) FROM radscheduler.pool(p_site, p_modality) p);
    RETURN (WITH other AS (
            SELECT u.during, u.places FROM radscheduler.pool_users(p_site, p_modality, p_during) u WHERE u.appointment_id IS DISTINCT FROM p_without OR p_without IS NULL
        ), edge AS (
            SELECT lower(o.during) AS at, o.places AS step FROM other o
            UNION ALL
            SELECT upper(o.during), -o.places FROM other o
        ), level AS (
            SELECT e.at, lead(e.at) OVER (ORDER BY e.at) AS until, sum(sum(e.step)) OVER (ORDER BY e.at) AS taken FROM edge e GROUP BY e.at
        )
        SELECT coalesce(range_agg(tstzrange(l.at, l.until)), '{}') FROM level l WHERE l.taken >= v_capacity AND l.at < l.until);
END
$$;

COMMENT ON FUNCTION radscheduler.pool_full(integer, text, tstzrange, bigint) IS
    'When, within a time, every place of a pool is taken and exams that name no scanner are among those who take them; one appointment may be left out of account.';

CREATE OR REPLACE FUNCTION radscheduler.mark_pooled(p_site integer, p_appointments bigint[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    UPDATE radscheduler.appointment a SET is_pooled = NOT a.is_pooled
        WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments)
          AND a.is_pooled IS DISTINCT FROM (
              a.starts_at IS NOT NULL AND a.modality IS NOT NULL AND radscheduler.takes_time(a.status, a.holds_time)
              AND NOT EXISTS (SELECT FROM radscheduler.appointment_resource ar
                              JOIN radscheduler.resource r ON r.site_id = ar.site_id AND r.resource_id = ar.resource_id AND r.kind <> 'staff'
                              WHERE ar.site_id = a.site_id AND ar.appointment_id = a.appointment_id AND ar.status IS NULL));
END
$$;

COMMENT ON FUNCTION radscheduler.mark_pooled(integer, bigint[]) IS 'Keeps appointment.is_pooled: takes time, and names neither a scanner nor a room. Writes only where that has changed. occupy() and vacate() call it for appointments that are known; new ones are written with it.';

CREATE OR REPLACE FUNCTION radscheduler.pool_neighbours(p_site integer, p_appointments bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (WITH taken AS (
            -- An exam that is new to the pool can only get in the way of younger claims.
            SELECT a.modality, tstzrange(a.starts_at, a.ends_at) AS during, radscheduler.claim_of(a.moved_at, a.booked_at, a.created_at) AS claim, a.appointment_id, a.version = 1 AS is_new
            FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments) AND a.is_pooled
            UNION
            SELECT m.code, o.during, NULL, NULL, false
            FROM unnest(p_appointments) u(id)
            JOIN radscheduler.occupancy o ON o.site_id = p_site AND o.appointment_id = u.id AND o.axis = 'resource'
            JOIN radscheduler.resource r ON r.site_id = p_site AND r.resource_id = o.subject_id AND r.kind <> 'staff' AND r.is_registered,
            LATERAL unnest(r.modality || r.modalities) m(code)
        )
        SELECT array_agg(DISTINCT q.appointment_id)
        FROM taken t
        JOIN radscheduler.appointment q ON q.site_id = p_site AND q.modality = t.modality AND q.is_pooled AND tstzrange(q.starts_at, q.ends_at) && t.during
        WHERE q.appointment_id <> ALL (p_appointments)
          AND (NOT t.is_new OR (radscheduler.claim_of(q.moved_at, q.booked_at, q.created_at), q.appointment_id) > (t.claim, t.appointment_id)));
END
$$;

COMMENT ON FUNCTION radscheduler.pool_neighbours(integer, bigint[]) IS
    'Exams without scanner that find fewer places because of these appointments. Those that find more are told of by pool_waiting(), before the time is given back.';

CREATE OR REPLACE FUNCTION radscheduler.pool_waiting(p_site integer, p_rows bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- Who shares a scanner's pool may be being flagged by somebody else at this moment, so all of those; a pool is changed by one at a time.
    RETURN (WITH freed AS MATERIALIZED (
            SELECT range_merge(range_agg(o.during)) AS during FROM radscheduler.occupancy o
            WHERE o.site_id = p_site AND o.occupancy_id = ANY (p_rows) GROUP BY o.appointment_id)
        SELECT array_agg(DISTINCT w.id) FROM (
            SELECT q.appointment_id
            FROM radscheduler.occupancy o
            JOIN radscheduler.resource r ON r.site_id = o.site_id AND r.resource_id = o.subject_id AND r.kind <> 'staff' AND r.is_registered
            CROSS JOIN LATERAL unnest(r.modality || r.modalities) m(code)
            JOIN radscheduler.appointment q ON q.site_id = o.site_id AND q.modality = m.code AND q.is_pooled AND tstzrange(q.starts_at, q.ends_at) && o.during
            WHERE o.site_id = p_site AND o.occupancy_id = ANY (p_rows) AND o.axis = 'resource'
            UNION ALL
            SELECT c.appointment_id FROM radscheduler.conflict c
            WHERE c.site_id = p_site AND c.state <> 'resolved' AND c.code = 'CAPACITY_EXCEEDED' AND EXISTS (SELECT FROM freed f WHERE f.during && c.overlap)) w(id));
END
$$;

COMMENT ON FUNCTION radscheduler.pool_waiting(integer, bigint[]) IS
    'Exams without scanner that may find a place when some intervals are given back, or when their appointments leave the pool. NULL when there are none.';

CREATE OR REPLACE FUNCTION radscheduler.name_no_place(p_items radscheduler.ingest_item[]) RETURNS boolean[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_answer boolean[] := '{}';
    v_exact  boolean := false;
    v_item   radscheduler.ingest_item;
BEGIN
    FOREACH v_item IN ARRAY p_items LOOP
        v_answer := v_answer || NOT coalesce(v_item.reading -> 'resources' @? '$[*] ? (@.segment == "AIL" || @.segment == "AIG" && !exists(@.type_code) && !exists(@.type_text))', false);
        v_exact := v_exact OR v_answer[cardinality(v_answer)] AND v_item.resource_ids IS NOT NULL;
    END LOOP;
    IF v_exact THEN
        v_answer := ARRAY(SELECT NOT EXISTS (SELECT FROM radscheduler.resource r WHERE r.site_id = i.site_id AND r.resource_id = ANY (i.resource_ids) AND r.kind <> 'staff')
                          FROM unnest(p_items) WITH ORDINALITY i ORDER BY i.ordinality);
    END IF;
    RETURN v_answer;
END
$$;

COMMENT ON FUNCTION radscheduler.name_no_place(radscheduler.ingest_item[]) IS
    'For each message, side by side, whether among its resources (already resolved) there is neither a scanner nor a room. Nearly all say so by their segments.';

CREATE OR REPLACE FUNCTION radscheduler.pool_scanners(p_site integer, p_modalities text[], p_appointments bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN ARRAY(SELECT DISTINCT p.resource_id
        FROM (SELECT m FROM unnest(p_modalities) m
              UNION
              SELECT a.modality FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments) AND a.is_pooled) m(code),
        LATERAL radscheduler.pool(p_site, m.code) p WHERE m.code IS NOT NULL);
END
$$;

COMMENT ON FUNCTION radscheduler.pool_scanners(integer, text[], bigint[]) IS
    'Resources to lock with the subjects by whoever changes exams that name no scanner: those of the pools of some modalities, and of the pools that appointments stand in now.';

CREATE OR REPLACE FUNCTION radscheduler.doubtful(p_site integer, p_appointments bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_zone      text;
    v_travel    interval;
    v_has_hours boolean;
BEGIN
    SELECT coalesce(s.timezone, radscheduler.default_zone()), make_interval(mins => nullif(greatest(s.travel_minutes, s.campus_minutes), 0)::integer),
           EXISTS (SELECT FROM radscheduler.resource_hours h WHERE h.site_id = p_site AND h.resource_id IS NULL)
        INTO v_zone, v_travel, v_has_hours FROM radscheduler.site s WHERE s.site_id = p_site;
    RETURN (SELECT array_agg(DISTINCT d.id) FROM (
        SELECT o.appointment_id
        FROM radscheduler.occupancy o
        JOIN radscheduler.appointment a ON a.site_id = o.site_id AND a.appointment_id = o.appointment_id
        LEFT JOIN radscheduler.resource r ON o.axis = 'resource' AND r.site_id = o.site_id AND r.resource_id = o.subject_id
        WHERE o.site_id = p_site AND o.appointment_id = ANY (p_appointments) AND (
            -- Lanes: its own, or one over it (there is one only where its subject has a conflict).
            o.lane >= coalesce(r.capacity, 1)
            OR EXISTS (SELECT FROM radscheduler.conflict c WHERE c.site_id = o.site_id AND c.axis = o.axis AND c.subject_id = o.subject_id AND c.state <> 'resolved')
               AND EXISTS (SELECT FROM radscheduler.occupancy q WHERE q.site_id = o.site_id AND q.axis = o.axis AND q.subject_id = o.subject_id
                           AND q.buffered && o.buffered AND q.lane >= coalesce(r.capacity, 1))
            -- What the scanner can do, and whom it is taken from: whether too many want one is asked once that exam is locked, not here.
            OR r.kind <> 'staff' AND r.is_registered
               AND (a.modality <> r.modality AND a.modality <> 'OT' OR r.modalities <> '{}' OR a.study_text LIKE '% + %'
                    OR EXISTS (SELECT FROM radscheduler.appointment q WHERE q.site_id = o.site_id AND q.modality = r.modality AND q.is_pooled
                               AND tstzrange(q.starts_at, q.ends_at) && o.during))
            OR o.axis = 'patient'
               AND (a.time_fault IS NOT NULL OR a.ends_at - a.starts_at > interval '24 hours'
                    OR a.is_pooled AND radscheduler.pool_is_tight(p_site, a.modality, tstzrange(a.starts_at, a.ends_at))
                    OR v_travel IS NOT NULL AND EXISTS (
                        SELECT FROM radscheduler.occupancy q WHERE q.site_id = o.site_id AND q.axis = 'patient' AND q.subject_id = o.subject_id
                        AND q.appointment_id <> o.appointment_id AND q.buffered && tstzrange(lower(o.during) - v_travel, upper(o.during) + v_travel)))
            OR o.axis = 'resource' AND EXISTS (SELECT FROM radscheduler.resource_block b WHERE b.site_id = o.site_id AND b.resource_id = o.subject_id AND b.during && o.during)
            -- Hours: one row that holds the whole exam, of the resource where it has some, else of the site for scanners, rooms and exams that name neither.
            OR CASE WHEN o.axis = 'resource' AND EXISTS (SELECT FROM radscheduler.resource_hours h WHERE h.site_id = o.site_id AND h.resource_id = o.subject_id)
               THEN NOT EXISTS (
                   SELECT FROM radscheduler.resource_hours h
                   WHERE h.site_id = o.site_id AND h.resource_id = o.subject_id AND h.weekday = extract(isodow FROM timezone(v_zone, lower(o.during)))::smallint
                     AND h.valid @> timezone(v_zone, lower(o.during))::date AND h.opens <= timezone(v_zone, lower(o.during))::time
                     AND timezone(v_zone, upper(o.during)) <= timezone(v_zone, lower(o.during))::date + h.closes)
               ELSE v_has_hours AND (r.kind <> 'staff' OR o.axis = 'patient' AND a.is_pooled) AND NOT EXISTS (
                   SELECT FROM radscheduler.resource_hours h
                   WHERE h.site_id = o.site_id AND h.resource_id IS NULL AND h.weekday = extract(isodow FROM timezone(v_zone, least(lower(o.during), a.starts_at)))::smallint
                     AND h.valid @> timezone(v_zone, least(lower(o.during), a.starts_at))::date AND h.opens <= timezone(v_zone, least(lower(o.during), a.starts_at))::time
                     AND timezone(v_zone, greatest(upper(o.during), a.ends_at)) <= timezone(v_zone, least(lower(o.during), a.starts_at))::date + h.closes) END)
        UNION ALL
        SELECT c.appointment_id FROM radscheduler.conflict c WHERE c.site_id = p_site AND c.appointment_id = ANY (p_appointments) AND c.state <> 'resolved'
        UNION ALL
        SELECT c.other_appointment_id FROM radscheduler.conflict c WHERE c.site_id = p_site AND c.other_appointment_id = ANY (p_appointments) AND c.state <> 'resolved') d(id));
END
$$;

COMMENT ON FUNCTION radscheduler.doubtful(integer, bigint[]) IS
    'Those of some appointments that may be in conflict, on either side, or have an unresolved conflict. NULL in the ordinary case, found out by a few index probes in one statement.';

CREATE OR REPLACE FUNCTION radscheduler.settle_block(p_site integer, p_resources bigint[], p_during tstzrange, p_message bigint) RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_ids bigint[] := ARRAY(
        SELECT o.appointment_id FROM unnest(p_resources) u(id)
        JOIN radscheduler.occupancy o ON o.site_id = p_site AND o.axis = 'resource' AND o.subject_id = u.id AND o.buffered && p_during
        WHERE o.during && p_during
        UNION
        SELECT q.appointment_id FROM unnest(p_resources) u(id)
        JOIN radscheduler.resource r ON r.site_id = p_site AND r.resource_id = u.id AND r.kind <> 'staff' AND r.is_registered,
        LATERAL unnest(r.modality || r.modalities) m(code)
        JOIN radscheduler.appointment q ON q.site_id = p_site AND q.modality = m.code AND q.is_pooled AND tstzrange(q.starts_at, q.ends_at) && p_during);
BEGIN
    IF v_ids <> '{}' THEN
        PERFORM radscheduler.settle(p_site, '{}', v_ids, ARRAY[p_message]);
    END IF;
    RETURN cardinality(v_ids);
END
$$;

COMMENT ON FUNCTION radscheduler.settle_block(integer, bigint[], tstzrange, bigint) IS
    'After rows of resource_block came or went: settles the appointments on these resources at that time, and those in their pools; returns how many those are. Call it under lock_subjects() on the resources, taken before the rows were written.';

CREATE OR REPLACE FUNCTION radscheduler.block_resource(resource text, from_time timestamptz, until_time timestamptz, reason text DEFAULT NULL, kind text DEFAULT 'block',
                                            OUT block_id bigint, OUT appointments integer) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
#variable_conflict use_variable
DECLARE
    v_site      integer := radscheduler.current_site();
    v_resources bigint[];
BEGIN
    IF from_time IS NULL OR until_time IS NULL OR NOT isfinite(from_time) OR NOT isfinite(until_time) OR until_time <= from_time THEN
        RAISE EXCEPTION 'a block lasts from one time until a later one' USING ERRCODE = 'invalid_parameter_value', HINT = 'Give from_time and until_time.';
    ELSIF kind IS NULL OR kind NOT IN ('block', 'maintenance', 'downtime') THEN
        RAISE EXCEPTION 'a block is of the kind block, maintenance or downtime' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'maintenance and downtime make the conflict MAINTENANCE, which no overbooking excuses.';
    END IF;
    v_resources := ARRAY(SELECT DISTINCT a.resource_id FROM radscheduler.resource_alias a WHERE a.site_id = v_site AND a.alias = upper(resource));
    IF cardinality(v_resources) <> 1 THEN
        RAISE EXCEPTION 'resource "%" is %', resource, CASE cardinality(v_resources) WHEN 0 THEN 'not known at this site' ELSE 'the name of several at this site' END
            USING ERRCODE = 'invalid_parameter_value', HINT = 'radscheduler.resource_alias lists the names that are known.';
    END IF;
    PERFORM radscheduler.lock_subjects(v_site, v_resources, NULL);
    INSERT INTO radscheduler.resource_block AS b (site_id, resource_id, during, reason, kind)
        VALUES (v_site, v_resources[1], tstzrange(from_time, until_time), reason, kind) RETURNING b.block_id INTO block_id;
    PERFORM radscheduler.audit(v_site, 'resource.blocked', 'resource_block', block_id, jsonb_build_object('resource_id', v_resources[1], 'kind', kind));
    INSERT INTO radscheduler.event_log (site_id, type, data)
        VALUES (v_site, 'resource.blocked', jsonb_build_object('block_id', block_id, 'resource_id', v_resources[1], 'kind', kind, 'from', from_time, 'until', until_time));
    appointments := radscheduler.settle_block(v_site, v_resources, tstzrange(from_time, until_time), NULL);
END
$$;

COMMENT ON FUNCTION radscheduler.block_resource(text, timestamptz, timestamptz, text, text) IS
    'Takes a resource of the session''s site, by any of its names, out of use for a time; kind is block, maintenance or downtime. Returns the number of the block and how many appointments are concerned: those on it are flagged (RESOURCE_BLOCKED, MAINTENANCE), those that name no scanner where the others are too few.';

CREATE OR REPLACE FUNCTION radscheduler.unblock_resource(block_id bigint, from_time timestamptz DEFAULT NULL) RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
#variable_conflict use_variable
DECLARE
    v_block radscheduler.resource_block;
    v_sites integer[] := radscheduler.visible_sites();
BEGIN
    SELECT * INTO v_block FROM radscheduler.resource_block b WHERE b.site_id = ANY (v_sites) AND b.block_id = block_id;
    IF FOUND THEN
        -- The lock first, then the row as it is.
        PERFORM radscheduler.lock_subjects(v_block.site_id, ARRAY[v_block.resource_id], NULL);
        SELECT * INTO v_block FROM radscheduler.resource_block b WHERE b.site_id = v_block.site_id AND b.block_id = block_id;
    END IF;
    IF v_block.block_id IS NULL THEN
        RAISE EXCEPTION 'block % is not known at any site of this session', block_id USING ERRCODE = 'invalid_parameter_value',
            HINT = 'radscheduler.resource_block lists the blocks.';
    ELSIF from_time >= upper(v_block.during) THEN
        RETURN 0;
    ELSIF from_time > lower(v_block.during) THEN
        UPDATE radscheduler.resource_block b SET during = tstzrange(lower(b.during), from_time) WHERE b.site_id = v_block.site_id AND b.block_id = block_id;
    ELSE
        DELETE FROM radscheduler.resource_block b WHERE b.site_id = v_block.site_id AND b.block_id = block_id;
    END IF;
    PERFORM radscheduler.audit(v_block.site_id, 'resource.unblocked', 'resource_block', block_id, jsonb_build_object('resource_id', v_block.resource_id));
    INSERT INTO radscheduler.event_log (site_id, type, data)
        VALUES (v_block.site_id, 'resource.unblocked', jsonb_build_object('block_id', block_id, 'resource_id', v_block.resource_id,
                'from', greatest(from_time, lower(v_block.during)), 'until', upper(v_block.during)));
    RETURN radscheduler.settle_block(v_block.site_id, ARRAY[v_block.resource_id],
                                     tstzrange(greatest(from_time, lower(v_block.during)), upper(v_block.during)), NULL);
END
$$;

COMMENT ON FUNCTION radscheduler.unblock_resource(bigint, timestamptz) IS
    'Lifts a block, whole or from an instant on (what lies before stays blocked); conflicts that it made resolve at once. Returns how many appointments lie in the time that is free again.';

CREATE OR REPLACE FUNCTION radscheduler.recheck_conflicts(from_time timestamptz DEFAULT pg_catalog.now(), until_time timestamptz DEFAULT NULL,
        OUT checked integer, OUT opened integer, OUT resolved integer) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
DECLARE
    c_chunk CONSTANT integer := 200;
    v_site  integer := radscheduler.current_site();
    v_until timestamptz := coalesce(until_time, from_time + interval '90 days');
    v_ids   bigint[];
    v_some  bigint[];
    v_moved bigint[];
    v_open  bigint[];
BEGIN
    IF from_time IS NULL OR NOT isfinite(from_time) OR NOT isfinite(v_until) OR v_until <= from_time THEN
        RAISE EXCEPTION 'conflicts are checked anew from one time until a later one'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'SELECT * FROM radscheduler.recheck_conflicts(now(), now() + interval ''30 days'');';
    END IF;
    -- Everything in the window is looked at, so this waits for those who write and lets nobody begin until it is done; it holds no other lock while it waits.
    -- EXCLUSIVE: who has locked a row is about to write it.
    LOCK TABLE radscheduler.appointment IN EXCLUSIVE MODE;
    v_ids := ARRAY(SELECT a.appointment_id FROM radscheduler.appointment a
                   WHERE a.site_id = v_site AND a.starts_at < v_until AND a.starts_at > from_time - interval '2 days' AND a.ends_at > from_time
                     AND radscheduler.takes_time(a.status, a.holds_time) ORDER BY a.appointment_id);
    v_open := ARRAY(SELECT c.conflict_id FROM radscheduler.conflict c WHERE c.site_id = v_site AND c.state <> 'resolved' ORDER BY c.conflict_id);
    FOR k IN 0 .. (cardinality(v_ids) - 1) / c_chunk LOOP
        v_some := v_ids[k * c_chunk + 1 : (k + 1) * c_chunk];
        v_moved := v_moved || radscheduler.occupy(v_site, v_some, v_some);
    END LOOP;
    FOR k IN 0 .. (cardinality(v_ids) - 1) / c_chunk LOOP
        v_moved := v_moved || radscheduler.doubtful(v_site, v_ids[k * c_chunk + 1 : (k + 1) * c_chunk]);
    END LOOP;
    v_moved := ARRAY(SELECT DISTINCT m FROM unnest(v_moved) m ORDER BY m);
    FOR k IN 0 .. (cardinality(v_moved) - 1) / c_chunk LOOP
        v_some := v_moved[k * c_chunk + 1 : (k + 1) * c_chunk];
        PERFORM radscheduler.settle(v_site, '{}', v_some, NULL);
    END LOOP;
    checked := cardinality(v_ids);
    SELECT count(*) FILTER (WHERE b.id IS NULL), count(*) FILTER (WHERE a.id IS NULL) INTO opened, resolved
        FROM unnest(v_open) b(id)
        FULL JOIN (SELECT c.conflict_id FROM radscheduler.conflict c WHERE c.site_id = v_site AND c.state <> 'resolved') a(id) ON a.id = b.id;
    PERFORM radscheduler.audit(v_site, 'conflict.rechecked', 'site', v_site,
        jsonb_build_object('from', from_time, 'until', v_until, 'checked', checked, 'opened', opened, 'resolved', resolved));
END
$$;

COMMENT ON FUNCTION radscheduler.recheck_conflicts(timestamptz, timestamptz) IS
    'Brings the lanes, conflicts and reviews of the session''s site into line for appointments between two times (from now on, for 90 days, when not given): after opening hours, blocks, resources (capacity, buffers, modalities, location) or rule_setting were changed by hand or by configuration_import(). Returns how many appointments were checked and how many conflicts opened and resolved. Writers of appointments wait until it has committed.';

CREATE OR REPLACE FUNCTION radscheduler.find_patient(p_site integer, p_identifiers jsonb, p_facility text, OUT best jsonb, OUT patient_id bigint, OUT is_complete boolean) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_item      jsonb;
    v_type      text;
    v_authority text;
    v_rank      integer;
    v_best      integer;
    v_id        bigint;
    v_is_exact  boolean;
    v_any       bigint;
BEGIN
    is_complete := true;
    FOR n IN 0 .. coalesce(jsonb_array_length(p_identifiers), 0) - 1 LOOP
        v_item := p_identifiers -> n;
        v_type := coalesce(v_item ->> 'type', 'MR');
        v_authority := coalesce(v_item ->> 'authority', p_facility);
        SELECT p.patient_id, p.authority = v_authority INTO v_id, v_is_exact FROM radscheduler.patient_identifier p
            WHERE p.site_id = p_site AND p.value = v_item ->> 'value' AND p.type = v_type AND (p.authority IN (v_authority, '') OR NOT v_item ? 'authority')
            ORDER BY p.authority = v_authority DESC, p.patient_id LIMIT 1;
        is_complete := is_complete AND v_is_exact IS TRUE;
        v_any := coalesce(v_any, v_id);
        v_rank := CASE WHEN v_type = 'MR' AND v_authority = p_facility THEN 0 WHEN v_type = 'MR' THEN 1 WHEN v_type IN ('PI', 'PT') THEN 2
                       WHEN v_type IN ('SS', 'NI', 'MC') THEN 4 ELSE 3 END;
        IF v_best IS NULL OR v_rank < v_best THEN
            v_best := v_rank;
            best := v_item;
            find_patient.patient_id := v_id;
        END IF;
    END LOOP;
    find_patient.patient_id := coalesce(find_patient.patient_id, v_any);
END
$$;

COMMENT ON FUNCTION radscheduler.find_patient(integer, jsonb, text) IS
    'For identifiers of siu_parse shape: the one to show (type MR of the facility, then MR, then PI or PT, then the first, social security and national numbers last), the patient known by it or else by any of them, and whether all are on record. An identifier without authority, here or there, matches any.';

CREATE OR REPLACE FUNCTION radscheduler.resolve_patients(p_items radscheduler.ingest_item[], OUT ordinal integer, OUT patient_id bigint, OUT warnings jsonb, OUT event text) RETURNS SETOF record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_item    radscheduler.ingest_item;
    v_sent    jsonb;
    v_found   record;
    v_old     radscheduler.patient;
    v_row     radscheduler.patient;
    v_inserts radscheduler.patient[];
    v_updates radscheduler.patient[];
    v_ids     bigint[] := '{}';
    v_values  text[] := '{}';
    v_mine    text[];
    v_later   radscheduler.ingest_item[] := '{}';
    v_identifier jsonb;
    v_name    radscheduler.patient_identifier;
    v_names   radscheduler.patient_identifier[];
BEGIN
    FOREACH v_item IN ARRAY p_items LOOP
        v_sent := v_item.reading -> 'patient';
        CONTINUE WHEN v_sent #> '{identifiers,0}' IS NULL;
        SELECT v_item.best, v_item.patient_id, v_item.is_complete INTO v_found;
        IF v_found.best IS NULL THEN
            v_found := radscheduler.find_patient(v_item.site_id, v_sent -> 'identifiers', v_item.context ->> 'facility');
        END IF;
        IF cardinality(p_items) > 1 THEN
            v_mine := ARRAY(SELECT v_item.site_id || '/' || (x ->> 'value') FROM jsonb_array_elements(v_sent -> 'identifiers') x);
            IF v_found.patient_id = ANY (v_ids) OR v_found.patient_id IS NULL AND v_values && v_mine THEN
                v_item.best := NULL;
                v_later := v_later || v_item; -- an earlier message of these tells of the same person
                CONTINUE;
            END IF;
        END IF;
        v_old := NULL;
        IF v_found.patient_id IS NULL THEN
            v_row := NULL;
            v_row.site_id := v_item.site_id;
            v_row.patient_id := nextval('radscheduler.patient_patient_id_seq');
            v_row.display_name := coalesce(v_sent ->> 'display_if_new', '');
            v_row.is_deceased := false;
            v_row.created_at := now();
            v_values := v_values || v_mine;
        ELSE
            SELECT * INTO v_old FROM radscheduler.patient p WHERE p.site_id = v_item.site_id AND p.patient_id = v_found.patient_id;
            v_row := v_old;
        END IF;
        event := NULL;
        IF v_old.message_time > v_item.at IS NOT TRUE THEN
            IF v_row.mrn = v_found.best ->> 'value' IS NOT TRUE AND NOT (v_old.patient_id IS NOT NULL AND radscheduler.is_given_up(v_item.site_id, v_old.patient_id, v_found.best ->> 'value')) THEN
                v_row.mrn := v_found.best ->> 'value';
            END IF;
            v_row.family_name := CASE WHEN v_sent ? 'family' THEN v_sent ->> 'family' ELSE v_row.family_name END;
            v_row.given_name := CASE WHEN v_sent ? 'given' THEN v_sent ->> 'given' ELSE v_row.given_name END;
            v_row.display_name := coalesce(nullif(v_sent ->> 'display', ''), v_row.display_name);
            v_row.birth_date := CASE WHEN v_sent ? 'birth_date' THEN (v_sent ->> 'birth_date')::date ELSE v_row.birth_date END;
            v_row.sex := CASE WHEN v_sent ? 'sex' THEN v_sent ->> 'sex' ELSE v_row.sex END;
            IF v_sent ?| '{middle,suffix,deceased}' THEN
                v_row.middle_name := CASE WHEN v_sent ? 'middle' THEN v_sent ->> 'middle' ELSE v_row.middle_name END;
                v_row.suffix := CASE WHEN v_sent ? 'suffix' THEN v_sent ->> 'suffix' ELSE v_row.suffix END;
                v_row.is_deceased := coalesce((v_sent ->> 'deceased')::boolean, v_row.is_deceased);
            END IF;
            IF v_sent ? 'phones' AND (v_row.phone_as_sent IS DISTINCT FROM v_sent #>> '{phones,0,value}' OR v_row.phone IS NULL) THEN
                v_row.phone_as_sent := v_sent #>> '{phones,0,value}';
                v_row.phone := radscheduler.e164(v_row.phone_as_sent, v_item.context ->> 'region');
            END IF;
            IF v_row IS DISTINCT FROM v_old THEN
                v_row.updated_at := now();
                event := CASE WHEN v_found.patient_id IS NULL THEN 'patient.created' ELSE 'patient.updated' END;
            END IF;
            v_row.message_time := v_item.at;
            IF v_found.patient_id IS NULL THEN
                v_inserts := v_inserts || v_row;
            ELSIF v_row IS DISTINCT FROM v_old THEN
                v_updates := v_updates || v_row;
            END IF;
        END IF;
        IF NOT v_found.is_complete THEN
            FOR n IN 0 .. jsonb_array_length(v_sent -> 'identifiers') - 1 LOOP
                v_identifier := v_sent -> 'identifiers' -> n;
                v_name.site_id := v_item.site_id;
                v_name.authority := coalesce(v_identifier ->> 'authority', v_item.context ->> 'facility');
                v_name.type := coalesce(v_identifier ->> 'type', 'MR');
                v_name.value := v_identifier ->> 'value';
                v_name.patient_id := v_row.patient_id;
                v_names := v_names || v_name;
            END LOOP;
            event := coalesce(event, 'patient.updated');
        END IF;
        v_ids := v_ids || v_row.patient_id;
        ordinal := v_item.ordinal;
        patient_id := v_row.patient_id;
        warnings := CASE WHEN v_row.phone IS NULL AND v_sent #>> '{phones,0,value}' IS NOT NULL THEN jsonb_build_array(radscheduler.warning('PHONE_UNUSABLE', 'PID-13')) ELSE '[]' END;
        RETURN NEXT;
    END LOOP;

    IF v_inserts IS NOT NULL THEN
        INSERT INTO radscheduler.patient SELECT * FROM unnest(v_inserts);
    END IF;
    IF v_updates IS NOT NULL THEN
        UPDATE radscheduler.patient p SET mrn = n.mrn, family_name = n.family_name, given_name = n.given_name, middle_name = n.middle_name, suffix = n.suffix,
               display_name = n.display_name, birth_date = n.birth_date, sex = n.sex, phone = n.phone, phone_as_sent = n.phone_as_sent, is_deceased = n.is_deceased,
               message_time = n.message_time, updated_at = n.updated_at
            FROM unnest(v_updates) n
            WHERE p.site_id = n.site_id AND p.patient_id = n.patient_id AND p.site_id = (p_items[1]).site_id AND p.patient_id = ANY (v_ids);
    END IF;
    IF v_names IS NOT NULL THEN
        INSERT INTO radscheduler.patient_identifier SELECT * FROM unnest(v_names) ON CONFLICT DO NOTHING;
    END IF;
    IF v_later <> '{}' THEN
        RETURN QUERY SELECT * FROM radscheduler.resolve_patients(v_later);
    END IF;
END
$$;

COMMENT ON FUNCTION radscheduler.resolve_patients(radscheduler.ingest_item[]) IS
    'The patients of messages of one site, found by any identifier or created; fields that were sent overwrite unless a newer message told them, an HL7 null clears. Rows carry the ordinal of their item, and the event that the caller has to tell (patient.created, patient.updated, or NULL); a message without identifier gives none. Call it under lock_keys(patient_lock_names(…)).';

CREATE OR REPLACE FUNCTION radscheduler.resolve_patient(p_site integer, p_patient jsonb, p_facility text, p_region text, p_at timestamptz DEFAULT pg_catalog.now(),
                                             OUT patient_id bigint, OUT warnings jsonb) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_item  radscheduler.ingest_item;
    v_event text;
BEGIN
    v_item.ordinal := 1;
    v_item.site_id := p_site;
    v_item.at := p_at;
    v_item.reading := jsonb_build_object('patient', p_patient);
    v_item.context := jsonb_build_object('facility', p_facility, 'region', p_region);
    SELECT r.patient_id, r.warnings, r.event INTO resolve_patient.patient_id, resolve_patient.warnings, v_event FROM radscheduler.resolve_patients(ARRAY[v_item]) r;
    warnings := coalesce(warnings, '[]');
    IF v_event IS NOT NULL THEN
        PERFORM radscheduler.audit(p_site, v_event, 'patient', patient_id, '{}');
    END IF;
END
$$;

COMMENT ON FUNCTION radscheduler.resolve_patient(integer, jsonb, text, text, timestamptz) IS
    'resolve_patients() of one patient in siu_parse shape, told in the audit log: assigning authority and phone region to assume, time of the message. NULL when no identifier was sent.';

CREATE OR REPLACE FUNCTION radscheduler.resource_name_of(p_item jsonb, OUT kind radscheduler.resource_kind, OUT code text, OUT name text, OUT role text) RETURNS record
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_words text := upper(concat_ws(' ', p_item ->> 'type_code', p_item ->> 'type_text'));
BEGIN
    kind := CASE WHEN p_item ->> 'segment' = 'AIP' THEN 'staff'
                 WHEN p_item ->> 'segment' = 'AIL' THEN 'room'
                 WHEN v_words ~ '(^|\W)(ROOM|LOCATION)(\W|$)' THEN 'room'
                 WHEN v_words ~ '(^|\W)(D|DOCTOR|PHYSICIAN|PROVIDER|SURGEON|RADIOLOGIST|TECHNOLOGIST|TECH|SONOGRAPHER|NURSE|STAFF|PERSON|PERSONNEL)(\W|$)' THEN 'staff'
                 WHEN v_words = '' AND upper(concat_ws(' ', p_item ->> 'code', p_item ->> 'name')) ~ '(^|[^A-Z])ROOM([^A-Z]|$)' THEN 'room'
                 ELSE 'equipment' END;
    code := coalesce(nullif(p_item ->> 'code', '') || CASE WHEN kind = 'staff' THEN coalesce('^' || nullif(p_item ->> 'authority', ''), '') ELSE '' END,
                     CASE WHEN p_item ->> 'family' IS NOT NULL THEN upper(concat_ws(' ', p_item ->> 'role', p_item ->> 'family', p_item ->> 'given')) END,
                     nullif(p_item ->> 'name', ''));
    name := coalesce(nullif(p_item ->> 'name', ''), nullif(concat_ws(' ', p_item ->> 'given', p_item ->> 'family'), ''), p_item ->> 'code');
    role := upper(coalesce(p_item ->> 'role', p_item ->> 'type_code'));
END
$$;

COMMENT ON FUNCTION radscheduler.resource_name_of(jsonb) IS
    'What one resource of a reading is called: its kind by segment and type words, a room in AIG without type by its name, its code (the id sent, for staff with the authority after a caret; for staff without id role, family and given name), a name and a role. Never the role alone: every message would then want the same person.';

CREATE OR REPLACE FUNCTION radscheduler.is_referrer(p_role text) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN coalesce(p_role ~ '^(REF|RP|REFERRING|ORDERING|REQUESTING|PCP)', false);
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.fits_kind(kind radscheduler.resource_kind, said radscheduler.resource_kind, segment text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN kind = said OR segment = 'AIG' OR segment = 'AIL' AND kind <> 'staff';

COMMENT ON FUNCTION radscheduler.fits_kind(radscheduler.resource_kind, radscheduler.resource_kind, text) IS
    'Whether a resource of this kind can be meant where a segment says another: senders put rooms and people into AIG and scanners into AIL, and the table of resources knows better.';

CREATE OR REPLACE FUNCTION radscheduler.resource_by_other_name(p_site integer, p_item jsonb, p_kind radscheduler.resource_kind) RETURNS bigint
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF NOT p_item ?| '{also,authority}' THEN
        RETURN NULL;
    END IF;
    RETURN (SELECT a.resource_id
        FROM (SELECT upper(o.value), o.place FROM jsonb_array_elements_text(p_item -> 'also') WITH ORDINALITY o(value, place)
              UNION ALL SELECT upper(p_item ->> 'code'), 0 WHERE p_item ? 'authority') n(name, place)
        JOIN radscheduler.resource_alias a ON a.site_id = p_site AND a.alias = n.name AND radscheduler.fits_kind(a.kind, p_kind, p_item ->> 'segment')
        JOIN radscheduler.resource r ON r.site_id = p_site AND r.resource_id = a.resource_id
             AND (n.place > 0 OR strpos(r.code, '^') = 0) -- the number of another authority is another person
        ORDER BY n.place, a.kind = p_kind DESC, a.kind LIMIT 1);
END
$$;

COMMENT ON FUNCTION radscheduler.resource_by_other_name(integer, jsonb, radscheduler.resource_kind) IS
    'The resource of a reading''s item that is not known by its code: staff by the number alone where nobody has it from another authority, else by the other names sent (also). NULL when none is known.';

CREATE OR REPLACE FUNCTION radscheduler.find_resources(p_site integer, p_resources jsonb, OUT resource_ids bigint[], OUT missing boolean) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_item jsonb;
    v_name record;
    v_id   bigint;
BEGIN
    missing := false;
    FOR n IN 0 .. coalesce(jsonb_array_length(p_resources), 0) - 1 LOOP
        v_item := p_resources -> n;
        v_name := radscheduler.resource_name_of(v_item);
        v_id := NULL;
        IF v_name.code IS NOT NULL AND NOT radscheduler.is_referrer(v_name.role) THEN
            SELECT a.resource_id INTO v_id FROM radscheduler.resource_alias a
                WHERE a.site_id = p_site AND a.alias = upper(v_name.code) AND radscheduler.fits_kind(a.kind, v_name.kind, v_item ->> 'segment')
                ORDER BY a.kind = v_name.kind DESC, a.kind LIMIT 1;
            IF v_id IS NULL THEN
                v_id := radscheduler.resource_by_other_name(p_site, v_item, v_name.kind);
            END IF;
            missing := missing OR v_id IS NULL;
        END IF;
        resource_ids := resource_ids || v_id;
    END LOOP;
END
$$;

COMMENT ON FUNCTION radscheduler.find_resources(integer, jsonb) IS
    'For the resources of a reading: one id for each, NULL for one that is not known or not booked, and whether one is unknown. resource_ids is NULL when there are none.';

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
                          AND radscheduler.fits_kind(a.kind, n.kind, e.item ->> 'segment'))
          AND radscheduler.resource_by_other_name(p_item.site_id, e.item, n.kind) IS NULL
        ORDER BY n.kind, upper(n.code)
    LOOP
        INSERT INTO radscheduler.resource (site_id, code, name, kind, role, modality, is_registered)
            VALUES (p_item.site_id, v_row.code, v_row.name, v_row.kind, CASE WHEN v_row.kind = 'staff' THEN v_row.role END,
                    CASE WHEN v_row.kind = 'equipment' THEN coalesce(radscheduler.modality_guess(p_item.site_id, ARRAY[v_row.code], ARRAY[v_row.name]),
                                                                     radscheduler.modality_of(p_item.site_id, p_item.reading, NULL)) END, false)
            RETURNING resource.resource_id INTO v_id;
        INSERT INTO radscheduler.resource_alias (site_id, kind, alias, resource_id) VALUES (p_item.site_id, v_row.kind, upper(v_row.code), v_id);
        INSERT INTO radscheduler.resource_alias (site_id, kind, alias, resource_id)
            SELECT p_item.site_id, v_row.kind, n.alias, v_id FROM upper(split_part(v_row.code, '^', 1)) n(alias) WHERE v_row.kind = 'staff' AND n.alias <> '' ON CONFLICT DO NOTHING;
        PERFORM radscheduler.audit(p_item.site_id, 'resource.created', 'resource', v_id, '{}');
        v_warnings := v_warnings || radscheduler.warning('RESOURCE_UNKNOWN', v_row.path);
    END LOOP;
    RETURN v_warnings;
END
$$;

COMMENT ON FUNCTION radscheduler.record_resources(radscheduler.ingest_item) IS
    'Records the resources of a message that are not known, with capacity 1, no buffers and is_registered = false (a scanner with the modality its name tells, else its exam''s), so that a booking is never lost for a missing row; returns a warning for each.';

CREATE OR REPLACE FUNCTION radscheduler.resolve_resources(p_item radscheduler.ingest_item, OUT resource_ids bigint[], OUT warnings jsonb) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_found record;
BEGIN
    v_found := radscheduler.find_resources(p_item.site_id, p_item.reading -> 'resources');
    warnings := '[]';
    IF v_found.missing THEN
        warnings := radscheduler.record_resources(p_item);
        v_found := radscheduler.find_resources(p_item.site_id, p_item.reading -> 'resources');
    END IF;
    resource_ids := v_found.resource_ids;
END
$$;

COMMENT ON FUNCTION radscheduler.resolve_resources(radscheduler.ingest_item) IS
    'The resources of a message: one id per resource of its reading (NULL for one that is not booked, such as a referrer), NULL when it names none. Unknown ones are recorded and told as warnings.';

CREATE OR REPLACE FUNCTION radscheduler.is_before(p_one jsonb, p_other jsonb) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN ((p_one ->> 'at')::timestamptz, coalesce((p_one ->> 'sequence')::bigint, 0)) < ((p_other ->> 'at')::timestamptz, coalesce((p_other ->> 'sequence')::bigint, 0));
END
$$;

COMMENT ON FUNCTION radscheduler.is_before(jsonb, jsonb) IS 'Whether one message''s order key (at, sequence) is older than another''s; NULL when one has none.';

CREATE OR REPLACE FUNCTION radscheduler.is_before_told(p_entry jsonb, p_ending jsonb) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN coalesce(NOT p_ending -> 0 ? 'event' AND radscheduler.is_before(p_entry, p_ending -> 0), false);
END
$$;

COMMENT ON FUNCTION radscheduler.is_before_told(jsonb, jsonb) IS 'Whether a message is older than what an ending begins with: what was told of the open appointment.';

CREATE OR REPLACE FUNCTION radscheduler.said_otherwise(p_ending jsonb, p_item radscheduler.ingest_item, p_differs boolean) RETURNS timestamptz
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT max((e ->> 'at')::timestamptz) FROM jsonb_array_elements(p_ending) e
            WHERE (e ? 'event' OR p_differs) AND NOT radscheduler.is_before(jsonb_build_object('at', p_item.at, 'sequence', p_item.sequence), e));
END
$$;

COMMENT ON FUNCTION radscheduler.said_otherwise(jsonb, radscheduler.ingest_item, boolean) IS
    'Latest MSH-7 of what an ending holds that is older than a message and said otherwise: every closing, and what was told where that differs. NULL when nothing did.';

CREATE OR REPLACE FUNCTION radscheduler.entry_of(p_item radscheduler.ingest_item, p_status radscheduler.appointment_status, p_is_closing boolean) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN jsonb_strip_nulls(jsonb_build_object('at', p_item.at, 'sequence', p_item.sequence, 'status', p_status,
        'reason', coalesce(p_item.reading #>> '{schedule,event_reason,text}', p_item.reading #>> '{schedule,event_reason,code}'),
        'event', CASE WHEN p_is_closing THEN p_item.trigger_event END,
        'is_forced', CASE WHEN p_is_closing AND (p_item.context #>> '{profile,no_show_after_arrival}')::boolean THEN true END));
END
$$;

COMMENT ON FUNCTION radscheduler.entry_of(radscheduler.ingest_item, radscheduler.appointment_status, boolean) IS
    'A message as an entry of appointment.ending: a closing (p_status is what SCH-25 said, if that closes), or what was told of an open appointment.';

CREATE OR REPLACE FUNCTION radscheduler.told_of(p_at timestamptz, p_sequence bigint, p_status radscheduler.appointment_status, p_reason text) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN jsonb_build_array(jsonb_strip_nulls(jsonb_build_object('at', p_at, 'sequence', p_sequence, 'status', p_status, 'reason', p_reason)));
END
$$;

COMMENT ON FUNCTION radscheduler.told_of(timestamptz, bigint, radscheduler.appointment_status, text) IS 'The ending an open appointment begins with when it is closed: what was last told of it.';

CREATE OR REPLACE FUNCTION radscheduler.ending_with(p_ending jsonb, p_entry jsonb) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF p_entry ? 'event' THEN
        RETURN CASE WHEN p_ending @> jsonb_build_array(p_entry) THEN p_ending ELSE coalesce(p_ending, '[]') || p_entry END;
    END IF;
    RETURN (SELECT CASE WHEN count(*) > 0 THEN jsonb_build_array(p_entry) || jsonb_agg(e ORDER BY n) END
            FROM jsonb_array_elements(p_ending) WITH ORDINALITY x(e, n) WHERE e ? 'event' AND radscheduler.is_before(p_entry, e));
END
$$;

COMMENT ON FUNCTION radscheduler.ending_with(jsonb, jsonb) IS
    'An ending once one more message is known: a closing is added; what is told of the open appointment replaces what was told before and drops the closings that were older. NULL when no closing is left.';

CREATE OR REPLACE FUNCTION radscheduler.ended(p_ending jsonb, OUT status radscheduler.appointment_status, OUT at timestamptz, OUT reason text) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_entry  jsonb;
    v_closed radscheduler.appointment_status;
BEGIN
    FOR v_entry IN SELECT e FROM jsonb_array_elements(p_ending) WITH ORDINALITY x(e, n)
                   ORDER BY e ? 'event', (e ->> 'at')::timestamptz, coalesce((e ->> 'sequence')::bigint, 0), n
    LOOP
        IF NOT v_entry ? 'event' THEN
            status := v_entry ->> 'status';
            reason := v_entry ->> 'reason';
            CONTINUE;
        END IF;
        v_closed := CASE WHEN v_entry ->> 'event' = 'S17' THEN 'DELETED'
                         ELSE coalesce((v_entry ->> 'status')::radscheduler.appointment_status,
                                       (SELECT r.default_status FROM radscheduler.event_rule r WHERE r.trigger_event = v_entry ->> 'event' AND r.state = 'unknown')) END;
        IF (CASE WHEN radscheduler.is_closed(status) THEN
                     EXISTS (SELECT FROM radscheduler.event_rule r WHERE r.trigger_event = v_entry ->> 'event' AND r.state = ended.status::text AND r.action = 'close')
                 ELSE NOT coalesce(v_closed = 'NO_SHOW' AND status IN ('ARRIVED', 'IN_PROGRESS') AND NOT v_entry ? 'is_forced', false) END) THEN
            status := v_closed;
            at := (v_entry ->> 'at')::timestamptz;
            reason := coalesce(v_entry ->> 'reason', reason);
        END IF;
    END LOOP;
END
$$;

COMMENT ON FUNCTION radscheduler.ended(jsonb, OUT radscheduler.appointment_status, OUT timestamptz, OUT text) IS
    'What an ending comes to: the status, since when, and why. The first closing counts, except that a deletion may follow a cancellation or no-show, and that a no-show after arrival needs the profile''s leave.';

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

CREATE OR REPLACE FUNCTION radscheduler.part_status(p_item jsonb) RETURNS radscheduler.appointment_status
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_status radscheduler.appointment_status := radscheduler.status_of(jsonb_build_array(p_item -> 'status'));
BEGIN
    RETURN CASE WHEN v_status IN ('CANCELLED', 'DISCONTINUED', 'NO_SHOW', 'DELETED') THEN v_status END;
END
$$;

COMMENT ON FUNCTION radscheduler.part_status(jsonb) IS 'The status that takes one exam or resource of a reading out of its appointment (AIS-10, AIG-14, AIL-12, AIP-12); NULL for any other.';

CREATE OR REPLACE FUNCTION radscheduler.write_parts(p_items radscheduler.ingest_item[]) RETURNS void
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

CREATE OR REPLACE FUNCTION radscheduler.live_services(p_services jsonb) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF p_services @> '[{"is_out": true}]' THEN
        RETURN coalesce((SELECT jsonb_agg(s.item ORDER BY s.place) FROM jsonb_array_elements(p_services) WITH ORDINALITY s(item, place) WHERE NOT s.item ? 'is_out'), p_services);
    END IF;
    RETURN p_services;
END
$$;

COMMENT ON FUNCTION radscheduler.live_services(jsonb) IS
    'The services of a reading that still take place. Where each is taken out they are all: a cancellation that says Cancelled in every AIS-10 still tells what exam it was.';

CREATE OR REPLACE FUNCTION radscheduler.duration_of(p_site integer, p_reading jsonb, p_modality text) RETURNS integer
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT coalesce(
        (SELECT CASE WHEN count(p.code) > 0 THEN sum(coalesce(p.minutes, m.default_minutes, 30))::integer END
            FROM jsonb_array_elements(radscheduler.live_services(p_reading -> 'services')) s CROSS JOIN LATERAL radscheduler.procedure_of(p_site, s ->> 'code', s ->> 'alt_code') p
            LEFT JOIN radscheduler.modality m ON m.site_id = p_site AND m.code = coalesce(p.modality, radscheduler.modality_guess(p_site, ARRAY[s ->> 'code'], ARRAY[s ->> 'text']), p_modality)),
        (SELECT m.default_minutes::integer FROM radscheduler.modality m WHERE m.site_id = p_site AND m.code = p_modality),
        30));
END
$$;

COMMENT ON FUNCTION radscheduler.duration_of(integer, jsonb, text) IS 'Minutes of an appointment whose message gives none: the sum of its exams (for one that is not in the table those of the modality its code or text tells), its modality''s when none is, else 30.';

CREATE OR REPLACE FUNCTION radscheduler.resource_modality(p_site integer, p_resources bigint[], p_registered boolean) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT r.modality FROM unnest(p_resources) WITH ORDINALITY u(id, place)
        JOIN radscheduler.resource r ON r.site_id = p_site AND r.resource_id = u.id
        WHERE r.modality IS NOT NULL AND r.is_registered = p_registered ORDER BY r.kind = 'equipment' DESC, place LIMIT 1);
END
$$;

COMMENT ON FUNCTION radscheduler.resource_modality(integer, bigint[], boolean) IS
    'Modality of the first scanner, else room, of these that has one: of those somebody has registered, or of those a message has recorded, whose modality is a guess.';

CREATE OR REPLACE FUNCTION radscheduler.modality_of(p_site integer, p_reading jsonb, p_resources bigint[]) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_services jsonb := radscheduler.live_services(p_reading -> 'services');
BEGIN
    RETURN (SELECT coalesce(
        CASE WHEN p_reading #>> '{header,message_code}' = 'JSON' THEN radscheduler.modality_code(p_site, p_reading #>> '{schedule,modality}') END,
        (SELECT p.modality FROM jsonb_array_elements(v_services) WITH ORDINALITY s(item, place)
            CROSS JOIN LATERAL radscheduler.procedure_of(p_site, item ->> 'code', item ->> 'alt_code') p WHERE p.code IS NOT NULL ORDER BY place LIMIT 1),
        CASE WHEN v_services = '[]' THEN (SELECT p.modality FROM radscheduler.procedure_of(p_site, p_reading #>> '{schedule,reason,code}', NULL) p) END,
        radscheduler.resource_modality(p_site, p_resources, true),
        radscheduler.modality_code(p_site, p_reading #>> '{schedule,modality}'),
        -- A type of scanner, pool or appointment that is a modality and nothing else; a word within a text may be anything ("new pt").
        (SELECT a.code FROM jsonb_array_elements_text(p_reading #> '{schedule,modality_words}') WITH ORDINALITY w(word, place)
            JOIN radscheduler.modality_alias a ON a.site_id = p_site AND a.alias = replace(upper(word), '-', '') AND a.code <> 'OT' ORDER BY place LIMIT 1),
        radscheduler.modality_guess(p_site,
            ARRAY(SELECT item ->> 'code' FROM jsonb_array_elements(v_services) item),
            ARRAY(SELECT concat_ws(' ', item ->> 'text', item ->> 'alt_text') FROM jsonb_array_elements(v_services) item)),
        radscheduler.resource_modality(p_site, p_resources, false),
        radscheduler.modality_guess(p_site, '{}', ARRAY(SELECT jsonb_array_elements_text(p_reading #> '{schedule,modality_words}'))
            || concat_ws(' ', p_reading #>> '{schedule,reason,code}', p_reading #>> '{schedule,reason,text}'))));
END
$$;

COMMENT ON FUNCTION radscheduler.modality_of(integer, jsonb, bigint[]) IS
    'DICOM modality of a reading: the API''s own word; the procedure table; registered resources; a field for it (profile key modality_source, OBR-24, IPC-5); AIG-4, AIG-5, RGS-3, SCH-8, SCH-5 where one is a modality by itself; the letters that start the study code, words of the study; resources that a message recorded; words of those fields and of SCH-7. NULL when nothing tells.';

CREATE OR REPLACE FUNCTION radscheduler.schedule_span(p_schedule jsonb, zone text, OUT starts_at timestamptz, OUT ends_at timestamptz, OUT doubt text) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_minutes interval := make_interval(mins => nullif(greatest((p_schedule ->> 'duration_minutes')::integer, 0), 0));
    v_second  timestamptz;
BEGIN
    starts_at := radscheduler.to_instant(p_schedule ->> 'starts_at', zone);
    doubt := radscheduler.clock_doubt(p_schedule ->> 'starts_at', zone);
    IF p_schedule ? 'end_sent' THEN
        ends_at := radscheduler.to_instant(p_schedule ->> 'ends_at', zone);
        IF doubt = 'TIME_AMBIGUOUS' AND ends_at - starts_at <> v_minutes THEN
            -- The end tells which of the two is meant.
            v_second := timezone(zone, (p_schedule ->> 'starts_at')::timestamp);
            IF ends_at - v_second = v_minutes THEN
                starts_at := v_second;
                doubt := NULL;
            END IF;
        END IF;
        IF doubt = 'TIME_IN_DST_GAP' OR ends_at <= starts_at THEN
            ends_at := starts_at + v_minutes;
        END IF;
    ELSE
        ends_at := starts_at + v_minutes;
    END IF;
END
$$;

COMMENT ON FUNCTION radscheduler.schedule_span(jsonb, text) IS
    'Start and end of a reading''s schedule as instants: a duration is absolute minutes, across a change of clocks too; an end that was sent is its own wall-clock time, and tells which of two equal starts is meant. doubt is what clock_doubt() says of the start. ends_at is NULL when neither was sent.';

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
    IF p_item.resource_ids IS NULL AND radscheduler.part_mode(p_item) <> 'full' THEN
        RETURN false;
    END IF;
    RETURN (WITH sent AS (
            SELECT DISTINCT e.item ->> 'segment' AS segment, p_item.resource_ids[e.place] AS id
            FROM jsonb_array_elements(p_item.reading -> 'resources') WITH ORDINALITY e(item, place))
        SELECT EXISTS (SELECT FROM sent s WHERE s.id IS NOT NULL AND NOT EXISTS (
                           SELECT FROM radscheduler.appointment_resource r
                           WHERE r.site_id = p_site AND r.appointment_id = p_appointment AND r.segment = s.segment AND r.resource_id = s.id AND r.status IS NULL))
            OR EXISTS (SELECT FROM radscheduler.appointment_resource r
                       WHERE r.site_id = p_site AND r.appointment_id = p_appointment AND r.status IS NULL
                         AND (r.segment IN (SELECT s.segment FROM sent s) OR radscheduler.part_mode(p_item) = 'full')
                         AND r.resource_id NOT IN (SELECT s.id FROM sent s WHERE s.id IS NOT NULL)));
END
$$;

COMMENT ON FUNCTION radscheduler.other_resources(integer, bigint, radscheduler.ingest_item) IS
    'Whether a message names other resources than its appointment has, among the types of segment it carries, or all where it shows everything.';

CREATE OR REPLACE FUNCTION radscheduler.heed_late(p_item radscheduler.ingest_item) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_old     radscheduler.appointment;
    v_item    radscheduler.ingest_item := p_item;
    v_sent    record;
    v_differs boolean;
    v_missing boolean;
    v_rows    bigint[];
BEGIN
    SELECT * INTO v_old FROM radscheduler.appointment a WHERE a.site_id = p_item.site_id AND a.appointment_id = p_item.appointment_id FOR UPDATE;
    SELECT * INTO v_sent FROM radscheduler.schedule_span(p_item.reading -> 'schedule', p_item.context ->> 'zone');
    SELECT f.resource_ids, f.missing INTO v_item.resource_ids, v_missing FROM radscheduler.find_resources(p_item.site_id, p_item.reading -> 'resources') f;
    v_differs := p_item.action = 'late_close' OR v_missing
                 OR CASE WHEN length(p_item.reading #>> '{schedule,starts_at}') = 10 THEN v_old.starts_at IS NOT NULL
                         ELSE v_old.starts_at IS NULL AND v_sent.starts_at IS NOT NULL OR v_sent.starts_at <> v_old.starts_at OR v_sent.ends_at <> v_old.ends_at END
                 OR radscheduler.other_resources(v_old.site_id, v_old.appointment_id, v_item);
    IF v_old.booked_at <= p_item.at AND (NOT v_differs OR v_old.moved_at >= p_item.at) THEN
        RETURN;
    END IF;
    UPDATE radscheduler.appointment a
        SET booked_at = least(a.booked_at, p_item.at), moved_at = CASE WHEN v_differs THEN greatest(a.moved_at, p_item.at) ELSE a.moved_at END
        WHERE a.site_id = v_old.site_id AND a.appointment_id = v_old.appointment_id;
    v_rows := radscheduler.overlapping(v_old.site_id, ARRAY[v_old.appointment_id]);
    IF v_rows IS NOT NULL OR v_old.is_pooled THEN
        v_rows := CASE WHEN v_rows IS NOT NULL THEN radscheduler.reseat(v_old.site_id, v_rows) END || v_old.appointment_id
                  || CASE WHEN v_old.is_pooled THEN radscheduler.pool_waiting(v_old.site_id, ARRAY(
                      SELECT o.occupancy_id FROM radscheduler.occupancy o WHERE o.site_id = v_old.site_id AND o.appointment_id = v_old.appointment_id)) END;
        PERFORM radscheduler.settle(v_old.site_id, '{}', v_rows, ARRAY[p_item.message_id]);
    END IF;
END
$$;

COMMENT ON FUNCTION radscheduler.heed_late(radscheduler.ingest_item) IS
    'What a late message still tells: how old the claim to the present time is. It may be older than was known, or younger, because something else was said in between; who then comes first changes places.';

CREATE OR REPLACE FUNCTION radscheduler.apply_items(p_items radscheduler.ingest_item[]) RETURNS radscheduler.ingest_item[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_items     radscheduler.ingest_item[] := radscheduler.match_items(p_items);
    v_item      radscheduler.ingest_item;
    v_olds      radscheduler.appointment[];
    v_old       radscheduler.appointment;
    v_new       radscheduler.appointment;
    v_modality  text;
    v_resources bigint[];
    v_patients  bigint[];
    v_pooled    boolean[];
    v_pools     text[];
    v_row       record;
    v_study     record;
    v_schedule  jsonb;
    v_visit     jsonb;
    v_closes    bigint[] := '{}';
    v_inserts   radscheduler.appointment[] := '{}';
    v_updates   radscheduler.appointment[] := '{}';
    v_known     bigint[] := '{}';
    v_snapshots radscheduler.ingest_item[] := '{}';
    v_cleared   radscheduler.ingest_item[] := '{}';
    v_acting    radscheduler.ingest_item[] := '{}';
    v_late      radscheduler.ingest_item[] := '{}';
    v_live      radscheduler.ingest_item[] := '{}';
    v_placed    bigint[] := '{}';
    v_changed   bigint[] := '{}';
    v_moved     bigint[];
    v_events    text[] := '{}';
    v_messages  bigint[] := '{}';
    v_ordinals  integer[] := '{}';
    v_told      jsonb[];
    v_shift     interval;
    v_claims    boolean;
    v_ending    jsonb;
    c_site      CONSTANT integer := (p_items[1]).site_id;
BEGIN
    FOREACH v_item IN ARRAY v_items LOOP
        v_patients := v_patients || v_item.patient_id;
        IF v_item.best IS NOT NULL THEN
            v_live := v_live || v_item;
        END IF;
        v_resources := v_resources || v_item.resource_ids;
        IF v_item.is_heeded THEN
            v_late := v_late || v_item;
        END IF;
        IF v_item.appointment_id IS NOT NULL AND (v_item.outcome IS NULL OR v_item.outcome = 'stale' OR v_item.entry IS NOT NULL) THEN
            v_known := v_known || v_item.appointment_id;
        END IF;
    END LOOP;
    -- The rows as they are once nobody else is at work on them.
    IF v_known <> '{}' THEN
        v_resources := v_resources || ARRAY(SELECT ar.resource_id FROM radscheduler.appointment_resource ar WHERE ar.site_id = c_site AND ar.appointment_id = ANY (v_known));
        v_patients := v_patients || ARRAY(SELECT a.patient_id FROM radscheduler.appointment a WHERE a.site_id = c_site AND a.appointment_id = ANY (v_known));
    END IF;
    v_pooled := radscheduler.name_no_place(v_items);
    IF true = ANY (v_pooled) OR v_known <> '{}' AND EXISTS (SELECT FROM radscheduler.appointment a WHERE a.site_id = c_site AND a.appointment_id = ANY (v_known) AND a.is_pooled) THEN
        FOR k IN 1 .. cardinality(v_items) LOOP
            v_item := v_items[k];
            -- One that is known and keeps its scanner is in no pool; those that stand in one are found by pool_scanners().
            IF v_pooled[k] AND v_item.outcome IS NULL AND v_item.action <> 'close'
               AND (v_item.appointment_id IS NULL OR v_item.resource_ids IS NOT NULL OR v_item.action = 'renew'
                    OR EXISTS (SELECT FROM radscheduler.appointment a WHERE a.site_id = c_site AND a.appointment_id = v_item.appointment_id AND a.is_pooled)) THEN
                v_pools := v_pools || radscheduler.modality_of(c_site, v_item.reading, v_item.resource_ids);
            END IF;
        END LOOP;
        v_resources := v_resources || radscheduler.pool_scanners(c_site, v_pools, v_known);
    END IF;
    PERFORM radscheduler.lock_subjects(c_site, v_resources, v_patients);
    IF cardinality(v_late) > 0 AND cardinality(v_items) > 1 THEN
        PERFORM radscheduler.lock_settling(c_site, true); -- each late one settles by itself
    END IF;
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
    -- A patient's row only when he is locked: two messages can know him by different identifiers. One who is new here is known to nobody else yet.
    IF v_live <> '{}' THEN
        FOR v_row IN SELECT * FROM radscheduler.resolve_patients(v_live) LOOP
            v_item := v_items[v_row.ordinal];
            v_item.patient_id := v_row.patient_id;
            v_item.patient_event := v_row.event;
            v_item.best := NULL;
            v_item.warnings := v_item.warnings || v_row.warnings;
            v_items[v_row.ordinal] := v_item;
        END LOOP;
    END IF;

    -- The new rows.
    v_known := '{}';
    FOR k IN 1 .. cardinality(v_items) LOOP
        v_item := v_items[k];
        v_old := v_olds[k];
        v_ending := v_old.ending;
        IF v_item.entry IS NOT NULL AND v_old.appointment_id IS NOT NULL THEN
            v_ending := coalesce(v_ending, radscheduler.told_of(coalesce(v_old.message_time, v_old.updated_at), v_old.message_sequence,
                CASE v_old.review_reason WHEN 'CONFLICT' THEN v_old.resume_status ELSE v_old.status END, v_old.event_reason));
            IF v_item.outcome IN ('stale', 'ignored') AND NOT radscheduler.is_before_told(v_item.entry, v_ending) THEN
                -- It closes nothing now, but may when other messages have come.
                UPDATE radscheduler.appointment a SET ending = radscheduler.ending_with(v_ending, v_item.entry)
                    WHERE a.site_id = c_site AND a.appointment_id = v_old.appointment_id;
            END IF;
        END IF;
        CONTINUE WHEN v_item.outcome IS NOT NULL;
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
            v_new.appointment_id := nextval('radscheduler.appointment_appointment_id_seq');
            v_new.sender_id := v_item.sender_id;
            v_new.generation := CASE WHEN v_item.action = 'renew' THEN v_old.generation + 1 ELSE 1 END;
            v_new.source := v_item.context ->> 'source';
            v_new.is_test := (v_item.context ->> 'is_test')::boolean;
            v_new.reschedule_count := 0;
            v_new.version := 1;
            v_new.urgency := 'routine';
            v_new.created_at := now();
            v_new.is_overbook := false;
            v_new.is_pooled := false;
            v_new.moved_at := CASE WHEN v_item.action = 'renew' THEN coalesce(radscheduler.said_otherwise(v_old.ending, v_item, true), v_old.message_time) END;
        END IF;
        v_new.updated_at := now();
        v_new.message_id := v_item.message_id;
        v_new.booked_at := least(v_new.booked_at, v_item.at);
        v_new.holds_time := coalesce((v_item.context #>> '{profile,pending_occupies}')::boolean, false);
        v_new.status := coalesce(v_item.status, v_new.status);
        IF v_item.action NOT IN ('close', 'fill') OR (v_item.at, coalesce(v_item.sequence, 0)) >= (v_old.message_time, coalesce(v_old.message_sequence, 0)) IS NOT FALSE THEN
            v_new.message_time := v_item.at;
            v_new.message_sequence := v_item.sequence;
        END IF;
        IF v_item.action <> 'fill' THEN
            IF v_item.review_reason IS NOT NULL THEN
                v_new.review_reason := v_item.review_reason;
            ELSIF v_old.status = 'PENDING_REVIEW' AND v_old.review_reason = 'ID_REUSED' AND v_item.action <> 'renew' AND v_new.status IN ('SCHEDULED', 'CONFIRMED') THEN
                v_new.status := 'PENDING_REVIEW'; -- a person decides that, not the next message
            END IF;
        END IF;
        IF v_new.status <> 'PENDING_REVIEW' THEN
            v_new.review_reason := NULL;
        END IF;
        IF v_item.entry IS NOT NULL THEN
            v_new.ending := radscheduler.ending_with(v_ending, v_item.entry);
        ELSIF v_new.ending IS NOT NULL AND v_item.action <> 'amend' THEN
            v_new.ending := radscheduler.ending_with(v_ending, radscheduler.entry_of(v_item, v_new.status, false));
        END IF;
        IF v_item.action = 'close' THEN
            v_new.event_reason := (radscheduler.ended(v_new.ending)).reason;
            IF radscheduler.is_closed(v_old.status) THEN
                v_placed := v_placed || v_new.appointment_id;
                v_known := v_known || v_new.appointment_id;
            ELSE
                v_closes := v_closes || v_new.appointment_id;
            END IF;
            v_updates := v_updates || v_new;
            v_changed := v_changed || v_new.appointment_id;
            v_messages := v_messages || v_item.message_id;
            v_events := v_events || radscheduler.event_name(v_old.status, v_new.status, false);
            v_ordinals := v_ordinals || k;
            v_items[k].outcome := 'applied';
            CONTINUE;
        END IF;

        -- Fields: sent overwrites, the HL7 null clears, not sent keeps.
        v_new.filler_id := coalesce(v_item.filler_id, v_new.filler_id);
        v_new.placer_id := coalesce(v_item.placer_id, v_new.placer_id);
        v_new.patient_id := coalesce(v_item.patient_id, v_new.patient_id);
        v_new.is_overbook := coalesce(v_item.is_overbook, v_new.is_overbook);
        v_study := radscheduler.study_of(v_item.reading, v_new.study_code, v_new.study_text);
        v_new.study_code := v_study.code;
        v_new.study_text := v_study.text;
        v_visit := v_item.reading -> 'visit';
        IF v_visit IS NOT NULL THEN
            v_new.referring_physician := CASE WHEN v_visit ? 'referring' THEN v_visit ->> 'referring' ELSE v_new.referring_physician END;
            v_new.patient_class := coalesce(v_visit ->> 'patient_class', v_new.patient_class);
            v_new.visit_number := coalesce(v_visit ->> 'visit_number', v_new.visit_number);
        END IF;
        IF v_schedule ? 'priority' THEN
            v_new.urgency := radscheduler.urgency_of(v_schedule ->> 'priority');
        END IF;
        -- Most messages send none of these.
        IF v_schedule ?| '{notes,reason,event_reason,visit_group,parent_filler_id,parent_placer_id,placer_orders,filler_orders}' THEN
            v_new.notes := CASE WHEN v_schedule ? 'notes' THEN v_schedule ->> 'notes' ELSE v_new.notes END;
            v_new.reason := CASE WHEN v_schedule ? 'reason' THEN coalesce(v_schedule #>> '{reason,text}', v_schedule #>> '{reason,code}') ELSE v_new.reason END;
            v_new.event_reason := CASE WHEN v_schedule ? 'event_reason' THEN coalesce(v_schedule #>> '{event_reason,text}', v_schedule #>> '{event_reason,code}') ELSE v_new.event_reason END;
            v_new.visit_group := CASE WHEN v_schedule ? 'visit_group' THEN v_schedule ->> 'visit_group' ELSE v_new.visit_group END;
            v_new.parent_filler_id := coalesce(v_schedule ->> 'parent_filler_id', v_new.parent_filler_id);
            v_new.parent_placer_id := coalesce(v_schedule ->> 'parent_placer_id', v_new.parent_placer_id);
            IF v_schedule ? 'placer_orders' THEN
                v_new.placer_orders := ARRAY(SELECT jsonb_array_elements_text(v_schedule -> 'placer_orders'));
            END IF;
            IF v_schedule ? 'filler_orders' THEN
                v_new.filler_orders := ARRAY(SELECT jsonb_array_elements_text(v_schedule -> 'filler_orders'));
            END IF;
        END IF;
        IF num_nonnulls(v_new.placer_orders, v_new.filler_orders) > 0 THEN
            SELECT * INTO v_row FROM radscheduler.said_by_orders(c_site, v_new.patient_id, v_new.placer_orders, v_new.filler_orders);
            v_new.accession := coalesce(v_new.accession, v_row.accession);
            v_new.modality := coalesce(nullif(v_new.modality, 'OT'), v_row.modality, v_new.modality);
            IF NOT coalesce(v_item.reading -> 'visit' ? 'referring', false) THEN
                v_new.referring_physician := coalesce(v_new.referring_physician, v_row.ordered_by);
            END IF;
        END IF;
        IF v_new.ending IS NOT NULL AND v_item.entry IS NOT NULL THEN
            v_new.event_reason := (radscheduler.ended(v_new.ending)).reason;
        END IF;
        IF v_item.reading -> 'services' <> '[]' OR v_item.resource_ids IS NOT NULL OR v_new.modality IS NULL THEN
            v_modality := radscheduler.modality_of(c_site, v_item.reading, v_item.resource_ids);
            v_new.modality := coalesce(v_modality, nullif(v_new.modality, 'OT'), 'OT');
            IF v_modality IS NULL AND v_new.modality = 'OT' THEN
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
            v_row := radscheduler.schedule_span(v_schedule, v_item.context ->> 'zone');
            v_new.starts_at := v_row.starts_at;
            v_new.ends_at := coalesce(v_row.ends_at, v_row.starts_at + CASE WHEN v_item.action <> 'renew' THEN v_old.ends_at - v_old.starts_at END);
            v_new.time_fault := CASE WHEN v_row.doubt = 'TIME_IN_DST_GAP' THEN 'gap'
                WHEN v_item.warnings @? '$[*] ? (@.code == "END_NOT_AFTER_START" && (@.path starts with "SCH" || @.path starts with "TQ1"))' THEN 'end'
                WHEN v_item.warnings @? '$[*] ? (@.code == "DURATION_IMPLAUSIBLE" && (@.path starts with "SCH" || @.path starts with "TQ1"))' THEN 'length' END;
            IF v_row.doubt IS NOT NULL THEN
                v_item.warnings := v_item.warnings || radscheduler.warning(v_row.doubt, 'SCH-11.4');
            END IF;
            IF v_new.ends_at IS NULL THEN
                v_new.ends_at := v_new.starts_at + make_interval(mins => radscheduler.duration_of(c_site, v_item.reading, v_new.modality));
                v_item.warnings := v_item.warnings || radscheduler.warning('DURATION_ASSUMED', 'SCH-9');
            END IF;
        ELSIF v_new.starts_at IS NOT NULL AND (v_schedule ->> 'duration_minutes')::integer > 0 THEN
            v_new.ends_at := v_new.starts_at + make_interval(mins => (v_schedule ->> 'duration_minutes')::integer);
        END IF;

        -- Since when it claims this time, and whether it moved.
        IF v_item.appointment_id IS NULL OR v_item.action = 'renew' THEN
            v_item.asks_time := true;
            v_new.is_pooled := v_pooled[k] AND v_new.starts_at IS NOT NULL AND radscheduler.takes_time(v_new.status, v_new.holds_time);
            v_inserts := v_inserts || v_new;
            v_events := v_events || radscheduler.event_name(NULL, v_new.status, false);
        ELSE
            v_claims := v_item.action <> 'amend' AND ((v_new.starts_at, v_new.ends_at) IS DISTINCT FROM (v_old.starts_at, v_old.ends_at)
                                                      OR radscheduler.other_resources(c_site, v_old.appointment_id, v_item));
            v_item.asks_time := v_claims OR radscheduler.is_closed(v_old.status);
            IF v_old.ending IS NOT NULL AND v_item.action <> 'amend' THEN
                v_new.moved_at := greatest(v_old.moved_at, radscheduler.said_otherwise(v_old.ending, v_item, v_claims));
            ELSIF (v_claims OR radscheduler.is_closed(v_old.status)) AND v_item.action NOT IN ('fill', 'amend') THEN
                v_new.moved_at := coalesce(v_old.message_time, v_old.updated_at);
            END IF;
            v_shift := nullif(v_new.starts_at - v_old.starts_at, interval '0');
            IF v_shift IS NOT NULL THEN
                v_new.reschedule_count := v_old.reschedule_count + 1;
                v_new.original_starts_at := coalesce(v_old.original_starts_at, v_old.starts_at);
            END IF;
            v_updates := v_updates || v_new;
            PERFORM radscheduler.shift_rows(c_site, v_new.appointment_id, v_shift, v_old.ends_at, v_new.ends_at);
            v_known := CASE v_item.action WHEN 'amend' THEN v_known ELSE v_known || v_new.appointment_id END;
            v_events := v_events || radscheduler.event_name(v_old.status, v_new.status, v_shift IS NOT NULL);
        END IF;
        v_item.appointment_id := v_new.appointment_id;
        v_item.outcome := 'applied';
        v_items[k] := v_item;
        v_changed := v_changed || v_new.appointment_id;
        v_messages := v_messages || v_item.message_id;
        v_ordinals := v_ordinals || k;
        CONTINUE WHEN v_item.action = 'amend'; -- its time and its parts stay what they are
        v_placed := v_placed || v_new.appointment_id;
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
               patient_class = n.patient_class, is_overbook = n.is_overbook, time_fault = n.time_fault,
               parent_filler_id = n.parent_filler_id, parent_placer_id = n.parent_placer_id, holds_time = n.holds_time,
               placer_orders = n.placer_orders, filler_orders = n.filler_orders, accession = n.accession, reschedule_count = n.reschedule_count,
               original_starts_at = n.original_starts_at, booked_at = n.booked_at, moved_at = n.moved_at, ending = n.ending, version = n.version,
               message_time = n.message_time, message_sequence = n.message_sequence, message_id = n.message_id, updated_at = n.updated_at
            FROM unnest(v_updates) n WHERE a.site_id = c_site AND a.appointment_id = ANY (v_changed) AND a.appointment_id = n.appointment_id;
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
        SELECT v_moved || radscheduler.vacate(c_site, a.appointment_id, CASE WHEN a.status IN ('COMPLETED', 'DISCONTINUED', 'NO_SHOW') THEN (radscheduler.ended(a.ending)).at END) INTO v_moved
            FROM radscheduler.appointment a WHERE a.site_id = c_site AND a.appointment_id = v_closes[k];
    END LOOP;
    IF v_placed <> '{}' THEN
        v_moved := v_moved || radscheduler.occupy(c_site, v_placed, v_known);
    END IF;
    IF v_changed <> '{}' THEN
        v_placed := radscheduler.settle(c_site, v_changed, v_moved, v_messages);
        v_told := radscheduler.write_history(c_site, v_changed, v_events, v_messages);
        FOR k IN 1 .. cardinality(v_changed) LOOP
            v_item := v_items[v_ordinals[k]];
            v_item.event := v_events[k];
            v_item.event_data := v_told[k];
            IF v_item.outcome = 'applied' AND v_item.appointment_id = ANY (v_placed) THEN
                v_item.outcome := 'flagged';
            END IF;
            v_items[v_ordinals[k]] := v_item;
        END LOOP;
    END IF;
    FOREACH v_item IN ARRAY v_late LOOP
        PERFORM radscheduler.heed_late(v_item);
    END LOOP;
    RETURN v_items;
END
$$;

COMMENT ON FUNCTION radscheduler.apply_items(radscheduler.ingest_item[]) IS
    'Applies readings to the schedule of one site, each about an appointment of its own, and returns them with appointment, code, outcome, error and warnings, and with what log_items() tells of appointment and patient. Call it under lock_keys() on the names of appointments and patients.';

CREATE OR REPLACE FUNCTION radscheduler.apply_reading(p_context jsonb, p_reading jsonb, p_message bigint, p_at timestamptz) RETURNS radscheduler.ingest_item
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
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
    RETURN (radscheduler.apply_items(ARRAY[r]))[1];
END
$$;

COMMENT ON FUNCTION radscheduler.apply_reading(jsonb, jsonb, bigint, timestamptz) IS
    'apply_items() of one reading (siu_parse shape) in a context (see message_context()); p_at orders it against other messages of the same appointment.';

CREATE OR REPLACE FUNCTION radscheduler.judge(p_item radscheduler.ingest_item, p_rule radscheduler.event_rule, p_sent radscheduler.appointment_status,
                                   p_old_status radscheduler.appointment_status, p_old_at timestamptz, p_old_sequence bigint,
                                   p_old_has_patient boolean, p_old_has_time boolean, p_ending jsonb DEFAULT NULL) RETURNS radscheduler.ingest_item
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_known    CONSTANT boolean := p_rule.state <> 'unknown';
    c_schedule CONSTANT jsonb := p_item.reading -> 'schedule';
    c_key      CONSTANT text := CASE WHEN p_item.filler_id IS NULL AND p_item.placer_id IS NOT NULL THEN 'SCH-1' ELSE 'SCH-2' END;
    c_mapped   CONSTANT boolean := p_item.trigger_event <> p_item.context #>> '{header,trigger_event}';
    -- An event_map that names the event says what is meant by it.
    c_said     CONSTANT boolean := p_item.context #> ARRAY['profile', 'event_map', p_item.context #>> '{header,trigger_event}'] IS NOT NULL;
    v_newer    boolean := true;
    v_sent     radscheduler.appointment_status := p_sent;
    v_will     radscheduler.appointment_status;
    v_entry    jsonb;
    v_ending   jsonb;
    v_status   radscheduler.appointment_status;
    r          radscheduler.ingest_item := p_item;
BEGIN
    r.code := 'AA';
    r.action := p_rule.action;
    IF v_sent IS NULL AND jsonb_array_length(c_schedule -> 'status') > 0 THEN
        r.warnings := r.warnings || radscheduler.warning('STATUS_UNKNOWN', 'SCH-25');
    END IF;

    IF radscheduler.is_closed(v_sent) THEN
        r.entry := radscheduler.entry_of(p_item, v_sent, true);
    ELSIF p_item.trigger_event IN ('S15', 'S16', 'S17', 'S26') AND NOT (c_mapped AND p_item.trigger_event = 'S15' AND v_sent IS NOT NULL) THEN
        r.entry := radscheduler.entry_of(p_item, NULL, true);
    END IF;

    -- Between messages that closed it: what comes of all of them in the order of MSH-7.
    IF c_known AND p_ending IS NOT NULL THEN
        v_entry := coalesce(r.entry, radscheduler.entry_of(p_item, CASE WHEN length(c_schedule ->> 'starts_at') = 10 THEN 'WAITLISTED' ELSE coalesce(v_sent, 'SCHEDULED') END, false));
        IF NOT radscheduler.is_before_told(v_entry, p_ending)
           AND (r.entry IS NOT NULL OR p_item.trigger_event IN ('S12', 'S13', 'S14', 'S27') AND (c_schedule ->> 'starts_at' IS NOT NULL OR NOT p_old_has_patient AND p_item.reading ? 'patient')) THEN
            v_ending := radscheduler.ending_with(p_ending, v_entry);
            v_status := (radscheduler.ended(v_ending)).status;
            IF r.entry IS NULL AND v_ending IS NOT NULL
               OR radscheduler.ended(v_ending) IS DISTINCT FROM radscheduler.ended(p_ending) AND r.entry IS NOT NULL THEN
                r.action := CASE WHEN NOT radscheduler.is_closed(v_status) THEN 'revive'
                                 WHEN r.entry IS NULL OR NOT p_old_has_patient AND p_item.reading ? 'patient' THEN 'fill' ELSE 'close' END;
                r.status := v_status;
                r.entry := v_entry;
                RETURN r;
            END IF;
        END IF;
    END IF;

    -- Late, or saying nothing.
    IF c_known THEN
        IF (p_item.at, coalesce(p_item.sequence, 0)) < (p_old_at, coalesce(p_old_sequence, 0)) OR radscheduler.is_before_told(v_entry, p_ending) THEN
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
        IF p_item.trigger_event = 'S14' AND NOT c_said AND v_sent IS NULL AND p_item.reading -> 'services' = '[]' AND p_item.reading -> 'resources' = '[]'
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
            r.warnings := r.warnings || radscheduler.warning('REVIVED', 'SCH-25');
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

    IF r.action = 'keep' THEN
        r.outcome := 'ignored';
    ELSIF r.action = 'refuse' THEN
        IF p_item.context #>> '{profile,unknown_resource_change}' = 'ignore' THEN
            r.outcome := 'ignored';
            r.warnings := r.warnings || radscheduler.warning('UNKNOWN_APPOINTMENT', 'SCH-2');
        ELSE
            r.error := jsonb_build_object('code', '204', 'path', c_key, 'text', 'This change of resources is about an appointment that is not known here. Send the booking (S12) first.');
        END IF;
    ELSIF r.action = 'amend' THEN
        -- What is over is over: notes, people and orders may be mended, time and exams may not.
        r.reading := r.reading || jsonb_build_object('schedule', c_schedule - '{starts_at,ends_at,duration_minutes}'::text[], 'services', '[]'::jsonb, 'resources', '[]'::jsonb);
    ELSIF r.action IN ('create', 'update', 'revive', 'renew') THEN
        v_will := coalesce(r.status, p_old_status);
        IF NOT (coalesce(p_item.reading #> '{patient,identifiers,0}', 'null') <> 'null' OR p_old_has_patient AND r.action <> 'renew')
           OR NOT (c_schedule ->> 'starts_at' IS NOT NULL OR p_old_has_time AND r.action <> 'renew' OR v_will IN ('PENDING', 'WAITLISTED')) THEN
            r.error := CASE
                WHEN p_item.trigger_event IN ('S14', 'S18', 'S19') AND NOT c_known THEN jsonb_build_object('code', '204', 'path', c_key, 'text',
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
    ELSIF p_rule.warning IS NOT NULL AND r.review_reason IS NULL THEN
        r.warnings := r.warnings || radscheduler.warning(p_rule.warning, 'SCH');
    END IF;
    RETURN r;
END
$$;

COMMENT ON FUNCTION radscheduler.judge(radscheduler.ingest_item, radscheduler.event_rule, radscheduler.appointment_status, radscheduler.appointment_status,
                                       timestamptz, bigint, boolean, boolean, jsonb) IS
    'Decides what a message does: sets action (event_rule''s, or fill, late, late_close), status (NULL keeps the present one), entry, warnings, and for a message that ends here its outcome and error. Facts of the present appointment: status, order key of its last message, whether it has a patient and a time, and its ending.';

CREATE OR REPLACE FUNCTION radscheduler.match_items(p_items radscheduler.ingest_item[]) RETURNS radscheduler.ingest_item[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_items  radscheduler.ingest_item[] := p_items;
    v_item   radscheduler.ingest_item;
    v_owners bigint[] := '{}';
    v_old    radscheduler.appointment;
    v_rule   radscheduler.event_rule;
    v_sent   record;
    v_row    record;
    v_live   radscheduler.ingest_item[] := '{}';
    c_site   CONSTANT integer := (p_items[1]).site_id;
BEGIN
    -- What each is about and what its event does to it.
    FOR k IN 1 .. cardinality(v_items) LOOP
        v_item := v_items[k];
        v_old := NULL;
        IF v_item.filler_id IS NOT NULL THEN
            SELECT * INTO v_old FROM radscheduler.appointment a
                WHERE a.site_id = c_site AND a.sender_id = v_item.sender_id AND a.filler_id = v_item.filler_id ORDER BY a.generation DESC LIMIT 1;
        END IF;
        IF v_old.appointment_id IS NULL AND v_item.placer_id IS NOT NULL THEN
            SELECT * INTO v_old FROM radscheduler.appointment a
                WHERE a.site_id = c_site AND a.sender_id = v_item.sender_id AND a.placer_id = v_item.placer_id AND (v_item.filler_id IS NULL OR a.filler_id IS NULL)
                ORDER BY a.generation DESC LIMIT 1;
        END IF;
        v_owners[k] := v_old.patient_id;
        v_item.appointment_id := v_old.appointment_id;
        SELECT * INTO v_rule FROM radscheduler.event_rule r
            WHERE r.trigger_event = v_item.trigger_event
              AND r.state = CASE WHEN v_old.appointment_id IS NULL THEN 'unknown' WHEN radscheduler.is_closed(v_old.status) THEN v_old.status::text ELSE 'active' END;
        v_sent := radscheduler.status_sent(v_item.reading #> '{schedule,status}');
        v_item := radscheduler.judge(v_item, v_rule, v_sent.status, v_old.status, v_old.message_time, v_old.message_sequence, v_old.patient_id IS NOT NULL, v_old.starts_at IS NOT NULL, v_old.ending);
        v_item.ordinal := k;
        v_item.is_overbook := CASE WHEN NOT radscheduler.is_closed(v_sent.status) THEN v_sent.is_overbook END;
        IF v_item.outcome IS NULL AND v_item.action <> 'close' THEN
            v_live := v_live || v_item;
        ELSIF v_item.outcome = 'stale' AND (v_old.ending IS NULL AND NOT radscheduler.is_closed(v_old.status)
                                            OR radscheduler.is_before_told(jsonb_build_object('at', v_item.at, 'sequence', v_item.sequence), v_old.ending)) THEN
            v_item.is_heeded := true;
        END IF;
        v_items[k] := v_item;
    END LOOP;

    -- Who and what. A closing needs neither.
    FOREACH v_item IN ARRAY v_live LOOP
        IF v_item.reading #> '{patient,identifiers,0}' IS NOT NULL THEN
            v_row := radscheduler.find_patient(c_site, v_item.reading #> '{patient,identifiers}', v_item.context ->> 'facility');
            v_item.patient_id := v_row.patient_id;
            v_item.best := v_row.best;
            v_item.is_complete := v_row.is_complete;
        END IF;
        v_row := radscheduler.resolve_resources(v_item);
        v_item.resource_ids := v_row.resource_ids;
        v_item.warnings := v_item.warnings || v_row.warnings;
        IF v_item.action = 'update' AND v_item.trigger_event = 'S12' AND v_item.best IS NOT NULL AND coalesce(v_item.patient_id, 0) <> v_owners[v_item.ordinal] THEN
            v_item.action := 'renew';
            v_item.status := 'PENDING_REVIEW';
            v_item.review_reason := 'ID_REUSED';
            v_item.warnings := v_item.warnings || radscheduler.warning('ID_REUSED', 'SCH-2');
        END IF;
        v_items[v_item.ordinal] := v_item;
    END LOOP;
    RETURN v_items;
END
$$;

COMMENT ON FUNCTION radscheduler.match_items(radscheduler.ingest_item[]) IS
    'For messages about appointments of one site: the appointment meant (appointment_id), what is to be done with it (judge()), the patient where he is known, and resources, recorded when they are new. is_heeded marks a late message that still tells something (heed_late()).';

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

CREATE OR REPLACE FUNCTION radscheduler.study_of(p_reading jsonb, p_old_code text, p_old_text text, OUT code text, OUT text text) RETURNS record
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_services jsonb := radscheduler.live_services(p_reading -> 'services');
    v_service  jsonb;
    v_code     text;
    v_text     text;
BEGIN
    FOR n IN 0 .. coalesce(jsonb_array_length(v_services), 0) - 1 LOOP
        v_service := v_services -> n;
        v_code := coalesce(v_service ->> 'code', v_service ->> 'alt_code');
        v_text := coalesce(v_service ->> 'text', v_service ->> 'alt_text', v_code);
        CONTINUE WHEN v_text IS NULL;
        IF study_of.text IS NULL THEN
            study_of.code := v_code;
            study_of.text := v_text;
        ELSE
            study_of.text := study_of.text || ' + ' || v_text;
        END IF;
    END LOOP;
    IF study_of.text IS NULL THEN
        study_of.code := coalesce(p_old_code, CASE WHEN p_old_text IS NULL THEN p_reading #>> '{schedule,reason,code}' END);
        study_of.text := coalesce(p_old_text, p_reading #>> '{schedule,reason,text}', p_reading #>> '{schedule,reason,code}', p_reading #>> '{schedule,type,text}');
    END IF;
END
$$;

COMMENT ON FUNCTION radscheduler.study_of(jsonb, text, text) IS
    'Exam of a reading: the code of its first service and the texts of all joined with " + ", those that are taken out apart (live_services()); else what was there before, else reason (SCH-7) or type (SCH-8).';

CREATE OR REPLACE FUNCTION radscheduler.status_sent(p_words jsonb, OUT status radscheduler.appointment_status, OUT is_overbook boolean) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_word  text;
    v_means radscheduler.appointment_status;
BEGIN
    FOR n IN 0 .. coalesce(jsonb_array_length(p_words), 0) - 1 LOOP
        v_word := regexp_replace(upper(p_words ->> n), '[^A-Z0-9]', '', 'g');
        SELECT s.status INTO v_means FROM radscheduler.status_alias s WHERE s.alias = v_word;
        status := coalesce(status, v_means);
        IF v_means IS NOT NULL THEN
            is_overbook := coalesce(is_overbook, false) OR v_word = 'OVERBOOK';
        END IF;
    END LOOP;
END
$$;

COMMENT ON FUNCTION radscheduler.status_sent(jsonb) IS
    'What the status words of a message mean: the first that status_alias knows, and whether any says Overbook. NULL when none is known.';

CREATE OR REPLACE FUNCTION radscheduler.answer(p_bytes bytea, p_code text, p_message bigint, p_zone text, p_error jsonb, p_conflicts jsonb, p_charset text, p_warnings jsonb DEFAULT '[]') RETURNS bytea
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    -- Where the sender may believe in a cancellation that has not taken place here.
    c_told  CONSTANT jsonpath := '$[*] ? (@.code == "CANCEL_DISPUTED" || @.code == "S14_EMPTY_POSSIBLE_LEGACY_CANCEL")';
    v_told  jsonb := CASE WHEN p_error IS NULL AND p_warnings <> '[]' THEN jsonb_path_query_array(p_warnings, c_told) ELSE '[]' END;
    v_codes text[] := '{}'; v_paths text[] := '{}'; v_severities text[] := '{}'; v_texts text[] := '{}';
BEGIN
    IF p_error IS NOT NULL THEN
        v_codes := ARRAY[p_error ->> 'code'];
        v_paths := ARRAY[coalesce(p_error ->> 'path', '')];
        v_severities := ARRAY['E'];
        v_texts := ARRAY[p_error ->> 'text'];
    ELSIF p_conflicts <> '[]' THEN
        SELECT array_agg('0'::text), array_agg('SCH'::text), array_agg(CASE c ->> 'severity' WHEN 'info' THEN 'I' ELSE 'W' END),
               array_agg(concat(c ->> 'message', ' With appointment ' || (c #>> '{with,0,appointment_id}') || '.'))
            INTO v_codes, v_paths, v_severities, v_texts
            FROM (SELECT e FROM jsonb_array_elements(p_conflicts) e WHERE e ->> 'state' = 'open' LIMIT 3) l(c);
    END IF;
    IF v_told <> '[]' THEN
        SELECT v_codes || array_agg('0'::text), v_paths || array_agg(w ->> 'path'), v_severities || array_agg('W'::text), v_texts || array_agg(w ->> 'text')
            INTO v_codes, v_paths, v_severities, v_texts FROM jsonb_array_elements(v_told) w;
    END IF;
    RETURN radscheduler.hl7_answer(p_bytes, p_code, 'RS' || p_message, radscheduler.ack_stamp(p_zone),
                                   coalesce(p_error ->> 'text', CASE WHEN p_conflicts <> '[]' THEN 'Accepted with conflict, see ERR' WHEN v_told <> '[]' THEN 'Accepted with warning, see ERR' END),
                                   v_codes, v_paths, v_severities, v_texts, p_charset);
END
$$;

COMMENT ON FUNCTION radscheduler.answer(bytea, text, bigint, text, jsonb, jsonb, text, jsonb) IS
    'The acknowledgement of a message by its number here: an error as ERR severity E; open conflicts of an accepted booking as ERR severity W (I for one that only informs), and as W the warnings that tell of a cancellation which has not taken place.';

CREATE OR REPLACE FUNCTION radscheduler.log_items(p_items radscheduler.ingest_item[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_item     radscheduler.ingest_item;
    v_sites    integer[] := '{}';
    v_types    text[] := '{}';
    v_bookings bigint[] := '{}';
    v_messages bigint[] := '{}';
    v_told     jsonb[] := '{}';
    v_owners   integer[] := '{}';
    v_actions  text[] := '{}';
    v_objects  text[] := '{}';
    v_ids      bigint[] := '{}';
    v_details  jsonb[] := '{}';
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
    FOREACH v_item IN ARRAY p_items LOOP
        IF v_item.patient_event IS NOT NULL THEN
            v_owners := v_owners || v_item.site_id;
            v_actions := v_actions || v_item.patient_event;
            v_objects := v_objects || 'patient'::text;
            v_ids := v_ids || v_item.patient_id;
            v_details := v_details || '{}'::jsonb;
        END IF;
        IF v_item.event IS NOT NULL THEN
            v_sites := v_sites || v_item.site_id;
            v_types := v_types || v_item.event;
            v_bookings := v_bookings || v_item.appointment_id;
            v_messages := v_messages || v_item.message_id;
            v_told := v_told || v_item.event_data;
            v_owners := v_owners || v_item.site_id;
            v_actions := v_actions || v_item.event;
            v_objects := v_objects || 'appointment'::text;
            v_ids := v_ids || v_item.appointment_id;
            v_details := v_details || jsonb_build_object('message_id', v_item.message_id, 'version', v_item.event_data -> 'version');
        END IF;
        v_sites := v_sites || v_item.site_id;
        v_types := v_types || CASE v_item.outcome WHEN 'duplicate' THEN 'hl7.duplicate' WHEN 'error' THEN 'hl7.rejected' WHEN 'rejected' THEN 'hl7.rejected' ELSE 'hl7.processed' END;
        v_bookings := v_bookings || v_item.appointment_id;
        v_messages := v_messages || v_item.message_id;
        v_told := v_told || jsonb_strip_nulls(jsonb_build_object('outcome', v_item.outcome, 'code', v_item.code, 'trigger_event', v_item.context #> '{header,trigger_event}',
                                                                 'warnings', jsonb_array_length(v_item.warnings), 'error', v_item.error -> 'code'));
        v_owners := v_owners || v_item.site_id;
        v_actions := v_actions || 'message.received'::text;
        v_objects := v_objects || 'hl7_message'::text;
        v_ids := v_ids || v_item.message_id;
        v_details := v_details || jsonb_build_object('channel', v_item.context -> 'channel', 'outcome', v_item.outcome, 'appointment_id', v_item.appointment_id);
    END LOOP;
    INSERT INTO radscheduler.event_log (site_id, type, appointment_id, message_id, data)
        SELECT u.* FROM unnest(v_sites, v_types, v_bookings, v_messages, v_told) u;
    PERFORM radscheduler.audit_many(v_owners, v_actions, v_objects, v_ids, v_details);
END
$$;

COMMENT ON FUNCTION radscheduler.log_items(radscheduler.ingest_item[]) IS
    'Keeps received messages with what became of them, and tells it in event_log and the audit log: the patient, the appointment, the message.';

CREATE OR REPLACE FUNCTION radscheduler.result_of(p_item radscheduler.ingest_item) RETURNS radscheduler.ingest_result
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN ROW(p_item.message_id, p_item.ack, p_item.code, p_item.outcome, p_item.appointment_id, p_item.warnings, p_item.conflicts)::radscheduler.ingest_result;
END
$$;

COMMENT ON FUNCTION radscheduler.result_of(radscheduler.ingest_item) IS 'What a caller of ingest() is told of a message.';

CREATE OR REPLACE FUNCTION radscheduler.sender_context(p_application text, p_facility text, p_channel text, p_peer text) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_sender record;
    v_site   record;
BEGIN
    IF p_channel IS NULL OR p_channel !~ '^[a-z][a-z0-9_]{0,19}$' OR length(p_peer) > 100 THEN
        RAISE EXCEPTION 'the channel is a word such as mllp, http or sql, and the peer a network address' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Both are kept in logs: at most 20 and 100 characters.';
    END IF;
    v_sender := radscheduler.sender_of(p_application, p_facility);
    SELECT s.timezone, s.phone_region INTO v_site FROM radscheduler.site s WHERE s.site_id = v_sender.site_id;
    RETURN jsonb_build_object('site_id', v_sender.site_id, 'sender_id', v_sender.sender_id, 'profile', v_sender.profile,
        'zone', coalesce(v_sender.profile ->> 'timezone', v_site.timezone, radscheduler.default_zone()),
        'is_zone_assumed', coalesce(v_sender.profile ->> 'timezone', v_site.timezone) IS NULL,
        'region', coalesce(v_sender.profile ->> 'phone_region', v_site.phone_region), 'facility', coalesce(v_sender.profile ->> 'default_authority', p_facility),
        'is_refused', v_sender.is_refused, 'is_new', v_sender.is_new, 'source', 'HL7', 'channel', p_channel, 'peer', p_peer);
END
$$;

COMMENT ON FUNCTION radscheduler.sender_context(text, text, text, text) IS
    'What messages of a sender (MSH-3, MSH-4) that come in by a channel are read in the light of: {site_id, sender_id, profile, zone (sender, else site, else radscheduler.default_timezone), is_zone_assumed (neither of the first two), region (phone numbers), facility (assigning authority to assume), is_refused, is_new, source, channel, peer}.';

CREATE OR REPLACE FUNCTION radscheduler.offset_zone(p_time text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_offset text := substring(p_time from '[+-]\d\d:\d\d$');
BEGIN
    -- POSIX counts west of Greenwich as positive.
    RETURN '<' || v_offset || '>' || translate(v_offset, '+-', '-+');
END
$$;

COMMENT ON FUNCTION radscheduler.offset_zone(text) IS 'The fixed zone of an ISO time that ends in an offset, as a POSIX zone that timezone() takes; NULL for one without.';

CREATE OR REPLACE FUNCTION radscheduler.message_context(p_header jsonb, p_channel text, p_peer text, p_sender jsonb DEFAULT NULL) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_sender jsonb := coalesce(p_sender, radscheduler.sender_context(coalesce(p_header ->> 'sending_application', ''), coalesce(p_header ->> 'sending_facility', ''), p_channel, p_peer));
    v_zone   text := CASE WHEN (v_sender ->> 'is_zone_assumed')::boolean THEN radscheduler.offset_zone(p_header ->> 'message_time') END;
BEGIN
    RETURN v_sender || jsonb_build_object(
        'zone', CASE WHEN (v_sender ->> 'is_zone_assumed')::boolean THEN coalesce(v_zone, radscheduler.default_zone()) ELSE v_sender ->> 'zone' END,
        'trigger_event', radscheduler.event_meant(v_sender -> 'profile', p_header ->> 'trigger_event'), 'sequence', p_header -> 'sequence_number',
        'is_test', coalesce(p_header ->> 'processing_id', 'P') <> 'P', 'header', p_header,
        'warnings', '[]'::jsonb || CASE WHEN v_zone IS NOT NULL THEN radscheduler.warning('ZONE_OF_MESSAGE', 'MSH-7') WHEN (v_sender ->> 'is_zone_assumed')::boolean THEN radscheduler.warning('ZONE_ASSUMED', 'MSH-7') ELSE '[]' END
                    || CASE WHEN (v_sender ->> 'is_new')::boolean THEN radscheduler.warning('SENDER_UNKNOWN', 'MSH-3') ELSE '[]' END);
END
$$;

COMMENT ON FUNCTION radscheduler.message_context(jsonb, text, text, jsonb) IS
    'sender_context() of a message (or the one given), with trigger_event (the standard''s, by the sender''s event_map), sequence (MSH-13), is_test (MSH-11 is not P), header and all warnings so far. Where neither sender nor site names a zone it is that of MSH-7.';

CREATE OR REPLACE FUNCTION radscheduler.open_message(p_bytes bytea, p_channel text, p_peer text, p_before jsonb DEFAULT NULL, p_received timestamptz DEFAULT NULL) RETURNS radscheduler.ingest_item
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_head   jsonb := radscheduler.hl7_header(p_bytes);
    v_header jsonb := v_head -> 'header';
    r        radscheduler.ingest_item;
BEGIN
    r.message_id := nextval('radscheduler.hl7_message_id_seq');
    r.received_at := coalesce(p_received, clock_timestamp());
    r.raw := p_bytes;
    r.raw_sha256 := sha256(p_bytes);
    -- Messages of one batch mostly come from one sender.
    r.context := radscheduler.message_context(v_header, p_channel, p_peer,
        CASE WHEN p_before #>> '{header,sending_application}' = v_header ->> 'sending_application' AND p_before #>> '{header,sending_facility}' = v_header ->> 'sending_facility'
             THEN p_before || '{"is_new": false}' END);
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

COMMENT ON FUNCTION radscheduler.open_message(bytea, text, text, jsonb, timestamptz) IS
    'One message opened (p_before is the context of the one before, if any; p_received when it came, if that was not now): header, sender and site, reading, order key and appointment key, the kind of handling it needs in action; outcome and error for one that ends here.';

CREATE OR REPLACE FUNCTION radscheduler.message_kind(p_message_code text, p_trigger text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN CASE
        WHEN p_trigger = 'IGNORE' THEN 'ignore'
        WHEN p_message_code = 'SIU' AND p_trigger IN ('S23', 'S24') THEN 'block'
        WHEN p_message_code = 'SIU' AND p_trigger ~ '^S(1[2-9]|2[0-2]|26|27)$' THEN 'schedule'
        WHEN p_message_code = 'ADT' AND p_trigger IN ('A01', 'A04', 'A08', 'A10', 'A18', 'A30', 'A31', 'A34', 'A40') THEN 'patient'
        WHEN p_message_code = 'ORM' AND p_trigger = 'O01' OR p_message_code = 'OMI' AND p_trigger = 'O23' THEN 'order' END;
END
$$;

COMMENT ON FUNCTION radscheduler.message_kind(text, text) IS
    'Who handles a message by MSH-9.1 and its event: schedule, block, patient, order, ignore; NULL for what is not taken.';

CREATE OR REPLACE FUNCTION radscheduler.lock_names(p_item radscheduler.ingest_item) RETURNS text[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN coalesce(nullif(array_remove(ARRAY['appointment/' || p_item.sender_id || '/F/' || (p_item.reading #>> '{schedule,filler_id}'),
                 'appointment/' || p_item.sender_id || '/P/' || (p_item.reading #>> '{schedule,placer_id}')]
           || radscheduler.patient_lock_names(p_item.site_id, p_item.reading -> 'patient')
           || CASE WHEN p_item.action <> 'schedule' THEN radscheduler.other_lock_names(p_item) END, NULL), '{}'),
        -- One that names nobody waits at least for itself.
        ARRAY['message/' || p_item.sender_id || '/' || (p_item.context #>> '{header,control_id}') || '/' || encode(p_item.raw_sha256, 'hex')]);
END
$$;

COMMENT ON FUNCTION radscheduler.lock_names(radscheduler.ingest_item) IS 'Names for lock_keys() of a message: its appointment by either key, every patient it names, and what other_lock_names() says; itself where that is nothing.';

CREATE OR REPLACE FUNCTION radscheduler.lock_keys_at_once(names text[]) RETURNS void
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

CREATE OR REPLACE FUNCTION radscheduler.item_of(p_context jsonb, p_reading jsonb, p_message bigint, p_at timestamptz) RETURNS radscheduler.ingest_item
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

CREATE OR REPLACE FUNCTION radscheduler.order_names(p_site integer, p_patients bigint[], p_orders bigint[]) RETURNS text[]
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

CREATE OR REPLACE FUNCTION radscheduler.other_lock_names(p_item radscheduler.ingest_item) RETURNS text[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN CASE p_item.action
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
    'Names for lock_keys() of a message that is not about an appointment, besides its identifiers: all of merged patients and the appointments of the one given up, the appointments somebody may arrive for, orders by either number.';

CREATE OR REPLACE FUNCTION radscheduler.other_subjects(p_items radscheduler.ingest_item[], p_site integer, OUT resources bigint[], OUT patients bigint[]) RETURNS record
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
           (SELECT array_agg(p.id) FROM person p)
        INTO resources, patients;
END
$$;

COMMENT ON FUNCTION radscheduler.other_subjects(radscheduler.ingest_item[], integer) IS
    'For lock_ahead(): the resources and patients that messages about blocks, patients and orders of one site concern, as far as they are known.';

INSERT INTO radscheduler.warning_kind VALUES
    ('APPOINTMENTS_BLOCKED', 'Appointments stand in the blocked time; each of them is flagged.'),
    ('BLOCK_UNKNOWN', 'Time is given back of a block that is not known here; nothing was changed, and an older message about it will not be applied.');

CREATE OR REPLACE FUNCTION radscheduler.block_kind(p_reading jsonb) RETURNS text
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

CREATE OR REPLACE FUNCTION radscheduler.block_fault(p_item radscheduler.ingest_item) RETURNS jsonb
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

CREATE OR REPLACE FUNCTION radscheduler.block_times(p_item radscheduler.ingest_item, p_starts timestamptz, p_ends timestamptz, OUT resource_id bigint, OUT during tstzmultirange) RETURNS SETOF record
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

CREATE OR REPLACE FUNCTION radscheduler.put_block(p_site integer, p_block bigint, p_wanted jsonb, p_kind text, p_reason text, p_message bigint,
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

CREATE OR REPLACE FUNCTION radscheduler.apply_block(p_context jsonb, p_reading jsonb, p_message bigint, p_at timestamptz,
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

INSERT INTO radscheduler.warning_kind VALUES
    ('PATIENT_UNKNOWN', 'Nobody here has this identifier, and a patient without appointment or order is not recorded; nothing was changed.'),
    ('PATIENT_AMBIGUOUS', 'An identifier was sent without assigning authority, and several patients here have it; nothing was changed.'),
    ('ARRIVAL_UNMATCHED', 'No appointment of this patient and visit is expected on that day; nobody was marked as arrived.');

CREATE OR REPLACE FUNCTION radscheduler.is_arrival(p_item radscheduler.ingest_item) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN coalesce(p_item.context #> '{profile,arrival_events}' ? p_item.trigger_event, false);
END
$$;

COMMENT ON FUNCTION radscheduler.is_arrival(radscheduler.ingest_item) IS 'Whether an event means, by the profile of its sender (arrival_events), that the patient has arrived.';

CREATE OR REPLACE FUNCTION radscheduler.expected_on_day(p_item radscheduler.ingest_item, OUT appointment_id bigint, OUT status radscheduler.appointment_status) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 1 SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    c_visits CONSTANT text[] := array_remove(ARRAY[p_item.reading #>> '{visit,visit_number}', p_item.reading #>> '{visit,alternate_visit_id}'], NULL);
    v_zone   text;
    v_day    timestamp;
BEGIN
    IF c_visits = '{}' THEN
        RETURN;
    END IF;
    v_zone := radscheduler.site_zone(p_item.site_id);
    v_day := date_trunc('day', timezone(v_zone, p_item.at));
    RETURN QUERY
    SELECT a.appointment_id, a.status
    FROM radscheduler.find_patient(p_item.site_id, p_item.reading #> '{patient,identifiers}', p_item.context ->> 'facility') f
    JOIN radscheduler.appointment a ON a.site_id = p_item.site_id AND a.patient_id = f.patient_id
    WHERE a.visit_number = ANY (c_visits) AND NOT radscheduler.is_closed(a.status)
      AND a.starts_at >= timezone(v_zone, v_day) AND a.starts_at < timezone(v_zone, v_day + interval '1 day')
    ORDER BY radscheduler.status_rank(a.status) >= 2, greatest(a.starts_at - p_item.at, p_item.at - a.starts_at), a.appointment_id;
END
$$;

COMMENT ON FUNCTION radscheduler.expected_on_day(radscheduler.ingest_item) IS
    'The open appointments of a message''s patient and visit (PV1-19 or PV1-50) on the day of the message by the site''s clock: those not yet arrived first, the nearest in time first.';

CREATE OR REPLACE FUNCTION radscheduler.tell_patient(p_site integer, p_patient bigint, p_columns text[], p_message bigint) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    INSERT INTO radscheduler.event_log (site_id, type, appointment_id, message_id, data)
    SELECT a.site_id, 'patient.updated', a.appointment_id, p_message, jsonb_build_object('columns', to_jsonb(p_columns))
    FROM radscheduler.appointment a
    WHERE a.site_id = p_site AND a.patient_id = p_patient AND NOT radscheduler.is_closed(a.status) AND coalesce(a.ends_at > now(), true)
    ORDER BY a.appointment_id;
END
$$;

COMMENT ON FUNCTION radscheduler.tell_patient(integer, bigint, text[], bigint) IS
    'Tells listeners of every open appointment of a patient that is still to come that these columns of the patient have changed. Names of columns, no values.';

CREATE OR REPLACE FUNCTION radscheduler.changed_columns(p_old jsonb, p_new jsonb) RETURNS text[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT array_agg(o.key ORDER BY o.key COLLATE "C") FROM jsonb_each(p_old) o
            WHERE o.value <> p_new -> o.key AND o.key NOT IN ('patient_id', 'created_at', 'updated_at', 'message_time'));
END
$$;

COMMENT ON FUNCTION radscheduler.changed_columns(jsonb, jsonb) IS 'Names of the columns in which two versions of a patient, as jsonb, differ, but for times of their recording; NULL when in none.';

CREATE OR REPLACE FUNCTION radscheduler.arrive(p_item radscheduler.ingest_item) RETURNS radscheduler.ingest_item
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    r          radscheduler.ingest_item := p_item;
    v_expected record;
    v_names    text[];
    v_held     text[] := '{}';
BEGIN
    -- The appointment is not named by the message: under its names it is looked for again.
    LOOP
        v_names := array_remove(ARRAY(SELECT unnest(radscheduler.appointment_lock_names(p_item.site_id, e.appointment_id)) FROM radscheduler.expected_on_day(p_item) e), NULL);
        EXIT WHEN v_names <@ v_held;
        PERFORM radscheduler.lock_keys_at_once(v_names);
        v_held := v_held || v_names;
    END LOOP;
    SELECT e.appointment_id, e.status, a.sender_id, a.filler_id, a.placer_id, a.holds_time INTO v_expected
        FROM radscheduler.expected_on_day(p_item) e
        JOIN radscheduler.appointment a ON a.site_id = p_item.site_id AND a.appointment_id = e.appointment_id LIMIT 1;
    IF v_expected.appointment_id IS NULL THEN
        r.outcome := 'ignored';
        r.warnings := r.warnings || radscheduler.warning('ARRIVAL_UNMATCHED', 'PV1-19');
        RETURN r;
    END IF;
    r.appointment_id := v_expected.appointment_id;
    IF radscheduler.status_rank(v_expected.status) >= 2 THEN
        r.outcome := 'ignored';
        RETURN r;
    END IF;
    -- Said in the words of the appointment's own sender: rank, order and everything that follows are those of an S14 with that status.
    r.sender_id := v_expected.sender_id;
    r.filler_id := v_expected.filler_id;
    r.placer_id := v_expected.placer_id;
    r.trigger_event := 'S14';
    r.patient_id := NULL;
    r.context := p_item.context || jsonb_build_object('profile', jsonb_build_object('pending_occupies', v_expected.holds_time));
    r.reading := jsonb_build_object('schedule', '{"status": ["ARRIVED"]}'::jsonb, 'services', '[]'::jsonb, 'resources', '[]'::jsonb)
                 || CASE WHEN p_item.reading #>> '{visit,patient_class}' IS NULL THEN '{}'
                         ELSE jsonb_build_object('visit', jsonb_build_object('patient_class', p_item.reading #>> '{visit,patient_class}')) END;
    r := (radscheduler.apply_items(ARRAY[r]))[1];
    IF r.outcome = 'flagged' THEN
        r.outcome := 'applied';
    END IF;
    IF r.event IS NOT NULL THEN
        INSERT INTO radscheduler.event_log (site_id, type, appointment_id, message_id, data) VALUES (r.site_id, r.event, r.appointment_id, r.message_id, r.event_data);
        PERFORM radscheduler.audit(r.site_id, r.event, 'appointment', r.appointment_id, jsonb_build_object('message_id', r.message_id, 'version', r.event_data -> 'version'));
    END IF;
    RETURN r;
END
$$;

COMMENT ON FUNCTION radscheduler.arrive(radscheduler.ingest_item) IS
    'Marks the appointment that a message''s patient has come for as ARRIVED: the nearest of that visit and day. Sets outcome (ignored when there is none or it has arrived before), appointment and warnings. Its conflicts are not the message''s.';

CREATE OR REPLACE FUNCTION radscheduler.apply_adt(p_context jsonb, p_reading jsonb, p_message bigint, p_at timestamptz,
        OUT outcome text, OUT code text, OUT error jsonb, OUT appointment_id bigint, OUT warnings jsonb) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_item    radscheduler.ingest_item := radscheduler.item_of(p_context, p_reading, p_message, p_at);
    v_patient bigint;
    v_old     radscheduler.patient;
    v_new     radscheduler.patient;
    v_columns text[];
BEGIN
    outcome := 'applied';
    code := 'AA';
    warnings := '[]';
    IF p_reading ? 'merges' THEN
        SELECT m.outcome, m.error, m.warnings INTO apply_adt.outcome, apply_adt.error, apply_adt.warnings FROM radscheduler.merge_all(v_item) m;
    ELSIF coalesce(p_reading #> '{patient,identifiers,0}', 'null') = 'null' THEN
        error := '{"code": "101", "path": "PID-3", "text": "A message about a patient needs an identifier in PID-3. Send at least one."}';
    END IF;
    IF error IS NOT NULL THEN
        outcome := 'error';
        code := 'AE';
    END IF;
    IF error IS NOT NULL OR p_reading ? 'merges' THEN
        RETURN;
    END IF;

    SELECT f.patient_id INTO v_patient FROM radscheduler.find_patient(v_item.site_id, p_reading #> '{patient,identifiers}', p_context ->> 'facility') f;
    IF v_patient IS NULL OR radscheduler.is_ambiguous(v_item.site_id, p_context ->> 'facility', p_reading #> '{patient,identifiers}') THEN
        outcome := 'ignored';
        warnings := warnings || radscheduler.warning(CASE WHEN v_patient IS NULL THEN 'PATIENT_UNKNOWN' ELSE 'PATIENT_AMBIGUOUS' END, 'PID-3');
        RETURN;
    END IF;
    SELECT p.* INTO v_old FROM radscheduler.patient p WHERE p.site_id = v_item.site_id AND p.patient_id = v_patient FOR UPDATE;
    SELECT p.warnings INTO apply_adt.warnings FROM radscheduler.resolve_patient(v_item.site_id, p_reading -> 'patient', p_context ->> 'facility', p_context ->> 'region', p_at) p;
    SELECT p.* INTO v_new FROM radscheduler.patient p WHERE p.site_id = v_item.site_id AND p.patient_id = v_patient;
    v_columns := radscheduler.changed_columns(to_jsonb(v_old), to_jsonb(v_new));
    IF v_columns IS NOT NULL THEN
        PERFORM radscheduler.tell_patient(v_item.site_id, v_patient, v_columns, p_message);
    ELSIF v_old.message_time > p_at AND NOT radscheduler.is_arrival(v_item) THEN
        outcome := 'stale';
        warnings := warnings || radscheduler.warning('STALE', 'MSH-7');
    END IF;
    IF radscheduler.is_arrival(v_item) THEN
        v_item := radscheduler.arrive(v_item);
        appointment_id := v_item.appointment_id;
        warnings := warnings || v_item.warnings;
        outcome := CASE WHEN v_item.outcome = 'applied' OR v_columns IS NOT NULL THEN 'applied' ELSE v_item.outcome END;
    END IF;
END
$$;

COMMENT ON FUNCTION radscheduler.apply_adt(jsonb, jsonb, bigint, timestamptz) IS
    'Applies a message about a patient: demographics (newer ones win), arrival where the sender''s profile says so, merges. Somebody unknown is not recorded (PATIENT_UNKNOWN). Context and reading as apply_reading() takes them. Call it under lock_keys() on lock_names() of the message.';

CREATE OR REPLACE FUNCTION radscheduler.identifiers_known(p_site integer, p_facility text, p_identifiers jsonb,
        OUT sent jsonb, OUT value text, OUT authority text, OUT type text, OUT patient_id bigint, OUT merged_at timestamptz, OUT is_ambiguous boolean) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 2 SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT e.x, coalesce(q.value, e.x ->> 'value'), coalesce(q.authority, e.x ->> 'authority', p_facility), coalesce(q.type, e.x ->> 'type', 'MR'), q.patient_id, q.merged_at,
           coalesce(q.is_shared AND NOT q.is_exact, false)
    FROM jsonb_array_elements(p_identifiers) WITH ORDINALITY e(x, place)
    LEFT JOIN LATERAL (
        SELECT i.*, i.authority = coalesce(e.x ->> 'authority', p_facility) AS is_exact, min(i.patient_id) OVER () <> max(i.patient_id) OVER () AS is_shared
        FROM radscheduler.patient_identifier i
        WHERE i.site_id = p_site AND i.value = e.x ->> 'value' AND i.type = coalesce(e.x ->> 'type', 'MR')
          AND (i.authority IN (coalesce(e.x ->> 'authority', p_facility), '') OR NOT e.x ? 'authority')
        ORDER BY is_exact DESC, i.patient_id LIMIT 1) q ON true
    ORDER BY e.place;
END
$$;

COMMENT ON FUNCTION radscheduler.identifiers_known(integer, text, jsonb) IS
    'Identifiers as sent, each with the row of patient_identifier that find_patient() would find by it; patient_id is NULL for one that is not known. is_ambiguous: it was sent without authority, and several people have it under others.';

CREATE OR REPLACE FUNCTION radscheduler.patients_named(p_site integer, p_facility text, p_identifiers jsonb) RETURNS bigint[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN ARRAY(SELECT DISTINCT k.patient_id FROM radscheduler.identifiers_known(p_site, p_facility, p_identifiers) k WHERE k.patient_id IS NOT NULL ORDER BY 1);
END
$$;

COMMENT ON FUNCTION radscheduler.patients_named(integer, text, jsonb) IS 'Everybody at a site who has one of these identifiers.';

CREATE OR REPLACE FUNCTION radscheduler.patient_now(p_site integer, p_patient bigint) RETURNS bigint
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN coalesce((SELECT m.patient_id FROM radscheduler.patient_merge m WHERE m.site_id = p_site AND m.merged_id = p_patient), p_patient);
END
$$;

COMMENT ON FUNCTION radscheduler.patient_now(integer, bigint) IS 'Who a patient of an earlier version is now: the one he was merged into, else himself.';

CREATE OR REPLACE FUNCTION radscheduler.is_ambiguous(p_site integer, p_facility text, p_identifiers jsonb) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN EXISTS (SELECT FROM radscheduler.identifiers_known(p_site, p_facility, p_identifiers) k WHERE k.is_ambiguous);
END
$$;

COMMENT ON FUNCTION radscheduler.is_ambiguous(integer, text, jsonb) IS
    'Whether one of these identifiers could be that of several people. A booking is taken for one of them and can be mended; demographics and merges are not, so they change nothing.';

CREATE OR REPLACE FUNCTION radscheduler.is_given_up(p_site integer, p_patient bigint, p_value text) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN EXISTS (SELECT FROM radscheduler.patient_identifier i WHERE i.site_id = p_site AND i.value = p_value AND i.patient_id = p_patient AND i.merged_at IS NOT NULL)
       AND NOT EXISTS (SELECT FROM radscheduler.patient_identifier i WHERE i.site_id = p_site AND i.value = p_value AND i.patient_id = p_patient AND i.merged_at IS NULL AND i.authority <> '');
END
$$;

COMMENT ON FUNCTION radscheduler.is_given_up(integer, bigint, text) IS 'Whether a patient has this identifier only by a merge that gave it up: he is not shown under it.';

INSERT INTO radscheduler.warning_kind VALUES
    ('MERGE_WITH_ITSELF', 'The patient given up (MRG-1) is the one kept (PID-3); nothing was changed.');

CREATE OR REPLACE FUNCTION radscheduler.merge_lock_names(p_site integer, p_facility text, p_merges jsonb) RETURNS text[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_kept  bigint[] := ARRAY(SELECT unnest(radscheduler.patients_named(p_site, p_facility, m #> '{into,identifiers}')) FROM jsonb_array_elements(p_merges) m);
    v_given bigint[] := ARRAY(SELECT unnest(radscheduler.patients_named(p_site, p_facility, m #> '{from,identifiers}')) FROM jsonb_array_elements(p_merges) m);
BEGIN
    RETURN array_remove(
        radscheduler.hold_lock_name(p_site)
        || ARRAY(SELECT unnest(radscheduler.patient_lock_names(p_site, m -> 'into') || radscheduler.patient_lock_names(p_site, m -> 'from')) FROM jsonb_array_elements(p_merges) m)
        || radscheduler.patient_names(p_site, v_kept || v_given) || radscheduler.order_names(p_site, v_given, NULL)
        || ARRAY(SELECT unnest(radscheduler.appointment_lock_names(a.site_id, a.appointment_id)) FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.patient_id = ANY (v_given)),
        NULL);
END
$$;

COMMENT ON FUNCTION radscheduler.merge_lock_names(integer, text, jsonb) IS
    'Names for lock_keys() of merges: the holds of the site, every identifier of all patients concerned, the appointments and orders of those given up.';

CREATE OR REPLACE FUNCTION radscheduler.move_patient_time(p_site integer, p_from bigint, p_into bigint) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_row    record;
    v_placed bigint[] := '{}';
BEGIN
    FOR v_row IN
        WITH gone AS (
            DELETE FROM radscheduler.occupancy o WHERE o.site_id = p_site AND o.axis = 'patient' AND o.subject_id = p_from
            RETURNING o.occupancy_id, o.during, o.buffered, o.appointment_id)
        SELECT * FROM gone g ORDER BY g.occupancy_id
    LOOP
        v_placed := v_placed || (radscheduler.place(p_site, 'patient', p_into, v_row.during, v_row.buffered, v_row.appointment_id)).occupancy_id;
    END LOOP;
    RETURN radscheduler.reseat(p_site, v_placed);
END
$$;

COMMENT ON FUNCTION radscheduler.move_patient_time(integer, bigint, bigint) IS
    'Gives the time that one patient is booked for to another, first come first served between the bookings of both; returns the appointments whose lanes changed. Follow it with settle().';

CREATE OR REPLACE FUNCTION radscheduler.merge_patient(p_site integer, p_from bigint, p_into bigint, p_message bigint, p_at timestamptz) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_own   bigint[];
    v_moved bigint[];
    v_hold  bigint;
BEGIN
    WITH moved AS (
        UPDATE radscheduler.appointment a SET patient_id = p_into, version = a.version + 1, updated_at = now()
            WHERE a.site_id = p_site AND a.patient_id = p_from RETURNING a.appointment_id)
    SELECT coalesce(array_agg(m.appointment_id ORDER BY m.appointment_id), '{}') INTO v_own FROM moved m;
    -- What was in conflict stays the same conflict, accepted or not.
    UPDATE radscheduler.conflict c SET subject_id = p_into
        WHERE c.site_id = p_site AND c.axis = 'patient' AND c.subject_id = p_from AND c.appointment_id = ANY (v_own);
    v_moved := radscheduler.move_patient_time(p_site, p_from, p_into);
    UPDATE radscheduler.imaging_order o SET patient_id = p_into WHERE o.site_id = p_site AND o.patient_id = p_from;
    UPDATE radscheduler.patient_identifier i SET patient_id = p_into WHERE i.site_id = p_site AND i.patient_id = p_from;
    FOR v_hold IN UPDATE radscheduler.legal_hold h SET patient_id = p_into WHERE h.site_id = p_site AND h.patient_id = p_from AND h.lifted_at IS NULL RETURNING h.hold_id LOOP
        PERFORM radscheduler.audit(p_site, 'hold.moved', 'patient', p_into, jsonb_build_object('hold_id', v_hold, 'merged_id', p_from));
    END LOOP;
    UPDATE radscheduler.patient_merge m SET patient_id = p_into WHERE m.site_id = p_site AND m.patient_id = p_from;
    INSERT INTO radscheduler.patient_merge (site_id, merged_id, patient_id, merged_at, message_id) VALUES (p_site, p_from, p_into, p_at, p_message);
    -- What was told last holds, as if it had been told of one person from the beginning.
    UPDATE radscheduler.patient k
        SET family_name = coalesce(g.family_name, k.family_name), given_name = coalesce(g.given_name, k.given_name), middle_name = coalesce(g.middle_name, k.middle_name),
            suffix = coalesce(g.suffix, k.suffix), display_name = coalesce(nullif(g.display_name, ''), k.display_name), birth_date = coalesce(g.birth_date, k.birth_date),
            sex = coalesce(g.sex, k.sex), phone = CASE WHEN g.phone_as_sent IS NULL THEN k.phone ELSE g.phone END, phone_as_sent = coalesce(g.phone_as_sent, k.phone_as_sent),
            message_time = g.message_time, updated_at = now()
        FROM radscheduler.patient g
        WHERE k.site_id = p_site AND k.patient_id = p_into AND g.site_id = p_site AND g.patient_id = p_from AND coalesce(g.message_time > k.message_time, k.message_time IS NULL);
    UPDATE radscheduler.patient k SET is_deceased = true
        FROM radscheduler.patient g WHERE k.site_id = p_site AND k.patient_id = p_into AND g.site_id = p_site AND g.patient_id = p_from AND g.is_deceased AND NOT k.is_deceased;
    DELETE FROM radscheduler.patient p WHERE p.site_id = p_site AND p.patient_id = p_from;

    IF v_own <> '{}' THEN
        PERFORM radscheduler.settle(p_site, v_own, v_moved, array_fill(p_message, ARRAY[cardinality(v_own)]));
        PERFORM radscheduler.record_versions(p_site, v_own, array_fill('appointment.modified'::text, ARRAY[cardinality(v_own)]),
            array_fill(p_message, ARRAY[cardinality(v_own)]), array_fill('{"reason": "PATIENT_MERGED"}'::jsonb, ARRAY[cardinality(v_own)]));
    END IF;
    INSERT INTO radscheduler.event_log (site_id, type, message_id, data)
        VALUES (p_site, 'patient.merged', p_message, jsonb_build_object('patient_id', p_into, 'merged_id', p_from, 'appointments', cardinality(v_own)));
    PERFORM radscheduler.audit(p_site, 'patient.merged', 'patient', p_into, jsonb_build_object('merged_id', p_from, 'message_id', p_message, 'appointments', cardinality(v_own)));
END
$$;

COMMENT ON FUNCTION radscheduler.merge_patient(integer, bigint, bigint, bigint, timestamptz) IS
    'Makes one patient of two: everything of the first passes to the second, whose conflicts are looked at anew, and the first row goes; each appointment gets a version. p_at is the time of the merge, p_message its message. The caller holds the locks of merge_lock_names(), of both patients and their resources, and of the rows of the first one''s appointments.';

CREATE OR REPLACE FUNCTION radscheduler.merge_fault(p_merges jsonb) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF p_merges = '[]' THEN
        RETURN '{"code": "101", "path": "MRG-1", "text": "A merge names the patient given up in MRG-1. Send an MRG segment after the PID of the patient kept."}';
    END IF;
    RETURN (SELECT CASE WHEN coalesce(m #> '{into,identifiers}', '[]') = '[]' THEN
                jsonb_build_object('code', '101', 'path', coalesce(nullif(m #>> '{into,path}', ''), 'PID') || '-3', 'text', 'A merge needs an identifier of the patient kept in PID-3. Send at least one.')
                ELSE jsonb_build_object('code', '101', 'path', (m #>> '{from,path}') || '-1', 'text', 'A merge needs an identifier of the patient given up in MRG-1. Send at least one.') END
        FROM jsonb_array_elements(p_merges) WITH ORDINALITY e(m, place)
        WHERE '[]' IN (coalesce(m #> '{into,identifiers}', '[]'), coalesce(m #> '{from,identifiers}', '[]')) ORDER BY place LIMIT 1);
END
$$;

COMMENT ON FUNCTION radscheduler.merge_fault(jsonb) IS 'What merges lack, {code, path, text}; NULL when nothing.';

CREATE OR REPLACE FUNCTION radscheduler.keep_patient(p_item radscheduler.ingest_item, p_into jsonb, p_given bigint[], OUT patient_id bigint, OUT mrn text, OUT is_changed boolean, OUT warnings jsonb) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_old     radscheduler.patient;
    v_new     radscheduler.patient;
    v_columns text[];
    v_full    boolean := coalesce(p_item.reading #> '{patient,identifiers}' = p_into, false);
BEGIN
    SELECT f.best ->> 'value', f.patient_id INTO keep_patient.mrn, keep_patient.patient_id FROM radscheduler.find_patient(p_item.site_id, p_into, p_item.context ->> 'facility') f;
    SELECT p.* INTO v_old FROM radscheduler.patient p WHERE p.site_id = p_item.site_id AND p.patient_id = keep_patient.patient_id FOR UPDATE;
    -- Of two people nobody here knows, the numbers are kept, nothing else: one of them may be booked under either.
    v_full := v_full AND (v_old.patient_id IS NOT NULL OR p_given <> '{}');
    SELECT r.patient_id, r.warnings INTO keep_patient.patient_id, keep_patient.warnings
        FROM radscheduler.resolve_patient(p_item.site_id, CASE WHEN v_full THEN p_item.reading -> 'patient' ELSE jsonb_build_object('identifiers', p_into) END,
                                          p_item.context ->> 'facility', p_item.context ->> 'region', p_item.at) r;
    IF NOT v_full THEN
        UPDATE radscheduler.patient p SET message_time = v_old.message_time WHERE p.site_id = p_item.site_id AND p.patient_id = keep_patient.patient_id;
    END IF;
    IF v_old.patient_id IS NULL AND p_given <> '{}' THEN
        UPDATE radscheduler.patient k
            SET (family_name, given_name, middle_name, suffix, display_name) = (
                    SELECT n.family_name, n.given_name, n.middle_name, n.suffix, n.display_name FROM (SELECT k.* UNION ALL SELECT g.*) n ORDER BY n.display_name = '' LIMIT 1),
                birth_date = coalesce(k.birth_date, g.birth_date), sex = coalesce(k.sex, g.sex),
                phone = CASE WHEN k.phone_as_sent IS NULL THEN g.phone ELSE k.phone END, phone_as_sent = coalesce(k.phone_as_sent, g.phone_as_sent)
            FROM radscheduler.patient g
            WHERE k.site_id = p_item.site_id AND k.patient_id = keep_patient.patient_id AND g.site_id = k.site_id AND g.patient_id = p_given[1];
    ELSIF v_old.patient_id IS NOT NULL THEN
        SELECT p.* INTO v_new FROM radscheduler.patient p WHERE p.site_id = p_item.site_id AND p.patient_id = keep_patient.patient_id;
        v_columns := radscheduler.changed_columns(to_jsonb(v_old), to_jsonb(v_new));
        IF v_columns IS NOT NULL THEN
            PERFORM radscheduler.tell_patient(p_item.site_id, patient_id, v_columns, p_item.message_id);
        END IF;
    END IF;
    is_changed := v_old.patient_id IS NULL OR v_columns IS NOT NULL;
END
$$;

COMMENT ON FUNCTION radscheduler.keep_patient(radscheduler.ingest_item, jsonb, bigint[]) IS
    'The patient whom a merge keeps, by the identifiers of its PID: brought up to date, or recorded. One who is new takes what PID does not say from the first of those given up; where there are none either, only the identifiers are recorded.';

CREATE OR REPLACE FUNCTION radscheduler.merge_pair(p_item radscheduler.ingest_item, p_into jsonb, p_from jsonb, OUT outcome text, OUT warnings jsonb) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    c_site     CONSTANT integer := p_item.site_id;
    c_facility CONSTANT text := p_item.context ->> 'facility';
    v_from     jsonb;
    v_given    bigint[];
    v_kept     record;
    v_overtaken boolean;
    v_changes  integer;
BEGIN
    outcome := 'ignored';
    warnings := '[]';
    IF radscheduler.is_ambiguous(c_site, c_facility, p_into || p_from) THEN
        warnings := warnings || radscheduler.warning('PATIENT_AMBIGUOUS', 'PID-3');
        RETURN;
    END IF;
    -- A number on both sides says nothing.
    SELECT coalesce(jsonb_agg(f.sent), '[]') INTO v_from FROM radscheduler.identifiers_known(c_site, c_facility, p_from) f
        WHERE NOT EXISTS (SELECT FROM radscheduler.identifiers_known(c_site, c_facility, p_into) i WHERE (i.value, i.authority, i.type) = (f.value, f.authority, f.type));
    IF v_from = '[]' THEN
        warnings := warnings || radscheduler.warning('MERGE_WITH_ITSELF', 'MRG-1');
        RETURN;
    END IF;
    SELECT coalesce(jsonb_agg(f.sent), '[]') INTO v_from FROM radscheduler.identifiers_known(c_site, c_facility, v_from) f WHERE coalesce(f.merged_at <= p_item.at, true);
    IF v_from = '[]' THEN
        outcome := 'stale';
        warnings := warnings || radscheduler.warning('STALE', 'MSH-7');
        RETURN;
    END IF;

    -- Was the one kept given up by a newer merge? Then whoever kept him keeps this one too, and his number does not come back.
    v_overtaken := EXISTS (SELECT FROM radscheduler.identifiers_known(c_site, c_facility, p_into) i WHERE i.merged_at > p_item.at);
    IF NOT v_overtaken THEN
        UPDATE radscheduler.patient_identifier n SET merged_at = NULL FROM radscheduler.identifiers_known(c_site, c_facility, p_into) i
            WHERE n.site_id = c_site AND (n.value, n.authority, n.type) = (i.value, i.authority, i.type) AND n.merged_at IS NOT NULL;
    END IF;
    v_given := radscheduler.patients_named(c_site, c_facility, v_from);
    SELECT * INTO v_kept FROM radscheduler.keep_patient(p_item, p_into, v_given);
    warnings := warnings || v_kept.warnings;
    v_given := array_remove(v_given, v_kept.patient_id);
    IF v_overtaken THEN
        SELECT coalesce(jsonb_agg(f.sent), '[]') INTO v_from FROM radscheduler.identifiers_known(c_site, c_facility, v_from) f WHERE f.patient_id IS DISTINCT FROM v_kept.patient_id;
    END IF;
    FOR k IN 1 .. cardinality(v_given) LOOP
        PERFORM radscheduler.merge_patient(c_site, v_given[k], v_kept.patient_id, p_item.message_id, p_item.at);
    END LOOP;

    WITH given AS (
        INSERT INTO radscheduler.patient_identifier AS n (site_id, authority, type, value, patient_id, merged_at)
        SELECT DISTINCT c_site, f.authority, f.type, f.value, v_kept.patient_id, p_item.at
        FROM radscheduler.identifiers_known(c_site, c_facility, v_from) f
        ON CONFLICT (site_id, value, authority, type) DO UPDATE SET merged_at = excluded.merged_at WHERE n.merged_at IS NULL OR n.merged_at < excluded.merged_at
        RETURNING 1
    )
    SELECT count(*) INTO v_changes FROM given;
    -- Nobody is shown under a number that was given up, not even by a message that came before.
    UPDATE radscheduler.patient p SET mrn = v_kept.mrn
        WHERE p.site_id = c_site AND p.patient_id = v_kept.patient_id AND NOT v_overtaken AND p.mrn <> v_kept.mrn AND radscheduler.is_given_up(c_site, p.patient_id, p.mrn);
    IF v_changes > 0 AND v_given = '{}' THEN
        PERFORM radscheduler.audit(c_site, 'patient.updated', 'patient', v_kept.patient_id, '{"columns": ["identifiers"]}');
    END IF;
    IF v_given <> '{}' OR v_changes > 0 OR v_kept.is_changed THEN
        outcome := 'applied';
    END IF;
END
$$;

COMMENT ON FUNCTION radscheduler.merge_pair(radscheduler.ingest_item, jsonb, jsonb) IS
    'One pair of a merge: identifiers of the patient kept and of the one given up. outcome is applied, ignored (they were one already) or stale.';

CREATE OR REPLACE FUNCTION radscheduler.merge_all(p_item radscheduler.ingest_item, OUT outcome text, OUT error jsonb, OUT warnings jsonb) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_site     CONSTANT integer := p_item.site_id;
    c_facility CONSTANT text := p_item.context ->> 'facility';
    c_merges   CONSTANT jsonb := p_item.reading -> 'merges';
    v_names    text[];
    v_locked   text[] := '{}';
    v_given    bigint[];
    v_people   bigint[];
    v_pair     record;
    v_outcomes text[] := '{}';
BEGIN
    outcome := 'error';
    warnings := '[]';
    error := radscheduler.merge_fault(c_merges);
    IF error IS NOT NULL THEN
        RETURN;
    END IF;
    LOOP
        v_names := radscheduler.merge_lock_names(c_site, c_facility, c_merges);
        EXIT WHEN v_names <@ v_locked;
        PERFORM radscheduler.lock_keys_at_once(v_names);
        v_locked := v_locked || v_names;
    END LOOP;
    v_given := ARRAY(SELECT unnest(radscheduler.patients_named(c_site, c_facility, m #> '{from,identifiers}')) FROM jsonb_array_elements(c_merges) m);
    -- What both are booked on, too: when lanes change, so do conflicts with others on the same resources.
    v_people := v_given || ARRAY(SELECT unnest(radscheduler.patients_named(c_site, c_facility, m #> '{into,identifiers}')) FROM jsonb_array_elements(c_merges) m);
    PERFORM radscheduler.lock_subjects(c_site,
        ARRAY(SELECT ar.resource_id FROM radscheduler.appointment a JOIN radscheduler.appointment_resource ar ON ar.site_id = a.site_id AND ar.appointment_id = a.appointment_id
              WHERE a.site_id = c_site AND a.patient_id = ANY (v_people) AND NOT radscheduler.is_closed(a.status)), v_people);
    PERFORM FROM radscheduler.appointment a WHERE a.site_id = c_site AND a.patient_id = ANY (v_given) ORDER BY a.appointment_id FOR UPDATE;
    FOR v_pair IN
        SELECT e.m FROM jsonb_array_elements(c_merges) WITH ORDINALITY e(m, place) ORDER BY e.place
    LOOP
        SELECT q.outcome, merge_all.warnings || q.warnings INTO merge_all.outcome, merge_all.warnings
            FROM radscheduler.merge_pair(p_item, v_pair.m #> '{into,identifiers}', v_pair.m #> '{from,identifiers}') q;
        v_outcomes := v_outcomes || outcome;
    END LOOP;
    outcome := CASE WHEN 'applied' = ANY (v_outcomes) THEN 'applied' WHEN 'stale' = ANY (v_outcomes) THEN 'stale' ELSE 'ignored' END;
END
$$;

COMMENT ON FUNCTION radscheduler.merge_all(radscheduler.ingest_item) IS
    'Applies every pair of a merge message in its order, under the locks that all of them need. Sets outcome, error and warnings.';

CREATE OR REPLACE FUNCTION radscheduler.find_order(p_item radscheduler.ingest_item, p_order jsonb, OUT order_id bigint, OUT is_reused boolean) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    c_names CONSTANT boolean := coalesce(p_item.reading #> '{patient,identifiers,0}', 'null') <> 'null';
BEGIN
    SELECT (array_agg(o.order_id ORDER BY o.filler_id = p_order ->> 'filler_id' DESC NULLS LAST, o.patient_id IS NULL, o.message_time DESC, o.order_id DESC)
                FILTER (WHERE NOT c_names OR o.patient_id IS NULL OR o.patient_id = p_item.patient_id))[1],
           coalesce(bool_or(c_names AND o.patient_id <> coalesce(p_item.patient_id, 0)), false)
        INTO find_order.order_id, find_order.is_reused
        FROM radscheduler.imaging_order o
        WHERE o.site_id = p_item.site_id AND o.sender_id = p_item.sender_id
          AND (o.filler_id = p_order ->> 'filler_id' OR o.placer_id = p_order ->> 'placer_id' AND (p_order ->> 'filler_id' IS NULL OR o.filler_id IS NULL));
END
$$;

COMMENT ON FUNCTION radscheduler.find_order(radscheduler.ingest_item, jsonb) IS
    'The order that a sender means, by filler number, else by placer number; NULL when it is not known. A number belongs to a patient: of another one''s order it says nothing (is_reused). The patient is resolved and the names of the order are locked.';

CREATE OR REPLACE FUNCTION radscheduler.order_modality(p_site integer, p_order jsonb) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN coalesce(radscheduler.modality_code(p_site, p_order ->> 'modality'),
        (SELECT p.modality FROM radscheduler.procedure p WHERE p.site_id = p_site AND p.code = p_order ->> 'code'),
        radscheduler.modality_guess(p_site, ARRAY[p_order ->> 'code'], ARRAY[p_order ->> 'text']));
END
$$;

COMMENT ON FUNCTION radscheduler.order_modality(integer, jsonb) IS 'DICOM modality of an order: said outright (OBR-24, IPC-5), by procedure table, by the letters or words of the exam; NULL when nothing tells.';

CREATE OR REPLACE FUNCTION radscheduler.apply_one_order(p_item radscheduler.ingest_item, p_order jsonb, OUT outcome text, OUT order_id bigint, OUT warnings jsonb) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_old  radscheduler.imaging_order;
    v_new  radscheduler.imaging_order;
    v_found record;
    v_late boolean;
    v_zone text := p_item.context ->> 'zone';
BEGIN
    SELECT * INTO v_found FROM radscheduler.find_order(p_item, p_order);
    SELECT o.* INTO v_old FROM radscheduler.imaging_order o WHERE o.site_id = p_item.site_id AND o.order_id = v_found.order_id;
    v_new := v_old;
    v_late := coalesce((p_item.at, coalesce(p_item.sequence, 0)) < (v_old.message_time, coalesce(v_old.message_sequence, 0)), false);
    warnings := '[]';
    outcome := 'applied';
    order_id := v_old.order_id;
    IF v_late THEN
        outcome := 'stale';
        warnings := warnings || radscheduler.warning('STALE', 'MSH-7');
        IF v_old.code IS NOT NULL OR v_old.text IS NOT NULL THEN
            RETURN;
        END IF;
    END IF;
    -- Sent overwrites, the HL7 null clears, not sent keeps.
    v_new.filler_id := coalesce(p_order ->> 'filler_id', v_old.filler_id);
    v_new.placer_id := coalesce(p_order ->> 'placer_id', v_old.placer_id);
    v_new.group_id := CASE WHEN p_order ? 'group_id' THEN p_order ->> 'group_id' ELSE v_old.group_id END;
    v_new.code := CASE WHEN p_order ? 'code' THEN p_order ->> 'code' ELSE v_old.code END;
    v_new.text := CASE WHEN p_order ? 'text' THEN p_order ->> 'text' ELSE v_old.text END;
    v_new.accession := CASE WHEN p_order ? 'accession' THEN p_order ->> 'accession' ELSE v_old.accession END;
    v_new.modality := CASE WHEN p_order ?| '{modality,code,text}' THEN coalesce(radscheduler.order_modality(p_item.site_id, p_order), v_old.modality) ELSE v_old.modality END;
    v_new.urgency := CASE WHEN p_order ? 'priority' THEN radscheduler.urgency_of(p_order ->> 'priority') ELSE coalesce(v_old.urgency, 'routine') END;
    v_new.ordered_by := CASE WHEN p_order ? 'ordered_by' THEN p_order ->> 'ordered_by' ELSE v_old.ordered_by END;
    v_new.reason := CASE WHEN p_order ? 'reason' THEN p_order ->> 'reason' ELSE v_old.reason END;
    IF p_order ? 'wanted_at' THEN
        v_new.wanted_at := radscheduler.to_instant(p_order ->> 'wanted_at', v_zone);
        v_new.wanted_on := coalesce(timezone(radscheduler.site_zone(p_item.site_id), v_new.wanted_at)::date, left(p_order ->> 'wanted_at', 10)::date);
    END IF;
    v_new.patient_id := coalesce(p_item.patient_id, v_old.patient_id);
    IF v_old.order_id IS NULL AND v_found.is_reused THEN
        warnings := warnings || radscheduler.warning('ORDER_NUMBER_REUSED', (p_order ->> 'path') || '-2');
    END IF;
    v_new.updated_at := now();
    IF NOT v_late THEN
        v_new.status := radscheduler.order_status(p_order ->> 'control', p_order ->> 'status', v_old.status);
        v_new.control := coalesce(p_order ->> 'control', v_old.control);
        v_new.message_time := p_item.at;
        v_new.message_sequence := p_item.sequence;
        v_new.message_id := p_item.message_id;
        IF p_order ->> 'control' IS NOT NULL AND NOT EXISTS (SELECT FROM radscheduler.order_rule r WHERE r.field = 'ORC-1' AND r.word = upper(p_order ->> 'control')) THEN
            warnings := warnings || radscheduler.warning('ORDER_CONTROL_UNKNOWN', (p_order ->> 'path') || '-1');
        END IF;
    END IF;

    IF v_old.order_id IS NULL THEN
        v_new.site_id := p_item.site_id;
        v_new.sender_id := p_item.sender_id;
        v_new.is_test := coalesce((p_item.context ->> 'is_test')::boolean, false);
        INSERT INTO radscheduler.imaging_order AS o (site_id, sender_id, placer_id, filler_id, group_id, patient_id, status, control, code, text, accession, modality, urgency,
                wanted_at, wanted_on, ordered_by, reason, is_test, message_time, message_sequence, message_id)
            VALUES (v_new.site_id, v_new.sender_id, v_new.placer_id, v_new.filler_id, v_new.group_id, v_new.patient_id, v_new.status, v_new.control, v_new.code, v_new.text, v_new.accession,
                v_new.modality, v_new.urgency, v_new.wanted_at, v_new.wanted_on, v_new.ordered_by, v_new.reason, v_new.is_test, v_new.message_time, v_new.message_sequence, v_new.message_id)
            RETURNING o.order_id INTO apply_one_order.order_id;
    ELSE
        UPDATE radscheduler.imaging_order o
            SET placer_id = v_new.placer_id, filler_id = v_new.filler_id, group_id = v_new.group_id, patient_id = v_new.patient_id, status = v_new.status, control = v_new.control,
                code = v_new.code, text = v_new.text, accession = v_new.accession, modality = v_new.modality, urgency = v_new.urgency, wanted_at = v_new.wanted_at,
                wanted_on = v_new.wanted_on, ordered_by = v_new.ordered_by, reason = v_new.reason, message_time = v_new.message_time,
                message_sequence = v_new.message_sequence, message_id = v_new.message_id, updated_at = v_new.updated_at
            WHERE o.site_id = v_old.site_id AND o.order_id = v_old.order_id;
    END IF;
    INSERT INTO radscheduler.event_log (site_id, type, message_id, data)
        VALUES (p_item.site_id, radscheduler.order_event(v_old.status, v_new.status), p_item.message_id,
                jsonb_strip_nulls(jsonb_build_object('order_id', order_id, 'status', v_new.status, 'control', v_new.control, 'modality', v_new.modality)));
    PERFORM radscheduler.audit(p_item.site_id, radscheduler.order_event(v_old.status, v_new.status), 'imaging_order', order_id, jsonb_build_object('message_id', p_item.message_id));
END
$$;

COMMENT ON FUNCTION radscheduler.apply_one_order(radscheduler.ingest_item, jsonb) IS
    'Applies one order of a message whose patient is resolved, and tells it. outcome is applied or stale. The caller has locked the names of the order.';

CREATE OR REPLACE FUNCTION radscheduler.order_event(p_old text, p_new text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN 'order.' || CASE WHEN p_old IS NULL AND p_new NOT IN ('CANCELLED', 'DISCONTINUED', 'COMPLETED', 'REPLACED', 'REFUSED') THEN 'created'
                            WHEN p_new IS DISTINCT FROM p_old AND p_new <> 'REQUESTED' THEN pg_catalog.lower(p_new) ELSE 'modified' END;

COMMENT ON FUNCTION radscheduler.order_event(text, text) IS 'Type of the event that a change of an order is told as; the old status is NULL for a new one.';

CREATE OR REPLACE FUNCTION radscheduler.apply_order(p_context jsonb, p_reading jsonb, p_message bigint, p_at timestamptz,
        OUT outcome text, OUT code text, OUT error jsonb, OUT appointment_id bigint, OUT warnings jsonb) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_item     radscheduler.ingest_item := radscheduler.item_of(p_context, p_reading, p_message, p_at);
    v_order    jsonb;
    v_known    record;
    v_applied  record;
    v_other    record;
    v_orders   bigint[] := '{}';
    v_outcomes text[] := '{}';
BEGIN
    outcome := 'error';
    code := 'AE';
    warnings := '[]';
    IF coalesce(p_reading -> 'orders', '[]') = '[]' THEN
        error := '{"code": "101", "path": "ORC", "text": "The message holds no order. Send an ORC or an OBR segment for each."}';
    END IF;
    SELECT f.patient_id INTO v_item.patient_id FROM radscheduler.find_patient(v_item.site_id, p_reading #> '{patient,identifiers}', p_context ->> 'facility') f;
    FOR v_order IN SELECT e.o FROM jsonb_array_elements(p_reading -> 'orders') WITH ORDINALITY e(o, place) ORDER BY e.place LOOP
        SELECT max(o.patient_id) AS patient_id, max(o.status) AS status INTO v_known
            FROM radscheduler.find_order(v_item, v_order) f JOIN radscheduler.imaging_order o ON o.site_id = v_item.site_id AND o.order_id = f.order_id;
        IF num_nonnulls(v_order ->> 'placer_id', v_order ->> 'filler_id') = 0 THEN
            error := jsonb_build_object('code', '101', 'path', (v_order ->> 'path') || '-2', 'text', 'An order needs a number. Send the placer''s in ORC-2 or the filler''s in ORC-3.');
        ELSIF coalesce(p_reading #> '{patient,identifiers,0}', 'null') = 'null' AND v_known.patient_id IS NULL
              AND radscheduler.order_status(v_order ->> 'control', v_order ->> 'status', v_known.status) NOT IN ('CANCELLED', 'DISCONTINUED', 'REPLACED', 'REFUSED') THEN
            error := '{"code": "101", "path": "PID-3", "text": "An order needs a patient identifier in PID-3. Send at least one."}';
        END IF;
        EXIT WHEN error IS NOT NULL;
    END LOOP;
    IF error IS NOT NULL THEN
        RETURN;
    END IF;

    code := 'AA';
    -- Whom it concerns is locked before the first row is written.
    v_other := radscheduler.other_subjects(ARRAY[v_item], v_item.site_id);
    PERFORM radscheduler.lock_subjects(v_item.site_id, v_other.resources, v_other.patients);
    SELECT r.patient_id, r.warnings INTO v_item.patient_id, apply_order.warnings
        FROM radscheduler.resolve_patient(v_item.site_id, p_reading -> 'patient', p_context ->> 'facility', p_context ->> 'region', p_at) r;
    FOR v_order IN SELECT e.o FROM jsonb_array_elements(p_reading -> 'orders') WITH ORDINALITY e(o, place) ORDER BY e.place LOOP
        SELECT * INTO v_applied FROM radscheduler.apply_one_order(v_item, v_order);
        v_outcomes := v_outcomes || v_applied.outcome;
        v_orders := v_orders || v_applied.order_id;
        warnings := warnings || v_applied.warnings;
    END LOOP;
    PERFORM radscheduler.complete_appointments(v_item.site_id, v_orders, p_message);
    outcome := CASE WHEN 'applied' = ANY (v_outcomes) THEN 'applied' ELSE 'stale' END;
END
$$;

COMMENT ON FUNCTION radscheduler.apply_order(jsonb, jsonb, bigint, timestamptz) IS
    'Applies an order message: every order of it is kept, and appointments for it take from it what they lack. Context and reading as apply_reading() takes them; p_at orders it against other messages of the same orders. Call it under lock_keys() on lock_names() of the message.';

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

CREATE OR REPLACE FUNCTION radscheduler.order_status(p_control text, p_sent text, p_old text) RETURNS text
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

CREATE OR REPLACE FUNCTION radscheduler.is_ordered_by(p_placer_orders text[], p_filler_orders text[], p_placer text, p_filler text, p_accession text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN COALESCE(p_placer = ANY (p_placer_orders), false) OR COALESCE(p_filler = ANY (p_filler_orders), false) OR COALESCE(p_accession = ANY (p_filler_orders), false);

COMMENT ON FUNCTION radscheduler.is_ordered_by(text[], text[], text, text, text) IS
    'Whether an appointment (SCH-26, SCH-27) is for an order (ORC-2, ORC-3, OBR-18) by its numbers; that both are of one patient is for the caller to ask.';

CREATE OR REPLACE FUNCTION radscheduler.orders_of(appointment bigint)
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

CREATE OR REPLACE FUNCTION radscheduler.appointments_of(imaging_order bigint)
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

CREATE OR REPLACE FUNCTION radscheduler.said_by_orders(p_site integer, p_patient bigint, p_placer_orders text[], p_filler_orders text[],
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

CREATE OR REPLACE FUNCTION radscheduler.complete_appointments(p_site integer, p_orders bigint[], p_message bigint) RETURNS void
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
        RETURN;
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
END
$$;

COMMENT ON FUNCTION radscheduler.complete_appointments(integer, bigint[], bigint) IS
    'Gives open appointments for these orders what said_by_orders() finds and they lack; each that changes gets a version.';

CREATE OR REPLACE FUNCTION radscheduler.ended_orders(p_site integer, p_before timestamptz, p_orders bigint[] DEFAULT NULL) RETURNS SETOF bigint
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

CREATE OR REPLACE FUNCTION radscheduler.delete_orders(p_site integer, p_orders bigint[]) RETURNS bigint
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

CREATE OR REPLACE FUNCTION radscheduler.lock_new_senders(p_messages bytea[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_message bytea;
    v_header  jsonb;
    v_pair    text[];
    v_last    text[];
    v_pairs   text[] := '{}';
    v_key     integer;
BEGIN
    FOREACH v_message IN ARRAY p_messages LOOP
        v_header := radscheduler.hl7_header(v_message) -> 'header';
        v_pair := ARRAY[coalesce(v_header ->> 'sending_application', ''), coalesce(v_header ->> 'sending_facility', '')];
        IF v_pair IS DISTINCT FROM v_last THEN
            v_pairs := v_pairs || array_to_string(v_pair, '|');
            v_last := v_pair;
        END IF;
    END LOOP;
    -- One sender waits for nobody while it holds anything.
    IF cardinality(v_pairs) > 1 THEN
        FOR v_key IN SELECT DISTINCT radscheduler.lock_key('sender/' || p, radscheduler.lock_secret()) FROM unnest(v_pairs) p
                     WHERE NOT EXISTS (SELECT FROM radscheduler.sender s WHERE s.sending_application || '|' || s.sending_facility = p) ORDER BY 1
        LOOP
            PERFORM pg_advisory_xact_lock(7421006, v_key);
        END LOOP;
    END IF;
END
$$;

COMMENT ON FUNCTION radscheduler.lock_new_senders(bytea[]) IS
    'Before phase one, for a batch of several senders: transaction locks on those that are not known, in ascending order of their keys, under which they are recorded.';

CREATE OR REPLACE FUNCTION radscheduler.lock_ahead(p_items radscheduler.ingest_item[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_item      radscheduler.ingest_item;
    v_sites     integer[] := ARRAY(SELECT DISTINCT i.site_id FROM unnest(p_items) i WHERE i.outcome IS NULL ORDER BY 1);
    v_resources bigint[];
    v_patients  bigint[];
    v_other     record;
    v_pools     text[];
    v_known     bigint[];
    v_placeless boolean[] := radscheduler.name_no_place(p_items);
BEGIN
    FOR s IN 1 .. cardinality(v_sites) LOOP
        FOREACH v_item IN ARRAY p_items LOOP
            IF v_item.site_id = v_sites[s] AND v_item.outcome IS NULL AND v_item.action IN ('schedule', 'block')
               AND (radscheduler.find_resources(v_item.site_id, v_item.reading -> 'resources')).missing THEN
                PERFORM radscheduler.lock_new_resources(v_sites[s]);
                EXIT;
            END IF;
        END LOOP;
    END LOOP;
    FOR s IN 1 .. cardinality(v_sites) LOOP
        v_resources := NULL;
        v_patients := NULL;
        v_pools := NULL;
        v_known := NULL;
        FOR k IN 1 .. cardinality(p_items) LOOP
            v_item := p_items[k];
            CONTINUE WHEN v_item.outcome IS NOT NULL OR v_item.site_id <> v_sites[s];
            IF v_placeless[k] AND v_item.action = 'schedule' THEN
                v_pools := v_pools || radscheduler.modality_of(v_sites[s], v_item.reading, NULL);
            END IF;
            v_known := v_known || ARRAY(SELECT a.appointment_id FROM radscheduler.appointment a
                WHERE a.site_id = v_item.site_id AND a.sender_id = v_item.sender_id AND (a.filler_id = v_item.filler_id OR a.placer_id = v_item.placer_id));
            v_resources := v_resources || (radscheduler.find_resources(v_item.site_id, v_item.reading -> 'resources')).resource_ids;
            v_patients := v_patients || (radscheduler.find_patient(v_item.site_id, v_item.reading #> '{patient,identifiers}', v_item.context ->> 'facility')).patient_id;
        END LOOP;
        v_other := radscheduler.other_subjects(p_items, v_sites[s]);
        PERFORM radscheduler.lock_subjects(v_sites[s],
            v_resources || v_other.resources || radscheduler.pool_scanners(v_sites[s], v_pools, v_known)
                || ARRAY(SELECT r.resource_id FROM radscheduler.appointment_resource r WHERE r.site_id = v_sites[s] AND r.appointment_id = ANY (v_known)),
            v_patients || v_other.patients || ARRAY(SELECT a.patient_id FROM radscheduler.appointment a WHERE a.site_id = v_sites[s] AND a.appointment_id = ANY (v_known)));
    END LOOP;
    FOR s IN 1 .. cardinality(v_sites) LOOP
        PERFORM radscheduler.lock_settling(v_sites[s], true);
    END LOOP;
END
$$;

COMMENT ON FUNCTION radscheduler.lock_ahead(radscheduler.ingest_item[]) IS
    'For messages that are applied in several waves, after their names are locked: the right to record resources at sites where one is unknown, then every resource and patient of all of them, and the settling of conflicts, before the first row is written. Two batches cannot wait for each other.';

CREATE OR REPLACE FUNCTION radscheduler.lock_batch(p_messages bytea[], p_channel text, p_peer text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_items radscheduler.ingest_item[] := '{}';
    v_names text[];
BEGIN
    PERFORM radscheduler.lock_new_senders(p_messages);
    -- Opened only to see what they name: a sender that is recorded on the way is recorded again, and told, by the message itself.
    BEGIN
        FOR k IN 1 .. cardinality(p_messages) LOOP
            BEGIN
                v_items := v_items || radscheduler.open_message(p_messages[k], p_channel, p_peer);
                IF v_items[cardinality(v_items)].outcome IS NULL THEN
                    v_names := v_names || radscheduler.lock_names(v_items[cardinality(v_items)]);
                END IF;
            EXCEPTION WHEN OTHERS THEN
                IF radscheduler.is_passing(SQLSTATE) THEN
                    RAISE;
                END IF;
            END;
        END LOOP;
        RAISE EXCEPTION 'seen enough' USING ERRCODE = 'RS005';
    EXCEPTION WHEN SQLSTATE 'RS005' THEN
        NULL;
    END;
    PERFORM radscheduler.lock_keys(v_names);
    PERFORM radscheduler.lock_ahead(v_items);
END
$$;

COMMENT ON FUNCTION radscheduler.lock_batch(bytea[], text, text) IS
    'Takes the locks of all messages of a batch that go one by one after all, each with its own safety net. One that cannot be opened names nothing and will be answered so.';

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
    SELECT c.axis, c.subject_id, c.code,
           format(k.text, coalesce(r.name, radscheduler.rule_subject(c.site_id, c.code, c.appointment_id))) || CASE WHEN o.appointment_id IS NULL THEN ''
               ELSE format(' Appointment %s%s %s.', o.appointment_id,
                           CASE WHEN o.sender_id = p_item.sender_id THEN format(' (%s)', coalesce('SCH-2 ' || o.filler_id, 'SCH-1 ' || o.placer_id)) ELSE '' END,
                           CASE WHEN c.code = 'PATIENT_TRAVEL' THEN 'is too close' ELSE 'holds that time' END) END AS text
        INTO v_conflict
        FROM radscheduler.conflict c JOIN radscheduler.conflict_kind k ON k.code = c.code
        LEFT JOIN radscheduler.resource r ON c.axis = 'resource' AND r.site_id = c.site_id AND r.resource_id = c.subject_id
        LEFT JOIN radscheduler.appointment o ON o.site_id = c.site_id AND o.appointment_id = CASE c.appointment_id WHEN p_item.appointment_id THEN c.other_appointment_id ELSE c.appointment_id END
        WHERE c.site_id = p_item.site_id AND c.state = 'open' AND c.severity = 'critical'
          AND (c.appointment_id = p_item.appointment_id OR c.other_appointment_id = p_item.appointment_id)
        ORDER BY c.appointment_id = p_item.appointment_id DESC, radscheduler.is_rule(c.code), c.conflict_id LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the sender''s profile refuses bookings that conflict' USING ERRCODE = 'RS001', DETAIL = jsonb_build_object(
            'error', jsonb_build_object('code', '207', 'text', v_conflict.text, 'path', coalesce(
                (SELECT (e.item ->> 'path') || CASE WHEN e.item ->> 'path' LIKE '%-3%' THEN '' ELSE '-3' END
                 FROM jsonb_array_elements(p_item.reading -> 'resources') WITH ORDINALITY e(item, place)
                 WHERE v_conflict.axis = 'resource' AND p_item.resource_ids[e.place] = v_conflict.subject_id ORDER BY e.place LIMIT 1),
                CASE v_conflict.code WHEN 'PATIENT_DOUBLE_BOOKED' THEN 'PID-3' ELSE 'SCH-11' END)),
            'warnings', p_item.warnings, 'conflicts', radscheduler.conflicts_of(p_item.site_id, p_item.appointment_id))::text;
    END IF;
END
$$;

COMMENT ON FUNCTION radscheduler.refuse_conflict(radscheduler.ingest_item) IS
    'For senders whose profile says on_conflict reject: raises RS001 when the appointment of a message that asks for time has a critical conflict, with the error to answer (at the AIx field that asked for the resource, at the patient, or at the time), warnings and conflicts as DETAIL.';

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
            IF v_items[k].context #>> '{profile,on_conflict}' = 'reject' AND v_items[k].asks_time THEN
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
    v_known radscheduler.ingest_item[];
    v_item  radscheduler.ingest_item;
    v_names text[];
    v_waves integer[];
    v_order integer[];
BEGIN
    IF cardinality(p_messages) > 1 THEN
        PERFORM radscheduler.lock_new_senders(p_messages);
    END IF;
    FOR k IN 1 .. cardinality(p_messages) LOOP
        v_item := radscheduler.open_message(p_messages[k], p_channel, p_peer, v_item.context);
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
        IF cardinality(v_wave) > 0 THEN
            v_known := radscheduler.guard_items(v_wave);
            v_wave := '{}';
            FOREACH v_item IN ARRAY v_known LOOP
                IF v_item.outcome IS NULL THEN
                    v_wave := v_wave || v_item;
                ELSE
                    v_apart := v_apart || v_item;
                END IF;
            END LOOP;
        END IF;
        -- Within a wave messages are numbered by their place there; their places in the batch they have again afterwards.
        v_order := ARRAY(SELECT i.ordinal FROM unnest(v_apart || v_wave) WITH ORDINALITY i ORDER BY i.ordinality);
        IF cardinality(v_wave) > 0 THEN
            v_wave := radscheduler.process_items(v_wave);
        END IF;
        v_known := v_apart || v_wave;
        v_wave := '{}';
        FOREACH v_item IN ARRAY v_known LOOP
            v_item.ordinal := v_order[cardinality(v_wave) + 1];
            IF v_item.ack IS NULL THEN
                v_item.ack := radscheduler.answer(v_item.raw, v_item.code, v_item.message_id, v_item.context ->> 'zone', v_item.error,
                                                  v_item.conflicts, v_item.context #>> '{profile,charset}', v_item.warnings);
            END IF;
            IF v_item.error IS NOT NULL THEN
                DELETE FROM radscheduler.message_key m WHERE m.site_id = v_item.site_id AND m.sender_id = v_item.sender_id AND m.message_id = v_item.message_id
                    AND m.control_id = v_item.context #>> '{header,control_id}' AND m.body_sha256 = v_item.raw_sha256;
            END IF;
            v_wave := v_wave || v_item;
        END LOOP;
        PERFORM radscheduler.log_items(v_wave);
        v_done := v_done || v_wave;
    END LOOP;
    RETURN v_done;
END
$$;

COMMENT ON FUNCTION radscheduler.ingest_many(bytea[], text, text) IS
    'ingest_batch() without its safety net: an unexpected error is raised. Items come back numbered by their place, not in order.';

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
    FOR v_attempt IN 1..10 LOOP
        BEGIN
            v_items := radscheduler.ingest_many(ARRAY[p_bytes], p_channel, p_peer);
            RETURN v_items[1];
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_constraint = CONSTRAINT_NAME, v_detail = PG_EXCEPTION_DETAIL;
            IF radscheduler.is_passing(v_state) THEN
                RAISE;
            END IF;
        END;
        -- Somebody else was quicker (lock_keys_at_once()): the locks are let go, and it begins anew.
        EXIT WHEN v_state <> 'RS004';
    END LOOP;
    IF v_state = 'RS004' THEN
        RAISE EXCEPTION 'the records changed each time while the message waited for them' USING ERRCODE = 'serialization_failure', HINT = 'Send the message again.';
    END IF;
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
        -- One of them failed: each goes alone, and only that one is answered AE. Their locks are taken together all the same.
        PERFORM radscheduler.lock_batch(messages, channel, peer);
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
    SELECT c.code, radscheduler.is_rule(c.code) AS is_rule, k.text, r.name, o.appointment_id AS other_appointment_id, o.starts_at, o.ends_at, c.alternatives INTO v_conflict
        FROM radscheduler.conflict c
        JOIN radscheduler.conflict_kind k ON k.code = c.code
        LEFT JOIN radscheduler.appointment o ON o.site_id = c.site_id AND o.appointment_id = CASE c.appointment_id WHEN p_appointment THEN c.other_appointment_id ELSE c.appointment_id END
        LEFT JOIN radscheduler.resource r ON c.axis = 'resource' AND r.site_id = c.site_id AND r.resource_id = c.subject_id
        WHERE c.site_id = p_site AND p_appointment IN (c.appointment_id, c.other_appointment_id) AND c.state = 'open' AND c.severity = 'critical'
        ORDER BY c.other_appointment_id IS NULL, c.conflict_id LIMIT 1;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    RAISE EXCEPTION '%', format(v_conflict.text, coalesce(v_conflict.name, radscheduler.rule_subject(p_site, v_conflict.code, p_appointment)))
        USING ERRCODE = 'exclusion_violation', SCHEMA = 'radscheduler', TABLE = CASE WHEN v_conflict.is_rule THEN 'conflict' ELSE 'occupancy' END,
              CONSTRAINT = CASE WHEN v_conflict.is_rule THEN '' ELSE 'occupancy_no_overlap' END,
              DETAIL = CASE WHEN v_conflict.other_appointment_id IS NULL THEN format('%s: rule of this site.', v_conflict.code)
                  ELSE format('%s: appointment %s holds %s to %s (%s).', v_conflict.code, v_conflict.other_appointment_id,
                              to_char(timezone(v_zone, v_conflict.starts_at), 'YYYY-MM-DD HH24:MI'),
                              to_char(timezone(v_zone, v_conflict.ends_at), 'HH24:MI'), v_zone) END,
              HINT = coalesce('Free instead: ' || (SELECT string_agg(format('%s on %s', to_char(timezone(v_zone, (a ->> 'start')::timestamptz), 'YYYY-MM-DD HH24:MI'), a ->> 'resource'), ', ')
                                                   FROM jsonb_array_elements(v_conflict.alternatives) a) || '.',
                              'Choose another time; radscheduler.find_slots() lists free ones.');
END
$$;

COMMENT ON FUNCTION radscheduler.raise_conflict(integer, bigint) IS
    'Refuses a booking that has a critical conflict, on either side of it: raises 23P01 with the other appointment in DETAIL and free times in HINT. No patient data.';

CREATE OR REPLACE FUNCTION radscheduler.appointment_lock_names(p_site integer, p_appointment bigint) RETURNS text[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- In a series a number may follow the identifier (appointment_key()), which messages do not lock.
    RETURN (SELECT ARRAY['appointment/' || a.sender_id || '/F/' || split_part(a.filler_id, '^', 1), 'appointment/' || a.sender_id || '/P/' || split_part(a.placer_id, '^', 1),
                         'appointment/' || a.sender_id || '/F/' || regexp_replace(split_part(a.filler_id, '^', 1), '#[^#]*$', ''),
                         'appointment/' || a.sender_id || '/P/' || regexp_replace(split_part(a.placer_id, '^', 1), '#[^#]*$', '')]
    FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointment);
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.appointments_write() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
DECLARE
    v_site      integer := CASE WHEN TG_OP = 'INSERT' THEN radscheduler.current_site() END;
    v_zone      text;
    v_id        bigint;
    v_old       radscheduler.appointment;
    v_values    record;
    v_modality  text;
    v_fault     text;
    v_patient   bigint := NULL;
    v_owner     bigint;
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
        v_modality := v_values.modality;
        v_fault := CASE WHEN radscheduler.clock_doubt(to_char(NEW.datetime, 'YYYY-MM-DD"T"HH24:MI:SS.US'), v_zone) = 'TIME_IN_DST_GAP' THEN 'gap' END;
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
    IF TG_OP <> 'DELETE' THEN
        v_patient := (radscheduler.find_patient(v_site, jsonb_build_array(jsonb_build_object('value', NEW.patient_id)), '')).patient_id;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        v_id := OLD.id;
        SELECT array_agg(ar.resource_id) INTO v_resources FROM radscheduler.appointment_resource ar WHERE ar.site_id = v_site AND ar.appointment_id = v_id;
        SELECT a.patient_id INTO v_owner FROM radscheduler.appointment a WHERE a.site_id = v_site AND a.appointment_id = v_id;
        PERFORM radscheduler.lock_subjects(v_site, v_resources || radscheduler.pool_scanners(v_site, ARRAY[CASE WHEN v_resources IS NULL THEN v_modality END], ARRAY[v_id]), ARRAY[v_patient, v_owner]);
        SELECT * INTO v_old FROM radscheduler.appointment a WHERE a.site_id = v_site AND a.appointment_id = v_id FOR UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the appointment was removed while this change waited for it' USING ERRCODE = 'serialization_failure', HINT = 'Look again, it is no longer there.';
        ELSIF v_old.patient_id <> v_owner THEN
            RAISE EXCEPTION 'the appointment passed to another patient while this change waited for it' USING ERRCODE = 'serialization_failure', HINT = 'Run it again.';
        END IF;
    ELSE
        PERFORM radscheduler.lock_subjects(v_site, radscheduler.pool_scanners(v_site, ARRAY[v_modality], NULL), ARRAY[v_patient]);
    END IF;
    v_patient := NULL;
    IF TG_OP = 'INSERT' OR TG_OP = 'UPDATE' AND (NEW.patient_id, NEW.patient_name, NEW.patient_phone) IS DISTINCT FROM (OLD.patient_id, OLD.patient_name, OLD.patient_phone) THEN
        SELECT p.patient_id INTO v_patient FROM radscheduler.resolve_patient(v_site,
            jsonb_build_object('identifiers', jsonb_build_array(jsonb_build_object('value', NEW.patient_id)),
                               CASE WHEN TG_OP = 'INSERT' OR NEW.patient_name <> OLD.patient_name THEN 'display' ELSE 'display_if_new' END, NEW.patient_name)
            || CASE WHEN TG_OP = 'INSERT' AND NEW.patient_phone IS NULL OR TG_OP = 'UPDATE' AND NEW.patient_phone IS NOT DISTINCT FROM OLD.patient_phone THEN '{}'
                    WHEN NEW.patient_phone IS NULL THEN '{"phones": []}'
                    ELSE jsonb_build_object('phones', jsonb_build_array(jsonb_build_object('value', NEW.patient_phone))) END,
            '', (SELECT s.phone_region FROM radscheduler.site s WHERE s.site_id = v_site)) p;
    END IF;

    -- The row.
    IF TG_OP = 'INSERT' THEN
        INSERT INTO radscheduler.appointment AS a (site_id, patient_id, status, starts_at, ends_at, modality, study_text, referring_physician, urgency, notes, source, booked_at, time_fault, is_pooled)
            VALUES (v_site, v_patient, v_status, v_starts, v_ends, v_values.modality, NEW.study_type, NEW.referring_physician, v_values.urgency, NEW.notes, coalesce(NEW.source, 'SQL'), now(), v_fault,
                    v_starts IS NOT NULL AND radscheduler.takes_time(v_status, false))
            RETURNING a.appointment_id INTO v_id;
    ELSIF TG_OP = 'UPDATE' THEN
        v_shift := nullif(v_starts - v_old.starts_at, interval '0');
        IF NEW.status = OLD.status THEN
            v_status := CASE WHEN v_old.review_reason = 'CONFLICT' THEN coalesce(v_old.resume_status, v_old.status) ELSE v_old.status END;
        END IF;
        UPDATE radscheduler.appointment a SET patient_id = coalesce(v_patient, a.patient_id), status = v_status,
               review_reason = CASE WHEN v_status = 'PENDING_REVIEW' THEN a.review_reason END, resume_status = NULL,
               starts_at = v_starts, ends_at = v_ends, time_fault = CASE WHEN (v_starts, v_ends) IS DISTINCT FROM (a.starts_at, a.ends_at) THEN v_fault ELSE a.time_fault END, modality = v_values.modality, study_text = NEW.study_type,
               referring_physician = NEW.referring_physician, urgency = v_values.urgency, notes = NEW.notes,
               reschedule_count = a.reschedule_count + CASE WHEN v_shift IS NULL THEN 0 ELSE 1 END,
               original_starts_at = CASE WHEN v_shift IS NULL THEN a.original_starts_at ELSE coalesce(a.original_starts_at, a.starts_at) END,
               moved_at = CASE WHEN (v_starts, v_ends) IS DISTINCT FROM (a.starts_at, a.ends_at) OR radscheduler.is_closed(a.status) THEN now() ELSE a.moved_at END,
               ending = NULL, version = a.version + 1, updated_at = now()
            WHERE a.site_id = v_site AND a.appointment_id = v_id;
        PERFORM radscheduler.shift_rows(v_site, v_id, v_shift, v_old.ends_at, v_ends);
    ELSE
        IF radscheduler.is_closed(v_old.status) THEN
            RETURN OLD;
        END IF;
        UPDATE radscheduler.appointment a SET status = 'CANCELLED', review_reason = NULL, resume_status = NULL, ending = NULL, version = a.version + 1, updated_at = now()
            WHERE a.site_id = v_site AND a.appointment_id = v_id;
    END IF;

    -- Its time, and whether that may be.
    IF radscheduler.takes_time(v_status, coalesce(v_old.holds_time, false)) THEN
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

CREATE OR REPLACE FUNCTION radscheduler.log_json(p_context jsonb, p_bytes bytea, p_result radscheduler.ingest_result, p_error jsonb, p_duplicate_of bigint, p_received timestamptz, p_applied radscheduler.ingest_item DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_item radscheduler.ingest_item := p_applied;
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

COMMENT ON FUNCTION radscheduler.log_json(jsonb, bytea, radscheduler.ingest_result, jsonb, bigint, timestamptz, radscheduler.ingest_item) IS 'log_items() of one JSON body and what became of it; p_applied is what apply_reading() made of it.';

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
    v_applied  radscheduler.ingest_item;
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
        v_applied := radscheduler.apply_reading(v_context, v_read.reading, r.message_id, v_received);
        v_error := v_applied.error;
        r.outcome := v_applied.outcome;
        r.appointment_id := v_applied.appointment_id;
        r.warnings := v_applied.warnings;
        r.conflicts := radscheduler.conflicts_of(v_site, r.appointment_id);
    END IF;
    r.code := CASE WHEN v_error IS NULL THEN 'AA' ELSE 'AE' END;
    r.outcome := CASE WHEN v_error IS NULL THEN r.outcome ELSE 'error' END;
    r.ack := convert_to(jsonb_strip_nulls(jsonb_build_object('code', r.code, 'message_id', r.message_id, 'appointment_id', r.appointment_id, 'error', v_error))::text, 'UTF8');
    PERFORM radscheduler.log_json(v_context, v_bytes, r, v_error, NULL, v_received, v_applied);
    RETURN r;
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.configuration_block_entry(p_during tstzrange, p_reason text, p_kind text) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT jsonb_strip_nulls(jsonb_build_object('starts_at', radscheduler.configuration_moment(lower(p_during)),
        'ends_at', radscheduler.configuration_moment(upper(p_during)), 'reason', p_reason, 'kind', nullif(p_kind, 'block'))));
END
$$;

COMMENT ON FUNCTION radscheduler.configuration_block_entry(tstzrange, text, text) IS 'One block as a configuration document writes it: {starts_at, ends_at, reason, kind}; kind is left out for block.';

CREATE OR REPLACE FUNCTION radscheduler.configuration_blocks(p_site integer, p_resource bigint, OUT block_id bigint, OUT entry jsonb) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 5 SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN QUERY SELECT b.block_id, radscheduler.configuration_block_entry(b.during, b.reason, b.kind)
        FROM radscheduler.resource_block b WHERE b.site_id = p_site AND b.resource_id = p_resource AND upper(b.during) > now() AND b.sender_block_id IS NULL;
END
$$;

COMMENT ON FUNCTION radscheduler.configuration_blocks(integer, bigint) IS 'Blocks of a resource that have not ended, with their ids. Those that a sender told of (S23) are its records, no configuration.';

CREATE OR REPLACE FUNCTION radscheduler.configuration_site(p_site integer) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT jsonb_build_object('code', s.code, 'name', s.name, 'timezone', s.timezone, 'phone_region', s.phone_region, 'slot_minutes', s.slot_minutes,
        'unknown_senders', s.unknown_senders, 'default_profile', s.default_profile, 'travel_minutes', s.travel_minutes, 'campus_minutes', s.campus_minutes,
        'rules', (SELECT coalesce(jsonb_agg(jsonb_build_object('code', r.code, 'severity', r.severity) ORDER BY r.code COLLATE "C"), '[]')
                  FROM radscheduler.rule_setting r WHERE r.site_id = p_site),
        'hours', (SELECT coalesce(jsonb_agg(h.entry ORDER BY h.entry -> 'weekday', h.entry ->> 'opens' COLLATE "C", h.entry), '[]')
                  FROM (SELECT DISTINCT c.entry FROM radscheduler.configuration_hours(p_site, NULL) c) h))
        FROM radscheduler.site s WHERE s.site_id = p_site);
END
$$;

COMMENT ON FUNCTION radscheduler.configuration_site(integer) IS 'A site with its opening hours and its view of rules, without its lists: {code, name, timezone, phone_region, slot_minutes, unknown_senders, default_profile, travel_minutes, campus_minutes, rules: [{code, severity}], hours}.';

CREATE OR REPLACE FUNCTION radscheduler.configuration_procedure(p_site integer, p_code text) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT jsonb_build_object('code', p.code, 'name', p.name, 'modality', p.modality, 'minutes', p.minutes, 'contrast', p.contrast, 'prep', p.prep,
        'aliases', (SELECT coalesce(jsonb_agg(a.alias ORDER BY a.alias COLLATE "C"), '[]') FROM radscheduler.procedure_alias a
                    WHERE a.site_id = p_site AND a.code = p_code))
        FROM radscheduler.procedure p WHERE p.site_id = p_site AND p.code = p_code);
END
$$;

COMMENT ON FUNCTION radscheduler.configuration_procedure(integer, text) IS 'A procedure with the other codes that mean it: {code, name, modality, minutes, contrast, prep, aliases}; NULL when there is none.';

CREATE OR REPLACE FUNCTION radscheduler.configuration_resource(p_site integer, p_resource bigint) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT jsonb_build_object('code', r.code, 'kind', r.kind, 'name', r.name, 'role', r.role, 'modality', r.modality, 'modalities', to_jsonb(r.modalities), 'capacity', r.capacity,
        'location', r.location, 'campus', r.campus,
        'setup_minutes', r.setup_minutes, 'turnover_minutes', r.turnover_minutes, 'is_active', r.is_active, 'is_registered', r.is_registered,
        'aliases', (SELECT coalesce(jsonb_agg(CASE WHEN a.kind = r.kind THEN to_jsonb(a.alias) ELSE jsonb_build_object('kind', a.kind, 'alias', a.alias) END
                                              ORDER BY a.kind = r.kind DESC, a.kind, a.alias COLLATE "C"), '[]')
                    FROM radscheduler.resource_alias a WHERE a.site_id = p_site AND a.resource_id = p_resource),
        'hours', (SELECT coalesce(jsonb_agg(h.entry ORDER BY h.entry -> 'weekday', h.entry ->> 'opens' COLLATE "C", h.entry), '[]')
                  FROM (SELECT DISTINCT c.entry FROM radscheduler.configuration_hours(p_site, p_resource) c) h),
        'blocks', (SELECT coalesce(jsonb_agg(b.entry ORDER BY b.entry ->> 'starts_at' COLLATE "C", b.entry), '[]')
                   FROM (SELECT DISTINCT c.entry FROM radscheduler.configuration_blocks(p_site, p_resource) c) b))
        FROM radscheduler.resource r WHERE r.site_id = p_site AND r.resource_id = p_resource);
END
$$;

COMMENT ON FUNCTION radscheduler.configuration_resource(integer, bigint) IS
    'A resource with all its names (its own code among them; {kind, alias} for a name used under another kind), own hours and blocks that have not ended: {code, kind, name, role, modality, modalities, capacity, location, campus, setup_minutes, turnover_minutes, is_active, is_registered, aliases, hours, blocks}; NULL when there is none.';

CREATE OR REPLACE FUNCTION radscheduler.configuration_export() RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
DECLARE
    v_visible integer[] := radscheduler.visible_sites();
    v_site    record;
    v_entry   jsonb;
    v_sites   jsonb := '[]';
BEGIN
    FOR v_site IN SELECT s.site_id, s.code FROM radscheduler.site s WHERE s.site_id = ANY (v_visible) ORDER BY s.code COLLATE "C" LOOP
        IF EXISTS (SELECT FROM radscheduler.resource r WHERE r.site_id = v_site.site_id GROUP BY r.kind, r.code HAVING count(*) > 1) THEN
            RAISE EXCEPTION 'site "%" has two resources of the same kind and code, which a document could not tell apart', v_site.code
                USING ERRCODE = 'object_not_in_prerequisite_state',
                      HINT = 'SELECT site_id, kind, code FROM radscheduler.resource GROUP BY 1, 2, 3 HAVING count(*) > 1; give one of them another code.';
        END IF;
        -- The own code of a modality or resource is one of its names without being listed; a procedure is found by its code anyway. Sections of later tables join here.
        v_entry := radscheduler.configuration_site(v_site.site_id) || jsonb_build_object(
            'senders', (SELECT coalesce(jsonb_agg(radscheduler.configuration_sender(s.site_id, s.sending_application, s.sending_facility)
                                                  ORDER BY s.sending_application COLLATE "C", s.sending_facility COLLATE "C"), '[]')
                        FROM radscheduler.sender s WHERE s.site_id = v_site.site_id),
            'modalities', (SELECT coalesce(jsonb_agg(jsonb_set(c.item, '{aliases}', (c.item -> 'aliases') - upper(m.code)) ORDER BY m.code COLLATE "C"), '[]')
                           FROM radscheduler.modality m, LATERAL radscheduler.configuration_modality(m.site_id, m.code) c(item) WHERE m.site_id = v_site.site_id),
            'procedures', (SELECT coalesce(jsonb_agg(radscheduler.configuration_procedure(p.site_id, p.code) ORDER BY p.code COLLATE "C"), '[]')
                           FROM radscheduler.procedure p WHERE p.site_id = v_site.site_id),
            'resources', (SELECT coalesce(jsonb_agg(jsonb_set(c.item, '{aliases}', (c.item -> 'aliases') - upper(r.code)) ORDER BY r.kind, r.code COLLATE "C"), '[]')
                          FROM radscheduler.resource r, LATERAL radscheduler.configuration_resource(r.site_id, r.resource_id) c(item)
                          WHERE r.site_id = v_site.site_id));
        v_sites := v_sites || jsonb_build_array(v_entry);
        PERFORM radscheduler.audit(v_site.site_id, 'configuration.export', 'site', v_site.site_id,
            (SELECT jsonb_object_agg(l.name, jsonb_array_length(v_entry -> l.name)) FROM unnest(ARRAY['senders', 'modalities', 'procedures', 'resources']) l(name)));
    END LOOP;
    RETURN jsonb_build_object('format', 'radscheduler.configuration', 'version', 1,
                              'exported_at', radscheduler.configuration_moment(date_trunc('second', now())), 'sites', v_sites);
END
$$;

COMMENT ON FUNCTION radscheduler.configuration_export() IS
    'The configuration of the sites the caller may use as one document for configuration_import(): {format: radscheduler.configuration, version: 1, exported_at (UTC), sites: [{code, name, timezone, phone_region, slot_minutes, unknown_senders, default_profile, travel_minutes, campus_minutes, rules, hours, senders, modalities, procedures, resources}]}. Hours are wall-clock time of the site, valid_until is the last day; blocks are in UTC, only those that have not ended. The own code of a modality or resource is one of its aliases without being listed. Everything is sorted: the same configuration is the same text but for exported_at. Writes one audit event per site. Raises 55000 when a site has two resources of the same kind and code.';

CREATE OR REPLACE FUNCTION radscheduler.configuration_fields(p_item text, OUT field text, OUT kind text, OUT need text, OUT is_nullable boolean,
                                                  OUT low integer, OUT high integer) RETURNS SETOF record
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE ROWS 10 SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN QUERY SELECT f.field, f.kind, f.need, f.is_nullable, f.low, f.high FROM (VALUES
        (101, 'document', 'format'::text, 'text'::text, 'always'::text, false, NULL::integer, NULL::integer),
        (102, 'document', 'version', 'integer', 'always', false, 1, 1),
        (103, 'document', 'exported_at', 'text', '', false, NULL, NULL),
        (104, 'document', 'sites', 'list:site', 'always', false, NULL, NULL),
        (201, 'site', 'code', 'site_code', 'key', false, NULL, NULL),
        (202, 'site', 'name', 'text', 'new', false, NULL, NULL),
        (203, 'site', 'timezone', 'zone', '', true, NULL, NULL),
        (204, 'site', 'phone_region', 'region', '', false, NULL, NULL),
        (205, 'site', 'slot_minutes', 'integer', '', false, 1, 240),
        (206, 'site', 'senders', 'list:sender', '', false, NULL, NULL),
        (207, 'site', 'modalities', 'list:modality', '', false, NULL, NULL),
        (208, 'site', 'procedures', 'list:procedure', '', false, NULL, NULL),
        (209, 'site', 'hours', 'list:hours', '', false, NULL, NULL),
        (210, 'site', 'resources', 'list:resource', '', false, NULL, NULL),
        (211, 'site', 'unknown_senders', 'sender_policy', '', false, NULL, NULL),
        (212, 'site', 'default_profile', 'profile', '', false, NULL, NULL),
        (213, 'site', 'travel_minutes', 'integer', '', false, 0, 240),
        (214, 'site', 'campus_minutes', 'integer', '', false, 0, 480),
        (215, 'site', 'rules', 'list:rule', '', false, NULL, NULL),
        (221, 'rule', 'code', 'rule', 'key', false, NULL, NULL),
        (222, 'rule', 'severity', 'rule_severity', 'always', false, NULL, NULL),
        (301, 'sender', 'sending_application', 'text', 'key', false, NULL, NULL),
        (302, 'sender', 'sending_facility', 'text', 'key', false, NULL, NULL),
        (303, 'sender', 'profile', 'profile', '', false, NULL, NULL),
        (304, 'sender', 'is_registered', 'boolean', '', false, NULL, NULL),
        (401, 'modality', 'code', 'code', 'key', false, NULL, NULL),
        (402, 'modality', 'label', 'text', 'new', false, NULL, NULL),
        (403, 'modality', 'name', 'text', 'new', false, NULL, NULL),
        (404, 'modality', 'default_minutes', 'integer', 'new', false, 1, 1440),
        (405, 'modality', 'aliases', 'list:word', '', false, NULL, NULL),
        (501, 'procedure', 'code', 'code', 'key', false, NULL, NULL),
        (502, 'procedure', 'name', 'text', 'new', false, NULL, NULL),
        (503, 'procedure', 'modality', 'code', 'new', false, NULL, NULL),
        (504, 'procedure', 'minutes', 'integer', '', true, 1, 1440),
        (505, 'procedure', 'contrast', 'contrast', '', false, NULL, NULL),
        (506, 'procedure', 'prep', 'sentence', '', true, NULL, NULL),
        (507, 'procedure', 'aliases', 'list:word', '', false, NULL, NULL),
        (601, 'hours', 'weekday', 'integer', 'always', false, 1, 7),
        (602, 'hours', 'opens', 'time', 'always', false, NULL, NULL),
        (603, 'hours', 'closes', 'time', 'always', false, NULL, NULL),
        (604, 'hours', 'valid_from', 'date', '', true, NULL, NULL),
        (605, 'hours', 'valid_until', 'date', '', true, NULL, NULL),
        (701, 'resource', 'kind', 'kind', 'key', false, NULL, NULL),
        (702, 'resource', 'code', 'code', 'key', false, NULL, NULL),
        (703, 'resource', 'name', 'text', 'new', false, NULL, NULL),
        (704, 'resource', 'role', 'text', '', true, NULL, NULL),
        (705, 'resource', 'modality', 'code', '', true, NULL, NULL),
        (706, 'resource', 'capacity', 'integer', '', false, 1, 1000),
        (707, 'resource', 'setup_minutes', 'integer', '', false, 0, 480),
        (708, 'resource', 'turnover_minutes', 'integer', '', false, 0, 480),
        (709, 'resource', 'is_active', 'boolean', '', false, NULL, NULL),
        (710, 'resource', 'is_registered', 'boolean', '', false, NULL, NULL),
        (711, 'resource', 'aliases', 'list:name', '', false, NULL, NULL),
        (712, 'resource', 'hours', 'list:hours', '', false, NULL, NULL),
        (713, 'resource', 'blocks', 'list:block', '', false, NULL, NULL),
        (714, 'resource', 'modalities', 'list:word', '', false, NULL, NULL),
        (715, 'resource', 'location', 'sentence', '', true, NULL, NULL),
        (716, 'resource', 'campus', 'sentence', '', true, NULL, NULL),
        (801, 'block', 'starts_at', 'moment', 'always', false, NULL, NULL),
        (802, 'block', 'ends_at', 'moment', 'always', false, NULL, NULL),
        (803, 'block', 'reason', 'text', '', true, NULL, NULL),
        (804, 'block', 'kind', 'block_kind', '', false, NULL, NULL),
        (901, 'name', 'kind', 'kind', 'always', false, NULL, NULL),
        (902, 'name', 'alias', 'code', 'always', false, NULL, NULL)) f(place, item, field, kind, need, is_nullable, low, high)
    WHERE f.item = p_item ORDER BY f.place;
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.configuration_fault(p_kind text, p_value jsonb, p_low integer, p_high integer, OUT fault text, OUT hint text) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_text text := CASE WHEN jsonb_typeof(p_value) = 'string' THEN p_value #>> '{}' END;
BEGIN
    IF p_kind = 'text' AND v_text IS NULL THEN
        fault := 'must be a string'; hint := 'Write the value in double quotes.';
    ELSIF p_kind = 'code' AND coalesce(v_text, '') = '' THEN
        fault := 'must be a string that is not empty'; hint := 'Write the code in double quotes.';
    ELSIF p_kind = 'site_code' AND v_text ~ '^[A-Za-z0-9_.-]{1,40}$' IS NOT TRUE THEN
        fault := 'must be the code of a site'; hint := 'A code has 1 to 40 letters, digits, dots, dashes and underscores.';
    ELSIF p_kind = 'zone' AND radscheduler.is_timezone(v_text) IS NOT TRUE THEN
        fault := 'must be a time zone that is known'; hint := 'Use an IANA name such as America/New_York; pg_timezone_names lists them.';
    ELSIF p_kind = 'region' AND v_text ~ '^[A-Z]{2}$' IS NOT TRUE THEN
        fault := 'must be a country code of two capital letters'; hint := 'Use an ISO 3166 code such as US; radscheduler.phone_region lists those whose numbers are understood.';
    ELSIF p_kind = 'profile' AND radscheduler.is_profile(p_value) IS NOT TRUE THEN
        fault := 'must be a profile that is understood';
        hint := (SELECT string_agg(coalesce(f.key, 'It') || ' ' || f.fault, '; ') || '.' FROM radscheduler.profile_faults(p_value) f);
    ELSIF p_kind = 'sender_policy' AND v_text IN ('accept', 'refuse') IS NOT TRUE THEN
        fault := 'must be "accept" or "refuse"'; hint := 'It says what becomes of messages of senders that are not registered.';
    ELSIF p_kind = 'contrast' AND v_text IN ('none', 'with', 'with_and_without', 'unknown') IS NOT TRUE THEN
        fault := 'must be "none", "with", "with_and_without" or "unknown"'; hint := 'It says whether the exam is done with a contrast agent; unknown: the code does not tell.';
    ELSIF p_kind = 'sentence' AND coalesce(v_text, '') = '' THEN
        fault := 'must be a string that is not empty'; hint := 'Write the text in double quotes; null says that there is none.';
    ELSIF p_kind = 'rule' AND radscheduler.is_rule(v_text) IS NOT TRUE THEN
        fault := 'must be the code of a rule'; hint := 'radscheduler.rule_kind lists them, for example OUTSIDE_HOURS.';
    ELSIF p_kind = 'rule_severity' AND v_text IN ('off', 'info', 'warning', 'critical') IS NOT TRUE THEN
        fault := 'must be "off", "info", "warning" or "critical"'; hint := 'It says what the site makes of the rule; leave the rule out to leave it as it is shipped.';
    ELSIF p_kind = 'block_kind' AND v_text IN ('block', 'maintenance', 'downtime') IS NOT TRUE THEN
        fault := 'must be "block", "maintenance" or "downtime"'; hint := 'Leave the key out for a block.';
    ELSIF p_kind = 'boolean' AND jsonb_typeof(p_value) <> 'boolean' THEN
        fault := 'must be true or false'; hint := 'Write true or false without quotes.';
    ELSIF p_kind = 'kind' AND v_text IN ('room', 'equipment', 'staff') IS NOT TRUE THEN
        fault := 'must be a kind of resource'; hint := 'Write "room", "equipment" or "staff".';
    ELSIF p_kind = 'time' AND v_text ~ '^(([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?|24:00(:00)?)$' IS NOT TRUE THEN
        fault := 'must be a time of day'; hint := 'Write "07:30"; midnight at the end of a day is "24:00".';
    ELSIF p_kind = 'integer' THEN
        IF jsonb_typeof(p_value) <> 'number' OR (p_value #>> '{}')::numeric NOT BETWEEN p_low AND p_high OR (p_value #>> '{}')::numeric % 1 <> 0 THEN
            fault := format('must be a whole number from %s to %s', p_low, p_high); hint := 'Write the number without quotes and without decimals.';
        END IF;
    ELSIF p_kind = 'date' THEN
        BEGIN
            IF v_text ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' AND v_text::date IS NOT NULL THEN
                RETURN;
            END IF;
        EXCEPTION WHEN data_exception THEN NULL;
        END;
        fault := 'must be a date'; hint := 'Write "2031-12-31".';
    ELSIF p_kind = 'moment' THEN
        BEGIN
            IF v_text ~ '^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})|-?infinity)$'
               AND v_text::timestamptz IS NOT NULL THEN
                RETURN;
            END IF;
        EXCEPTION WHEN data_exception THEN NULL;
        END;
        fault := 'must be a date and time with its offset from UTC'; hint := 'Write "2031-11-03T10:00:00Z" or "2031-11-03T05:00:00-05:00".';
    END IF;
END
$$;

COMMENT ON FUNCTION radscheduler.configuration_names(jsonb) IS
    'The names a document gives to the modalities, procedures or resources of a list, upper case: number of the item, number within its aliases, kind (of resources only). An item''s own code (listed is NULL) is one of its names unless the document lists it, here or under another item.';

CREATE OR REPLACE FUNCTION radscheduler.configuration_check_list(p_item text, p_place text, p_list jsonb) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_keys text[] := ARRAY(SELECT f.field FROM radscheduler.configuration_fields(p_item) f WHERE f.need = 'key');
    v_twin record;
BEGIN
    IF jsonb_typeof(p_list) <> 'array' THEN
        PERFORM radscheduler.configuration_refuse(p_place, 'must be a list', radscheduler.configuration_found(p_list),
                                                  'Write a list in brackets; leave the key out to leave the list alone.');
    END IF;
    PERFORM radscheduler.configuration_check(p_item, format('%s[%s]', p_place, e.place - 1), e.item)
        FROM jsonb_array_elements(p_list) WITH ORDINALITY e(item, place);
    IF cardinality(v_keys) > 0 THEN
        SELECT t.place, t.first INTO v_twin
            FROM (SELECT e.place, min(e.place) OVER (PARTITION BY (SELECT jsonb_agg(e.item -> k) FROM unnest(v_keys) k)) AS first
                  FROM jsonb_array_elements(p_list) WITH ORDINALITY e(item, place)) t
            WHERE t.place > t.first ORDER BY t.place LIMIT 1;
        IF FOUND THEN
            PERFORM radscheduler.configuration_refuse(format('%s[%s]', p_place, v_twin.place - 1),
                format('has the %s of another %s in the document', array_to_string(v_keys, ' and '), p_item),
                format('The other one is %s[%s].', p_place, v_twin.first - 1), 'Name each once.');
        END IF;
    END IF;
    IF p_item IN ('modality', 'procedure', 'resource') THEN
        SELECT n.place, n.first INTO v_twin
            FROM (SELECT c.position, format('%s[%s].aliases[%s]', p_place, c.item, c.listed) AS place,
                         first_value(format('%s[%s].aliases[%s]', p_place, c.item, c.listed)) OVER names AS first, row_number() OVER names AS n
                  FROM radscheduler.configuration_names(p_list) WITH ORDINALITY c(item, listed, kind, alias, position) WHERE c.listed IS NOT NULL
                  WINDOW names AS (PARTITION BY c.kind, c.alias ORDER BY c.position)) n
            WHERE n.n > 1 ORDER BY n.position LIMIT 1;
        IF FOUND THEN
            PERFORM radscheduler.configuration_refuse(v_twin.place, 'is a name that the document gives twice', format('It stands at %s too.', v_twin.first),
                'A name means one modality, one procedure, or one resource of its kind, whatever its case. List it once.');
        END IF;
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.holds_in_force(p_site integer, OUT is_site_held boolean, OUT patients bigint[], OUT identifiers text[]) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    SELECT coalesce(bool_or(h.patient_id IS NULL), false), coalesce(array_agg(DISTINCT h.patient_id) FILTER (WHERE h.patient_id IS NOT NULL), '{}')
        INTO is_site_held, patients
        FROM radscheduler.legal_hold h WHERE h.site_id = p_site AND h.lifted_at IS NULL;
    -- And the ids they had before they were merged, which earlier versions of appointments name.
    patients := patients || ARRAY(SELECT m.merged_id FROM radscheduler.patient_merge m WHERE m.site_id = p_site AND m.patient_id = ANY (patients));
    identifiers := ARRAY(SELECT DISTINCT i.value FROM radscheduler.patient_identifier i WHERE i.site_id = p_site AND i.patient_id = ANY (patients));
END
$$;

COMMENT ON FUNCTION radscheduler.holds_in_force(integer) IS 'The holds of a site: whether everything is held, which patients are (by earlier ids too, see patient_merge), and the values of their identifiers. Ask it under hold_lock_name().';

CREATE OR REPLACE FUNCTION radscheduler.message_identifiers(p_code text, p_bytes bytea, p_charset text, OUT identifiers jsonb, OUT facility text, OUT is_person boolean) RETURNS record
    LANGUAGE plpgsql IMMUTABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_body    jsonb;
    v_message radscheduler.hl7;
BEGIN
    facility := '';
    IF p_code = 'JSON' THEN
        v_body := radscheduler.body_json(p_bytes);
        is_person := v_body ? 'patientName' OR v_body ->> 'patientId' IS NOT NULL;
        identifiers := CASE WHEN v_body IS NULL THEN NULL WHEN v_body ->> 'patientId' IS NULL THEN '[]'
                            ELSE jsonb_build_array(jsonb_build_object('value', v_body ->> 'patientId')) END;
        RETURN;
    END IF;
    -- The reader that also judged it when it came: the same trimming, the same fall back from PID-3 to PID-2 and PID-4. It never raises.
    v_body := radscheduler.siu_read(p_bytes, jsonb_build_object('charset', p_charset));
    IF NOT v_body ? 'header' THEN
        RETURN;
    END IF;
    facility := coalesce(v_body #>> '{header,sending_facility}', '');
    is_person := v_body ? 'patient';
    identifiers := coalesce(v_body #> '{patient,identifiers}', '[]');
    IF v_body ? 'merges' THEN
        identifiers := identifiers || coalesce(jsonb_path_query_array(v_body, '$.merges[*].from.identifiers[*]'), '[]');
    END IF;
    IF v_body ? 'merges' OR v_body -> 'warnings' @> '[{"code": "EXTRA_SEGMENT"}]' THEN
        -- It read one PID; the others name people too.
        v_message := CASE WHEN p_charset IS NULL THEN radscheduler.hl7(p_bytes) ELSE radscheduler.hl7(p_bytes, p_charset) END;
        identifiers := identifiers || (
            SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('value', btrim(m.value), 'authority', coalesce(m.namespace, m.universal), 'type', m.type))), '[]')
            FROM unnest(radscheduler.hl7_get_all(v_message, 'PID[*]-3[*].1'), radscheduler.hl7_get_all(v_message, 'PID[*]-3[*].4.1'),
                        radscheduler.hl7_get_all(v_message, 'PID[*]-3[*].4.2'), radscheduler.hl7_get_all(v_message, 'PID[*]-3[*].5')) m(value, namespace, universal, type)
            WHERE m.value IS NOT NULL);
    END IF;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
    identifiers := NULL;
END
$$;

COMMENT ON FUNCTION radscheduler.message_identifiers(text, bytea, text) IS
    'The patients'' identifiers that a received message carries, [{value, authority, type}] as sent (PID-3, else PID-2 and PID-4, of every PID; MRG-1 of a merge; patientId of a JSON body), its sending facility, and whether it is about a person at all. identifiers is NULL for bytes that cannot be read. p_code is hl7_message.message_code, p_charset the charset of the sender''s profile.';

CREATE OR REPLACE FUNCTION radscheduler.release_appointments(p_site integer, p_appointments bigint[], p_patients bigint[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_moved bigint[];
BEGIN
    PERFORM radscheduler.lock_subjects(p_site, radscheduler.pool_scanners(p_site, NULL, p_appointments) ||
        ARRAY(SELECT r.resource_id FROM radscheduler.appointment_resource r WHERE r.site_id = p_site AND r.appointment_id = ANY (p_appointments)),
        p_patients || ARRAY(SELECT a.patient_id FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments)));
    PERFORM FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments) ORDER BY a.appointment_id FOR UPDATE;
    -- All of them leave before the first is settled: none is healed by another that leaves with it.
    UPDATE radscheduler.appointment a SET status = 'DELETED', review_reason = NULL, resume_status = NULL, is_pooled = false
        WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments) AND NOT radscheduler.is_closed(a.status);
    v_moved := radscheduler.give_back(p_site, ARRAY(SELECT o.occupancy_id FROM radscheduler.occupancy o WHERE o.site_id = p_site AND o.appointment_id = ANY (p_appointments)), NULL);
    PERFORM radscheduler.settle(p_site, p_appointments, ARRAY(SELECT m FROM unnest(v_moved) m WHERE m <> ALL (p_appointments)));
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.purge_patient(p_site integer, p_patient bigint) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_names    text[];
    v_own      bigint[];
    v_values   text[];
    v_holds    record;
    v_messages record;
    v_deleted  record;
    v_patients bigint;
    v_orders   bigint;
    v_ids      text[];
    v_history  bigint;
    v_others   bigint;
    v_kept     bigint;
BEGIN
    FOR v_round IN 1..2 LOOP
        v_own := ARRAY(SELECT a.appointment_id FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.patient_id = p_patient ORDER BY a.appointment_id);
        v_values := ARRAY(SELECT i.value FROM radscheduler.patient_identifier i WHERE i.site_id = p_site AND i.patient_id = p_patient);
        IF v_round = 1 THEN
            v_names := radscheduler.hold_lock_name(p_site) || radscheduler.patient_names(p_site, ARRAY[p_patient]) || radscheduler.order_names(p_site, ARRAY[p_patient], NULL)
                       || ARRAY(SELECT n FROM unnest(v_own) u(id), unnest(radscheduler.appointment_lock_names(p_site, u.id)) n);
            PERFORM radscheduler.lock_keys(v_names);
        ELSIF NOT EXISTS (SELECT FROM radscheduler.patient p WHERE p.site_id = p_site AND p.patient_id = p_patient)
              OR NOT v_names @> (radscheduler.patient_names(p_site, ARRAY[p_patient]) || radscheduler.order_names(p_site, ARRAY[p_patient], NULL)
                                 || ARRAY(SELECT n FROM unnest(v_own) u(id), unnest(radscheduler.appointment_lock_names(p_site, u.id)) n WHERE n IS NOT NULL)) THEN
            RAISE EXCEPTION 'the patient''s records changed while they were being locked' USING ERRCODE = 'serialization_failure', HINT = 'Run it again.';
        END IF;
    END LOOP;
    SELECT * INTO v_holds FROM radscheduler.holds_in_force(p_site);
    IF v_holds.is_site_held OR p_patient = ANY (v_holds.patients) THEN
        RAISE EXCEPTION '% is under a legal hold and nothing was removed', CASE WHEN v_holds.is_site_held THEN 'this site' ELSE 'this patient' END
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'radscheduler.legal_hold lists the holds; radscheduler.lift_hold() ends one.';
    END IF;

    SELECT coalesce(array_agg(u.id) FILTER (WHERE NOT radscheduler.is_held(p_site, u.id, p_patient, v_holds.patients)), '{}'),
           count(*) FILTER (WHERE radscheduler.is_held(p_site, u.id, p_patient, v_holds.patients)) INTO v_own, v_kept FROM unnest(v_own) u(id);
    IF v_kept > 0 THEN
        RAISE EXCEPTION 'appointments of this patient were of a patient under a legal hold, and nothing was removed' USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'radscheduler.legal_hold lists the holds; radscheduler.lift_hold() ends one.';
    END IF;

    -- Messages first: whom they are about is told by appointments and identifiers that are still there.
    SELECT coalesce(array_agg(q.message_id) FILTER (WHERE q.is_his AND NOT q.is_held), '{}') AS his,
           count(*) FILTER (WHERE q.is_his AND q.is_held) AS held,
           count(*) FILTER (WHERE q.trouble = 'unreadable') AS unreadable,
           count(*) FILTER (WHERE NOT q.is_his AND (q.trouble = 'unclear' OR q.is_doubtful)) AS unclear
        INTO v_messages
        FROM (SELECT m.message_id, s.trouble, p_patient = ANY (s.patients) AS is_his, p_patient = ANY (s.doubtful) AS is_doubtful,
                     (s.patients || s.doubtful) && v_holds.patients AS is_held
              FROM radscheduler.hl7_message m
              LEFT JOIN radscheduler.sender x ON x.site_id = m.site_id AND x.sender_id = m.sender_id
              LEFT JOIN radscheduler.site t ON t.site_id = m.site_id,
              LATERAL radscheduler.message_subjects(m.site_id, m.appointment_id, m.message_code, m.raw, radscheduler.sender_profile(x.profile, t.default_profile) ->> 'charset', v_values || v_holds.identifiers) s
              WHERE m.site_id = p_site) q;
    PERFORM radscheduler.release_appointments(p_site, v_own, ARRAY[p_patient]);
    SELECT * INTO v_deleted FROM radscheduler.delete_appointments(p_site, v_own);
    DELETE FROM radscheduler.message_key k WHERE k.site_id = p_site AND k.message_id = ANY (v_messages.his);
    DELETE FROM radscheduler.hl7_message m WHERE m.site_id = p_site AND m.message_id = ANY (v_messages.his);
    PERFORM radscheduler.audit(p_site, 'message.purged', 'hl7_message', NULL, jsonb_build_object('messages', v_messages.his)) WHERE v_messages.his <> '{}';
    v_orders := radscheduler.delete_orders(p_site, ARRAY(SELECT o.order_id FROM radscheduler.imaging_order o WHERE o.site_id = p_site AND o.patient_id = p_patient ORDER BY o.order_id));
    -- Appointments that are another's now and were his once: those versions are about him.
    v_ids := p_patient::text || ARRAY(SELECT m.merged_id::text FROM radscheduler.patient_merge m WHERE m.site_id = p_site AND m.patient_id = p_patient);
    SELECT count(*) INTO v_others FROM radscheduler.appointment_history h JOIN radscheduler.appointment a ON a.site_id = h.site_id AND a.appointment_id = h.appointment_id
        WHERE h.site_id = p_site AND h.snapshot #>> '{appointment,patient_id}' = ANY (v_ids) AND a.patient_id = ANY (v_holds.patients);
    PERFORM radscheduler.audit(p_site, 'history.purged', 'appointment', h.appointment_id, jsonb_build_object('version', h.version))
        FROM radscheduler.appointment_history h JOIN radscheduler.appointment a ON a.site_id = h.site_id AND a.appointment_id = h.appointment_id
        WHERE h.site_id = p_site AND h.snapshot #>> '{appointment,patient_id}' = ANY (v_ids) AND NOT coalesce(a.patient_id = ANY (v_holds.patients), false);
    DELETE FROM radscheduler.appointment_history h USING radscheduler.appointment a
        WHERE h.site_id = p_site AND h.snapshot #>> '{appointment,patient_id}' = ANY (v_ids)
          AND a.site_id = h.site_id AND a.appointment_id = h.appointment_id AND NOT coalesce(a.patient_id = ANY (v_holds.patients), false);
    GET DIAGNOSTICS v_history = ROW_COUNT;
    DELETE FROM radscheduler.patient p WHERE p.site_id = p_site AND p.patient_id = p_patient;
    GET DIAGNOSTICS v_patients = ROW_COUNT;
    RETURN jsonb_build_object('patients', v_patients, 'appointments', v_deleted.appointments, 'orders', v_orders, 'messages', cardinality(v_messages.his),
                              'history', v_deleted.history + v_history, 'held', v_messages.held + v_others,
                              'unreadable_messages', v_messages.unreadable, 'unclear_messages', v_messages.unclear, 'remaining', 0);
END
$$;

COMMENT ON FUNCTION radscheduler.purge_patient(integer, bigint) IS
    'Removes a patient, his appointments, his orders and the messages about him; returns the counts as purge() does. held counts messages and versions kept because they are also about a patient under a hold. Raises 55000 when he or the site is under a hold, 40001 when his records changed while they were being locked.';

CREATE OR REPLACE FUNCTION radscheduler.purge_period(p_site integer, p_before timestamptz) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_batch    CONSTANT integer := 500;
    v_names    text[];
    v_own      bigint[];
    v_orders   bigint[];
    v_gone     bigint[];
    v_holds    record;
    v_kept     record;
    v_deleted  record;
    v_held     bigint;
    v_messages bigint := 0;
    v_ended    bigint;
    v_patients bigint;
    v_remaining bigint;
BEGIN
    FOR v_round IN 1..2 LOOP
        SELECT * INTO v_holds FROM radscheduler.holds_in_force(p_site);
        IF v_round = 1 THEN
            v_own := ARRAY(SELECT a.appointment_id FROM radscheduler.appointment a
                WHERE a.site_id = p_site AND NOT v_holds.is_site_held AND radscheduler.has_ended(a.status, a.ends_at, a.updated_at, p_before)
                  AND NOT radscheduler.is_held(a.site_id, a.appointment_id, a.patient_id, v_holds.patients) ORDER BY a.appointment_id LIMIT c_batch);
            v_orders := ARRAY(SELECT o.order_id FROM radscheduler.ended_orders(p_site, p_before) e(id) JOIN radscheduler.imaging_order o ON o.site_id = p_site AND o.order_id = e.id
                WHERE NOT v_holds.is_site_held AND NOT coalesce(o.patient_id = ANY (v_holds.patients), false)
                ORDER BY o.order_id LIMIT c_batch);
            v_gone := ARRAY(SELECT p.patient_id FROM radscheduler.patient p
                WHERE p.site_id = p_site AND NOT v_holds.is_site_held AND p.created_at < p_before AND NOT p.patient_id = ANY (v_holds.patients)
                  AND NOT EXISTS (SELECT FROM radscheduler.appointment a WHERE a.site_id = p.site_id AND a.patient_id = p.patient_id AND NOT a.appointment_id = ANY (v_own))
                  AND NOT EXISTS (SELECT FROM radscheduler.imaging_order o WHERE o.site_id = p.site_id AND o.patient_id = p.patient_id AND NOT o.order_id = ANY (v_orders))
                ORDER BY p.patient_id LIMIT c_batch);
            v_names := radscheduler.hold_lock_name(p_site) || radscheduler.patient_names(p_site, v_gone) || radscheduler.order_names(p_site, NULL, v_orders)
                       || ARRAY(SELECT n FROM unnest(v_own) u(id), unnest(radscheduler.appointment_lock_names(p_site, u.id)) n);
            PERFORM radscheduler.lock_keys(v_names);
        ELSE
            -- What has changed meanwhile waits for the next call.
            v_own := ARRAY(SELECT a.appointment_id FROM radscheduler.appointment a
                WHERE a.site_id = p_site AND a.appointment_id = ANY (v_own) AND NOT v_holds.is_site_held
                  AND radscheduler.has_ended(a.status, a.ends_at, a.updated_at, p_before) AND NOT radscheduler.is_held(a.site_id, a.appointment_id, a.patient_id, v_holds.patients)
                  AND array_remove(radscheduler.appointment_lock_names(a.site_id, a.appointment_id), NULL) <@ v_names ORDER BY a.appointment_id);
            v_orders := ARRAY(SELECT o.order_id FROM radscheduler.ended_orders(p_site, p_before, v_orders) e(id) JOIN radscheduler.imaging_order o ON o.site_id = p_site AND o.order_id = e.id
                WHERE NOT v_holds.is_site_held AND NOT coalesce(o.patient_id = ANY (v_holds.patients), false)
                  AND radscheduler.order_names(p_site, NULL, ARRAY[o.order_id]) <@ v_names ORDER BY o.order_id);
        END IF;
    END LOOP;

    SELECT coalesce(array_agg(q.message_id), '{}') AS ids, count(*) FILTER (WHERE q.trouble IS NULL) AS held,
           count(*) FILTER (WHERE q.trouble = 'unreadable') AS unreadable, count(*) FILTER (WHERE q.trouble = 'unclear') AS unclear
        INTO v_kept
        FROM (SELECT m.message_id, s.trouble
              FROM radscheduler.hl7_message m
              LEFT JOIN radscheduler.sender x ON x.site_id = m.site_id AND x.sender_id = m.sender_id
              LEFT JOIN radscheduler.site t ON t.site_id = m.site_id,
              LATERAL radscheduler.message_subjects(m.site_id, m.appointment_id, m.message_code, m.raw, radscheduler.sender_profile(x.profile, t.default_profile) ->> 'charset', v_holds.identifiers) s
              WHERE m.site_id = p_site AND m.received_at < p_before AND v_holds.patients <> '{}' AND NOT v_holds.is_site_held
                AND (s.trouble IS NOT NULL OR (s.patients || s.doubtful) && v_holds.patients)) q;
    SELECT v_kept.held
           + (SELECT count(*) FROM radscheduler.hl7_message m WHERE m.site_id = p_site AND m.received_at < p_before AND v_holds.is_site_held)
           + (SELECT count(*) FROM radscheduler.appointment a WHERE a.site_id = p_site AND radscheduler.has_ended(a.status, a.ends_at, a.updated_at, p_before)
                AND (v_holds.is_site_held OR radscheduler.is_held(a.site_id, a.appointment_id, a.patient_id, v_holds.patients)))
           + (SELECT count(*) FROM radscheduler.ended_orders(p_site, p_before) e(id) JOIN radscheduler.imaging_order o ON o.site_id = p_site AND o.order_id = e.id
                WHERE v_holds.is_site_held OR o.patient_id = ANY (v_holds.patients))
           + (SELECT count(*) FROM radscheduler.patient p WHERE p.site_id = p_site AND p.created_at < p_before AND (v_holds.is_site_held OR p.patient_id = ANY (v_holds.patients))
                AND NOT EXISTS (SELECT FROM radscheduler.appointment a WHERE a.site_id = p.site_id AND a.patient_id = p.patient_id
                                AND NOT radscheduler.has_ended(a.status, a.ends_at, a.updated_at, p_before)))
        INTO v_held;
    IF NOT v_holds.is_site_held THEN
        DELETE FROM radscheduler.message_key k WHERE k.site_id = p_site AND k.received_at < p_before AND k.message_id <> ALL (v_kept.ids);
        DELETE FROM radscheduler.hl7_message m WHERE m.site_id = p_site AND m.received_at < p_before AND m.message_id <> ALL (v_kept.ids);
        GET DIAGNOSTICS v_messages = ROW_COUNT;
    END IF;
    PERFORM radscheduler.release_appointments(p_site, v_own, v_gone);
    SELECT * INTO v_deleted FROM radscheduler.delete_appointments(p_site, v_own);
    v_ended := radscheduler.delete_orders(p_site, v_orders);
    v_gone := ARRAY(SELECT p.patient_id FROM radscheduler.patient p
        WHERE p.site_id = p_site AND p.patient_id = ANY (v_gone) AND NOT v_holds.is_site_held AND NOT p.patient_id = ANY (v_holds.patients)
          AND NOT EXISTS (SELECT FROM radscheduler.appointment a WHERE a.site_id = p.site_id AND a.patient_id = p.patient_id)
          AND NOT EXISTS (SELECT FROM radscheduler.imaging_order o WHERE o.site_id = p.site_id AND o.patient_id = p.patient_id)
          AND radscheduler.patient_names(p.site_id, ARRAY[p.patient_id]) <@ v_names);
    PERFORM radscheduler.audit(p_site, 'patient.purged', 'patient', u.id, '{}') FROM unnest(v_gone) u(id);
    DELETE FROM radscheduler.patient p WHERE p.site_id = p_site AND p.patient_id = ANY (v_gone);
    GET DIAGNOSTICS v_patients = ROW_COUNT;
    SELECT (SELECT count(*) FROM radscheduler.appointment a WHERE a.site_id = p_site AND radscheduler.has_ended(a.status, a.ends_at, a.updated_at, p_before)
              AND NOT radscheduler.is_held(a.site_id, a.appointment_id, a.patient_id, v_holds.patients))
           + (SELECT count(*) FROM radscheduler.ended_orders(p_site, p_before) e(id) JOIN radscheduler.imaging_order o ON o.site_id = p_site AND o.order_id = e.id
                WHERE NOT coalesce(o.patient_id = ANY (v_holds.patients), false))
           + (SELECT count(*) FROM radscheduler.patient p WHERE p.site_id = p_site AND p.created_at < p_before AND NOT p.patient_id = ANY (v_holds.patients)
                AND NOT EXISTS (SELECT FROM radscheduler.appointment a WHERE a.site_id = p.site_id AND a.patient_id = p.patient_id)
                AND NOT EXISTS (SELECT FROM radscheduler.imaging_order o WHERE o.site_id = p.site_id AND o.patient_id = p.patient_id))
        INTO v_remaining WHERE NOT v_holds.is_site_held;
    RETURN jsonb_build_object('patients', v_patients, 'appointments', v_deleted.appointments, 'orders', v_ended, 'messages', v_messages, 'history', v_deleted.history, 'held', v_held,
                              'unreadable_messages', v_kept.unreadable, 'unclear_messages', v_kept.unclear, 'remaining', coalesce(v_remaining, 0));
END
$$;

COMMENT ON FUNCTION radscheduler.purge_period(integer, timestamptz) IS
    'Removes what ended or arrived before an instant and is not held: all messages, at most 500 appointments, 500 orders and 500 patients, because each takes locks until the transaction ends; returns the counts as purge() does. While a patient is held, messages that cannot be told to be another''s stay too.';

COMMENT ON FUNCTION radscheduler.purge(text, text, timestamptz, boolean) IS
    'Removes for good, at the session''s site, a patient with everything about him (patient: an identifier, value or authority|value), or what ended before an instant (before). Without dry_run => false it only counts: it does everything and takes it back. Nothing under a hold is removed. The reason goes into the audit log and must not contain the patient''s name or number; nobody checks that. Returns {dry_run, patients, appointments, orders, messages, history, held, unreadable_messages, unclear_messages, remaining}: unreadable and unclear messages (a person without number, a number that several have) were kept and are for a person to look at; repeat a period until remaining is 0. Raises 22023 for wrong arguments, 55000 for a patient under a hold, 40001 when the patient''s records changed meanwhile.';

CREATE OR REPLACE FUNCTION radscheduler.kept_messages(p_partition regclass, p_sites integer[], p_before timestamptz) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_site  integer;
    v_holds record;
    v_some  bigint[];
    v_kept  bigint[] := '{}';
BEGIN
    FOREACH v_site IN ARRAY p_sites LOOP
        SELECT * INTO v_holds FROM radscheduler.holds_in_force(v_site);
        CONTINUE WHEN v_holds.patients = '{}';
        EXECUTE format('SELECT array_agg(m.message_id) FROM %s m
                        LEFT JOIN radscheduler.sender x ON x.site_id = m.site_id AND x.sender_id = m.sender_id
                        LEFT JOIN radscheduler.site t ON t.site_id = m.site_id,
                        LATERAL radscheduler.message_subjects(m.site_id, m.appointment_id, m.message_code, m.raw, radscheduler.sender_profile(x.profile, t.default_profile) ->> ''charset'', $2) s
                        WHERE m.site_id = $1 AND m.received_at < $4 AND (s.trouble IS NOT NULL OR (s.patients || s.doubtful) && $3)', p_partition)
            INTO v_some USING v_site, v_holds.identifiers, v_holds.patients, p_before;
        v_kept := v_kept || v_some;
    END LOOP;
    RETURN v_kept;
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.configuration_put_blocks(p_site integer, p_resource bigint, p_blocks jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_entries jsonb[];
BEGIN
    v_entries := ARRAY(SELECT radscheduler.configuration_block_entry(tstzrange((b ->> 'starts_at')::timestamptz, (b ->> 'ends_at')::timestamptz), b ->> 'reason', b ->> 'kind')
                       FROM jsonb_array_elements(p_blocks) b WHERE (b ->> 'ends_at')::timestamptz > now());
    DELETE FROM radscheduler.resource_block b USING radscheduler.configuration_blocks(p_site, p_resource) c
        WHERE b.site_id = p_site AND b.block_id = c.block_id AND c.entry <> ALL (v_entries);
    INSERT INTO radscheduler.resource_block (site_id, resource_id, during, reason, kind)
        SELECT DISTINCT p_site, p_resource, tstzrange((b ->> 'starts_at')::timestamptz, (b ->> 'ends_at')::timestamptz), b ->> 'reason', coalesce(b ->> 'kind', 'block')
        FROM unnest(v_entries) b WHERE b NOT IN (SELECT c.entry FROM radscheduler.configuration_blocks(p_site, p_resource) c);
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.configuration_put_site(p_site integer, p_value jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_new jsonb := radscheduler.configuration_site(p_site) || p_value;
BEGIN
    UPDATE radscheduler.site s
        SET name = v_new ->> 'name', timezone = v_new ->> 'timezone', phone_region = v_new ->> 'phone_region', slot_minutes = (v_new ->> 'slot_minutes')::numeric,
            unknown_senders = v_new ->> 'unknown_senders', default_profile = v_new -> 'default_profile',
            travel_minutes = (v_new ->> 'travel_minutes')::numeric, campus_minutes = (v_new ->> 'campus_minutes')::numeric
        WHERE s.site_id = p_site AND (s.name, s.timezone, s.phone_region, s.slot_minutes, s.unknown_senders, s.default_profile, s.travel_minutes, s.campus_minutes)
              IS DISTINCT FROM (v_new ->> 'name', v_new ->> 'timezone', v_new ->> 'phone_region', (v_new ->> 'slot_minutes')::numeric,
                                v_new ->> 'unknown_senders', v_new -> 'default_profile', (v_new ->> 'travel_minutes')::numeric, (v_new ->> 'campus_minutes')::numeric);
    IF p_value ? 'rules' THEN
        DELETE FROM radscheduler.rule_setting r WHERE r.site_id = p_site AND r.code NOT IN (SELECT e ->> 'code' FROM jsonb_array_elements(p_value -> 'rules') e);
        INSERT INTO radscheduler.rule_setting AS r (site_id, code, severity) SELECT p_site, e ->> 'code', e ->> 'severity' FROM jsonb_array_elements(p_value -> 'rules') e
            ON CONFLICT (site_id, code) DO UPDATE SET severity = excluded.severity WHERE r.severity <> excluded.severity;
    END IF;
    IF p_value ? 'hours' THEN
        PERFORM radscheduler.configuration_put_hours(p_site, NULL, p_value -> 'hours');
    END IF;
END
$$;

COMMENT ON FUNCTION radscheduler.configuration_put_site(integer, jsonb) IS 'Gives a site, which is there, the keys, the rules and the opening hours of a document; not its lists.';

CREATE OR REPLACE FUNCTION radscheduler.configuration_put_procedure(p_site integer, p_place text, p_value jsonb, p_is_there boolean) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_new jsonb;
BEGIN
    PERFORM radscheduler.configuration_require_modality(p_site, p_place, p_value ->> 'modality');
    IF NOT p_is_there THEN
        PERFORM radscheduler.configuration_require('procedure', p_place, p_value);
        INSERT INTO radscheduler.procedure (site_id, code, name, modality) VALUES (p_site, p_value ->> 'code', p_value ->> 'name', p_value ->> 'modality');
    END IF;
    v_new := radscheduler.configuration_procedure(p_site, p_value ->> 'code') || p_value;
    UPDATE radscheduler.procedure p
        SET name = v_new ->> 'name', modality = v_new ->> 'modality', minutes = (v_new ->> 'minutes')::numeric, contrast = v_new ->> 'contrast', prep = v_new ->> 'prep'
        WHERE p.site_id = p_site AND p.code = p_value ->> 'code'
          AND (p.name, p.modality, p.minutes, p.contrast, p.prep)
              IS DISTINCT FROM (v_new ->> 'name', v_new ->> 'modality', (v_new ->> 'minutes')::numeric, v_new ->> 'contrast', v_new ->> 'prep');
END
$$;

COMMENT ON FUNCTION radscheduler.configuration_put_procedure(integer, text, jsonb, boolean) IS
    'Makes a procedure that is not there, and gives it the keys of a document; not its aliases. Raises 22023 when a new one lacks a key or the site has no such modality.';

CREATE OR REPLACE FUNCTION radscheduler.configuration_put_resource(p_site integer, p_place text, p_value jsonb, p_is_there boolean) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_kind radscheduler.resource_kind := p_value ->> 'kind';
    v_ids  bigint[];
    v_new  jsonb;
    v_modalities text[];
BEGIN
    PERFORM radscheduler.configuration_require_modality(p_site, p_place, p_value ->> 'modality');
    PERFORM radscheduler.configuration_require_modality(p_site, p_place, m) FROM jsonb_array_elements_text(p_value -> 'modalities') m;
    IF NOT p_is_there THEN
        PERFORM radscheduler.configuration_require('resource', p_place, p_value);
        INSERT INTO radscheduler.resource (site_id, kind, code, name) VALUES (p_site, v_kind, p_value ->> 'code', p_value ->> 'name');
    END IF;
    v_ids := ARRAY(SELECT r.resource_id FROM radscheduler.resource r WHERE r.site_id = p_site AND r.kind = v_kind AND r.code = p_value ->> 'code');
    IF cardinality(v_ids) > 1 THEN
        PERFORM radscheduler.configuration_refuse(p_place, 'could be either of two resources', 'The site has two resources of this kind and code.',
            'Give one of them another code in radscheduler.resource.');
    END IF;
    v_new := radscheduler.configuration_resource(p_site, v_ids[1]) || p_value;
    v_modalities := ARRAY(SELECT m FROM jsonb_array_elements_text(v_new -> 'modalities') WITH ORDINALITY e(m, place) ORDER BY e.place);
    IF v_kind = 'staff' AND (v_new ->> 'setup_minutes' <> '0' OR v_new ->> 'turnover_minutes' <> '0') THEN
        PERFORM radscheduler.configuration_refuse(p_place || '.' || k, 'must be 0 for staff', radscheduler.configuration_found(v_new -> k), 'Give buffers to the room or the scanner.')
            FROM unnest(ARRAY['setup_minutes', 'turnover_minutes']) k WHERE (v_new ->> k)::numeric <> 0;
    END IF;
    UPDATE radscheduler.resource r
        SET name = v_new ->> 'name', role = v_new ->> 'role', modality = v_new ->> 'modality', capacity = (v_new ->> 'capacity')::numeric,
            setup_minutes = (v_new ->> 'setup_minutes')::numeric, turnover_minutes = (v_new ->> 'turnover_minutes')::numeric,
            is_active = (v_new ->> 'is_active')::boolean, is_registered = (v_new ->> 'is_registered')::boolean,
            modalities = v_modalities, location = v_new ->> 'location', campus = v_new ->> 'campus'
        WHERE r.site_id = p_site AND r.resource_id = v_ids[1]
          AND (r.name, r.role, r.modality, r.capacity, r.setup_minutes, r.turnover_minutes, r.is_active, r.is_registered, r.modalities, r.location, r.campus)
              IS DISTINCT FROM (v_new ->> 'name', v_new ->> 'role', v_new ->> 'modality', (v_new ->> 'capacity')::numeric, (v_new ->> 'setup_minutes')::numeric,
                                (v_new ->> 'turnover_minutes')::numeric, (v_new ->> 'is_active')::boolean, (v_new ->> 'is_registered')::boolean,
                                v_modalities, v_new ->> 'location', v_new ->> 'campus');
    IF p_value ? 'hours' THEN
        PERFORM radscheduler.configuration_put_hours(p_site, v_ids[1], p_value -> 'hours');
    END IF;
    IF p_value ? 'blocks' THEN
        PERFORM radscheduler.configuration_put_blocks(p_site, v_ids[1], p_value -> 'blocks');
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.configuration_release_names(p_item text, p_site integer, p_list jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF p_item = 'modality' THEN
        DELETE FROM radscheduler.modality_alias a USING jsonb_array_elements(p_list) WITH ORDINALITY e(value, place)
            WHERE e.value ? 'aliases' AND a.site_id = p_site AND a.code = e.value ->> 'code'
              AND (e.place - 1, a.alias) NOT IN (SELECT n.item, n.alias FROM radscheduler.configuration_names(p_list) n);
    ELSIF p_item = 'procedure' THEN
        DELETE FROM radscheduler.procedure_alias a USING jsonb_array_elements(p_list) WITH ORDINALITY e(value, place)
            WHERE e.value ? 'aliases' AND a.site_id = p_site AND a.code = e.value ->> 'code'
              AND (e.place - 1, a.alias) NOT IN (SELECT n.item, n.alias FROM radscheduler.configuration_names(p_list) n);
    ELSIF p_item = 'resource' THEN
        WITH named AS MATERIALIZED (
            SELECT r.resource_id, e.place - 1 AS item FROM jsonb_array_elements(p_list) WITH ORDINALITY e(value, place)
            JOIN radscheduler.resource r ON r.site_id = p_site AND r.code = e.value ->> 'code' AND r.kind = (e.value ->> 'kind')::radscheduler.resource_kind
            WHERE e.value ? 'aliases'
        )
        DELETE FROM radscheduler.resource_alias a USING named WHERE a.site_id = p_site AND a.resource_id = named.resource_id
              AND (named.item, a.kind::text, a.alias) NOT IN (SELECT n.item, n.kind, n.alias FROM radscheduler.configuration_names(p_list) n);
    END IF;
END
$$;

COMMENT ON FUNCTION radscheduler.configuration_release_names(text, integer, jsonb) IS
    'Removes the aliases that a document takes from the modalities, procedures or resources whose aliases it lists; first of all, so that a name can move from one to another.';

CREATE OR REPLACE FUNCTION radscheduler.configuration_put_names(p_item text, p_site integer, p_place text, p_list jsonb, p_is_new boolean[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_name   record;
    v_id     bigint;
    v_is_own boolean;
BEGIN
    FOR v_name IN
        SELECT n.item, n.listed, n.kind, n.alias, e.value FROM radscheduler.configuration_names(p_list) n
        JOIN jsonb_array_elements(p_list) WITH ORDINALITY e(value, place) ON e.place = n.item + 1
        WHERE n.listed IS NOT NULL OR p_is_new[n.item + 1] AND p_item <> 'procedure' ORDER BY n.item, n.listed
    LOOP
        IF p_item = 'modality' THEN
            SELECT a.code = v_name.value ->> 'code' INTO v_is_own FROM radscheduler.modality_alias a WHERE a.site_id = p_site AND a.alias = v_name.alias;
            IF NOT FOUND THEN
                INSERT INTO radscheduler.modality_alias (site_id, alias, code) VALUES (p_site, v_name.alias, v_name.value ->> 'code');
                CONTINUE;
            END IF;
        ELSIF p_item = 'procedure' THEN
            SELECT a.code = v_name.value ->> 'code' INTO v_is_own FROM radscheduler.procedure_alias a WHERE a.site_id = p_site AND a.alias = btrim(v_name.alias);
            IF NOT FOUND THEN
                INSERT INTO radscheduler.procedure_alias (site_id, alias, code) VALUES (p_site, btrim(v_name.alias), v_name.value ->> 'code');
                CONTINUE;
            END IF;
        ELSE
            SELECT r.resource_id INTO v_id FROM radscheduler.resource r
                WHERE r.site_id = p_site AND r.kind::text = v_name.value ->> 'kind' AND r.code = v_name.value ->> 'code';
            SELECT a.resource_id = v_id INTO v_is_own FROM radscheduler.resource_alias a
                WHERE a.site_id = p_site AND a.kind::text = v_name.kind AND a.alias = v_name.alias;
            IF NOT FOUND THEN
                INSERT INTO radscheduler.resource_alias (site_id, kind, alias, resource_id)
                    VALUES (p_site, v_name.kind::radscheduler.resource_kind, v_name.alias, v_id);
                CONTINUE;
            END IF;
        END IF;
        IF NOT v_is_own THEN
            PERFORM radscheduler.configuration_refuse(format('%s[%s].%s', p_place, v_name.item, coalesce('aliases[' || v_name.listed || ']', 'code')),
                format('is a name of another %s', p_item), format('The name is "%s".', left(v_name.alias, 60)),
                format('radscheduler.%s_alias tells whose it is. To move it here, name that %1$s in the document too, with "aliases"; else take another name.', p_item));
        END IF;
    END LOOP;
END
$$;

COMMENT ON FUNCTION radscheduler.configuration_put_names(text, integer, text, jsonb, boolean[]) IS
    'Gives modalities, procedures or resources the aliases a document lists for them, and new modalities and resources their own code as a name. Raises 22023 when a name belongs to one whose aliases the document does not list.';

CREATE OR REPLACE FUNCTION radscheduler.configuration_put_list(p_item text, p_site integer, p_place text, p_list jsonb, p_is_new_site boolean) RETURNS jsonb[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_old   jsonb[];
    v_place text := p_place;
    v_value jsonb;
    v_rule  text;
    v_table text;
BEGIN
    v_old := ARRAY(SELECT radscheduler.configuration_item(p_item, p_site, e.value) FROM jsonb_array_elements(p_list) WITH ORDINALITY e(value, place) ORDER BY e.place);
    PERFORM radscheduler.configuration_release_names(p_item, p_site, p_list);
    FOR v_i IN 1 .. cardinality(v_old) LOOP
        v_place := format('%s[%s]', p_place, v_i - 1);
        v_value := p_list -> v_i - 1;
        CASE p_item
            WHEN 'sender' THEN PERFORM radscheduler.configuration_put_sender(p_site, v_place, v_value, v_old[v_i] IS NOT NULL);
            WHEN 'modality' THEN PERFORM radscheduler.configuration_put_modality(p_site, v_place, v_value, v_old[v_i] IS NOT NULL);
            WHEN 'procedure' THEN PERFORM radscheduler.configuration_put_procedure(p_site, v_place, v_value, v_old[v_i] IS NOT NULL);
            WHEN 'resource' THEN PERFORM radscheduler.configuration_put_resource(p_site, v_place, v_value, v_old[v_i] IS NOT NULL);
        END CASE;
    END LOOP;
    v_place := p_place;
    IF p_is_new_site THEN
        v_old := array_fill(NULL::jsonb, ARRAY[cardinality(v_old)]);
    END IF;
    IF p_item IN ('modality', 'procedure', 'resource') THEN
        PERFORM radscheduler.configuration_put_names(p_item, p_site, p_place, p_list, ARRAY(SELECT o IS NULL FROM unnest(v_old) WITH ORDINALITY u(o, place) ORDER BY u.place));
    END IF;
    RETURN ARRAY(
        SELECT radscheduler.configuration_row(p_item, CASE p_item WHEN 'sender' THEN concat_ws('|', e.value ->> 'sending_application', e.value ->> 'sending_facility')
                                                               WHEN 'resource' THEN concat_ws(' ', e.value ->> 'kind', e.value ->> 'code') ELSE e.value ->> 'code' END,
                                              v_old[e.place], radscheduler.configuration_item(p_item, p_site, e.value))
        FROM jsonb_array_elements(p_list) WITH ORDINALITY e(value, place) ORDER BY e.place);
EXCEPTION WHEN integrity_constraint_violation THEN
    GET STACKED DIAGNOSTICS v_rule = CONSTRAINT_NAME, v_table = TABLE_NAME;
    PERFORM radscheduler.configuration_refuse_rule(v_place, v_rule, v_table);
END
$$;

COMMENT ON FUNCTION radscheduler.configuration_import(jsonb, boolean) IS
    'Merges a document of configuration_export(), or a part of one, into the sites the caller may use, in one transaction; without dry_run => false the same work is done, reported and taken back. Sites are known by code, senders by application and facility, modalities and procedures by code, resources by kind and code. What the document names is inserted or updated; what it does not name is left alone and not reported. A key left out keeps its value, or takes the table''s default in a new item; null clears. aliases, modalities of a resource, rules, hours and blocks are replaced as a whole where the key is there, blocks only as far as they have not ended. The own code of a modality or resource is one of its names without being listed, unless the document lists it under another item. A site that does not exist is made when the caller sees every site, from the catalogue as far as the document has no list of its own. One row per item: site (code), item (site, sender, modality, procedure, resource), name (code; application|facility; kind and code), action (insert, update, unchanged), changes {key: [old, new]}. Writes one audit event per item that changed, old and new values in it, and one per site. Raises 22023 with the place in the document, 42501 for a site that is not the caller''s.';

CREATE OR REPLACE FUNCTION radscheduler.readable_message(p_raw bytea, p_charset text) RETURNS radscheduler.hl7
    LANGUAGE plpgsql IMMUTABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN CASE WHEN p_charset IS NULL THEN radscheduler.hl7(p_raw) ELSE radscheduler.hl7(p_raw, p_charset) END;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION radscheduler.readable_message(bytea, text) IS 'Bytes as received, in the charset of the sender''s profile, as a message; NULL when they are none.';

CREATE OR REPLACE FUNCTION radscheduler.text_shape(p_text text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN CASE
        WHEN p_text = '' THEN ''
        WHEN p_text ~ '^(18|19|20)\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])$' THEN 'date'
        WHEN p_text ~ '^(19|20)\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])([01]\d|2[0-4])([0-5]\d([0-5]\d(\.\d{1,4})?)?)?([+-]\d{4})?$' THEN 'time'
        WHEN p_text ~ '^\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?$' THEN 'ISO time'
        WHEN p_text ~ '^[+-]?\d+([.,]\d+)?$' THEN 'number'
        WHEN p_text ~ '^[A-Za-z]{1,20}$' THEN 'word'
        WHEN p_text ~ '^[A-Za-z0-9._/:-]{1,40}$' THEN 'code'
        ELSE 'text' END;
END
$$;

COMMENT ON FUNCTION radscheduler.text_shape(text) IS 'What kind of thing a text is: date, time, ISO time, number, word, code, text; empty for nothing. Never the text.';

CREATE OR REPLACE FUNCTION radscheduler.field_shape(p_field jsonb) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_first jsonb := CASE WHEN jsonb_typeof(p_field) = 'array' THEN p_field -> 0 ELSE p_field END;
BEGIN
    RETURN CASE jsonb_typeof(v_first)
        WHEN 'null' THEN 'null'
        WHEN 'string' THEN radscheduler.text_shape(v_first #>> '{}')
        WHEN 'object' THEN radscheduler.text_shape(v_first ->> 'text')
        ELSE rtrim((SELECT string_agg(CASE jsonb_typeof(c.value) WHEN 'null' THEN 'null' WHEN 'string' THEN radscheduler.text_shape(c.value #>> '{}')
                                                                 WHEN 'object' THEN radscheduler.text_shape(c.value ->> 'text') ELSE 'parts' END, '^' ORDER BY c.place)
                    FROM jsonb_array_elements(v_first) WITH ORDINALITY c(value, place) WHERE c.place <= 12), '^') END
        || CASE WHEN jsonb_typeof(p_field) = 'array' AND jsonb_array_length(p_field) > 1 THEN ' repeated' ELSE '' END;
END
$$;

COMMENT ON FUNCTION radscheduler.field_shape(jsonb) IS
    'The shape of a field as hl7_to_jsonb() gives it: that of each component of its first repetition, such as ^^number^time; parts for one with subcomponents, null for the HL7 null, empty for nothing.';

CREATE OR REPLACE FUNCTION radscheduler.report_fields(p_messages radscheduler.hl7[]) RETURNS TABLE (item text, n bigint, share numeric, detail text)
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
        WITH segment AS MATERIALIZED (
            SELECT m.place AS message, s.value ->> 0 AS name, s.value FROM unnest(p_messages) WITH ORDINALITY m(message, place),
                   jsonb_array_elements(radscheduler.hl7_to_jsonb(m.message)) s(value)
            -- Three letters of a broken line could be a name: only what HL7 calls a segment, and Z.
            WHERE s.value ->> 0 ~ '^(MSH|EVN|PID|PD1|PV1|PV2|NK1|SCH|TQ1|NTE|RGS|AIS|AIG|AIL|AIP|DG1|AL1|OBX|OBR|ORC|MRG|IN1|IN2|GT1|ROL|CON|IPC|ZDS|Z[A-Z0-9]{2})$'
        ), field AS MATERIALIZED (
            SELECT s.message, s.name, f.place - 1 AS number, radscheduler.field_shape(f.value) AS shape
            FROM segment s, jsonb_array_elements(s.value) WITH ORDINALITY f(value, place)
            WHERE f.place > CASE s.name WHEN 'MSH' THEN 3 ELSE 1 END AND f.value <> '""'
        ), shape AS (
            SELECT f.name, f.number, f.shape, count(DISTINCT f.message) AS n,
                   row_number() OVER (PARTITION BY f.name, f.number ORDER BY count(DISTINCT f.message) DESC, f.shape) AS rank
            FROM field f WHERE f.shape <> '' GROUP BY 1, 2, 3
        ), whole AS (
            SELECT f.name, f.number, count(DISTINCT f.message) AS n FROM field f WHERE f.shape <> '' GROUP BY 1, 2
        )
        SELECT format('%s-%s', w.name, w.number), w.n, round(w.n::numeric / cardinality(p_messages), 3),
               (SELECT string_agg(CASE WHEN s.n = w.n THEN s.shape ELSE format('%s in %s', s.shape, s.n) END, ', ' ORDER BY s.rank)
                FROM shape s WHERE s.name = w.name AND s.number = w.number AND s.rank <= 4)
        FROM whole w ORDER BY array_position('{MSH,EVN,SCH,TQ1,NTE,PID,PV1,RGS,AIS,AIG,AIL,AIP}'::text[], w.name), w.name, w.number;
END
$$;

COMMENT ON FUNCTION radscheduler.report_fields(radscheduler.hl7[]) IS
    'The fields that messages fill: path, in how many messages, their share, and what shapes it has there (field_shape), the commonest first.';

CREATE OR REPLACE FUNCTION radscheduler.report_words(p_messages radscheduler.hl7[]) RETURNS TABLE (item text, n bigint, share numeric, detail text)
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
        WITH word AS MATERIALIZED (
            SELECT DISTINCT m.place AS message, radscheduler.hl7_get(m.message, 'PID-3.1') AS patient, p.path, p.known, v.value
            FROM unnest(p_messages) WITH ORDINALITY m(message, place),
                 (VALUES ('SCH-25[*].1', 'status'), ('SCH-25[*].2', 'status'), ('SCH-10', '^(S|SEC|SECS|SECONDS?|M|MIN|MINS|MINUTES?|H|HR|HRS|HOURS?|D|DAYS?)$'),
                         ('RGS[*]-2', '^[ADUX]$'), ('AIS[*]-2', '^[ADUX]$'), ('AIG[*]-2', '^[ADUX]$'), ('AIL[*]-2', '^[ADUX]$'), ('AIP[*]-2', '^[ADUX]$'),
                         ('MSH-11', '^[PTD]$'), ('MSH-12', '^2(\.\d){1,2}$'), ('MSH-18[*]', 'charset'),
                         ('PID-3[*].5', '^(MR|PI|PT|PN|AN|VN|SS|NI|NH|MC|MA|MCN|DL|PPN|JHN|BC|EPI|EI|AM|U|XX)$')) p(path, known),
                 unnest(radscheduler.hl7_get_all(m.message, p.path)) v(value)
            WHERE v.value <> ''
        ), counted AS (
            SELECT w.path, w.value, count(DISTINCT w.message) AS n,
                   CASE w.known WHEN 'status' THEN radscheduler.status_of(jsonb_build_array(w.value)) IS NOT NULL
                                WHEN 'charset' THEN radscheduler.hl7_charset(w.value) IS NOT NULL
                                ELSE upper(w.value) ~ w.known END AS is_known,
                   -- Short, letters only, in many messages of many people: a word, not a name.
                   w.value ~ '^[A-Za-z]{1,16}$' AND count(DISTINCT w.message) >= 10 AND count(DISTINCT w.patient) >= 5
                   AND count(DISTINCT w.message) * 10 >= cardinality(p_messages) AS is_frequent
            FROM word w GROUP BY w.path, w.known, w.value
        ), told AS (
            SELECT c.path, c.n, CASE WHEN c.is_known OR c.is_frequent THEN c.value END AS word,
                   CASE WHEN c.path LIKE 'SCH-25%' AND c.is_known THEN ', read as ' || radscheduler.status_of(jsonb_build_array(c.value))
                        WHEN c.is_known THEN '' ELSE ', not known here' END AS note
            FROM counted c
        )
        SELECT replace(t.path, '[*]', ''), sum(t.n)::bigint, round(least(sum(t.n) / cardinality(p_messages), 1), 3),
               coalesce(t.word || t.note, format('other values, not shown: %s', count(*)))
        FROM told t GROUP BY t.path, t.word, t.note ORDER BY 1, t.word IS NULL, 2 DESC, 4;
END
$$;

COMMENT ON FUNCTION radscheduler.report_words(radscheduler.hl7[]) IS
    'The words that messages hold where HL7 has codes (status, units, action codes, version, charset, kinds of identifiers): those that are known, or frequent, short and of many patients; the others are counted only.';

CREATE OR REPLACE FUNCTION radscheduler.sender_report(sender text DEFAULT NULL, since timestamptz DEFAULT now() - interval '30 days', until timestamptz DEFAULT now(), sample integer DEFAULT 500)
    RETURNS TABLE (site text, sender_name text, section text, item text, n bigint, share numeric, detail text, setting jsonb)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 100 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
#variable_conflict use_column
DECLARE
    v_sites    integer[] := radscheduler.visible_sites();
    v_sender   record;
    v_total    record;
    v_messages radscheduler.hl7[];
    v_found    boolean := false;
BEGIN
    IF since IS NULL OR until IS NULL OR since >= until THEN
        RAISE EXCEPTION 'the period of a report must end after it begins' USING ERRCODE = 'invalid_parameter_value', HINT = 'Give since and until, such as since => now() - interval ''7 days''.';
    ELSIF sample IS NULL OR sample NOT BETWEEN 1 AND 5000 THEN
        RAISE EXCEPTION 'a report reads 1 to 5000 messages of each sender' USING ERRCODE = 'invalid_parameter_value', HINT = 'sample is how many of the newest are read field by field; everything else counts all.';
    END IF;
    FOR v_sender IN
        SELECT s.site_id, s.sender_id, t.code AS site, concat_ws('|', s.sending_application, s.sending_facility) AS name, s.is_registered,
               radscheduler.sender_profile(s.profile, t.default_profile) AS profile
        FROM radscheduler.sender s JOIN radscheduler.site t ON t.site_id = s.site_id
        WHERE s.site_id = ANY (v_sites) AND (sender_report.sender IS NULL OR concat_ws('|', s.sending_application, s.sending_facility) = sender_report.sender)
        ORDER BY t.code, s.sending_application, s.sending_facility
    LOOP
        v_found := true;
        SELECT count(*) AS n, max(m.received_at) AS last INTO v_total FROM radscheduler.hl7_message m
            WHERE m.site_id = v_sender.site_id AND m.sender_id = v_sender.sender_id AND m.received_at >= since AND m.received_at < until;
        -- A message of many kilobytes is a report or a mistake, and would crowd out the others.
        v_messages := ARRAY(SELECT r.message FROM (SELECT radscheduler.readable_message(m.raw, v_sender.profile ->> 'charset') AS message
                FROM radscheduler.hl7_message m
                WHERE m.site_id = v_sender.site_id AND m.sender_id = v_sender.sender_id AND m.received_at >= since AND m.received_at < until
                  AND m.outcome <> 'duplicate' AND m.message_code <> 'JSON' AND length(m.raw) <= 65536
                ORDER BY m.received_at DESC, m.message_id DESC LIMIT sample) r WHERE r.message IS NOT NULL);
        PERFORM radscheduler.audit(v_sender.site_id, 'sender.report', 'sender', v_sender.sender_id, jsonb_build_object('messages', v_total.n, 'read', cardinality(v_messages)));
        RETURN QUERY
            SELECT v_sender.site, v_sender.name, r.section, r.item, r.n, r.share, r.detail, r.setting FROM (
                SELECT 1 AS place, 'sender' AS section, x.item, x.n, NULL::numeric AS share, x.detail, x.setting, x.rank AS rank
                FROM (VALUES (1, 'registered', NULL::bigint, CASE WHEN v_sender.is_registered THEN 'yes' ELSE 'no' END, NULL::jsonb),
                             (2, 'profile', NULL, 'preset and the site''s default written out', v_sender.profile),
                             (3, 'messages', v_total.n, 'received in the period' || coalesce(', the last on ' || to_char(timezone('UTC', v_total.last), 'YYYY-MM-DD"T"HH24:MI"Z"'), ''), NULL),
                             (4, 'read', cardinality(v_messages)::bigint, 'the newest of them, read field by field', NULL)) x(rank, item, n, detail, setting)
                UNION ALL
                SELECT 2, 'messages', m.kind, m.n, round(m.n::numeric / v_total.n, 3), m.outcome, NULL, row_number() OVER (ORDER BY m.kind, m.n DESC, m.outcome)
                FROM (SELECT CASE WHEN a.message_code ~ '^[A-Z]{3,4}$' AND coalesce(a.trigger_event, 'S12') ~ '^[A-Z]\d\d$' THEN concat_ws('^', a.message_code, a.trigger_event) ELSE 'other' END AS kind,
                             a.outcome, count(*) AS n
                      FROM radscheduler.hl7_message a
                      WHERE a.site_id = v_sender.site_id AND a.sender_id = v_sender.sender_id AND a.received_at >= since AND a.received_at < until GROUP BY 1, 2) m
                UNION ALL
                SELECT 3, 'errors', m.error ->> 'code', count(*), round(count(*)::numeric / v_total.n, 3), m.error ->> 'path', NULL, row_number() OVER (ORDER BY count(*) DESC, m.error ->> 'code', m.error ->> 'path')
                FROM radscheduler.hl7_message m
                WHERE m.site_id = v_sender.site_id AND m.sender_id = v_sender.sender_id AND m.received_at >= since AND m.received_at < until AND m.error IS NOT NULL GROUP BY m.error ->> 'code', m.error ->> 'path'
                UNION ALL
                SELECT 4, 'warnings', w.code, w.n, round(w.n::numeric / v_total.n, 3), w.path, NULL, row_number() OVER (ORDER BY w.n DESC, w.code, w.path)
                FROM (SELECT e.value ->> 'code' AS code, regexp_replace(e.value ->> 'path', '\[\d+\]', '', 'g') AS path, count(DISTINCT m.message_id) AS n
                      FROM radscheduler.hl7_message m, jsonb_array_elements(m.warnings) e(value)
                      WHERE m.site_id = v_sender.site_id AND m.sender_id = v_sender.sender_id AND m.received_at >= since AND m.received_at < until AND m.outcome <> 'duplicate' GROUP BY 1, 2) w
                UNION ALL
                SELECT 5, 'fields', f.item, f.n, f.share, f.detail, NULL, row_number() OVER () FROM radscheduler.report_fields(v_messages) f
                UNION ALL
                SELECT 6, 'words', f.item, f.n, f.share, f.detail, NULL, row_number() OVER () FROM radscheduler.report_words(v_messages) f
                UNION ALL
                SELECT 7, 'suggestion', f.item, f.n, f.share, f.detail, f.setting, row_number() OVER ()
                FROM radscheduler.sender_advice(v_sender.site_id, v_sender.sender_id, since, until, v_messages) f) r
            ORDER BY r.place, r.rank;
    END LOOP;
    IF NOT v_found AND sender_report.sender IS NOT NULL THEN
        RAISE EXCEPTION 'no site of this session has a sender "%"', left(sender_report.sender, 100) USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Give MSH-3 and MSH-4 with a bar between them, such as ''RIS|NORTH''; radscheduler.sender lists them.';
    END IF;
END
$$;

COMMENT ON FUNCTION radscheduler.sender_report(text, timestamptz, timestamptz, integer) IS
    'What a sender (''application|facility''; NULL for all of the caller''s sites) sent in a period, a row for each fact: section (sender, messages, errors, warnings, fields, words, suggestion), item, in how many messages (n), their share, detail, setting. Suggestions are settings of the profile with the reason; setting can be given to set_sender(). messages, errors and warnings count all, fields, words and most suggestions the newest messages (sample, at most 5000, those up to 64 kB). No values are shown: fields are told by shape, and words only where HL7 has codes and they are known or frequent. Writes one audit event per sender. Raises 22023 for a sender that is not there.';

CREATE OR REPLACE FUNCTION radscheduler.advice_facts(p_messages radscheduler.hl7[]) RETURNS TABLE (
        trigger_event text, id text, other_ids text[], has_status boolean, has_time boolean, has_parts boolean, has_place boolean, is_test boolean,
        pv1_3 boolean, pv1_7 boolean, pv1_8 boolean, phone text, notes text[], place bigint)
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN QUERY
        SELECT f.v[1], coalesce(f.v[2], f.v[3]), f.v[4:8], f.v[9] IS NOT NULL, coalesce(f.v[10], f.v[11]) IS NOT NULL,
               coalesce(f.v[12], f.v[13], f.v[14], f.v[15]) IS NOT NULL, coalesce(f.v[13], f.v[14]) IS NOT NULL, f.v[16] <> 'P',
               f.v[17] IS NOT NULL, f.v[18] IS NOT NULL, f.v[19] IS NOT NULL, f.v[20], radscheduler.hl7_get_all(m.message, 'NTE[*]-3'), m.position
        FROM unnest(p_messages) WITH ORDINALITY m(message, position),
             LATERAL (SELECT radscheduler.hl7_fields(m.message, 'MSH-9.2', 'SCH-2.1', 'SCH-1.1', 'PV1-19.1', 'SCH-5.1', 'PV1-50.1', 'SCH-27.1', 'SCH-26.1', 'SCH-25', 'SCH-11.4', 'TQ1-7',
                                                     'AIS-3', 'AIG-3', 'AIL-3', 'AIP-3', 'MSH-11', 'PV1-3', 'PV1-7', 'PV1-8', 'PID-13')) f(v)
        WHERE radscheduler.hl7_get(m.message, 'MSH-9.1') = 'SIU';
END
$$;

COMMENT ON FUNCTION radscheduler.advice_facts(radscheduler.hl7[]) IS
    'What the advice looks at in each scheduling message; other_ids are PV1-19, SCH-5, PV1-50, SCH-27 and SCH-26. Newest message first, as given.';

CREATE OR REPLACE FUNCTION radscheduler.modality_advice(p_site integer, p_messages radscheduler.hl7[]) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (
        SELECT format('%s-%s', c.name, c.number)
        FROM (SELECT m.position, s.value ->> 0 AS name, f.place - 1 AS number,
                     radscheduler.modality_code(p_site, CASE jsonb_typeof(f.value) WHEN 'string' THEN f.value #>> '{}' WHEN 'array' THEN f.value #>> '{0,0}' END) IS NOT NULL AS is_modality
              FROM unnest(p_messages) WITH ORDINALITY m(message, position), jsonb_array_elements(radscheduler.hl7_to_jsonb(m.message)) s(value),
                   jsonb_array_elements(s.value) WITH ORDINALITY f(value, place)
              WHERE s.value ->> 0 ~ '^(OBR|IPC|Z[A-Z0-9]{2})$' AND f.place > 1 AND f.value <> '""' AND f.value <> 'null') c
        GROUP BY c.name, c.number
        HAVING count(DISTINCT c.position) * 2 >= cardinality(p_messages) AND count(*) FILTER (WHERE c.is_modality) * 5 >= count(*) * 4
        ORDER BY count(*) FILTER (WHERE c.is_modality) DESC, 1 LIMIT 1);
END
$$;

COMMENT ON FUNCTION radscheduler.modality_advice(integer, radscheduler.hl7[]) IS
    'The path of a field in OBR, IPC or a Z segment that holds a modality word in most of the messages; NULL when there is none.';

CREATE OR REPLACE FUNCTION radscheduler.region_advice(p_phones text[]) RETURNS text[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN ARRAY(
        SELECT r.region FROM radscheduler.phone_region r, unnest(p_phones) p(phone)
        GROUP BY r.region HAVING count(radscheduler.e164(p.phone, r.region)) * 10 >= count(*) * 9 ORDER BY 1);
END
$$;

COMMENT ON FUNCTION radscheduler.region_advice(text[]) IS 'The regions whose numbering plan completes nine of ten of these phone numbers.';

CREATE OR REPLACE FUNCTION radscheduler.sender_advice(p_site integer, p_sender bigint, p_since timestamptz, p_until timestamptz, p_messages radscheduler.hl7[])
    RETURNS TABLE (item text, n bigint, share numeric, detail text, setting jsonb)
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    c_paths  CONSTANT text[] := '{PV1-19,SCH-5,PV1-50,SCH-27,SCH-26}';
    v_sender record;
    v_log    record;
    v_read   record;
    v_id     record;
    v_phones text[];
    v_fits   text[];
    v_again  bigint;
    v_path   text;
BEGIN
    SELECT s.is_registered, radscheduler.sender_profile(s.profile, t.default_profile) AS profile, t.timezone, t.phone_region INTO v_sender
        FROM radscheduler.sender s JOIN radscheduler.site t ON t.site_id = s.site_id WHERE s.site_id = p_site AND s.sender_id = p_sender;
    SELECT count(*) AS n,
           count(*) FILTER (WHERE jsonb_path_exists(m.warnings, '$[*] ? (@.code == "TIME_DISAGREE" && @.path starts with "AIS")')) AS disagree,
           count(*) FILTER (WHERE m.warnings @> '[{"code": "CHARSET_ASSUMED"}]') AS charset, count(*) FILTER (WHERE m.warnings @> '[{"code": "ZONE_ASSUMED"}]' OR m.warnings @> '[{"code": "ZONE_OF_MESSAGE"}]') AS zone,
           count(*) FILTER (WHERE m.warnings @> '[{"code": "PHONE_UNUSABLE"}]') AS phone, count(*) FILTER (WHERE m.warnings @> '[{"code": "MODALITY_UNKNOWN"}]') AS modality,
           count(*) FILTER (WHERE m.error ->> 'code' = '102') AS misplaced, count(*) FILTER (WHERE m.error ->> 'code' = '204' AND m.trigger_event IN ('S20', 'S21', 'S22')) AS resource,
           count(*) FILTER (WHERE m.message_code = 'ADT' AND m.trigger_event IN ('A01', 'A04', 'A10')) AS arrivals,
           array_agg(DISTINCT m.trigger_event) FILTER (WHERE m.message_code = 'ADT' AND m.trigger_event IN ('A01', 'A04', 'A10')) AS arrival_events,
           percentile_disc(0.5) WITHIN GROUP (ORDER BY round(extract(epoch FROM m.message_time - m.received_at) / 60)) AS ahead,
           count(*) FILTER (WHERE m.message_time > m.received_at + interval '5 minutes') AS skewed
        INTO v_log FROM radscheduler.hl7_message m
        WHERE m.site_id = p_site AND m.sender_id = p_sender AND m.received_at >= p_since AND m.received_at < p_until AND m.outcome <> 'duplicate' AND m.message_code <> 'JSON';
    SELECT count(*) AS n, count(*) FILTER (WHERE f.id IS NULL) AS no_id, count(*) FILTER (WHERE f.trigger_event = 'S14') AS s14, count(*) FILTER (WHERE f.trigger_event = 'S15') AS s15,
           count(*) FILTER (WHERE f.trigger_event = 'S14' AND NOT f.has_status AND NOT f.has_time AND NOT f.has_parts) AS bare, count(*) FILTER (WHERE f.is_test) AS tests,
           count(*) FILTER (WHERE NOT f.has_place) AS no_place, count(*) FILTER (WHERE NOT f.has_place AND f.pv1_3) AS pv1_3, count(*) FILTER (WHERE f.pv1_8) AS pv1_8,
           count(*) FILTER (WHERE f.pv1_7 AND NOT f.pv1_8) AS pv1_7, count(*) FILTER (WHERE EXISTS (SELECT FROM unnest(f.notes) t(note) WHERE t.note ~* '^\s*priority\s*:')) AS priority,
           array_agg(f.phone) FILTER (WHERE f.phone ~ '\d' AND f.phone !~ '^\s*\+') AS phones
        INTO v_read FROM radscheduler.advice_facts(p_messages) f;
    v_phones := v_read.phones;

    IF NOT v_sender.is_registered THEN
        RETURN QUERY SELECT 'registered', v_log.n, NULL::numeric, 'Nobody has looked at this sender yet: set_sender() with its application and facility registers it.', NULL::jsonb;
    END IF;
    IF v_log.zone >= 3 AND v_sender.timezone IS NULL AND NOT v_sender.profile ? 'timezone' THEN
        RETURN QUERY SELECT 'timezone', v_log.zone, round(v_log.zone::numeric / v_log.n, 3), 'Times are sent without an offset, and neither the profile nor the site names a zone. Set the zone that this sender''s clock shows.', NULL::jsonb;
    END IF;
    IF v_read.no_id >= 3 AND NOT v_sender.profile ? 'id_source' THEN
        SELECT u.path, count(u.value) AS filled INTO v_id
            FROM radscheduler.advice_facts(p_messages) f, unnest(c_paths, f.other_ids) WITH ORDINALITY u(path, value, place) WHERE f.id IS NULL
            GROUP BY u.path, u.place HAVING count(u.value) * 10 >= v_read.no_id * 9 AND count(DISTINCT u.value) >= 2 ORDER BY count(u.value) DESC, u.place LIMIT 1;
        RETURN QUERY SELECT 'id_source', v_read.no_id, round(v_read.no_id::numeric / v_read.n, 3),
            'SCH-2 and SCH-1 are empty, so these messages cannot be told from each other. '
            || CASE WHEN v_id.path IS NOT NULL THEN format('%s is filled in %s of them; ask whether it names the appointment.', v_id.path, v_id.filled)
                    ELSE 'No other field that could name the appointment is filled in them.' END,
            CASE WHEN v_id.path IS NOT NULL THEN jsonb_build_object('id_source', v_id.path) END;
    END IF;
    IF v_read.bare >= 3 AND v_read.bare * 2 >= v_read.s14 AND NOT v_sender.profile ? 'event_map' THEN
        RETURN QUERY SELECT 'preset', v_read.bare, round(v_read.bare::numeric / v_read.s14, 3),
            format('%s of %s S14 carry no status, no time and no service or resource, as a cancellation would%s. Ask the sender whether its S14 cancels before setting this.', v_read.bare, v_read.s14,
                   CASE WHEN v_read.s15 = 0 THEN '; S15 never comes' ELSE '' END), '{"preset": "seed_naming"}'::jsonb;
    END IF;
    IF v_log.disagree >= 3 AND v_log.disagree * 5 >= v_log.n AND NOT v_sender.profile ? 'start_source' THEN
        RETURN QUERY SELECT 'start_source', v_log.disagree, round(v_log.disagree::numeric / v_log.n, 3), 'AIS-4 says another start than the appointment. A RIS often means the exam''s time, AIS-4.', '{"start_source": "service"}'::jsonb;
    END IF;
    IF v_log.charset >= 1 AND NOT v_sender.profile ? 'charset' THEN
        RETURN QUERY SELECT 'charset', v_log.charset, round(v_log.charset::numeric / v_log.n, 3), 'The bytes are not UTF-8 and MSH-18 names no charset; they are read as Windows-1252. Ask which it is.', '{"charset": "WINDOWS-1252"}'::jsonb;
    END IF;
    IF v_log.skewed >= 3 AND v_log.skewed * 2 > v_log.n AND NOT v_sender.profile ? 'order_by' THEN
        RETURN QUERY SELECT CASE WHEN abs(v_log.ahead - round(v_log.ahead / 30) * 30) <= 2 THEN 'timezone' ELSE 'order_by' END, v_log.skewed, round(v_log.skewed::numeric / v_log.n, 3),
            CASE WHEN abs(v_log.ahead - round(v_log.ahead / 30) * 30) <= 2
                 THEN format('MSH-7 runs %s minutes ahead of arrival, a whole zone: the clock shows another zone than the one assumed. Set the right one.', round(v_log.ahead / 30) * 30)
                 ELSE format('MSH-7 runs %s minutes ahead of arrival: a wrong clock, or an engine that rewrites it.', v_log.ahead) END,
            CASE WHEN abs(v_log.ahead - round(v_log.ahead / 30) * 30) > 2 THEN '{"order_by": "arrival"}'::jsonb END;
    END IF;
    IF v_log.phone >= 3 AND v_log.phone * 5 >= v_log.n AND NOT v_sender.profile ? 'phone_region' AND cardinality(v_phones) >= 3 THEN
        v_fits := radscheduler.region_advice(v_phones);
        RETURN QUERY SELECT 'phone_region', v_log.phone, round(v_log.phone::numeric / v_log.n, 3),
            format('Phone numbers cannot be completed with the numbering plan of %s. %s', v_sender.phone_region,
                   CASE WHEN cardinality(v_fits) > 0 THEN format('They fit that of %s.', array_to_string(v_fits, ', ')) ELSE 'They fit none that is known.' END),
            CASE WHEN cardinality(v_fits) = 1 THEN jsonb_build_object('phone_region', v_fits[1]) END;
    END IF;
    IF v_log.modality >= 3 AND v_log.modality * 5 >= v_log.n AND NOT v_sender.profile ? 'modality_source' THEN
        v_path := radscheduler.modality_advice(p_site, p_messages);
        RETURN QUERY SELECT 'modality_source', v_log.modality, round(v_log.modality::numeric / v_log.n, 3),
            'Nothing known names a modality. ' || coalesce(v_path || ' holds words that do.', 'Add the exams to radscheduler.procedure, their codes to procedure_alias, or their words to modality_alias.'),
            CASE WHEN v_path IS NOT NULL THEN jsonb_build_object('modality_source', v_path) END;
    END IF;
    IF v_read.pv1_3 >= 3 AND v_read.pv1_3 * 5 >= v_read.n * 4 AND NOT v_sender.profile ? 'location_source' THEN
        RETURN QUERY SELECT 'location_source', v_read.pv1_3, round(v_read.pv1_3::numeric / v_read.n, 3), 'No AIL or AIG names a place, and PV1-3 is filled. Ask whether it is the examination room.', '{"location_source": "PV1-3"}'::jsonb;
    END IF;
    IF v_read.pv1_7 >= 3 AND v_read.pv1_7 * 5 >= v_read.n * 4 AND v_read.pv1_8 * 20 <= v_read.n AND NOT v_sender.profile ? 'referrer_source' THEN
        RETURN QUERY SELECT 'referrer_source', v_read.pv1_7, round(v_read.pv1_7::numeric / v_read.n, 3), 'PV1-8 (referring) is empty and PV1-7 (attending) is filled. Ask whether that is who refers.', '{"referrer_source": "PV1-7"}'::jsonb;
    END IF;
    IF v_read.priority >= 3 AND NOT v_sender.profile ? 'priority_notes' THEN
        RETURN QUERY SELECT 'priority_notes', v_read.priority, round(v_read.priority::numeric / v_read.n, 3), 'Notes say "Priority:".', '{"priority_notes": true}'::jsonb;
    END IF;
    IF v_log.arrivals >= 3 AND NOT v_sender.profile ? 'arrival_events' THEN
        RETURN QUERY SELECT 'arrival_events', v_log.arrivals, round(v_log.arrivals::numeric / v_log.n, 3), 'ADT events come that can mark the patient as arrived.', jsonb_build_object('arrival_events', v_log.arrival_events);
    END IF;
    IF v_log.resource >= 3 AND NOT v_sender.profile ? 'unknown_resource_change' THEN
        RETURN QUERY SELECT 'unknown_resource_change', v_log.resource, round(v_log.resource::numeric / v_log.n, 3), 'S20, S21 or S22 about appointments that are not known here are refused.', '{"unknown_resource_change": "ignore"}'::jsonb;
    END IF;
    IF v_log.misplaced >= 3 AND v_log.misplaced * 10 >= v_log.n AND v_sender.profile ->> 'repair' = 'strict' THEN
        RETURN QUERY SELECT 'repair', v_log.misplaced, round(v_log.misplaced::numeric / v_log.n, 3), 'Messages are refused for values in the wrong place. lenient would read them and warn.', '{"repair": "lenient"}'::jsonb;
    END IF;
    IF v_read.tests >= 3 AND v_read.tests * 2 >= v_read.n AND NOT v_sender.profile ? 'test_messages' THEN
        RETURN QUERY SELECT 'test_messages', v_read.tests, round(v_read.tests::numeric / v_read.n, 3), 'MSH-11 says test or debugging: these appointments are marked as tests. A production sender must say P; for a test system choose ignore or refuse.', NULL::jsonb;
    END IF;
    -- Newest first: the message before a booking in time is the next one of its id.
    SELECT count(*) INTO v_again FROM (SELECT f.trigger_event, lead(f.trigger_event) OVER (PARTITION BY f.id ORDER BY f.place) AS before FROM radscheduler.advice_facts(p_messages) f WHERE f.id IS NOT NULL) b
        WHERE b.trigger_event = 'S12' AND b.before = 'S15';
    IF v_again >= 3 THEN
        RETURN QUERY SELECT 'moves', v_again, round(v_again::numeric / v_read.s15, 3),
            'S15 is followed by S12 under the same id: this sender moves appointments by cancelling and booking again. Each becomes a new generation and counts as a cancellation; S13 would tell a move.', NULL::jsonb;
    END IF;
END
$$;

COMMENT ON FUNCTION radscheduler.sender_advice(integer, bigint, timestamptz, timestamptz, radscheduler.hl7[]) IS
    'Suggested settings of a sender''s profile with their reasons: in how many messages it shows, their share, and the setting as set_sender() takes it, or NULL where only a person can say which.';

CREATE TYPE radscheduler.appointment_then AS (
    id                  bigint,
    patient_id          text,
    patient_name        text,
    patient_phone       text,
    modality            text,
    study_type          text,
    datetime            timestamp,
    duration            integer,
    status              text,
    referring_physician text,
    urgency             text,
    notes               text,
    conflicts           jsonb,
    source              text,
    created_at          timestamp,
    updated_at          timestamp,
    version             integer,
    recorded_at         timestamptz
);

COMMENT ON TYPE radscheduler.appointment_then IS
    'A row of the appointments view as it was at a moment, column for column, with the version that was in force and when that was recorded.';

CREATE OR REPLACE FUNCTION radscheduler.snapshot_start(snapshot jsonb) RETURNS timestamptz
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (snapshot #>> '{appointment,starts_at}')::timestamptz;
END
$$;

COMMENT ON FUNCTION radscheduler.snapshot_start(jsonb) IS
    'Start of the appointment in a snapshot of appointment_history. Immutable, because a time in jsonb carries its offset: no setting changes what it means.';

CREATE OR REPLACE FUNCTION radscheduler.snapshot_of(p_site integer, p_appointment bigint) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT jsonb_build_object('appointment', to_jsonb(a),
               'services', (SELECT coalesce(jsonb_agg(to_jsonb(s) - '{site_id,appointment_id}'::text[] ORDER BY s.position), '[]') FROM radscheduler.appointment_service s
                            WHERE s.site_id = a.site_id AND s.appointment_id = a.appointment_id),
               'resources', (SELECT coalesce(jsonb_agg(to_jsonb(r) - '{site_id,appointment_id}'::text[] ORDER BY r.position), '[]') FROM radscheduler.appointment_resource r
                             WHERE r.site_id = a.site_id AND r.appointment_id = a.appointment_id))
        FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointment);
END
$$;

COMMENT ON FUNCTION radscheduler.snapshot_of(integer, bigint) IS 'An appointment as it stands now, in the form in which record_versions() keeps its versions.';

CREATE OR REPLACE FUNCTION radscheduler.shown_snapshot(p_site integer, p_snapshot jsonb) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_zone CONSTANT text := radscheduler.site_zone(p_site);
BEGIN
    RETURN (
        SELECT jsonb_build_object('id', a.appointment_id, 'external_id', coalesce(a.filler_id, a.placer_id), 'generation', a.generation,
                   'patient_id', p.mrn, 'patient_name', p.display_name, 'patient_phone', coalesce(p.phone, p.phone_as_sent),
                   'modality', coalesce(m.label, a.modality), 'study_type', a.study_text,
                   'datetime', timezone(c_zone, a.starts_at), 'duration', (extract(epoch FROM a.ends_at - a.starts_at) / 60)::integer,
                   'status', a.status, 'review_reason', a.review_reason, 'referring_physician', a.referring_physician, 'urgency', a.urgency,
                   'notes', a.notes, 'reason', a.reason, 'event_reason', a.event_reason, 'visit_number', a.visit_number,
                   'placer_orders', a.placer_orders, 'filler_orders', a.filler_orders, 'is_test', a.is_test, 'source', a.source)
               || jsonb_build_object(
                   'services', (SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('group', s.group_no, 'code', s.code, 'name', s.name,
                                           'start', timezone(c_zone, s.starts_at), 'end', timezone(c_zone, s.ends_at), 'status', s.status)) ORDER BY s.position), '[]')
                                FROM jsonb_populate_recordset(NULL::radscheduler.appointment_service, p_snapshot -> 'services') s),
                   'resources', (SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('group', r.group_no, 'kind', x.kind, 'code', x.code, 'name', x.name, 'role', r.role,
                                           'start', timezone(c_zone, r.starts_at), 'end', timezone(c_zone, r.ends_at), 'status', r.status)) ORDER BY r.position), '[]')
                                 FROM jsonb_populate_recordset(NULL::radscheduler.appointment_resource, p_snapshot -> 'resources') r
                                 LEFT JOIN radscheduler.resource x ON x.site_id = p_site AND x.resource_id = r.resource_id))
        FROM jsonb_populate_record(NULL::radscheduler.appointment, p_snapshot -> 'appointment') a
        LEFT JOIN radscheduler.patient p ON p.site_id = p_site AND p.patient_id = radscheduler.patient_now(p_site, a.patient_id)
        LEFT JOIN radscheduler.modality m ON m.site_id = p_site AND m.code = a.modality
        WHERE a.appointment_id IS NOT NULL);
END
$$;

COMMENT ON FUNCTION radscheduler.shown_snapshot(integer, jsonb) IS
    'A snapshot for people: the columns of the appointments view but conflicts and the times of recording, the sender''s key (external_id), what else a message sets, and services and resources by name, all times local to the site. Codes and names of patients and resources are today''s.';

CREATE OR REPLACE FUNCTION radscheduler.conflicts_as_of(p_site integer, p_appointment bigint, p_at timestamptz) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT coalesce(jsonb_agg(jsonb_build_object(
               'code', g.code, 'severity', g.severity, 'axis', g.axis, 'resource', g.resource, 'with', g.partners, 'overlap_min', g.overlap_min,
               'message', g.message, 'detected_at', g.detected_at, 'state', g.state, 'alternatives', g.alternatives) ORDER BY g.severity DESC, g.first_id), '[]')
    FROM (
        SELECT c.code, max(c.severity) AS severity, CASE k.axis WHEN 'rule' THEN coalesce(r.kind::text, 'rule') ELSE k.axis END AS axis, r.code AS resource, min(c.conflict_id) AS first_id,
               coalesce(jsonb_agg(jsonb_build_object('appointment_id', o.appointment_id, 'external_id', coalesce(o.filler_id, o.placer_id),
                                                     'start', o.starts_at, 'end', o.ends_at) ORDER BY o.starts_at, o.appointment_id)
                            FILTER (WHERE o.appointment_id IS NOT NULL), '[]') AS partners,
               round(max(extract(epoch FROM upper(c.overlap) - lower(c.overlap)) / 60))::integer AS overlap_min,
               format(k.text, coalesce(r.name, radscheduler.rule_subject(p_site, c.code, p_appointment))) AS message, min(c.detected_at) AS detected_at,
               min(CASE c.state WHEN 'resolved' THEN 'open' ELSE c.state END)::text AS state,
               coalesce((array_agg(c.alternatives ORDER BY c.conflict_id) FILTER (WHERE c.appointment_id = p_appointment))[1], '[]') AS alternatives
        FROM (SELECT x.*, x.other_appointment_id AS partner_id FROM radscheduler.conflict x WHERE x.site_id = p_site AND x.appointment_id = p_appointment
              UNION ALL
              SELECT x.*, x.appointment_id FROM radscheduler.conflict x WHERE x.site_id = p_site AND x.other_appointment_id = p_appointment) c
        LEFT JOIN LATERAL (
            SELECT v.* FROM radscheduler.appointment_history h, jsonb_populate_record(NULL::radscheduler.appointment, h.snapshot -> 'appointment') v
            WHERE h.site_id = p_site AND h.appointment_id = c.partner_id AND h.recorded_at <= p_at ORDER BY h.version DESC LIMIT 1) o ON true
        JOIN radscheduler.conflict_kind k ON k.code = c.code
        LEFT JOIN radscheduler.resource r ON c.axis = 'resource' AND r.site_id = c.site_id AND r.resource_id = c.subject_id
        WHERE c.detected_at <= p_at AND (c.resolved_at IS NULL OR c.resolved_at > p_at)
        GROUP BY c.code, k.axis, k.text, r.code, r.name, r.kind, c.subject_id
    ) g);
END
$$;

COMMENT ON FUNCTION radscheduler.conflicts_as_of(integer, bigint, timestamptz) IS
    'conflicts_of() as it would have answered at a moment. A conflict that was accepted shows as accepted from its beginning, and one that changed its overlap with the last one: only coming and going are recorded.';

CREATE OR REPLACE FUNCTION radscheduler.rows_as_of(p_site integer, p_at timestamptz, p_appointments bigint[], p_from timestamptz, p_until timestamptz) RETURNS SETOF radscheduler.appointment_then
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 100 SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_zone CONSTANT text := radscheduler.site_zone(p_site);
BEGIN
    RETURN QUERY
        SELECT a.appointment_id, p.mrn, p.display_name, coalesce(p.phone, p.phone_as_sent), coalesce(m.label, a.modality), a.study_text,
               timezone(c_zone, a.starts_at), (extract(epoch FROM a.ends_at - a.starts_at) / 60)::integer, a.status::text, a.referring_physician, a.urgency, a.notes,
               radscheduler.conflicts_as_of(p_site, a.appointment_id, p_at), a.source, timezone(c_zone, a.created_at), timezone(c_zone, a.updated_at), h.version, h.recorded_at
        FROM (SELECT u.id FROM unnest(p_appointments) u(id)
              UNION ALL
              -- Every appointment that ever lay in the period may have lain there then.
              SELECT DISTINCT v.appointment_id FROM radscheduler.appointment_history v
              WHERE p_appointments IS NULL AND p_from IS NOT NULL AND v.site_id = p_site AND v.recorded_at <= p_at
                AND radscheduler.snapshot_start(v.snapshot) >= p_from AND radscheduler.snapshot_start(v.snapshot) < p_until
              UNION ALL
              SELECT x.appointment_id FROM radscheduler.appointment x WHERE p_appointments IS NULL AND p_from IS NULL AND x.site_id = p_site) c(id)
        CROSS JOIN LATERAL (SELECT y.* FROM radscheduler.appointment_history y
                            WHERE y.site_id = p_site AND y.appointment_id = c.id AND y.recorded_at <= p_at ORDER BY y.version DESC LIMIT 1) h
        CROSS JOIN LATERAL jsonb_populate_record(NULL::radscheduler.appointment, h.snapshot -> 'appointment') a
        LEFT JOIN radscheduler.patient p ON p.site_id = p_site AND p.patient_id = radscheduler.patient_now(p_site, a.patient_id)
        LEFT JOIN radscheduler.modality m ON m.site_id = p_site AND m.code = a.modality
        WHERE a.status <> 'DELETED' AND a.patient_id IS NOT NULL AND (p_from IS NULL OR a.starts_at >= p_from AND a.starts_at < p_until)
        ORDER BY a.starts_at NULLS LAST, a.appointment_id;
END
$$;

COMMENT ON FUNCTION radscheduler.rows_as_of(integer, timestamptz, bigint[], timestamptz, timestamptz) IS
    'Appointments as they were known at a moment: those given, else those that began in a period then, else all of the site.';

CREATE OR REPLACE FUNCTION radscheduler.schedule_as_of(ts timestamptz, site text DEFAULT NULL, days daterange DEFAULT NULL) RETURNS SETOF radscheduler.appointment_then
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 100 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
    AS $$
DECLARE
    v_site integer := CASE WHEN schedule_as_of.site IS NULL THEN radscheduler.current_site()
                           ELSE coalesce((SELECT s.site_id FROM radscheduler.site s WHERE s.code = schedule_as_of.site), -1) END;
    v_zone text := radscheduler.site_zone(v_site);
    v_rows radscheduler.appointment_then[];
BEGIN
    PERFORM radscheduler.require_site(v_site);
    IF ts IS NULL THEN
        RAISE EXCEPTION 'schedule_as_of needs a moment' USING ERRCODE = 'null_value_not_allowed', HINT = 'Give one such as now() - interval ''1 day''.';
    ELSIF isempty(days) OR lower_inf(days) OR upper_inf(days) THEN
        RAISE EXCEPTION 'the days must be a range with both ends' USING ERRCODE = 'invalid_parameter_value', HINT = 'Write days => ''[2031-08-04,2031-08-05]'', or leave them out for the whole schedule.';
    END IF;
    v_rows := ARRAY(SELECT r FROM radscheduler.rows_as_of(v_site, ts, NULL, timezone(v_zone, lower(days)::timestamp), timezone(v_zone, upper(days)::timestamp)) r);
    PERFORM radscheduler.audit(v_site, 'read', 'appointment', NULL, jsonb_strip_nulls(jsonb_build_object('as_of', ts, 'days', days, 'count', cardinality(v_rows),
        'appointments', CASE WHEN cardinality(v_rows) <= 1000 THEN (SELECT jsonb_agg(r.id ORDER BY r.id) FROM unnest(v_rows) r) END)));
    RETURN QUERY SELECT * FROM unnest(v_rows);
END
$$;

COMMENT ON FUNCTION radscheduler.schedule_as_of(timestamptz, text, daterange) IS
    'The schedule as it was known at a moment: rows of the appointments view as they were, with version and recorded_at, in order of time. site is a code, by default the session''s site; days are calendar days of the site (by the start that was known then), by default all. Patients'' names and phones are today''s, those of the patient kept where two were merged; conflicts are those that were open. What purge() removed does not come back. A version counts from when it was written, a moment before its transaction committed. The read is audited, with ids up to 1,000 rows.';

CREATE OR REPLACE FUNCTION radscheduler.appointment_as_of(id bigint, ts timestamptz) RETURNS SETOF radscheduler.appointment_then
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
    AS $$
DECLARE
    v_site integer := (SELECT a.site_id FROM radscheduler.appointment a WHERE a.appointment_id = appointment_as_of.id AND a.site_id = ANY (radscheduler.visible_sites()));
    v_row  radscheduler.appointment_then;
BEGIN
    IF ts IS NULL THEN
        RAISE EXCEPTION 'appointment_as_of needs a moment' USING ERRCODE = 'null_value_not_allowed', HINT = 'Give one such as now() - interval ''1 day''.';
    ELSIF v_site IS NULL THEN
        RETURN;
    END IF;
    FOR v_row IN SELECT * FROM radscheduler.rows_as_of(v_site, ts, ARRAY[appointment_as_of.id], NULL, NULL) LOOP
        PERFORM radscheduler.audit(v_site, 'read', 'appointment', v_row.id, jsonb_build_object('as_of', ts, 'version', v_row.version));
        RETURN NEXT v_row;
    END LOOP;
END
$$;

COMMENT ON FUNCTION radscheduler.appointment_as_of(bigint, timestamptz) IS
    'One appointment as it was known at a moment, as schedule_as_of() gives it. No row: there was none by then, it was deleted, or it is at a site the caller may not use. The read is audited.';

CREATE TYPE radscheduler.dry_run_result AS (
    outcome        text,
    code           text,
    appointment_id bigint,
    is_new         boolean,
    appointment    jsonb,
    conflicts      jsonb,
    warnings       jsonb,
    error          jsonb,
    events         jsonb,
    ack            bytea
);

COMMENT ON TYPE radscheduler.dry_run_result IS
    'What ingest() would make of a message: outcome, code, the appointment (NULL where it would be a new one, which is_new says), its row as it would be (shown_snapshot(); NULL for a caller who may not read appointments), conflicts, warnings, error, the events that listeners would be told [{type, appointment_id, data}], and the acknowledgement.';

CREATE OR REPLACE FUNCTION radscheduler.rehearse(p_messages bytea[], p_channel text, p_peer text) RETURNS SETOF radscheduler.dry_run_result
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 10 SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    -- Whoever may only send gets back what ingest() gives, not what is known of the patient.
    c_shows   CONSTANT boolean := has_table_privilege(radscheduler.caller(), 'radscheduler.appointments', 'SELECT');
    v_item    radscheduler.ingest_item;
    v_results radscheduler.dry_run_result[] := '{}';
    v_sites   integer[] := '{}';
    v_new     bigint[];
    v_seq     bigint;
    r         radscheduler.dry_run_result;
BEGIN
    BEGIN
        FOR k IN 1 .. cardinality(p_messages) LOOP
            v_seq := coalesce((SELECT max(e.seq) FROM radscheduler.event_log e WHERE e.xid = pg_current_xact_id()), 0);
            v_item := radscheduler.ingest_one(p_messages[k], p_channel, p_peer);
            r.outcome := v_item.outcome;
            r.code := v_item.code;
            r.appointment_id := v_item.appointment_id;
            r.appointment := CASE WHEN c_shows THEN radscheduler.shown_snapshot(v_item.site_id, radscheduler.snapshot_of(v_item.site_id, v_item.appointment_id)) END;
            r.conflicts := v_item.conflicts;
            r.warnings := v_item.warnings;
            r.error := v_item.error;
            r.events := (SELECT jsonb_agg(jsonb_build_object('type', e.type, 'appointment_id', e.appointment_id, 'data', e.data) ORDER BY e.seq)
                         FROM radscheduler.event_log e WHERE e.xid = pg_current_xact_id() AND e.seq > v_seq);
            r.ack := v_item.ack;
            v_results := v_results || r;
            v_sites := v_sites || v_item.site_id;
        END LOOP;
        RAISE EXCEPTION 'dry run' USING ERRCODE = 'RS002';
    EXCEPTION WHEN SQLSTATE 'RS002' THEN
        NULL; -- Everything is as it was.
    END;
    v_new := ARRAY(SELECT u.appointment_id FROM unnest(v_results) WITH ORDINALITY u
                   WHERE NOT EXISTS (SELECT FROM radscheduler.appointment a WHERE a.site_id = v_sites[u.ordinality] AND a.appointment_id = u.appointment_id));
    FOR k IN 1 .. cardinality(v_results) LOOP
        r := v_results[k];
        r.is_new := coalesce(r.appointment_id = ANY (v_new), false);
        IF r.is_new THEN
            -- Its number is nobody's once the subtransaction is gone.
            r.appointment := r.appointment || '{"id": null}';
            r.appointment_id := NULL;
        END IF;
        r.events := (SELECT jsonb_agg(CASE WHEN (e.item ->> 'appointment_id')::bigint = ANY (v_new) THEN e.item || '{"appointment_id": null}' ELSE e.item END ORDER BY e.place)
                     FROM jsonb_array_elements(r.events) WITH ORDINALITY e(item, place));
        RETURN NEXT r;
    END LOOP;
END
$$;

COMMENT ON FUNCTION radscheduler.rehearse(bytea[], text, text) IS 'dry_run() of messages one after the other, each on what those before it would have left.';

CREATE OR REPLACE FUNCTION radscheduler.dry_run(bytes bytea, channel text DEFAULT 'sql', peer text DEFAULT NULL) RETURNS radscheduler.dry_run_result
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
DECLARE
    r radscheduler.dry_run_result;
BEGIN
    IF bytes IS NULL THEN
        RAISE EXCEPTION 'dry_run needs the bytes of a message, not NULL' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    SELECT * INTO r FROM radscheduler.rehearse(ARRAY[bytes], channel, peer);
    RETURN r;
END
$$;

COMMENT ON FUNCTION radscheduler.dry_run(bytea, text, text) IS
    'What ingest() would do with the bytes of one HL7 v2 message, exactly, with nothing kept: no message, no key against duplicates, no sender, patient, resource, event, audit event or NOTIFY. Returns outcome, code, appointment_id, is_new, appointment (the row as it would be, with services and resources; NULL for a caller who may not read appointments), conflicts, warnings, error, events, ack. Bad messages are values (AE, AR); it raises what ingest() raises. MSH-10 of the acknowledgement is a number that will not come again.';

CREATE OR REPLACE FUNCTION radscheduler.dry_run_batch(messages bytea[], channel text DEFAULT 'sql', peer text DEFAULT NULL) RETURNS SETOF radscheduler.dry_run_result
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 10 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
BEGIN
    IF messages IS NULL OR array_position(messages, NULL) IS NOT NULL OR array_ndims(messages) > 1 THEN
        RAISE EXCEPTION 'dry_run_batch needs a one-dimensional array of messages, none of them NULL' USING ERRCODE = 'null_value_not_allowed';
    ELSIF cardinality(messages) > 1000 THEN
        RAISE EXCEPTION 'a batch of % messages is too large', cardinality(messages)
            USING ERRCODE = 'program_limit_exceeded', HINT = 'Give at most 1000 messages at a time: until the last is read, the locks of all are held.';
    END IF;
    RETURN QUERY SELECT * FROM radscheduler.rehearse(messages, channel, peer);
END
$$;

COMMENT ON FUNCTION radscheduler.dry_run_batch(bytea[], text, text) IS
    'dry_run() of several messages in their order, each on what those before it would have left: results come in that order. At most 1000. A booking of the batch that another one is in conflict with is named by a number that will not come again.';

CREATE TYPE radscheduler.replay_line AS (
    item            radscheduler.ingest_item,
    is_selected     boolean,
    was_outcome     text,
    was_code        text,
    was_appointment bigint,
    shown           jsonb,
    origin          bigint,
    origin_version  integer,
    is_kept         boolean,
    target          jsonb,
    target_shown    jsonb
);

COMMENT ON TYPE radscheduler.replay_line IS
    'A message on its way through replay(): the item as read today; whether it was asked for; what became of it when it came; the appointment after it (shown_snapshot()); the appointment that stands for it now and its version; whether that is left alone; and on the last message of an appointment the state that appointment is brought to.';

CREATE OR REPLACE FUNCTION radscheduler.reopen_message(p_site integer, p_message bigint) RETURNS radscheduler.ingest_item
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_message radscheduler.hl7_message;
    v_read    record;
    r         radscheduler.ingest_item;
BEGIN
    SELECT * INTO v_message FROM radscheduler.hl7_message m WHERE m.site_id = p_site AND m.message_id = p_message;
    IF v_message.message_code = 'JSON' THEN
        r.received_at := v_message.received_at;
        r.raw := v_message.raw;
        r.raw_sha256 := v_message.raw_sha256;
        r.context := radscheduler.message_context(jsonb_build_object('sending_application', 'API', 'message_code', 'JSON', 'trigger_event', 'S12'), v_message.channel, v_message.peer)
                     || jsonb_build_object('source', 'API');
        r.site_id := (r.context ->> 'site_id')::integer;
        r.sender_id := (r.context ->> 'sender_id')::bigint;
        r.warnings := '[]';
        r.conflicts := '[]';
        r.trigger_event := 'S12';
        r.action := 'schedule';
        SELECT * INTO v_read FROM radscheduler.json_reading(r.site_id, coalesce(radscheduler.body_json(v_message.raw), 'null'));
        r.reading := v_read.reading;
        r.error := v_read.error;
        r.code := CASE WHEN r.error IS NULL THEN 'AA' ELSE 'AE' END;
        r.outcome := CASE WHEN r.error IS NOT NULL THEN 'error' END;
        r.at := v_message.received_at;
        r.filler_id := radscheduler.appointment_key(r.reading -> 'schedule', 'filler');
    ELSE
        r := radscheduler.open_message(v_message.raw, v_message.channel, v_message.peer, NULL, v_message.received_at);
    END IF;
    r.ordinal := 1;
    r.message_id := p_message;
    RETURN r;
END
$$;

COMMENT ON FUNCTION radscheduler.reopen_message(integer, bigint) IS
    'A kept message, HL7 or JSON, opened as if it came now, but under its own number and ordered by when it came.';

CREATE OR REPLACE FUNCTION radscheduler.replay_appointments(p_site integer, p_lines radscheduler.replay_line[]) RETURNS bigint[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN ARRAY(
        WITH named AS (
            SELECT a.sender_id, a.filler_id, a.placer_id FROM unnest(p_lines) l JOIN radscheduler.appointment a ON a.site_id = p_site AND a.appointment_id = l.was_appointment
            UNION
            SELECT (l.item).sender_id, (l.item).filler_id, (l.item).placer_id FROM unnest(p_lines) l WHERE (l.item).action = 'schedule'
        )
        SELECT a.appointment_id FROM named n JOIN radscheduler.appointment a ON a.site_id = p_site AND a.sender_id = n.sender_id AND a.filler_id = n.filler_id
        UNION
        SELECT a.appointment_id FROM named n JOIN radscheduler.appointment a ON a.site_id = p_site AND a.sender_id = n.sender_id AND a.placer_id = n.placer_id
        WHERE n.filler_id IS NULL OR a.filler_id IS NULL
        UNION
        SELECT a.appointment_id FROM unnest(p_lines) l JOIN radscheduler.appointment a ON a.site_id = p_site AND a.appointment_id = l.was_appointment
        ORDER BY 1);
END
$$;

COMMENT ON FUNCTION radscheduler.replay_appointments(integer, radscheduler.replay_line[]) IS
    'The appointments that messages are about: by what was noted when they came, and by the keys they give today; every generation.';

CREATE OR REPLACE FUNCTION radscheduler.replay_lock_names(p_site integer, p_lines radscheduler.replay_line[]) RETURNS text[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN ARRAY(SELECT n FROM unnest(p_lines) l, unnest(radscheduler.lock_names(l.item)) n WHERE n IS NOT NULL AND (l.item).outcome IS NULL
                 UNION SELECT n FROM unnest(radscheduler.replay_appointments(p_site, p_lines)) u(id), unnest(radscheduler.appointment_lock_names(p_site, u.id)) n WHERE n IS NOT NULL);
END
$$;

COMMENT ON FUNCTION radscheduler.replay_lock_names(integer, radscheduler.replay_line[]) IS 'Names for lock_keys() of messages that are read again and of the appointments they are about.';

CREATE OR REPLACE FUNCTION radscheduler.replay_lines(p_site integer, p_messages bigint[]) RETURNS radscheduler.replay_line[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_wanted  bigint[] := p_messages;
    v_opened  bigint[] := '{}';
    v_about   bigint[];
    v_lines   radscheduler.replay_line[] := '{}';
    v_line    radscheduler.replay_line;
    v_message record;
BEGIN
    WHILE cardinality(v_wanted) > 0 LOOP
        FOR v_message IN
            SELECT m.message_id, m.appointment_id, coalesce(m.replay_outcome, m.outcome) AS outcome, coalesce(m.replay_code, m.code) AS code
            FROM radscheduler.hl7_message m WHERE m.site_id = p_site AND m.message_id = ANY (v_wanted) ORDER BY m.message_id
        LOOP
            v_line := NULL;
            v_line.item := radscheduler.reopen_message(p_site, v_message.message_id);
            v_line.is_selected := v_message.message_id = ANY (p_messages);
            v_line.was_outcome := v_message.outcome;
            v_line.was_code := v_message.code;
            v_line.was_appointment := v_message.appointment_id;
            v_line.is_kept := false;
            v_lines := v_lines || v_line;
        END LOOP;
        v_opened := v_opened || v_wanted;
        v_about := radscheduler.replay_appointments(p_site, v_lines);
        v_wanted := ARRAY(SELECT m.message_id FROM radscheduler.hl7_message m
                          WHERE m.site_id = p_site AND m.appointment_id = ANY (v_about)
                            AND m.outcome <> 'duplicate' AND m.message_id <> ALL (v_opened));
    END LOOP;
    RETURN ARRAY(SELECT l::radscheduler.replay_line FROM unnest(v_lines) l ORDER BY (l.item).received_at, (l.item).message_id);
END
$$;

COMMENT ON FUNCTION radscheduler.replay_lines(integer, bigint[]) IS
    'These messages, and every other one about the same appointments, opened anew and in order of arrival.';

CREATE OR REPLACE FUNCTION radscheduler.whole_appointments(p_site integer, p_appointments bigint[], p_messages bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN ARRAY(
        SELECT unnest(q.ids) FROM (
            SELECT array_agg(a.appointment_id) AS ids
            FROM radscheduler.appointment a
            LEFT JOIN radscheduler.appointment_history h ON h.site_id = a.site_id AND h.appointment_id = a.appointment_id AND h.version = 1
            WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments)
            -- Generations stand on each other: all of them, or none.
            GROUP BY a.sender_id, coalesce('F' || a.filler_id, 'P' || a.placer_id, 'A' || a.appointment_id)
            HAVING bool_and(coalesce(h.message_id = ANY (p_messages), false))) q);
END
$$;

COMMENT ON FUNCTION radscheduler.whole_appointments(integer, bigint[], bigint[]) IS
    'Those appointments whose first message is among these, so that they can be read again from nothing.';

CREATE OR REPLACE FUNCTION radscheduler.is_apart(p_item radscheduler.ingest_item) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- An arrival is about one appointment, and part of what becomes of it.
    RETURN coalesce(p_item.action IN ('block', 'order') OR p_item.action = 'patient' AND p_item.appointment_id IS NULL, false);
END
$$;

COMMENT ON FUNCTION radscheduler.is_apart(radscheduler.ingest_item) IS
    'Whether a message is about no single appointment (blocks, demographics, merges, orders), so that it is applied again in its place and not as part of one.';

CREATE OR REPLACE FUNCTION radscheduler.failed_item(p_item radscheduler.ingest_item, p_state text, p_constraint text, p_detail text) RETURNS radscheduler.ingest_item
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    r radscheduler.ingest_item := p_item;
BEGIN
    r.code := 'AE';
    r.outcome := 'error';
    IF p_state IN ('RS001', 'RS003') THEN
        r.error := p_detail::jsonb -> 'error';
        r.warnings := p_detail::jsonb -> 'warnings';
        r.conflicts := coalesce(p_detail::jsonb -> 'conflicts', '[]');
    ELSE
        r.error := jsonb_build_object('code', '207', 'path', '', 'text',
            format('The message could not be applied (SQLSTATE %s%s).', p_state, coalesce(', constraint ' || nullif(p_constraint, ''), '')));
    END IF;
    RETURN r;
END
$$;

COMMENT ON FUNCTION radscheduler.failed_item(radscheduler.ingest_item, text, text, text) IS 'An item that was not applied, with the error that process_items() raised for it.';

CREATE OR REPLACE FUNCTION radscheduler.apply_again(p_item radscheduler.ingest_item) RETURNS radscheduler.ingest_item
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_items      radscheduler.ingest_item[];
    v_state      text;
    v_constraint text;
    v_detail     text;
BEGIN
    IF p_item.outcome IS NOT NULL THEN
        RETURN p_item;
    END IF;
    v_items := radscheduler.process_items(ARRAY[p_item]);
    RETURN v_items[1];
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_constraint = CONSTRAINT_NAME, v_detail = PG_EXCEPTION_DETAIL;
    IF radscheduler.is_passing(v_state) THEN
        RAISE;
    END IF;
    RETURN radscheduler.failed_item(p_item, v_state, v_constraint, v_detail);
END
$$;

COMMENT ON FUNCTION radscheduler.apply_again(radscheduler.ingest_item) IS
    'One opened message applied, without the guard against duplicates and without a log row; what fails is undone and becomes its error. Raises only what is_passing().';

CREATE OR REPLACE FUNCTION radscheduler.replay_rehearse(p_site integer, p_lines radscheduler.replay_line[]) RETURNS radscheduler.replay_line[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_lines   radscheduler.replay_line[] := p_lines;
    v_line    radscheduler.replay_line;
    c_all     CONSTANT bigint[] := radscheduler.replay_appointments(p_site, p_lines);
    c_whole   CONSTANT bigint[] := radscheduler.whole_appointments(p_site, c_all, ARRAY(SELECT (l.item).message_id FROM unnest(p_lines) l));
    v_names   jsonb := '{}';
    v_versions jsonb;
    v_name    text;
    v_used    bigint[] := '{}';
    v_kept    bigint[];
    v_made    record;
BEGIN
    SELECT coalesce(jsonb_object_agg(a.appointment_id, a.version), '{}') INTO v_versions FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = ANY (c_all);
    -- What is read again from nothing gives up its time and its keys, as if it had never been.
    IF c_whole <> '{}' THEN
        PERFORM radscheduler.release_appointments(p_site, c_whole, '{}');
        UPDATE radscheduler.appointment a SET filler_id = NULL, placer_id = NULL, visit_number = NULL, visit_group = NULL, placer_orders = NULL, filler_orders = NULL
            WHERE a.site_id = p_site AND a.appointment_id = ANY (c_whole);
    END IF;
    FOR k IN 1 .. cardinality(v_lines) LOOP
        v_line := v_lines[k];
        v_name := (v_line.item).sender_id || '/' || ((v_line.item).context #>> '{header,control_id}') || '/' || encode((v_line.item).raw_sha256, 'hex');
        IF (v_line.item).outcome IS NULL AND v_names ? v_name THEN
            v_line.item.outcome := 'duplicate';
            v_line.item.appointment_id := (v_names ->> v_name)::bigint;
        ELSE
            v_line.item := radscheduler.apply_again(v_line.item);
            IF (v_line.item).code = 'AA' AND v_name IS NOT NULL THEN
                v_names := v_names || jsonb_build_object(v_name, (v_line.item).appointment_id);
            END IF;
        END IF;
        v_line.shown := radscheduler.shown_snapshot(p_site, radscheduler.snapshot_of(p_site, (v_line.item).appointment_id));
        v_lines[k] := v_line;
    END LOOP;

    -- Which appointment of now stands for which of the rehearsal: the one its first message made.
    FOR v_made IN
        SELECT (l.item).appointment_id AS id, min(l.ordinality) AS first, max(l.ordinality) AS last,
               array_agg(l.was_appointment ORDER BY l.ordinality) FILTER (WHERE l.was_appointment IS NOT NULL) AS were
        FROM unnest(v_lines) WITH ORDINALITY l WHERE (l.item).code = 'AA' AND (l.item).appointment_id IS NOT NULL GROUP BY 1 ORDER BY 2
    LOOP
        v_line := NULL;
        v_line.origin := CASE WHEN v_made.id = ANY (c_all) THEN v_made.id
                              ELSE (SELECT u.id FROM unnest(v_made.were) WITH ORDINALITY u(id, place) WHERE u.id = ANY (c_whole) AND u.id <> ALL (v_used) ORDER BY u.place LIMIT 1) END;
        v_used := v_used || v_line.origin;
        -- A booking that a message opens beside one whose beginning is no longer kept: nobody knows which it would be.
        v_line.is_kept := v_line.origin IS NULL AND EXISTS (SELECT FROM unnest(v_made.were) u(id) WHERE u.id = ANY (c_all) AND u.id <> ALL (c_whole));
        FOR k IN v_made.first .. v_made.last LOOP
            IF (v_lines[k].item).appointment_id = v_made.id THEN
                v_lines[k].origin := v_line.origin;
                v_lines[k].origin_version := (v_versions ->> v_line.origin::text)::integer;
                v_lines[k].is_kept := v_line.is_kept;
            END IF;
        END LOOP;
        v_lines[v_made.last].target := radscheduler.snapshot_of(p_site, v_made.id);
        v_lines[v_made.last].target_shown := radscheduler.shown_snapshot(p_site, v_lines[v_made.last].target);
    END LOOP;
    -- Nothing that was taken is lost because it is read more strictly now.
    v_kept := ARRAY(SELECT l.was_appointment FROM unnest(v_lines) l WHERE l.was_outcome IN ('applied', 'flagged') AND (l.item).code <> 'AA' AND l.was_appointment IS NOT NULL
                    UNION SELECT u.id FROM unnest(c_whole) u(id) WHERE u.id <> ALL (v_used));
    v_kept := ARRAY(SELECT DISTINCT (l.item).appointment_id FROM unnest(v_lines) l WHERE l.was_appointment = ANY (v_kept) OR l.origin = ANY (v_kept)) || v_kept;
    FOR k IN 1 .. cardinality(v_lines) LOOP
        IF v_lines[k].was_outcome IN ('applied', 'flagged') AND (v_lines[k].item).code <> 'AA' OR v_lines[k].was_appointment = ANY (v_kept) OR v_lines[k].origin = ANY (v_kept) OR (v_lines[k].item).appointment_id = ANY (v_kept) THEN
            v_lines[k].is_kept := true;
        END IF;
    END LOOP;
    RETURN v_lines;
END
$$;

COMMENT ON FUNCTION radscheduler.replay_rehearse(integer, radscheduler.replay_line[]) IS
    'Applies messages again, in their order, on a schedule without the appointments they made, and tells what came of each. Call it in a subtransaction and take that back.';

CREATE OR REPLACE FUNCTION radscheduler.plain_row(p_appointment jsonb) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    a radscheduler.appointment;
BEGIN
    SELECT * INTO a FROM jsonb_populate_record(NULL::radscheduler.appointment, p_appointment);
    -- A review for a conflict comes and goes with the conflict; settle() sees to it.
    IF a.status = 'PENDING_REVIEW' AND a.review_reason = 'CONFLICT' THEN
        a.status := coalesce(a.resume_status, 'SCHEDULED');
        a.review_reason := NULL;
    END IF;
    RETURN to_jsonb(a) - '{site_id,appointment_id,version,created_at,updated_at,resume_status,is_pooled,source,message_id}'::text[];
END
$$;

COMMENT ON FUNCTION radscheduler.plain_row(jsonb) IS
    'The row of a snapshot without what follows from others or is bookkeeping, times spelled in the session''s zone, so that two can be compared.';

CREATE OR REPLACE FUNCTION radscheduler.jsonb_changes(p_old jsonb, p_new jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
SELECT jsonb_object_agg(n.key, jsonb_build_array(p_old -> n.key, n.value)) FROM jsonb_each(p_new) n
WHERE p_old IS NOT NULL AND n.key NOT IN ('id', 'source') AND n.value IS DISTINCT FROM p_old -> n.key
$$;

COMMENT ON FUNCTION radscheduler.jsonb_changes(jsonb, jsonb) IS 'What differs between two rows for people: {column: [old, new]}; NULL when nothing does, or one of them is not there.';

CREATE OR REPLACE FUNCTION radscheduler.local_columns(p_site integer, p_appointment bigint, p_messages bigint[] DEFAULT NULL) RETURNS text[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_columns text[];
BEGIN
    v_columns := ARRAY(
        WITH version AS (
            SELECT h.version, h.message_id, radscheduler.plain_row(h.snapshot -> 'appointment') AS plain FROM radscheduler.appointment_history h
            WHERE h.site_id = p_site AND h.appointment_id = p_appointment
        ), step AS (
            SELECT v.version, v.message_id, v.plain, lag(v.plain) OVER (ORDER BY v.version) AS before FROM version v
        ), last AS (
            SELECT DISTINCT ON (e.key) e.key, s.message_id FROM step s, jsonb_each(s.plain) e
            WHERE s.before IS NOT NULL AND e.value IS DISTINCT FROM s.before -> e.key ORDER BY e.key, s.version DESC
        )
        SELECT l.key FROM last l WHERE l.message_id IS NULL OR l.message_id <> ALL (p_messages) ORDER BY l.key);
    IF v_columns && '{starts_at,ends_at}' THEN
        v_columns := v_columns || '{starts_at,ends_at,original_starts_at,reschedule_count,moved_at,booked_at,services,resources}'::text[];
    END IF;
    RETURN v_columns;
END
$$;

COMMENT ON FUNCTION radscheduler.local_columns(integer, bigint, bigint[]) IS
    'Columns of an appointment whose last change was made here and not by a message, or by another one than these (an order that tells of its completion, a merge of patients); with its time go its exams and resources.';

CREATE OR REPLACE FUNCTION radscheduler.replay_target(p_site integer, p_origin bigint, p_target jsonb, p_messages bigint[], OUT target jsonb, OUT kept text[]) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_now jsonb := radscheduler.snapshot_of(p_site, p_origin);
BEGIN
    IF p_origin IS NULL THEN
        kept := '{}';
        target := jsonb_set(p_target, '{appointment}', (p_target -> 'appointment') || radscheduler.plain_row(p_target -> 'appointment') || '{"resume_status": null}');
        RETURN;
    END IF;
    kept := ARRAY(SELECT u.name FROM unnest(radscheduler.local_columns(p_site, p_origin, p_messages)) u(name)
                  WHERE CASE WHEN u.name IN ('services', 'resources') THEN v_now -> u.name <> p_target -> u.name
                             ELSE radscheduler.plain_row(v_now -> 'appointment') -> u.name <> radscheduler.plain_row(p_target -> 'appointment') -> u.name END);
    target := jsonb_build_object(
        'appointment', (v_now -> 'appointment') || radscheduler.plain_row(p_target -> 'appointment') || '{"resume_status": null}'
                       || coalesce((SELECT jsonb_object_agg(u.name, radscheduler.plain_row(v_now -> 'appointment') -> u.name) FROM unnest(kept) u(name) WHERE u.name NOT IN ('services', 'resources')), '{}'),
        'services', CASE WHEN 'services' = ANY (kept) THEN v_now -> 'services' ELSE p_target -> 'services' END,
        'resources', CASE WHEN 'resources' = ANY (kept) THEN v_now -> 'resources' ELSE p_target -> 'resources' END);
END
$$;

COMMENT ON FUNCTION radscheduler.replay_target(integer, bigint, jsonb, bigint[]) IS
    'The snapshot that an appointment (NULL: a new one) is brought to: that of the rehearsal of these messages, but for columns that were changed otherwise since; kept names those that differ.';

CREATE OR REPLACE FUNCTION radscheduler.write_target(p_site integer, p_appointment bigint, p_target jsonb, p_message bigint) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_id    bigint := coalesce(p_appointment, nextval('radscheduler.appointment_appointment_id_seq'));
    v_new   radscheduler.appointment;
    v_names text := (SELECT string_agg(quote_ident(c.attname), ', ' ORDER BY c.attnum) FROM pg_attribute c
                     WHERE c.attrelid = 'radscheduler.appointment'::regclass AND c.attnum > 0 AND NOT c.attisdropped AND c.attname NOT IN ('site_id', 'appointment_id'));
BEGIN
    SELECT * INTO v_new FROM jsonb_populate_record(NULL::radscheduler.appointment, p_target -> 'appointment');
    v_new.site_id := p_site;
    v_new.appointment_id := v_id;
    v_new.message_id := p_message;
    v_new.updated_at := now();
    IF p_appointment IS NULL THEN
        v_new.created_at := now();
        v_new.version := 1;
        v_new.is_pooled := false;
        INSERT INTO radscheduler.appointment SELECT (v_new).*;
    ELSE
        v_new.version := v_new.version + 1;
        -- By name, so that a column that is added later comes along.
        EXECUTE format('UPDATE radscheduler.appointment a SET (%1$s) = (SELECT %1$s FROM (SELECT ($1).*) n) WHERE a.site_id = $2 AND a.appointment_id = $3', v_names)
            USING v_new, p_site, v_id;
        DELETE FROM radscheduler.appointment_service s WHERE s.site_id = p_site AND s.appointment_id = v_id;
        DELETE FROM radscheduler.appointment_resource r WHERE r.site_id = p_site AND r.appointment_id = v_id;
    END IF;
    INSERT INTO radscheduler.appointment_service
        SELECT (s).* FROM (SELECT jsonb_populate_record(NULL::radscheduler.appointment_service, e || jsonb_build_object('site_id', p_site, 'appointment_id', v_id)) AS s
                           FROM jsonb_array_elements(p_target -> 'services') e OFFSET 0) q;
    INSERT INTO radscheduler.appointment_resource
        SELECT (r).* FROM (SELECT jsonb_populate_record(NULL::radscheduler.appointment_resource, e || jsonb_build_object('site_id', p_site, 'appointment_id', v_id)) AS r
                           FROM jsonb_array_elements(p_target -> 'resources') e OFFSET 0) q;
    RETURN v_id;
END
$$;

COMMENT ON FUNCTION radscheduler.write_target(integer, bigint, jsonb, bigint) IS
    'Writes the rows of an appointment (a new one for NULL) as a snapshot has them, in its next version and named after a message; returns its id. bring_to() takes the time and tells it.';

CREATE OR REPLACE FUNCTION radscheduler.bring_to(p_site integer, p_appointments bigint[], p_targets jsonb[], p_messages bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_ids      bigint[] := '{}';
    v_olds     radscheduler.appointment[] := '{}';
    v_old      radscheduler.appointment;
    v_statuses radscheduler.appointment_status[] := '{}';
    v_moved    bigint[];
    v_events   text[];
BEGIN
    FOR k IN 1 .. cardinality(p_appointments) LOOP
        v_old := NULL;
        SELECT * INTO v_old FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointments[k];
        v_olds := v_olds || v_old;
        v_ids := v_ids || radscheduler.write_target(p_site, p_appointments[k], p_targets[k], p_messages[k]);
        v_statuses := v_statuses || (p_targets[k] #>> '{appointment,status}')::radscheduler.appointment_status;
    END LOOP;
    -- What is over keeps the time it took: taken as while it lasted, then given back from its end.
    UPDATE radscheduler.appointment a SET status = 'SCHEDULED'
        WHERE a.site_id = p_site AND a.appointment_id = ANY (v_ids) AND a.status IN ('COMPLETED', 'DISCONTINUED', 'NO_SHOW') AND a.starts_at IS NOT NULL AND a.patient_id IS NOT NULL;
    v_moved := radscheduler.occupy(p_site, v_ids, array_remove(p_appointments, NULL));
    FOR k IN 1 .. cardinality(v_ids) LOOP
        IF v_statuses[k] IN ('COMPLETED', 'DISCONTINUED', 'NO_SHOW') THEN
            UPDATE radscheduler.appointment a SET status = v_statuses[k] WHERE a.site_id = p_site AND a.appointment_id = v_ids[k];
            v_moved := v_moved || radscheduler.vacate(p_site, v_ids[k], (SELECT a.message_time FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = v_ids[k]));
        END IF;
    END LOOP;
    PERFORM radscheduler.lock_settling(p_site, true);
    PERFORM radscheduler.settle(p_site, v_ids, v_moved, p_messages);
    SELECT array_agg(radscheduler.event_name((v_olds[u.ordinality]).status, a.status, coalesce(a.starts_at <> (v_olds[u.ordinality]).starts_at, false)) ORDER BY u.ordinality) INTO v_events
        FROM unnest(v_ids) WITH ORDINALITY u(id) JOIN radscheduler.appointment a ON a.site_id = p_site AND a.appointment_id = u.id;
    PERFORM radscheduler.record_versions(p_site, v_ids, v_events, p_messages, array_fill('{"replay": true}'::jsonb, ARRAY[cardinality(v_ids)]));
    RETURN v_ids;
END
$$;

COMMENT ON FUNCTION radscheduler.bring_to(integer, bigint[], jsonb[], bigint[]) IS
    'Makes appointments (new ones for NULL) what snapshots say, all in one step and each as one version named after a message: rows, time taken, conflicts, history, events; returns their ids. The caller holds the locks.';

CREATE OR REPLACE FUNCTION radscheduler.set_claim(p_site integer, p_appointment bigint, p_row jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_new  radscheduler.appointment;
    v_rows bigint[];
BEGIN
    SELECT * INTO v_new FROM jsonb_populate_record(NULL::radscheduler.appointment, p_row);
    UPDATE radscheduler.appointment a SET message_time = v_new.message_time, message_sequence = v_new.message_sequence, booked_at = v_new.booked_at, moved_at = v_new.moved_at, ending = v_new.ending
        WHERE a.site_id = p_site AND a.appointment_id = p_appointment
          AND (a.message_time, a.message_sequence, a.booked_at, a.moved_at, a.ending) IS DISTINCT FROM (v_new.message_time, v_new.message_sequence, v_new.booked_at, v_new.moved_at, v_new.ending);
    IF FOUND THEN
        v_rows := radscheduler.overlapping(p_site, ARRAY[p_appointment]);
        IF v_rows IS NOT NULL THEN
            PERFORM radscheduler.settle(p_site, '{}', radscheduler.reseat(p_site, v_rows));
        END IF;
    END IF;
END
$$;

COMMENT ON FUNCTION radscheduler.set_claim(integer, bigint, jsonb) IS
    'Sets the order key, the age of the claim and the memory of endings of an appointment that stays what it is; no version of its own. Who then comes first changes places.';

CREATE OR REPLACE FUNCTION radscheduler.replay_write(p_site integer, p_lines radscheduler.replay_line[]) RETURNS radscheduler.replay_line[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_lines     radscheduler.replay_line[] := p_lines;
    v_line      radscheduler.replay_line;
    v_found     record;
    v_patients  jsonb := '{}';
    v_resources jsonb := '{}';
    c_claim     CONSTANT text[] := '{message_time,message_sequence,booked_at,moved_at,ending}';
    c_messages  CONSTANT bigint[] := ARRAY(SELECT (l.item).message_id FROM unnest(p_lines) l);
    v_target    jsonb;
    v_made      bigint[] := '{}';
    v_origins   bigint[] := '{}';
    v_targets   jsonb[] := '{}';
    v_messages  bigint[] := '{}';
    v_ids       jsonb := '{}';
BEGIN
    -- Patients and resources that the rehearsal had to make were taken back with it.
    FOR k IN 1 .. cardinality(v_lines) LOOP
        v_line := v_lines[k];
        CONTINUE WHEN v_line.is_kept OR (v_line.item).outcome NOT IN ('applied', 'flagged') OR radscheduler.is_apart(v_line.item);
        IF (v_line.item).patient_id IS NOT NULL THEN
            SELECT r.patient_id, r.event INTO v_found FROM radscheduler.resolve_patients(ARRAY[v_line.item]) r;
            IF v_found.event IS NOT NULL THEN
                PERFORM radscheduler.audit(p_site, v_found.event, 'patient', v_found.patient_id, '{}');
            END IF;
            v_patients := v_patients || jsonb_build_object((v_line.item).patient_id, v_found.patient_id);
        END IF;
        IF (v_line.item).resource_ids IS NOT NULL THEN
            v_found := radscheduler.resolve_resources(v_line.item);
            v_resources := v_resources || (SELECT coalesce(jsonb_object_agg(u.was, u.id), '{}') FROM unnest((v_line.item).resource_ids, v_found.resource_ids) u(was, id) WHERE u.was IS NOT NULL);
        END IF;
    END LOOP;
    FOR k IN 1 .. cardinality(v_lines) LOOP
        CONTINUE WHEN v_lines[k].target IS NULL OR v_lines[k].is_kept;
        v_target := v_lines[k].target;
        v_lines[k].target := jsonb_build_object('services', v_target -> 'services',
            'appointment', (v_target -> 'appointment') || jsonb_build_object('patient_id', coalesce(v_patients -> (v_target #>> '{appointment,patient_id}'), v_target #> '{appointment,patient_id}')),
            'resources', (SELECT coalesce(jsonb_agg(e.item || jsonb_build_object('resource_id', coalesce(v_resources -> (e.item ->> 'resource_id'), e.item -> 'resource_id')) ORDER BY e.place), '[]')
                          FROM jsonb_array_elements(v_target -> 'resources') WITH ORDINALITY e(item, place)));
    END LOOP;
    PERFORM radscheduler.lock_subjects(p_site,
        ARRAY(SELECT (e ->> 'resource_id')::bigint FROM unnest(v_lines) l, jsonb_array_elements(l.target -> 'resources') e WHERE NOT l.is_kept)
        || ARRAY(SELECT r.resource_id FROM unnest(v_lines) l JOIN radscheduler.appointment_resource r ON r.site_id = p_site AND r.appointment_id = l.origin),
        ARRAY(SELECT (l.target #>> '{appointment,patient_id}')::bigint FROM unnest(v_lines) l WHERE NOT l.is_kept)
        || ARRAY(SELECT a.patient_id FROM unnest(v_lines) l JOIN radscheduler.appointment a ON a.site_id = p_site AND a.appointment_id = l.origin));
    PERFORM FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id IN (SELECT l.origin FROM unnest(v_lines) l) ORDER BY a.appointment_id FOR UPDATE;
    IF EXISTS (SELECT FROM unnest(v_lines) l LEFT JOIN radscheduler.appointment a ON a.site_id = p_site AND a.appointment_id = l.origin
               WHERE l.origin IS NOT NULL AND a.version IS DISTINCT FROM l.origin_version) THEN
        RAISE EXCEPTION 'an appointment changed while its messages were read again' USING ERRCODE = 'serialization_failure', HINT = 'Run it again.';
    END IF;

    FOR k IN 1 .. cardinality(v_lines) LOOP
        v_line := v_lines[k];
        IF radscheduler.is_apart(v_line.item) AND NOT v_line.is_kept AND (v_line.item).outcome IN ('applied', 'flagged') THEN
            -- Applied once more in its place, as it stands.
            v_line.item.outcome := NULL;
            v_line.item.warnings := (v_line.item).context -> 'warnings';
            v_line.item := radscheduler.apply_again(v_line.item);
            v_lines[k].item := v_line.item;
        END IF;
        CONTINUE WHEN v_line.target IS NULL OR v_line.is_kept;
        SELECT t.target INTO v_target FROM radscheduler.replay_target(p_site, v_line.origin, v_line.target, c_messages) t;
        v_ids := v_ids || jsonb_build_object((v_line.item).appointment_id, v_line.origin);
        IF v_line.origin IS NULL OR (SELECT radscheduler.plain_row(s -> 'appointment') - c_claim <> radscheduler.plain_row(v_target -> 'appointment') - c_claim
                                            OR s - 'appointment' <> v_target - 'appointment' FROM radscheduler.snapshot_of(p_site, v_line.origin) s) THEN
            v_made := v_made || (v_line.item).appointment_id;
            v_origins := v_origins || v_line.origin;
            v_targets := v_targets || v_target;
            v_messages := v_messages || (v_line.target #>> '{appointment,message_id}')::bigint;
        ELSE
            PERFORM radscheduler.set_claim(p_site, v_line.origin, v_target -> 'appointment');
        END IF;
    END LOOP;
    IF v_made <> '{}' THEN
        v_origins := radscheduler.bring_to(p_site, v_origins, v_targets, v_messages);
        v_ids := v_ids || (SELECT jsonb_object_agg(u.made, u.id) FROM unnest(v_made, v_origins) u(made, id));
    END IF;
    FOR k IN 1 .. cardinality(v_lines) LOOP
        v_lines[k].item.appointment_id := coalesce((v_ids ->> (v_lines[k].item).appointment_id::text)::bigint, (v_lines[k].item).appointment_id);
    END LOOP;
    RETURN v_lines;
END
$$;

COMMENT ON FUNCTION radscheduler.replay_write(integer, radscheduler.replay_line[]) IS
    'Makes the schedule what a rehearsal found, but for appointments to be kept; returns the messages with the appointments they are about now. Call it under lock_keys() on the names of all of them. Raises 40001 when an appointment changed meanwhile.';

CREATE TYPE radscheduler.drift_row AS (
    place       integer,
    sender_id   bigint,
    external_id text,
    filler_id   text,
    placer_id   text,
    told_at     timestamptz,
    patient_ids text[],
    starts_at   timestamptz,
    minutes     integer,
    modality    text,
    status      radscheduler.appointment_status,
    is_said     boolean,
    resources   jsonb,
    fault_field text,
    fault       text
);

COMMENT ON TYPE radscheduler.drift_row IS
    'One appointment of an export: its keys, and of what it tells only what was sent (NULL: not told). is_said: the status was sent and does not just follow from the event. resources: [{id, code, kind}], id NULL for one not known here. fault: what could not be read, and where.';

CREATE OR REPLACE FUNCTION radscheduler.drift_message(p_site integer, p_place integer, p_bytes bytea) RETURNS radscheduler.drift_row
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_head    jsonb := radscheduler.hl7_header(p_bytes);
    v_header  jsonb := v_head -> 'header';
    v_site    record;
    v_profile jsonb;
    v_zone    text;
    v_trigger text;
    v_span    record;
    v_item    radscheduler.ingest_item;
    r         radscheduler.drift_row;
BEGIN
    r.place := p_place;
    SELECT s.timezone, s.default_profile INTO v_site FROM radscheduler.site s WHERE s.site_id = p_site;
    SELECT s.sender_id, s.profile INTO r.sender_id, v_profile FROM radscheduler.sender s
        WHERE s.site_id = p_site AND s.sending_application = coalesce(v_header ->> 'sending_application', '') AND s.sending_facility = coalesce(v_header ->> 'sending_facility', '');
    v_profile := radscheduler.sender_profile(coalesce(v_profile, '{}'), v_site.default_profile);
    v_zone := coalesce(v_profile ->> 'timezone', v_site.timezone, radscheduler.offset_zone(v_header ->> 'message_time'), radscheduler.default_zone());
    v_trigger := radscheduler.event_meant(v_profile, v_header ->> 'trigger_event');
    IF v_head ? 'error' THEN
        r.fault := v_head #>> '{error,text}';
        r.fault_field := v_head #>> '{error,path}';
        RETURN r;
    ELSIF radscheduler.message_kind(v_header ->> 'message_code', v_trigger) IS DISTINCT FROM 'schedule' THEN
        r.fault := 'This is no scheduling message that tells of an appointment.';
        r.fault_field := 'MSH-9';
        RETURN r;
    END IF;
    v_item.site_id := p_site;
    v_item.reading := radscheduler.siu_read(p_bytes, v_profile);
    r.filler_id := radscheduler.appointment_key(v_item.reading -> 'schedule', 'filler');
    r.placer_id := radscheduler.appointment_key(v_item.reading -> 'schedule', 'placer');
    r.external_id := coalesce(r.filler_id, r.placer_id);
    IF v_item.reading ? 'error' THEN
        r.fault := v_item.reading #>> '{error,text}';
        r.fault_field := v_item.reading #>> '{error,path}';
        RETURN r;
    END IF;
    r.told_at := radscheduler.to_instant(v_header ->> 'message_time', v_zone);
    r.patient_ids := ARRAY(SELECT i ->> 'value' FROM jsonb_array_elements(v_item.reading #> '{patient,identifiers}') i);
    SELECT * INTO v_span FROM radscheduler.schedule_span(v_item.reading -> 'schedule', v_zone);
    r.starts_at := v_span.starts_at;
    r.minutes := extract(epoch FROM v_span.ends_at - v_span.starts_at) / 60;
    v_item.resource_ids := (radscheduler.find_resources(p_site, v_item.reading -> 'resources')).resource_ids;
    r.modality := radscheduler.modality_of(p_site, v_item.reading, v_item.resource_ids);
    r.resources := (SELECT jsonb_agg(DISTINCT jsonb_build_object('id', x.resource_id, 'code', coalesce(x.code, n.code), 'kind', coalesce(x.kind, n.kind)))
        FROM jsonb_array_elements(v_item.reading -> 'resources') WITH ORDINALITY e(item, place)
        CROSS JOIN LATERAL radscheduler.resource_name_of(e.item) n
        LEFT JOIN radscheduler.resource x ON x.site_id = p_site AND x.resource_id = v_item.resource_ids[e.place]
        WHERE n.code IS NOT NULL AND NOT radscheduler.is_referrer(n.role));
    r.status := radscheduler.status_of(v_item.reading #> '{schedule,status}');
    r.is_said := r.status IS NOT NULL OR v_trigger IN ('S15', 'S16', 'S17', 'S26');
    r.status := coalesce(r.status, (SELECT e.default_status FROM radscheduler.event_rule e WHERE e.trigger_event = v_trigger AND e.state = 'active'), 'SCHEDULED');
    RETURN r;
END
$$;

COMMENT ON FUNCTION radscheduler.drift_message(integer, integer, bytea) IS
    'A message of an export as a drift_row, read by its sender''s profile at a site. Unlike ingestion it records nothing, a sender or resource that is not known included.';

CREATE OR REPLACE FUNCTION radscheduler.drift_entry(p_site integer, p_sender bigint, p_zone text, p_place integer, p_row jsonb) RETURNS radscheduler.drift_row
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_keys CONSTANT text[] := '{external_id,patient_id,start,duration,modality,status,resource}';
    v_key  text;
    r      radscheduler.drift_row;
BEGIN
    r.place := p_place;
    r.sender_id := p_sender;
    IF jsonb_typeof(p_row) <> 'object' THEN
        r.fault := 'A row must be an object with external_id and what is known of ' || array_to_string(c_keys[2:], ', ') || '.';
        RETURN r;
    END IF;
    r.external_id := nullif(btrim(p_row ->> 'external_id'), '');
    r.filler_id := r.external_id;
    r.placer_id := r.external_id;
    SELECT k INTO v_key FROM jsonb_object_keys(p_row) k WHERE k <> ALL (c_keys) ORDER BY k LIMIT 1;
    IF r.external_id IS NULL THEN
        r.fault_field := 'external_id';
        r.fault := 'The row does not name its appointment.';
    ELSIF v_key IS NOT NULL THEN
        r.fault_field := left(v_key, 40);
        r.fault := 'This key is not known; use ' || array_to_string(c_keys, ', ') || '.';
    ELSIF p_row ->> 'duration' !~ '^\d{1,4}$' THEN
        r.fault_field := 'duration';
        r.fault := 'The duration must be whole minutes.';
    ELSIF p_row ->> 'status' IS NOT NULL AND radscheduler.status_of(jsonb_build_array(p_row -> 'status')) IS NULL THEN
        r.fault_field := 'status';
        r.fault := 'This status is not in radscheduler.status_alias.';
    ELSE
        BEGIN
            r.starts_at := radscheduler.to_instant(radscheduler.json_time(p_row ->> 'start'), p_zone);
        EXCEPTION WHEN data_exception THEN
            r.starts_at := NULL;
        END;
        IF r.starts_at IS NULL AND p_row ->> 'start' IS NOT NULL THEN
            r.fault_field := 'start';
            r.fault := 'The start must be a date and time such as 2031-03-10T10:00, local to the sender, or with an offset.';
        END IF;
    END IF;
    IF r.fault IS NOT NULL THEN
        RETURN r;
    END IF;
    r.patient_ids := array_remove(ARRAY[p_row ->> 'patient_id'], NULL);
    r.minutes := (p_row ->> 'duration')::integer;
    r.modality := coalesce(radscheduler.modality_code(p_site, p_row ->> 'modality'), p_row ->> 'modality');
    r.status := coalesce(radscheduler.status_of(jsonb_build_array(p_row -> 'status')), 'SCHEDULED');
    r.is_said := p_row ->> 'status' IS NOT NULL;
    r.resources := (SELECT jsonb_agg(DISTINCT jsonb_build_object('id', x.resource_id, 'code', coalesce(x.code, w.word), 'kind', x.kind))
        FROM jsonb_array_elements_text(CASE jsonb_typeof(p_row -> 'resource') WHEN 'array' THEN p_row -> 'resource' WHEN 'string' THEN jsonb_build_array(p_row -> 'resource') ELSE '[]' END) w(word)
        LEFT JOIN LATERAL (SELECT y.* FROM radscheduler.resource_alias a JOIN radscheduler.resource y ON y.site_id = a.site_id AND y.resource_id = a.resource_id
                           WHERE a.site_id = p_site AND a.alias = upper(btrim(w.word)) ORDER BY a.kind = 'equipment' DESC, a.kind LIMIT 1) x ON true);
    RETURN r;
END
$$;

COMMENT ON FUNCTION radscheduler.drift_entry(integer, bigint, text, integer, jsonb) IS
    'A row of an export {external_id, patient_id, start, duration, modality, status, resource} as a drift_row; a start without offset is local to p_zone.';

CREATE OR REPLACE FUNCTION radscheduler.drift_fields(p_site integer, p_zone text, p_theirs radscheduler.drift_row, p_appointment bigint) RETURNS TABLE (field text, ours text, theirs text, columns text[])
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    a        radscheduler.appointment;
    v_kinds  text[] := ARRAY(SELECT e ->> 'kind' FROM jsonb_array_elements(p_theirs.resources) e WHERE e ->> 'kind' IS NOT NULL);
    v_status radscheduler.appointment_status;
    v_ours   text;
    v_theirs text;
BEGIN
    SELECT * INTO a FROM radscheduler.appointment x WHERE x.site_id = p_site AND x.appointment_id = p_appointment;
    -- Review is a state of ours; the sender knows the one behind it.
    v_status := CASE WHEN a.status = 'PENDING_REVIEW' THEN coalesce(a.resume_status, 'SCHEDULED') ELSE a.status END;
    IF radscheduler.is_closed(v_status) <> radscheduler.is_closed(p_theirs.status) OR p_theirs.is_said AND v_status <> p_theirs.status THEN
        RETURN QUERY SELECT 'status', a.status::text, p_theirs.status::text, ARRAY['status'];
    END IF;
    IF radscheduler.is_closed(v_status) OR radscheduler.is_closed(p_theirs.status) THEN
        RETURN;
    END IF;
    IF p_theirs.patient_ids <> '{}' AND NOT EXISTS (SELECT FROM radscheduler.patient_identifier i WHERE i.site_id = p_site AND i.value = ANY (p_theirs.patient_ids) AND i.patient_id = a.patient_id) THEN
        RETURN QUERY SELECT 'patient_id', (SELECT p.mrn FROM radscheduler.patient p WHERE p.site_id = p_site AND p.patient_id = a.patient_id), p_theirs.patient_ids[1], ARRAY['patient_id'];
    END IF;
    IF p_theirs.starts_at <> a.starts_at OR p_theirs.starts_at IS NOT NULL AND a.starts_at IS NULL THEN
        RETURN QUERY SELECT 'start', to_char(timezone(p_zone, a.starts_at), 'YYYY-MM-DD HH24:MI'), to_char(timezone(p_zone, p_theirs.starts_at), 'YYYY-MM-DD HH24:MI'), ARRAY['starts_at'];
    END IF;
    IF p_theirs.minutes <> round(extract(epoch FROM a.ends_at - a.starts_at) / 60) THEN
        RETURN QUERY SELECT 'duration', round(extract(epoch FROM a.ends_at - a.starts_at) / 60)::text, p_theirs.minutes::text, ARRAY['ends_at'];
    END IF;
    IF p_theirs.modality IS DISTINCT FROM a.modality AND p_theirs.modality IS NOT NULL THEN
        RETURN QUERY SELECT 'modality', a.modality, p_theirs.modality, ARRAY['modality'];
    END IF;
    v_theirs := (SELECT string_agg(e ->> 'code', ', ' ORDER BY e ->> 'code') FROM jsonb_array_elements(p_theirs.resources) e);
    v_ours := (SELECT string_agg(DISTINCT x.code, ', ' ORDER BY x.code) FROM radscheduler.appointment_resource r JOIN radscheduler.resource x ON x.site_id = r.site_id AND x.resource_id = r.resource_id
               WHERE r.site_id = p_site AND r.appointment_id = p_appointment AND r.status IS NULL AND (v_kinds = '{}' OR x.kind::text = ANY (v_kinds)));
    IF v_theirs IS DISTINCT FROM v_ours AND v_theirs IS NOT NULL THEN
        RETURN QUERY SELECT 'resource', v_ours, v_theirs, ARRAY['resources'];
    END IF;
END
$$;

COMMENT ON FUNCTION radscheduler.drift_fields(integer, text, radscheduler.drift_row, bigint) IS
    'In which fields an appointment differs from what an export tells of it, with our columns. Only what the export tells is compared, resources by the kinds it names; of an appointment that is over on either side only the status.';

CREATE OR REPLACE FUNCTION radscheduler.drift_rows(p_site integer, p_senders bigint[], p_theirs radscheduler.drift_row[], p_period tstzrange)
    RETURNS TABLE (kind text, external_id text, appointment_id bigint, field text, ours text, theirs text, suggestion text)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    c_zone   CONSTANT text := radscheduler.site_zone(p_site);
    v_period tstzrange := coalesce(p_period, (SELECT tstzrange(timezone(c_zone, date_trunc('day', timezone(c_zone, min(t.starts_at)))),
                                                               timezone(c_zone, date_trunc('day', timezone(c_zone, max(t.starts_at))) + interval '1 day')) FROM unnest(p_theirs) t
                                              HAVING min(t.starts_at) IS NOT NULL));
    v_row    record;
    v_field  record;
    v_local  text[];
    v_seen   bigint[] := '{}';
BEGIN
    FOR v_row IN
        SELECT t, (t).external_id AS name, (t).fault AS fault, f.appointment_id AS id, f.message_time FROM (
            -- The last that the export says of each.
            SELECT DISTINCT ON (u.sender_id, coalesce(u.external_id, '?' || u.place)) u FROM unnest(p_theirs) u ORDER BY u.sender_id, coalesce(u.external_id, '?' || u.place), u.told_at DESC NULLS LAST, u.place DESC) q(t)
        LEFT JOIN LATERAL (
            SELECT x.appointment_id, x.message_time FROM (
                (SELECT a.appointment_id, a.message_time, 1 AS preference FROM radscheduler.appointment a
                 WHERE a.site_id = p_site AND a.sender_id = (t).sender_id AND a.filler_id = (t).filler_id ORDER BY a.generation DESC LIMIT 1)
                UNION ALL
                (SELECT a.appointment_id, a.message_time, 2 FROM radscheduler.appointment a
                 WHERE a.site_id = p_site AND a.sender_id = (t).sender_id AND a.placer_id = (t).placer_id ORDER BY a.generation DESC LIMIT 1)) x ORDER BY x.preference LIMIT 1) f ON true
        ORDER BY (t).starts_at NULLS LAST, (t).external_id, (t).place
    LOOP
        external_id := v_row.name;
        appointment_id := v_row.id;
        field := NULL; ours := NULL; theirs := NULL;
        v_seen := v_seen || array_remove(ARRAY[v_row.id], NULL);
        IF v_row.fault IS NOT NULL THEN
            kind := 'unreadable';
            field := (v_row.t).fault_field;
            suggestion := v_row.fault;
            RETURN NEXT;
        ELSIF v_row.id IS NULL THEN
            CONTINUE WHEN radscheduler.is_closed((v_row.t).status);
            kind := 'missing_here';
            theirs := concat_ws(' ', to_char(timezone(c_zone, (v_row.t).starts_at), 'YYYY-MM-DD HH24:MI'), (v_row.t).modality);
            suggestion := CASE WHEN (v_row.t).sender_id IS NULL THEN 'This sender is not known at this site: register it with set_sender(), then let it send the booking.'
                               ELSE 'Ask for the booking (S12), or give an S27 of it to ingest(): it books what is not known.' END;
            RETURN NEXT;
        ELSE
            kind := 'differs';
            v_local := NULL;
            FOR v_field IN SELECT * FROM radscheduler.drift_fields(p_site, c_zone, v_row.t, v_row.id) LOOP
                v_local := coalesce(v_local, radscheduler.local_columns(p_site, v_row.id));
                field := v_field.field; ours := v_field.ours; theirs := v_field.theirs;
                suggestion := CASE
                    WHEN v_field.columns && v_local THEN 'It was changed here by hand, and the sender does not know: tell it there, or take back the change.'
                    WHEN (v_row.t).told_at < v_row.message_time THEN 'The export is older than the last message that was applied here.'
                    WHEN v_field.field = 'resource' AND (v_row.t).resources @> '[{"id": null}]' THEN 'The export names a resource that is not known here: if it is one of these by another name, add that to resource_alias.'
                    WHEN v_field.field = 'modality' AND NOT EXISTS (SELECT FROM radscheduler.modality m WHERE m.site_id = p_site AND m.code = v_field.theirs) THEN 'The export names a modality that is not known here: add the word to modality_alias.'
                    WHEN v_field.field = 'status' AND radscheduler.is_closed(v_field.theirs::radscheduler.appointment_status) THEN 'It is over there: a closing message is missing here. Ask for it; until then the time is taken.'
                    WHEN v_field.field = 'status' AND radscheduler.is_closed(v_field.ours::radscheduler.appointment_status) THEN 'It is over here and not there. Ask which is right.'
                    ELSE 'A change is missing here: give an S27 of it to ingest(), or ask for it again.' END;
                RETURN NEXT;
            END LOOP;
        END IF;
    END LOOP;
    kind := 'missing_there'; field := NULL; theirs := NULL;
    suggestion := 'It is booked here and not in the export. If it is cancelled there, ask for the S15; until then it holds its time.';
    FOR v_row IN
        SELECT a.appointment_id AS id, coalesce(a.filler_id, a.placer_id) AS name, concat_ws(' ', to_char(timezone(c_zone, a.starts_at), 'YYYY-MM-DD HH24:MI'), a.modality) AS what
        FROM radscheduler.appointment a
        WHERE a.site_id = p_site AND a.sender_id = ANY (p_senders) AND a.starts_at <@ v_period
          AND a.starts_at >= coalesce(lower(v_period), '-infinity') AND a.starts_at <= coalesce(upper(v_period), 'infinity')
          AND NOT radscheduler.is_closed(a.status) AND a.appointment_id <> ALL (v_seen)
        ORDER BY a.starts_at, a.appointment_id
    LOOP
        appointment_id := v_row.id; external_id := v_row.name; ours := v_row.what;
        RETURN NEXT;
    END LOOP;
END
$$;

COMMENT ON FUNCTION radscheduler.drift_rows(integer, bigint[], radscheduler.drift_row[], tstzrange) IS 'drift_report() of an export in the shape of drift_row; without a period it covers the days of its first to its last start, and where it names no start nothing is missing there.';

CREATE OR REPLACE FUNCTION radscheduler.drift_report(messages bytea[], period tstzrange DEFAULT NULL)
    RETURNS TABLE (kind text, external_id text, appointment_id bigint, field text, ours text, theirs text, suggestion text)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 50 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
    AS $$
#variable_conflict use_column
DECLARE
    v_site   integer := radscheduler.current_site();
    v_theirs radscheduler.drift_row[];
BEGIN
    IF messages IS NULL OR array_position(messages, NULL) IS NOT NULL OR array_ndims(messages) > 1 THEN
        RAISE EXCEPTION 'drift_report needs a one-dimensional array of messages, none of them NULL' USING ERRCODE = 'null_value_not_allowed',
            HINT = 'For a batch file give its bytes as they are; for rows give them as jsonb, with the sender.';
    ELSIF isempty(period) THEN
        RAISE EXCEPTION 'the period of the export is empty' USING ERRCODE = 'invalid_parameter_value', HINT = 'Give the time that the export covers, or leave it out for the days of its appointments.';
    END IF;
    v_theirs := ARRAY(SELECT radscheduler.drift_message(v_site, u.ordinality::integer, u.message) FROM unnest(messages) WITH ORDINALITY u(message));
    PERFORM radscheduler.audit(v_site, 'read', 'appointment', NULL, jsonb_strip_nulls(jsonb_build_object('drift', cardinality(v_theirs), 'period', period)));
    RETURN QUERY SELECT d.* FROM radscheduler.drift_rows(v_site, ARRAY(SELECT DISTINCT t.sender_id FROM unnest(v_theirs) t), v_theirs, period) d;
END
$$;

COMMENT ON FUNCTION radscheduler.drift_report(bytea[], tstzrange) IS
    'Compares an export of scheduling messages (such as S27, one for each appointment) with the schedule of the session''s site. A row for each thing that does not agree: kind missing_here (not known here), missing_there (booked here by a sender of the export, in its period, and not in it), differs (field, ours, theirs), unreadable; with the sender''s key, the appointment, and what to do. Only what a message tells is compared; times are local to the site. Without a period the days from the first to the last start of the export are taken. Of several messages about one appointment the last by MSH-7 counts. Nothing is changed; the read is audited.';

CREATE OR REPLACE FUNCTION radscheduler.drift_report(export bytea, period tstzrange DEFAULT NULL)
    RETURNS TABLE (kind text, external_id text, appointment_id bigint, field text, ours text, theirs text, suggestion text)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 50 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT d.* FROM radscheduler.drift_report(ARRAY(SELECT b.body FROM radscheduler.hl7_split_batch(export) b WHERE b.kind = 'message' ORDER BY b.message), period) d;
END
$$;

COMMENT ON FUNCTION radscheduler.drift_report(bytea, tstzrange) IS
    'drift_report() of a batch file (FHS, BHS, messages, BTS, FTS), of messages joined without envelope, or of one message.';

CREATE OR REPLACE FUNCTION radscheduler.drift_report(snapshot jsonb, sender text, period tstzrange DEFAULT NULL)
    RETURNS TABLE (kind text, external_id text, appointment_id bigint, field text, ours text, theirs text, suggestion text)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 50 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
    AS $$
#variable_conflict use_column
DECLARE
    v_site   integer := radscheduler.current_site();
    v_sender record;
    v_theirs radscheduler.drift_row[];
BEGIN
    SELECT s.sender_id, coalesce(radscheduler.sender_profile(s.profile, t.default_profile) ->> 'timezone', t.timezone, radscheduler.default_zone()) AS zone INTO v_sender
        FROM radscheduler.sender s JOIN radscheduler.site t ON t.site_id = s.site_id
        WHERE s.site_id = v_site AND concat_ws('|', s.sending_application, s.sending_facility) = drift_report.sender;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this site has no sender "%"', left(drift_report.sender, 100) USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Give MSH-3 and MSH-4 with a bar between them, such as ''RIS|NORTH''; radscheduler.sender lists them.';
    ELSIF jsonb_typeof(snapshot) IS DISTINCT FROM 'array' THEN
        RAISE EXCEPTION 'the rows of an export are an array of objects' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'SELECT jsonb_agg(to_jsonb(r)) FROM your_rows r makes one; the keys are external_id, patient_id, start, duration, modality, status, resource.';
    ELSIF isempty(period) OR period IS NULL AND snapshot = '[]' THEN
        RAISE EXCEPTION 'the period of the export is empty' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Give the time that the export covers; it may be left out only where appointments with a start tell the days.';
    END IF;
    v_theirs := ARRAY(SELECT radscheduler.drift_entry(v_site, v_sender.sender_id, v_sender.zone, e.place::integer, e.item) FROM jsonb_array_elements(snapshot) WITH ORDINALITY e(item, place));
    PERFORM radscheduler.audit(v_site, 'read', 'appointment', NULL, jsonb_strip_nulls(jsonb_build_object('drift', cardinality(v_theirs), 'sender', drift_report.sender, 'period', period)));
    RETURN QUERY SELECT d.* FROM radscheduler.drift_rows(v_site, ARRAY[v_sender.sender_id], v_theirs, period) d;
END
$$;

COMMENT ON FUNCTION radscheduler.drift_report(jsonb, text, tstzrange) IS
    'drift_report() of rows of a sender (''application|facility''): [{external_id, patient_id, start, duration, modality, status, resource}], of which only external_id must be there; the others are compared where they are. external_id is SCH-2 or SCH-1 as appointment.filler_id and placer_id hold it; a start without offset is local to the sender; resource is a name or a list of names.';

CREATE OR REPLACE FUNCTION radscheduler.replay_selection(p_site integer, p_messages bigint[], p_period tstzrange, p_sender text, p_after bigint, p_limit integer,
                                              OUT ids bigint[], OUT remaining bigint) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_sender bigint := (SELECT s.sender_id FROM radscheduler.sender s WHERE s.site_id = p_site AND concat_ws('|', s.sending_application, s.sending_facility) = p_sender);
BEGIN
    IF p_sender IS NOT NULL AND v_sender IS NULL THEN
        RAISE EXCEPTION 'this site has no sender "%"', left(p_sender, 100) USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Give MSH-3 and MSH-4 with a bar between them, such as ''RIS|NORTH''; radscheduler.sender lists them.';
    END IF;
    SELECT coalesce(array_agg(q.message_id) FILTER (WHERE q.place <= p_limit), '{}'), count(*) FILTER (WHERE q.place > p_limit) INTO ids, remaining
        FROM (SELECT m.message_id, row_number() OVER (ORDER BY m.message_id) AS place FROM radscheduler.hl7_message m
              WHERE m.site_id = p_site AND m.message_id > p_after AND m.outcome <> 'duplicate'
                AND (p_messages IS NULL OR m.message_id = ANY (p_messages)) AND (v_sender IS NULL OR m.sender_id = v_sender)
                AND (p_period IS NULL OR m.received_at <@ p_period
                     AND m.received_at >= coalesce(lower(p_period), '-infinity') AND m.received_at <= coalesce(upper(p_period), 'infinity'))) q;
END
$$;

COMMENT ON FUNCTION radscheduler.replay_selection(integer, bigint[], tstzrange, text, bigint, integer) IS
    'The messages of a site that a replay is asked for, by number, and how many more there are. Duplicates are left out: their first reception stands for them.';

CREATE OR REPLACE FUNCTION radscheduler.replay_note(p_site integer, p_lines radscheduler.replay_line[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    UPDATE radscheduler.hl7_message m
        SET replayed_at = now(), replay_outcome = (l.item).outcome, replay_code = (l.item).code, replay_warnings = (l.item).warnings, replay_error = (l.item).error,
            appointment_id = coalesce((l.item).appointment_id, m.appointment_id)
        FROM unnest(p_lines) l
        WHERE m.site_id = p_site AND m.received_at = (l.item).received_at AND m.message_id = (l.item).message_id AND NOT l.is_kept
          AND NOT (radscheduler.is_apart(l.item) AND (l.item).outcome IN ('stale', 'ignored')); -- what it did then is done
    PERFORM radscheduler.audit_all(p_site, array_agg('message.replayed'::text ORDER BY l.ordinality), 'hl7_message', array_agg((l.item).message_id ORDER BY l.ordinality),
                                   array_agg(jsonb_build_object('was', l.was_outcome, 'outcome', (l.item).outcome, 'appointment_id', (l.item).appointment_id) ORDER BY l.ordinality))
        FROM unnest(p_lines) WITH ORDINALITY l WHERE NOT l.is_kept HAVING count(*) > 0;
END
$$;

COMMENT ON FUNCTION radscheduler.replay_note(integer, radscheduler.replay_line[]) IS 'Notes on messages what a replay that is kept made of them, and audits it.';

CREATE OR REPLACE FUNCTION radscheduler.replay_batch(p_site integer, p_messages bigint[], p_dry boolean,
        OUT message_id bigint, OUT received_at timestamptz, OUT trigger_event text, OUT selected boolean, OUT appointment_id bigint, OUT verdict text,
        OUT was_code text, OUT was_outcome text, OUT code text, OUT outcome text, OUT before jsonb, OUT after jsonb, OUT changes jsonb, OUT effect jsonb,
        OUT warnings jsonb, OUT error jsonb) RETURNS SETOF record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_lines  radscheduler.replay_line[];
    v_line   radscheduler.replay_line;
    v_ids    bigint[];
    v_now    jsonb;
    v_before jsonb[] := '{}';
    v_merged record;
    v_shown  jsonb;
    v_effects jsonb;
BEGIN
    IF NOT p_dry THEN
        v_lines := radscheduler.replay_lines(p_site, p_messages);
        PERFORM radscheduler.lock_keys(radscheduler.replay_lock_names(p_site, v_lines));
        v_ids := ARRAY(SELECT (l.item).message_id FROM unnest(v_lines) l);
    END IF;
    BEGIN
        v_lines := radscheduler.replay_lines(p_site, p_messages);
        IF p_dry THEN
            PERFORM radscheduler.lock_keys(radscheduler.replay_lock_names(p_site, v_lines));
        ELSIF v_ids <> ARRAY(SELECT (l.item).message_id FROM unnest(v_lines) l) THEN
            RAISE EXCEPTION 'a message about one of the appointments came while they were being locked' USING ERRCODE = 'serialization_failure', HINT = 'Run it again.';
        END IF;
        v_lines := radscheduler.replay_rehearse(p_site, v_lines);
        RAISE EXCEPTION 'dry run' USING ERRCODE = 'RS002';
    EXCEPTION WHEN SQLSTATE 'RS002' THEN
        NULL; -- The schedule is as it was.
    END;
    v_now := (SELECT jsonb_object_agg(l.origin, radscheduler.shown_snapshot(p_site, radscheduler.snapshot_of(p_site, l.origin))) FROM unnest(v_lines) l
              WHERE l.origin IS NOT NULL AND l.target IS NOT NULL);
    FOR k IN 1 .. cardinality(v_lines) LOOP
        v_line := v_lines[k];
        v_before[k] := radscheduler.shown_snapshot(p_site, (SELECT h.snapshot FROM radscheduler.appointment_history h
            WHERE h.site_id = p_site AND h.appointment_id = v_line.was_appointment AND h.message_id = (v_line.item).message_id ORDER BY h.version LIMIT 1));
        IF v_line.is_kept THEN
            v_line.item.warnings := (v_line.item).warnings || radscheduler.warning('REPLAY_KEPT');
        ELSIF v_line.target IS NOT NULL AND v_line.origin IS NOT NULL THEN
            SELECT * INTO v_merged FROM radscheduler.replay_target(p_site, v_line.origin, v_line.target, ARRAY(SELECT (l.item).message_id FROM unnest(v_lines) l));
            IF cardinality(v_merged.kept) > 0 THEN
                v_line.item.warnings := (v_line.item).warnings || radscheduler.warning('REPLAY_LOCAL');
            END IF;
            IF p_dry THEN
                -- Whom and what the rehearsal had to record is known by its own view only.
                v_shown := radscheduler.shown_snapshot(p_site, v_merged.target);
                v_line.target_shown := v_shown || (SELECT jsonb_object_agg(c.name, v_line.target_shown -> c.name)
                    FROM (VALUES ('patient_id', 'patient_id'), ('patient_name', 'patient_id'), ('patient_phone', 'patient_id'), ('resources', 'resources'),
                                 ('status', 'status'), ('review_reason', 'status'), ('id', '')) c(name, guard)
                    -- A conflict that a person has accepted is a new one to the rehearsal.
                    WHERE c.guard <> ALL (v_merged.kept) AND NOT (c.guard = 'status' AND EXISTS (SELECT FROM radscheduler.conflict x
                        WHERE x.site_id = p_site AND x.state = 'accepted' AND v_line.origin IN (x.appointment_id, x.other_appointment_id))))
                    || jsonb_build_object('id', v_line.origin);
            END IF;
        END IF;
        v_lines[k] := v_line;
    END LOOP;
    IF NOT p_dry THEN
        v_lines := radscheduler.replay_write(p_site, v_lines);
        PERFORM radscheduler.replay_note(p_site, v_lines);
    END IF;
    v_effects := (SELECT coalesce(jsonb_object_agg(q.origin, q.effect) FILTER (WHERE q.effect IS NOT NULL), '{}')
        FROM (SELECT l.origin, radscheduler.jsonb_changes(v_now -> l.origin::text, CASE WHEN p_dry THEN l.target_shown
                                   ELSE radscheduler.shown_snapshot(p_site, radscheduler.snapshot_of(p_site, l.origin)) END) AS effect
              FROM unnest(v_lines) l WHERE l.target IS NOT NULL AND l.origin IS NOT NULL AND NOT l.is_kept) q);
    FOR k IN 1 .. cardinality(v_lines) LOOP
        v_line := v_lines[k];
        message_id := (v_line.item).message_id;
        received_at := (v_line.item).received_at;
        trigger_event := (v_line.item).context #>> '{header,trigger_event}';
        selected := v_line.is_selected;
        appointment_id := CASE WHEN p_dry OR v_line.is_kept THEN coalesce(v_line.origin, v_line.was_appointment) ELSE (v_line.item).appointment_id END;
        was_code := v_line.was_code;
        was_outcome := v_line.was_outcome;
        code := (v_line.item).code;
        outcome := (v_line.item).outcome;
        before := v_before[k];
        after := v_line.shown || jsonb_build_object('id', appointment_id);
        changes := radscheduler.jsonb_changes(before, after);
        effect := CASE WHEN v_line.target IS NOT NULL THEN v_effects -> v_line.origin::text END;
        verdict := CASE WHEN v_line.is_kept THEN 'kept'
                        WHEN radscheduler.is_apart(v_line.item) AND was_code = 'AA' THEN CASE WHEN outcome IN ('applied', 'flagged') THEN 'again' ELSE 'same' END
                        WHEN outcome IN ('applied', 'flagged') AND v_line.origin IS NULL AND v_line.shown IS NOT NULL THEN 'new'
                        -- A conflict with what came later is no news: effect tells what it does.
                        WHEN replace(outcome, 'flagged', 'applied') <> replace(was_outcome, 'flagged', 'applied') OR v_effects ? v_line.origin::text AND (changes IS NOT NULL OR effect IS NOT NULL) THEN 'changed' ELSE 'same' END;
        warnings := (v_line.item).warnings;
        error := (v_line.item).error;
        RETURN NEXT;
    END LOOP;
END
$$;

COMMENT ON FUNCTION radscheduler.replay_batch(integer, bigint[], boolean) IS 'replay() of one batch: these messages with all others about the same appointments.';

CREATE OR REPLACE FUNCTION radscheduler.replay(message_ids bigint[] DEFAULT NULL, period tstzrange DEFAULT NULL, sender text DEFAULT NULL, dry boolean DEFAULT true,
                                    after_message bigint DEFAULT 0, at_most integer DEFAULT 500)
    RETURNS TABLE (message_id bigint, received_at timestamptz, trigger_event text, selected boolean, appointment_id bigint, verdict text,
                   was_code text, was_outcome text, code text, outcome text, before jsonb, after jsonb, changes jsonb, effect jsonb, warnings jsonb, error jsonb)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 100 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
#variable_conflict use_column
DECLARE
    c_batch   CONSTANT integer := 200;
    v_site    integer := radscheduler.current_site();
    v_dry     boolean := coalesce(dry, true);
    v_limit   integer := CASE WHEN v_dry THEN 10000 ELSE 1000 END;
    v_chosen  record;
    v_todo    bigint[];
    v_batch   bigint[];
    v_row     record;
    v_done    bigint[] := '{}';
    v_changed bigint := 0;
BEGIN
    IF num_nonnulls(message_ids, period, replay.sender) = 0 THEN
        RAISE EXCEPTION 'a replay needs messages, a period or a sender' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Give message_ids, period => tstzrange(…) (of reception), sender => ''RIS|NORTH'', or several of them.';
    ELSIF at_most IS NULL OR at_most NOT BETWEEN 1 AND v_limit THEN
        RAISE EXCEPTION 'at_most is 1 to 10000 for a dry run, and 1 to 1000 for one that is kept' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'What is kept holds its locks until the transaction ends: go on with after_message => the last message_id, in a transaction of its own.';
    END IF;
    SELECT * INTO v_chosen FROM radscheduler.replay_selection(v_site, message_ids, period, replay.sender, coalesce(after_message, 0), at_most);
    v_todo := v_chosen.ids;
    WHILE cardinality(v_todo) > 0 LOOP
        v_batch := CASE WHEN v_dry THEN v_todo[1:c_batch] ELSE v_todo END;
        FOR v_row IN SELECT * FROM radscheduler.replay_batch(v_site, v_batch, v_dry) LOOP
            -- Another message of the appointment stood in an earlier batch: it was read again there.
            CONTINUE WHEN v_row.message_id = ANY (v_done);
            v_done := v_done || v_row.message_id;
            v_changed := v_changed + (v_row.verdict NOT IN ('same', 'again'))::integer;
            message_id := v_row.message_id; received_at := v_row.received_at; trigger_event := v_row.trigger_event; selected := v_row.message_id = ANY (v_chosen.ids);
            appointment_id := v_row.appointment_id; verdict := v_row.verdict; was_code := v_row.was_code; was_outcome := v_row.was_outcome; code := v_row.code;
            outcome := v_row.outcome; before := v_row.before; after := v_row.after; changes := v_row.changes; effect := v_row.effect; warnings := v_row.warnings; error := v_row.error;
            RETURN NEXT;
        END LOOP;
        v_todo := ARRAY(SELECT u.id FROM unnest(v_todo) WITH ORDINALITY u(id, place) WHERE u.id <> ALL (v_done) AND u.id <> ALL (v_batch) ORDER BY u.place);
        IF cardinality(v_todo) > 0 THEN
            RAISE NOTICE 'replay: % of % messages read again', cardinality(v_chosen.ids) - cardinality(v_todo), cardinality(v_chosen.ids);
        END IF;
    END LOOP;
    IF v_chosen.remaining > 0 THEN
        RAISE NOTICE 'replay: % more messages were asked for', v_chosen.remaining USING HINT = format('Go on with after_message => %s.', v_chosen.ids[cardinality(v_chosen.ids)]);
    END IF;
    PERFORM radscheduler.audit(v_site, CASE WHEN v_dry THEN 'read' ELSE 'replay' END, 'hl7_message', NULL, jsonb_strip_nulls(jsonb_build_object('replay', v_dry,
        'sender', replay.sender, 'period', period, 'messages', cardinality(v_done), 'changed', v_changed, 'first', v_chosen.ids[1], 'last', v_chosen.ids[cardinality(v_chosen.ids)])));
END
$$;

COMMENT ON FUNCTION radscheduler.replay(bigint[], tstzrange, text, boolean, bigint, integer) IS
    'Past messages of the session''s site read again with today''s profile and catalogues: those of message_ids, of a period of reception, of a sender (''application|facility''), or all of these together. Each comes with the others about the same appointment (selected tells), because a message stands on those before it. A row per message: verdict (same, changed, new: an appointment there was not, kept: it would now be refused or tell of another appointment, so that appointment is left alone, again: about no single appointment, and applied once more in its place), code and outcome before and now, the appointment after it then (before) and now (after), changes {column: [old, new]} between the two, and on the last message of an appointment effect: what changes on it as it stands today. Nothing is kept unless dry => false: then each appointment gets one new version that names the message, events and audit events are written, and hl7_message.replay_… tells what came of each; what the sender was told stays. What was changed here by hand since, or by messages about other things, is kept (warning REPLAY_LOCAL). at_most messages are taken, by number, after a given one; a notice tells how to go on. Raises 22023 for wrong arguments, 40001 when something changed meanwhile.';

INSERT INTO radscheduler.storage_step (version, topic, script) VALUES (14, 'ingestion', $storage_step$
-- What messages in any order need: when an appointment laid claim to its time, where it belongs, which of its parts are still in force.

ALTER TABLE radscheduler.appointment
    ADD COLUMN booked_at        timestamptz,
    ADD COLUMN moved_at         timestamptz,
    ADD COLUMN visit_group      text,
    ADD COLUMN parent_filler_id text,
    ADD COLUMN parent_placer_id text,
    ADD COLUMN holds_time       boolean NOT NULL DEFAULT false,
    ADD COLUMN ending           jsonb;
COMMENT ON COLUMN radscheduler.appointment.booked_at IS 'Earliest MSH-7 of any message about it, late ones included (or when it was booked here): with moved_at, its place in the queue for a time that others want too.';
COMMENT ON COLUMN radscheduler.appointment.moved_at IS 'Latest MSH-7 of a message that told another time than it has now, or closed it: its claim to the present time is younger than that. NULL when it was never anything else.';
COMMENT ON COLUMN radscheduler.appointment.visit_group IS 'SCH-4: appointments of one visit.';
COMMENT ON COLUMN radscheduler.appointment.parent_filler_id IS 'SCH-24: the series it belongs to, in the filler''s numbering.';
COMMENT ON COLUMN radscheduler.appointment.parent_placer_id IS 'SCH-23: the series it belongs to, in the placer''s numbering.';
COMMENT ON COLUMN radscheduler.appointment.ending IS 'How it came to its end, so that late messages find their place: what was told before it was closed, then every closing since; see ended(). NULL while no message has closed it.';
COMMENT ON COLUMN radscheduler.appointment.holds_time IS 'True when a PENDING appointment of this sender takes its time (profile key pending_occupies).';

-- A completion, too, can overtake its booking.
ALTER TABLE radscheduler.appointment
    DROP CONSTRAINT appointment_check2,
    ADD CONSTRAINT appointment_open_is_whole CHECK (radscheduler.is_closed(status) OR status IN ('PENDING', 'WAITLISTED') OR starts_at IS NOT NULL AND patient_id IS NOT NULL);

ALTER TABLE radscheduler.appointment_service
    ADD COLUMN set_id text,
    ADD COLUMN status radscheduler.appointment_status CHECK (radscheduler.is_closed(status));
COMMENT ON COLUMN radscheduler.appointment_service.set_id IS 'AIS-1.';
COMMENT ON COLUMN radscheduler.appointment_service.status IS 'CANCELLED, DISCONTINUED, NO_SHOW or DELETED when this exam alone was taken out (S20 to S22, or its own AIS-10); NULL while it is in force.';

ALTER TABLE radscheduler.appointment_resource
    ADD COLUMN set_id text,
    ADD COLUMN status radscheduler.appointment_status CHECK (radscheduler.is_closed(status));
COMMENT ON COLUMN radscheduler.appointment_resource.set_id IS 'AIG-1, AIL-1 or AIP-1.';
COMMENT ON COLUMN radscheduler.appointment_resource.status IS 'CANCELLED, DISCONTINUED, NO_SHOW or DELETED when this resource alone was taken out (S20 to S22, or its own status field); NULL while it is in force.';

ALTER TABLE radscheduler.patient ADD COLUMN message_time timestamptz;
COMMENT ON COLUMN radscheduler.patient.message_time IS 'MSH-7 of the last message that changed the row (or when it was changed here): an older one does not overwrite it.';
$storage_step$);

INSERT INTO radscheduler.storage_step (version, topic, script) VALUES (15, 'rules', $storage_step$
-- Conflicts that no exclusion constraint can hold: hours, blocks, capabilities, pools, ways between rooms; and blocks that a sender tells of.

ALTER TABLE radscheduler.conflict ALTER COLUMN other_appointment_id DROP NOT NULL;
COMMENT ON TABLE  radscheduler.conflict IS 'Two appointments that want one subject at one time, or one appointment that breaks a rule (rule_kind). Open until the cause has gone (then resolved by itself) or someone accepts it.';
COMMENT ON COLUMN radscheduler.conflict.subject_id IS 'The resource or patient concerned; 0 on the axis resource for a rule about the site or the appointment as a whole.';
COMMENT ON COLUMN radscheduler.conflict.appointment_id IS 'The appointment that came second, or that breaks the rule.';
COMMENT ON COLUMN radscheduler.conflict.other_appointment_id IS 'The appointment that was there; NULL for a rule that needs no second one.';
COMMENT ON COLUMN radscheduler.conflict.overlap IS 'The time both want, or the time for which the rule is broken.';
ALTER TABLE radscheduler.conflict ADD COLUMN accepted_by text CONSTRAINT conflict_accepted_by CHECK (accepted_by IS NULL OR state <> 'open');
COMMENT ON COLUMN radscheduler.conflict.accepted_by IS 'Who accepted it. An acceptance covers the time and the severity it was given for; worse, or at another time, the conflict is open again.';

-- One unresolved row for each code: a pair can share a subject in one way and break a rule on it in another. LEAST and GREATEST pass over NULL,
-- so a rule about one appointment alone is the pair of that appointment with itself.
DROP INDEX radscheduler.conflict_pair;
CREATE UNIQUE INDEX conflict_pair ON radscheduler.conflict
    (site_id, axis, subject_id, code, (LEAST(appointment_id, other_appointment_id)), (GREATEST(appointment_id, other_appointment_id)))
    WHERE state <> 'resolved';
CREATE INDEX conflict_capacity ON radscheduler.conflict (site_id, appointment_id) WHERE state <> 'resolved' AND code = 'CAPACITY_EXCEEDED';

ALTER TABLE radscheduler.site
    ADD COLUMN travel_minutes smallint NOT NULL DEFAULT 0 CONSTRAINT site_travel_minutes CHECK (travel_minutes BETWEEN 0 AND 240),
    ADD COLUMN campus_minutes smallint NOT NULL DEFAULT 0 CONSTRAINT site_campus_minutes CHECK (campus_minutes BETWEEN 0 AND 480);
COMMENT ON COLUMN radscheduler.site.travel_minutes IS 'Minutes a patient needs from one place of the site to another (PATIENT_TRAVEL, a warning); 0 asks for none.';
COMMENT ON COLUMN radscheduler.site.campus_minutes IS 'Minutes a patient needs from one campus of the site to another (PATIENT_TRAVEL, critical); 0 asks for none.';

ALTER TABLE radscheduler.resource
    ADD COLUMN modalities text[] NOT NULL DEFAULT '{}' CONSTRAINT resource_modalities_plain CHECK (pg_catalog.array_position(modalities, NULL) IS NULL),
    ADD COLUMN location   text   CONSTRAINT resource_location_filled CHECK (location <> ''),
    ADD COLUMN campus     text   CONSTRAINT resource_campus_filled CHECK (campus <> '');
CREATE INDEX resource_pool ON radscheduler.resource (site_id, modality) WHERE is_active AND is_registered AND kind <> 'staff';
CREATE INDEX resource_pool_more ON radscheduler.resource (site_id) WHERE is_active AND is_registered AND kind <> 'staff' AND modalities <> '{}';
COMMENT ON COLUMN radscheduler.resource.modalities IS 'DICOM codes it can do besides modality, for example {CT} for a PET/CT scanner.';
COMMENT ON COLUMN radscheduler.resource.location IS 'Where it is, for example a building and floor: between resources of one location patients need no travel time. NULL: a place of its own.';
COMMENT ON COLUMN radscheduler.resource.campus IS 'The part of the site it belongs to, where the site has several that a patient must travel between; NULL where it has one.';

ALTER TABLE radscheduler.appointment
    ADD COLUMN patient_class text,
    ADD COLUMN is_overbook   boolean NOT NULL DEFAULT false,
    ADD COLUMN is_pooled     boolean NOT NULL DEFAULT false,
    ADD COLUMN time_fault    text CONSTRAINT appointment_time_fault CHECK (time_fault IN ('gap', 'end', 'length'));
COMMENT ON COLUMN radscheduler.appointment.patient_class IS 'PV1-2 (HL7 table 0004), for example O outpatient, I inpatient, E emergency.';
COMMENT ON COLUMN radscheduler.appointment.is_overbook IS 'The sender said Overbook in SCH-25: it knows that the time is taken, and rules that this excuses only warn.';
COMMENT ON COLUMN radscheduler.appointment.is_pooled IS 'It takes time and names neither a scanner nor a room, so it counts against all scanners of its modality; kept by mark_pooled().';
COMMENT ON COLUMN radscheduler.appointment.time_fault IS 'What was wrong with the time that was sent (INVALID_TIME): gap, clocks are put forward over the start and starts_at is the moment after; end, not after the start; length, more than 24 hours. For the last two the usual duration is assumed. NULL when nothing was.';
CREATE INDEX appointment_pooled ON radscheduler.appointment USING gist (site_id, modality, pg_catalog.tstzrange(starts_at, ends_at)) WHERE is_pooled;

CREATE TABLE radscheduler.sender_block (
    site_id          integer     NOT NULL,
    sender_block_id  bigint      GENERATED BY DEFAULT AS IDENTITY,
    sender_id        bigint      NOT NULL,
    filler_id        text,
    placer_id        text,
    message_time     timestamptz NOT NULL,
    message_sequence bigint,
    message_id       bigint,
    PRIMARY KEY (site_id, sender_block_id),
    FOREIGN KEY (site_id, sender_id) REFERENCES radscheduler.sender,
    CHECK (filler_id IS NOT NULL OR placer_id IS NOT NULL)
);
CREATE UNIQUE INDEX sender_block_filler ON radscheduler.sender_block (site_id, sender_id, filler_id) WHERE filler_id IS NOT NULL;
CREATE INDEX sender_block_placer ON radscheduler.sender_block (site_id, sender_id, placer_id) WHERE placer_id IS NOT NULL;
COMMENT ON TABLE  radscheduler.sender_block IS 'A block as its sender calls it (SIU S23, S24). It outlives its times in resource_block, so that an older message does not bring back what a newer one has lifted.';
COMMENT ON COLUMN radscheduler.sender_block.site_id IS 'Site.';
COMMENT ON COLUMN radscheduler.sender_block.sender_block_id IS 'Identity within the database.';
COMMENT ON COLUMN radscheduler.sender_block.sender_id IS 'Sender whose identifiers filler_id and placer_id are.';
COMMENT ON COLUMN radscheduler.sender_block.filler_id IS 'SCH-2.1 (and namespace after a caret).';
COMMENT ON COLUMN radscheduler.sender_block.placer_id IS 'SCH-1.1 (and namespace after a caret).';
COMMENT ON COLUMN radscheduler.sender_block.message_time IS 'MSH-7 of the last applied message (or its arrival): an older one is stale.';
COMMENT ON COLUMN radscheduler.sender_block.message_sequence IS 'MSH-13 of that message: tie-break of message_time.';
COMMENT ON COLUMN radscheduler.sender_block.message_id IS 'hl7_message that last changed it.';

ALTER TABLE radscheduler.resource_block
    ADD COLUMN kind            text NOT NULL DEFAULT 'block' CONSTRAINT resource_block_kind CHECK (kind IN ('block', 'maintenance', 'downtime')),
    ADD COLUMN sender_block_id bigint,
    ADD FOREIGN KEY (site_id, sender_block_id) REFERENCES radscheduler.sender_block ON DELETE CASCADE;
CREATE INDEX resource_block_sender ON radscheduler.resource_block (site_id, sender_block_id) WHERE sender_block_id IS NOT NULL;
COMMENT ON COLUMN radscheduler.resource_block.kind IS 'block (a meeting, a closed room), maintenance or downtime: the last two make the conflict MAINTENANCE, which no overbooking excuses.';
COMMENT ON COLUMN radscheduler.resource_block.sender_block_id IS 'sender_block whose message made it; NULL for blocks made here.';

CREATE TABLE radscheduler.rule_setting (
    site_id  integer NOT NULL REFERENCES radscheduler.site,
    code     text    NOT NULL CONSTRAINT rule_setting_known CHECK (radscheduler.is_rule(code)),
    severity text    NOT NULL CONSTRAINT rule_setting_severity CHECK (severity IN ('off', 'info', 'warning', 'critical')),
    PRIMARY KEY (site_id, code)
);
COMMENT ON TABLE  radscheduler.rule_setting IS 'What a site makes of a rule, where that differs from rule_kind. Takes effect as appointments change; recheck_conflicts() applies it to those that are there.';
COMMENT ON COLUMN radscheduler.rule_setting.site_id IS 'Site.';
COMMENT ON COLUMN radscheduler.rule_setting.code IS 'The rule, see rule_kind.';
COMMENT ON COLUMN radscheduler.rule_setting.severity IS 'info, warning, critical, or off: not looked at.';

ALTER TABLE radscheduler.sender_block ALTER COLUMN filler_id SET STATISTICS 0, ALTER COLUMN placer_id SET STATISTICS 0;
SELECT radscheduler.audit_table('sender_block', 'sender_block_id', 'names');
SELECT radscheduler.audit_table('rule_setting', 'code', 'values');
SELECT radscheduler.secure_table('radscheduler.sender_block'::regclass);
SELECT radscheduler.secure_table('radscheduler.rule_setting'::regclass);
$storage_step$);

INSERT INTO radscheduler.storage_step (version, topic, script) VALUES (16, 'orders', $storage_step$
-- What was ordered: the requests of ORM and OMI messages. SCH-26 and SCH-27 tell which appointment is for which order.

CREATE TABLE radscheduler.imaging_order (
    site_id          integer     NOT NULL,
    order_id         bigint      GENERATED BY DEFAULT AS IDENTITY,
    sender_id        bigint      NOT NULL,
    placer_id        text,
    filler_id        text,
    group_id         text,
    patient_id       bigint,
    status           text        NOT NULL CHECK (status IN ('REQUESTED', 'HELD', 'SCHEDULED', 'IN_PROGRESS', 'COMPLETED', 'CANCELLED', 'DISCONTINUED', 'REPLACED', 'REFUSED')),
    control          text,
    code             text,
    text             text,
    accession        text,
    modality         text,
    urgency          text        NOT NULL DEFAULT 'routine',
    wanted_at        timestamptz,
    wanted_on        date,
    ordered_by       text,
    reason           text,
    is_test          boolean     NOT NULL DEFAULT false,
    message_time     timestamptz NOT NULL,
    message_sequence bigint,
    message_id       bigint,
    created_at       timestamptz NOT NULL DEFAULT pg_catalog.now(),
    updated_at       timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (site_id, order_id),
    FOREIGN KEY (site_id, sender_id)  REFERENCES radscheduler.sender,
    FOREIGN KEY (site_id, patient_id) REFERENCES radscheduler.patient,
    FOREIGN KEY (site_id, modality)   REFERENCES radscheduler.modality,
    CHECK (placer_id IS NOT NULL OR filler_id IS NOT NULL)
);
-- Not unique: a sender that passes on the orders of several systems may use a number for one patient each, and these may be merged.
CREATE INDEX imaging_order_filler ON radscheduler.imaging_order (site_id, sender_id, filler_id) WHERE filler_id IS NOT NULL;
CREATE INDEX imaging_order_placer ON radscheduler.imaging_order (site_id, sender_id, placer_id) WHERE placer_id IS NOT NULL;
CREATE INDEX imaging_order_patient ON radscheduler.imaging_order (site_id, patient_id);
COMMENT ON TABLE  radscheduler.imaging_order IS 'One order as it stands now: one row per ORC (or OBR without one) of ORM^O01 and OMI^O23. A row cancelled before it was ever requested (a cancellation that overtook its order) knows no exam. orders_of() and appointments_of() connect orders and appointments.';
COMMENT ON COLUMN radscheduler.imaging_order.site_id IS 'Site.';
COMMENT ON COLUMN radscheduler.imaging_order.order_id IS 'Identity within the database.';
COMMENT ON COLUMN radscheduler.imaging_order.sender_id IS 'Sender whose message told of it; the order as another sender tells it is a row of its own.';
COMMENT ON COLUMN radscheduler.imaging_order.placer_id IS 'ORC-2.1, else OBR-2.1: the requesting system''s number.';
COMMENT ON COLUMN radscheduler.imaging_order.filler_id IS 'ORC-3.1, else OBR-3.1: the number of the system that does the exam.';
COMMENT ON COLUMN radscheduler.imaging_order.group_id IS 'ORC-4.1: orders placed together.';
COMMENT ON COLUMN radscheduler.imaging_order.patient_id IS 'The patient; NULL only where a cancellation came first and named none.';
COMMENT ON COLUMN radscheduler.imaging_order.status IS 'What became of it, by order_rule: REQUESTED, HELD, SCHEDULED, IN_PROGRESS, COMPLETED, CANCELLED, DISCONTINUED, REPLACED or REFUSED.';
COMMENT ON COLUMN radscheduler.imaging_order.control IS 'ORC-1 of the last applied message (HL7 table 0119).';
COMMENT ON COLUMN radscheduler.imaging_order.code IS 'OBR-4.1: the exam that was asked for.';
COMMENT ON COLUMN radscheduler.imaging_order.text IS 'OBR-4.2.';
COMMENT ON COLUMN radscheduler.imaging_order.accession IS 'Accession number: OBR-18, else IPC-1.';
COMMENT ON COLUMN radscheduler.imaging_order.modality IS 'DICOM modality code: OBR-24 or IPC-5, else by the procedure, else by the words of the exam; NULL when nothing tells.';
COMMENT ON COLUMN radscheduler.imaging_order.urgency IS 'routine, urgent or stat (TQ1-9, ORC-7.6, OBR-27.6).';
COMMENT ON COLUMN radscheduler.imaging_order.wanted_at IS 'When the exam is wanted, where a time of day was sent.';
COMMENT ON COLUMN radscheduler.imaging_order.wanted_on IS 'The day it is wanted on, by the site''s clock.';
COMMENT ON COLUMN radscheduler.imaging_order.ordered_by IS 'Name of the ordering physician (ORC-12, else OBR-16).';
COMMENT ON COLUMN radscheduler.imaging_order.reason IS 'OBR-31: why it was ordered.';
COMMENT ON COLUMN radscheduler.imaging_order.is_test IS 'MSH-11 was not P: kept out of statistics.';
COMMENT ON COLUMN radscheduler.imaging_order.message_time IS 'MSH-7 of the last applied message (or its arrival): an older one is stale.';
COMMENT ON COLUMN radscheduler.imaging_order.message_sequence IS 'MSH-13 of that message: tie-break of message_time.';
COMMENT ON COLUMN radscheduler.imaging_order.message_id IS 'hl7_message that last changed it.';
COMMENT ON COLUMN radscheduler.imaging_order.created_at IS 'When it was first recorded.';
COMMENT ON COLUMN radscheduler.imaging_order.updated_at IS 'When it last changed.';

ALTER TABLE radscheduler.appointment ADD COLUMN accession text;
COMMENT ON COLUMN radscheduler.appointment.accession IS 'Accession number of its order (OBR-18, IPC-1).';

ALTER TABLE radscheduler.imaging_order ALTER COLUMN placer_id SET STATISTICS 0, ALTER COLUMN filler_id SET STATISTICS 0, ALTER COLUMN group_id SET STATISTICS 0,
    ALTER COLUMN code SET STATISTICS 0, ALTER COLUMN text SET STATISTICS 0, ALTER COLUMN accession SET STATISTICS 0, ALTER COLUMN ordered_by SET STATISTICS 0,
    ALTER COLUMN reason SET STATISTICS 0;
ALTER TABLE radscheduler.appointment ALTER COLUMN accession SET STATISTICS 0;
SELECT radscheduler.audit_table('imaging_order', 'order_id', 'names');
SELECT radscheduler.secure_table('radscheduler.imaging_order'::regclass);
$storage_step$);

INSERT INTO radscheduler.storage_step (version, topic, script) VALUES (17, 'senders', $storage_step$
-- What a site does with senders that nobody has registered, and what holds for all its senders.

ALTER TABLE radscheduler.site
    ADD COLUMN unknown_senders text NOT NULL DEFAULT 'accept' CONSTRAINT site_unknown_senders_known CHECK (unknown_senders IN ('accept', 'refuse')),
    ADD COLUMN default_profile jsonb NOT NULL DEFAULT '{}' CONSTRAINT site_default_profile_understood CHECK (radscheduler.is_profile(default_profile));
COMMENT ON COLUMN radscheduler.site.unknown_senders IS
    'What becomes of messages of senders that are not registered: accept takes them with the default profile, refuse keeps and answers them AR. Either way the pair is recorded.';
COMMENT ON COLUMN radscheduler.site.default_profile IS 'Profile that stands under the profile of every sender of the site; profile_key has the keys.';
COMMENT ON COLUMN radscheduler.sender.profile IS 'How its messages are read, where it differs from site.default_profile: the keys of profile_key.';
$storage_step$);

INSERT INTO radscheduler.storage_step (version, topic, script) VALUES (18, 'catalogue', $storage_step$
-- What a site knows about its exams besides modality and minutes, and the other codes that senders use for them.

ALTER TABLE radscheduler.procedure
    ADD COLUMN contrast text NOT NULL DEFAULT 'unknown' CONSTRAINT procedure_contrast CHECK (contrast IN ('none', 'with', 'with_and_without', 'unknown')),
    ADD COLUMN prep     text CONSTRAINT procedure_prep_filled CHECK (prep <> '');
COMMENT ON TABLE  radscheduler.procedure IS 'Exams by the code that AIS-3 carries; filled from procedure_catalogue when a site is created, then edited by the site.';
COMMENT ON COLUMN radscheduler.procedure.contrast IS 'Iodine or gadolinium contrast agent: none, with, with_and_without, or unknown: to be asked, never taken for none.';
COMMENT ON COLUMN radscheduler.procedure.prep IS 'What the patient prepares, in a sentence or two; NULL: nothing.';

CREATE TABLE radscheduler.procedure_alias (
    site_id integer NOT NULL,
    alias   text    NOT NULL CONSTRAINT procedure_alias_upper CHECK (alias <> '' AND alias = pg_catalog.upper(pg_catalog.btrim(alias))),
    code    text    NOT NULL,
    PRIMARY KEY (site_id, alias),
    FOREIGN KEY (site_id, code) REFERENCES radscheduler.procedure ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE INDEX procedure_alias_code ON radscheduler.procedure_alias (site_id, code);
COMMENT ON TABLE  radscheduler.procedure_alias IS 'Other codes that senders use for an exam of the site. A code of procedure goes before an alias.';
COMMENT ON COLUMN radscheduler.procedure_alias.site_id IS 'Site.';
COMMENT ON COLUMN radscheduler.procedure_alias.alias IS 'A whole code as sent in AIS-3.1 or AIS-3.4, upper case, without blanks around it.';
COMMENT ON COLUMN radscheduler.procedure_alias.code IS 'The exam it means.';

SELECT radscheduler.audit_table('procedure_alias', 'alias', 'values');
SELECT radscheduler.secure_table('radscheduler.procedure_alias'::regclass);

-- Sites that are there get what the catalogues have gained since version 0.2; what a site edited or took out stays as it is.
SELECT radscheduler.stock_site(s.site_id, '{MRI001,CT002,XR003,US004}',
    '{MR,MRI,MRA,MRV,MRCP,FMRI,CT,CTA,CAT,CTU,DX,CR,DR,XR,XRAY,RADIOGRAPH,RADIOGRAPHY,RADIOGRAPHS,US,ULTRASOUND,SONO,SONOGRAM,SONOGRAPHY,DOPPLER,DUPLEX,ECHO,'
    'MG,MAM,MAMMO,MAMMOGRAM,MAMMOGRAPHY,TOMOSYNTHESIS,NM,NUC,NUCLEAR,SPECT,SCINTIGRAPHY,PT,PET,PETCT,RF,FL,FLUORO,FLUOROSCOPY,BARIUM,ESOPHAGRAM,'
    'XA,IR,ANGIO,ANGIOGRAM,ANGIOGRAPHY,BIOPSY,BMD,DEXA,DXA,DENSITOMETRY,OT,OTHER}')
    FROM radscheduler.site s;
$storage_step$);

INSERT INTO radscheduler.storage_step (version, topic, script) VALUES (19, 'replay', $storage_step$
-- What looking back needs: what a message was when it was read again, and ways into the history by time.

ALTER TABLE radscheduler.hl7_message
    ADD COLUMN replayed_at     timestamptz,
    ADD COLUMN replay_outcome  text  CHECK (replay_outcome IN ('applied', 'flagged', 'duplicate', 'stale', 'ignored', 'error', 'rejected')),
    ADD COLUMN replay_code     text  CHECK (replay_code IN ('AA', 'AE', 'AR')),
    ADD COLUMN replay_warnings jsonb,
    ADD COLUMN replay_error    jsonb;
COMMENT ON COLUMN radscheduler.hl7_message.replayed_at IS 'When replay() last read the message again and kept what came of it. outcome, code, warnings, error and ack stay what the sender was told.';
COMMENT ON COLUMN radscheduler.hl7_message.replay_outcome IS 'outcome of that replay.';
COMMENT ON COLUMN radscheduler.hl7_message.replay_code IS 'code of that replay.';
COMMENT ON COLUMN radscheduler.hl7_message.replay_warnings IS 'warnings of that replay.';
COMMENT ON COLUMN radscheduler.hl7_message.replay_error IS 'error of that replay.';
COMMENT ON COLUMN radscheduler.hl7_message.appointment_id IS 'Appointment it was about, when known; since a replay, the one it is about by that reading.';

-- A day as it was known: every version that ever lay in it, then the last one before the moment.
CREATE INDEX appointment_history_starts ON radscheduler.appointment_history (site_id, radscheduler.snapshot_start(snapshot));

-- Months that are there get the new words too; maintain() gives them to those it makes.
DO $$
DECLARE
    v_column record;
BEGIN
    FOR v_column IN
        SELECT i.inhrelid::regclass AS partition, a.attname, pg_catalog.col_description(a.attrelid, a.attnum) AS comment
        FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_attribute a ON a.attrelid = i.inhparent
        WHERE i.inhparent = 'radscheduler.hl7_message'::regclass AND (a.attname = 'appointment_id' OR a.attname LIKE 'replay%')
    LOOP
        EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', v_column.partition, v_column.attname, v_column.comment);
    END LOOP;
END
$$;
$storage_step$);

INSERT INTO radscheduler.storage_step (version, topic, script) VALUES (20, 'merges', $storage_step$
-- Patients that turned out to be one person. The row given up goes; what remains of it is its id here, and its identifiers with the patient kept.

ALTER TABLE radscheduler.patient_identifier ADD COLUMN merged_at timestamptz;
COMMENT ON COLUMN radscheduler.patient_identifier.merged_at IS
    'MSH-7 of the merge that gave this identifier up (MRG-1); NULL for one in use. Messages that still name it mean the patient, who is not shown under it; an older merge does not move it.';

CREATE TABLE radscheduler.patient_merge (
    site_id    integer     NOT NULL,
    merged_id  bigint      NOT NULL,
    patient_id bigint      NOT NULL,
    merged_at  timestamptz NOT NULL,
    message_id bigint,
    PRIMARY KEY (site_id, merged_id),
    FOREIGN KEY (site_id, patient_id) REFERENCES radscheduler.patient ON DELETE CASCADE
);
CREATE INDEX patient_merge_patient ON radscheduler.patient_merge (site_id, patient_id);
COMMENT ON TABLE  radscheduler.patient_merge IS 'Who a patient id of earlier versions and events is now. Ids only; what a merge of merged patients leads to stands in one row each.';
COMMENT ON COLUMN radscheduler.patient_merge.site_id IS 'Site.';
COMMENT ON COLUMN radscheduler.patient_merge.merged_id IS 'patient.patient_id of the row that was given up.';
COMMENT ON COLUMN radscheduler.patient_merge.patient_id IS 'The patient kept.';
COMMENT ON COLUMN radscheduler.patient_merge.merged_at IS 'MSH-7 of the merge.';
COMMENT ON COLUMN radscheduler.patient_merge.message_id IS 'hl7_message that merged them.';

SELECT radscheduler.audit_table('patient_merge', 'merged_id,patient_id', 'names');
SELECT radscheduler.secure_table('radscheduler.patient_merge'::regclass);
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
                radscheduler.warning_kind, radscheduler.conflict_kind, radscheduler.rule_kind, radscheduler.order_rule, radscheduler.phone_region, radscheduler.role_right,
                radscheduler.profile_key, radscheduler.profile_preset TO PUBLIC;

SELECT radscheduler.migrate();

SELECT radscheduler.settle_initial_rights();
