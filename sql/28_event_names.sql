-- S13, S14 and S15 by the standard's names, by the guide's, and by names that a profile gives: what each does to a booking, and the guards that
-- keep a modification from cancelling an exam and a cancellation from being lost.
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE SEQUENCE pg_temp.n;
CREATE FUNCTION pg_temp.msg(sender text, event text, id text, at integer, status text, more text) RETURNS bytea LANGUAGE sql AS $$
SELECT convert_to(concat_ws(E'\r', format('MSH|^~\&|%s|NAMES|RADSCHED|RAD|202601010800%s||SIU^%s|%s-%s|P|2.5', sender, at, event, id, at),
    format('SCH||%s|||||||%s|MIN|^^^%s||||||||||||||%s', id, CASE WHEN more LIKE '%TIME%' THEN '30' ELSE '' END, CASE WHEN more LIKE '%TIME%' THEN '20310910' || CASE event WHEN 'S12' THEN '1500' ELSE '1600' END END, status),
    CASE WHEN more LIKE '%NOTE%' THEN 'NTE|1||bring films' END, 'PID|1||' || id || '||NAMER^' || id, CASE WHEN event = 'S12' THEN E'AIS|1||BMD1^DEXA HIP\rAIG|1||' || id END), 'UTF8') $$;
-- Books, sends the event, and tells: outcome, status and review, hour and notes, warnings, what the acknowledgement says beside AA.
CREATE FUNCTION pg_temp.after(sender text, event text, status text DEFAULT '', more text DEFAULT '', known boolean DEFAULT true, OUT becomes text, OUT told text) LANGUAGE plpgsql AS $$
DECLARE
    v_id text := 'NAMER' || nextval('pg_temp.n');
    r    record;
BEGIN
    IF known THEN
        PERFORM radscheduler.ingest(pg_temp.msg(sender, 'S12', v_id, 10, '', 'TIME'));
    END IF;
    SELECT i.outcome, i.code, i.warnings, convert_from(i.ack, 'UTF8') AS ack INTO r FROM radscheduler.ingest(pg_temp.msg(sender, event, v_id, 20, status, more)) i;
    SELECT concat_ws(' ', r.code, r.outcome, a.status, a.review_reason, to_char(timezone('UTC', a.starts_at), 'HH24:MI'), a.notes,
                     (SELECT string_agg(w ->> 'code', ' ' ORDER BY w ->> 'code') FROM jsonb_array_elements(r.warnings) w WHERE w ->> 'code' NOT IN ('ZONE_ASSUMED', 'SENDER_UNKNOWN', 'DURATION_ASSUMED')))
        INTO becomes FROM (SELECT 1) one LEFT JOIN radscheduler.appointment a ON a.filler_id = v_id;
    told := regexp_replace(substring(r.ack from '\rERR([^\r]*)'), '\^HL7\d+', '', 'g');
END $$;
INSERT INTO radscheduler.sender (site_id, sending_application, sending_facility, profile)
SELECT s.site_id, p.name, 'NAMES', p.profile::jsonb FROM radscheduler.site s, (VALUES ('STANDARD', '{"timezone": "UTC"}'), ('GUIDENAMES', '{"timezone": "UTC", "preset": "seed_naming"}'),
    ('OWNNAMES', '{"timezone": "UTC", "event_map": {"S14": "MODIFY", "S15": "DELETE", "S16": "IGNORE", "S18": "CANCEL"}}')) p(name, profile) WHERE s.code = 'MAIN';
\pset format unaligned
CREATE TEMP TABLE tried (n serial, event text, status text, more text, known boolean);
INSERT INTO tried (event, status, more, known) VALUES
    ('S13', '', '', true), ('S13', '', 'NOTE', true), ('S13', '', 'TIME', true), ('S13', 'Cancelled', '', true),
    ('S14', '', '', true), ('S14', '', 'NOTE', true), ('S14', '', 'TIME', true), ('S14', 'Booked', '', true), ('S14', 'Booked', 'TIME', true), ('S14', 'Arrived', '', true),
    ('S14', 'Cancelled', '', true), ('S14', 'NoShow', '', true), ('S14', 'Verlegt', '', true), ('S14', '', '', false), ('S14', 'Booked', 'TIME', false),
    ('S15', '', '', true), ('S15', 'NOSHOW', '', true), ('S15', 'Cancelled', '', true), ('S15', 'Booked', '', true);
-- The standard: S13 moves, S14 modifies, S15 cancels. An S14 that says nothing may be a cancellation in the guide's naming: it changes nothing and says so.
SELECT t.event, t.status, t.more, t.known, r.* FROM tried t, LATERAL pg_temp.after('STANDARD', t.event, t.status, t.more, t.known) r ORDER BY t.n;
-- The guide: S13 modifies, S14 cancels, S15 discontinues. An S14 whose status says that the appointment is open cancels nobody: it waits for a person.
SELECT t.event, t.status, t.more, t.known, r.* FROM tried t, LATERAL pg_temp.after('GUIDENAMES', t.event, t.status, t.more, t.known) r ORDER BY t.n;
-- A profile's own names: what it says is meant, so an S14 with a note alone is a modification.
SELECT t.event, t.status, t.more, r.* FROM (VALUES ('S14', '', ''), ('S14', '', 'NOTE'), ('S15', '', ''), ('S15', 'NOSHOW', ''), ('S16', '', ''), ('S18', '', ''), ('S18', 'Booked', '')) t(event, status, more), LATERAL pg_temp.after('OWNNAMES', t.event, t.status, t.more) r;
-- What ends a dispute: the cancellation again without that status, or a booking that says it stands; a modification alone does not.
CREATE FUNCTION pg_temp.then(sender text, event text, status text DEFAULT '') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_id text := 'NAMER' || nextval('pg_temp.n');
BEGIN
    PERFORM radscheduler.ingest(pg_temp.msg(sender, 'S12', v_id, 10, '', 'TIME'));
    PERFORM radscheduler.ingest(pg_temp.msg(sender, 'S14', v_id, 20, 'Booked', ''));
    PERFORM radscheduler.ingest(pg_temp.msg(sender, event, v_id, 30, status, CASE event WHEN 'S12' THEN 'TIME' ELSE 'NOTE' END));
    RETURN (SELECT concat_ws(' ', a.status, a.review_reason, a.notes) FROM radscheduler.appointment a WHERE a.filler_id = v_id);
END $$;
SELECT t.event, t.status, pg_temp.then('GUIDENAMES', t.event, t.status) FROM (VALUES ('S14', ''), ('S13', ''), ('S13', 'Booked'), ('S12', 'Booked'), ('S12', '')) t(event, status);
-- A discontinuation, a cancellation, a no-show and a deletion stay four different things.
SELECT a.status, count(*) FROM radscheduler.appointment a JOIN radscheduler.sender s USING (site_id, sender_id) WHERE s.sending_facility = 'NAMES' AND radscheduler.is_closed(a.status) GROUP BY 1 ORDER BY 1;
