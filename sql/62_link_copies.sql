-- Links that get a copy of what is received, and what a worker gets to send for links of both kinds.
SET client_min_messages = warning;
SET timezone = 'UTC';
SET search_path = radscheduler, public;
SELECT create_site('COPIER', 'Copies', 'UTC') > 0 AS created;
SET radscheduler.site = 'COPIER';
SELECT set_sender('COPYRIS', 'EAST', '{}') IS NOT NULL AND set_sender('COPYADT', 'EAST', '{"charset": "8859/1"}') IS NOT NULL AS registered;
INSERT INTO link (site_id, name, kind, host, port) VALUES (current_site(), 'ALL', 'hl7_copy', 'archive.example.org', 2575);
INSERT INTO link (site_id, name, kind, copy_senders, copy_triggers, host, port) VALUES (current_site(), 'SOME', 'hl7_copy', '{COPYRIS|EAST}', '{SIU^S12,ADT}', '192.0.2.7', 2575);
INSERT INTO link (site_id, name, kind, is_enabled) VALUES (current_site(), 'OFF', 'hl7_copy', false);
INSERT INTO link (site_id, name) VALUES (current_site(), 'NOWHERE');
CREATE FUNCTION pg_temp.siu(event text, id text) RETURNS bytea LANGUAGE sql AS
    $$ SELECT convert_to(format(E'MSH|^~\\&|COPYRIS|EAST|||20260101||SIU^%s|%s|P|2.5\nSCH||%s|||||||30|MIN|^^30^203110031000\nPID|1||CP1||EDGAR^EMMA\nAIS|1|A|CT001^CT CHEST', event, id, split_part(id, '-', 1)), 'UTF8') $$;
-- Taken, repeated, another event, refused, of another sender in another charset, as JSON.
SELECT i.code, i.outcome FROM unnest(ARRAY[pg_temp.siu('S12', 'C1-1'), pg_temp.siu('S12', 'C1-1'), pg_temp.siu('S15', 'C1-2'), pg_temp.siu('S99', 'C1-3'),
    convert_to(E'MSH|^~\\&|COPYADT|EAST|||20260101||ADT^A08|c4|P|2.5\rPID|1||CP1||EDGAR^ÉMILIE', 'LATIN1')]) b, LATERAL ingest(b) i;
SELECT (ingest_json('{"patientId": "CP2", "patientName": "Frida Fischer", "modality": "CT", "studyType": "CT CHEST", "datetime": "2031-10-04T10:00:00", "referringPhysician": "Dr. Brown"}')).outcome;
SELECT o.link, o.event, o.kind, o.queue = 'link/' || l.link_id AS in_its_queue, o.state FROM outbox o JOIN link l ON l.name = o.link WHERE o.site = 'COPIER' ORDER BY o.task_id;
SELECT array_agg(task_message(o.task_id) ->> 'MSH-10' ORDER BY o.task_id) AS messages, array_agg(DISTINCT task_message(o.task_id) ->> 'PID-5.2') AS names FROM outbox o WHERE o.site = 'COPIER' AND o.link = 'ALL';
-- A worker gets the bytes as they came; links that are off or have no address wait.
INSERT INTO appointments (patient_id, patient_name, modality, datetime) VALUES ('CP3', 'Gerda Gibson', 'CT', '2031-10-05 09:00');
CREATE TABLE public.run AS SELECT * FROM claim_tasks('copier', '{hl7_out}', 10) WHERE site_id = current_site();
SELECT r.link ->> 'name' AS link, r.link ->> 'host' AS host, r.link ->> 'site' AS site, r.attempts, r.lease_seconds FROM public.run r ORDER BY r.task_id;
-- The second of a link is not begun before the first is over.
SELECT b.* FROM (SELECT max(r.task_id) AS task_id FROM public.run r WHERE r.link ->> 'name' = 'ALL') r, LATERAL begin_task('copier', current_site(), r.task_id) b;
CREATE TABLE public.sent (link text, task_id bigint, attempts integer, message bytea, counts boolean);
DO $$
DECLARE
    v_task record;
