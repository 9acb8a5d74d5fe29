-- /api/v1 users, API keys and audit without HTTP: who may use the API, and who did; and which kinds of role may ask what of /api/v1.
SET client_min_messages = warning;
SET timezone = 'America/Los_Angeles'; -- answers do not depend on it
SELECT radscheduler.create_site('ACCA', 'Access clinic', 'America/New_York') AS site \gset
SELECT radscheduler.create_site('ACCB', 'The other one', 'UTC') AS other \gset
SET radscheduler.site = 'ACCA';
SET radscheduler.actor = 'user:warden';
CREATE FUNCTION pg_temp.ask(p_function text, p_request jsonb DEFAULT '{}', OUT status integer, OUT body jsonb, OUT headers jsonb) LANGUAGE sql AS $$
    SELECT r.status, r.body::jsonb - '{type,title,success,error,status,instance}'::text[], r.headers
    FROM radscheduler.api_call('api_v1_' || p_function, '{"scopes": ["*"], "path": "/api/v1/x"}'::jsonb || (p_request - '{body,key}'::text[]), convert_to((p_request -> 'body')::text, 'UTF8'), p_request ->> 'key', 'user:warden') r $$;
CREATE FUNCTION pg_temp.post(p_body jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('body', p_body) $$;
\pset format unaligned
-- Users: never a hash in an answer.
SELECT a.status, a.headers ->> 'Location' ~ '^/api/v1/users/\d+$' AS location, a.body - '{id,created_at}'::text[] AS body FROM pg_temp.ask('users_create', pg_temp.post('{"login": "Abigail", "name": "Abigail Accessor", "password_hash": "$y$j9T$saltsalt$hashhash", "scopes": ["slots:read"]}')) a;
SELECT a.status FROM pg_temp.ask('users_create', pg_temp.post('{"login": "barnaby", "name": "Barnaby Accessor", "password_hash": "$2b$12$saltsalt", "scopes": ["appointments:*"]}')) a;
SELECT w.body AS given, a.status, a.body - 'hint' AS body FROM (VALUES ('{}'), ('{"login": "abigail", "name": "X", "password_hash": "$y$x", "scopes": ["slots:read"]}'), ('{"login": "carla", "name": "X", "password_hash": "secret", "scopes": ["slots:read"]}'),
    ('{"login": "carla", "name": "X", "password_hash": "$y$x", "scopes": ["everything:read"]}'), ('{"login": "carla", "name": "X", "password_hash": "$y$x", "scopes": "slots:read"}'), ('{"login": "carla", "token_version": 3}')) w(body), LATERAL pg_temp.ask('users_create', pg_temp.post(w.body::jsonb)) a;
CREATE FUNCTION pg_temp.of(p_login text) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('params', jsonb_build_object('id', (SELECT u.user_id::text FROM radscheduler.app_user u WHERE u.site_id = radscheduler.current_site() AND u.login = p_login))) $$;
SELECT a.headers ->> 'ETag' AS etag FROM pg_temp.ask('users_get', pg_temp.of('abigail')) a \gset
-- A wrong password is no change of the user.
SELECT radscheduler.note_login('ACCA', (pg_temp.of('abigail') #>> '{params,id}')::bigint, false);
SELECT a.status, a.headers ->> 'ETag' = :'etag' AS same, a.body -> 'failures' AS failures FROM pg_temp.ask('users_get', pg_temp.of('abigail')) a;
SELECT a.status, a.body ->> 'name' AS name, a.body -> 'scopes' AS scopes FROM pg_temp.ask('users_patch', pg_temp.of('abigail') || jsonb_build_object('if_match', btrim(:'etag', '"')) || pg_temp.post('{"name": "Abigail Married", "scopes": ["slots:read", "audit:read"]}')) a;
SELECT a.status, a.body #>> '{current,name}' AS name FROM pg_temp.ask('users_patch', pg_temp.of('abigail') || jsonb_build_object('if_match', btrim(:'etag', '"')) || pg_temp.post('{"name": "Lost"}')) a;
SELECT w.body AS given, a.status, a.body - 'hint' AS body FROM (VALUES ('{"is_active": "no"}'), ('{"password_hash": "plain"}'), ('{"login": "other"}'), ('{"scopes": []}')) w(body), LATERAL pg_temp.ask('users_patch', pg_temp.of('abigail') || '{"if_match": "*"}' || pg_temp.post(w.body::jsonb)) a;
SELECT a.status, a.body -> 'is_active' AS active FROM pg_temp.ask('users_patch', pg_temp.of('abigail') || '{"if_match": "*"}' || pg_temp.post('{"is_active": false, "password_hash": "$y$j9T$other$hash"}')) a;
SELECT u.token_version, u.password_hash FROM radscheduler.app_user u WHERE u.site_id = :site AND u.login = 'abigail';
SELECT q.query, a.status, (SELECT string_agg(i ->> 'login', ' ' ORDER BY n) FROM jsonb_array_elements(a.body -> 'items') WITH ORDINALITY u(i, n)) AS users, a.body ->> 'next' IS NOT NULL AS more, a.body ->> 'detail' AS detail, a.body::text ~ '\$' AS hashes
FROM (VALUES ('{}'), ('{"active": "true"}'), ('{"limit": "1"}'), ('{"login": "x"}')) q(query), LATERAL pg_temp.ask('users_list', jsonb_build_object('query', q.query::jsonb)) a;
SELECT b.body #>> '{items,0,login}' AS rest, b.body -> 'next' AS next FROM pg_temp.ask('users_list', '{"query": {"limit": "1"}}') a, LATERAL pg_temp.ask('users_list', jsonb_build_object('query', jsonb_build_object('after', a.body ->> 'next'))) b;
SELECT a.status FROM (SELECT pg_temp.of('abigail') AS request) r, LATERAL set_config('radscheduler.site', 'ACCB', false) s, LATERAL pg_temp.ask('users_get', CASE WHEN s = 'ACCB' THEN r.request END) a;
SET radscheduler.site = 'ACCA';
-- Keys: the secret in the one answer, and nowhere else; repeated under an Idempotency-Key it is another key.
CREATE TEMP TABLE made AS SELECT a.* FROM pg_temp.ask('api_keys_create', '{"key": "once"}' || pg_temp.post('{"name": "Channel", "scopes": ["hl7:ingest"], "expires_at": "2035-01-01T00:00:00Z", "networks": ["10.1.0.0/16"]}')) a;
SELECT m.status, m.headers ->> 'Location' = '/api/v1/api-keys/' || (m.body ->> 'id') AS location, m.body ->> 'key' ~ ('^rsk_' || (m.body ->> 'id') || '_[0-9A-Za-z]{43}$') AS key, m.body - '{id,key,created_at,created_by}'::text[] AS body FROM made m;
SELECT k.site, k.scopes FROM made m, LATERAL radscheduler.admit_api_key(m.body ->> 'id', sha256(convert_to(split_part(m.body ->> 'key', '_', 3), 'UTF8')), '10.1.2.3') k;
SELECT count(*) AS kept FROM radscheduler.idempotency_key k WHERE k.site_id = :site;
INSERT INTO made SELECT a.* FROM pg_temp.ask('api_keys_create', '{"key": "once"}' || pg_temp.post('{"name": "Channel", "scopes": ["hl7:ingest"]}')) a;
SELECT count(DISTINCT m.body ->> 'key') AS keys, (SELECT count(*) FROM radscheduler.audit_event e, made n WHERE e.site_id = :site AND strpos(e.detail::text, split_part(n.body ->> 'key', '_', 3)) > 0) AS told FROM made m;
SELECT w.body AS given, a.status, a.body - 'hint' AS body FROM (VALUES ('{}'), ('{"name": "X", "scopes": ["none:at_all"]}'), ('{"name": "X", "scopes": ["slots:read"], "expires_at": "2001-01-01"}'), ('{"name": "X", "scopes": ["slots:read"], "networks": ["10.1.0.1/16"]}'), ('{"name": "X", "scopes": ["slots:read"], "networks": []}'),
    ('{"name": "X", "scopes": ["slots:read"], "ttl": 5}')) w(body), LATERAL pg_temp.ask('api_keys_create', pg_temp.post(w.body::jsonb)) a;
SELECT a.status, a.body ? 'key' AS secret, a.body ->> 'name' AS name FROM made m, LATERAL pg_temp.ask('api_keys_get', jsonb_build_object('params', jsonb_build_object('id', m.body ->> 'id'))) a;
SELECT a.status, a.body ->> 'revoked_at' IS NOT NULL AS revoked FROM (SELECT * FROM made LIMIT 1) m, LATERAL pg_temp.ask('api_keys_revoke', jsonb_build_object('params', jsonb_build_object('id', m.body ->> 'id'))) a;
SELECT a.status, a.body FROM pg_temp.ask('api_keys_revoke', '{"params": {"id": "nobody00"}}') a;
SELECT q.query, a.status, jsonb_array_length(a.body -> 'items') AS keys, a.body ->> 'next' IS NOT NULL AS more FROM (VALUES ('{}'), ('{"active": "true"}'), ('{"active": "false"}'), ('{"limit": "1"}'), ('{"name": "x"}')) q(query), LATERAL pg_temp.ask('api_keys_list', jsonb_build_object('query', q.query::jsonb)) a;
SELECT jsonb_array_length(b.body -> 'items') AS rest FROM pg_temp.ask('api_keys_list', '{"query": {"limit": "1"}}') a, LATERAL pg_temp.ask('api_keys_list', jsonb_build_object('query', jsonb_build_object('after', a.body ->> 'next'))) b;
-- Audit: who did what, the newest first; and that it was read.
SELECT q.query, a.status, (SELECT string_agg(i ->> 'action', ' ' ORDER BY n) FROM jsonb_array_elements(a.body -> 'items') WITH ORDINALITY u(i, n)) AS actions, a.body ->> 'next' IS NOT NULL AS more, a.body ->> 'detail' AS detail
FROM (VALUES ('{"object": "app_user"}'), ('{"action": ["key.created", "key.revoked"]}'), ('{"object": "app_user", "limit": "2"}'), ('{"actor": "user:nobody"}'), ('{"object": "app_user", "object_id": "0"}'), ('{"to": "2001-01-01"}'), ('{"object_id": "5"}'), ('{"from": "2001-01-02", "to": "2001-01-01"}'), ('{"who": "x"}')) q(query),
    LATERAL pg_temp.ask('audit_list', jsonb_build_object('query', q.query::jsonb)) a;
SELECT string_agg(i ->> 'action', ' ' ORDER BY n) AS rest FROM pg_temp.ask('audit_list', '{"query": {"object": "app_user", "limit": "2"}}') a, LATERAL pg_temp.ask('audit_list', jsonb_build_object('query', jsonb_build_object('object', 'app_user', 'after', a.body ->> 'next'))) b, jsonb_array_elements(b.body -> 'items') WITH ORDINALITY u(i, n);
SELECT i - '{id,recorded_at,object_id,role,login}'::text[] AS item FROM pg_temp.ask('audit_list', '{"query": {"action": "user.created", "limit": "1"}}') a, jsonb_array_elements(a.body -> 'items') i;
SELECT a.body #>> '{items,0,object}' AS object, a.body #> '{items,0,detail,rows}' AS rows, a.body #>> '{items,0,actor}' AS actor FROM pg_temp.ask('audit_list', '{"query": {"action": "read", "limit": "1"}}') a;
SET radscheduler.site = 'ACCB';
SELECT a.status, (SELECT count(*) FROM jsonb_array_elements(a.body -> 'items') i WHERE i ->> 'object' IN ('app_user', 'api_key')) AS others FROM pg_temp.ask('audit_list') a;
SET radscheduler.site = 'ACCA';
-- What a kind of role may ask of /api/v1 it may do in SQL, too; what it may not is refused as a problem.
CREATE ROLE acca_reader;
CREATE ROLE acca_auditor;
SELECT radscheduler.grant_role('reader', 'acca_reader'), radscheduler.grant_role('auditor', 'acca_auditor'), radscheduler.grant_site('acca_reader', 'ACCA'), radscheduler.grant_site('acca_auditor', 'ACCA');
GRANT EXECUTE ON FUNCTION radscheduler.api_call(text, jsonb, bytea, text, text) TO acca_reader, acca_auditor;
SET ROLE acca_reader;
SELECT f.name, r.status FROM unnest('{resources_list,hours_get,blocks_list,procedures_list,events_list,analytics_messages,users_list,api_keys_list,messages_list,quarantine_list,senders_list,audit_list,configuration_export}'::text[]) f(name), LATERAL radscheduler.api_call('api_v1_' || f.name, '{"scopes": ["*"]}') r;
SET ROLE acca_auditor;
SELECT f.name, r.status FROM unnest('{audit_list,resources_list,users_list}'::text[]) f(name), LATERAL radscheduler.api_call('api_v1_' || f.name, '{"scopes": ["*"]}') r;
RESET ROLE;
SELECT radscheduler.revoke_site('acca_reader', 'ACCA'), radscheduler.revoke_site('acca_auditor', 'ACCA'), radscheduler.revoke_role('reader', 'acca_reader'), radscheduler.revoke_role('auditor', 'acca_auditor');
REVOKE EXECUTE ON FUNCTION radscheduler.api_call(text, jsonb, bytea, text, text) FROM acca_reader, acca_auditor;
DROP ROLE acca_reader, acca_auditor;
