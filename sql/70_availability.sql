-- Holidays, exceptions, weekly hours with validity, hours kept for urgent exams or for some, recurring downtime: what they flag, what they heal, what is
-- offered meanwhile, and what a change would strand before it is made.
SET client_min_messages = warning;
SET timezone = 'America/New_York';
SELECT radscheduler.create_site('AVAIL', 'Availability hospital', 'America/New_York') AS site \gset
SET radscheduler.site = 'AVAIL';
SELECT radscheduler.add_resource('AV-MR1', 'Availability MR one', 'equipment', 'MR') AS mr1, radscheduler.add_resource('AV-MR2', 'Availability MR two', 'equipment', 'MR') AS mr2,
       radscheduler.add_resource('AVTECH', 'Availability technologist', 'staff', role => 'AVTECHNOLOGIST') AS tech \gset
-- What is booked, and the conflicts about hours of one appointment by patient.
CREATE FUNCTION pg_temp.put(patient text, at timestamptz, resources text[], minutes integer DEFAULT 30, urgency text DEFAULT NULL, study text DEFAULT NULL, modality text DEFAULT 'MR') RETURNS text LANGUAGE sql AS $$
    SELECT b.outcome FROM radscheduler.try_book(put.patient, put.at, put.modality, duration_minutes => put.minutes, resources => put.resources, urgency => put.urgency, study_type => put.study, patient_name => 'Available, ' || put.patient) b $$;
CREATE FUNCTION pg_temp.state(pattern text) RETURNS TABLE (patient text, status radscheduler.appointment_status, conflicts text) LANGUAGE sql AS $$
    SELECT p.mrn, a.status, (SELECT string_agg(c.code || ' ' || c.severity || coalesce(' ' || r.code, ''), ', ' ORDER BY c.code, r.code) FROM radscheduler.conflict c
           LEFT JOIN radscheduler.resource r ON r.site_id = c.site_id AND r.resource_id = c.subject_id
           WHERE c.site_id = a.site_id AND c.appointment_id = a.appointment_id AND c.state = 'open' AND c.code = ANY (radscheduler.hour_rules()))
    FROM radscheduler.appointment a JOIN radscheduler.patient p USING (site_id, patient_id) WHERE p.mrn LIKE pattern ORDER BY p.mrn $$;
-- The first and last start offered on a resource on a day, and how many.
CREATE FUNCTION pg_temp.offers(code text, day date, minutes integer DEFAULT 30, wishes jsonb DEFAULT NULL, exam text DEFAULT NULL) RETURNS TABLE (first time, last time, n bigint) LANGUAGE sql AS $$
    SELECT min(f.datetime::time), max(f.datetime::time), count(*) FROM radscheduler.find_slots(resource => offers.code, earliest => offers.day::timestamp AT TIME ZONE 'America/New_York',
        latest => (offers.day + 1)::timestamp AT TIME ZONE 'America/New_York', duration_minutes => offers.minutes, max_slots => 500, procedure => offers.exam, constraints => offers.wishes) f $$;

-- 1. A holiday. Friday 4 July 2031 is open 07:00 to 19:00 until somebody says otherwise; the preview says who would be stranded and changes nothing.
SELECT pg_temp.put('AVHOLI1', '2031-07-04 09:00', '{AV-MR1,AVTECH}'), pg_temp.put('AVHOLI2', '2031-07-04 15:00', '{AV-MR2}'), pg_temp.put('AVHOLI3', '2031-07-03 15:00', '{AV-MR2}');
SELECT effect, code, severity, starts_at, resource_code, sentence FROM radscheduler.preview_hours('{"change": "set_holiday", "day": "2031-07-04", "name": "Independence Day", "opens": ["14:00"], "closes": ["18:00"]}');
SELECT count(*) AS days FROM radscheduler.calendar_day WHERE site_id = :site;
SELECT * FROM pg_temp.offers('AV-MR1', '2031-07-04');
SELECT * FROM radscheduler.set_holiday('2031-07-04', 'Independence Day');
SELECT * FROM pg_temp.state('AVHOLI_');
SELECT * FROM pg_temp.offers('AV-MR1', '2031-07-04');
-- Reduced hours heal those who fit. Staff who have no hours of their own know no holidays: AVTECH is flagged for none, and offered where the site is open.
SELECT p.effect, m.mrn FROM radscheduler.preview_hours('{"change": "set_holiday", "day": "2031-07-04", "opens": ["14:00"], "closes": ["18:00"]}') p
    JOIN radscheduler.appointment a USING (appointment_id) JOIN radscheduler.patient m USING (site_id, patient_id);
