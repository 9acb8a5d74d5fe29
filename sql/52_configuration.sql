-- The configuration as one document: out of one database, into another, and back without a difference; what it refuses and how it says so.
SET client_min_messages = error;
SELECT current_database() AS regress \gset
DROP DATABASE IF EXISTS radscheduler_test_site;
DROP DATABASE IF EXISTS radscheduler_production;
CREATE DATABASE radscheduler_test_site ENCODING 'UTF8' TEMPLATE template0;
CREATE DATABASE radscheduler_production ENCODING 'UTF8' TEMPLATE template0;
\c radscheduler_test_site
SET client_min_messages = error;
CREATE EXTENSION radscheduler CASCADE;
-- Two sites with everything a document can hold, and what it must not hold: a block that is over, hours that hold on no day.
UPDATE radscheduler.site SET name = 'North Hospital', timezone = 'America/New_York', slot_minutes = 10 WHERE code = 'MAIN';
SELECT radscheduler.create_site('SOUTH', 'South campus', 'Europe/London') > 0 AS created;
UPDATE radscheduler.site SET unknown_senders = 'refuse', default_profile = '{"preset": "seed_naming"}' WHERE code = 'SOUTH';
SET radscheduler.site = 'MAIN';
SELECT radscheduler.add_resource('CT1', 'CT scanner 1', 'equipment', 'CT', setup_minutes => 5, turnover_minutes => 10, aliases => '{CTA1,"Scanner A"}') > 0 AS added;
SELECT radscheduler.add_resource('BAY', 'Ultrasound bay', 'room', 'US', capacity => 2) > 0 AS added;
SELECT radscheduler.add_resource('T1', 'Shaw, Anna', 'staff', role => 'technologist', aliases => '{SHAW}') > 0 AS added;
SET radscheduler.site = 'SOUTH';
SELECT radscheduler.add_resource('CT1', 'CT of the south', 'equipment', 'CT') > 0 AS added;
SELECT radscheduler.add_resource('CT-OLD', 'A name that now means CT1', 'equipment', 'CT') > 0 AS added;
RESET radscheduler.site;
SELECT s.site_id AS south, r.resource_id AS ct1 FROM radscheduler.site s JOIN radscheduler.resource r USING (site_id) WHERE s.code = 'SOUTH' AND r.code = 'CT1' \gset
UPDATE radscheduler.resource_alias SET resource_id = :ct1 WHERE site_id = :south AND alias = 'CT-OLD';
INSERT INTO radscheduler.resource_alias (site_id, kind, alias, resource_id) VALUES (:south, 'room', 'CT ROOM', :ct1);
DELETE FROM radscheduler.procedure WHERE site_id = :south AND modality = 'PT';
DELETE FROM radscheduler.modality_alias WHERE site_id = :south AND code = 'PT';
DELETE FROM radscheduler.modality WHERE site_id = :south AND code = 'PT';
INSERT INTO radscheduler.procedure (site_id, code, name, modality) VALUES (:south, 'CT777', 'CT HEAD', 'CT');
INSERT INTO radscheduler.procedure_alias (site_id, alias, code) VALUES (:south, 'SCAN 7', 'CT777'), (:south, 'CT002', 'CT777');
UPDATE radscheduler.procedure SET contrast = 'with', prep = 'Six hours without food.' WHERE site_id = :south AND code = 'US004';
DELETE FROM radscheduler.resource_hours WHERE site_id = :south AND weekday > 1;
INSERT INTO radscheduler.resource_hours (site_id, resource_id, weekday, opens, closes, valid) VALUES
    (:south, :ct1, 6, '08:00', '24:00', '[2031-01-01,2031-12-31]'), (:south, :ct1, 1, '09:00', '12:30', DEFAULT), (:south, :ct1, 2, '09:00', '10:00', 'empty');
