-- Free times honour hours, blocks, buffers, capacity and the patient; what is offered can be booked.
SET client_min_messages = warning;
SET timezone = 'America/New_York';
SET radscheduler.site = 'MAIN';
SELECT radscheduler.add_resource('MR-S', 'Slot scanner', 'equipment', 'MR', setup_minutes => 5, turnover_minutes => 10) AS scanner \gset
SELECT radscheduler.add_resource('NM-S', 'Camera for two', 'equipment', 'NM', capacity => 2) AS camera \gset
-- Monday 3 November 2031: open 07:00 to 19:00; the weekend is closed.
SELECT resource_code, datetime, ends_at - starts_at AS length FROM radscheduler.find_slots(resource => 'MR-S', earliest => '2031-11-01 00:00', max_slots => 3);
-- A booking 09:00-09:30 keeps 08:55-09:40 busy, so 45 minutes fit until 08:00 and again from 09:45.
INSERT INTO radscheduler.appointment (site_id, patient_id, status, starts_at, ends_at, modality, source)
    SELECT p.site_id, p.patient_id, 'SCHEDULED', '2031-11-03 09:00', '2031-11-03 09:30', 'MR', 'SQL' FROM radscheduler.patient p WHERE p.mrn = 'VM3' RETURNING appointment_id AS booked \gset
INSERT INTO radscheduler.appointment_resource (site_id, appointment_id, position, segment, resource_id) SELECT site_id, :booked, 1, 'BOOK', :scanner FROM radscheduler.site WHERE code = 'MAIN';
SELECT radscheduler.occupy(site_id, :booked, true) FROM radscheduler.site WHERE code = 'MAIN';
SELECT datetime::time FROM radscheduler.find_slots(resource => 'MR-S', earliest => '2031-11-03 07:00', latest => '2031-11-03 11:00', duration_minutes => 45, max_slots => 20);
-- The same appointment being moved does not stand in its own way; its patient is kept free elsewhere.
SELECT count(*) FROM radscheduler.find_slots(resource => 'MR-S', earliest => '2031-11-03 08:00', latest => '2031-11-03 10:00', duration_minutes => 30, max_slots => 20, without => :booked);
SELECT datetime::time FROM radscheduler.find_slots(resource => 'NM-S', earliest => '2031-11-03 08:30', latest => '2031-11-03 10:00', duration_minutes => 30, max_slots => 20, patient_id => 'VM3');
-- A block, and hours of its own.
INSERT INTO radscheduler.resource_block (site_id, resource_id, during, reason) SELECT site_id, :scanner, '[2031-11-03 10:00, 2031-11-03 18:00)', 'helium' FROM radscheduler.site WHERE code = 'MAIN';
SELECT datetime::time FROM radscheduler.find_slots(resource => 'MR-S', earliest => '2031-11-03 09:30', latest => '2031-11-03 19:00', duration_minutes => 30, max_slots => 20);
INSERT INTO radscheduler.resource_hours (site_id, resource_id, weekday, opens, closes) SELECT site_id, :scanner, 6, '08:00', '09:00' FROM radscheduler.site WHERE code = 'MAIN';
SELECT datetime FROM radscheduler.find_slots(resource => 'MR-S', earliest => '2031-11-03 00:00', latest => '2031-11-10 00:00', duration_minutes => 30, max_slots => 20);
-- Hours are wall-clock time: the day the clocks go back still opens at 08:00.
UPDATE radscheduler.resource_hours SET weekday = 7 WHERE resource_id = :scanner;
SELECT datetime, starts_at FROM radscheduler.find_slots(resource => 'MR-S', earliest => '2031-11-02 00:00', latest => '2031-11-03 00:00', duration_minutes => 60);
-- What is offered can be booked: fill a morning of the camera for two by booking every first offer.
CREATE FUNCTION pg_temp.fill() RETURNS TABLE (n bigint, flagged bigint) LANGUAGE plpgsql AS $$
DECLARE v record; v_count integer := 0;
BEGIN
    LOOP
        SELECT * INTO v FROM radscheduler.find_slots(resource => 'NM-S', earliest => '2031-11-04 07:00', latest => '2031-11-04 12:00', duration_minutes => 40, max_slots => 1);
        EXIT WHEN NOT FOUND OR v_count > 50;
        v_count := v_count + 1;
        PERFORM r.code FROM radscheduler.ingest(convert_to(format(E'MSH|^~\\&|SLOT|SLOTS|RADSCHED|RAD|20260101||SIU^S12|n%s|P|2.5\rSCH||N%s|||||||40|MIN|^^40^%s\rPID|1||NM%s||T^T\rAIG|1|A|NM-S',
            v_count, v_count, to_char(v.datetime, 'YYYYMMDDHH24MI'), v_count), 'UTF8')) r;
    END LOOP;
    RETURN QUERY SELECT count(*), count(*) FILTER (WHERE m.outcome <> 'applied') FROM radscheduler.hl7_message m JOIN radscheduler.sender s USING (site_id, sender_id) WHERE s.sending_application = 'SLOT';