SELECT * FROM radscheduler.set_holiday('2031-07-04', opens => '{14:00}', closes => '{18:00}');
SELECT name, opens, closes FROM radscheduler.calendar_day WHERE site_id = :site;
SELECT * FROM pg_temp.state('AVHOLI_');
SELECT * FROM pg_temp.offers('AV-MR1', '2031-07-04');
SELECT * FROM pg_temp.offers('AVTECH', '2031-07-04');
-- An exception of a resource counts before the holiday, and for it alone; it may also be open longer than ever.
SELECT * FROM radscheduler.set_exception('AV-MR1', '2031-07-04', 'Emergency service', '{06:00,20:00}', '{10:00,24:00}');
SELECT * FROM pg_temp.state('AVHOLI_');
SELECT * FROM pg_temp.offers('AV-MR1', '2031-07-04');
SELECT pg_temp.put('AVHOLI4', '2031-07-04 23:30', '{AV-MR1}'), pg_temp.put('AVHOLI5', '2031-07-04 12:00', '{AV-MR1}');
SELECT * FROM pg_temp.state('AVHOLI_');
-- Staff: an exception is a day off, and the scanner with somebody is not offered then.
SELECT * FROM radscheduler.set_exception('AVTECH', '2031-07-04');
SELECT * FROM pg_temp.state('AVHOLI1');
SELECT * FROM pg_temp.offers('AV-MR1', '2031-07-04', 30, '{"staff": "AVTECHNOLOGIST"}');
SELECT * FROM pg_temp.offers('AV-MR1', '2031-07-07', 30, '{"staff": "AVTECHNOLOGIST"}');
-- Hours of its own, too, give way to the holiday; on other days they hold.
SELECT * FROM radscheduler.set_hours('{1,2,3,4,5}', '{08:00}', '{12:00}', 'AV-MR2', '2031-07-01', '2031-07-31');
SELECT * FROM pg_temp.offers('AV-MR2', '2031-07-04');
SELECT * FROM pg_temp.offers('AV-MR2', '2031-07-03');
SELECT * FROM pg_temp.offers('AV-MR2', '2031-08-01');
SELECT * FROM pg_temp.state('AVHOLI_');
-- All of it taken back.
SELECT * FROM radscheduler.remove_exception('AVTECH', '2031-07-04');
SELECT * FROM radscheduler.remove_exception('AV-MR1', '2031-07-04');
SELECT * FROM radscheduler.remove_holiday('2031-07-04');
SELECT * FROM radscheduler.set_hours('{1,2,3,4,5}', '{07:00}', '{19:00}', 'AV-MR2', '2031-07-01', '2031-07-31');
SELECT * FROM pg_temp.state('AVHOLI_');
SELECT weekday, opens, closes, valid FROM radscheduler.resource_hours WHERE resource_id = :mr2 ORDER BY 1, 4;
DELETE FROM radscheduler.resource_hours WHERE resource_id = :mr2;

-- 2. Weekly hours of the site from a day until a day: rows before and after stay. The other weekdays are not touched.
SELECT p.effect, m.mrn, p.code FROM radscheduler.preview_hours('{"change": "set_hours", "weekdays": [4], "opens": ["07:00"], "closes": ["12:00"], "valid_from": "2031-07-01", "valid_until": "2031-07-31"}') p
    JOIN radscheduler.appointment a USING (appointment_id) JOIN radscheduler.patient m USING (site_id, patient_id);
SELECT * FROM radscheduler.set_hours('{4}', '{07:00}', '{12:00}', valid_from => '2031-07-01', valid_until => '2031-07-31');
SELECT weekday, opens, closes, valid FROM radscheduler.resource_hours WHERE resource_id IS NULL AND weekday IN (4, 5) AND site_id = :site ORDER BY 1, 4;
SELECT * FROM pg_temp.state('AVHOLI3');
SELECT * FROM radscheduler.set_hours('{4}', '{07:00}', '{19:00}');
SELECT weekday, opens, closes, valid FROM radscheduler.resource_hours WHERE resource_id IS NULL AND weekday IN (4, 5) AND site_id = :site ORDER BY 1, 4;
SELECT * FROM pg_temp.state('AVHOLI3');

