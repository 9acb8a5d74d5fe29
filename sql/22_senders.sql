-- Senders: what a profile may say, how its faults are told, presets and defaults, who is served, and what the report finds.
SET client_min_messages = error;
SELECT current_database() AS regress \gset
DROP DATABASE IF EXISTS radscheduler_senders;
DROP ROLE IF EXISTS rs_test_senders;
CREATE DATABASE radscheduler_senders ENCODING 'UTF8' TEMPLATE template0;
\c radscheduler_senders
SET client_min_messages = error;
CREATE EXTENSION radscheduler CASCADE;
SET client_min_messages = notice;
-- Every key explains itself: its default and its example are understood, alone and together.
SELECT k.key, f.fault FROM radscheduler.profile_key k, LATERAL radscheduler.profile_faults(jsonb_build_object(k.key, k.example)) f;
SELECT k.key, f.fault FROM radscheduler.profile_key k, LATERAL radscheduler.profile_faults(jsonb_build_object(k.key, k.default_value)) f WHERE k.default_value IS NOT NULL;
SELECT * FROM radscheduler.profile_faults((SELECT jsonb_object_agg(k.key, k.example) FROM radscheduler.profile_key k));
SELECT p.name, f.* FROM radscheduler.profile_preset p, LATERAL radscheduler.profile_faults(p.profile) f;
SELECT k.key, w.word, f.fault FROM radscheduler.profile_key k, unnest(k.words) w(word), LATERAL radscheduler.profile_faults(jsonb_build_object(k.key, w.word)) f WHERE k.shape = 'word';
-- Faults, one by one.
\pset format unaligned
\pset tuples_only on
\pset fieldsep ' '
SELECT coalesce(f.key, p::text), f.fault FROM unnest(ARRAY['[]', '"strict"', 'null',
    '{"colour": "red"}', '{"time_zone": "UTC"}', '{"Repair": "strict"}', '{"on_conflicts": "flag"}', '{"": 1}', '{"timezone": "Mars/Olympus"}', '{"timezone": null}', '{"timezone": 5}',
    '{"charset": "KLINGON"}', '{"phone_region": "usa"}', '{"phone_region": "ZZ"}', '{"preset": "guide"}', '{"preset": ["seed_naming"]}',
    '{"repair": "strictly"}', '{"repair": "Lenient"}', '{"repair": true}', '{"update_mode": "bytype"}', '{"order_by": "MSH-7"}', '{"priority_notes": "yes"}', '{"priority_notes": 1}',
    '{"default_authority": ""}', '{"default_authority": "A^B"}', '{"default_authority": "A\nB"}', '{"default_authority": "St. Anna & Söhne"}', '{"modality_source": "ZDS"}', '{"modality_source": ["ZDS-3"]}', '{"modality_source": "OBX[*]-5"}',
    '{"arrival_events": "A04"}', '{"arrival_events": ["A08"]}', '{"arrival_events": ["A04", "A04"]}', '{"arrival_events": [4]}',
    '{"id_source": "PID-3"}', '{"id_source": []}', '{"id_source": ["PV1-19", "pv1 50"]}', '{"id_source": ["PV1-19", "MSH-10"]}', '{"id_source": ["PV1-19", 50]}', '{"id_source": {"path": "PV1-19"}}',
    '{"id_source": ["SCH-5", "SCH-5"]}', '{"id_source": ["SCH-5", "SCH-26", "SCH-27", "PV1-19", "PV1-50", "ZSI-2"]}', '{"id_source": "RGS[2]/AIL-3"}',
    '{"event_map": ["S14"]}', '{"event_map": {"S25": "NEW"}}', '{"event_map": {"A08": "MODIFY"}}', '{"event_map": {"S14": "CANCELED"}}', '{"event_map": {"S14": 15}}', '{"event_map": {"S23": "CANCEL"}}',
    '{"event_map": {"S12": "CANCEL"}}', '{"event_map": {"S15": "NEW"}}', '{"event_map": {"S26": "RESCHEDULE"}}',
    '{"repair": "strict", "timezon": "UTC", "on_conflict": "refuse", "id_source": 7}']::jsonb[]) p, LATERAL radscheduler.profile_faults(p) f;
-- What looks odd and is meant.
SELECT p, radscheduler.is_profile(p) FROM unnest(ARRAY['{}', '{"event_map": {"S12": "CANCEL", "S13": "NEW"}}', '{"event_map": {"S12": "CANCEL", "S15": "NEW"}}', '{"event_map": {"S14": "CANCEL", "S15": "CANCEL"}}',
    '{"event_map": {"S12": "IGNORE", "S23": "IGNORE"}}', '{"id_source": "ZSI-2.1"}', '{"id_source": ["SCH-26[2].1", "OBR-3"]}', '{"arrival_events": []}', '{"charset": "ISO IR87"}',
    '{"default_authority": "St. Anna Söhne"}']::jsonb[]) p;
