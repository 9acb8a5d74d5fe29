-- What is remembered: every change and every read through the API, by whom and why; append-only, and whatever is done to it shows.
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT radscheduler.create_site('AUDITED', 'Audited clinic', 'UTC') AS site \gset
CREATE ROLE rs_test_clerk;
SELECT radscheduler.grant_role('scheduler', 'rs_test_clerk'), radscheduler.grant_role('ingest', 'rs_test_clerk'), radscheduler.grant_site('rs_test_clerk', 'AUDITED') \g /dev/null
SELECT coalesce(max(audit_id), 0) AS before FROM radscheduler.audit_event \gset
CREATE VIEW pg_temp.told AS SELECT audit_id, role_name, login_name = session_user AS by_login, actor, purpose, trace_id, action, object, object_id IS NOT NULL AS has_id, detail FROM radscheduler.audit_event;

SET ROLE rs_test_clerk;
SET radscheduler.actor = 'clerk 7';
SET radscheduler.purpose = 'treatment';
SET radscheduler.trace_id = '4bf92f3577b34da6a3ce929d0e0e4736';
INSERT INTO radscheduler.appointments (patient_id, patient_name, patient_phone, modality, datetime) VALUES ('AU1', 'Alma Audit', '617-555-0177', 'CT', '2031-04-01 10:00') RETURNING id AS first_id \gset
UPDATE radscheduler.appointments SET datetime = '2031-04-01 11:00', patient_name = 'Alma Later' WHERE id = :first_id;
DELETE FROM radscheduler.appointments WHERE id = :first_id;
SELECT status FROM radscheduler.api_appointments('{"date": "2031-04-01"}');
SELECT r.code FROM radscheduler.ingest(convert_to(E'MSH|^~\\&|AURIS|AUHOSP|RADSCHED|RAD|20260101||SIU^S12|au1|P|2.5\rSCH||AU9|||||||30|MIN|^^30^203104051000\rPID|1||AU2||AUDIT^ADAM\rAIS|1|A|CT002^CT CHEST\rAIG|1|A|AUSCAN', 'UTF8'), 'mllp') r;
SELECT r.code, r.outcome FROM radscheduler.ingest('not a message') r;
INSERT INTO radscheduler.resource_block (site_id, resource_id, during, reason) SELECT :site, resource_id, '[2031-04-02 08:00+00,2031-04-02 09:00+00)', 'Visit of Dr. Private' FROM radscheduler.resource WHERE code = 'AUSCAN';
RESET ROLE; RESET radscheduler.actor; RESET radscheduler.purpose; RESET radscheduler.trace_id;
SELECT role_name, by_login, actor, purpose, left(trace_id, 4) AS trace, action, object, has_id FROM pg_temp.told WHERE audit_id > :before ORDER BY audit_id;
SELECT DISTINCT jsonb_object_keys(detail) AS detail_keys FROM pg_temp.told WHERE audit_id > :before ORDER BY 1;
SELECT count(*) AS names_told FROM pg_temp.told t WHERE audit_id > :before AND t::text ~* 'alma|adam|private|0177|au1|au2';
-- The owner's own hand is seen too: old and new values of configuration, names of columns elsewhere, TRUNCATE.
SELECT max(audit_id) AS before FROM radscheduler.audit_event \gset
UPDATE radscheduler.resource SET capacity = 2, name = 'Audited scanner' WHERE site_id = :site AND code = 'AUSCAN';
UPDATE radscheduler.patient SET display_name = 'Somebody Else', phone = NULL WHERE site_id = :site AND mrn = 'AU2';
UPDATE radscheduler.patient SET display_name = display_name WHERE site_id = :site AND mrn = 'AU2';
DELETE FROM radscheduler.appointment_history WHERE site_id = :site AND event = 'appointment.cancelled';
BEGIN; TRUNCATE radscheduler.resource_block; SELECT action, object FROM pg_temp.told ORDER BY audit_id DESC LIMIT 1; ROLLBACK;
SELECT action, object, detail - 'key' AS detail FROM pg_temp.told WHERE audit_id > :before ORDER BY audit_id;