-- 3. The day clocks are put forward, Sunday 9 March 2031: 01:00 to 04:00 is two hours long, and 02:30 is not there.
SELECT * FROM radscheduler.set_exception('AV-MR1', '2031-03-09', 'Installation', '{01:00}', '{04:00}');
SELECT datetime, starts_at FROM radscheduler.find_slots(resource => 'AV-MR1', earliest => '2031-03-09 00:00', latest => '2031-03-10 00:00', duration_minutes => 60, max_slots => 20);
SELECT radscheduler.open_hours(:site, :mr1, '2031-03-09 00:00', '2031-03-10 00:00');
-- And back, 2 November 2031: the same three hours on the clock are four.
SELECT * FROM radscheduler.set_exception('AV-MR1', '2031-11-02', NULL, '{00:00}', '{03:00}');
SELECT upper(h) - lower(h) AS length FROM unnest(radscheduler.open_hours(:site, :mr1, '2031-11-02 00:00', '2031-11-03 00:00')) h;
SELECT count(*) FROM pg_temp.offers('AV-MR1', '2031-11-02') o WHERE o.last = '02:30';
SELECT * FROM radscheduler.reserve_hours('{7}', '01:30', '02:30', resource => 'AV-MR1', valid_from => '2031-03-01', valid_until => '2031-03-31') \gset
SELECT pg_temp.offers('AV-MR1', '2031-03-09');
SELECT r.* FROM unnest(:'reserved_ids'::bigint[]) u, radscheduler.unreserve_hours(u) r;

-- 4. Kept for urgent exams: Tuesdays 10 to 12 on one scanner. Routine exams are flagged there and not offered it; urgent ones are.
SELECT cardinality(reserved_ids) AS n, opened, resolved, reserved_ids[1] AS kept FROM radscheduler.reserve_hours('{2,2}', '10:00', '12:00', resource => 'AV-MR1', name => 'Emergency slots') \gset
SELECT :n AS n, :opened AS opened;
SELECT kind, urgencies, patient_classes, procedures, release_hours FROM radscheduler.reserved_hours WHERE reserved_id = :kept;
SELECT pg_temp.put('AVKEPT1', '2031-09-02 11:30', '{AV-MR1}', 60), pg_temp.put('AVKEPT2', '2031-09-02 10:00', '{AV-MR1}', urgency => 'urgent'), pg_temp.put('AVKEPT3', '2031-09-02 10:00', '{AV-MR2}'),
       pg_temp.put('AVKEPT4', '2031-09-03 10:00', '{AV-MR1}');
SELECT * FROM pg_temp.state('AVKEPT_');
SELECT radscheduler.conflict_sentence(c.site_id, c.code, c.subject_id, c.axis, c.appointment_id) AS sentence, c.overlap FROM radscheduler.conflict c WHERE c.site_id = :site AND c.code = 'RESERVED' AND c.state = 'open';
SELECT 'routine' AS who, o.* FROM pg_temp.offers('AV-MR1', '2031-09-09') o
UNION ALL SELECT 'stat', o.* FROM pg_temp.offers('AV-MR1', '2031-09-09', 30, '{"urgency": "stat"}') o
UNION ALL SELECT 'class E', o.* FROM pg_temp.offers('AV-MR1', '2031-09-09', 30, '{"patient_class": "e"}') o;
SELECT count(*) FROM radscheduler.find_slots(resource => 'AV-MR1', earliest => '2031-09-09 10:00', latest => '2031-09-09 12:00', max_slots => 50);
-- To move an appointment it is asked for as what it is.
SELECT a.appointment_id AS urgent FROM radscheduler.appointment a JOIN radscheduler.patient p USING (site_id, patient_id) WHERE p.mrn = 'AVKEPT2' \gset
SELECT count(*) > 0 AS offered FROM radscheduler.find_slots(resource => 'AV-MR1', earliest => '2031-09-09 10:00', latest => '2031-09-09 12:00', without => :urgent);
-- The severity is the site's; an inpatient's exam is informed only.
INSERT INTO radscheduler.rule_setting (site_id, code, severity) VALUES (:site, 'RESERVED', 'critical');
SELECT b.outcome, b.conflicts -> 0 ->> 'code' AS code FROM radscheduler.try_book('AVKEPT5', '2031-09-16 10:00', 'MR', resources => '{AV-MR1}', duration_minutes => 30, patient_name => 'Available, Five') b;
SELECT checked > 0 AS checked, opened, resolved FROM radscheduler.recheck_conflicts('2031-09-01', '2031-09-10');
SELECT * FROM pg_temp.state('AVKEPT1');