\pset tuples_only off
\pset fieldsep '|'
\pset format aligned
-- Nobody gets around it, whoever writes.
\set VERBOSITY terse
INSERT INTO radscheduler.sender (site_id, sending_application, profile) SELECT site_id, 'BAD', '{"event_map": {"S12": "CANCEL"}}' FROM radscheduler.site WHERE code = 'MAIN';
UPDATE radscheduler.site SET default_profile = '{"repair": "strictly"}' WHERE code = 'MAIN';
UPDATE radscheduler.site SET unknown_senders = 'ask' WHERE code = 'MAIN';
\set VERBOSITY default
-- A sender in one call: keys are set, null removes one, what is not named stays, or everything is replaced.
SET radscheduler.site = 'MAIN';
SELECT is_new, is_registered, own_profile, whole_profile FROM radscheduler.set_sender('RIS22', 'NORTH', '{"timezone": "America/Chicago", "repair": "strict"}');
SELECT is_new, is_registered, own_profile FROM radscheduler.set_sender('RIS22', 'NORTH', '{"repair": null, "on_conflict": "reject"}');
SELECT is_new, is_registered, own_profile, whole_profile FROM radscheduler.set_sender('RIS22', 'NORTH', '{"preset": "seed_naming"}', replace => true);
SELECT is_registered, own_profile FROM radscheduler.set_sender('RIS22', 'NORTH', registered => false);
SELECT is_registered, own_profile FROM radscheduler.set_sender('RIS22', 'NORTH', registered => NULL);
\set VERBOSITY terse
SELECT radscheduler.set_sender('', '');
SELECT radscheduler.set_sender(NULL, 'NORTH');
SELECT radscheduler.set_sender(repeat('x', 201), '');
SELECT radscheduler.set_sender('RIS22', 'NORTH', '[]');
SELECT radscheduler.set_sender('RIS22', 'NORTH', NULL);
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT radscheduler.set_sender('RIS22', 'NORTH', '{"timezon": "America/Chicago", "repair": "strictly", "id_source": "PID-3", "event_map": {"S14": "CANCELED"}}');
-- One audit event for each change, with old and new values.
SELECT a.action, a.detail FROM radscheduler.audit_event a JOIN radscheduler.sender s ON s.site_id = a.site_id AND s.sender_id = a.object_id
WHERE a.object = 'sender' AND s.sending_application = 'RIS22' ORDER BY a.audit_id;
-- Who may not use every site changes profiles of its own site and registers nobody.
SELECT radscheduler.create_site('SENDERS', 'A site of its own', 'Europe/London') > 0 AS created;
CREATE ROLE rs_test_senders;
SELECT radscheduler.grant_role('admin', 'rs_test_senders'), radscheduler.grant_role('auditor', 'rs_test_senders'), radscheduler.grant_site('rs_test_senders', 'SENDERS');
RESET radscheduler.site;
SET ROLE rs_test_senders;
SELECT is_new, is_registered FROM radscheduler.set_sender('RIS23', 'SOUTH', '{"repair": "strict"}');
SELECT is_new, is_registered FROM radscheduler.set_sender('RIS22', 'NORTH', registered => NULL);
SELECT * FROM radscheduler.profile_faults('{"repair": "strictly"}');
UPDATE radscheduler.site SET default_profile = '{"repair": "strict"}' WHERE code = 'SENDERS';
UPDATE radscheduler.site SET default_profile = '{"repair": "strictly"}' WHERE code = 'SENDERS';
RESET ROLE;
SET radscheduler.site = 'SENDERS';
SELECT radscheduler.set_sender('RIS23', 'SOUTH', registered => true) IS NOT NULL AS registered;
SET ROLE rs_test_senders;
SELECT is_registered, own_profile FROM radscheduler.set_sender('RIS23', 'SOUTH', '{"order_by": "arrival"}');
SELECT is_registered FROM radscheduler.set_sender('RIS23', 'SOUTH', registered => false);
RESET ROLE;
-- The whole profile: a key beats its preset, both beat the site's default, values are taken whole.
SELECT radscheduler.sender_profile('{}'), radscheduler.sender_profile('{"preset": "seed_naming", "repair": "strict"}', '{"repair": "lenient", "timezone": "UTC"}');
SELECT radscheduler.sender_profile('{"preset": "seed_naming", "event_map": {"S14": "CANCEL"}}');
SELECT radscheduler.sender_profile('{"event_map": {"S18": "MODIFY"}}', '{"preset": "seed_naming"}');
SELECT t, radscheduler.event_meant('{}', t) AS standard, radscheduler.event_meant(radscheduler.sender_profile('{"preset": "seed_naming"}'), t) AS seed_naming,
       radscheduler.event_meant('{"event_map": {"S12": "IGNORE", "S18": "NEW", "S27": "RESCHEDULE", "S16": "DELETE", "S14": "NO_SHOW"}}', t) AS other
