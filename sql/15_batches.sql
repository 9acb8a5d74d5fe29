-- Answers of a batch stand in the order of its messages, whatever goes together inside: several messages about one appointment, duplicates, messages of other kinds.
SET client_min_messages = warning;
SET timezone = 'UTC';
BEGIN;
SELECT radscheduler.create_site('BATCHES', 'Batches', 'UTC') > 0 AS site;
SET LOCAL radscheduler.site = 'BATCHES';
SELECT (radscheduler.set_sender('RIS', 'BATCHES')).is_new;
CREATE FUNCTION pg_temp.siu(event text, control text, filler text, start text) RETURNS bytea LANGUAGE sql AS $$
SELECT convert_to(concat_ws(E'\r', format('MSH|^~\&|RIS|BATCHES|RADSCHED|RAD|2026010108%s||SIU^%s|%s|P|2.5', control, event, control), format('SCH||%s|||||||30|MIN|^^^20310303%s', filler, start), format('PID|1||BT%s||BATCHED^%s', filler, filler), 'AIG|1||MR1'), 'UTF8') $$;
SELECT b.ordinality AS place, substring(convert_from(b.ack, 'UTF8') FROM 'MSA\|[A-Z]+\|(\d+)') AS answers, b.code, b.outcome
FROM radscheduler.ingest_batch(ARRAY[
    pg_temp.siu('S12', '0001', 'A', '0900'), pg_temp.siu('S12', '0002', 'B', '1000'), pg_temp.siu('S13', '0003', 'A', '1100'), pg_temp.siu('S13', '0004', 'B', '1200'), pg_temp.siu('S12', '0002', 'B', '1000'),
    convert_to(E'MSH|^~\\&|RIS|BATCHES|RADSCHED|RAD|20260101080005||ADT^A08|0005|P|2.5\rPID|1||BTA||BATCHED^ANN', 'UTF8'), pg_temp.siu('S12', '0006', 'C', '1300'), pg_temp.siu('S15', '0007', 'A', '1100')]) WITH ORDINALITY b ORDER BY 1;
SELECT a.filler_id, a.status, timezone('UTC', a.starts_at)::time AS starts FROM radscheduler.appointment a WHERE a.site_id = radscheduler.current_site() ORDER BY 1;
ROLLBACK;
