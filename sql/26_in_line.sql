-- Whatever happens, in whatever order, the unresolved conflicts are exactly what a look at everything finds: random messages about rooms, scanners, people and
-- pools, with late ones among them, blocks that come and go; after each, every appointment is looked at. So no change passes over somebody it concerns.
SET client_min_messages = warning;
SET timezone = 'UTC';
BEGIN;
SELECT radscheduler.create_site('INLINE', 'In line', 'UTC') AS site \gset
SET LOCAL radscheduler.site = 'INLINE';
SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL join_collapse_limit = 1; SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL jit = off;
SELECT (radscheduler.set_sender('RIS', 'INLINE')).is_new;
SELECT count(radscheduler.add_resource(code, name, kind::radscheduler.resource_kind, modality, capacity, setup, turnover, role)) AS added FROM (VALUES
    ('MR1', 'MR scanner 1', 'equipment', 'MR', 1, 5, 5, NULL), ('MR2', 'MR scanner 2', 'equipment', 'MR', 1, 0, 0, NULL), ('CT1', 'CT scanner 1', 'equipment', 'CT', 2, 0, 10, NULL), ('BAY', 'Two bays', 'room', 'US', 2, 0, 0, NULL),
    ('T1', 'Shaw, Anna', 'staff', NULL, 1, 0, 0, 'TECHNOLOGIST'), ('R1', 'Reed, May', 'staff', NULL, 1, 0, 0, 'RADIOLOGIST')) v(code, name, kind, modality, capacity, setup, turnover, role);
UPDATE radscheduler.site SET travel_minutes = 10, campus_minutes = 25 WHERE site_id = :site;
UPDATE radscheduler.resource SET location = CASE WHEN code LIKE 'MR%' THEN 'Basement' ELSE 'Ground' END, campus = CASE WHEN code = 'BAY' THEN 'North' END, modalities = CASE WHEN code = 'MR2' THEN '{CT}' ELSE modalities END WHERE site_id = :site;
INSERT INTO radscheduler.resource_hours (site_id, resource_id, weekday, opens, closes) SELECT :site, resource_id, 1, '08:00', '10:30' FROM radscheduler.resource WHERE site_id = :site AND code IN ('MR2', 'T1');
CREATE FUNCTION pg_temp.one_of(VARIADIC words text[]) RETURNS text LANGUAGE sql AS $$ SELECT words[1 + floor(random() * cardinality(words))::integer] $$;
CREATE FUNCTION pg_temp.message(n integer, control integer) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
    c_event CONSTANT text := pg_temp.one_of('S12', 'S12', 'S12', 'S12', 'S12', 'S13', 'S13', 'S13', 'S13', 'S14', 'S14', 'S14', 'S15', pg_temp.one_of('S16', 'S17', 'S26'), 'S18', 'S20');
    c_what  CONSTANT text := floor(random() * 24)::text;
    c_start CONSTANT text := CASE WHEN c_event IN ('S15', 'S16', 'S17', 'S26', 'S20') OR c_event = 'S14' AND random() < 0.3 THEN '' ELSE to_char(timestamp '2031-03-03 06:45' + make_interval(mins => 5 * floor(random() * 44)::integer), 'YYYYMMDDHH24MI') END;
    v_rest  text := CASE WHEN c_start = '' AND c_event <> 'S20' THEN '' ELSE concat_ws(E'\r',
        pg_temp.one_of('AIS|1||MRI001^MRI BRAIN', 'AIS|1||MRI001^MRI BRAIN', 'AIS|1||MRI001^MRI BRAIN', 'AIS|1||CT002^CT CHEST', 'AIS|1||US004^ABDOMINAL ULTRASOUND', E'AIS|1||CT002^CT CHEST\rAIS|2||MRI001^MRI BRAIN'),
        nullif(pg_temp.one_of('AIG|1||MR1', 'AIG|1||MR2', 'AIG|1||CT1', '', '', '', '', '', ''), ''), nullif(pg_temp.one_of('AIL|1||BAY', 'AIL|1||NEWROOM', '', '', '', '', '', '', ''), ''),
        nullif(pg_temp.one_of('AIP|1||T1^SHAW^ANNA|TECHNOLOGIST', 'AIP|1||R1^REED^MAY|RADIOLOGIST', E'AIP|1||T1^SHAW^ANNA|TECHNOLOGIST\rAIP|2||R1^REED^MAY|RADIOLOGIST', '', ''), '')) END;
