-- Who may see what: two sites, a role for each, and everything a curious one could try. tests/e2e/test_security.py runs the whole table of rights.
-- Rows come in one order, whatever statistics there are by now.
SET enable_seqscan = off; SET enable_bitmapscan = off;
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT radscheduler.create_site('NORTHSIDE', 'North clinic', 'America/New_York') AS north, radscheduler.create_site('SOUTHSIDE', 'South clinic', 'Europe/London') AS south \gset
CREATE ROLE rs_test_north; CREATE ROLE rs_test_both; CREATE ROLE rs_test_none; CREATE ROLE rs_test_admin; CREATE ROLE rs_test_member IN ROLE rs_test_north; CREATE ROLE rs_test_ingest;
SELECT radscheduler.grant_role(k, r), radscheduler.grant_site(r, s) FROM (VALUES ('scheduler', 'rs_test_north', 'NORTHSIDE'), ('scheduler', 'rs_test_both', 'NORTHSIDE'), ('scheduler', 'rs_test_both', 'SOUTHSIDE'),
    ('admin', 'rs_test_admin', 'NORTHSIDE'), ('ingest', 'rs_test_ingest', 'NORTHSIDE')) g(k, r, s) \g /dev/null
SELECT radscheduler.grant_role('scheduler', 'rs_test_none');
SELECT radscheduler.grant_role('king', 'rs_test_none');
SELECT radscheduler.grant_role('reader', 'rs_test_nobody');
SELECT radscheduler.grant_site('rs_test_none', 'NOWHERE');
SET radscheduler.site = 'SOUTHSIDE';
SELECT radscheduler.add_resource('SECRETSCAN', 'Secret scanner', 'equipment', 'MRI') > 0 AS added;
INSERT INTO radscheduler.appointments (patient_id, patient_name, modality, datetime) VALUES ('SECRET1', 'Sam Secret', 'MRI', '2031-03-03 10:00') RETURNING id AS secret_id \gset
INSERT INTO radscheduler.sender (site_id, sending_application, sending_facility) VALUES (:south, 'SECRETRIS', 'SOUTHHOSP');
INSERT INTO radscheduler.modality (site_id, code, label, name, default_minutes) VALUES (:south, 'SEC', 'SECRET', 'Secret modality', 30);
SET radscheduler.site = 'NORTHSIDE';
INSERT INTO radscheduler.appointments (patient_id, patient_name, modality, datetime) VALUES ('OPEN1', 'Olga Open', 'CT', '2031-03-03 10:00') RETURNING id AS open_id \gset
RESET radscheduler.site;

-- A role sees its site, by every way of asking; a member what its group was granted; without a grant nothing, said in a sentence.
SET ROLE rs_test_north;
SELECT code FROM radscheduler.site;
SELECT patient_name FROM radscheduler.appointments;
SELECT (SELECT count(*) FROM radscheduler.patient), (SELECT count(*) FROM radscheduler.appointment), (SELECT count(DISTINCT site_id) FROM radscheduler.modality) AS modality_sites;
SET ROLE rs_test_member;
SELECT patient_name FROM radscheduler.appointments;
SET ROLE rs_test_both;
SELECT patient_name FROM radscheduler.appointments ORDER BY 1;
SET radscheduler.site = 'SOUTHSIDE';
SELECT patient_name FROM radscheduler.appointments ORDER BY 1;
RESET radscheduler.site;
INSERT INTO radscheduler.appointments (patient_id, patient_name, modality, datetime) VALUES ('X', 'X Y', 'CT', '2031-03-04 10:00');
SET ROLE rs_test_none;
SELECT count(*) FROM radscheduler.appointments;
INSERT INTO radscheduler.appointments (patient_id, patient_name, modality, datetime) VALUES ('X', 'X Y', 'CT', '2031-03-04 10:00');

-- Settings narrow and never widen. Those that would switch a guard off are not a role's to set.
SET ROLE rs_test_north;
SET radscheduler.site = 'SOUTHSIDE';
SELECT count(*) FROM radscheduler.appointments;
SELECT radscheduler.current_site();
SET radscheduler.site = 'NOWHERE';
SELECT radscheduler.current_site();
RESET radscheduler.site;
SET row_security = off;
SELECT count(*) FROM radscheduler.appointment;
RESET row_security;
SET radscheduler.audit_changes = off;
SET session_replication_role = replica;
SET radscheduler.notify = off;
SET radscheduler.actor = E'two\nlines';

