-- How a sender's messages are read, in words. profile_key holds every key and what may stand under it; the checks below read that table, so a
-- new key is a row. sender.profile and site.default_profile are checked by is_profile() whoever writes them; set_sender() and the import of a
-- configuration say what is wrong in sentences. All of it is open to everybody: it holds no records, and who writes a profile must be able to check it.

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
    ('test_messages', 21, 'word', '{flag,ignore,refuse}', '"flag"', '"refuse"', 'What becomes of messages whose MSH-11 is not P: flag takes them and marks the appointment, ignore keeps them and changes nothing, refuse answers AR.'),
    ('override_requests', 22, 'boolean', '{}', 'false', 'true', 'Whether a request (SRM) whose APR-5 says why may be booked in spite of a conflict.');

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

CREATE FUNCTION radscheduler.nearest_word(p_word text, p_words text[]) RETURNS text
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

CREATE FUNCTION radscheduler.is_path(p_path text) RETURNS boolean
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

CREATE FUNCTION radscheduler.event_map_fault(p_map jsonb, p_words text[]) RETURNS text
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

CREATE FUNCTION radscheduler.profile_value_fault(p_key radscheduler.profile_key, p_value jsonb) RETURNS text
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

CREATE FUNCTION radscheduler.profile_faults(profile jsonb) RETURNS TABLE (key text, fault text)
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

CREATE FUNCTION radscheduler.is_profile(profile jsonb) RETURNS boolean
    LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN NOT EXISTS (SELECT FROM radscheduler.profile_faults(profile));
END
$$;
COMMENT ON FUNCTION radscheduler.is_profile(jsonb) IS 'Whether a sender profile holds only keys and values that are understood; profile_faults() says what is not.';

CREATE FUNCTION radscheduler.sender_profile(p_profile jsonb, p_default jsonb DEFAULT '{}') RETURNS jsonb
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

CREATE FUNCTION radscheduler.event_meant(p_profile jsonb, p_trigger text) RETURNS text
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