-- 5. Released so many hours before it begins: then it is everybody's, and maintain() heals who was flagged. Time is made to pass by a longer release.
SELECT * FROM radscheduler.unreserve_hours(:kept);
SELECT * FROM pg_temp.state('AVKEPT1');
\set day '(now() + interval ''20 days'')'
SELECT reserved_ids[1] AS kept, opened FROM radscheduler.reserve_hours(ARRAY[extract(isodow FROM :day)::integer], '00:00', '24:00', resource => 'AV-MR2', release_hours => 24, valid_from => (:day)::date, valid_until => (:day)::date) \gset
SELECT * FROM radscheduler.set_exception('AV-MR2', (:day)::date, NULL, '{00:00}', '{24:00}');
SELECT pg_temp.put('AVFREE1', date_trunc('day', :day) + interval '9 hours', '{AV-MR2}', urgency => 'stat');
SELECT b.outcome FROM radscheduler.try_book('AVFREE2', date_trunc('day', :day) + interval '10 hours', 'MR', resources => '{AV-MR2}', duration_minutes => 30, patient_name => 'Available, Two') b;
SELECT b.outcome FROM radscheduler.try_book('AVFREE2', date_trunc('day', :day) + interval '10 hours', 'MR', resources => '{AV-MR2}', duration_minutes => 30, patient_name => 'Available, Two', override_reason => 'agreed') b;
SELECT * FROM pg_temp.state('AVFREE_');
UPDATE radscheduler.conflict SET state = 'open', accepted_by = NULL WHERE code = 'RESERVED' AND state = 'accepted';
SELECT radscheduler.settle(:site, '{}', ARRAY(SELECT a.appointment_id FROM radscheduler.appointment a JOIN radscheduler.patient p USING (site_id, patient_id) WHERE p.mrn LIKE 'AVFREE_'), NULL);
SELECT * FROM pg_temp.state('AVFREE_');
SELECT radscheduler.maintain() -> 'reservations_released' AS released;
SELECT (SELECT count(*) FROM pg_temp.offers('AV-MR2', (:day)::date) o WHERE o.n > 0) AS routine, (SELECT count(*) FROM pg_temp.offers('AV-MR2', (:day)::date, 30, '{"urgency": "stat"}') o WHERE o.n > 0) AS stat;
UPDATE radscheduler.reserved_hours SET release_hours = 24 * 30 WHERE reserved_id = :kept;
SELECT sum((radscheduler.maintain() ->> 'reservations_released')::integer) AS released FROM generate_series(1, 3);
SELECT * FROM pg_temp.state('AVFREE_');
SELECT b.outcome FROM radscheduler.try_book('AVFREE3', date_trunc('day', :day) + interval '11 hours', 'MR', resources => '{AV-MR2}', duration_minutes => 30, patient_name => 'Available, Three') b;
SELECT count(*) AS routine FROM pg_temp.offers('AV-MR2', (:day)::date) o WHERE o.n > 0;
SELECT * FROM radscheduler.unreserve_hours(:kept);
DELETE FROM radscheduler.rule_setting WHERE code = 'RESERVED';

-- 6. Mornings for cardiac exams on all of a modality: by pattern or code, whatever the scanner, and for an exam that names none.
SELECT reserved_ids FROM radscheduler.reserve_hours('{3}', '07:00', '12:00', 'exams', modality => 'MRI', procedures => '{%CARDIAC%,MR-HIP}', valid_from => '2031-10-01', valid_until => '2031-10-31', name => 'Cardiac mornings') \gset
SELECT pg_temp.put('AVHEART1', '2031-10-08 08:00', '{AV-MR1}', study => 'MRI CARDIAC STRESS'), pg_temp.put('AVHEART2', '2031-10-08 11:45', '{AV-MR1}', study => 'MRI KNEE'),
       pg_temp.put('AVHEART3', '2031-10-08 09:00', NULL, study => 'MRI KNEE'), pg_temp.put('AVHEART4', '2031-10-08 09:00', '{AV-MR2}', urgency => 'stat', study => 'MRI BRAIN'),
       pg_temp.put('AVHEART5', '2031-11-05 09:00', '{AV-MR2}', study => 'MRI KNEE');