FROM unnest('{S12,S13,S14,S15,S16,S17,S18,S26,S27}'::text[]) t;
-- Senders that nobody has registered: served with the site's default profile, or refused; recorded either way.
UPDATE radscheduler.site SET default_profile = '{"timezone": "Europe/Paris", "preset": "seed_naming"}' WHERE code = 'SENDERS';
SELECT profile, is_new, is_refused FROM radscheduler.sender_of('STRANGER', 'A');
SELECT profile, is_new, is_refused FROM radscheduler.sender_of('STRANGER', 'A');
UPDATE radscheduler.site SET unknown_senders = 'refuse' WHERE code = 'SENDERS';
SELECT is_new, is_refused FROM radscheduler.sender_of('STRANGER', 'A');
SELECT is_new, is_refused FROM radscheduler.sender_of('STRANGER', 'B');
SELECT is_registered FROM radscheduler.set_sender('STRANGER', 'B');
SELECT is_new, is_refused FROM radscheduler.sender_of('STRANGER', 'B');
SELECT sending_application, sending_facility, profile, is_registered FROM radscheduler.sender WHERE site_id = radscheduler.current_site() ORDER BY 1, 2;
UPDATE radscheduler.site SET unknown_senders = 'accept', default_profile = '{}' WHERE code = 'SENDERS';
-- The report. GUIDE names its events after the integration guide; CHECKIN puts the appointment's id into PV1-19; OLDRIS is none of what the profile says:
-- bytes in Latin 1 without MSH-18, a clock that runs ahead, the exam's time in AIS-4, British telephone numbers, the modality in a Z segment.
SET radscheduler.site = 'MAIN';
SET timezone = 'UTC';
CREATE FUNCTION pg_temp.send(n integer, sender text, event text, ahead interval, tail text) RETURNS text LANGUAGE sql AS $$
SELECT (radscheduler.ingest(convert_to(replace(replace(format(E'MSH|^~\\&|%s|||%s||SIU^%s|%s-%s-%s|P|2.5\r%s', sender, to_char(timezone('UTC', now()) + ahead, 'YYYYMMDDHH24MISS'),
    event, replace(sender, '|', '.'), event, n || ahead::text, tail), '#', n::text), '@', to_char(date '2031-05-01' + n, 'YYYYMMDD')), CASE sender WHEN 'OLDRIS|WEST' THEN 'LATIN1' ELSE 'UTF8' END))).code $$;
\set pid 'PID|1||P22-#^^^^MR||Report#^Person#||19700101|F|||||617-555-0123'
SELECT code, count(*) FROM generate_series(1, 12) n, pg_temp.send(n, 'GUIDE|NORTH', 'S12', '-2:00', E'SCH||G#|||||||30|MIN|^^30^@1000||||||||||||||Vorgemerkt\r' || :'pid' || E'\rRGS|1|A\rAIS|1|A|CT002^CT CHEST\rAIG|1|A|SCAN22') code GROUP BY 1;
SELECT code, count(*) FROM generate_series(1, 3) n, pg_temp.send(n, 'GUIDE|NORTH', 'S13', '-1:40', E'SCH||G#|||||||30|MIN|^^30^@1130||||||||||||||Aussicht\r' || :'pid' || E'\rAIS|1|U|CT002^CT CHEST') code GROUP BY 1;
SELECT code, count(*) FROM generate_series(4, 7) n, pg_temp.send(n, 'GUIDE|NORTH', 'S14', '-1:30', E'SCH||G#\r' || :'pid') code GROUP BY 1;
SELECT code, count(*) FROM generate_series(1, 4) n, pg_temp.send(n, 'CHECKIN|EAST', 'S14', '-1:00', E'SCH|||||||||30|MIN|^^30^@1500||||||||||||||6^ARRIVED\r' || :'pid' || E'\rPV1|1|O|ROOM^12||||7^Attending#||||||||||||V#\rAIS|1||CT002^CT CHEST') code GROUP BY 1;
SELECT code, count(*) FROM generate_series(1, 4) n, (VALUES ('S12', '0:11'), ('S15', '0:12'), ('S12', '0:13')) t(event, ahead), pg_temp.send(n, 'OLDRIS|WEST', event, ahead::interval,
    E'SCH||O#|||||||30|MIN|^^30^@1000\rPID|1||P23-#||Müller#^Käthe#||||||||07700 900#23\rAIS|1||X99#^Verlaufskontrolle|@1400\rZMO|1|MR\rNTE|1||Priority: S') code GROUP BY 1;
