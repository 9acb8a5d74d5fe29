-- The way in for HTTP: bodies, errors as problems, If-None-Match, Idempotency-Key.
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT radscheduler.create_site('CALLA', 'First call', 'UTC') AS site \gset
SELECT radscheduler.create_site('CALLB', 'Second call', 'UTC') AS other \gset
SET radscheduler.site = 'CALLA';
SELECT radscheduler.add_resource('CMR1', 'Magnet', 'equipment', 'MR') > 0 AS added;
\pset format unaligned
CREATE FUNCTION pg_temp.b(text) RETURNS bytea LANGUAGE sql AS $$ SELECT convert_to($1, 'UTF8') $$;
CREATE FUNCTION pg_temp.raised(p_state text, p_request jsonb DEFAULT '{}', p_column text DEFAULT '', p_constraint text DEFAULT '') RETURNS text LANGUAGE sql AS $$
    SELECT r.status || ' ' || (r.body::jsonb - 'type' - 'success' - 'error' - 'status' - 'title')::text FROM radscheduler.problem_of_error(p_request, p_state, 'the knee is taken', 'held by 7', 'Wait.', p_column, p_constraint) r $$;
-- Errors as problems.
SELECT s.state, pg_temp.raised(s.state) FROM unnest('{23P01,23505,23503,23001,P0002,42704,42501,55000,22023,23502,23514}'::text[]) s(state);
SELECT pg_temp.raised('23P01', p_constraint => 'EQUIPMENT_DOUBLE_BOOKED');
SELECT pg_temp.raised('23505', p_constraint => 'app_user_login'), pg_temp.raised('23514', '{"body": {}}', p_constraint => 'site_zone');
SELECT pg_temp.raised('22023', '{"query": {"limit": "x"}}', 'limit');
SELECT pg_temp.raised('22023', '{"body": {"a/b": 1}}', 'a/b');
SELECT radscheduler.sentence('all good!'), radscheduler.sentence('one is left');
-- A body is JSON or it is not; what is asked for must be of the API.
SELECT c.given, r.status, r.body::jsonb ->> 'code' AS code FROM (VALUES ('{"a":'), (''), ('null'), ('[1]'), ('{"patient_id": "\u0000"}'), ('{"starts_at": "never"}')) c(given),
    LATERAL radscheduler.api_call('api_v1_appointments_check', '{"scopes": ["*"]}', pg_temp.b(c.given)) r;
SELECT r.status, r.body::jsonb ->> 'code' AS code FROM radscheduler.api_call('api_v1_appointments_check', '{}', '\xff') r;
\set VERBOSITY terse
SELECT * FROM radscheduler.api_call('purge', '{}');
SELECT * FROM radscheduler.api_call('api_no_such_thing', '{}');
SELECT * FROM radscheduler.api_call('api_sees_patients', '{}');
\set VERBOSITY default
-- A role that may only read is told so; its own rights count, not the owner's.
CREATE ROLE call_reader;
SELECT radscheduler.grant_role('ingest', 'call_reader'), radscheduler.grant_role('reader', 'call_reader'), radscheduler.grant_site('call_reader', 'CALLA');
SET ROLE call_reader;
SELECT r.status, r.body::jsonb ->> 'code' AS code FROM unnest('{api_v1_appointments_book,api_v1_appointments_list}'::text[]) f, LATERAL radscheduler.api_call(f, '{"scopes": ["*"]}') r;
RESET ROLE;
SELECT radscheduler.revoke_role('ingest', 'call_reader'), radscheduler.revoke_role('reader', 'call_reader'), radscheduler.revoke_site('call_reader', 'CALLA');
DROP ROLE call_reader;
-- Booked twice under one key: booked once, told twice.
CREATE FUNCTION pg_temp.booked(p_key text, p_principal text, p_start text, p_mrn text DEFAULT 'KALLI1') RETURNS text LANGUAGE sql AS $$
    SELECT r.status || coalesce(' ' || (r.body::jsonb ->> 'code'), '') || CASE WHEN r.headers ? 'Idempotency-Replayed' THEN ' again' ELSE '' END || CASE WHEN r.headers ? 'Location' THEN ' at' ELSE '' END
    FROM radscheduler.api_call('api_v1_appointments_book', '{"scopes": ["appointments:*"], "path": "/api/v1/appointments"}',
        pg_temp.b(jsonb_build_object('patient_id', p_mrn, 'patient_name', 'Kalli Exampleton', 'starts_at', p_start, 'modality', 'MR', 'resources', '["CMR1"]'::jsonb)::text), p_key, p_principal) r $$;
SELECT pg_temp.booked('k1', 'key:aaaa', '2031-06-02T10:00:00Z');
SELECT pg_temp.booked('k1', 'key:aaaa', '2031-06-02T10:00:00Z');
SELECT count(*) FROM radscheduler.appointments WHERE patient_id = 'KALLI1';
SELECT pg_temp.booked('k1', 'key:aaaa', '2031-06-02T12:00:00Z') AS other_request, pg_temp.booked('k1', 'key:bbbb', '2031-06-02T10:00:00Z', 'KALLI2') AS other_principal,
       pg_temp.booked(repeat('k', 256), 'key:aaaa', '2031-06-02T12:00:00Z') AS long, pg_temp.booked('', 'key:aaaa', '2031-06-02T12:00:00Z') AS empty;
-- What was refused is judged anew: the time may be free by now.
SELECT pg_temp.booked('k2', 'key:aaaa', '2031-06-02T10:00:00Z', 'KALLI2');
DELETE FROM radscheduler.appointments WHERE patient_id = 'KALLI1';
SELECT pg_temp.booked('k2', 'key:aaaa', '2031-06-02T10:00:00Z', 'KALLI2');
-- Another site is another caller. After a day a key is forgotten.
SET radscheduler.site = 'CALLB';
SELECT radscheduler.add_resource('CMR1', 'Magnet', 'equipment', 'MR') > 0 AS added;
SELECT pg_temp.booked('k2', 'key:aaaa', '2031-06-02T10:00:00Z', 'KALLI2');
SET radscheduler.site = 'CALLA';
SET radscheduler.audit_changes = off;
UPDATE radscheduler.idempotency_key SET created_at = created_at - interval '25 hours' WHERE site_id = :site AND key = 'k2';
SELECT pg_temp.booked('k2', 'key:aaaa', '2031-06-02T14:00:00Z', 'KALLI3');
SELECT pg_temp.booked('k2', 'key:aaaa', '2031-06-02T14:00:00Z', 'KALLI3');
UPDATE radscheduler.idempotency_key SET created_at = created_at - interval '25 hours' WHERE site_id = :site AND key = 'k1';
SELECT radscheduler.expire_replies();
SELECT key FROM radscheduler.idempotency_key WHERE site_id = :site ORDER BY key;
-- Unchanged since it was read.
SELECT c.given, r.status, r.headers, r.body IS NULL AS without_body FROM (VALUES (NULL), ('"1"'), ('"2"'), ('W/"1"'), ('"7", "1"'), ('*')) c(given), (SELECT max(id) AS id FROM radscheduler.appointments WHERE patient_id = 'KALLI3') a,
    LATERAL radscheduler.api_call('api_v1_appointments_get', jsonb_strip_nulls(jsonb_build_object('params', jsonb_build_object('id', a.id::text), 'if_none_match', c.given, 'scopes', '["*"]'::jsonb))) r;
SELECT r.status, r.body::jsonb ->> 'detail' ~ 'at this site\.$' AS told FROM radscheduler.api_call('api_v1_appointments_get', '{"params": {"id": "999999999999"}}') r;