SELECT * FROM pg_temp.state('AVHEART_');
SELECT message FROM radscheduler.appointments v, jsonb_to_recordset(v.conflicts) c(code text, message text) WHERE v.patient_id = 'AVHEART3' AND c.code = 'WRONG_EXAM_BLOCK';
SELECT 'any' AS exam, o.* FROM pg_temp.offers('AV-MR2', '2031-10-15') o
UNION ALL SELECT 'cardiac', o.* FROM pg_temp.offers('AV-MR2', '2031-10-15', exam => 'MR-CARDIAC') o;
SELECT * FROM radscheduler.unreserve_hours((:'reserved_ids'::bigint[])[1], '2031-10-08');
SELECT valid FROM radscheduler.reserved_hours WHERE reserved_id = (:'reserved_ids'::bigint[])[1];
SELECT * FROM pg_temp.state('AVHEART_');

-- 7. Out of use every Monday morning from September on: as a block each time. A preview of several changes at once.
SELECT pg_temp.put('AVDOWN1', '2031-12-01 07:30', '{AV-MR1}'), pg_temp.put('AVDOWN2', '2031-12-08 07:30', '{AV-MR1}'), pg_temp.put('AVDOWN3', '2031-12-02 09:00', '{AV-MR2}');
SELECT m.mrn, p.effect, p.code, p.severity, p.sentence FROM radscheduler.preview_hours('[{"change": "reserve_hours", "weekdays": [1], "opens": "07:00", "closes": "08:00", "kind": "maintenance", "resource": "AV-MR1", "valid_from": "2031-12-05"},
    {"change": "block_resource", "resource": "AV-MR2", "from_time": "2031-12-02T08:00:00-05:00", "until_time": "2031-12-02T12:00:00-05:00", "kind": "block"}]') p
    JOIN radscheduler.appointment a USING (appointment_id) JOIN radscheduler.patient m USING (site_id, patient_id);
SELECT * FROM pg_temp.state('AVDOWN_');
SELECT reserved_ids[1] AS down, opened FROM radscheduler.reserve_hours('{1}', '07:00', '08:00', 'maintenance', 'AV-MR1', valid_from => '2031-12-05') \gset
SELECT * FROM pg_temp.state('AVDOWN_');
SELECT * FROM pg_temp.offers('AV-MR1', '2031-12-15');
SELECT pg_temp.put('AVDOWN4', '2031-12-15 07:45', '{AV-MR1}');
-- A pool has one scanner less then: of two scanners of a modality of its own one is out of use from 7 to 8, and one is kept for urgent exams from 9 to 10.
INSERT INTO radscheduler.modality (site_id, code, label, name, default_minutes) VALUES (:site, 'ZA', 'ZA', 'Availability', 30);
INSERT INTO radscheduler.modality_alias (site_id, alias, code) VALUES (:site, 'ZA', 'ZA');
SELECT radscheduler.add_resource('AV-ZA1', 'Availability one', 'equipment', 'ZA') AS za1, radscheduler.add_resource('AV-ZA2', 'Availability two', 'equipment', 'ZA') AS za2 \gset
SELECT opened FROM radscheduler.reserve_hours('{4}', '07:00', '08:00', 'downtime', 'AV-ZA1');
SELECT reserved_ids[1] AS kept FROM radscheduler.reserve_hours('{4}', '09:00', '10:00', 'urgent', 'AV-ZA1', release_hours => 0) \gset
SELECT pg_temp.put('AVPOOL1', '2031-12-11 07:00', NULL, modality => 'ZA'), pg_temp.put('AVPOOL2', '2031-12-11 07:15', NULL, modality => 'ZA'), pg_temp.put('AVPOOL3', '2031-12-11 09:00', NULL, modality => 'ZA'),
       pg_temp.put('AVPOOL4', '2031-12-11 09:15', NULL, modality => 'ZA'), pg_temp.put('AVPOOL5', '2031-12-11 09:30', NULL, urgency => 'urgent', modality => 'ZA');