BEGIN
    FOR v_task IN SELECT r.task_id, r.link ->> 'name' AS link FROM public.run r ORDER BY r.task_id LOOP
        INSERT INTO public.sent SELECT v_task.link, v_task.task_id, b.attempts, b.message FROM begin_task('copier', current_site(), v_task.task_id) b;
        UPDATE public.sent s SET counts = finish_task('copier', current_site(), s.task_id, s.attempts, CASE s.link WHEN 'ALL' THEN 'done' ELSE 'refused' END, 'AE 207 PID-3.1') WHERE s.task_id = v_task.task_id;
    END LOOP;
END $$;
SELECT s.link, s.attempts, s.message = m.raw AS as_received, s.counts FROM public.sent s JOIN task t USING (task_id) JOIN hl7_message m ON m.site_id = t.site_id AND m.message_id = t.message_id ORDER BY s.task_id;
SELECT b.* FROM (SELECT min(r.task_id) AS task_id FROM public.run r) r, LATERAL begin_task('copier', current_site(), r.task_id) b;
SELECT o.link, o.state, o.note FROM outbox o WHERE o.site = 'COPIER' ORDER BY o.task_id;
SELECT type, data - 'task_id' AS data, message_id IS NOT NULL AS has_message FROM event_log WHERE site_id = current_site() AND data ? 'link' ORDER BY xid, seq;
SELECT object, count(*) AS reads FROM audit_event WHERE site_id = current_site() AND action = 'read' AND detail ? 'task_id' GROUP BY 1;
-- A link that gets its address is told; one that is switched off meanwhile is not, though the worker has its task.
UPDATE link SET host = 'pacs.example.org', port = 2575 WHERE name = 'NOWHERE' AND site_id = current_site();
SELECT c.task_id AS booked, c.link ->> 'name' AS link FROM claim_tasks('copier', '{hl7_out}', 10) c WHERE c.site_id = current_site() \gset
UPDATE link SET is_enabled = false WHERE name = 'NOWHERE' AND site_id = current_site();
SELECT * FROM begin_task('copier', current_site(), :booked);
SELECT release_tasks('another', ARRAY[:booked]) AS by_another, release_tasks('copier', ARRAY[:booked]) AS by_itself;
SELECT count(*) AS while_off FROM claim_tasks('copier', '{hl7_out}', 10) c WHERE c.site_id = current_site();
UPDATE link SET is_enabled = true WHERE name = 'NOWHERE' AND site_id = current_site();
SELECT b.attempts, convert_from(b.message, 'UTF8') LIKE '%|RST' || :booked || '|%' AS numbered, extend_leases('copier') = ARRAY[:booked]::bigint[] AS kept
    FROM claim_tasks('copier', '{hl7_out}', 10) c, LATERAL begin_task('copier', c.site_id, c.task_id) b WHERE c.site_id = current_site();
-- The link goes, and with it what it was to be told; its worker is told that nothing counts any more.
DELETE FROM link WHERE name = 'NOWHERE' AND site_id = current_site();
SELECT finish_task('copier', current_site(), :booked, 1, 'done') AS counts;
-- What a link cannot be.
\set VERBOSITY terse
UPDATE link SET port = NULL WHERE name = 'ALL';
UPDATE link SET host = 'http://x' WHERE name = 'ALL';
UPDATE link SET accept_codes = '{}' WHERE name = 'ALL';
UPDATE link SET accept_codes = '{OK}' WHERE name = 'ALL';
UPDATE link SET tls_ca = '../ca.pem' WHERE name = 'ALL';
UPDATE link SET tls_key = 'key.pem' WHERE name = 'ALL';
UPDATE link SET on_refusal = 'shout' WHERE name = 'ALL';
UPDATE link SET copy_senders = '{}' WHERE name = 'ALL';
DROP TABLE public.run, public.sent;
UPDATE link SET is_enabled = false WHERE site_id = current_site();
RESET radscheduler.site;