INSERT INTO radscheduler.resource_block (site_id, resource_id, during, reason) VALUES
    (:south, :ct1, '[2031-03-14 08:00 Europe/London, 2031-03-14 12:00 Europe/London)', 'helium'),
    (:south, :ct1, '[2001-03-14 08:00 Europe/London, 2001-03-14 12:00 Europe/London)', 'over'), (:south, :ct1, '[2031-04-01 00:00:00.5Z, infinity)', NULL);
INSERT INTO radscheduler.calendar_day (site_id, resource_id, day, name, opens, closes) VALUES
    (:south, NULL, '2031-12-25', 'Christmas Day', DEFAULT, DEFAULT), (:south, :ct1, '2031-12-25', NULL, '{13:00,08:00}', '{17:30,12:00}'), (:south, NULL, '2001-12-25', 'over', DEFAULT, DEFAULT);
INSERT INTO radscheduler.reserved_hours (site_id, resource_id, modality, weekday, opens, closes, valid, kind, name, urgencies, patient_classes, procedures, release_hours) VALUES
    (:south, :ct1, NULL, 1, '10:00', '12:00', DEFAULT, 'urgent', 'Emergencies', '{urgent,stat}', '{E}', DEFAULT, 24), (:south, NULL, 'CT', 3, '07:00', '12:00', '[2031-01-01,2031-12-31]', 'exams', NULL, DEFAULT, DEFAULT, '{%CARDIAC%}', NULL),
    (:south, :ct1, NULL, 5, '18:00', '24:00', DEFAULT, 'maintenance', NULL, DEFAULT, DEFAULT, DEFAULT, NULL);
INSERT INTO radscheduler.sender (site_id, sending_application, sending_facility, profile, is_registered) VALUES
    (:south, 'RIS', 'SOUTH', '{"timezone": "Europe/London", "repair": "strict"}', true), (:south, 'RIS', '', '{}', false);