END $$;
SELECT * FROM pg_temp.fill();
SELECT max(lane) AS highest_lane FROM radscheduler.occupancy WHERE axis = 'resource' AND subject_id = :camera;
-- By modality it looks at every scanner and room of it; errors say what to do.
SELECT DISTINCT resource_code FROM radscheduler.find_slots('NM', earliest => '2031-11-05 07:00', max_slots => 5);
\set VERBOSITY terse
-- With all eight arguments of earlier versions, by place or by name.
SELECT count(*) FROM radscheduler.find_slots('NM', NULL, '2031-11-05 07:00', NULL, NULL, 3, NULL, NULL);
SELECT count(*) FROM radscheduler.find_slots(modality => 'NM', resource => NULL, earliest => '2031-11-05 07:00', latest => NULL, duration_minutes => NULL, max_slots => 3, patient_id => NULL, without => NULL);
SELECT * FROM radscheduler.find_slots();
SELECT * FROM radscheduler.find_slots('TELEPATHY');
SELECT * FROM radscheduler.find_slots(resource => 'NO-SUCH');
SELECT * FROM radscheduler.find_slots('MRI', duration_minutes => 0);
SELECT * FROM radscheduler.find_slots('MRI', earliest => '2031-11-05', latest => '2031-11-04');
SELECT * FROM radscheduler.find_slots('MRI', max_slots => -1);

-- Wishes. Three ultrasound scanners on two campuses, two sonographers and a physicist who does none; Monday 6 October 2031 is open 07:00 to 19:00.
SELECT radscheduler.add_resource('SW-A', 'Wishing room A', 'equipment', 'US') AS a, radscheduler.add_resource('SW-B', 'Wishing room B', 'equipment', 'US') AS b,
       radscheduler.add_resource('SW-C', 'Wishing room C', 'equipment', 'US', setup_minutes => 5) AS c,
       radscheduler.add_resource('SONJA', 'Sonja', 'staff', role => 'SONOGRAPHER') AS sonja, radscheduler.add_resource('SONNY', 'Sonny', 'staff', role => 'SONOGRAPHER') AS sonny,
       radscheduler.add_resource('PHYLLIS', 'Phyllis', 'staff', role => 'PHYSICIST') AS phyllis \gset
UPDATE radscheduler.resource SET campus = CASE resource_id WHEN :c THEN 'SOUTH' ELSE 'NORTH' END, location = CASE resource_id WHEN :c THEN 'Hall' ELSE 'Tower' END WHERE resource_id IN (:a, :b, :c);
UPDATE radscheduler.resource SET modalities = '{NM}' WHERE resource_id = :phyllis;
INSERT INTO radscheduler.resource_hours (site_id, resource_id, weekday, opens, closes) SELECT site_id, :sonja, 1, '08:00', '12:00' FROM radscheduler.site WHERE code = 'MAIN';
INSERT INTO radscheduler.resource_block (site_id, resource_id, during, reason) SELECT site_id, :sonny, '[2031-10-06 07:00, 2031-10-06 11:00)', 'training' FROM radscheduler.site WHERE code = 'MAIN';
CREATE FUNCTION pg_temp.wish(wishes jsonb, minutes integer DEFAULT 60, slots integer DEFAULT 3, patient text DEFAULT NULL) RETURNS TABLE (resource_code text, datetime timestamp, staff text[], score numeric, reasons text) LANGUAGE sql AS $$
    SELECT f.resource_code, f.datetime, f.staff, f.score, (SELECT string_agg(r ->> 'code' || coalesce(' ' || (r ->> 'minutes'), ''), ', ') FROM jsonb_array_elements(f.reasons) r)
    FROM radscheduler.find_slots('US', earliest => '2031-10-06 00:00', latest => '2031-10-09 00:00', duration_minutes => minutes, max_slots => slots, patient_id => patient,
                                 constraints => wishes || '{"include": ["SW-A", "SW-B", "SW-C"]}') f $$;
