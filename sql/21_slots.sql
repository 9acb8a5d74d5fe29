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
SELECT * FROM radscheduler.find_slots();
SELECT * FROM radscheduler.find_slots('TELEPATHY');
SELECT * FROM radscheduler.find_slots(resource => 'NO-SUCH');
SELECT * FROM radscheduler.find_slots('MRI', duration_minutes => 0);
SELECT * FROM radscheduler.find_slots('MRI', earliest => '2031-11-05', latest => '2031-11-04');
SELECT * FROM radscheduler.find_slots('MRI', max_slots => -1);