-- What it looks like. Nothing depends on the session.
SET timezone = 'UTC';
SELECT radscheduler.configuration_export() AS document \gset
SELECT key, CASE key WHEN 'sites' THEN jsonb_path_query_array(value, '$[*].code') WHEN 'exported_at' THEN to_jsonb(value #>> '{}' ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$') ELSE value END AS value
FROM jsonb_each(:'document') ORDER BY key;
SELECT jsonb_pretty(jsonb_path_query_array(:'document', '$.sites[*] ? (@.code == "SOUTH")') -> 0 #- '{modalities}' #- '{procedures}') AS south;
SELECT jsonb_path_query(:'document', '$.sites[1].modalities[*] ? (@.code == "BMD")') AS modality, jsonb_path_query(:'document', '$.sites[1].procedures[*] ? (@.code == "CT777")') AS procedure;
SELECT count(*) AS surrogate_ids FROM regexp_matches(:'document', '"[a-z_]*_id"', 'g');
SET timezone = 'Asia/Tokyo';
SET datestyle = 'German';
SET intervalstyle = 'iso_8601';
SELECT radscheduler.configuration_export() - 'exported_at' = :'document'::jsonb - 'exported_at' AS same, (radscheduler.configuration_export() - 'exported_at')::text = (:'document'::jsonb - 'exported_at')::text AS same_text;
SELECT DISTINCT action, changes FROM radscheduler.configuration_import(:'document', dry_run => false);
RESET datestyle;
RESET timezone;
SELECT s.code, a.action, a.object, a.object_id = s.site_id AS object_id, a.detail, count(*) FROM radscheduler.audit_event a JOIN radscheduler.site s USING (site_id)
WHERE a.action LIKE 'configuration.%' GROUP BY 1, 2, 3, 4, 5 ORDER BY 1;
-- Into another database: what a dry run says is what happens, and the dry run leaves nothing.
\c radscheduler_production
SET client_min_messages = error;
CREATE EXTENSION radscheduler CASCADE;
SELECT radscheduler.configuration_export() - 'exported_at' AS before \gset
\pset format unaligned
CREATE TEMP TABLE dry AS SELECT * FROM radscheduler.configuration_import(:'document') WITH ORDINALITY;
SELECT radscheduler.configuration_export() - 'exported_at' = :'before' AS nothing_kept, (SELECT count(*) FROM radscheduler.audit_event WHERE action = 'configuration.import') AS audited;
CREATE TEMP TABLE done AS SELECT * FROM radscheduler.configuration_import(:'document', dry_run => false) WITH ORDINALITY;
SELECT count(*) AS dry_but_not_done FROM (TABLE dry EXCEPT ALL TABLE done) d;
SELECT count(*) AS done_but_not_dry FROM (TABLE done EXCEPT ALL TABLE dry) d;
SELECT site, item, action, count(*) FROM done GROUP BY 1, 2, 3 ORDER BY 1, min(ordinality);
SELECT site, item, name, action, changes FROM done WHERE item IN ('site', 'sender', 'resource') ORDER BY ordinality;
SELECT (radscheduler.configuration_export() - 'exported_at')::text = (:'document'::jsonb - 'exported_at')::text AS same_text;
SELECT DISTINCT action, changes FROM radscheduler.configuration_import(:'document', dry_run => false);
SELECT s.code, a.action, a.object, a.object_id = s.site_id AS object_id, a.detail FROM radscheduler.audit_event a JOIN radscheduler.site s USING (site_id)
WHERE a.action = 'configuration.import' ORDER BY 1;
-- Merge: a key left out keeps its value, null clears, lists are replaced where they are there, what is not named stays.
CREATE FUNCTION pg_temp.document(sites jsonb) RETURNS jsonb LANGUAGE sql AS $$
SELECT jsonb_build_object('format', 'radscheduler.configuration', 'version', 1, 'sites', CASE jsonb_typeof(sites) WHEN 'object' THEN jsonb_build_array(sites) ELSE sites END) $$;
CREATE FUNCTION pg_temp.import(site jsonb) RETURNS TABLE (item text, name text, action text, changes jsonb) LANGUAGE sql AS $$
SELECT i.item, i.name, i.action, i.changes FROM radscheduler.configuration_import(pg_temp.document(site), dry_run => false) i $$;
SELECT site_id AS south FROM radscheduler.site WHERE code = 'SOUTH' \gset
SELECT * FROM pg_temp.import('{"code": "SOUTH", "slot_minutes": 20.0}');
SELECT * FROM pg_temp.import('{"code": "SOUTH", "timezone": null, "hours": []}');
SELECT * FROM pg_temp.import('{"code": "SOUTH", "unknown_senders": "accept", "default_profile": {}}');
SELECT * FROM pg_temp.import('{"code": "SOUTH", "resources": [{"kind": "equipment", "code": "CT1", "capacity": 2, "modality": null}]}');
SELECT * FROM pg_temp.import('{"code": "SOUTH", "resources": [{"kind": "equipment", "code": "CT1", "blocks": [], "hours": [{"weekday": 1, "opens": "09:00:00", "closes": "12:30", "valid_from": null}]}]}');
SELECT * FROM pg_temp.import('{"code": "SOUTH", "senders": [{"sending_application": "RIS", "sending_facility": "SOUTH", "profile": {}}, {"sending_application": "NEW", "sending_facility": ""}]}');
SELECT * FROM pg_temp.import('{"code": "SOUTH", "procedures": [{"code": "MRI001", "minutes": null}, {"code": "US9", "name": "US NECK", "modality": "US", "minutes": 20}]}');
SELECT * FROM pg_temp.import('{"code": "SOUTH", "procedures": [{"code": "US9", "contrast": "none", "prep": "Nothing.", "aliases": ["us neck left", " nk "]}, {"code": "US004", "prep": null, "contrast": "none"}]}');
SELECT * FROM pg_temp.import('{"code": "SOUTH", "procedures": [{"code": "US9", "aliases": []}, {"code": "US10", "name": "US NECK SHORT", "modality": "US", "aliases": ["NK"]}]}');
SELECT * FROM pg_temp.import('{"code": "SOUTH", "modalities": [{"code": "ECG", "label": "ECG", "name": "Electrocardiography", "default_minutes": 10}, {"code": "BMD", "aliases": ["dexa"]}]}');
-- Rows that stay are not written again; blocks that are over are neither taken in nor removed.
INSERT INTO radscheduler.resource_block (site_id, resource_id, during, reason) SELECT r.site_id, r.resource_id, d::tstzrange, 'kept' FROM radscheduler.resource r,
    unnest(ARRAY['[2001-01-01Z, 2001-01-02Z)', '[2031-05-01Z, 2031-05-02Z)']) d WHERE r.site_id = :south AND r.code = 'CT1';
CREATE TEMP TABLE blocks AS SELECT block_id, xmin::text AS written FROM radscheduler.resource_block WHERE reason = 'kept';
SELECT * FROM pg_temp.import('{"code": "SOUTH", "resources": [{"kind": "equipment", "code": "CT1", "blocks": [
    {"starts_at": "2031-05-01T02:00:00+02:00", "ends_at": "2031-05-02T00:00Z", "reason": "kept"}, {"starts_at": "2031-06-01T00:00Z", "ends_at": "2031-06-02T00:00Z"},
    {"starts_at": "2001-06-01T00:00Z", "ends_at": "2001-06-02T00:00Z", "reason": "long over"}]}]}');
