-- Live events without HTTP: read in order below the horizon, one site at a time; what filters ask about; cursors that are too old; tickets; what a follower may see.
SET client_min_messages = warning;
SET timezone = 'America/Los_Angeles'; -- answers do not depend on it
SELECT radscheduler.create_site('LIVEA', 'First live', 'America/New_York') AS site \gset
SELECT radscheduler.create_site('LIVEB', 'Other live', 'UTC') AS other \gset
SET radscheduler.site = 'LIVEA';
SELECT radscheduler.add_resource('LMR1', 'Magnet one', 'equipment', 'MR') > 0 AND radscheduler.add_resource('LMR2', 'Magnet two', 'equipment', 'MR') > 0 AS added;
RESET radscheduler.site;
\pset format unaligned
-- Where a cursor stands has to be read when nothing runs beside it that began earlier.
CREATE FUNCTION pg_temp.settled() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. 600 LOOP
        EXIT WHEN (SELECT h.cursor FROM radscheduler.event_head() h) = (SELECT e.xid || '-' || e.seq FROM radscheduler.event_log e ORDER BY e.xid DESC, e.seq DESC LIMIT 1);
        PERFORM pg_sleep(0.05);
    END LOOP;
    RETURN (SELECT h.cursor FROM radscheduler.event_head() h);
END $$;
CREATE FUNCTION pg_temp.booked(p_mrn text, p_start text, p_resource text) RETURNS bigint LANGUAGE sql AS $$
    SELECT appointment_id FROM radscheduler.book(p_mrn, p_start::timestamptz, CASE p_resource WHEN 'LCT1' THEN 'CT' ELSE 'MR' END, duration_minutes => 30, resources => ARRAY[p_resource], patient_name => 'Livia Exampleton') $$;
SET radscheduler.site = 'LIVEA';
SELECT pg_temp.booked('LIVIA0', '2031-06-01 14:00Z', 'LMR1') > 0 AS booked;
SELECT pg_temp.settled() AS start \gset
SET radscheduler.site = 'LIVEA';
SELECT pg_temp.booked('LIVIA1', '2031-06-02 14:00Z', 'LMR1') AS one \gset
SELECT version FROM radscheduler.reschedule(:one, '2031-06-03 16:00Z', resources => '{LMR2}');
SET radscheduler.site = 'LIVEB';
SELECT radscheduler.add_resource('LCT1', 'Tube', 'equipment', 'CT') > 0 AS added;
SELECT pg_temp.booked('LIVIA1', '2031-06-02 14:00Z', 'LCT1') > 0 AS booked;
RESET radscheduler.site;
SELECT pg_temp.settled() AS finish \gset
-- In order, each once, of one site or of all that the caller may use; pages meet.
SELECT e.type, e.appointment_id = :one AS its, e.conflict_id, e.payload::jsonb - '{id,cursor,epoch,time,subject}'::text[] #- '{data,appointment_id}' #- '{data,message_id}' AS event,
       e.payload::jsonb ->> 'cursor' = e.cursor AS named FROM radscheduler.live_events(:'start', 100, false, :site) e;
SELECT count(*) FILTER (WHERE e.site_id = :site) AS ours, count(*) FILTER (WHERE e.site_id = :other) AS theirs, count(DISTINCT e.cursor) = count(*) AS once
FROM radscheduler.live_events(:'start', 100, false) e WHERE e.site_id IN (:site, :other);
WITH RECURSIVE pages AS (
    SELECT :'start' AS after, 0 AS n, NULL::text AS type UNION ALL
    SELECT e.cursor, p.n + 1, e.type FROM pages p CROSS JOIN LATERAL radscheduler.live_events(p.after, 1, false, :site) e)
