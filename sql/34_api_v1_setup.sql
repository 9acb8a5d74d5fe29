-- /api/v1 resources, hours, blocks, procedures, senders and configuration without HTTP: what may be set, who is told what is wrong with it, and that nobody overwrites what he has not read.
SET client_min_messages = warning;
SET timezone = 'America/Los_Angeles'; -- answers do not depend on it
SELECT radscheduler.create_site('SETA', 'Setup clinic', 'America/New_York') AS site \gset
SELECT radscheduler.create_site('SETB', 'The other one', 'UTC') AS other \gset
SET radscheduler.site = 'SETA';
-- An answer, or the problem that HTTP makes of the error.
CREATE FUNCTION pg_temp.ask(p_function text, p_request jsonb DEFAULT '{}', OUT status integer, OUT body jsonb, OUT headers jsonb) LANGUAGE sql AS $$
    SELECT r.status, r.body::jsonb - '{type,title,success,error,status,instance}'::text[], r.headers
    FROM radscheduler.api_call('api_v1_' || p_function, '{"scopes": ["*"], "path": "/api/v1/x"}'::jsonb || (p_request - 'body'), convert_to((p_request -> 'body')::text, 'UTF8')) r $$;
CREATE FUNCTION pg_temp.id(p_code text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('params', jsonb_build_object('id', (SELECT r.resource_id::text FROM radscheduler.resource r WHERE r.site_id = radscheduler.current_site() AND r.code = p_code))) $$;
CREATE FUNCTION pg_temp.post(p_body jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('body', p_body) $$;
\pset format unaligned
-- A resource is made: 201, where it is, its version; the word for the modality becomes its code.
SELECT a.status, a.headers ->> 'Location' ~ '^/api/v1/resources/\d+$' AS location, a.headers ->> 'ETag' ~ '^"[0-9a-f]{20}"$' AS etag, a.body - '{id,created_at}'::text[] AS body
FROM pg_temp.ask('resources_create', pg_temp.post('{"code": "SMR1", "kind": "equipment", "name": "Magnet one", "modality": "MRI", "modalities": ["ct"], "setup_minutes": 5, "aliases": ["SCANNER ONE"], "location": "North wing"}')) a;
SELECT a.status, a.body ->> 'code' AS code FROM pg_temp.ask('resources_create', pg_temp.post('{"code": "SMR2", "kind": "equipment", "name": "Magnet two", "modality": "MR"}')) a;
SELECT a.status, a.body ->> 'code' AS code FROM pg_temp.ask('resources_create', pg_temp.post('{"code": "SROOM", "kind": "room", "name": "Quiet room"}')) a;
SELECT a.status, a.body FROM pg_temp.ask('resources_create', pg_temp.post('{"code": "SMR2", "kind": "equipment", "name": "Again", "modality": "MR"}')) a;
-- What is wrong is said of the field.
SELECT w.body AS given, a.status, a.body FROM (VALUES ('[]'), ('{"code": "X1"}'), ('{"code": "X1", "kind": "robot", "name": "X"}'), ('{"code": "X1", "kind": "room", "name": "X", "capacity": 0}'),
    ('{"code": "X1", "kind": "room", "name": "X", "modality": "SPACESHIP"}'), ('{"code": "X1", "kind": "staff", "name": "X", "setup_minutes": 5}'), ('{"code": "X1", "kind": "room", "name": "X", "hours": []}'),
    ('{"code": "X1", "kind": "equipment", "name": "X", "aliases": ["SMR1"]}'), ('{"code": 5, "kind": "room", "name": "X"}'), ('{"code": "X1", "kind": "room", "name": "X", "modalities": "CT"}')) w(body),
    LATERAL pg_temp.ask('resources_create', pg_temp.post(w.body::jsonb)) a;
SELECT count(*) AS made FROM radscheduler.resource WHERE site_id = :site AND code LIKE 'X%';
-- Read and listed, by pages; another site's is none.
SELECT a.status, a.body ->> 'name' AS name, a.headers ->> 'ETag' = (SELECT b.headers ->> 'ETag' FROM pg_temp.ask('resources_get', pg_temp.id('SMR1')) b) AS same FROM pg_temp.ask('resources_get', pg_temp.id('SMR1')) a;
SELECT q.query, a.status, (SELECT string_agg(i ->> 'code', ' ' ORDER BY n) FROM jsonb_array_elements(a.body -> 'items') WITH ORDINALITY u(i, n)) AS codes, a.body ->> 'next' IS NOT NULL AS more, a.body ->> 'detail' AS detail
FROM (VALUES ('{}'), ('{"kind": "room"}'), ('{"kind": ["room", "staff"]}'), ('{"modality": "CT"}'), ('{"active": "false"}'), ('{"registered": "true"}'), ('{"limit": "2"}'), ('{"kind": "robot"}'), ('{"active": "yes"}'), ('{"modality": "SPACESHIP"}'), ('{"name": "x"}')) q(query),
    LATERAL pg_temp.ask('resources_list', jsonb_build_object('query', q.query::jsonb)) a;
SELECT string_agg(i ->> 'code', ' ') AS rest FROM pg_temp.ask('resources_list', '{"query": {"limit": "2"}}') a, LATERAL pg_temp.ask('resources_list', jsonb_build_object('query', jsonb_build_object('limit', '2', 'after', a.body ->> 'next'))) b, jsonb_array_elements(b.body -> 'items') i;
SELECT a.status, a.body ->> 'code' AS code FROM (SELECT pg_temp.id('SMR1') AS request) r, LATERAL set_config('radscheduler.site', 'SETB', false) s, LATERAL pg_temp.ask('resources_get', CASE WHEN s = 'SETB' THEN r.request END) a;
SET radscheduler.site = 'SETA';
-- Changed under the version that was read; what is not given stays; null clears; a stale version shows what is there now.
SELECT a.headers ->> 'ETag' AS etag FROM pg_temp.ask('resources_get', pg_temp.id('SMR1')) a \gset
SELECT a.status, a.body ->> 'name' AS name, a.body ->> 'location' AS location, a.body ->> 'capacity' AS capacity, a.body -> 'aliases' AS aliases, a.headers ->> 'ETag' <> :'etag' AS new_version
FROM pg_temp.ask('resources_patch', pg_temp.id('SMR1') || jsonb_build_object('if_match', btrim(:'etag', '"')) || pg_temp.post('{"name": "Magnet one B", "location": null, "capacity": 2}')) a;
SELECT a.status, a.body ->> 'code' AS code, a.body ->> 'detail' AS detail, a.body #>> '{current,name}' AS name, a.headers ->> 'ETag' <> :'etag' AS told
FROM pg_temp.ask('resources_patch', pg_temp.id('SMR1') || jsonb_build_object('if_match', btrim(:'etag', '"')) || pg_temp.post('{"name": "Lost"}')) a;
SELECT w.body AS given, a.status, a.body - 'hint' AS body FROM (VALUES ('{"capacity": "two"}'), ('{"code": "NEW"}'), ('{"is_active": 1}'), ('{"weight_limit_kg": 5000}')) w(body), LATERAL pg_temp.ask('resources_patch', pg_temp.id('SMR1') || '{"if_match": "*"}' || pg_temp.post(w.body::jsonb)) a;
SELECT a.status, a.body -> 'is_active' AS active FROM pg_temp.ask('resources_patch', pg_temp.id('SROOM') || '{"if_match": "*"}' || pg_temp.post('{"is_active": false}')) a;
SELECT a.status, a.body FROM pg_temp.ask('resources_patch', '{"params": {"id": "0"}, "if_match": "*"}' || pg_temp.post('{}')) a;
-- Hours: the site's, those of a resource, and the way back to the site's.
SELECT a.status, a.body FROM pg_temp.ask('hours_get') a;
SELECT a.headers ->> 'ETag' AS etag FROM pg_temp.ask('hours_get', pg_temp.id('SMR1')) a \gset
SELECT a.status, a.body FROM pg_temp.ask('hours_put', pg_temp.id('SMR1') || jsonb_build_object('if_match', btrim(:'etag', '"')) || pg_temp.post('{"hours": [{"weekday": 6, "opens": "08:00", "closes": "12:00", "valid_from": "2031-01-01", "valid_until": "2031-06-30"}, {"weekday": 1, "opens": "06:30", "closes": "24:00"}]}')) a;
SELECT a.status, a.body ->> 'code' AS code, jsonb_array_length(a.body #> '{current,hours}') AS current FROM pg_temp.ask('hours_put', pg_temp.id('SMR1') || jsonb_build_object('if_match', btrim(:'etag', '"')) || pg_temp.post('{"hours": []}')) a;
SELECT w.body AS given, a.status, a.body - 'hint' AS body FROM (VALUES ('{}'), ('{"hours": "always"}'), ('{"hours": [{"weekday": 8, "opens": "08:00", "closes": "12:00"}]}'), ('{"hours": [{"weekday": 1, "opens": "12:00", "closes": "08:00"}]}'), ('{"hours": [{"weekday": 1}]}'), ('{"days": [{"day": "2031-02-30"}]}'), ('{"dates": []}')) w(body),
    LATERAL pg_temp.ask('hours_put', pg_temp.id('SMR1') || '{"if_match": "*"}' || pg_temp.post(w.body::jsonb)) a;
SELECT a.status, a.body -> 'hours' AS hours, a.body -> 'days' AS days, a.body -> 'reserved' AS reserved FROM pg_temp.ask('hours_put', pg_temp.id('SMR1') || '{"if_match": "*"}' || pg_temp.post('{"days": [{"day": "2031-07-04", "name": "Independence Day", "hours": []}], "reserved": [{"weekday": 2, "opens": "10:00", "closes": "11:00", "kind": "block", "name": "teaching"}]}')) a;
SELECT a.body -> 'has_own_hours' AS own FROM pg_temp.ask('resources_get', pg_temp.id('SMR1')) a;
SELECT a.status, a.body FROM pg_temp.ask('hours_put', pg_temp.id('SMR1') || '{"if_match": "*"}' || pg_temp.post('{"hours": [], "days": [], "reserved": []}')) a;
SELECT a.status, a.body -> 'hours' AS hours FROM pg_temp.ask('hours_put', '{"if_match": "*"}' || pg_temp.post('{"hours": [{"weekday": 3, "opens": "07:00", "closes": "19:00"}, {"weekday": 4, "opens": "07:00", "closes": "19:00"}]}')) a;
-- Blocks: who stands there is flagged, and healed when the time is given back.
SELECT r.outcome FROM radscheduler.try_book('SETP1', '2031-04-09 10:00-04', 'MR', patient_name => 'Sabine Setupson', resources => '{SMR1}') r;
SELECT a.status, a.headers ->> 'Location' ~ '^/api/v1/blocks/\d+$' AS location, a.body - '{id,resource_id,created_at}'::text[] AS body
FROM pg_temp.ask('blocks_create', pg_temp.post('{"resource": "scanner one", "starts_at": "2031-04-09T09:00", "ends_at": "2031-04-09T12:00:00-04:00", "kind": "maintenance", "reason": "cold head"}')) a;
SELECT a.status FROM pg_temp.ask('blocks_create', pg_temp.post('{"resource": "SMR2", "starts_at": "2031-04-08T09:00:00-04:00", "ends_at": "2031-04-08T12:00:00-04:00"}')) a;
SELECT c.code, c.state FROM radscheduler.conflict c WHERE c.site_id = :site AND c.code = 'MAINTENANCE';
SELECT w.body AS given, a.status, a.body - 'hint' AS body FROM (VALUES ('{}'), ('{"resource": "SMR1"}'), ('{"resource": "NOSUCH", "starts_at": "2031-04-08", "ends_at": "2031-04-09"}'), ('{"resource": "SMR1", "starts_at": "2031-04-08", "ends_at": "2031-04-08"}'),
    ('{"resource": "SMR1", "starts_at": "2031-04-08", "ends_at": "2031-04-09", "kind": "party"}'), ('{"resource": "SMR1", "starts_at": "soon", "ends_at": "2031-04-09"}'), ('{"resource": "SMR1", "starts_at": "2031-04-08", "until": "2031-04-09"}')) w(body),
    LATERAL pg_temp.ask('blocks_create', pg_temp.post(w.body::jsonb)) a;
SELECT q.query, a.status, (SELECT string_agg((i ->> 'resource') || ' ' || (i ->> 'starts_at'), ', ' ORDER BY n) FROM jsonb_array_elements(a.body -> 'items') WITH ORDINALITY u(i, n)) AS blocks, a.body ->> 'next' IS NOT NULL AS more, a.body ->> 'detail' AS detail
FROM (VALUES ('{}'), ('{"kind": "maintenance"}'), ('{"resource": "SMR2"}'), ('{"from": "2031-04-09"}'), ('{"to": "2031-04-08T09:00:00-04:00"}'), ('{"limit": "1"}'), ('{"kind": "party"}'), ('{"from": "2031-04-09", "to": "2031-04-08"}'), ('{"day": "x"}')) q(query),
    LATERAL pg_temp.ask('blocks_list', jsonb_build_object('query', q.query::jsonb)) a;
SELECT string_agg(i ->> 'resource', ' ') AS rest FROM pg_temp.ask('blocks_list', '{"query": {"limit": "1"}}') a, LATERAL pg_temp.ask('blocks_list', jsonb_build_object('query', jsonb_build_object('limit', '1', 'after', a.body ->> 'next'))) b, jsonb_array_elements(b.body -> 'items') i;
-- A reason may hold what a sender wrote: only those who may see patients read it.
SELECT bool_or(i ? 'reason') AS shown FROM pg_temp.ask('blocks_list', '{"scopes": ["config:read"]}') a, jsonb_array_elements(a.body -> 'items') i;
CREATE FUNCTION pg_temp.block(p_kind text) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('params', jsonb_build_object('id', (SELECT b.block_id::text FROM radscheduler.resource_block b WHERE b.site_id = radscheduler.current_site() AND b.kind = p_kind))) $$;
SELECT a.status, a.body ->> 'reason' AS reason, a.headers ? 'ETag' AS tagged FROM pg_temp.ask('blocks_get', pg_temp.block('maintenance')) a;
SELECT a.status, a.body -> 'appointments' AS appointments, a.body #>> '{block,ends_at}' AS rest FROM pg_temp.ask('blocks_lift', pg_temp.block('maintenance') || '{"query": {"from": "2031-04-09T09:30:00-04:00"}}') a;
SELECT c.code, c.state FROM radscheduler.conflict c WHERE c.site_id = :site AND c.code = 'MAINTENANCE';
SELECT a.status, a.body - 'id' AS body FROM pg_temp.ask('blocks_lift', pg_temp.block('maintenance')) a;
SELECT a.status, a.body FROM pg_temp.ask('blocks_lift', '{"params": {"id": "0"}}') a;
SELECT a.status FROM pg_temp.ask('blocks_get', (SELECT jsonb_build_object('params', jsonb_build_object('id', (max(b.block_id) + 100)::text)) FROM radscheduler.resource_block b)) a;
-- Procedures.
SELECT a.status, a.headers ->> 'Location' AS location, a.body FROM pg_temp.ask('procedures_create', pg_temp.post('{"code": "SET MR/1", "name": "MRI of the setup", "modality": "MRI", "minutes": 35, "contrast": "none", "aliases": ["SETALIAS"]}')) a;
SELECT a.status, a.body FROM pg_temp.ask('procedures_create', pg_temp.post('{"code": "SET MR/1", "name": "Again", "modality": "MRI"}')) a;
SELECT w.body AS given, a.status, a.body - 'hint' AS body FROM (VALUES ('{"code": "S2"}'), ('{"code": "S2", "name": "X", "modality": "SPACESHIP"}'), ('{"code": "S2", "name": "X", "modality": "MR", "minutes": 0}'), ('{"code": "S2", "name": "X", "modality": "MR", "contrast": "some"}'), ('{"code": "S2", "price": 1}')) w(body),
    LATERAL pg_temp.ask('procedures_create', pg_temp.post(w.body::jsonb)) a;
SELECT a.headers ->> 'ETag' AS etag FROM pg_temp.ask('procedures_get', '{"params": {"code": "SET MR/1"}}') a \gset
SELECT a.status, a.body FROM pg_temp.ask('procedures_patch', '{"params": {"code": "SET MR/1"}}' || jsonb_build_object('if_match', btrim(:'etag', '"')) || pg_temp.post('{"minutes": null, "prep": "Nothing metal."}')) a;
SELECT a.status, a.body #>> '{current,prep}' AS prep FROM pg_temp.ask('procedures_patch', '{"params": {"code": "SET MR/1"}}' || jsonb_build_object('if_match', btrim(:'etag', '"')) || pg_temp.post('{"minutes": 20}')) a;
SELECT a.status, a.body FROM pg_temp.ask('procedures_get', '{"params": {"code": "NOSUCH"}}') a;
SELECT q.query, a.status, (SELECT string_agg(i ->> 'code', ' ' ORDER BY n) FROM jsonb_array_elements(a.body -> 'items') WITH ORDINALITY u(i, n)) AS codes, a.body ->> 'next' IS NOT NULL AS more, a.body ->> 'detail' AS detail
FROM (VALUES ('{"q": "setalias"}'), ('{"q": "of the setup"}'), ('{"q": "set mr", "modality": "CT"}'), ('{"limit": "2"}'), ('{"contrast": "some"}')) q(query), LATERAL pg_temp.ask('procedures_list', jsonb_build_object('query', q.query::jsonb)) a;
SELECT b.body #>> '{items,0,code}' > (a.body #>> '{items,1,code}') COLLATE "C" AS follows FROM pg_temp.ask('procedures_list', '{"query": {"limit": "2"}}') a, LATERAL pg_temp.ask('procedures_list', jsonb_build_object('query', jsonb_build_object('limit', '1', 'after', a.body ->> 'next'))) b;
-- Senders: where there are several sites a credential of one does not say whose messages go where.
SELECT a.status, a.body - '{id,created_at,whole_profile}'::text[] AS body, a.body #>> '{whole_profile,timezone}' AS zone FROM pg_temp.ask('senders_create', pg_temp.post('{"application": "SETRIS", "facility": "NORTH", "profile": {"timezone": "America/Chicago"}}')) a;
SELECT a.status, a.body FROM pg_temp.ask('senders_create', pg_temp.post('{"application": "SETRIS", "facility": "SOUTH", "is_registered": true}')) a;
SELECT a.status, a.body FROM pg_temp.ask('senders_create', pg_temp.post('{"application": "SETRIS", "facility": "NORTH"}')) a;
SELECT w.body AS given, a.status, a.body - 'hint' AS body FROM (VALUES ('{}'), ('{"application": "X", "profile": "fast"}'), ('{"application": "X", "profile": {"timezone": "Nowhere/Land"}}'), ('{"application": 7}'), ('{"name": "X"}')) w(body), LATERAL pg_temp.ask('senders_create', pg_temp.post(w.body::jsonb)) a;
CREATE FUNCTION pg_temp.sender() RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('params', jsonb_build_object('id', (SELECT s.sender_id::text FROM radscheduler.sender s WHERE s.site_id = radscheduler.current_site() AND s.sending_facility = 'NORTH'))) $$;
SELECT a.headers ->> 'ETag' AS etag FROM pg_temp.ask('senders_get', pg_temp.sender()) a \gset
SELECT a.status, a.body -> 'profile' AS profile, a.body -> 'is_registered' AS registered FROM pg_temp.ask('senders_patch', pg_temp.sender() || jsonb_build_object('if_match', btrim(:'etag', '"')) || pg_temp.post('{"profile": {"timezone": null, "on_conflict": "reject"}}')) a;
SELECT a.status, a.body #> '{current,profile}' AS current FROM pg_temp.ask('senders_patch', pg_temp.sender() || jsonb_build_object('if_match', btrim(:'etag', '"')) || pg_temp.post('{"profile": {}, "replace": true}')) a;
SELECT w.body AS given, a.status, a.body - 'hint' AS body FROM (VALUES ('{"is_registered": true}'), ('{"profile": {"on_conflict": "maybe"}}'), ('{"replace": "yes"}'), ('{"profile": {}, "replace": true}')) w(body), LATERAL pg_temp.ask('senders_patch', pg_temp.sender() || '{"if_match": "*"}' || pg_temp.post(w.body::jsonb)) a WHERE a.status <> 200;
SELECT a.body -> 'profile' AS profile FROM pg_temp.ask('senders_get', pg_temp.sender()) a;
SELECT q.query, a.status, (SELECT string_agg(i ->> 'facility', ' ' ORDER BY n) FROM jsonb_array_elements(a.body -> 'items') WITH ORDINALITY u(i, n)) AS senders FROM (VALUES ('{}'), ('{"registered": "true"}'), ('{"limit": "1"}')) q(query), LATERAL pg_temp.ask('senders_list', jsonb_build_object('query', q.query::jsonb)) a;
SELECT r.code FROM radscheduler.ingest(convert_to(E'MSH|^~\\&|SETRIS|NORTH|RADSCHED|RAD|20310101080000||SIU^S12|S1|P|2.5\rSCH||S77|||||||30|MIN|^^30^203104101000\rPID|1||SETP2||SETUPSON^SIGRID\rAIS|1|A|SET MR/1\rAIG|1|A|SMR2', 'UTF8')) r;
SELECT a.status, (SELECT string_agg(DISTINCT i ->> 'section', ' ') FROM jsonb_array_elements(a.body -> 'items') i) AS sections, jsonb_array_length(a.body -> 'items') > 10 AS told, a.body::text ~* 'setupson|sigrid|setp2' AS named
FROM pg_temp.ask('senders_report', pg_temp.sender()) a;
SELECT q.query, a.status, a.body - 'hint' AS body FROM (VALUES ('{"sample": "0"}'), ('{"from": "2031-02-02", "to": "2031-02-01"}'), ('{"days": "3"}')) q(query), LATERAL pg_temp.ask('senders_report', pg_temp.sender() || jsonb_build_object('query', q.query::jsonb)) a;
-- Configuration: out, in without keeping it, in.
SELECT a.status, a.headers ? 'ETag' AS tagged, (SELECT string_agg(s ->> 'code', ' ') FROM jsonb_array_elements(a.body -> 'sites') s) AS sites, a.body ->> 'format' AS format FROM pg_temp.ask('configuration_export') a;
SELECT a.status, a.body - 'items' AS body FROM pg_temp.ask('configuration_export') e, LATERAL pg_temp.ask('configuration_import', pg_temp.post(e.body)) a;
CREATE FUNCTION pg_temp.document(p_site jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT pg_temp.post(jsonb_build_object('format', 'radscheduler.configuration', 'version', 1, 'sites', jsonb_build_array('{"code": "SETA"}'::jsonb || p_site))) $$;
SELECT a.status, a.body FROM pg_temp.ask('configuration_import', pg_temp.document('{"name": "Renamed"}')) a;
SELECT s.name FROM radscheduler.site s WHERE s.site_id = :site;
SELECT a.status, a.body FROM pg_temp.ask('configuration_import', pg_temp.document('{"name": "Renamed"}') || '{"query": {"dry_run": "false"}}') a;
SELECT s.name FROM radscheduler.site s WHERE s.site_id = :site;
SELECT w.request AS given, a.status, a.body - 'hint' AS body FROM (VALUES ('{"body": []}'), ('{"body": {}}'), ('{"query": {"dry_run": "perhaps"}, "body": {}}'), ('{"query": {"dry": "false"}, "body": {}}'), ('{"body": {"format": "radscheduler.configuration", "version": 1, "sites": [{"code": "SETB"}]}}'),
    ('{"body": {"format": "radscheduler.configuration", "version": 1, "sites": [{"code": "NEWSITE", "name": "New"}]}}'), ('{"body": {"format": "radscheduler.configuration", "version": 1, "sites": 7}}'),
    ('{"body": {"format": "radscheduler.configuration", "version": 1, "sites": [{"code": "SETA", "slot_minutes": 0}]}}'),
    ('{"body": {"format": "radscheduler.configuration", "version": 1, "sites": [{"code": "SETA", "senders": [{"sending_application": "THEIRS", "sending_facility": "X"}]}]}}'),
    ('{"body": {"format": "radscheduler.configuration", "version": 1, "sites": [{"code": "SETA", "senders": [{"sending_application": "SETRIS", "sending_facility": "NORTH", "is_registered": true}]}]}}')) w(request), LATERAL pg_temp.ask('configuration_import', w.request::jsonb) a;
SELECT a.status, a.body -> 'summary' AS summary FROM pg_temp.ask('configuration_import', pg_temp.document('{"senders": [{"sending_application": "SETRIS", "sending_facility": "NORTH", "profile": {}}, {"sending_application": "SETRIS", "sending_facility": "WEST", "is_registered": false}]}')) a;
-- All of it is in the audit log, the old with the new, and changes of rows are told once.
SELECT e.action, e.object, count(*) FROM radscheduler.audit_event e WHERE e.site_id = :site AND e.action IN ('configuration.insert', 'configuration.update', 'resource.blocked', 'resource.unblocked', 'sender.created', 'sender.changed', 'insert', 'update', 'delete') GROUP BY 1, 2 ORDER BY 1, 2;