SELECT * FROM pg_temp.state('AVPOOL_');
SELECT * FROM radscheduler.unreserve_hours(:kept);
SELECT * FROM pg_temp.state('AVPOOL_');

-- 8. What is offered can be booked, and what is not offered would be flagged: each half hour of three days, for three kinds of exam.
SELECT radscheduler.add_resource('AV-MR3', 'Availability MR three', 'equipment', 'MR', setup_minutes => 5) AS mr3 \gset
SELECT opened FROM radscheduler.set_holiday('2031-05-26', 'Memorial Day', '{09:00}', '{15:00}');
SELECT opened FROM radscheduler.set_exception('AV-MR3', '2031-05-27', NULL, '{05:00,13:00}', '{11:00,21:30}');
SELECT sum(cardinality(reserved_ids)) AS n FROM radscheduler.reserve_hours('{1,2,3}', '10:00', '11:30', resource => 'AV-MR3', patient_classes => '{E}', urgencies => '{urgent}');
SELECT sum(cardinality(reserved_ids)) AS n FROM radscheduler.reserve_hours('{1,2,3}', '13:30', '16:00', 'exams', modality => 'MR', procedures => '{MR-CARDIAC}', urgencies => '{stat}', valid_from => '2031-05-20', valid_until => '2031-05-31');
SELECT sum(cardinality(reserved_ids)) AS n FROM radscheduler.reserve_hours('{2,3}', '17:00', '17:30', 'block', 'AV-MR3');
SELECT pg_temp.put('AVEVERY1', '2031-05-28 08:00', '{AV-MR3}');
INSERT INTO radscheduler.rule_setting (site_id, code, severity) SELECT :site, c, 'critical' FROM unnest('{RESERVED,WRONG_EXAM_BLOCK,OUTSIDE_HOURS}'::text[]) c;
WITH exam(exam, urgency) AS (
    VALUES ('MR-CARDIAC', 'routine'), ('MR-HIP', 'urgent'), ('MR-HIP', 'stat'), (NULL, 'routine')
), half AS (
    SELECT g AS starts FROM generate_series('2031-05-26 00:00'::timestamptz, '2031-05-28 23:30', interval '30 minutes') g
), offered AS (
    SELECT e.exam, e.urgency, f.starts_at FROM exam e, LATERAL radscheduler.find_slots(resource => 'AV-MR3', earliest => '2031-05-26 00:00', latest => '2031-05-29 00:00', duration_minutes => 30, max_slots => 1000,
        procedure => e.exam, constraints => jsonb_build_object('urgency', e.urgency)) f
)
SELECT e.exam, e.urgency, count(o.starts_at) AS offered, count(*) FILTER (WHERE (o.starts_at IS NOT NULL) <> (b.worst IS DISTINCT FROM 'critical' AND (e.urgency <> 'stat' OR NOT b.codes && radscheduler.hour_rules()))) AS wrong
FROM exam e CROSS JOIN half h LEFT JOIN offered o ON o.exam IS NOT DISTINCT FROM e.exam AND o.urgency = e.urgency AND o.starts_at = h.starts
CROSS JOIN LATERAL (SELECT max(c.severity) AS worst, coalesce(array_agg(c.code), '{}') AS codes
                    FROM radscheduler.check_conflicts('AVEVERY9', h.starts, 'MR', e.exam, 30, '{AV-MR3}', e.urgency, CASE WHEN e.exam IS NULL THEN 'MRI OTHER' END) c
                    WHERE c.code = ANY (radscheduler.hour_rules() || '{EQUIPMENT_DOUBLE_BOOKED}')) b
GROUP BY 1, 2 ORDER BY 1, 2;
DELETE FROM radscheduler.rule_setting WHERE code IN ('RESERVED', 'WRONG_EXAM_BLOCK', 'OUTSIDE_HOURS') AND site_id = :site;

-- 9. Changes are told without names; rows that are written by hand are audited and count when conflicts are rechecked.
SELECT data - '{resource_id,reserved_ids}'::text[] AS data FROM radscheduler.event_log WHERE site_id = :site AND type = 'hours.changed' AND data ->> 'change' IN ('set_holiday', 'set_exception') ORDER BY xid, seq LIMIT 3;
SELECT count(*) > 0 AS audited, bool_or(detail::text ~ 'Independence') AS named FROM radscheduler.audit_event WHERE action = 'hours.changed';
INSERT INTO radscheduler.calendar_day (site_id, day, name) VALUES (:site, '2031-12-02', 'By hand');
SELECT checked > 0 AS checked, opened, resolved FROM radscheduler.recheck_conflicts('2031-12-02', '2031-12-03');
DELETE FROM radscheduler.calendar_day WHERE day = '2031-12-02';
SELECT checked > 0 AS checked, opened, resolved FROM radscheduler.recheck_conflicts('2031-12-02', '2031-12-03');