-- Everything about one sender. No name, number or value of a patient is in it, whatever the field.
SELECT section, item, n, share, CASE WHEN item = 'messages' THEN regexp_replace(detail, ', the last.*', '') ELSE detail END AS detail, setting
FROM radscheduler.sender_report('GUIDE|NORTH') WHERE section <> 'warnings';
SELECT section, item, detail FROM radscheduler.sender_report() WHERE concat_ws(' ', item, detail, setting) ~* 'P2[23]-|Report#?\d|Person|M.ller|K[^ ]the|555|7700|Verlauf|Attending\d|Aussicht|\m[VGO]1';
-- What each profile should say, and why.
SELECT sender_name, item, n, share, detail, setting FROM radscheduler.sender_report() WHERE section = 'suggestion';
-- The suggestion taken: it is not made again.
SELECT s.is_registered, s.own_profile FROM radscheduler.sender_report('CHECKIN|EAST') r, radscheduler.set_sender('CHECKIN', 'EAST', r.setting) s WHERE r.section = 'suggestion' AND r.item = 'id_source';
SELECT item, setting FROM radscheduler.sender_report('CHECKIN|EAST') WHERE section = 'suggestion';
-- The period and the sample.
SELECT item, n FROM radscheduler.sender_report('GUIDE|NORTH', sample => 4) WHERE section = 'sender' AND n IS NOT NULL OR section = 'fields' AND item LIKE 'AIG%';
SELECT section, item, n FROM radscheduler.sender_report('GUIDE|NORTH', since => '2001-01-01', until => '2001-02-01');
\set VERBOSITY terse
SELECT * FROM radscheduler.sender_report('ABSENT|HERE');
SELECT * FROM radscheduler.sender_report(since => now(), until => now());
SELECT * FROM radscheduler.sender_report(sample => 0);
\set VERBOSITY default
-- Bytes that are no message, and words that are too rare, are counted and not shown.
SELECT radscheduler.readable_message('\x4d5348', NULL) IS NULL AS unreadable, radscheduler.readable_message(convert_to(E'MSH|^~\\&|A', 'UTF8'), 'KLINGON') IS NULL AS unknown_charset;
SELECT t, radscheduler.text_shape(t) FROM unnest('{"",19700101,20310501,203105011000,20310501100000.1234+0200,6175550123,2031-05-01T10:00,30,-1.5,MIN,CT002,"CT CHEST",99999999}'::text[]) t;
SELECT f, radscheduler.field_shape(f::jsonb) FROM unnest(ARRAY['""', 'null', '"A"', '[["", "", "30", "203105011000"]]', '[["A", ["B", "C"], null], "D"]', '[{"text": "A B", "raw": "A\\T\\B"}]']) f;
-- An auditor of the site reads it, and it is written down; another role does not, and nobody sees a sender of another site.
SELECT radscheduler.grant_site('rs_test_senders', 'MAIN');
SET radscheduler.site = 'SENDERS';
SET ROLE rs_test_senders;
SELECT DISTINCT site, sender_name FROM radscheduler.sender_report() ORDER BY 1, 2;
SELECT count(*) FROM radscheduler.sender_report('GUIDE|NORTH');
RESET ROLE;
SELECT radscheduler.revoke_role('admin', 'rs_test_senders');
SET ROLE rs_test_senders;
SELECT count(*) > 0 AS seen FROM radscheduler.sender_report('RIS23|SOUTH');
SELECT radscheduler.set_sender('RIS23', 'SOUTH');
RESET ROLE;
SELECT radscheduler.revoke_role('auditor', 'rs_test_senders');
SET ROLE rs_test_senders;
SELECT * FROM radscheduler.sender_report();
RESET ROLE;
SELECT DISTINCT action, object, detail FROM radscheduler.audit_event WHERE action = 'sender.report' AND role_name = 'rs_test_senders';
RESET radscheduler.site;
\c :regress
DROP DATABASE radscheduler_senders;
DROP ROLE rs_test_senders;