BEGIN
    RETURN convert_to(concat_ws(E'\r', format('MSH|^~\&|RIS|INLINE|RADSCHED|RAD|20260101%s||SIU^%s|%s|P|2.5', to_char(timestamp '2026-01-01 08:00' + make_interval(secs => greatest(0, n * 10 - CASE WHEN random() < 0.2 THEN 300 ELSE 0 END)), 'HH24MISS'), c_event, control),
        format('SCH||%s||%s|||||%s|MIN|^^^%s^^%s||||||||||||||%s', c_what, pg_temp.one_of('', '', 'VISIT1'), CASE WHEN c_start <> '' THEN pg_temp.one_of('10', '20', '30', '60', '90') END, c_start, pg_temp.one_of('', '', '', 'STAT', 'R'),
               CASE c_event WHEN 'S14' THEN pg_temp.one_of('', '', '', 'Arrived', 'Started', 'Complete', 'Overbook', 'Pending') WHEN 'S12' THEN pg_temp.one_of('', '', 'Booked', 'Overbook') ELSE '' END),
        format('PID|1||IM%s||INLINE^%s', c_what::integer % 9, c_what::integer % 9), pg_temp.one_of('PV1|1|O', 'PV1|1|O', 'PV1|1|I'), nullif(v_rest, '')), 'UTF8');
END $$;
CREATE FUNCTION pg_temp.faults(p_site integer) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE v_all bigint[] := ARRAY(SELECT appointment_id FROM radscheduler.appointment WHERE site_id = p_site);
BEGIN
    RETURN QUERY
    WITH due AS (SELECT * FROM radscheduler.conflict_pairs(p_site, v_all) UNION ALL SELECT * FROM radscheduler.rule_conflicts(p_site, v_all)),
    found AS (SELECT c.appointment_id, c.code, c.severity, c.axis, c.subject_id, c.other_appointment_id, c.overlap FROM radscheduler.conflict c WHERE c.site_id = p_site AND c.state <> 'resolved')
    (SELECT 'missing ' || d.code FROM (SELECT * FROM due EXCEPT ALL SELECT * FROM found) d) UNION ALL (SELECT 'too much ' || f.code FROM (SELECT * FROM found EXCEPT ALL SELECT * FROM due) f)
    UNION ALL
    SELECT format('%s with %s critical', a.status, count(c.*)) FROM radscheduler.appointment a
        LEFT JOIN radscheduler.conflict c ON c.site_id = a.site_id AND c.appointment_id = a.appointment_id AND c.state = 'open' AND c.severity = 'critical'
        WHERE a.site_id = p_site AND (a.status IN ('SCHEDULED', 'CONFIRMED') OR a.review_reason = 'CONFLICT') GROUP BY a.appointment_id, a.status HAVING (a.status = 'PENDING_REVIEW') <> (count(c.*) > 0)
    UNION ALL
    SELECT 'pooled ' || a.is_pooled FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.is_pooled <> (radscheduler.takes_time(a.status, a.holds_time) AND a.starts_at IS NOT NULL
        AND NOT EXISTS (SELECT FROM radscheduler.appointment_resource x JOIN radscheduler.resource r USING (site_id, resource_id) WHERE x.site_id = a.site_id AND x.appointment_id = a.appointment_id AND x.status IS NULL AND r.kind <> 'staff'));
END $$;
CREATE FUNCTION pg_temp.history(p_site integer, p_steps integer) RETURNS TABLE (step integer, what text, fault text) LANGUAGE plpgsql AS $$
DECLARE v_block bigint; f text; m bytea;
BEGIN
    FOR n IN 1 .. p_steps LOOP
        step := n;
        m := pg_temp.message(n, n);
        IF n % 15 = 0 THEN
            what := 'block';
            SELECT b.block_id INTO v_block FROM radscheduler.block_resource(pg_temp.one_of('MR1', 'MR2', 'CT1', 'BAY', 'T1'), timestamptz '2031-03-03 08:00Z' + make_interval(mins => 10 * (n % 11)), timestamptz '2031-03-03 10:00Z' + make_interval(mins => 10 * (n % 7)), NULL, pg_temp.one_of('block', 'downtime')) b;
        ELSIF n % 15 = 10 AND v_block IS NOT NULL THEN
            what := 'unblock';
            PERFORM radscheduler.unblock_resource(v_block, CASE WHEN n % 2 = 0 THEN timestamptz '2031-03-03 09:00Z' END);
        ELSIF n % 15 = 7 THEN
            what := 'batch';
            PERFORM radscheduler.ingest_batch(ARRAY[m, pg_temp.message(n, 1000 + n), pg_temp.message(n, 2000 + n), pg_temp.message(n, 3000 + n)]);
        ELSE
            what := substring(convert_from(m, 'UTF8') FROM 'SIU.(S..)');
            PERFORM radscheduler.ingest(m);
        END IF;
        FOR f IN SELECT x FROM pg_temp.faults(p_site) x LOOP fault := f; RETURN NEXT; END LOOP;
    END LOOP;
END $$;
SELECT setseed(0.03);
SELECT * FROM pg_temp.history(:site, 150) LIMIT 5;
SELECT c.code, count(*) > 0 AS found, count(*) FILTER (WHERE c.state = 'resolved') > 0 AS healed FROM radscheduler.conflict c WHERE c.site_id = :site GROUP BY 1 ORDER BY 1;
-- Looking again, at everything, finds nothing to do.
SELECT opened, resolved FROM radscheduler.recheck_conflicts('2031-03-01Z', '2031-03-31Z');
ROLLBACK;