-- Nobody changes it, the owner included.
UPDATE radscheduler.audit_event SET actor = 'nobody' WHERE site_id = :site;
DELETE FROM radscheduler.audit_event WHERE site_id = :site;
TRUNCATE radscheduler.audit_event;
\set VERBOSITY terse
DO $$ BEGIN EXECUTE format('TRUNCATE radscheduler.audit_event_%s', to_char(timezone('UTC', now()), 'YYYYMM')); END $$;
\set VERBOSITY default
SET session_replication_role = replica;
DELETE FROM radscheduler.audit_seal;
RESET session_replication_role;
UPDATE radscheduler.audit_era SET barrier = 0;

-- Sealed in batches: what waits, is sealed, and nothing twice.
-- (A transaction of PostgreSQL's own, such as an analyze, may hold the horizon for a moment.)
CREATE FUNCTION pg_temp.seal() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_sealed bigint := 0;
BEGIN
    FOR v_try IN 1..200 LOOP
        v_sealed := v_sealed + radscheduler.audit_seal_pending();
        EXIT WHEN NOT EXISTS (SELECT FROM radscheduler.audit_event a WHERE NOT EXISTS (SELECT FROM radscheduler.audit_seal s WHERE a.audit_id = ANY (s.event_ids)));
        PERFORM pg_sleep(0.05);
    END LOOP;
    RETURN v_sealed;
END $$;
SELECT pg_temp.seal() > 0 AS sealed;
SELECT radscheduler.audit_seal_pending() AS again;
INSERT INTO radscheduler.appointments (patient_id, patient_name, modality, datetime) SELECT 'AU' || n, 'Audit Patient', 'US', '2031-04-10 08:00'::timestamp + n * interval '1 hour' FROM generate_series(11, 12) n WHERE set_config('radscheduler.site', 'AUDITED', false) = 'AUDITED';
SELECT pg_temp.seal() AS sealed_now;
INSERT INTO radscheduler.appointments (patient_id, patient_name, modality, datetime) VALUES ('AU13', 'Audit Patient', 'US', '2031-04-11 08:00');
SELECT seal_no > 1 AS several, pending FROM radscheduler.audit_head();
SELECT pg_temp.seal() AS sealed_now;
SELECT * FROM radscheduler.audit_verify();
SELECT jsonb_agg(to_jsonb(h)) AS anchors FROM radscheduler.audit_head() h \gset
SELECT seal_no AS last_seal FROM radscheduler.audit_head() \gset
SELECT event_ids[1] AS one, event_ids[2] AS two FROM radscheduler.audit_seal WHERE site_id = :site AND seal_no = :last_seal - 1 \gset

-- Whoever can switch the triggers off can change it; then it shows. Altered:
CREATE PROCEDURE pg_temp.open_log() LANGUAGE plpgsql AS $$ BEGIN
    ALTER TABLE radscheduler.audit_event DISABLE TRIGGER append_only;
    EXECUTE format('ALTER TABLE radscheduler.audit_event_%s DISABLE TRIGGER append_only', to_char(timezone('UTC', now()), 'YYYYMM'));
    ALTER TABLE radscheduler.audit_seal DISABLE TRIGGER append_only;
END $$;
CREATE FUNCTION pg_temp.found(OUT seal bigint, OUT event bigint, OUT problem text) RETURNS SETOF record LANGUAGE sql AS $$
    SELECT v.seal_no - (SELECT max(s.seal_no) FROM radscheduler.audit_seal s WHERE s.site_id = v.site_id), v.audit_id, v.problem FROM radscheduler.audit_verify() v $$;
BEGIN; CALL pg_temp.open_log(); UPDATE radscheduler.audit_event SET role_name = 'somebody' WHERE audit_id = :one; SELECT seal, event = :one AS right_one, problem FROM pg_temp.found(); ROLLBACK;
BEGIN; CALL pg_temp.open_log(); UPDATE radscheduler.audit_event SET recorded_at = recorded_at - interval '1 microsecond' WHERE audit_id = :one; SELECT seal, event = :one AS right_one, problem FROM pg_temp.found(); ROLLBACK;
-- Removed:
BEGIN; CALL pg_temp.open_log(); DELETE FROM radscheduler.audit_event WHERE audit_id = :two; SELECT seal, event = :two AS right_one, problem FROM pg_temp.found(); ROLLBACK;
-- Inserted where the past is sealed:
BEGIN; INSERT INTO radscheduler.audit_event (site_id, xid, audit_id, role_name, login_name, action, object) SELECT site_id, xid, 0, 'x', 'x', 'read', 'appointment' FROM radscheduler.audit_event WHERE audit_id = :one; SELECT seal, event, problem FROM pg_temp.found(); ROLLBACK;
BEGIN; INSERT INTO radscheduler.audit_event (site_id, xid, audit_id, role_name, login_name, action, object) SELECT site_id, '3', 9000000000, 'x', 'x', 'read', 'appointment' FROM radscheduler.audit_event WHERE audit_id = :one; SELECT seal, event, problem FROM pg_temp.found(); ROLLBACK;
-- It is not sealed afterwards either, as if it belonged there.
BEGIN; INSERT INTO radscheduler.audit_event (site_id, xid, audit_id, role_name, login_name, action, object) SELECT site_id, '3', 9000000000, 'x', 'x', 'read', 'appointment' FROM radscheduler.audit_event WHERE audit_id = :one; SELECT radscheduler.audit_seal_pending() AS sealed; SELECT seal, event, problem FROM pg_temp.found(); ROLLBACK;
-- Reordered: two events change places.
BEGIN; CALL pg_temp.open_log();
UPDATE radscheduler.audit_event SET audit_id = CASE audit_id WHEN :one THEN -1 ELSE :one END WHERE audit_id IN (:one, :two); UPDATE radscheduler.audit_event SET audit_id = :two WHERE audit_id = -1;
SELECT seal, event IN (:one, :two) AS right_ones, problem FROM pg_temp.found(); ROLLBACK;
-- Seals: altered, taken out of the middle, made anew by somebody who knows how, cut off at the end.
BEGIN; CALL pg_temp.open_log(); UPDATE radscheduler.audit_seal SET event_ids = event_ids[2:], event_digests = substring(event_digests FROM 33) WHERE site_id = :site AND seal_no = :last_seal - 1; SELECT seal, event = :one AS right_one, problem FROM pg_temp.found(); ROLLBACK;
BEGIN; CALL pg_temp.open_log(); DELETE FROM radscheduler.audit_seal WHERE site_id = :site AND seal_no = :last_seal - 1; SELECT DISTINCT seal, problem FROM pg_temp.found() ORDER BY 1, 2; ROLLBACK;
BEGIN; CALL pg_temp.open_log();
DELETE FROM radscheduler.audit_event WHERE audit_id = :one;
UPDATE radscheduler.audit_seal s SET event_ids = event_ids[2:], event_digests = substring(event_digests FROM 33),
    digest = radscheduler.seal_digest(previous_digest, site_id, seal_no, month, era, horizon, next_xid, sealed_at, event_ids[2:], substring(event_digests FROM 33)) WHERE site_id = :site AND seal_no = :last_seal - 1;
SELECT seal, problem FROM pg_temp.found(); ROLLBACK;
BEGIN; CALL pg_temp.open_log();
DELETE FROM radscheduler.audit_event WHERE audit_id = ANY (SELECT unnest(event_ids) FROM radscheduler.audit_seal WHERE site_id = :site AND seal_no = :last_seal); DELETE FROM radscheduler.audit_seal WHERE site_id = :site AND seal_no = :last_seal;
SELECT count(*) AS unseen_without_anchor FROM pg_temp.found();
SELECT problem FROM radscheduler.audit_verify(:'anchors'); ROLLBACK;
SELECT count(*) AS whole FROM radscheduler.audit_verify(:'anchors');
-- Restored in another cluster: its transaction ids mean nothing there. A new era begins, what waited is sealed, and forgery still shows.
BEGIN;
INSERT INTO radscheduler.audit_event (site_id, xid, audit_id, role_name, login_name, action, object) SELECT :site, '900000000000', nextval('radscheduler.audit_event_id_seq'), 'old', 'old', 'read', 'appointment';
INSERT INTO radscheduler.audit_era (era, cluster_id, barrier, horizon) SELECT max(era) + 1, 'another cluster', 0, '0' FROM radscheduler.audit_era;
SELECT radscheduler.audit_seal_pending() AS sealed;
SELECT problem FROM radscheduler.audit_verify();
-- An event put into the past, then taken over by an era made for it: it is told, and the era too.
RESET radscheduler.site;
INSERT INTO radscheduler.audit_event (site_id, xid, audit_id, recorded_at, role_name, login_name, action, object) SELECT :site, '3', 9000000001, now() - interval '2 days', 'x', 'x', 'read', 'appointment';
INSERT INTO radscheduler.audit_era (era, cluster_id, barrier, horizon) SELECT max(era) + 1, 'forged', 9000000001, '0' FROM radscheduler.audit_era;
SELECT radscheduler.audit_seal_pending() AS sealed;
SELECT problem FROM radscheduler.audit_verify() ORDER BY 1;
ROLLBACK;
-- Dated back by a transaction of today: it is told, before and after sealing.
BEGIN;
INSERT INTO radscheduler.audit_event (site_id, recorded_at, role_name, login_name, action, object) VALUES (:site, now() - interval '3 days', 'x', 'x', 'read', 'appointment');
INSERT INTO radscheduler.audit_event (site_id, audit_id, role_name, login_name, action, object) VALUES (:site, 1, 'x', 'x', 'read', 'appointment');
SELECT problem FROM radscheduler.audit_verify();
ROLLBACK;
-- A month that is said to have been dropped, and was not due.
BEGIN; CALL pg_temp.open_log(); DELETE FROM radscheduler.audit_event WHERE audit_id = :one;
SELECT radscheduler.audit(0, 'retention.drop', 'audit_event', NULL, jsonb_build_object('month', to_char(timezone('UTC', now()), 'YYYY-MM'), 'rows', 1));
SELECT seal, event = :one AS right_one, problem FROM pg_temp.found() WHERE event = :one; ROLLBACK;
BEGIN; CALL pg_temp.open_log(); UPDATE radscheduler.audit_seal SET sealed_at = sealed_at - interval '1 day' WHERE site_id = :site AND seal_no = :last_seal; SELECT DISTINCT seal, problem FROM pg_temp.found() ORDER BY 1; ROLLBACK;
-- One sees one's own sites' log only.
CREATE ROLE rs_test_auditor;
SELECT radscheduler.grant_role('auditor', 'rs_test_auditor'), radscheduler.grant_site('rs_test_auditor', 'AUDITED') \g /dev/null
RESET radscheduler.site;
SET ROLE rs_test_auditor;
SELECT count(*) > 5 AS some, count(*) FILTER (WHERE site_id <> :site) AS of_others FROM radscheduler.audit_event;
SELECT count(*) AS heads FROM radscheduler.audit_head();
SELECT count(*) AS problems FROM radscheduler.audit_verify();
SELECT radscheduler.audit_seal_pending();
INSERT INTO radscheduler.audit_event (site_id, role_name, login_name, action, object) VALUES (:site, 'x', 'x', 'x', 'x');
RESET ROLE;
SELECT radscheduler.revoke_role(kind, role_name) FROM radscheduler.role_grant WHERE role_name LIKE 'rs\_test\_%' \g /dev/null
DELETE FROM radscheduler.site_grant WHERE role_name LIKE 'rs\_test\_%';
DROP ROLE rs_test_clerk, rs_test_auditor;