-- In the configuration document: a list replaces what is there, and what stays keeps its row.
DELETE FROM radscheduler.reserved_hours WHERE site_id = :site;
DELETE FROM radscheduler.calendar_day WHERE site_id = :site;
SELECT radscheduler.set_holiday('2031-12-24', 'Eve', '{07:00}', '{12:00}'), radscheduler.set_holiday('2031-12-25', 'Christmas Day');
SELECT reserved_ids[1] AS stays FROM radscheduler.reserve_hours('{1}', '10:00', '12:00', resource => 'AV-MR1', release_hours => 24) \gset
SELECT reserved_ids[1] AS goes FROM radscheduler.reserve_hours('{2}', '10:00', '12:00', resource => 'AV-MR1') \gset
SELECT day_id AS day FROM radscheduler.calendar_day WHERE day = '2031-12-25' \gset
CREATE FUNCTION pg_temp.merge(site jsonb) RETURNS TABLE (item text, name text, changed text) LANGUAGE sql AS $$
    SELECT i.item, i.name, (SELECT string_agg(k, ' ' ORDER BY k) FROM jsonb_object_keys(i.changes) k)
    FROM radscheduler.configuration_import(jsonb_build_object('format', 'radscheduler.configuration', 'version', 1, 'sites', jsonb_build_array(jsonb_build_object('code', 'AVAIL') || merge.site)), dry_run => false) i $$;
SELECT * FROM pg_temp.merge('{"days": [{"day": "2031-12-25", "name": "Christmas Day", "hours": []}, {"day": "2031-12-26", "hours": [{"opens": "10:00", "closes": "12:00"}]}],
    "reserved": [{"weekday": 3, "opens": "07:00", "closes": "12:00", "kind": "exams", "modality": "MR", "procedures": ["%CARDIAC%"]}],
    "resources": [{"kind": "equipment", "code": "AV-MR1", "days": [{"day": "2031-12-26", "name": "Open", "hours": [{"opens": "07:00", "closes": "24:00"}]}], "reserved": [
        {"weekday": 1, "opens": "10:00", "closes": "12:00", "kind": "urgent", "urgencies": ["urgent", "stat"], "patient_classes": ["E"], "release_hours": 24}, {"weekday": 5, "opens": "18:00", "closes": "19:00", "kind": "maintenance"}]}]}');
SELECT c.day, r.code, c.name, c.opens, c.closes, c.day_id = :day AS is_the_same FROM radscheduler.calendar_day c LEFT JOIN radscheduler.resource r USING (site_id, resource_id) WHERE c.site_id = :site ORDER BY 1, 2 NULLS FIRST;
SELECT r.code, w.modality, w.weekday, w.kind, w.release_hours, w.reserved_id = :stays AS is_the_same FROM radscheduler.reserved_hours w LEFT JOIN radscheduler.resource r USING (site_id, resource_id) WHERE w.site_id = :site ORDER BY w.weekday;
SELECT m.mrn, p.effect, p.code FROM radscheduler.preview_hours('{"change": "configuration_import", "document": {"format": "radscheduler.configuration", "version": 1, "sites": [{"code": "AVAIL", "hours": [{"weekday": 1, "opens": "07:00", "closes": "19:00"}],
    "days": [{"day": "2031-07-03", "hours": [{"opens": "07:00", "closes": "19:00"}]}]}]}}') p JOIN radscheduler.appointment a USING (appointment_id) JOIN radscheduler.patient m USING (site_id, patient_id) WHERE m.mrn LIKE 'AVHOLI_' ORDER BY m.mrn;
