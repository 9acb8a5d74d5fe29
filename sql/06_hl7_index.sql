-- The reading functions in indexes, parallel scans and plans; what large messages cost.
SET search_path = radscheduler, public;
CREATE TABLE message (id integer PRIMARY KEY, body hl7 NOT NULL);
INSERT INTO message SELECT i, (E'MSH|^~\\&|RIS|MEM|RAD|R|20240115100000||SIU^S12|M' || i || E'|P|2.5\rPID|1||' || i % 500 || E'^^^H^MR~' || i || E'^^^H^PI||DOE^J\rAIS|1||CT' || i % 50 || E'^x\rAIS|2||MR' || i % 70 || E'\r')::hl7
FROM generate_series(1, 5000) i;
CREATE INDEX message_patient ON message ((body ->> 'PID-3.1'));
CREATE INDEX message_service ON message USING gin (hl7_get_all(body, 'AIS[*]-3.1'));
CREATE INDEX message_json ON message USING gin (hl7_to_jsonb(body) jsonb_path_ops);
ANALYZE message;
EXPLAIN (COSTS OFF) SELECT id FROM message WHERE body ->> 'PID-3.1' = '77';
SELECT count(*) FROM message WHERE body ->> 'PID-3.1' = '77';
EXPLAIN (COSTS OFF) SELECT id FROM message WHERE hl7_get_all(body, 'AIS[*]-3.1') @> ARRAY['CT7', 'MR7'];
SELECT count(*) FROM message WHERE hl7_get_all(body, 'AIS[*]-3.1') @> ARRAY['CT7', 'MR7'];
EXPLAIN (COSTS OFF) SELECT id FROM message WHERE hl7_to_jsonb(body) @> '[["PID", "1", "", [["77"]]]]';
SELECT count(*) FROM message WHERE hl7_to_jsonb(body) @> '[["PID", "1", "", [["77"]]]]';
-- Parallel scans.
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT count(body ->> 'PID-5.1'), sum(length(body['MSH-10'])), count(hl7_fields(body, 'MSH-9.2', 'PID-3.1')), count(body::jsonb) FROM message;
SELECT count(body ->> 'PID-5.1'), sum(length(body['MSH-10'])), count(hl7_fields(body, 'MSH-9.2', 'PID-3.1')), count(body::jsonb) FROM message;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET max_parallel_workers_per_gather;
-- The planner knows how many segments to expect: counted in a constant, from the width of a column, ten where it knows nothing.
CREATE FUNCTION estimated_rows(query text) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE plan jsonb;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
    RETURN jsonb_path_query_first(plan, '$.**? (@."Node Type" == "Function Scan")."Plan Rows"')::integer;
END
$$;
SELECT estimated_rows($$SELECT * FROM radscheduler.hl7_segments(E'MSH|^~\\&|A\rPID|1\rPID|2\rPID|3\r')$$) AS constant,
       estimated_rows('SELECT * FROM message, radscheduler.hl7_segments(body)') BETWEEN 2 AND 4 AS by_width,
       estimated_rows($$SELECT * FROM radscheduler.hl7_segments((SELECT body FROM message LIMIT 1))$$) AS unknown,
       estimated_rows('SELECT * FROM radscheduler.hl7_segments(NULL)') AS of_null;
-- A header field of a large message does not fetch the message.
CREATE TABLE large_message (id integer, body hl7);
ALTER TABLE large_message ALTER body SET STORAGE external;
INSERT INTO large_message SELECT 1, (E'MSH|^~\\&|LAB|H|R|H|20260101||ORU^R01|M1|P|2.5\rOBX|1|ED|x||' || repeat('QUJDREVG', 500000) || E'\rOBX|2|NM|y||7\r')::hl7;
INSERT INTO large_message SELECT 2, body FROM large_message;
ALTER TABLE large_message ALTER body SET STORAGE main;
INSERT INTO large_message SELECT 3, (body::text || E'NTE|1\r')::hl7 FROM large_message WHERE id = 1;
CREATE FUNCTION blocks_read(query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE plan jsonb;
BEGIN
    EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) ' || query INTO plan;
    RETURN (plan #>> '{0,Plan,Shared Hit Blocks}')::bigint + (plan #>> '{0,Plan,Shared Read Blocks}')::bigint;
END
$$;
SELECT path, blocks_read(format('SELECT hl7_get(body, %L) FROM large_message WHERE id = 1', path)) < 20 AS header_only
FROM unnest(ARRAY['MSH-9.2', 'MSH-10', 'MSH-99', 'OBX[2]-5', 'MSH[2]-3']) path;
SELECT blocks_read($$SELECT hl7_fields(body, 'MSH-9.2', 'MSH-10') FROM large_message WHERE id = 1$$) < 20 AS fields_of_header,
       blocks_read($$SELECT body['MSH-10'] FROM large_message WHERE id = 1$$) < 20 AS subscript, blocks_read($$SELECT body -> 'MSH-9' FROM large_message WHERE id = 1$$) < 20 AS nested;
SELECT id, body ->> 'MSH-9.2' AS event, body -> 'MSH-9' AS type, body ->> 'OBX[2]-5' AS last, body -> 'MSH' -> 9 AS segment FROM large_message ORDER BY id;
SELECT blocks_read('SELECT a.body = b.body FROM large_message a, large_message b WHERE a.id = 1 AND b.id = 3') < 50 AS length_tells_before_fetching;
-- A header longer than what is fetched at first.
UPDATE large_message SET body = hl7_set(body, 'MSH-21', repeat('z', 5000)) WHERE id = 2;
SELECT length(body ->> 'MSH-21') AS long_header FROM large_message WHERE id = 2;
-- Paths that differ from row to row.
SELECT string_agg(body ->> path, ' ' ORDER BY n) FROM large_message, unnest(ARRAY['MSH-3', 'MSH-10', 'OBX[2]-5', 'MSH-3']) WITH ORDINALITY p(path, n) WHERE id = 1;
DROP FUNCTION estimated_rows(text);
DROP FUNCTION blocks_read(text);
DROP TABLE message, large_message;