-- Ids of the other site are as good as ids that do not exist.
UPDATE radscheduler.appointments SET notes = 'seen' WHERE id = :secret_id;
DELETE FROM radscheduler.appointments WHERE id = :secret_id;
SELECT radscheduler.conflicts_of(:south, :secret_id);
SELECT * FROM radscheduler.find_slots(resource => 'SECRETSCAN');
SELECT * FROM radscheduler.find_slots(resource => 'NOSUCHSCAN');
SELECT status, body::jsonb -> 'count' AS count FROM radscheduler.api_appointments('{"date": "2031-03-03"}');

-- Constraints and keys say the same about what the other site has and what nobody has.
\set VERBOSITY terse
SET ROLE rs_test_admin;
UPDATE radscheduler.resource_hours SET site_id = :south;
UPDATE radscheduler.resource_hours SET site_id = 987654;
INSERT INTO radscheduler.resource (site_id, code, name, kind, modality) VALUES (:north, 'N1', 'N1', 'equipment', 'SEC');
INSERT INTO radscheduler.resource (site_id, code, name, kind, modality) VALUES (:north, 'N1', 'N1', 'equipment', 'NOSUCH');
INSERT INTO radscheduler.modality (site_id, code, label, name, default_minutes) VALUES (:north, 'SEC', 'SECRET', 'My own', 30);
INSERT INTO radscheduler.sender (site_id, sending_application, sending_facility) VALUES (:south, 'SECRETRIS', 'SOUTHHOSP');
INSERT INTO radscheduler.sender (site_id, sending_application, sending_facility) VALUES (:north, 'SECRETRIS', 'SOUTHHOSP');
UPDATE radscheduler.site SET code = 'SOUTHSIDE' WHERE code = 'NORTHSIDE';
INSERT INTO radscheduler.site (code, name) VALUES ('SOUTHSIDE', 'x');
SELECT radscheduler.create_site('EAST', 'x', NULL);
SELECT radscheduler.grant_site('rs_test_admin', 'SOUTHSIDE');
INSERT INTO radscheduler.site_grant (site_id, role_name) VALUES (:south, 'rs_test_admin');
DELETE FROM radscheduler.hl7_message;
UPDATE radscheduler.audit_event SET action = 'x';
SELECT radscheduler.lock_keys(ARRAY['x']);
SELECT radscheduler.ingest_one('x', 'sql', NULL);
\set VERBOSITY default

-- A message of a sender that only the other site knows is a stranger's message at ours.
SET ROLE rs_test_ingest;
SELECT r.code, jsonb_path_query_array(r.warnings, '$[*].code') AS warnings
FROM radscheduler.ingest(convert_to(E'MSH|^~\\&|SECRETRIS|SOUTHHOSP|RADSCHED|RAD|20260101||SIU^S12|a1|P|2.5\rSCH||AC1|||||||30|MIN|^^30^203103051000\rPID|1||SECRET1||NORTE^NORA\rAIS|1|A|CT002^CT CHEST', 'UTF8')) r;
SELECT * FROM radscheduler.relay_fetch('redis');
SELECT radscheduler.relay_advance('redis', '99-99');
RESET ROLE;
SELECT s.code, p.mrn, p.patient_id IN (SELECT patient_id FROM radscheduler.patient WHERE site_id = :south) AS taken_for_the_others FROM radscheduler.patient p JOIN radscheduler.site s USING (site_id) WHERE p.mrn = 'SECRET1' ORDER BY 1;