SELECT DISTINCT i.action FROM radscheduler.configuration_import(radscheduler.configuration_export()) i;
\set VERBOSITY terse
SELECT * FROM pg_temp.merge('{"days": [{"day": "2031-12-25", "hours": [{"opens": "12:00", "closes": "10:00"}]}]}');
SELECT * FROM pg_temp.merge('{"days": [{"day": "2031-12-25", "hours": []}, {"day": "2031-12-25", "hours": []}]}');
SELECT * FROM pg_temp.merge('{"days": [{"day": "2031-12-25"}]}');
SELECT * FROM pg_temp.merge('{"reserved": [{"weekday": 3, "opens": "07:00", "closes": "12:00", "kind": "exams", "modality": "XX", "procedures": ["%CARDIAC%"]}]}');
SELECT * FROM pg_temp.merge('{"reserved": [{"weekday": 3, "opens": "07:00", "closes": "12:00", "kind": "exams", "modality": "MR"}]}');
SELECT * FROM pg_temp.merge('{"resources": [{"kind": "equipment", "code": "AV-MR1", "reserved": [{"weekday": 3, "opens": "07:00", "closes": "12:00", "kind": "party"}]}]}');

-- 10. What is not understood is refused with a sentence.
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT * FROM radscheduler.set_holiday(NULL);
SELECT * FROM radscheduler.set_holiday('2031-12-25', opens => '{09:00}');
\set VERBOSITY terse
SELECT * FROM radscheduler.set_holiday('2031-12-25', opens => '{12:00}', closes => '{09:00}');
SELECT * FROM radscheduler.set_holiday('infinity');
SELECT * FROM radscheduler.remove_holiday('2031-12-26');
SELECT * FROM radscheduler.set_exception('NO-SUCH', '2031-12-25');
SELECT * FROM radscheduler.remove_exception('AV-MR2', '2031-12-26');
SELECT * FROM radscheduler.set_hours('{8}', '{09:00}', '{12:00}');
SELECT * FROM radscheduler.set_hours('{}', '{09:00}', '{12:00}');
SELECT * FROM radscheduler.set_hours('{1}', '{09:00}', '{12:00}', valid_from => '2031-02-01', valid_until => '2031-01-01');
SELECT * FROM radscheduler.reserve_hours('{1}', '09:00', '12:00');
SELECT * FROM radscheduler.reserve_hours('{1}', '09:00', '12:00', modality => 'TELEPATHY');
SELECT * FROM radscheduler.reserve_hours('{1}', '09:00', '12:00', 'exams', modality => 'MR');
SELECT * FROM radscheduler.reserve_hours('{1}', '09:00', '12:00', 'party', modality => 'MR');
SELECT * FROM radscheduler.reserve_hours('{1}', '09:00', '12:00', 'downtime', modality => 'MR', release_hours => 2);
SELECT * FROM radscheduler.reserve_hours('{1}', '12:00', '09:00', modality => 'MR');
SELECT * FROM radscheduler.reserve_hours('{1}', '09:00', '12:00', modality => 'MR', urgencies => '{soon}');
SELECT * FROM radscheduler.reserve_hours('{1}', '09:00', '12:00', modality => 'MR', release_hours => -1);
SELECT * FROM radscheduler.unreserve_hours(0);
SELECT * FROM radscheduler.preview_hours('{"change": "close_forever"}');
SELECT * FROM radscheduler.preview_hours('{"change": "set_holiday", "date": "2031-12-25"}');
SELECT * FROM radscheduler.preview_hours('{"change": "set_holiday"}');
SELECT * FROM radscheduler.preview_hours('[]');
SELECT * FROM radscheduler.preview_hours('{"change": "set_holiday", "day": "tomorrow"}');
SELECT * FROM radscheduler.preview_hours('{"change": "set_holiday", "day": "2031-12-25", "opens": "09:00"}');
SELECT * FROM radscheduler.preview_hours('3');
INSERT INTO radscheduler.calendar_day (site_id, day, opens) VALUES (:site, '2031-12-25', '{09:00}');
INSERT INTO radscheduler.reserved_hours (site_id, modality, weekday, opens, closes, kind) VALUES (:site, 'MR', 1, '09:00', '10:00', 'urgent');
INSERT INTO radscheduler.reserved_hours (site_id, modality, weekday, opens, closes, kind, release_hours) VALUES (:site, 'MR', 1, '09:00', '10:00', 'block', 3);
-- Nothing of this is left in the way of the tests that follow.
DELETE FROM radscheduler.reserved_hours WHERE site_id = :site;
DELETE FROM radscheduler.calendar_day WHERE site_id = :site;
