-- What the clients of the contention test fight over: 20 resources, 120 patients, 500 appointment keys, five days of 20 starts. All invented.
CREATE SCHEMA contention;
CREATE SEQUENCE contention.control;
UPDATE radscheduler.site SET timezone = 'UTC', travel_minutes = 10;
INSERT INTO radscheduler.sender (site_id, sending_application, sending_facility, profile)
    SELECT site_id, s.application, 'SOAK', s.profile FROM radscheduler.site, (VALUES ('CONTEND', '{}'::jsonb), ('REFUSE', '{"on_conflict": "reject"}')) s(application, profile);
SELECT radscheduler.add_resource('CT' || n, 'Scanner ' || n, 'equipment', 'CT', setup_minutes => n % 3 * 5, turnover_minutes => n % 2 * 10) FROM generate_series(1, 6) n;
SELECT radscheduler.add_resource('ROOM' || n, 'Room ' || n, 'room', 'US', capacity => 1 + n % 3) FROM generate_series(1, 6) n;
SELECT radscheduler.add_resource('T' || n, 'Person ' || n, 'staff', role => CASE WHEN n < 6 THEN 'TECHNOLOGIST' ELSE 'RADIOLOGIST' END) FROM generate_series(1, 8) n;
INSERT INTO radscheduler.resource_hours (site_id, weekday, opens, closes) SELECT s.site_id, d, '07:00', '16:30' FROM radscheduler.site s, generate_series(1, 7) d;

-- One message about one of the appointments. Numbers choose; MSH-7 is now, or up to p_late seconds ago.
CREATE FUNCTION contention.message(p_event text, p_key integer, p_choice integer, p_late integer DEFAULT 0, p_sender text DEFAULT 'CONTEND') RETURNS bytea
    LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_at      timestamptz := clock_timestamp() - make_interval(secs => p_late);
    v_start   text := to_char(timestamp '2031-03-05 08:00' + make_interval(days => p_choice / 60 % 5, mins => 15 * (p_choice % 20)), 'YYYYMMDDHH24MI');
    v_minutes integer := 15 * (1 + p_choice / 20 % 3);
    v_patient integer := p_key % 120;
BEGIN
    RETURN convert_to(concat_ws(E'\r',
        format('MSH|^~\&|%s|SOAK|RADSCHED|RAD|%s.%s||SIU^%s^SIU_S12|%s|P|2.5', p_sender, to_char(v_at, 'YYYYMMDDHH24MISS'), left(to_char(v_at, 'US'), 4), p_event, nextval('contention.control')),
        format('SCH||KEY%s|||||||%s|MIN|^^%s^%s||||||||||||||', p_key, v_minutes, v_minutes, v_start),
        format('PID|1||SOAKER%s^^^SOAK^MR||CONTENDER^NUMBER%s', v_patient, v_patient), 'RGS|1', 'AIS|1||CTHEAD^CT HEAD',
        -- One in thirteen names no scanner and counts against all of them.
        CASE WHEN p_choice / 300 % 13 = 0 THEN NULL WHEN p_choice / 300 % 13 < 7 THEN 'AIG|1||CT' || p_choice / 300 % 13 ELSE 'AIL|1||ROOM' || p_choice / 300 % 13 - 6 END,
        CASE WHEN p_choice / 3900 % 3 > 0 THEN 'AIP|1||T' || 1 + p_choice / 11700 % 8 || '^PERSON^SOAK' END), 'UTF8');
END $$;

-- Two patients are one; later messages still use both numbers.
CREATE FUNCTION contention.merge(p_kept integer, p_given integer) RETURNS bytea
    LANGUAGE sql VOLATILE AS $$
SELECT convert_to(format(E'MSH|^~\\&|CONTEND|SOAK|RADSCHED|RAD|%s||ADT^A40|%s|P|2.5\rPID|1||SOAKER%s^^^SOAK^MR\rMRG|SOAKER%s^^^SOAK^MR',
                         to_char(clock_timestamp(), 'YYYYMMDDHH24MISS'), nextval('contention.control'), p_kept, p_given), 'UTF8') $$;

-- A scanner is out of use for half an hour, or in use again.
CREATE FUNCTION contention.block(p_event text, p_key integer, p_choice integer) RETURNS bytea
    LANGUAGE sql VOLATILE AS $$
SELECT convert_to(format(E'MSH|^~\\&|CONTEND|SOAK|RADSCHED|RAD|%s||SIU^%s|%s|P|2.5\rSCH||BLOCK%s|||||||30|MIN|^^30^%s\rRGS|1\rAIG|1||CT%s', to_char(clock_timestamp(), 'YYYYMMDDHH24MISS'), p_event, nextval('contention.control'),
                         p_key, to_char(timestamp '2031-03-05 08:00' + make_interval(days => p_choice / 60 % 5, mins => 15 * (p_choice % 20)), 'YYYYMMDDHH24MI'), 1 + p_choice % 6), 'UTF8') $$;

CREATE FUNCTION contention.batch(p_size integer, p_sender text DEFAULT 'CONTEND') RETURNS bytea[]
    LANGUAGE sql VOLATILE AS $$
SELECT array_agg(CASE WHEN e.event = 'S23' THEN contention.block(CASE WHEN random() < 0.5 THEN 'S23' ELSE 'S24' END, floor(8 * random())::integer, floor(93600 * random())::integer)
                      WHEN e.event = 'A40' THEN contention.merge(floor(60 * random())::integer, 60 + floor(60 * random())::integer)
                      ELSE contention.message(e.event, 1 + floor(500 * random())::integer, floor(93600 * random())::integer, floor(6 * random())::integer, p_sender) END)
FROM generate_series(1, p_size) n, LATERAL (SELECT (ARRAY['S12', 'S12', 'S12', 'S13', 'S13', 'S13', 'S14', 'S15', 'S26', 'S23', 'S12', 'A40'])[1 + floor((CASE WHEN random() < 0.1 THEN 12 ELSE 11 END) * random() + 0 * n)::integer] AS event) e $$;

-- Something that was received before, byte for byte.
CREATE FUNCTION contention.again() RETURNS bytea
    LANGUAGE sql VOLATILE AS $$
SELECT coalesce((SELECT m.raw FROM radscheduler.hl7_message m ORDER BY m.received_at DESC OFFSET floor(40 * random())::integer LIMIT 1), contention.message('S12', 1, 1)) $$;

-- Somebody at a desk, who takes no for an answer.
CREATE FUNCTION contention.clerk(p_key integer, p_choice integer) RETURNS void
    LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    UPDATE radscheduler.appointments v SET datetime = timestamp '2031-03-05 08:00' + make_interval(days => p_choice / 60 % 5, mins => 15 * (p_choice % 20)), status = CASE WHEN p_choice % 7 = 0 THEN 'CANCELLED' ELSE 'CONFIRMED' END
        WHERE v.id = (SELECT a.appointment_id FROM radscheduler.appointment a WHERE a.filler_id = 'KEY' || p_key ORDER BY a.generation DESC LIMIT 1) AND v.datetime IS NOT NULL;
EXCEPTION WHEN exclusion_violation THEN
    NULL;
END $$;
