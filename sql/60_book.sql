-- Booking in SQL: booked, refused with the way out, booked over it, moved, cancelled, brought through its states; every change with who and why.
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT radscheduler.create_site('BOOKS', 'Booking clinic', 'America/New_York') AS site \gset
SET radscheduler.site = 'BOOKS';
SELECT radscheduler.add_resource('BMR1', 'Magnet one', 'equipment', 'MR', turnover_minutes => 5, aliases => '{"Big magnet",SHARED}') > 0
   AND radscheduler.add_resource('BMR2', 'Magnet two', 'equipment', 'MR') > 0
   AND radscheduler.add_resource('BROOM', 'Room four', 'room', aliases => '{SHARED}') > 0
   AND radscheduler.add_resource('BTECH', 'Terry Techman', 'staff', role => 'TECHNOLOGIST') > 0 AS added;
-- Ids are other ones in every run: shown by the patient's number.
CREATE FUNCTION pg_temp.named(p_text text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_row record;
BEGIN
    FOR v_row IN SELECT a.appointment_id AS id, p.mrn FROM radscheduler.appointment a JOIN radscheduler.patient p USING (site_id, patient_id) WHERE a.site_id = radscheduler.current_site() LOOP
        p_text := regexp_replace(p_text, '(^|appointment |hold )' || v_row.id || '(?![0-9])', '\1of ' || v_row.mrn, 'g');
    END LOOP;
    RETURN p_text;
END $$;
CREATE FUNCTION pg_temp.of(p_mrn text) RETURNS bigint LANGUAGE sql AS $$
    SELECT a.appointment_id FROM radscheduler.appointment a JOIN radscheduler.patient p USING (site_id, patient_id)
    WHERE a.site_id = radscheduler.current_site() AND p.mrn = p_mrn ORDER BY a.appointment_id LIMIT 1 $$;
CREATE FUNCTION pg_temp.told(r radscheduler.booking_result, OUT outcome text, OUT id text, OUT version integer, OUT status text, OUT conflicts text, OUT free text, OUT warnings text, OUT error text) LANGUAGE sql AS $$
    SELECT r.outcome, pg_temp.named(r.appointment_id::text), r.version, r.status,
           (SELECT string_agg(concat_ws(' ', c ->> 'state', c ->> 'code', c ->> 'by'), '; ' ORDER BY c ->> 'code') FROM jsonb_array_elements(r.conflicts) c),
           (SELECT string_agg(concat_ws(' ', left(a ->> 'start', 16), a ->> 'resource'), '; ') FROM jsonb_array_elements(r.alternatives) a),
           (SELECT string_agg(w ->> 'code', ' ') FROM jsonb_array_elements(r.warnings) w),
           pg_temp.named(concat_ws(' | ', r.error ->> 'sqlstate', r.error ->> 'code', r.error ->> 'text', r.error ->> 'detail', r.error ->> 'hint')) $$;
CREATE VIEW pg_temp.board AS
    SELECT p.mrn, a.version, a.status, a.review_reason AS review, timezone('America/New_York', a.starts_at)::timestamp(0) AS starts, round(extract(epoch FROM a.ends_at - a.starts_at) / 60) AS minutes, a.modality, a.study_code,
           (SELECT string_agg(r.code || '/' || o.lane, ' ' ORDER BY r.code) FROM radscheduler.occupancy o JOIN radscheduler.resource r ON r.site_id = o.site_id AND r.resource_id = o.subject_id
            WHERE o.site_id = a.site_id AND o.appointment_id = a.appointment_id AND o.axis = 'resource') AS held,
           (SELECT count(*) FROM radscheduler.occupancy o WHERE o.site_id = a.site_id AND o.appointment_id = a.appointment_id AND o.axis = 'patient') AS patient
    FROM radscheduler.appointment a JOIN radscheduler.patient p USING (site_id, patient_id) WHERE a.site_id = radscheduler.current_site() ORDER BY p.mrn, a.appointment_id;
CREATE VIEW pg_temp.past AS
    SELECT p.mrn, h.version, h.event, h.person, h.reason, h.snapshot #>> '{appointment,status}' AS status FROM radscheduler.appointment_history h JOIN radscheduler.appointment a USING (site_id, appointment_id)
    JOIN radscheduler.patient p USING (site_id, patient_id) WHERE a.site_id = radscheduler.current_site() ORDER BY p.mrn, h.appointment_id, h.version;
\pset format unaligned
-- By the exam's code, alias or name, by modality, by scanner alone; minutes are the exam's, the modality's, or those given.
SELECT t.* FROM radscheduler.book('BOOKER1', '2031-03-04 10:00-05', procedure => 'MRI001', resources => '{BMR1,btech}', patient_name => 'Anna Booker', patient_phone => '617-555-0123', actor => 'clerk seven', reason => 'by telephone') r, LATERAL pg_temp.told(r) t;
SELECT t.* FROM radscheduler.book('BOOKER2', '2031-03-04 10:00-05', procedure => 'MRI BRAIN WITHOUT CONTRAST', resources => '{BMR2}', patient_name => 'Berta Booker', urgency => 'emergency', referring_physician => 'Dr Reed', notes => 'walks with a stick') r, LATERAL pg_temp.told(r) t;
SELECT t.* FROM radscheduler.book('BOOKER3', '2031-03-04 14:00-05', 'xray', duration_minutes => 20, study_type => 'Chest, two views', patient_name => 'Carla Booker') r, LATERAL pg_temp.told(r) t;
SELECT t.* FROM radscheduler.book('BOOKER4', '2031-03-04 11:00-05', resources => '{"big magnet",BMR1}', patient_name => 'Dora Booker') r, LATERAL pg_temp.told(r) t;
SELECT * FROM pg_temp.board;
SELECT v.patient_name, v.patient_phone, v.modality, v.study_type, v.urgency, v.referring_physician, v.notes, v.source FROM radscheduler.appointments v JOIN radscheduler.site s ON s.site_id = :site WHERE v.id IN (pg_temp.of('BOOKER2'), pg_temp.of('BOOKER3')) ORDER BY 1;
SELECT pg_temp.named(e.type || ' of appointment ' || e.appointment_id) AS event, e.data ->> 'version' AS version FROM radscheduler.event_log e WHERE e.site_id = :site ORDER BY e.seq;
SELECT e.action, e.actor, e.detail ->> 'reason' AS reason, e.detail ->> 'version' AS version FROM radscheduler.audit_event e WHERE e.site_id = :site AND e.action ~ '^(appointment|patient)' ORDER BY e.recorded_at, e.action LIMIT 3;
-- What cannot be booked is a sentence, and leaves nothing behind.
SELECT w.what, t.error FROM (VALUES
    ('nobody', radscheduler.try_book(' ', '2031-03-05 10:00-05', 'MR')), ('unknown, no name', radscheduler.try_book('BOOKER9', '2031-03-05 10:00-05', 'MR')),
    ('no time', radscheduler.try_book('BOOKER1', NULL, 'MR')), ('long ago', radscheduler.try_book('BOOKER1', '1803-03-05 10:00-05', 'MR')),
    ('no kind', radscheduler.try_book('BOOKER1', '2031-03-05 10:00-05')), ('no such kind', radscheduler.try_book('BOOKER1', '2031-03-05 10:00-05', 'SPACESHIP')),
    ('no such exam', radscheduler.try_book('BOOKER1', '2031-03-05 10:00-05', procedure => 'NOEXAM')), ('no such scanner', radscheduler.try_book('BOOKER1', '2031-03-05 10:00-05', resources => '{BMR1,BMR7}')),
    ('two of this name', radscheduler.try_book('BOOKER1', '2031-03-05 10:00-05', resources => '{SHARED}')), ('no minutes', radscheduler.try_book('BOOKER1', '2031-03-05 10:00-05', 'MR', duration_minutes => 0)),
    ('no such urgency', radscheduler.try_book('BOOKER1', '2031-03-05 10:00-05', 'MR', urgency => 'soon')), ('too long', radscheduler.try_book('BOOKER1', '2031-03-05 10:00-05', 'MR', notes => repeat('n', 20001))),
    ('no such hold', radscheduler.try_book('BOOKER1', '2031-03-05 10:00-05', 'MR', hold => pg_temp.of('BOOKER1')))) w(what, r), LATERAL pg_temp.told(w.r) t;
SELECT count(*) FILTER (WHERE p.mrn = 'BOOKER9') AS patients, (SELECT count(*) FROM radscheduler.appointment a WHERE a.site_id = :site) AS appointments FROM radscheduler.patient p WHERE p.site_id = :site;
SELECT a.outcome, b.outcome AS room FROM radscheduler.book('BOOKER2', '2031-03-07 10:00-05', resources => '{equipment:shared}') a, radscheduler.book('BOOKER3', '2031-03-07 10:00-05', 'MR', resources => '{room:SHARED}') b;
SELECT radscheduler.book('BOOKER9', '2031-03-05 10:00-05', 'MR');
-- A name that differs books all the same, under the name on record, and says so; a number that is none is kept with a word.
SELECT t.* FROM radscheduler.book('BOOKER3', '2031-03-06 10:00-05', 'XR', patient_name => 'Somebody Else', patient_phone => '12') r, LATERAL pg_temp.told(r) t;
SELECT p.display_name, p.phone, p.phone_as_sent FROM radscheduler.patient p WHERE p.site_id = :site AND p.mrn = 'BOOKER3';
-- The scanner is taken, buffers included; the technologist; the patient elsewhere. Refused with the other appointment and free times, and nothing is left behind.
SELECT t.* FROM radscheduler.try_book('BOOKER5', '2031-03-04 10:45-05', procedure => 'MRI001', resources => '{BMR1}', patient_name => 'Edith Booker') r, LATERAL pg_temp.told(r) t;
SELECT t.* FROM radscheduler.try_book('BOOKER5', '2031-03-04 10:30-05', 'CT', resources => '{BTECH}', patient_name => 'Edith Booker') r, LATERAL pg_temp.told(r) t;
SELECT t.* FROM radscheduler.try_book('BOOKER2', '2031-03-04 10:30-05', 'CT') r, LATERAL pg_temp.told(r) t;
SELECT (SELECT count(*) FROM radscheduler.patient p WHERE p.site_id = :site AND p.mrn = 'BOOKER5') AS patients, (SELECT count(*) FROM radscheduler.conflict c WHERE c.site_id = :site) AS conflicts,
       (SELECT count(*) FROM radscheduler.event_log e WHERE e.site_id = :site AND e.type LIKE 'conflict%') AS events;
CREATE FUNCTION pg_temp.raised(p_query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_state text; v_text text; v_detail text; v_hint text; v_name text;
BEGIN
    EXECUTE p_query;
    RETURN 'nothing';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_text = MESSAGE_TEXT, v_detail = PG_EXCEPTION_DETAIL, v_hint = PG_EXCEPTION_HINT, v_name = CONSTRAINT_NAME;
    RETURN pg_temp.named(concat_ws(' | ', v_state, v_name, v_text, v_detail, v_hint));
END $$;
SELECT pg_temp.raised($q$SELECT radscheduler.book('BOOKER5', '2031-03-04 10:45-05', procedure => 'MRI001', resources => '{BMR1}', patient_name => 'Edith Booker')$q$);
-- A rule of the site refuses too. What only warns is booked and told.
SELECT b.appointments FROM radscheduler.block_resource('BMR2', '2031-03-11 09:00-04', '2031-03-11 12:00-04', 'cold head', 'maintenance') b;
SELECT t.* FROM radscheduler.try_book('BOOKER1', '2031-03-11 10:00-04', resources => '{BMR2}') r, LATERAL pg_temp.told(r) t;
SELECT t.* FROM radscheduler.try_book('BOOKER1', '2031-03-08 10:00-05', resources => '{BMR2}') r, LATERAL pg_temp.told(r) t;
-- Asked without booking: the same answers, and nothing is kept.
SELECT f.code, f.severity, f.axis, f.resource, pg_temp.named(f.other_appointment_id::text) AS other, f.starts_at, f.ends_at, f.message
FROM radscheduler.check_conflicts('BOOKER2', '2031-03-04 10:30-05', procedure => 'MRI001', resources => '{BMR1,BTECH}') f;
SELECT count(*) AS unknown_patient FROM radscheduler.check_conflicts('BOOKER9', '2031-03-04 12:30-05', procedure => 'MRI001', resources => '{BMR1}');
SELECT f.code, f.resource, pg_temp.named(f.other_appointment_id::text) AS other FROM radscheduler.check_conflicts(appointment_id => pg_temp.of('BOOKER1')) f;
SELECT f.code, f.resource, pg_temp.named(f.other_appointment_id::text) AS other FROM radscheduler.check_conflicts(appointment_id => pg_temp.of('BOOKER4'), starts_at => '2031-03-04 10:30-05') f;
SELECT f.code, f.resource, pg_temp.named(f.other_appointment_id::text) AS other FROM radscheduler.check_conflicts(appointment_id => pg_temp.of('BOOKER4'), resources => '{BMR2}') f;
SELECT f.code, f.resource, pg_temp.named(f.other_appointment_id::text) AS other FROM radscheduler.check_conflicts(appointment_id => pg_temp.of('BOOKER4'), starts_at => '2031-03-04 10:40-05', resources => '{BMR2}') f;
SELECT f.code, f.resource FROM radscheduler.check_conflicts(starts_at => '2031-03-11 11:00-04', resources => '{BMR2}') f;
SELECT pg_temp.raised('SELECT radscheduler.check_conflicts(appointment_id => 0)'), pg_temp.raised(format('SELECT radscheduler.check_conflicts(%L, appointment_id => %s)', 'BOOKER1', pg_temp.of('BOOKER1')));
SELECT * FROM pg_temp.board;
-- Booked over it with a reason: a higher lane, accepted by whom, told to the other side, and no review.
SELECT t.* FROM radscheduler.try_book('BOOKER5', '2031-03-04 10:30-05', procedure => 'MRI001', resources => '{BMR1,BTECH}', patient_name => 'Edith Booker', override_reason => 'stat, both agreed', actor => 'Dr Reed') r, LATERAL pg_temp.told(r) t;
SELECT * FROM pg_temp.board WHERE mrn IN ('BOOKER1', 'BOOKER5');
SELECT c ->> 'code' AS code, c ->> 'state' AS state, c ->> 'by' AS by FROM jsonb_array_elements(radscheduler.conflicts_of(:site, pg_temp.of('BOOKER1'))) c;
SELECT e.action, e.actor, e.detail ->> 'code' AS code, e.detail ->> 'reason' AS reason FROM radscheduler.audit_event e WHERE e.site_id = :site AND e.action = 'conflict.overridden' ORDER BY code;
SELECT * FROM pg_temp.past WHERE mrn = 'BOOKER5';
-- The setting that names the person is the caller's own again.
SELECT current_setting('radscheduler.actor', true) = '' AS nobody;
-- Moved: another start, another duration, other resources; by the version that was read. Whose time it was gets nothing from a refusal.
SELECT t.* FROM radscheduler.reschedule(pg_temp.of('BOOKER4'), '2031-03-04 13:00-05', version => 1, actor => 'clerk seven', reason => 'asked for later') r, LATERAL pg_temp.told(r) t;
SELECT t.* FROM radscheduler.try_reschedule(pg_temp.of('BOOKER4'), '2031-03-04 13:30-05', version => 1) r, LATERAL pg_temp.told(r) t;
SELECT pg_temp.raised(format('SELECT radscheduler.reschedule(%s, %L, version => 1)', pg_temp.of('BOOKER4'), '2031-03-04 13:30-05'));
SELECT t.* FROM radscheduler.try_reschedule(pg_temp.of('BOOKER4'), NULL, duration_minutes => 60, resources => '{BMR2,BTECH}', version => 2) r, LATERAL pg_temp.told(r) t;
SELECT t.* FROM radscheduler.try_reschedule(pg_temp.of('BOOKER4'), '2031-03-04 13:00-05', 60, '{btech,bmr2}') r, LATERAL pg_temp.told(r) t;
SELECT t.* FROM radscheduler.try_reschedule(pg_temp.of('BOOKER4'), '2031-03-04 10:15-05', version => 3) r, LATERAL pg_temp.told(r) t;
SELECT pg_temp.raised(format('SELECT radscheduler.reschedule(%s, %L)', pg_temp.of('BOOKER4'), '2031-03-04 10:15-05'));
SELECT * FROM pg_temp.board WHERE mrn = 'BOOKER4';
SELECT t.* FROM radscheduler.try_reschedule(pg_temp.of('BOOKER4'), '2031-03-04 10:15-05', override_reason => 'one of them leaves', actor => 'clerk seven') r, LATERAL pg_temp.told(r) t;
SELECT * FROM pg_temp.past WHERE mrn = 'BOOKER4';
-- Cancelled: time back, whoever waited moves up, repeated it changes nothing.
SELECT t.* FROM radscheduler.cancel(pg_temp.of('BOOKER1'), 1, reason => 'is ill') r, LATERAL pg_temp.told(r) t;
SELECT t.* FROM radscheduler.cancel(pg_temp.of('BOOKER1')) r, LATERAL pg_temp.told(r) t;
SELECT pg_temp.raised(format('SELECT radscheduler.cancel(%s, 1)', pg_temp.of('BOOKER1'))), pg_temp.raised('SELECT radscheduler.cancel(0)');
SELECT * FROM pg_temp.board WHERE mrn IN ('BOOKER1', 'BOOKER5');
SELECT c ->> 'code' AS code, c ->> 'state' AS state FROM jsonb_array_elements(radscheduler.conflicts_of(:site, pg_temp.of('BOOKER5'))) c;
SELECT a.event_reason FROM radscheduler.appointment a WHERE a.site_id = :site AND a.appointment_id = pg_temp.of('BOOKER1');
SELECT pg_temp.raised(format('SELECT radscheduler.reschedule(%s, %L)', pg_temp.of('BOOKER1'), '2031-03-04 16:00-05'));
-- Its states: opened again where its time is still free, else refused; what has begun is not cancelled; words of the trade.
SELECT pg_temp.raised(format('SELECT radscheduler.set_status(%s, %L)', pg_temp.of('BOOKER1'), 'SCHEDULED'));
SELECT r.status FROM radscheduler.cancel(pg_temp.of('BOOKER4')) r;
SELECT r.status FROM radscheduler.cancel(pg_temp.of('BOOKER2')) r;
SELECT t.* FROM radscheduler.set_status(pg_temp.of('BOOKER2'), 'confirmed', reason => 'cancelled by mistake') r, LATERAL pg_temp.told(r) t;
SELECT s.word, t.outcome, t.status, t.version FROM (VALUES (1, 'Confirmed'), (2, 'checked-in'), (3, 'confirmed'), (4, 'arrived'), (5, 'in progress'), (6, 'completed')) s(n, word), LATERAL radscheduler.set_status(pg_temp.of('BOOKER3'), s.word) r, LATERAL pg_temp.told(r) t ORDER BY s.n;
SELECT s.word, pg_temp.raised(format('SELECT radscheduler.set_status(%s, %L)', pg_temp.of('BOOKER3'), s.word)) FROM (VALUES ('scheduled'), ('CANCELLED'), ('whatever'), ('hold')) s(word);
SELECT r.status FROM radscheduler.set_status(pg_temp.of('BOOKER5'), 'deleted') r;
SELECT pg_temp.raised(format('SELECT radscheduler.set_status(%s, %L)', pg_temp.of('BOOKER5'), 'scheduled')) AS after;
SELECT * FROM pg_temp.past WHERE mrn IN ('BOOKER2', 'BOOKER3');
SELECT * FROM pg_temp.board;
-- What a message booked over another one is decided here: one conflict, or all of an appointment.
CREATE FUNCTION pg_temp.send(p_id text, p_start text, p_rest text) RETURNS text LANGUAGE sql AS $$
SELECT r.outcome FROM radscheduler.ingest(convert_to(format(E'MSH|^~\\&|BOOKRIS|BOOKS|RADSCHED|RAD|20260101080000||SIU^S12|%1$s|P|2.5\rSCH||%1$s|||||||30|MIN|^^^%2$s\rPID|1||%1$s||BOOKER^%1$s\r%3$s', p_id, p_start, p_rest), 'UTF8')) r $$;
SELECT radscheduler.set_sender('BOOKRIS', 'BOOKS') IS NOT NULL AS sender;
SELECT pg_temp.send('BOOKER6', '203103121000', E'AIS|1||MRI001\rAIG|1||BMR1\rAIP|1||BTECH'), pg_temp.send('BOOKER7', '203103121015', E'AIS|1||MRI001\rAIG|1||BMR1\rAIP|1||BTECH') AS second;
SELECT c.code, c.state, c.conflict_id AS conflict FROM radscheduler.conflict c WHERE c.site_id = :site AND c.appointment_id = pg_temp.of('BOOKER7') ORDER BY c.code LIMIT 1 \gset
SELECT pg_temp.raised(format('SELECT radscheduler.accept_conflict(%s, %L)', :conflict, ' ')), pg_temp.raised('SELECT radscheduler.accept_conflict(0, $$x$$)'), pg_temp.raised('SELECT radscheduler.override_conflict(0, $$x$$)');
SELECT t.* FROM radscheduler.accept_conflict(:conflict, 'short exams', actor => 'Dr Reed') r, LATERAL pg_temp.told(r) t;
SELECT t.* FROM radscheduler.set_status(pg_temp.of('BOOKER7'), 'confirmed') r, LATERAL pg_temp.told(r) t;
SELECT pg_temp.raised(format('SELECT radscheduler.override_conflict(%s, %L, 1)', pg_temp.of('BOOKER7'), 'both fit'));
SELECT t.* FROM radscheduler.override_conflict(pg_temp.of('BOOKER6'), 'both fit', 1, actor => 'Dr Reed') r, LATERAL pg_temp.told(r) t;
SELECT t.* FROM radscheduler.override_conflict(pg_temp.of('BOOKER7'), 'both fit') r, LATERAL pg_temp.told(r) t;
SELECT * FROM pg_temp.past WHERE mrn IN ('BOOKER6', 'BOOKER7');
SELECT e.action, e.actor, e.detail ->> 'code' AS code, e.detail ->> 'reason' AS reason FROM radscheduler.audit_event e WHERE e.site_id = :site AND e.action IN ('conflict.accepted', 'conflict.overridden') AND e.detail ->> 'reason' LIKE ANY ('{short%,both fit}') ORDER BY e.action;
-- No patient in events, audit or errors of all this.
SELECT count(*) AS named FROM radscheduler.event_log e WHERE e.site_id = :site AND e.data::text ~* 'booker';
SELECT count(*) AS named FROM radscheduler.audit_event e WHERE e.site_id = :site AND e.detail::text ~* 'booker';
DROP FUNCTION pg_temp.told, pg_temp.raised CASCADE;