SELECT count(*) AS same_rows FROM radscheduler.resource_block b JOIN blocks k ON k.block_id = b.block_id AND k.written = b.xmin::text;
SELECT count(*) AS over FROM radscheduler.resource_block WHERE reason = 'long over';
-- Names move between items in one document, and a new item has its own code as a name.
SELECT * FROM pg_temp.import('{"code": "SOUTH", "resources": [{"kind": "equipment", "code": "CT2", "name": "CT 2", "aliases": ["ct-old", {"kind": "room", "alias": "ct room"}]}, {"kind": "equipment", "code": "CT1", "aliases": ["CT3"]}]}');
SELECT * FROM pg_temp.import('{"code": "SOUTH", "resources": [{"kind": "equipment", "code": "CT2", "aliases": ["CT3"]}, {"kind": "equipment", "code": "CT1", "aliases": ["CT2"]}]}');
SELECT r.code, a.kind, a.alias FROM radscheduler.resource r JOIN radscheduler.resource_alias a USING (site_id, resource_id) WHERE r.site_id = :south ORDER BY 1, 2, 3;
SELECT * FROM pg_temp.import('{"code": "SOUTH", "modalities": [{"code": "DX", "aliases": []}, {"code": "ECG", "aliases": ["DX", "CR"]}]}');
-- A new site: the catalogue stays where the document has no list, OT in any case; a listed item takes what the document leaves out from the catalogue.
SELECT * FROM pg_temp.import('{"code": "EAST", "name": "East"}');
SELECT * FROM pg_temp.import('{"code": "WEST", "name": "West", "modalities": [{"code": "MR", "default_minutes": 40}], "hours": [{"weekday": 7, "opens": "00:00", "closes": "24:00"}]}');
SELECT s.code, (SELECT count(*) FROM radscheduler.modality m WHERE m.site_id = s.site_id) AS modalities, (SELECT count(*) FROM radscheduler.procedure p WHERE p.site_id = s.site_id) AS procedures,
       (SELECT count(*) FROM radscheduler.resource_hours h WHERE h.site_id = s.site_id) AS hours FROM radscheduler.site s WHERE s.code IN ('EAST', 'WEST') ORDER BY 1;
-- Refusals: dry or not, the same state, words, detail and hint, and nothing is kept.
CREATE FUNCTION pg_temp.refused(document jsonb) RETURNS TABLE (code text, message text, detail text, hint text) LANGUAGE plpgsql AS $$
DECLARE
    v_said text[];
BEGIN
    FOR v_run IN 1..2 LOOP
        BEGIN
            PERFORM * FROM radscheduler.configuration_import(document, dry_run => v_run = 1);
            code := 'accepted'; message := NULL; detail := NULL; hint := NULL;
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
        END;
        v_said := v_said || concat_ws('|', code, message, detail, hint);
    END LOOP;
    IF v_said[1] <> v_said[2] THEN
        message := 'dry and real run differ';
    END IF;
    RETURN NEXT;
