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
RESET radscheduler.site;
\c :regress
DROP DATABASE radscheduler_senders;
DROP ROLE rs_test_senders;
