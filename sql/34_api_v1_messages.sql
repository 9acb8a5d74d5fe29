-- /api/v1 messages, quarantine, events and analytics without HTTP: what was received, the bytes, trying and reading again, what is told to whom.
SET client_min_messages = warning;
SET timezone = 'America/Los_Angeles'; -- answers do not depend on it
SELECT radscheduler.create_site('MSGA', 'Message clinic', 'America/New_York') AS site \gset
SELECT radscheduler.create_site('MSGB', 'The other one', 'UTC') AS other \gset
SET radscheduler.site = 'MSGA';
SELECT radscheduler.add_resource('GCT1', 'Tube one', 'equipment', 'CT') > 0 AS added;
CREATE FUNCTION pg_temp.ask(p_function text, p_request jsonb DEFAULT '{}', OUT status integer, OUT body jsonb, OUT headers jsonb) LANGUAGE sql AS $$
    SELECT r.status, r.body::jsonb - CASE WHEN r.body::jsonb ? 'title' THEN '{type,title,success,error,status,instance}'::text[] ELSE '{}' END, r.headers
    FROM radscheduler.api_call('api_v1_' || p_function, '{"scopes": ["*"], "path": "/api/v1/x"}'::jsonb || (p_request - 'body'), convert_to((p_request -> 'body')::text, 'UTF8')) r $$;