SELECT array_agg(type ORDER BY n) FROM pages WHERE n > 0;
SELECT count(*) FROM radscheduler.live_events(:'finish', 100, true, :site);
-- A move has two sides: whoever follows the first scanner hears that it is free. Days are those of the site.
SELECT e.type, f.facet -> 'm' ? 'MRI' AS mri, ARRAY(SELECT r FROM jsonb_array_elements_text(f.facet -> 'r') r WHERE r !~ '^[0-9]+$' ORDER BY 1) AS resources, f.facet ->> 'a' AS first, f.facet ->> 'b' AS last,
       to_timestamp((f.facet ->> 'f')::bigint / 1000) AT TIME ZONE 'UTC' AS starts, ((f.facet ->> 't')::bigint - (f.facet ->> 'f')::bigint) / 60000 AS minutes
FROM radscheduler.live_events(:'start', 100, true, :site) WITH ORDINALITY e(cursor, site_id, type, appointment_id, conflict_id, payload, facets, place)
CROSS JOIN LATERAL jsonb_array_elements(e.facets::jsonb) f(facet) ORDER BY e.place, f.facet ->> 'f';
SELECT radscheduler.live_facets(:site, NULL, '{"resource_id": 0}') AS of_nothing, radscheduler.live_facets(:site, NULL, '{}') AS nowhere,
       radscheduler.live_facets(:site, NULL, '{"modality": "PT", "order_id": 1}') -> 0 -> 'm' ? 'PT' AS of_an_order,
       radscheduler.live_facet(:site, NULL, '{}', '2031-06-02 14:00Z', 'infinity') AS without_end;
-- Nobody sees an event whose transaction others may still overtake.
BEGIN;
SELECT pg_temp.booked('LIVIA2', '2031-06-09 14:00Z', 'LMR1') IS NOT NULL AS booked FROM set_config('radscheduler.site', 'LIVEA', true);
SELECT count(*) FROM radscheduler.live_events(:'finish', 100, false, :site);
COMMIT;
SELECT pg_temp.settled() IS NOT NULL AS settled;
SELECT count(*) FROM radscheduler.live_events(:'finish', 100, false, :site);
-- Whether a cursor can be followed.
SELECT c.what, b.* FROM (VALUES ('start', radscheduler.event_epoch(), :'start'), ('finish', radscheduler.event_epoch(), :'finish'), ('untold epoch', NULL, :'finish'), ('other epoch', '1-1', :'finish'),
    ('future', NULL, '999999999999-1')) c(what, epoch, cursor), LATERAL radscheduler.live_backlog(c.epoch, c.cursor, :site) b;