END $$;
\pset fieldsep '\n    '
\pset tuples_only on
-- The document itself.
SELECT r.* FROM unnest(ARRAY[NULL, '[]', '{"version": 1, "sites": []}', '{"format": "radscheduler.configuration", "version": 2, "sites": [], "later": 1}',
    '{"format": "radscheduler.configuration", "sites": []}', '{"format": "radscheduler.configuration", "version": 1}', '{"format": "radscheduler.configuration", "version": 1, "sites": {}}',
    '{"format": "radscheduler.configuration", "version": 1, "sites": [1]}', '{"format": "radscheduler.configuration", "version": 1, "sites": [], "rules": []}',
    '{"format": "radscheduler.configuration", "version": 1, "sites": [], "exported_at": 7}']::jsonb[]) d, pg_temp.refused(d) r;
-- A value at a place of an otherwise good document.
CREATE TEMP TABLE good AS SELECT pg_temp.document('[{"code": "MAIN"}, {"code": "SOUTH", "name": "South", "senders": [{"sending_application": "RIS", "sending_facility": "SOUTH"}],
    "modalities": [{"code": "MR"}], "procedures": [{"code": "MRI001"}], "hours": [{"weekday": 1, "opens": "08:00", "closes": "09:00"}],
    "resources": [{"kind": "equipment", "code": "CT1", "hours": [{"weekday": 1, "opens": "08:00", "closes": "09:00"}],
                   "blocks": [{"starts_at": "2031-05-01T00:00Z", "ends_at": "2031-05-02T00:00Z"}]}, {"kind": "staff", "code": "T7", "name": "Reed"}]}]') AS document;
SELECT r.* FROM good, pg_temp.refused(document) r;
SELECT radscheduler.configuration_export() - 'exported_at' AS before \gset
SELECT r.* FROM good, (VALUES
    ('{sites,1,code}', '"no such code"'), ('{sites,1,code}', '7'), ('{sites,1,name}', 'null'), ('{sites,1,timezone}', '"Mars/Olympus"'), ('{sites,1,phone_region}', '"usa"'),
    ('{sites,1,slot_minutes}', '0'), ('{sites,1,slot_minutes}', '"15"'), ('{sites,1,unknown_senders}', '"ask"'), ('{sites,1,unknown_senders}', 'null'),
    ('{sites,1,default_profile}', '{"preset": "guide", "time_zone": "UTC"}'), ('{sites,1,default_profile}', 'null'), ('{sites,1,colour}', '"red"'), ('{sites,1,senders}', 'null'),
    ('{sites,1,senders,0,profile}', '{"repair": "strictly"}'), ('{sites,1,senders,0,profile}', '[]'), ('{sites,1,senders,0,is_registered}', '"yes"'), ('{sites,1,senders,0,site_id}', '1'),
    ('{sites,1,modalities,0,default_minutes}', '30.5'), ('{sites,1,modalities,0,default_minutes}', '1e300'), ('{sites,1,modalities,0,aliases}', '"MRI"'), ('{sites,1,modalities,0,aliases}', '["MRI", ""]'),
    ('{sites,1,modalities,0,aliases}', '["MRI", {"kind": "room", "alias": "MRI"}]'),
    ('{sites,1,procedures,0,modality}', '"ZZ"'), ('{sites,1,procedures,0,modality}', 'null'), ('{sites,1,procedures,0,minutes}', '1441'), ('{sites,1,procedures,0,code}', '""'),
    ('{sites,1,procedures,0,contrast}', '"maybe"'), ('{sites,1,procedures,0,contrast}', 'null'), ('{sites,1,procedures,0,prep}', '""'), ('{sites,1,procedures,0,aliases}', 'null'), ('{sites,1,procedures,0,aliases}', '["A", "a"]'),
    ('{sites,1,hours,0,closes}', '"08:00"'), ('{sites,1,hours,0,closes}', '"25:00"'), ('{sites,1,hours,0,opens}', '"8:00"'), ('{sites,1,hours,0,weekday}', '0'),
    ('{sites,1,hours,0,valid_from}', '"2031-02-30"'), ('{sites,1,hours,0,valid_from}', '"tomorrow"'), ('{sites,1,hours,0}', '{"weekday": 1, "opens": "08:00", "closes": "09:00", "valid_from": "2031-02-02", "valid_until": "2031-02-01"}'),
    ('{sites,1,hours,0}', '{"weekday": 1, "opens": "08:00"}'),
    ('{sites,1,resources,0,kind}', '"scanner"'), ('{sites,1,resources,0,modality}', '"ZZ"'), ('{sites,1,resources,0,capacity}', '0'), ('{sites,1,resources,0,capacity}', 'true'), ('{sites,1,resources,0,setup_minutes}', '481'),
    ('{sites,1,resources,0,is_active}', '1'), ('{sites,1,resources,0,hours,0,closes}', '"07:59"'), ('{sites,1,resources,0,aliases}', '[7]'), ('{sites,1,resources,0,aliases}', '[{"kind": "room"}]'),
    ('{sites,1,resources,0,blocks,0,starts_at}', '"2031-05-01 00:00"'), ('{sites,1,resources,0,blocks,0,starts_at}', '"2031-05-32T00:00Z"'), ('{sites,1,resources,0,blocks,0,ends_at}', '"2031-05-01T01:00+02:00"'),
    ('{sites,1,resources,0,blocks,0,reason}', '{"a": 1}'), ('{sites,1,resources,1,turnover_minutes}', '5'), ('{sites,1,resources,1}', '[]')) v(place, value),
    pg_temp.refused(jsonb_set(document, v.place::text[], v.value::jsonb)) r;
