-- /api/v1 appointments without HTTP: listed by pages, read, booked, refused with the way out, moved under If-Match, brought through their states, checked.
SET client_min_messages = warning;
SET timezone = 'America/Los_Angeles'; -- answers do not depend on it
SELECT radscheduler.create_site('VONE', 'Version one clinic', 'America/New_York') AS site \gset
SELECT radscheduler.create_site('VTWO', 'The other one', 'UTC') AS other \gset
SET radscheduler.site = 'VONE';
SELECT radscheduler.add_resource('VMR1', 'Magnet one', 'equipment', 'MR') > 0 AND radscheduler.add_resource('VMR2', 'Magnet two', 'equipment', 'MR') > 0
   AND radscheduler.add_resource('VCT1', 'Tube one', 'equipment', 'CT') > 0 AS added;
CREATE FUNCTION pg_temp.of(p_mrn text) RETURNS bigint LANGUAGE sql AS $$
    SELECT a.appointment_id FROM radscheduler.appointment a JOIN radscheduler.patient p USING (site_id, patient_id) WHERE a.site_id = radscheduler.current_site() AND p.mrn = p_mrn ORDER BY 1 LIMIT 1 $$;
CREATE FUNCTION pg_temp.named(p_text text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_row record;
BEGIN
    FOR v_row IN SELECT a.appointment_id AS id, p.mrn FROM radscheduler.appointment a JOIN radscheduler.patient p USING (site_id, patient_id) WHERE a.site_id = radscheduler.current_site() LOOP
        p_text := regexp_replace(p_text, '(appointments?[/ ]|hold |^)' || v_row.id || '(?![0-9])', '\1of ' || v_row.mrn, 'gi');
    END LOOP;
    RETURN p_text;
END $$;
-- An answer, or the error that the daemon makes one of.
CREATE FUNCTION pg_temp.ask(p_function text, p_request jsonb, OUT status text, OUT body jsonb, OUT headers jsonb) LANGUAGE plpgsql AS $$
DECLARE
    v_text text; v_column text; v_state text;
BEGIN
    EXECUTE format('SELECT r.status, r.body::jsonb, r.headers FROM radscheduler.%I($1) r', 'api_v1_' || p_function) INTO status, body, headers
        USING '{"scopes": ["appointments:read", "appointments:write"], "path": "/api/v1/appointments"}'::jsonb || p_request;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS v_text = MESSAGE_TEXT, v_column = COLUMN_NAME, v_state = RETURNED_SQLSTATE;
    status := v_state;
    body := jsonb_build_object('detail', pg_temp.named(v_text)) || CASE WHEN v_column <> '' THEN jsonb_build_object('field', v_column) ELSE '{}' END;
END $$;
CREATE FUNCTION pg_temp.to(p_mrn text, p_more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('params', jsonb_build_object('id', pg_temp.of(p_mrn)::text)) || p_more $$;
CREATE FUNCTION pg_temp.post(p_body jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('body', p_body) $$;
\pset format unaligned
-- Booked: 201 with where it is, its version, and the whole appointment.
SELECT status, pg_temp.named(headers::text) AS headers, jsonb_pretty(body - '{id,created_at,updated_at}'::text[] #- '{patient,record}') AS body FROM pg_temp.ask('appointments_book', pg_temp.post('{"patient_id": "VERA1", "patient_name": "Vera Samplewood", "patient_phone": "+16175550123", "starts_at": "2031-04-07T10:00:00-04:00", "procedure": "MRI001", "resources": ["VMR1"],
    "referring_physician": "Dr Reedley", "notes": "walks with a stick", "urgency": "urgent", "reason": "by telephone"}'));
-- A time without offset is the site's wall time; the shape is the same.
SELECT status, body ->> 'starts_at' AS starts_at, body ->> 'duration_minutes' AS minutes FROM pg_temp.ask('appointments_book', pg_temp.post('{"patient_id": "VERA2", "patient_name": "Victor Samplewood", "starts_at": "2031-04-07T11:00", "modality": "MRI", "resources": ["VMR2"], "duration_minutes": 20}'));
SELECT status FROM pg_temp.ask('appointments_book', pg_temp.post('{"patient_id": "VERA3", "patient_name": "Valda Samplewood", "starts_at": "2031-04-08T09:00:00Z", "modality": "CT", "resources": ["VCT1"]}'));
SELECT status FROM pg_temp.ask('appointments_book', pg_temp.post('{"patient_id": "VERA4", "patient_name": "Viola Samplewood", "starts_at": "2031-04-07T10:00:00-04:00", "modality": "MRI", "resources": ["VMR2"]}'));
-- Refused: 409 says what is there and what is free, and keeps nothing. Over it only with a reason and the scope.
SELECT status, body ->> 'code' AS code, body ->> 'conflict' AS conflict, pg_temp.named(body ->> 'detail') AS detail, jsonb_array_length(body -> 'conflicts') AS conflicts,
       (SELECT string_agg(a ->> 'start' || ' ' || (a ->> 'resource'), ', ') FROM jsonb_array_elements(body -> 'alternatives') a) AS free, body -> 'success' AS success
FROM pg_temp.ask('appointments_book', pg_temp.post('{"patient_id": "VERA5", "patient_name": "Verena Samplewood", "starts_at": "2031-04-07T10:15:00-04:00", "modality": "MRI", "resources": ["VMR1"]}'));
SELECT count(*) AS patients FROM radscheduler.patient WHERE mrn = 'VERA5';
SELECT * FROM pg_temp.ask('appointments_book', pg_temp.post('{"patient_id": "VERA5", "patient_name": "Verena Samplewood", "starts_at": "2031-04-07T10:15:00-04:00", "modality": "MRI", "resources": ["VMR1"], "override_reason": "both fit"}'));
SELECT status, body ->> 'status' AS state, body #>> '{conflicts,0,state}' AS conflict FROM pg_temp.ask('appointments_book', '{"scopes": ["appointments:*", "conflicts:override"]}'
    || pg_temp.post('{"patient_id": "VERA5", "patient_name": "Verena Samplewood", "starts_at": "2031-04-07T10:15:00-04:00", "modality": "MRI", "resources": ["VMR1"], "override_reason": "both fit"}'));
-- What cannot be understood names the field.
SELECT w.body AS given, a.status, a.body FROM (VALUES ('[]'), ('{"starts": "x"}'), ('{"starts_at": "tomorrow"}'), ('{"starts_at": "2031-02-30T10:00:00Z"}'), ('{"starts_at": 5}'), ('{"patient_id": 5}'),
    ('{"patient_id": "VERA1", "resources": "VMR1"}'), ('{"patient_id": "VERA1", "duration_minutes": 0}'), ('{"patient_id": "VERA1", "duration_minutes": 1.5}'), ('{"hold": "x"}'), ('{}'),
    ('{"patient_id": "VERA1"}'), ('{"patient_id": "VERA1", "starts_at": "2031-04-07T10:00:00Z", "modality": "SPACESHIP"}'),
    ('{"patient_id": "VERA1", "starts_at": "2031-04-07T10:00:00Z", "resources": ["NOSUCH"]}')) w(body), LATERAL pg_temp.ask('appointments_book', pg_temp.post(w.body::jsonb)) a;
-- Read. Who may only write is not told who it is for.
SELECT status, headers, body #>> '{patient,name}' AS name FROM pg_temp.ask('appointments_get', pg_temp.to('VERA1'));
SELECT status, jsonb_object_keys(body -> 'patient') AS patient_keys, body ?| '{notes,external_ids,referring_physician}' AS more FROM pg_temp.ask('appointments_get', pg_temp.to('VERA1', '{"scopes": ["appointments:write"]}'));
SELECT p.id, a.status, a.body FROM (VALUES ('0'), ('x'), ('99999999999999999999'), ('1; DROP'), ('-1')) p(id), LATERAL pg_temp.ask('appointments_get', jsonb_build_object('params', jsonb_build_object('id', p.id))) a;
SELECT status, body - 'detail' AS rest, body ->> 'detail' ~ '^there is no appointment \d+ at this site$' AS told FROM pg_temp.ask('appointments_get', jsonb_build_object('params', jsonb_build_object('id', (SELECT max(appointment_id) + 1000 FROM radscheduler.appointment)::text)));
SET radscheduler.site = 'VTWO';
SELECT status FROM pg_temp.ask('appointments_get', jsonb_build_object('params', jsonb_build_object('id', (SELECT a.appointment_id FROM radscheduler.appointment a JOIN radscheduler.patient p USING (site_id, patient_id) WHERE a.site_id = :site AND p.mrn = 'VERA1')::text)));
SELECT status, body FROM pg_temp.ask('appointments_list', '{}');
SET radscheduler.site = 'VONE';
SELECT count(*) > 0 AS audited, count(*) FILTER (WHERE e.detail::text ~* 'vera|samplewood') AS named FROM radscheduler.audit_event e WHERE e.site_id = :site AND e.action = 'read';
-- Listed by time, filtered, by pages: each once, and the way to the next page.
CREATE FUNCTION pg_temp.listed(p_query jsonb, OUT status text, OUT who text, OUT more boolean, OUT told text) LANGUAGE sql AS $$
    SELECT a.status, (SELECT string_agg(i #>> '{patient,patient_id}', ' ' ORDER BY n) FROM jsonb_array_elements(a.body -> 'items') WITH ORDINALITY u(i, n)), a.body ->> 'next' IS NOT NULL, a.body ->> 'detail'
    FROM pg_temp.ask('appointments_list', jsonb_build_object('query', p_query)) a $$;
SELECT q.query, l.* FROM (VALUES ('{}'), ('{"sort": "-starts_at"}'), ('{"date": "2031-04-07"}'), ('{"from": "2031-04-07T10:30:00-04:00"}'), ('{"from": "2031-04-07T10:30:00 04:00"}'), ('{"to": "2031-04-08"}'), ('{"modality": ["ct", "us"]}'),
    ('{"status": "scheduled"}'), ('{"status": ["CANCELLED", "NO_SHOW"]}'), ('{"resource": ["VMR1", "VCT1"]}'), ('{"conflicts": "open"}'), ('{"limit": "2"}'), ('{"patient": "0"}'),
    ('{"date": "2031-02-30"}'), ('{"modality": "SPACESHIP"}'), ('{"status": "LEVITATING"}'), ('{"limit": "0"}'), ('{"limit": "501"}'), ('{"limit": "ten"}'), ('{"limit": ["1", "2"]}'), ('{"sort": "name"}'), ('{"after": "x"}'),
    ('{"after": "W10"}'), ('{"statsu": "SCHEDULED"}'), ('{"q": "vera"}'), ('{"resource": "NOSUCH"}')) q(query), LATERAL pg_temp.listed(q.query::jsonb) l;
SELECT l.who FROM pg_temp.ask('appointments_get', pg_temp.to('VERA3')) g, LATERAL pg_temp.listed(jsonb_build_object('patient', g.body #>> '{patient,record}')) l;
DO $$
DECLARE
    v_query jsonb;
    v_page  record;
    v_seen  text;
BEGIN
    FOREACH v_query IN ARRAY ARRAY['{"limit": "1"}', '{"limit": "2", "sort": "-starts_at"}']::jsonb[] LOOP
        v_seen := '';
        LOOP
            v_page := pg_temp.ask('appointments_list', jsonb_build_object('query', v_query));
            v_seen := v_seen || '[' || (SELECT string_agg(i #>> '{patient,patient_id}', ' ' ORDER BY n) FROM jsonb_array_elements(v_page.body -> 'items') WITH ORDINALITY u(i, n)) || ']';
            EXIT WHEN v_page.body ->> 'next' IS NULL;
            v_query := v_query || jsonb_build_object('after', v_page.body -> 'next');
            ASSERT v_page.headers ->> 'Link' LIKE '</api/v1/appointments?after=' || (v_page.body ->> 'next') || '&limit=%>; rel="next"', v_page.headers;
        END LOOP;
        RAISE WARNING '%', v_seen;
    END LOOP;
END $$;
SELECT headers FROM radscheduler.api_page('{"path": "/api/v1/appointments", "query": {"status": ["A B", "C&D"], "from": "2031-01-01T00:00:00+01:00", "after": "old"}}', '[]', 'x_-1');
-- Checked without booking; for an appointment, elsewhere.
SELECT status, body -> 'bookable' AS bookable, (SELECT string_agg(c ->> 'code', ' ') FROM jsonb_array_elements(body -> 'conflicts') c) AS conflicts FROM pg_temp.ask('appointments_check', pg_temp.post('{"patient_id": "VERA1", "starts_at": "2031-04-07T10:15:00-04:00", "resources": ["VMR1"]}'));
SELECT status, body FROM pg_temp.ask('appointments_check', pg_temp.post('{"patient_id": "VERA9", "starts_at": "2031-04-07T15:15:00-04:00", "resources": ["VMR1"]}'));
SELECT status, body -> 'bookable' AS bookable, body #>> '{conflicts,0,code}' AS conflict FROM pg_temp.ask('appointments_check', pg_temp.to('VERA2', pg_temp.post('{"starts_at": "2031-04-07T10:00:00-04:00"}')));
SELECT status, body FROM pg_temp.ask('appointments_check', pg_temp.to('VERA2', pg_temp.post('{"modality": "CT"}')));
-- Changed: under the version that was read; moved and amended in one; all or nothing.
SELECT status, headers FROM pg_temp.ask('appointments_patch', pg_temp.to('VERA2', '{"if_match": "1"}' || pg_temp.post('{"starts_at": "2031-04-07T13:00:00-04:00", "notes": "left knee", "urgency": "stat", "reason": "asked for it"}')));
SELECT status, headers, body ->> 'code' AS code, pg_temp.named(body ->> 'detail') AS detail, body #>> '{current,version}' AS current, body #>> '{current,notes}' AS notes FROM pg_temp.ask('appointments_patch', pg_temp.to('VERA2', '{"if_match": "1"}' || pg_temp.post('{"notes": "right knee"}')));
SELECT w.given, a.status FROM (VALUES ('*'), ('99'), ('x')) w(given), LATERAL pg_temp.ask('appointments_patch', pg_temp.to('VERA2', jsonb_build_object('if_match', w.given) || pg_temp.post('{"notes": "left knee"}'))) a;
SELECT status, body ->> 'conflict' AS conflict, body ->> 'alternatives' <> '[]' AS free FROM pg_temp.ask('appointments_patch', pg_temp.to('VERA2', '{"if_match": "*"}' || pg_temp.post('{"starts_at": "2031-04-07T10:00:00-04:00", "resources": ["VMR1"], "notes": "not kept"}')));
SELECT status, body FROM pg_temp.ask('appointments_patch', pg_temp.to('VERA2', '{"if_match": "*"}' || pg_temp.post('{"urgency": "soon", "starts_at": "2031-04-07T16:00:00-04:00"}')));
SELECT status, body FROM pg_temp.ask('appointments_patch', pg_temp.to('VERA2', '{"if_match": "*"}' || pg_temp.post('{"patient_name": "Somebody Else"}')));
SELECT body ->> 'starts_at' AS starts_at, body ->> 'notes' AS notes, body ->> 'urgency' AS urgency, body ->> 'version' AS version, body #>> '{resources,0,code}' AS resource FROM pg_temp.ask('appointments_get', pg_temp.to('VERA2'));
SELECT status, body ->> 'notes' AS notes, body #>> '{resources,0,code}' AS resource FROM pg_temp.ask('appointments_patch', pg_temp.to('VERA2', '{"if_match": "*"}' || pg_temp.post('{"notes": null, "resources": ["VMR1"], "duration_minutes": 25}')));
-- Its way through the states; twice is once; what cannot follow is said.
SELECT w.action, a.status, a.body ->> 'status' AS state, a.body ->> 'version' AS version, a.body ->> 'detail' AS detail
FROM (VALUES ('confirm'), ('confirm'), ('arrive'), ('start'), ('cancel'), ('complete'), ('reopen'), ('fly')) w(action),
     LATERAL pg_temp.ask('appointments_status', pg_temp.to('VERA3', jsonb_build_object('path', '/api/v1/appointments/3/' || w.action))) a;
SELECT status, body ->> 'status' AS state FROM pg_temp.ask('appointments_status', pg_temp.to('VERA2', '{"path": "/api/v1/appointments/2/cancel", "body": {"reason": "patient called"}}'));
SELECT status, body ->> 'status' AS state FROM pg_temp.ask('appointments_status', pg_temp.to('VERA2', '{"path": "/api/v1/appointments/2/reopen", "if_match": "1"}'));
SELECT status, body ->> 'status' AS state FROM pg_temp.ask('appointments_status', pg_temp.to('VERA2', '{"path": "/api/v1/appointments/2/no-show", "body": {"reason": 7}}'));
-- Its past: what, why, and what changed; only the reader of patients sees notes.
SELECT i ->> 'version' AS version, i ->> 'event' AS event, i ->> 'reason' AS reason, i ->> 'changes' AS changes FROM pg_temp.ask('appointments_history', pg_temp.to('VERA2')) a, jsonb_array_elements(a.body -> 'items') i;
SELECT bool_or(i -> 'appointment' ? 'notes') AS notes, bool_or(i ->> 'reason' IS NOT NULL) AS reasons FROM pg_temp.ask('appointments_history', pg_temp.to('VERA2', '{"scopes": []}')) a, jsonb_array_elements(a.body -> 'items') i;
SELECT jsonb_array_length(a.body -> 'items') AS items, b.body #>> '{items,0,version}' AS next_version, b.body -> 'next' IS NOT NULL AS more
FROM pg_temp.ask('appointments_history', pg_temp.to('VERA2', '{"query": {"limit": "2"}}')) a, LATERAL pg_temp.ask('appointments_history', pg_temp.to('VERA2', jsonb_build_object('query', jsonb_build_object('limit', '2', 'after', a.body ->> 'next')))) b;
-- Conflicts and rules of one.
SELECT i ->> 'code' AS code, i ->> 'state' AS state, i ->> 'resource' AS resource, (i ->> 'appointment_id')::bigint = pg_temp.of('VERA5') AS flagged, (i ->> 'other_appointment_id')::bigint = pg_temp.of('VERA1') AS other, i ->> 'starts_at' AS starts_at, i ->> 'message' AS message
FROM pg_temp.ask('appointments_conflicts', pg_temp.to('VERA1')) a, jsonb_array_elements(a.body -> 'items') i;
SELECT i ->> 'code' AS code, i ->> 'verdict' AS verdict, i ->> 'sentence' AS sentence FROM pg_temp.ask('appointments_rules', pg_temp.to('VERA5')) a, jsonb_array_elements(a.body -> 'items') i WHERE i ->> 'origin' = 'schedule' LIMIT 3;
