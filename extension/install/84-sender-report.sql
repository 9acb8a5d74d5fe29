-- What a sender sends, for the person who writes its profile: which events and what became of them, warnings, which fields it fills and with
-- what kind of thing. Values are patient data and never leave here; what is told of them is their shape, and the words of a few fields that
-- hold codes, where the words are known or so frequent that they cannot be a person's.

CREATE FUNCTION radscheduler.readable_message(p_raw bytea, p_charset text) RETURNS radscheduler.hl7
    LANGUAGE plpgsql IMMUTABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN CASE WHEN p_charset IS NULL THEN radscheduler.hl7(p_raw) ELSE radscheduler.hl7(p_raw, p_charset) END;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION radscheduler.readable_message(bytea, text) IS 'Bytes as received, in the charset of the sender''s profile, as a message; NULL when they are none.';

CREATE FUNCTION radscheduler.text_shape(p_text text) RETURNS text
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

CREATE FUNCTION radscheduler.field_shape(p_field jsonb) RETURNS text
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

CREATE FUNCTION radscheduler.report_fields(p_messages radscheduler.hl7[]) RETURNS TABLE (item text, n bigint, share numeric, detail text)
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

CREATE FUNCTION radscheduler.report_words(p_messages radscheduler.hl7[]) RETURNS TABLE (item text, n bigint, share numeric, detail text)
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

CREATE FUNCTION radscheduler.sender_report(sender text DEFAULT NULL, since timestamptz DEFAULT now() - interval '30 days', until timestamptz DEFAULT now(), sample integer DEFAULT 500)
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