BEGIN;
SET LOCAL radscheduler.audit_changes = off;
DELETE FROM radscheduler.event_log e WHERE (e.xid::text || '-' || e.seq) <> ALL (ARRAY(SELECT l.cursor FROM radscheduler.live_events(:'finish', 100, false) l));
SELECT c.what, b.* FROM (VALUES ('dropped since', :'start')) c(what, cursor), LATERAL radscheduler.live_backlog(NULL, c.cursor, :site) b;
ROLLBACK;
\set VERBOSITY terse
SELECT * FROM radscheduler.live_backlog(NULL, :'start', 999999);
\set VERBOSITY default
-- A ticket opens once, for 30 seconds, and no longer than what it was given for.
SET radscheduler.site = 'LIVEA';
SELECT radscheduler.create_stream_ticket('key:abcdefgh', NULL, NULL, '{events:read}', NULL) AS ticket \gset
SELECT length(:'ticket'), count(*) AS kept, bool_or(encode(t.ticket_hash, 'escape') LIKE '%' || :'ticket' || '%') AS in_clear FROM radscheduler.stream_ticket t WHERE t.site_id = :site;
SELECT * FROM radscheduler.redeem_stream_ticket(:'ticket');
SELECT * FROM radscheduler.redeem_stream_ticket(:'ticket');
SELECT * FROM radscheduler.redeem_stream_ticket('guess');
SELECT radscheduler.create_stream_ticket('user:rivera', 'rivera', 2, '{events:read,phi:read}', now() + interval '1 hour') AS ticket \gset
SELECT r.site, r.principal, r.login, r.token_version, r.scopes, r.until > now() AS until FROM radscheduler.redeem_stream_ticket(:'ticket') r;
SELECT radscheduler.create_stream_ticket('user:rivera', 'rivera', 2, '{events:read}', now() - interval '1 second') AS ticket \gset
SELECT count(*) FROM radscheduler.redeem_stream_ticket(:'ticket');
SELECT radscheduler.create_stream_ticket('', NULL, NULL, '{*}', NULL) AS ticket \gset
UPDATE radscheduler.stream_ticket t SET expires_at = now() - interval '1 second' WHERE t.site_id = :site;
SELECT count(*) FROM radscheduler.redeem_stream_ticket(:'ticket');
SELECT radscheduler.create_stream_ticket('', NULL, NULL, '{*}', NULL) AS ticket \gset
SET radscheduler.site = 'LIVEB';
SELECT count(*) AS elsewhere FROM radscheduler.redeem_stream_ticket(:'ticket');
SET radscheduler.site = 'LIVEA';
UPDATE radscheduler.stream_ticket t SET expires_at = now() - interval '1 second' WHERE t.site_id = :site;
SELECT radscheduler.expire_stream_tickets();
SELECT count(*) FROM radscheduler.stream_ticket t WHERE t.site_id = :site;
-- Which site a connection is of, and whether its credential still counts.
SELECT e.site_id = :site AS ours, e.site FROM radscheduler.live_enter() e;
SELECT split_part(radscheduler.create_api_key('Live one', '{events:read}'), '_', 2) AS one, split_part(radscheduler.create_api_key('Live two', '{events:read}'), '_', 2) AS two \gset key_
SELECT radscheduler.revoke_api_key(:'key_two');
SELECT radscheduler.create_user('livia', 'Livia Exampleton', '$y$j9T$salt$hash', '{events:read}') > 0 AS made;
SELECT p.meant FROM (VALUES (1, 'counts', :site, 'key:' || :'key_one', '', 0), (2, 'revoked', :site, 'key:' || :'key_two', '', 0), (3, 'unknown', :site, 'key:nnnnnnnn', '', 0),
        (4, 'signs in', :site, 'user:livia', 'livia', 1), (5, 'earlier token', :site, 'user:livia', 'livia', 0), (6, 'nobody', :site, '', '', 0), (7, 'from elsewhere', :site, 'user:abroad', '', 0),
        (8, 'other site', :other, '', '', 0)) p(place, meant, site, principal, login, version)
WHERE p.place IN (SELECT l FROM radscheduler.live_lapsed(ARRAY[:site, :site, :site, :site, :site, :site, :site, :other],
    ARRAY['key:' || :'key_one', 'key:' || :'key_two', 'key:nnnnnnnn', 'user:livia', 'user:livia', '', 'user:abroad', ''], ARRAY['', '', '', 'livia', 'livia', '', '', ''], '{0,0,0,1,0,0,0,0}') l) ORDER BY 1;
-- What stands behind ids: for those who may read appointments, audited; nothing of another site.
SELECT (x #> ARRAY['appointments', :'one', 'patient']) - 'record' AS patient, x #>> ARRAY['appointments', :'one', 'version'] AS version, x -> 'conflicts' AS conflicts FROM radscheduler.live_expand('{events:read,appointments:read}', ARRAY[:one::bigint], '{}') x;
SELECT radscheduler.live_expand('{events:read}', ARRAY[:one::bigint], '{}') AS thin;
SELECT count(*) FROM radscheduler.audit_event a WHERE a.site_id = :site AND a.action = 'read' AND a.object_id = :one AND a.detail ->> 'channel' = 'events';
SET radscheduler.site = 'LIVEB';
SELECT radscheduler.live_expand('{appointments:read}', ARRAY[:one::bigint], '{}') AS elsewhere;