-- New items that lack a key, and everything that is named twice.
SELECT r.* FROM (VALUES
    ('{"name": "without code"}'), ('{"code": "NORTH"}'), ('{"code": "SOUTH", "modalities": [{"code": "ZZ", "label": "ZZ", "name": "Zz"}]}'), ('{"code": "SOUTH", "procedures": [{"code": "ZZ", "name": "Zz"}]}'),
    ('{"code": "SOUTH", "resources": [{"kind": "room", "code": "ZZ"}]}'), ('{"code": "SOUTH", "resources": [{"code": "ZZ", "name": "Zz"}]}'), ('{"code": "SOUTH", "senders": [{"sending_application": "ZZ"}]}'),
    ('[{"code": "SOUTH"}, {"code": "MAIN"}, {"code": "SOUTH"}]'), ('{"code": "SOUTH", "senders": [{"sending_application": "A", "sending_facility": ""}, {"sending_facility": "", "sending_application": "A"}]}'),
    ('{"code": "SOUTH", "modalities": [{"code": "MR"}, {"code": "CT"}, {"code": "MR"}]}'), ('{"code": "SOUTH", "procedures": [{"code": "MRI001"}, {"code": "MRI001"}]}'),
    ('{"code": "SOUTH", "resources": [{"kind": "room", "code": "R", "name": "R"}, {"kind": "staff", "code": "R", "name": "R"}, {"kind": "room", "code": "R", "name": "R"}]}'),
    ('{"code": "SOUTH", "modalities": [{"code": "MR", "aliases": ["MRI"]}, {"code": "CT", "aliases": ["X", "mri"]}]}'),
    ('{"code": "SOUTH", "resources": [{"kind": "room", "code": "R", "name": "R", "aliases": ["A", "B", "a"]}]}'),
    ('{"code": "SOUTH", "resources": [{"kind": "room", "code": "R", "name": "R", "aliases": ["A"]}, {"kind": "equipment", "code": "R", "name": "R", "aliases": [{"kind": "room", "alias": "A"}]}]}')) v(sites),
    pg_temp.refused(pg_temp.document(v.sites::jsonb)) r;
