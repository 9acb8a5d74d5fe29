-- Brings the code to 0.3, then the records. Frozen once released.
\echo Use "ALTER EXTENSION radscheduler UPDATE TO '0.3'" to load this file. \quit

DROP FUNCTION radscheduler.sender_of(text, text);

DROP FUNCTION radscheduler.place(integer, radscheduler.axis, bigint, tstzrange, tstzrange, bigint);

DROP FUNCTION radscheduler.occupy(integer, bigint, boolean);

DROP FUNCTION radscheduler.vacate(integer, bigint, timestamptz);

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

DROP FUNCTION radscheduler.message_context(jsonb, text, text);

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
    ('REVIVED', 'A closed appointment was opened again by a newer message.'),
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
    ('modality_source', 11, 'path', '{}', NULL, '"OBR-24"', 'A field that holds a modality word, asked after procedures and resources. Default none.'),
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
    duplicate_of   bigint
);

COMMENT ON TYPE radscheduler.ingest_item IS
    'A message on its way through ingest(): its bytes, what it is read in the light of (context, see message_context()), its reading (siu_parse shape), order key (at, sequence), appointment key, what is to be done (action, status), who and what it names, and what became of it.';

DELETE FROM radscheduler.role_right;

INSERT INTO radscheduler.role_right (kind, object, rights)
SELECT k.kind, o, 'SELECT' FROM (VALUES ('reader'), ('scheduler'), ('admin')) k(kind),
    unnest(ARRAY['site', 'modality', 'modality_alias', 'procedure', 'resource', 'resource_alias', 'resource_hours', 'resource_block',
                 'patient', 'patient_identifier', 'appointment', 'appointment_service', 'appointment_resource', 'appointment_history',
                 'occupancy', 'conflict', 'appointments', 'schema_version']) o
UNION ALL
SELECT k.kind, o || '()', 'EXECUTE' FROM (VALUES ('reader'), ('scheduler'), ('admin')) k(kind),
    unnest(ARRAY['find_slots', 'conflicts_of', 'api_appointments', 'api_dashboard', 'health']) o;

UPDATE radscheduler.role_right SET rights = 'SELECT, INSERT, UPDATE, DELETE'
    WHERE kind IN ('scheduler', 'admin') AND object = 'resource_block' OR kind = 'scheduler' AND object = 'appointments'
       OR kind = 'admin' AND object IN ('modality', 'modality_alias', 'procedure', 'resource', 'resource_alias', 'resource_hours');

INSERT INTO radscheduler.role_right (kind, object, rights, columns) VALUES
    ('ingest', 'ingest()', 'EXECUTE', ''),
    ('ingest', 'ingest_batch()', 'EXECUTE', ''),
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
    ('analyst', 'conflict', 'SELECT', ''),
    ('analyst', 'event_log', 'SELECT', ''),
    ('analyst', 'hl7_message', 'SELECT', 'site_id, message_id, received_at, channel, sender_id, message_code, trigger_event, processing_id, '
        'version_id, message_time, outcome, code, warnings, appointment_id, duplicate_of'),
    ('analyst', 'sender', 'SELECT', ''),
    ('analyst', 'api_dashboard()', 'EXECUTE', ''),
    ('analyst', 'health()', 'EXECUTE', ''),
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
    ('admin', 'site', 'UPDATE', 'name, timezone, phone_region, slot_minutes, unknown_senders, default_profile'),
    ('admin', 'sender', 'SELECT, DELETE', ''),
    ('admin', 'sender', 'INSERT', 'site_id, sending_application, sending_facility, profile, is_registered'),
    ('admin', 'sender', 'UPDATE', 'profile, is_registered'),
    ('admin', 'hl7_message', 'SELECT', ''),
    ('admin', 'message_key', 'SELECT', ''),
    ('admin', 'event_log', 'SELECT', ''),
    ('admin', 'legal_hold', 'SELECT', ''),
    ('admin', 'retention', 'SELECT', ''),
    ('admin', 'create_site()', 'EXECUTE', ''),
    ('admin', 'add_resource()', 'EXECUTE', ''),
    ('admin', 'set_sender()', 'EXECUTE', ''),
    ('admin', 'sender_report()', 'EXECUTE', ''),
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
    ('public', 'profile_faults()', 'EXECUTE', ''),
    ('public', 'profile_value_fault()', 'EXECUTE', ''),
    ('public', 'event_map_fault()', 'EXECUTE', ''),
    ('public', 'nearest_word()', 'EXECUTE', ''),
    ('public', 'is_path()', 'EXECUTE', ''),
    ('public', 'sender_profile()', 'EXECUTE', ''),
    ('public', 'event_meant()', 'EXECUTE', ''),
    ('public', 'is_occupying()', 'EXECUTE', ''),
    ('public', 'is_closed()', 'EXECUTE', ''),
    ('public', 'siu_parse()', 'EXECUTE', ''),
    ('public', 'siu_read()', 'EXECUTE', '');