SELECT * FROM pg_temp.wish('{}');
-- A scanner and somebody for it: Sonja from 08:00 until 12:00, Sonny from 11:00; who is asked for by name is that one; two need two.
SELECT * FROM pg_temp.wish('{"staff": "sonographer"}');
SELECT * FROM pg_temp.wish('{"staff": "SONNY"}', slots => 1);
SELECT * FROM pg_temp.wish('{"staff": ["sonographer", "Sonja"]}');
SELECT * FROM pg_temp.wish('{"staff": ["SONOGRAPHER", "SONJA"]}', 90);
-- Day parts are where it starts, from and to hold the whole exam, weekdays by number or name.
SELECT * FROM pg_temp.wish('{"day_parts": ["evening", "afternoon"], "weekdays": ["tue", 3]}', slots => 1);
SELECT * FROM pg_temp.wish('{"from": "09:10", "to": "10:30", "campus": "south"}', slots => 10);
SELECT * FROM pg_temp.wish('{"exclude": "SW-A", "day_parts": "night"}');
-- The best by distance, scanner and person; a booking from 10:00 to 10:30 leaves edges and rests of gaps.
SELECT (radscheduler.try_book('WISH1', '2031-10-07 10:00', 'US', duration_minutes => 30, resources => '{SW-A,SONJA}', patient_name => 'Wisher, Wanda', override_reason => 'test')).outcome;
SELECT * FROM pg_temp.wish('{"wanted": "2031-10-07T10:00"}', slots => 5);
SELECT * FROM pg_temp.wish('{"wanted": "2031-10-07T14:00Z", "prefer": "SW-A"}', slots => 4);
SELECT * FROM pg_temp.wish('{"wanted": "2031-10-06 11:30", "staff": "SONOGRAPHER", "prefer": ["SONJA", "SW-B"]}');
SELECT * FROM pg_temp.wish('{"wanted": "2031-10-07 10:00", "urgency": "stat"}', slots => 1);
SELECT f.resource_code, f.datetime, f.reasons -> 1 ->> 'code' AS reason FROM radscheduler.find_slots('US', earliest => '2031-10-07 00:00', max_slots => 1, constraints => '{"same_resource": true, "wanted": "2031-10-07 10:00"}',
    without => (SELECT a.id FROM radscheduler.appointments a WHERE a.patient_id = 'WISH1')) f;
-- The patient is not asked to be in two places, and needs 20 minutes to another place, 60 to another campus; a site that does not look at ways needs none.
UPDATE radscheduler.site SET travel_minutes = 20, campus_minutes = 60 WHERE code = 'MAIN';
CREATE FUNCTION pg_temp.around(code text) RETURNS TABLE (until time, again time) LANGUAGE sql AS $$
    SELECT max(w.datetime::time) FILTER (WHERE w.datetime < '2031-10-07 10:00'), min(w.datetime::time) FILTER (WHERE w.datetime > '2031-10-07 10:00')
    FROM radscheduler.find_slots(resource => code, earliest => '2031-10-07 00:00', latest => '2031-10-08 00:00', duration_minutes => 30, max_slots => 100, patient_id => 'WISH1') w $$;
