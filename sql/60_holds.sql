-- Times held for a caller: everybody books around them, they become the booking, they are given back, they run out. One that has run out is in nobody's way,
-- whether or not maintain() has taken it away.
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT radscheduler.create_site('HOLDS', 'Holding clinic', 'UTC') AS site \gset
SET radscheduler.site = 'HOLDS';
SELECT radscheduler.add_resource('HMR1', 'Magnet one', 'equipment', 'MR') > 0 AND radscheduler.add_resource('HUS', 'Bay with two beds', 'room', 'US', capacity => 2) > 0
   AND radscheduler.add_resource('HCT1', 'Tube one', 'equipment', 'CT') > 0 AND radscheduler.add_resource('HTECH', 'Terry Techman', 'staff') > 0 AS added;
SELECT r.outcome FROM radscheduler.book('HOLDER1', '2031-04-01 08:00Z', 'CT', patient_name => 'Hanna Holder') r;
-- What has run out is made so here: an hour ago.
CREATE FUNCTION pg_temp.run_out(p_hold bigint) RETURNS void LANGUAGE sql AS $$
    UPDATE radscheduler.appointment SET hold_until = clock_timestamp() - interval '1 hour' WHERE site_id = radscheduler.current_site() AND appointment_id = p_hold $$;
CREATE FUNCTION pg_temp.raised(p_query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_state text; v_text text; v_detail text; v_hint text;
BEGIN
    EXECUTE p_query;
    RETURN 'nothing';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_text = MESSAGE_TEXT, v_detail = PG_EXCEPTION_DETAIL, v_hint = PG_EXCEPTION_HINT;
    RETURN regexp_replace(concat_ws(' | ', v_state, v_text, v_detail, v_hint), '(appointment|hold) \d+', '\1 N', 'g');
END $$;
CREATE VIEW pg_temp.held AS
    SELECT p.mrn, a.status, a.hold_until IS NOT NULL AS hold, to_char(a.starts_at, 'DD HH24:MI') AS starts, a.modality, a.version,
           (SELECT string_agg(coalesce(r.code, 'patient') || '/' || o.lane, ' ' ORDER BY r.code) FROM radscheduler.occupancy o LEFT JOIN radscheduler.resource r ON o.axis = 'resource' AND r.site_id = o.site_id AND r.resource_id = o.subject_id
            WHERE o.site_id = a.site_id AND o.appointment_id = a.appointment_id) AS takes
    FROM radscheduler.appointment a LEFT JOIN radscheduler.patient p USING (site_id, patient_id) WHERE a.site_id = radscheduler.current_site() ORDER BY a.appointment_id;
CREATE FUNCTION pg_temp.offered(p_resource text, p_at timestamptz) RETURNS boolean LANGUAGE sql AS $$
    SELECT EXISTS (SELECT FROM radscheduler.find_slots(resource => p_resource, earliest => p_at, latest => p_at + interval '30 minutes', duration_minutes => 30)) $$;
\pset format unaligned
-- Held: resources and patient; others are refused, by number of the hold; it is not offered, and no appointment is to be seen.
SELECT hold_id AS one, expires_at BETWEEN clock_timestamp() + interval '4 minutes' AND clock_timestamp() + interval '5 minutes' AS five_minutes
FROM radscheduler.hold('2031-04-02 10:00Z', '{HMR1,HTECH}', duration_minutes => 30, patient_id => 'HOLDER1', minutes => 5, actor => 'clerk seven', reason => 'asks her husband') \gset
SELECT :'five_minutes' AS five_minutes;
SELECT * FROM pg_temp.held;
SELECT count(*) AS seen FROM radscheduler.appointments v WHERE v.id = :one;
SELECT count(*) AS versions FROM radscheduler.appointment_history h WHERE h.site_id = :site AND h.appointment_id = :one;
SELECT pg_temp.offered('HMR1', '2031-04-02 10:00Z') AS scanner, pg_temp.offered('HTECH', '2031-04-02 10:00Z') AS staff, pg_temp.offered('HMR1', '2031-04-02 10:30Z') AS after;
SELECT pg_temp.raised($q$SELECT radscheduler.book('HOLDER2', '2031-04-02 10:15Z', resources => '{HMR1}', patient_name => 'Hilda Holder')$q$);
SELECT pg_temp.raised($q$SELECT radscheduler.book('HOLDER1', '2031-04-02 10:15Z', 'CT', duration_minutes => 15)$q$);
SELECT pg_temp.raised($q$SELECT radscheduler.hold('2031-04-02 10:15Z', '{HTECH}', 'MR', duration_minutes => 15)$q$);
SELECT pg_temp.raised('SELECT radscheduler.hold($$2031-04-02 12:00Z$$, $${HMR1}$$, minutes => 0)'), pg_temp.raised('SELECT radscheduler.hold($$2031-04-02 12:00Z$$, $${HMR9}$$)');
-- Its own booking takes its place, under its number, as version 1 of its history; then it is a hold no more.
SELECT r.outcome, r.appointment_id = :one AS same, r.version, r.status, r.warnings, r.error FROM radscheduler.try_book('HOLDER1', '2031-04-02 10:00Z', procedure => 'MRI001', duration_minutes => 30, resources => '{HMR1,HTECH}', hold => :one, actor => 'clerk seven') r;
SELECT * FROM pg_temp.held;
SELECT h.version, h.event, h.person FROM radscheduler.appointment_history h WHERE h.site_id = :site AND h.appointment_id = :one;
SELECT pg_temp.raised(format('SELECT radscheduler.book(%L, %L, %L, hold => %s)', 'HOLDER1', '2031-04-02 14:00Z', 'MR', :one)) LIKE '55000 | appointment N is not a hold%' AS no_hold, radscheduler.release(:one) AS released;
-- A refusal leaves the hold as it was; the booking may take another time and another patient than was held.
SELECT hold_id AS two FROM radscheduler.hold('2031-04-02 11:00Z', '{HMR1}', duration_minutes => 30) \gset
SELECT r.outcome FROM radscheduler.try_book('HOLDER2', '2031-04-02 10:00Z', resources => '{HMR1}', patient_name => 'Hilda Holder', hold => :two) r;
SELECT * FROM pg_temp.held WHERE hold;
SELECT r.outcome, r.appointment_id = :two AS same FROM radscheduler.try_book('HOLDER2', '2031-04-02 11:15Z', resources => '{HMR1}', duration_minutes => 30, patient_name => 'Hilda Holder', hold => :two) r;
SELECT * FROM pg_temp.held WHERE mrn = 'HOLDER2';
SELECT pg_temp.offered('HMR1', '2031-04-02 10:30Z') AS given_back;
-- A hold keeps no place in the queue for what was not held.
SELECT hold_id AS other FROM radscheduler.hold('2031-04-02 15:00Z', '{HMR1}', duration_minutes => 30) \gset
SELECT r.outcome FROM radscheduler.book('HOLDER1', '2031-04-02 16:00Z', resources => '{HMR1}', duration_minutes => 30) r;
SELECT r.outcome, r.appointment_id = :other AS same FROM radscheduler.try_book('HOLDER2', '2031-04-02 16:00Z', resources => '{HMR1}', duration_minutes => 30, hold => :other, override_reason => 'both short') r;
SELECT * FROM pg_temp.held WHERE starts = '02 16:00' ORDER BY mrn;
-- Checked with the hold it is free, without it is not.
SELECT hold_id AS three FROM radscheduler.hold('2031-04-02 13:00Z', '{HMR1}', duration_minutes => 30) \gset
SELECT count(*) AS with FROM radscheduler.check_conflicts('HOLDER1', '2031-04-02 13:00Z', resources => '{HMR1}', duration_minutes => 30, hold => :three);
SELECT f.code, f.other_appointment_id = :three AS the_hold FROM radscheduler.check_conflicts('HOLDER1', '2031-04-02 13:00Z', resources => '{HMR1}', duration_minutes => 30) f;
SELECT * FROM pg_temp.held WHERE hold;
-- Given back: once, and the time is free.
SELECT radscheduler.release(:three, 'clerk seven', 'did not want it') AS released, radscheduler.release(:three) AS again, radscheduler.release(0) AS never;
SELECT pg_temp.offered('HMR1', '2031-04-02 13:00Z') AS offered, (SELECT count(*) FROM radscheduler.appointment a WHERE a.site_id = :site AND a.appointment_id = :three) AS left_behind;
-- A message is taken all the same: flagged while the hold stands, healed when it ends.
CREATE FUNCTION pg_temp.send(p_id text, p_start text, p_rest text) RETURNS text LANGUAGE sql AS $$
SELECT r.outcome FROM radscheduler.ingest(convert_to(format(E'MSH|^~\\&|HOLDRIS|HOLDS|RADSCHED|RAD|20260101080000||SIU^S12|%1$s|P|2.5\rSCH||%1$s|||||||30|MIN|^^^%2$s\rPID|1||%1$s||HOLDER^%1$s\r%3$s', p_id, p_start, p_rest), 'UTF8')) r $$;
SELECT radscheduler.set_sender('HOLDRIS', 'HOLDS', '{"order_by": "arrival"}') IS NOT NULL AS sender;
SELECT hold_id AS four FROM radscheduler.hold('2031-04-03 10:00Z', '{HMR1}', duration_minutes => 30) \gset
SELECT pg_temp.send('HOLDER3', '203104031000', 'AIG|1||HMR1');
SELECT * FROM pg_temp.held WHERE mrn = 'HOLDER3';
SELECT radscheduler.release(:four);
SELECT * FROM pg_temp.held WHERE mrn = 'HOLDER3';
-- Run out, and still in the tables: offered, booked, told by a message, held by the next; on every bed of a bay, in a pool, for the patient.
SELECT hold_id AS five FROM radscheduler.hold('2031-04-04 10:00Z', '{HMR1,HTECH}', duration_minutes => 30, patient_id => 'HOLDER1') \gset
SELECT pg_temp.run_out(:five);
SELECT pg_temp.offered('HMR1', '2031-04-04 10:00Z') AS offered, (SELECT count(*) FROM radscheduler.find_slots(resource => 'HCT1', earliest => '2031-04-04 10:00Z', latest => '2031-04-04 10:30Z', duration_minutes => 30, patient_id => 'HOLDER1')) AS patient_free;
SELECT count(*) AS checked FROM radscheduler.check_conflicts('HOLDER1', '2031-04-04 10:00Z', resources => '{HMR1,HTECH}', duration_minutes => 30);
SELECT r.outcome, r.conflicts FROM radscheduler.try_book('HOLDER2', '2031-04-04 10:00Z', resources => '{HMR1}', duration_minutes => 30) r;
SELECT * FROM pg_temp.held WHERE starts LIKE '04%';
SELECT r.outcome, r.conflicts FROM radscheduler.try_book('HOLDER1', '2031-04-04 10:15Z', 'CT', resources => '{HCT1,HTECH}', duration_minutes => 30) r;
SELECT * FROM pg_temp.held WHERE starts LIKE '04%';
SELECT hold_id AS six FROM radscheduler.hold('2031-04-14 10:00Z', '{HMR1}', duration_minutes => 30) \gset
SELECT pg_temp.run_out(:six);
SELECT pg_temp.send('HOLDER4', '203104141000', 'AIG|1||HMR1');
SELECT hold_id AS seven FROM radscheduler.hold('2031-04-15 10:00Z', '{HMR1}', duration_minutes => 30) \gset
SELECT pg_temp.run_out(:seven);
SELECT hold_id > :seven AS held_anew FROM radscheduler.hold('2031-04-15 10:00Z', '{HMR1}', duration_minutes => 30);
SELECT hold_id AS bed FROM radscheduler.hold('2031-04-07 10:00Z', '{HUS}', duration_minutes => 30) \gset
SELECT r.outcome FROM radscheduler.book('HOLDER1', '2031-04-07 10:00Z', resources => '{HUS}', duration_minutes => 30) r;
SELECT r.outcome FROM radscheduler.try_book('HOLDER2', '2031-04-07 10:00Z', resources => '{HUS}', duration_minutes => 30) r;
SELECT pg_temp.run_out(:bed);
SELECT pg_temp.offered('HUS', '2031-04-07 10:00Z') AS offered, (SELECT r.outcome FROM radscheduler.try_book('HOLDER2', '2031-04-07 10:00Z', resources => '{HUS}', duration_minutes => 30) r) AS booked;
SELECT hold_id AS pooled FROM radscheduler.hold('2031-04-08 10:00Z', modality => 'CT', duration_minutes => 30) \gset
SELECT f.code, f.severity FROM radscheduler.check_conflicts('HOLDER2', '2031-04-08 10:00Z', 'CT', duration_minutes => 30) f;
SELECT pg_temp.offered('HCT1', '2031-04-08 10:00Z') AS offered;
SELECT pg_temp.run_out(:pooled);
SELECT count(*) AS conflicts FROM radscheduler.check_conflicts('HOLDER2', '2031-04-08 10:00Z', 'CT', duration_minutes => 30);
SELECT pg_temp.offered('HCT1', '2031-04-08 10:00Z') AS offered;
-- Flagged while a hold stood, which has run out since: moved among its resources it is judged anew.
SELECT hold_id AS late FROM radscheduler.hold('2031-04-09 10:00Z', '{HMR1}', duration_minutes => 30) \gset
SELECT pg_temp.send('HOLDER5', '203104091000', 'AIG|1||HMR1');
SELECT pg_temp.run_out(:late);
SELECT r.outcome, r.status, r.conflicts FROM radscheduler.appointment a JOIN radscheduler.patient p USING (site_id, patient_id), LATERAL radscheduler.try_reschedule(a.appointment_id, NULL, resources => '{HMR1,HTECH}') r WHERE a.site_id = :site AND p.mrn = 'HOLDER5';
-- Booked with a hold that has run out: its time is taken over while nobody else has it, else it is anybody's.
SELECT hold_id AS eight FROM radscheduler.hold('2031-04-10 10:00Z', '{HMR1}', duration_minutes => 30) \gset
SELECT pg_temp.run_out(:eight);
SELECT r.outcome, r.appointment_id = :eight AS same, r.warnings FROM radscheduler.try_book('HOLDER1', '2031-04-10 10:00Z', resources => '{HMR1}', duration_minutes => 30, hold => :eight) r;
SELECT r.outcome, jsonb_path_query_array(r.warnings, '$[*].code') AS warnings FROM radscheduler.try_book('HOLDER1', '2031-04-10 12:00Z', resources => '{HMR1}', duration_minutes => 30, hold => :three) r;
-- maintain() takes away what has run out, and nothing else; whoever was flagged because of it is healed.
SELECT hold_id AS nine FROM radscheduler.hold('2031-04-11 10:00Z', '{HMR1}', duration_minutes => 30) \gset
SELECT pg_temp.send('HOLDER6', '203104111000', 'AIG|1||HMR1');
SELECT pg_temp.run_out(:nine);
SELECT sum((radscheduler.maintain() ->> 'holds_expired')::integer) > 0 AS reaped FROM generate_series(1, 5); -- one site in each call
SELECT (radscheduler.maintain() ->> 'holds_expired') AS again;
SELECT * FROM pg_temp.held WHERE hold;
SELECT status FROM pg_temp.held WHERE mrn = 'HOLDER6';
SELECT e.type, count(*) FROM radscheduler.event_log e WHERE e.site_id = :site AND e.type LIKE 'hold.%' GROUP BY 1 ORDER BY 1;
SELECT e.action, e.actor, e.detail ->> 'reason' AS reason, count(*) FROM radscheduler.audit_event e WHERE e.site_id = :site AND e.action LIKE 'hold.%' GROUP BY 1, 2, 3 ORDER BY 1, 2;
SELECT count(*) AS occupied_by_nobody FROM radscheduler.occupancy o WHERE o.site_id = :site AND NOT EXISTS (SELECT FROM radscheduler.appointment a WHERE a.site_id = o.site_id AND a.appointment_id = o.appointment_id);
