-- Whose clock: the offset of the time itself, the sender's zone, the site's, the default. Clocks put forward and back, midnight, dates alone.
SET client_min_messages = warning;
SET timezone = 'UTC';
SET radscheduler.default_timezone = 'Pacific/Auckland';
SELECT code FROM (VALUES ('TNY', 'America/New_York'), ('TLON', 'Europe/London'), ('TIND', 'Asia/Kolkata'), ('TLHI', 'Australia/Lord_Howe'), ('TNONE', NULL)) z(code, zone),
    LATERAL radscheduler.create_site(code, code, zone) ORDER BY code;
CREATE FUNCTION pg_temp.at(site text, start text, minutes text DEFAULT '30', msh7 text DEFAULT '20210101000000') RETURNS TABLE (instant timestamp, local timestamp, minutes_long integer, status text, told text)
    LANGUAGE plpgsql AS $$
DECLARE
    r record;
    n text := 'T' || md5(site || start || minutes || msh7);
BEGIN
    PERFORM set_config('radscheduler.site', site, true);
    SELECT i.* INTO r FROM radscheduler.ingest(convert_to(concat_ws(E'\r', format('MSH|^~\&|CLOCK|%s|RADSCHED|RAD|%s||SIU^S12|%s|P|2.5', site, msh7, n),
        format('SCH||%s|||||||%s|MIN|^^^%s', n, minutes, start), format('PID|1||%s||TIME^TEST', n), 'AIS|1||CT1^CT HEAD'), 'UTF8')) i;
    RETURN QUERY SELECT timezone('UTC', a.starts_at), timezone(radscheduler.site_zone(a.site_id), a.starts_at), (extract(epoch FROM a.ends_at - a.starts_at) / 60)::integer, coalesce(a.status::text, r.code),
            (SELECT string_agg(concat_ws(' ', w ->> 'code', w ->> 'path'), ', ') FROM jsonb_array_elements(r.warnings) w WHERE w ->> 'code' NOT IN ('SENDER_UNKNOWN'))
        FROM (SELECT 1) one LEFT JOIN radscheduler.appointment a ON a.appointment_id = r.appointment_id;
END
$$;
-- One wall-clock time in five places; the fifth has no zone and says so.
SELECT s AS site, t.* FROM unnest(ARRAY['TNY', 'TLON', 'TIND', 'TLHI', 'TNONE']) WITH ORDINALITY u(s, n), pg_temp.at(s, '203107011000') t ORDER BY n;
-- An offset in the time itself wins; forms and precision.
SELECT start, t.* FROM unnest(ARRAY['203107011000+0530', '203107011000-0400', '203107011000Z', '20310701100000.2500', '20310701100030', '2031-07-01T10:00', '2031-07-01T10:00:00+02:00', '203107012400', '2031070110', '20310701', '203107', '203113011000', '198907011000'])
    WITH ORDINALITY u(start, n), pg_temp.at('TNY', start) t ORDER BY n;
-- Clocks put forward: the time does not exist. Clocks put back: it exists twice, and the first is taken. Lord Howe moves by half an hour.
SELECT s AS site, start, t.* FROM (VALUES (1, 'TNY', '203103090230'), (2, 'TNY', '203111020130'), (3, 'TLON', '203103300130'), (4, 'TLON', '203110260130'), (5, 'TIND', '203103300130'), (6, 'TLHI', '203110050215'), (7, 'TLHI', '203104060145'), (8, 'TNONE', '203103090230'))
    u(n, s, start), pg_temp.at(s, start) t ORDER BY n;
-- A duration is of absolute minutes, across the change as well.
SELECT t.instant, t.local, timezone('America/New_York', timezone('UTC', t.instant) + interval '120 minutes') AS local_end FROM pg_temp.at('TNY', '203103090130', '120') t;
-- An end that was sent tells which of two equal starts is meant.
SELECT e AS ends, t.* FROM unnest(ARRAY['203111020145', '203111020230']) e, pg_temp.at('TNY', '203111020130^' || e, CASE e WHEN '203111020145' THEN '15' ELSE '60' END) t;
-- The sender's own zone goes before the site's; MSH-7 is read by it too.
UPDATE radscheduler.sender SET profile = '{"timezone": "Asia/Kolkata"}' WHERE sending_facility = 'TLON';
SELECT t.* FROM pg_temp.at('TLON', '203107011100') t;
SELECT timezone('UTC', message_time) AS msh_7 FROM radscheduler.hl7_message m JOIN radscheduler.sender s USING (site_id, sender_id) WHERE s.sending_facility = 'TLON' ORDER BY message_id DESC LIMIT 1;
-- A message of a place without a zone is read by the offset of its MSH-7, each by its own, in a batch too; a time that has its own keeps that.
SELECT m AS msh_7, start, t.* FROM (VALUES (1, '20210101000000-0300', '203107011000'), (2, '20210101000000+0545', '203107011000'), (3, '20210101000000+0545', '203107011000+0200')) u(n, m, start), pg_temp.at('TNONE', start, '30', m) t ORDER BY n;
SET radscheduler.site = 'TNONE';
CREATE TEMP TABLE answers AS SELECT r.* FROM radscheduler.ingest_batch(ARRAY(
    SELECT convert_to(format(E'MSH|^~\\&|CLOCK|TNONE|RADSCHED|RAD|20210102%s||SIU^S12|TZ%s|P|2.5\rSCH||TZ%s|||||||30|MIN|^^^203107021000\rPID|1||TZ%s||TIME^TEST\rAIS|1||CT1^CT HEAD', at, n, n, n), 'UTF8')
    FROM unnest(ARRAY['000000-0300', '000000', '000000+0545']) WITH ORDINALITY u(at, n) ORDER BY n)) r;
SELECT timezone('UTC', a.starts_at) AS instant, (SELECT string_agg(w ->> 'code', ' ') FROM jsonb_array_elements(r.warnings) w) AS told FROM answers r JOIN radscheduler.appointment a USING (appointment_id) ORDER BY a.filler_id;
RESET radscheduler.site;
-- Waiting without a time: no booking at midnight, no interval held; a time later books it.
SET radscheduler.site = 'TNY';
SELECT a.status, a.starts_at, (SELECT count(*) FROM radscheduler.occupancy o WHERE o.appointment_id = a.appointment_id) AS holds
    FROM radscheduler.appointment a WHERE a.filler_id = 'T' || md5('TNY' || '20310701' || '30' || '20210101000000');
-- A calendar day of the API is the site's: ten in the evening of New York is on that day, though it is the next in UTC.
SELECT t.* FROM pg_temp.at('TNY', '203108152200') t;
SET radscheduler.site = 'TNY';
SELECT d AS date, jsonb_array_length((r.body::jsonb) -> 'appointments') AS n FROM unnest(ARRAY['2031-08-15', '2031-08-16']) d, radscheduler.api_appointments(jsonb_build_object('date', d)) r;
RESET radscheduler.site;