CREATE OR REPLACE FUNCTION radscheduler.storage_objects(OUT kind text, OUT name text, OUT is_code boolean) RETURNS SETOF record
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END,
       c.relname::text,
       c.relname IN ('storage_step', 'modality_catalogue', 'procedure_catalogue', 'status_alias', 'event_rule',
                     'warning_kind', 'conflict_kind', 'phone_region', 'role_right', 'profile_key', 'profile_preset')
FROM pg_depend d
JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
WHERE d.deptype = 'e' AND e.extname = 'radscheduler' AND c.relkind IN ('r', 'p', 'v', 'S')
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
    v_sent    record;
    v_differs boolean;
    v_rows    bigint[];
BEGIN
    SELECT * INTO v_old FROM radscheduler.appointment a WHERE a.site_id = p_item.site_id AND a.appointment_id = p_item.appointment_id FOR UPDATE;
    SELECT * INTO v_sent FROM radscheduler.schedule_span(p_item.reading -> 'schedule', p_item.context ->> 'zone');
    SELECT f.resource_ids INTO v_item.resource_ids FROM radscheduler.find_resources(ARRAY[p_item]) f;
    v_differs := p_item.action = 'late_close' OR v_sent.starts_at <> v_old.starts_at OR v_sent.ends_at <> v_old.ends_at
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
            SELECT * INTO v_row FROM radscheduler.schedule_span(v_schedule, v_item.context ->> 'zone');
            v_new.starts_at := v_row.starts_at;
            v_new.ends_at := coalesce(v_row.ends_at, v_row.starts_at + CASE WHEN v_item.action <> 'renew' THEN v_old.ends_at - v_old.starts_at END);
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
    IF p_rule.warning IS NOT NULL AND r.review_reason IS NULL THEN
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

CREATE OR REPLACE FUNCTION radscheduler.sender_context(p_application text, p_facility text, p_channel text, p_peer text) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_sender record;
    v_site   record;
    v_warnings jsonb := '[]';
BEGIN
    IF p_channel IS NULL OR p_channel !~ '^[a-z][a-z0-9_]{0,19}$' OR length(p_peer) > 100 THEN
        RAISE EXCEPTION 'the channel is a word such as mllp, http or sql, and the peer a network address' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Both are kept in logs: at most 20 and 100 characters.';
    END IF;
    SELECT * INTO v_sender FROM radscheduler.sender_of(p_application, p_facility);
    SELECT s.timezone, s.phone_region INTO v_site FROM radscheduler.site s WHERE s.site_id = v_sender.site_id;
    IF v_sender.profile ->> 'timezone' IS NULL AND v_site.timezone IS NULL THEN
        v_warnings := v_warnings || radscheduler.warning('ZONE_ASSUMED', 'MSH-7');
    END IF;
    RETURN jsonb_build_object('site_id', v_sender.site_id, 'sender_id', v_sender.sender_id, 'profile', v_sender.profile,
        'zone', coalesce(v_sender.profile ->> 'timezone', v_site.timezone, radscheduler.default_zone()),
        'region', coalesce(v_sender.profile ->> 'phone_region', v_site.phone_region), 'facility', coalesce(v_sender.profile ->> 'default_authority', p_facility),
        'is_refused', v_sender.is_refused, 'is_new', v_sender.is_new, 'source', 'HL7', 'channel', p_channel, 'peer', p_peer, 'warnings', v_warnings);
END
$$;

COMMENT ON FUNCTION radscheduler.sender_context(text, text, text, text) IS
    'What messages of a sender (MSH-3, MSH-4) that come in by a channel are read in the light of: {site_id, sender_id, profile, zone (sender, else site, else radscheduler.default_timezone), region (phone numbers), facility (assigning authority to assume), is_refused, is_new, source, channel, peer, warnings}.';