-- What the rows refuse: names of items the document does not list, two resources of one code, a rule a DBA has added. No row is quoted.
INSERT INTO radscheduler.resource (site_id, kind, code, name) SELECT :south, 'room', 'TWIN', 'Twin' FROM generate_series(1, 2);
CREATE UNIQUE INDEX one_name ON radscheduler.resource (site_id, name) WHERE name <> 'Twin';
ALTER TABLE radscheduler.site ADD CONSTRAINT short_name CHECK (length(name) < 20);
SELECT r.* FROM (VALUES
    ('{"code": "SOUTH", "procedures": [{"code": "US9", "aliases": ["USABD"]}]}'), ('{"code": "SOUTH", "procedures": [{"code": "US9", "aliases": ["  "]}]}'),
    ('{"code": "SOUTH", "modalities": [{"code": "MR", "aliases": ["CT"]}]}'), ('{"code": "SOUTH", "resources": [{"kind": "equipment", "code": "CT9", "name": "Ct 9", "aliases": ["CT3"]}]}'),
    ('{"code": "SOUTH", "resources": [{"kind": "equipment", "code": "ct1", "name": "Ct 1"}]}'), ('{"code": "SOUTH", "resources": [{"kind": "room", "code": "TWIN", "capacity": 2}]}'),
    ('{"code": "SOUTH", "resources": [{"kind": "equipment", "code": "CT1", "capacity": 3}, {"kind": "equipment", "code": "CT2", "name": "CT of the south"}]}'),
    ('{"code": "SOUTH", "name": "The campus south of the river"}')) v(sites),
    pg_temp.refused(pg_temp.document(v.sites::jsonb)) r;
\pset tuples_only off
\pset fieldsep '|'
\set VERBOSITY terse
SELECT radscheduler.configuration_export();
\set VERBOSITY default
DELETE FROM radscheduler.resource WHERE code = 'TWIN';
SELECT radscheduler.configuration_export() - 'exported_at' = :'before' AS nothing_kept;
-- A session narrowed to one site exports that one, and cannot tell whether there is another.
SET radscheduler.site = 'SOUTH';
SELECT jsonb_path_query_array(radscheduler.configuration_export(), '$.sites[*].code') AS sites;
SELECT r.* FROM unnest(ARRAY['[{"code": "SOUTH"}, {"code": "EAST", "name": "E"}]', '[{"code": "SOUTH"}, {"code": "NONE", "name": "N"}]', '{"code": "SOUTH"}']::jsonb[]) d, pg_temp.refused(pg_temp.document(d)) r;
SELECT code FROM radscheduler.site ORDER BY 1;
SET radscheduler.site = 'NEXT';
SELECT r.code, r.message FROM unnest(ARRAY['{"code": "SOUTH"}', '{"code": "NEXT", "name": "Next"}']::jsonb[]) d, pg_temp.refused(pg_temp.document(d)) r;
-- A site's view of rules, its ways, and what its resources are beyond their modality: in, out again, and nothing more to do; what cannot be is refused.
SET radscheduler.site = 'SOUTH';
\set rules '{"code": "SOUTH", "travel_minutes": 10, "campus_minutes": 30, "rules": [{"code": "OUTSIDE_HOURS", "severity": "info"}, {"code": "MAINTENANCE", "severity": "off"}], "resources": [{"kind": "equipment", "code": "CT1", "modalities": ["MR"], "location": "Cellar", "campus": "East", "blocks": [{"starts_at": "2031-05-01T08:00:00Z", "ends_at": "2031-05-01T10:00:00Z", "kind": "maintenance"}]}]}'
SELECT item, changes - 'blocks' AS changes, changes #> '{blocks,1}' AS blocks FROM pg_temp.import(:'rules');
SELECT action, count(*) FROM pg_temp.import(:'rules') GROUP BY 1;
SELECT s -> 'rules' AS rules, s -> 'campus_minutes' AS campus FROM jsonb_array_elements(radscheduler.configuration_export() -> 'sites') s;
SELECT item, changes FROM pg_temp.import('{"code": "SOUTH", "rules": [{"code": "MAINTENANCE", "severity": "warning"}]}');
SELECT r.message, r.hint FROM (VALUES ('{"code": "SOUTH", "rules": [{"code": "NAPS", "severity": "off"}]}'), ('{"code": "SOUTH", "rules": [{"code": "MAINTENANCE", "severity": "dire"}]}'),
    ('{"code": "SOUTH", "rules": [{"code": "MAINTENANCE", "severity": "off"}, {"code": "MAINTENANCE", "severity": "info"}]}'), ('{"code": "SOUTH", "resources": [{"kind": "equipment", "code": "CT1", "modalities": ["QQ"]}]}'),
    ('{"code": "SOUTH", "resources": [{"kind": "equipment", "code": "CT1", "blocks": [{"starts_at": "2031-05-01T08:00:00Z", "ends_at": "2031-05-01T10:00:00Z", "kind": "nap"}]}]}'), ('{"code": "SOUTH", "travel_minutes": 241}')) v(sites),
    pg_temp.refused(pg_temp.document(v.sites::jsonb)) r;