-- A function that tells what it is given is asked about our rows only, however cheap it claims to be; in the view too, and in a view of a view of somebody who sees more.
CREATE SCHEMA rs_test_tools AUTHORIZATION rs_test_both;
GRANT USAGE, CREATE ON SCHEMA rs_test_tools TO rs_test_north;
GRANT USAGE ON SCHEMA rs_test_tools TO rs_test_none;
SET client_min_messages = notice;
SET ROLE rs_test_north;
CREATE FUNCTION rs_test_tools.tell(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN RAISE NOTICE 'told %', $1; RETURN true; END $$;
SELECT count(*) FROM radscheduler.patient WHERE rs_test_tools.tell(display_name);
SELECT count(*) FROM radscheduler.appointments WHERE rs_test_tools.tell(patient_name);
SELECT count(*) FROM radscheduler.resource r WHERE rs_test_tools.tell(r.code) AND r.code LIKE 'SECRET%';
SET ROLE rs_test_both;
CREATE VIEW rs_test_tools.mine AS SELECT id, patient_name FROM radscheduler.appointments;
CREATE VIEW rs_test_tools.mine_again AS SELECT * FROM rs_test_tools.mine;
GRANT SELECT ON rs_test_tools.mine, rs_test_tools.mine_again TO rs_test_north, rs_test_none;
CREATE FUNCTION rs_test_tools.lent() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER AS $$ SELECT patient_name FROM radscheduler.appointments $$;
SET ROLE rs_test_north;
SELECT patient_name FROM rs_test_tools.mine_again WHERE rs_test_tools.tell(patient_name);
SELECT rs_test_tools.lent();
SET ROLE rs_test_none;
SELECT count(*) FROM rs_test_tools.mine_again;

-- What PostgreSQL maintains for an owner is maintained by somebody else: for him there are no records, even where he is a superuser.
SET ROLE rs_test_north;
CREATE MATERIALIZED VIEW rs_test_tools.kept AS SELECT patient_name FROM radscheduler.appointments;
REFRESH MATERIALIZED VIEW rs_test_tools.kept;
CREATE TABLE rs_test_tools.bait AS SELECT 1 AS i;
CREATE FUNCTION rs_test_tools.steal(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM radscheduler.api_appointments('{}'); RETURN $1; END $$;
CREATE FUNCTION rs_test_tools.look(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN $1 + (SELECT count(*) FROM radscheduler.appointments); END $$;
CREATE INDEX bait_look ON rs_test_tools.bait (rs_test_tools.look(i));
\set VERBOSITY terse
RESET ROLE;
REFRESH MATERIALIZED VIEW rs_test_tools.kept;
ANALYZE rs_test_tools.bait;
DROP INDEX rs_test_tools.bait_look;
CREATE INDEX bait_steal ON rs_test_tools.bait (rs_test_tools.steal(i));
\set VERBOSITY default
SET ROLE rs_test_north;
SELECT count(DISTINCT patient_name) FROM rs_test_tools.kept;
-- Nor does a superuser lend his sites to a function of somebody's who has fewer.
CREATE FUNCTION rs_test_tools.borrowed() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$ SELECT count(*) FROM radscheduler.patient WHERE site_id <> (SELECT min(site_id) FROM radscheduler.site WHERE code = 'NORTHSIDE') $$;
RESET ROLE;
SELECT rs_test_tools.borrowed();
-- A sender that another site of the same daemon has goes on arriving there, whatever an admin of a third inserts.
SELECT s.code, x.is_registered FROM radscheduler.sender x JOIN radscheduler.site s USING (site_id) WHERE x.sending_application = 'SECRETRIS' ORDER BY 1;
SELECT site_id = :south AS at_home FROM radscheduler.sender_of('SECRETRIS', 'SOUTHHOSP');
-- What the planner knows of names and numbers it would tell in its estimates: nothing.
ANALYZE radscheduler.patient, radscheduler.patient_identifier, radscheduler.appointment;
SELECT count(*) FROM pg_statistic s JOIN pg_attribute a ON a.attrelid = s.starelid AND a.attnum = s.staattnum
WHERE s.starelid IN ('radscheduler.patient'::regclass, 'radscheduler.patient_identifier'::regclass, 'radscheduler.appointment'::regclass)
  AND a.attname IN ('mrn', 'display_name', 'family_name', 'birth_date', 'phone', 'value', 'study_text', 'notes', 'referring_physician');

-- A policy of somebody's own cannot widen what ours leaves.
RESET ROLE;
CREATE POLICY rs_test_wide ON radscheduler.patient USING (true);
SET ROLE rs_test_north;
SELECT count(*) FROM radscheduler.patient WHERE site_id <> :north;
RESET ROLE;
DROP POLICY rs_test_wide ON radscheduler.patient;

-- A plan made for one role asks anew for the next.
SET ROLE rs_test_both;
PREPARE all_names AS SELECT patient_name FROM radscheduler.appointments ORDER BY 1;
EXECUTE all_names;
SET ROLE rs_test_north;
EXECUTE all_names;
DEALLOCATE all_names;

-- COPY and EXPLAIN.
COPY radscheduler.patient (mrn) TO stdout;
COPY (SELECT patient_name FROM radscheduler.appointments ORDER BY 1) TO stdout;
COPY radscheduler.appointment TO PROGRAM 'true';
\copy radscheduler.resource_block (site_id, resource_id, during) FROM '/dev/null'
DO $$
DECLARE
    v_line text;
BEGIN
    FOR v_line IN EXPLAIN (VERBOSE, COSTS OFF) SELECT 1 FROM radscheduler.patient WHERE display_name LIKE 'Sam%' LOOP
        IF v_line ~ 'SECRET|Secret' OR v_line ~ 'Filter' AND v_line ~ 'site_id' AND v_line !~ 'ANY' THEN
            RAISE EXCEPTION 'the plan tells %', v_line;
        END IF;
    END LOOP;
END
$$;

-- Objects that bear the names of ours, in a schema in front and in pg_temp, change nothing.
SET ROLE rs_test_north;
CREATE FUNCTION rs_test_tools.pg_has_role(oid, oid, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION rs_test_tools.current_setting(text, boolean) RETURNS text LANGUAGE sql AS $$ SELECT 'SOUTHSIDE' $$;
CREATE FUNCTION rs_test_tools.visible_sites() RETURNS integer[] LANGUAGE sql AS 'SELECT ARRAY[1, 2, 3]';
CREATE FUNCTION rs_test_tools.alike(integer, integer) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR rs_test_tools.= (LEFTARG = integer, RIGHTARG = integer, FUNCTION = rs_test_tools.alike);
CREATE TEMP TABLE site_grant (site_id integer, role_name text);
INSERT INTO site_grant VALUES (NULL, 'rs_test_north');
CREATE TEMP TABLE pg_roles (oid oid, rolname name, rolsuper boolean, rolbypassrls boolean);
INSERT INTO pg_roles SELECT r.oid, r.rolname, true, true FROM pg_catalog.pg_roles r;
CREATE TEMP TABLE appointment AS SELECT 1 AS site_id;
SET search_path = pg_temp, rs_test_tools, pg_catalog, radscheduler;
SELECT radscheduler.visible_sites() = ARRAY[:north] AS unmoved, radscheduler.current_site() OPERATOR(pg_catalog.=) :north AS still_north, radscheduler.sees_every_site();
SELECT patient_name FROM radscheduler.appointments;
INSERT INTO radscheduler.appointments (patient_id, patient_name, modality, datetime) VALUES ('OPEN2', 'Otto Open', 'CT', '2031-03-06 10:00');
SELECT site_id FROM pg_temp.appointment;
RESET search_path;
RESET ROLE;

-- Rights that are taken are gone; what another kind gives stays.
SELECT radscheduler.grant_role('reader', 'rs_test_north') \g /dev/null
SELECT radscheduler.revoke_role('scheduler', 'rs_test_north') \g /dev/null
SET ROLE rs_test_north;
SELECT count(*) > 0 AS reads FROM radscheduler.appointments;
UPDATE radscheduler.appointments SET notes = 'x';
RESET ROLE;
SELECT radscheduler.revoke_site('rs_test_north', 'NORTHSIDE') \g /dev/null
SET ROLE rs_test_north;
SELECT count(*) FROM radscheduler.appointments;
RESET ROLE;
-- Renewing rights gives nobody more.
SELECT radscheduler.apply_grants() > 0 AS renewed;
SELECT has_table_privilege('rs_test_north', 'radscheduler.appointments', 'UPDATE') AS writes;

SET client_min_messages = warning;
DROP SCHEMA rs_test_tools CASCADE;
DISCARD TEMP;
SELECT radscheduler.revoke_role(kind, role_name) FROM radscheduler.role_grant WHERE role_name LIKE 'rs\_test\_%' \g /dev/null
DELETE FROM radscheduler.site_grant WHERE role_name LIKE 'rs\_test\_%';
DROP ROLE rs_test_member, rs_test_north, rs_test_both, rs_test_none, rs_test_admin, rs_test_ingest;