CREATE OR REPLACE FUNCTION radscheduler.message_context(p_header jsonb, p_channel text, p_peer text, p_sender jsonb DEFAULT NULL) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_sender jsonb := coalesce(p_sender, radscheduler.sender_context(coalesce(p_header ->> 'sending_application', ''), coalesce(p_header ->> 'sending_facility', ''), p_channel, p_peer));
BEGIN
    RETURN v_sender || jsonb_build_object(
        'trigger_event', radscheduler.event_meant(v_sender -> 'profile', p_header ->> 'trigger_event'), 'sequence', p_header -> 'sequence_number',
        'is_test', coalesce(p_header ->> 'processing_id', 'P') <> 'P', 'header', p_header,
        'warnings', (v_sender -> 'warnings') || CASE WHEN (v_sender ->> 'is_new')::boolean THEN radscheduler.warning('SENDER_UNKNOWN', 'MSH-3') ELSE '[]' END);
END
$$;

COMMENT ON FUNCTION radscheduler.message_context(jsonb, text, text, jsonb) IS
    'sender_context() of a message (or the one given), with trigger_event (the standard''s, by the sender''s event_map), sequence (MSH-13), is_test (MSH-11 is not P), header and all warnings so far.';

CREATE OR REPLACE FUNCTION radscheduler.open_message(p_bytes bytea, p_channel text, p_peer text, p_before jsonb DEFAULT NULL) RETURNS radscheduler.ingest_item
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
    -- Messages of one batch mostly come from one sender.
    r.context := radscheduler.message_context(v_header, p_channel, p_peer,
        CASE WHEN p_before #>> '{header,sending_application}' = v_header ->> 'sending_application' AND p_before #>> '{header,sending_facility}' = v_header ->> 'sending_facility'
             THEN p_before || jsonb_build_object('is_new', false, 'warnings', (p_before -> 'warnings') - (CASE WHEN (p_before ->> 'is_new')::boolean THEN -1 ELSE 1000 END)) END);
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

COMMENT ON FUNCTION radscheduler.open_message(bytea, text, text, jsonb) IS
    'One message opened (p_before is the context of the one before, if any): header, sender and site, reading, order key and appointment key, the kind of handling it needs in action; outcome and error for one that ends here.';

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
        IF v_wave <> '{}' THEN
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

CREATE OR REPLACE FUNCTION radscheduler.configuration_site(p_site integer) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT jsonb_build_object('code', s.code, 'name', s.name, 'timezone', s.timezone, 'phone_region', s.phone_region, 'slot_minutes', s.slot_minutes,
        'unknown_senders', s.unknown_senders, 'default_profile', s.default_profile,
        'hours', (SELECT coalesce(jsonb_agg(h.entry ORDER BY h.entry -> 'weekday', h.entry ->> 'opens' COLLATE "C", h.entry), '[]')
                  FROM (SELECT DISTINCT c.entry FROM radscheduler.configuration_hours(p_site, NULL) c) h))
        FROM radscheduler.site s WHERE s.site_id = p_site);
END
$$;

COMMENT ON FUNCTION radscheduler.configuration_site(integer) IS 'A site with its opening hours, without its lists: {code, name, timezone, phone_region, slot_minutes, unknown_senders, default_profile, hours}.';

COMMENT ON FUNCTION radscheduler.configuration_export() IS
    'The configuration of the sites the caller may use as one document for configuration_import(): {format: radscheduler.configuration, version: 1, exported_at (UTC), sites: [{code, name, timezone, phone_region, slot_minutes, unknown_senders, default_profile, hours, senders, modalities, procedures, resources}]}. Hours are wall-clock time of the site, valid_until is the last day; blocks are in UTC, only those that have not ended. An item''s own code is one of its aliases without being listed. Everything is sorted: the same configuration is the same text but for exported_at. Writes one audit event per site. Raises 55000 when a site has two resources of the same kind and code.';

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
        (801, 'block', 'starts_at', 'moment', 'always', false, NULL, NULL),
        (802, 'block', 'ends_at', 'moment', 'always', false, NULL, NULL),
        (803, 'block', 'reason', 'text', '', true, NULL, NULL),
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
    v_history  bigint;
    v_others   bigint;
    v_kept     bigint;