SELECT c.code, w.* FROM unnest('{SW-A,SW-B,SW-C,SONNY}'::text[]) c(code), pg_temp.around(c.code) w;
UPDATE radscheduler.resource SET location = 'Annex' WHERE resource_id = :b;
SELECT * FROM pg_temp.around('SW-B');
INSERT INTO radscheduler.rule_setting (site_id, code, severity) SELECT site_id, 'PATIENT_TRAVEL', 'off' FROM radscheduler.site WHERE code = 'MAIN';
SELECT * FROM pg_temp.around('SW-C');
DELETE FROM radscheduler.rule_setting WHERE code = 'PATIENT_TRAVEL';
UPDATE radscheduler.site SET travel_minutes = 0, campus_minutes = 0 WHERE code = 'MAIN';
-- The window grows: nothing before the block of five weeks has passed, found without asking for more days; not beyond latest.
INSERT INTO radscheduler.resource_block (site_id, resource_id, during, reason) SELECT site_id, :c, '[2031-06-01 00:00, 2031-07-07 00:00)', 'renewal' FROM radscheduler.site WHERE code = 'MAIN';
SELECT datetime FROM radscheduler.find_slots(resource => 'SW-C', earliest => '2031-06-02 09:00', max_slots => 1);
SELECT count(*) FROM radscheduler.find_slots(resource => 'SW-C', earliest => '2031-06-02 09:00', latest => '2031-07-07 07:00');
-- An exam tells modality and minutes.
SELECT DISTINCT ends_at - starts_at AS length FROM radscheduler.find_slots(procedure => 'US-ABD', earliest => '2031-10-07 00:00', constraints => '{"include": "SW-A"}');
-- The third next of times that do not overlap: one scanner, three, and a hold that has run out hides nothing.
SELECT resource_code, datetime, days FROM radscheduler.third_next_available(resource => 'SW-B', earliest => '2031-10-03 18:00', duration_minutes => 30);
SELECT resource_code, datetime, days FROM radscheduler.third_next_available('US', earliest => '2031-10-03 18:00', duration_minutes => 60, constraints => '{"include": ["SW-A", "SW-B", "SW-C"]}');
SELECT hold_id AS held FROM radscheduler.hold('2031-10-08 07:00', '{SW-B}', duration_minutes => 720) \gset
SELECT datetime FROM radscheduler.find_slots(resource => 'SW-B', earliest => '2031-10-08 00:00', max_slots => 1);
UPDATE radscheduler.appointment SET hold_until = now() - interval '1 minute' WHERE appointment_id = :held;
SELECT datetime FROM radscheduler.find_slots(resource => 'SW-B', earliest => '2031-10-08 00:00', max_slots => 1);
SELECT datetime FROM radscheduler.find_slots(resource => 'SW-B', earliest => now(), max_slots => 1, constraints => '{"min_notice_minutes": 525600}') WHERE datetime < now() + interval '364 days';
-- What is not understood is refused.
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT * FROM radscheduler.find_slots('US', constraints => '{"weekday": [1]}');
\set VERBOSITY terse
SELECT * FROM radscheduler.find_slots('US', constraints => '[]');
SELECT * FROM radscheduler.find_slots('US', constraints => '{"weekdays": ["moonday"]}');
SELECT * FROM radscheduler.find_slots('US', constraints => '{"day_parts": "noon"}');
SELECT * FROM radscheduler.find_slots('US', constraints => '{"from": "12:00", "to": "09:00"}');
SELECT * FROM radscheduler.find_slots('US', constraints => '{"from": 9}');
SELECT * FROM radscheduler.find_slots('US', constraints => '{"wanted": "tomorrow"}');
SELECT * FROM radscheduler.find_slots('US', constraints => '{"staff": "WIZARD"}');
SELECT * FROM radscheduler.find_slots('US', constraints => '{"staff": "PHYSICIST"}');
SELECT * FROM radscheduler.find_slots('US', constraints => '{"staff": "SONOGRAPHER", "exclude": ["SONJA", "SONNY"]}');
SELECT * FROM radscheduler.find_slots('US', constraints => '{"prefer": "SONJA"}');
SELECT * FROM radscheduler.find_slots('US', constraints => '{"same_resource": true}');
SELECT * FROM radscheduler.find_slots('US', constraints => '{"campus": "MOON"}');
SELECT * FROM radscheduler.find_slots('US', constraints => '{"urgency": "soon"}');
SELECT * FROM radscheduler.find_slots('US', constraints => '{"order": "random"}');
SELECT * FROM radscheduler.find_slots('US', constraints => '{"min_notice_minutes": "a day"}');
SELECT * FROM radscheduler.find_slots(procedure => 'NO-SUCH');
SELECT * FROM radscheduler.find_slots('CT', procedure => 'US-ABD');