CREATE FUNCTION pg_temp.post(p_body jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('body', p_body) $$;
CREATE FUNCTION pg_temp.siu(p_control text, p_event text, p_start text, p_mrn text) RETURNS text LANGUAGE sql AS $$
    SELECT format(E'MSH|^~\\&|MSGRIS|NORTH|RADSCHED|RAD|20310101080000||SIU^%1$s|%2$s|P|2.5\rSCH||G%3$s|||||||30|MIN|^^30^%4$s\rPID|1||%3$s||MESSENGER^MIRABEL\rAIS|1|A|CT002^CT CHEST\rAIG|1|A|GCT1', p_event, p_control, p_mrn, p_start) $$;
CREATE FUNCTION pg_temp.at(p_control text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('params', jsonb_build_object('id', (SELECT m.message_id::text FROM radscheduler.hl7_message m WHERE m.site_id = radscheduler.current_site() AND m.control_id = p_control ORDER BY m.message_id LIMIT 1))) $$;
\pset format unaligned
SELECT w.control, r.code, r.outcome FROM (VALUES ('M1', 'S12', '203105051000', 'MSG01'), ('M2', 'S13', '203105051100', 'MSG01'), ('M3', 'S12', '203105051100', 'MSG02'), ('M4', 'S12', '203113451000', 'MSG03')) w(control, event, start, mrn),
    LATERAL radscheduler.ingest(convert_to(pg_temp.siu(w.control, w.event, w.start, w.mrn), 'UTF8'), 'mllp', '192.0.2.1:4000') r;
SELECT r.outcome FROM radscheduler.ingest(convert_to(pg_temp.siu('M1', 'S12', '203105051000', 'MSG01'), 'UTF8')) r;
-- Listed, the newest first, without patients.
SELECT q.query, a.status, (SELECT string_agg(i ->> 'control_id', ' ' ORDER BY n) FROM jsonb_array_elements(a.body -> 'items') WITH ORDINALITY u(i, n)) AS messages, a.body ->> 'next' IS NOT NULL AS more, a.body ->> 'detail' AS detail
FROM (VALUES ('{}'), ('{"outcome": "flagged"}'), ('{"outcome": ["error", "duplicate"]}'), ('{"code": "AE"}'), ('{"trigger": "S13"}'), ('{"control_id": "M3"}'), ('{"limit": "2"}'), ('{"from": "2001-01-01", "to": "2001-01-02"}'), ('{"sender": "0"}'),
    ('{"outcome": "lost"}'), ('{"code": "CA"}'), ('{"sender": "MSGRIS"}'), ('{"patient": "MSG01"}')) q(query), LATERAL pg_temp.ask('messages_list', jsonb_build_object('query', q.query::jsonb)) a;
SELECT string_agg(i ->> 'control_id', ' ' ORDER BY n) AS rest FROM pg_temp.ask('messages_list', '{"query": {"limit": "2"}}') a, LATERAL pg_temp.ask('messages_list', jsonb_build_object('query', jsonb_build_object('after', a.body ->> 'next'))) b, jsonb_array_elements(b.body -> 'items') WITH ORDINALITY u(i, n);
SELECT string_agg(i ->> 'control_id', ' ' ORDER BY n) AS about_it FROM pg_temp.ask('messages_get', pg_temp.at('M1')) g, LATERAL pg_temp.ask('messages_list', jsonb_build_object('query', jsonb_build_object('appointment', g.body ->> 'appointment_id'))) a, jsonb_array_elements(a.body -> 'items') WITH ORDINALITY u(i, n);
SELECT a.body::text ~* 'messenger|mirabel|"msg0' AS named FROM pg_temp.ask('messages_list') a;
-- One: what became of it, and by itself the bytes, which is audited.
SELECT a.status, a.headers ? 'ETag' AS tagged, a.body - '{id,received_at,appointment_id}'::text[] #- '{sender,id}' AS body FROM pg_temp.ask('messages_get', pg_temp.at('M2')) a;
SELECT a.body ->> 'outcome' AS outcome, a.body -> 'error' AS error FROM pg_temp.ask('messages_get', pg_temp.at('M4')) a;
SELECT a.status, a.body -> 'bytes' AS bytes, convert_from(decode(a.body ->> 'base64', 'base64'), 'UTF8') = pg_temp.siu('M2', 'S13', '203105051100', 'MSG01') AS same, replace(a.body ->> 'text', E'\r', E'\n') AS text,
       a.body ->> 'sha256' = encode(sha256(convert_to(pg_temp.siu('M2', 'S13', '203105051100', 'MSG01'), 'UTF8')), 'hex') AS hashed, a.body ->> 'ack' LIKE 'MSH|%MSA|AA|M2%' AS ack FROM pg_temp.ask('messages_raw', pg_temp.at('M2')) a;
SELECT e.action, e.object, e.detail, count(*) FROM radscheduler.audit_event e WHERE e.site_id = :site AND e.object = 'hl7_message' AND e.action = 'read' GROUP BY 1, 2, 3;
SELECT f.name, a.status, a.body ->> 'code' AS code FROM unnest('{messages_get,messages_raw}'::text[]) f(name), (SELECT pg_temp.at('M2') AS request) r, LATERAL set_config('radscheduler.site', 'MSGB', false) s, LATERAL pg_temp.ask(f.name, CASE WHEN s = 'MSGB' THEN r.request END) a;
SET radscheduler.site = 'MSGA';
-- Bytes in another charset, and bytes that are none.
SELECT radscheduler.api_bytes('\x4d53487c5e7e5c267c417c427c7c7c3230333130313031303830307c7c5349555e5331327c317c507c322e357c7c7c7c7c7c383835392f310d5049447c317c7c317c7cd6', NULL) ->> 'text' AS latin, radscheduler.api_bytes('\x00ff', NULL) AS none;
-- Tried: what it would do, and nothing was done. Who may not see patients is not told who it is.
SELECT count(*) AS before FROM radscheduler.hl7_message WHERE site_id = :site \gset
SELECT a.status, a.body - 'ack' #- '{appointment,resources}' #- '{appointment,services}' AS body FROM pg_temp.ask('messages_try', pg_temp.post(jsonb_build_object('message', pg_temp.siu('M9', 'S12', '203106061000', 'MSG09')))) a;
SELECT a.status, a.body ->> 'outcome' AS outcome, a.body -> 'is_new' AS is_new, a.body -> 'appointment' ->> 'datetime' AS datetime, a.body -> 'appointment' ?| '{patient_id,patient_name,patient_phone,notes,external_id}' AS named
FROM pg_temp.ask('messages_try', '{"scopes": ["hl7:ingest"]}' || pg_temp.post(jsonb_build_object('base64', encode(convert_to(pg_temp.siu('M9', 'S12', '203106061000', 'MSG09'), 'UTF8'), 'base64')))) a;
SELECT w.body AS given, a.status, a.body - 'ack' AS body FROM (VALUES ('{}'), ('{"message": "x", "base64": "eA=="}'), ('{"base64": "*"}'), ('{"message": 5}'), ('{"text": "x"}'), ('[]')) w(body), LATERAL pg_temp.ask('messages_try', pg_temp.post(w.body::jsonb)) a;
SELECT a.status, a.body ->> 'code' AS code, a.body ->> 'outcome' AS outcome FROM pg_temp.ask('messages_try', pg_temp.post('{"message": "no message"}')) a;
SELECT count(*) - :before AS kept FROM radscheduler.hl7_message WHERE site_id = :site;
-- Read again: first what would change, then for good, with a profile that says it better.
SELECT f.is_new FROM radscheduler.set_sender('MSGRIS', 'NORTH', '{"timezone": "America/Chicago"}') f;
SELECT a.status, a.body -> 'dry' AS dry, a.body -> 'remaining' AS remaining, i ->> 'verdict' AS verdict, i -> 'selected' AS selected, i ->> 'was_outcome' AS was, i ->> 'outcome' AS outcome, i #> '{after,patient_name}' AS name, i #> '{effect,datetime}' AS effect
FROM pg_temp.ask('messages_replay', pg_temp.post(jsonb_build_object('messages', jsonb_build_array((pg_temp.at('M2') #>> '{params,id}')::bigint)))) a, jsonb_array_elements(a.body -> 'items') i;
SELECT a.body::text ~* 'messenger|mirabel|"msg0' AS named, jsonb_array_length(a.body -> 'items') AS items FROM pg_temp.ask('messages_replay', '{"scopes": ["hl7:replay"]}' || pg_temp.post('{"from": "2001-01-01"}')) a;
SELECT a.body -> 'remaining' AS remaining, (a.body ->> 'next_after_message')::bigint = (pg_temp.at('M1') #>> '{params,id}')::bigint AS told, (SELECT count(*) FROM jsonb_array_elements(a.body -> 'items') i WHERE i -> 'selected' = 'true') AS selected FROM pg_temp.ask('messages_replay', pg_temp.post('{"from": "2001-01-01", "at_most": 1}')) a;
SELECT w.body AS given, a.status, a.body - 'hint' AS body FROM (VALUES ('{}'), ('{"dry": false}'), ('{"messages": "all"}'), ('{"messages": [1.5]}'), ('{"sender": 0}'), ('{"from": "2001-01-02", "to": "2001-01-01"}'), ('{"from": "2001-01-01", "at_most": 0}'), ('{"from": "2001-01-01", "dry": "no"}'), ('{"from": "2001-01-01", "force": true}')) w(body),
    LATERAL pg_temp.ask('messages_replay', pg_temp.post(w.body::jsonb)) a;
SELECT a.status, a.body -> 'dry' AS dry, (SELECT string_agg(i ->> 'verdict', ' ' ORDER BY n) FROM jsonb_array_elements(a.body -> 'items') WITH ORDINALITY u(i, n)) AS verdicts
FROM pg_temp.ask('messages_get', pg_temp.at('M2')) g, LATERAL pg_temp.ask('messages_replay', pg_temp.post(jsonb_build_object('sender', (g.body #>> '{sender,id}')::bigint, 'dry', false))) a;
SELECT p.patient_id, p.datetime FROM radscheduler.appointments p WHERE p.patient_id LIKE 'MSG0%' ORDER BY 1;
SELECT a.body #> '{replay,outcome}' AS outcome, a.body #>> '{replay,at}' IS NOT NULL AS noted FROM pg_temp.ask('messages_get', pg_temp.at('M2')) a;
-- Quarantine: looked at, handed in as what it is, thrown away.
SELECT radscheduler.quarantine(w.bytes, w.reason, '192.0.2.7:1', 0, w.size, 'main') > 0 AS kept FROM (VALUES ('\x0b'::bytea || convert_to(pg_temp.siu('Q1', 'S12', '203107071000', 'MSG11'), 'UTF8'), 'half_frame', NULL), (convert_to('garbage', 'UTF8'), 'no_frame', NULL), (convert_to('MSH|^~\&|BIG', 'UTF8'), 'too_large', 99999999),
    (convert_to(replace(pg_temp.siu('Q2', 'S12', '203107071100', 'MSG12'), 'MSGRIS', 'OTHERRIS'), 'UTF8'), 'idle', NULL)) w(bytes, reason, size);
CREATE FUNCTION pg_temp.frame(p_reason text) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('params', jsonb_build_object('id', coalesce((SELECT q.quarantine_id FROM radscheduler.hl7_quarantine q WHERE q.site_id = radscheduler.current_site() AND q.reason = p_reason), 999999999)::text)) $$;
SELECT q.query, a.status, (SELECT string_agg((i ->> 'reason') || ' ' || (i ->> 'kept_bytes'), ', ' ORDER BY n) FROM jsonb_array_elements(a.body -> 'items') WITH ORDINALITY u(i, n)) AS frames, a.body ->> 'next' IS NOT NULL AS more, a.body ->> 'detail' AS detail
FROM (VALUES ('{}'), ('{"reason": ["no_frame", "idle"]}'), ('{"limit": "1"}'), ('{"to": "2001-01-01"}'), ('{"peer": "x"}')) q(query), LATERAL pg_temp.ask('quarantine_list', jsonb_build_object('query', q.query::jsonb)) a;
SELECT string_agg(i ->> 'reason', ' ' ORDER BY n) AS rest FROM pg_temp.ask('quarantine_list', '{"query": {"limit": "1"}}') a, LATERAL pg_temp.ask('quarantine_list', jsonb_build_object('query', jsonb_build_object('after', a.body ->> 'next'))) b, jsonb_array_elements(b.body -> 'items') WITH ORDINALITY u(i, n);
SELECT a.status, a.body - '{id,received_at}'::text[] AS body FROM pg_temp.ask('quarantine_get', pg_temp.frame('too_large')) a;
SELECT a.status, a.body - 'id' AS body FROM pg_temp.ask('quarantine_raw', pg_temp.frame('too_large')) a;
SELECT a.status, a.body ->> 'detail' AS detail FROM pg_temp.ask('quarantine_ingest', pg_temp.frame('too_large')) a;
SELECT a.status, a.body - '{id,message_id,appointment_id,warnings}'::text[] AS body, a.body ->> 'appointment_id' IS NOT NULL AS booked FROM pg_temp.ask('quarantine_ingest', pg_temp.frame('half_frame')) a;
SELECT a.status, a.body ->> 'code' AS code FROM pg_temp.ask('quarantine_ingest', pg_temp.frame('half_frame')) a;
SELECT a.status, a.body -> 'left' AS left, a.body ->> 'code' AS code FROM pg_temp.ask('quarantine_ingest', pg_temp.frame('no_frame')) a;
SET radscheduler.site = 'MSGB';
SELECT f.is_new FROM radscheduler.set_sender('OTHERRIS', 'NORTH') f;
SET radscheduler.site = 'MSGA';
SELECT a.status, a.body ->> 'detail' AS detail FROM pg_temp.ask('quarantine_ingest', pg_temp.frame('idle')) a;
SELECT a.status, a.body IS NULL AS empty FROM pg_temp.ask('quarantine_drop', pg_temp.frame('idle')) a;
SELECT a.status, a.body ->> 'code' AS code FROM pg_temp.ask('quarantine_drop', pg_temp.frame('idle')) a;
SELECT radscheduler.place_hold('case 77') AS hold \gset
SELECT a.status, a.body ->> 'detail' AS detail FROM pg_temp.ask('quarantine_drop', pg_temp.frame('no_frame')) a;
SELECT radscheduler.lift_hold(:hold, 'closed') IS NOT NULL AS lifted;
SELECT e.action, e.detail - 'message_id' AS detail, count(*) FROM radscheduler.audit_event e WHERE e.site_id = :site AND e.object = 'hl7_quarantine' GROUP BY 1, 2 ORDER BY 1, 2;
-- Events in their order, by pages, below what may still come; nothing of patients in them.
CREATE FUNCTION pg_temp.events(p_query jsonb) RETURNS TABLE (status integer, types text, next text, detail text) LANGUAGE sql AS $$
    SELECT a.status, (SELECT string_agg(i ->> 'type', ' ' ORDER BY n) FROM jsonb_array_elements(a.body -> 'items') WITH ORDINALITY u(i, n)), a.body ->> 'next', a.body ->> 'detail' FROM pg_temp.ask('events_list', jsonb_build_object('query', p_query)) a $$;
SELECT e.types, e.next IS NOT NULL AS more FROM pg_temp.events('{"type": ["appointment", "conflict.detected"], "limit": "4"}') e;
SELECT count(*) > 10 AS some, bool_and(i ->> 'specversion' = '1.0' AND i ->> 'site' = 'MSGA' AND i ->> 'cursor' ~ '^\d+-\d+$') AS enveloped, bool_or(i::text ~* 'messenger|mirabel|"msg0') AS named FROM pg_temp.ask('events_list') a, jsonb_array_elements(a.body -> 'items') i;
SELECT b.types = c.types AS same FROM pg_temp.events('{"limit": "3"}') a, LATERAL pg_temp.events(jsonb_build_object('after', a.next, 'limit', '2')) b,
    LATERAL (SELECT string_agg(i ->> 'type', ' ' ORDER BY n) AS types FROM pg_temp.ask('events_list') l, jsonb_array_elements(l.body -> 'items') WITH ORDINALITY u(i, n) WHERE n IN (4, 5)) c;
SELECT a.headers ->> 'Link' ~ '^</api/v1/x\?after=\d+-\d+&limit=1>; rel="next"$' AS link FROM pg_temp.ask('events_list', '{"query": {"limit": "1"}}') a;
SELECT q.query, e.status, e.types, e.detail FROM (VALUES ('{"after": "x"}'), ('{"after": "18446744073709551615-0"}'), ('{"after": "9999999999999999999-999999999999999999"}'), ('{"after": "5"}'), ('{"since": "1-1"}'), ('{"type": "nothing"}'), ('{"appointment": "0"}')) q(query), LATERAL pg_temp.events(q.query::jsonb) e;
BEGIN;
INSERT INTO radscheduler.event_log (site_id, type) VALUES (:site, 'stats.updated');
SELECT e.types IS NULL AS not_yet FROM pg_temp.events('{"type": "stats"}') e;
COMMIT;
SELECT e.types FROM pg_temp.events('{"type": "stats"}') e;
SET radscheduler.site = 'MSGB';
SELECT coalesce(e.types, '') ~ 'appointment' AS others FROM pg_temp.events('{}') e;
SET radscheduler.site = 'MSGA';
-- Figures.
SELECT a.status, a.body #- '{items,0,resource_id}' #- '{items,1,resource_id}' AS body FROM pg_temp.ask('analytics_utilization', '{"query": {"from": "2031-05-05", "to": "2031-05-06"}}') a;
SELECT a.status, a.body FROM pg_temp.ask('analytics_appointments', '{"query": {"from": "2031-05-01", "to": "2031-07-31", "modality": "ct"}}') a;
SELECT a.status, (SELECT sum((i ->> 'count')::integer) FROM jsonb_array_elements(a.body -> 'items') i) AS messages, a.body #> '{items,0,by_outcome}' ? 'duplicate' AS duplicates, a.body #>> '{items,0,application}' AS application FROM pg_temp.ask('analytics_messages') a;
SELECT a.status, a.body FROM pg_temp.ask('analytics_third_next', '{"query": {"from": "2031-05-05T09:00", "resource": "GCT1", "duration_minutes": "30"}}') a;
SELECT q.name, q.query, a.status, a.body - 'hint' AS body FROM (VALUES ('utilization', '{"from": "2031-05-05", "to": "2031-06-30"}'), ('utilization', '{"from": "2031-05-05T10:00:00Z"}'), ('utilization', '{"from": "2031-02-30"}'), ('appointments', '{"from": "2031-05-05", "to": "2031-05-04"}'),
    ('appointments', '{"modality": "SPACESHIP"}'), ('messages', '{"by": "hour"}'), ('third_next', '{"duration_minutes": "0"}'), ('third_next', '{"modality": "SPACESHIP"}')) q(name, query), LATERAL pg_temp.ask('analytics_' || q.name, jsonb_build_object('query', q.query::jsonb)) a;