BEGIN
    FOR v_round IN 1..2 LOOP
        v_own := ARRAY(SELECT a.appointment_id FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.patient_id = p_patient ORDER BY a.appointment_id);
        v_values := ARRAY(SELECT i.value FROM radscheduler.patient_identifier i WHERE i.site_id = p_site AND i.patient_id = p_patient);
        IF v_round = 1 THEN
            v_names := radscheduler.hold_lock_name(p_site) || radscheduler.patient_names(p_site, ARRAY[p_patient])
                       || ARRAY(SELECT n FROM unnest(v_own) u(id), unnest(radscheduler.appointment_lock_names(p_site, u.id)) n);
            PERFORM radscheduler.lock_keys(v_names);
        ELSIF NOT v_names @> (radscheduler.patient_names(p_site, ARRAY[p_patient])
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
    -- Appointments that are another's now and were his once: those versions are about him.
    SELECT count(*) INTO v_others FROM radscheduler.appointment_history h JOIN radscheduler.appointment a ON a.site_id = h.site_id AND a.appointment_id = h.appointment_id
        WHERE h.site_id = p_site AND h.snapshot #>> '{appointment,patient_id}' = p_patient::text AND a.patient_id = ANY (v_holds.patients);
    PERFORM radscheduler.audit(p_site, 'history.purged', 'appointment', h.appointment_id, jsonb_build_object('version', h.version))
        FROM radscheduler.appointment_history h JOIN radscheduler.appointment a ON a.site_id = h.site_id AND a.appointment_id = h.appointment_id
        WHERE h.site_id = p_site AND h.snapshot #>> '{appointment,patient_id}' = p_patient::text AND NOT coalesce(a.patient_id = ANY (v_holds.patients), false);
    DELETE FROM radscheduler.appointment_history h USING radscheduler.appointment a
        WHERE h.site_id = p_site AND h.snapshot #>> '{appointment,patient_id}' = p_patient::text
          AND a.site_id = h.site_id AND a.appointment_id = h.appointment_id AND NOT coalesce(a.patient_id = ANY (v_holds.patients), false);
    GET DIAGNOSTICS v_history = ROW_COUNT;
    DELETE FROM radscheduler.patient p WHERE p.site_id = p_site AND p.patient_id = p_patient;
    GET DIAGNOSTICS v_patients = ROW_COUNT;
    RETURN jsonb_build_object('patients', v_patients, 'appointments', v_deleted.appointments, 'messages', cardinality(v_messages.his),
                              'history', v_deleted.history + v_history, 'held', v_messages.held + v_others,
                              'unreadable_messages', v_messages.unreadable, 'unclear_messages', v_messages.unclear, 'remaining', 0);
END
$$;

CREATE OR REPLACE FUNCTION radscheduler.purge_period(p_site integer, p_before timestamptz) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_batch    CONSTANT integer := 500;
    v_names    text[];
    v_own      bigint[];
    v_gone     bigint[];
    v_holds    record;
    v_kept     record;
    v_deleted  record;
    v_held     bigint;
    v_messages bigint := 0;
    v_patients bigint;
    v_remaining bigint;
BEGIN
    FOR v_round IN 1..2 LOOP
        SELECT * INTO v_holds FROM radscheduler.holds_in_force(p_site);
        IF v_round = 1 THEN
            v_own := ARRAY(SELECT a.appointment_id FROM radscheduler.appointment a
                WHERE a.site_id = p_site AND NOT v_holds.is_site_held AND radscheduler.has_ended(a.status, a.ends_at, a.updated_at, p_before)
                  AND NOT radscheduler.is_held(a.site_id, a.appointment_id, a.patient_id, v_holds.patients) ORDER BY a.appointment_id LIMIT c_batch);
            v_gone := ARRAY(SELECT p.patient_id FROM radscheduler.patient p
                WHERE p.site_id = p_site AND NOT v_holds.is_site_held AND p.created_at < p_before AND NOT p.patient_id = ANY (v_holds.patients)
                  AND NOT EXISTS (SELECT FROM radscheduler.appointment a WHERE a.site_id = p.site_id AND a.patient_id = p.patient_id AND NOT a.appointment_id = ANY (v_own))
                ORDER BY p.patient_id LIMIT c_batch);
            v_names := radscheduler.hold_lock_name(p_site) || radscheduler.patient_names(p_site, v_gone)
                       || ARRAY(SELECT n FROM unnest(v_own) u(id), unnest(radscheduler.appointment_lock_names(p_site, u.id)) n);
            PERFORM radscheduler.lock_keys(v_names);
        ELSE
            -- What has changed meanwhile waits for the next call.
            v_own := ARRAY(SELECT a.appointment_id FROM radscheduler.appointment a
                WHERE a.site_id = p_site AND a.appointment_id = ANY (v_own) AND NOT v_holds.is_site_held
                  AND radscheduler.has_ended(a.status, a.ends_at, a.updated_at, p_before) AND NOT radscheduler.is_held(a.site_id, a.appointment_id, a.patient_id, v_holds.patients)
                  AND array_remove(radscheduler.appointment_lock_names(a.site_id, a.appointment_id), NULL) <@ v_names ORDER BY a.appointment_id);
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
    v_gone := ARRAY(SELECT p.patient_id FROM radscheduler.patient p
        WHERE p.site_id = p_site AND p.patient_id = ANY (v_gone) AND NOT v_holds.is_site_held AND NOT p.patient_id = ANY (v_holds.patients)
          AND NOT EXISTS (SELECT FROM radscheduler.appointment a WHERE a.site_id = p.site_id AND a.patient_id = p.patient_id)
          AND radscheduler.patient_names(p.site_id, ARRAY[p.patient_id]) <@ v_names);
    PERFORM radscheduler.audit(p_site, 'patient.purged', 'patient', u.id, '{}') FROM unnest(v_gone) u(id);
    DELETE FROM radscheduler.patient p WHERE p.site_id = p_site AND p.patient_id = ANY (v_gone);
    GET DIAGNOSTICS v_patients = ROW_COUNT;
    SELECT (SELECT count(*) FROM radscheduler.appointment a WHERE a.site_id = p_site AND radscheduler.has_ended(a.status, a.ends_at, a.updated_at, p_before)
              AND NOT radscheduler.is_held(a.site_id, a.appointment_id, a.patient_id, v_holds.patients))
           + (SELECT count(*) FROM radscheduler.patient p WHERE p.site_id = p_site AND p.created_at < p_before AND NOT p.patient_id = ANY (v_holds.patients)
                AND NOT EXISTS (SELECT FROM radscheduler.appointment a WHERE a.site_id = p.site_id AND a.patient_id = p.patient_id))
        INTO v_remaining WHERE NOT v_holds.is_site_held;
    RETURN jsonb_build_object('patients', v_patients, 'appointments', v_deleted.appointments, 'messages', v_messages, 'history', v_deleted.history, 'held', v_held,
                              'unreadable_messages', v_kept.unreadable, 'unclear_messages', v_kept.unclear, 'remaining', coalesce(v_remaining, 0));
END
$$;

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

CREATE OR REPLACE FUNCTION radscheduler.configuration_put_site(p_site integer, p_value jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_new jsonb := radscheduler.configuration_site(p_site) || p_value;
BEGIN
    UPDATE radscheduler.site s
        SET name = v_new ->> 'name', timezone = v_new ->> 'timezone', phone_region = v_new ->> 'phone_region', slot_minutes = (v_new ->> 'slot_minutes')::numeric,
            unknown_senders = v_new ->> 'unknown_senders', default_profile = v_new -> 'default_profile'
        WHERE s.site_id = p_site AND (s.name, s.timezone, s.phone_region, s.slot_minutes, s.unknown_senders, s.default_profile)
              IS DISTINCT FROM (v_new ->> 'name', v_new ->> 'timezone', v_new ->> 'phone_region', (v_new ->> 'slot_minutes')::numeric,
                                v_new ->> 'unknown_senders', v_new -> 'default_profile');
    IF p_value ? 'hours' THEN
        PERFORM radscheduler.configuration_put_hours(p_site, NULL, p_value -> 'hours');
    END IF;
END
$$;

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
           count(*) FILTER (WHERE m.warnings @> '[{"code": "CHARSET_ASSUMED"}]') AS charset, count(*) FILTER (WHERE m.warnings @> '[{"code": "ZONE_ASSUMED"}]') AS zone,
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
            'Nothing known names a modality. ' || coalesce(v_path || ' holds words that do.', 'Add the exams to radscheduler.procedure, or their words to modality_alias.'),
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
                radscheduler.warning_kind, radscheduler.conflict_kind, radscheduler.phone_region, radscheduler.role_right,
                radscheduler.profile_key, radscheduler.profile_preset TO PUBLIC;

SELECT radscheduler.migrate();

SELECT radscheduler.settle_initial_rights();