-- Clinical rules: scope, a rule's numbers (null is a value of some), rules of the site's own, what a table carries.
\set rules '{"code": "SOUTH", "clinical_rules": "bookings", "rules": [{"code": "METFORMIN", "parameters": {"safe_egfr": null}}, {"code": "PREGNANCY", "severity": "critical", "if_unknown": "critical"}], "own_rules": [{"code": "HEAVY", "severity": "info", "text": "Heavy.", "fact_kind": "weight", "fact_test": "above", "fact_value": 120.5}, {"code": "KNEES", "severity": "off", "text": "Knees.", "modalities": ["MR"], "contrast": false}], "resources": [{"kind": "equipment", "code": "CT1", "weight_limit_kg": 204}]}'
SELECT item, changes FROM pg_temp.import(:'rules');
SELECT action, count(*) FROM pg_temp.import(:'rules') GROUP BY 1;
SELECT s -> 'clinical_rules' AS scope, s -> 'rules' AS rules, s -> 'own_rules' AS own_rules FROM jsonb_array_elements(radscheduler.configuration_export() -> 'sites') s;
SELECT item, changes FROM pg_temp.import('{"code": "SOUTH", "clinical_rules": "known", "rules": [], "own_rules": [{"code": "HEAVY", "severity": "warning", "text": "Heavy.", "fact_kind": "weight", "fact_test": "above", "fact_value": 130}], "resources": [{"kind": "equipment", "code": "CT1", "weight_limit_kg": null}]}');
SELECT r.message, r.hint FROM (VALUES ('{"code": "SOUTH", "clinical_rules": "some"}'), ('{"code": "SOUTH", "rules": [{"code": "EGFR_LOW", "parameters": {"below": 3}}]}'), ('{"code": "SOUTH", "rules": [{"code": "EGFR_LOW", "parameters": 3}]}'), ('{"code": "SOUTH", "rules": [{"code": "EGFR_LOW", "if_unknown": "info"}]}'),
    ('{"code": "SOUTH", "rules": [{"code": "EGFR_LOW"}]}'), ('{"code": "SOUTH", "own_rules": [{"code": "HEAVY", "severity": "info", "text": "Heavy."}]}'), ('{"code": "SOUTH", "own_rules": [{"code": "EGFR_LOW", "severity": "info", "text": "Taken.", "sex": "F"}]}'),
    ('{"code": "SOUTH", "own_rules": [{"code": "HEAVY", "severity": "info", "text": "Heavy.", "fact_kind": "weight", "fact_test": "above", "fact_value": "much"}]}')) v(sites), pg_temp.refused(pg_temp.document(v.sites::jsonb)) r;
RESET radscheduler.site;
\c :regress
DROP DATABASE radscheduler_test_site;
DROP DATABASE radscheduler_production;
