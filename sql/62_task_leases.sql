-- Work under a lease: claimed in order, one worker to a queue; what becomes of a task is what task_step says; moments are given, nobody waits.
SET client_min_messages = warning;
SET timezone = 'UTC';
SET search_path = radscheduler, public;
SELECT create_site('LEASER', 'Work under a lease', 'UTC') > 0 AS created;
SET radscheduler.site = 'LEASER';
SELECT site_id AS site FROM site WHERE code = 'LEASER' \gset
-- The whole table, and nothing but it.
SELECT state, event, string_agg(CASE WHEN is_repeatable THEN 'repeatable: ' ELSE 'once: ' END || becomes || ' ' || due, '; ' ORDER BY is_repeatable) AS becomes FROM task_step GROUP BY state, event ORDER BY state, event;
SELECT count(*) AS states_without_a_way_out FROM (SELECT becomes FROM task_step EXCEPT SELECT state FROM task_step) s WHERE s.becomes <> 'done';
SELECT kind, is_repeatable, lease, first_wait, longest_wait, max_attempts, run FROM task_kind;
-- Waiting: doubled with each try, bounded, half of it chance.
SELECT n, task_wait('hl7_out', n, 0) AS shortest, task_wait('hl7_out', n, 1) AS longest FROM unnest(ARRAY[0, 1, 2, 5, 9, 10, 1000000]) n;
BEGIN;
INSERT INTO task_kind VALUES ('chore', false, '60 s', '10 s', '1 min', 3, 2, 'of this test'), ('errand', true, '60 s', '10 s', '1 min', 2, 3, 'of this test');
CREATE TEMP VIEW now AS SELECT substr(t.queue, 1, 20) AS queue, t.payload ->> 'n' AS n, t.state, t.attempts, CASE WHEN t.next_at = 'infinity' THEN 'never' ELSE to_char(t.next_at, 'HH24:MI:SS') END AS due, t.lease_owner AS owner,
    to_char(t.lease_until, 'HH24:MI:SS') AS until, t.note FROM task t WHERE t.site_id = current_site() ORDER BY t.task_id;
CREATE FUNCTION pg_temp.claim(worker text, at text, queues integer DEFAULT 9) RETURNS text LANGUAGE sql AS
    $$ SELECT string_agg(c.payload ->> 'n', ' ') FROM claim_at(worker, '{chore,errand}', queues, visible_sites(), ('2031-01-01 ' || at)::timestamptz) c $$;
CREATE FUNCTION pg_temp.task(n text) RETURNS bigint LANGUAGE sql AS $$ SELECT t.task_id FROM task t WHERE t.payload ->> 'n' = n AND t.site_id = current_site() $$;
CREATE FUNCTION pg_temp.start(n text, at text) RETURNS text LANGUAGE sql AS $$ SELECT move_task(current_site(), pg_temp.task(n), 'begun', ('2031-01-01 ' || at)::timestamptz) $$;
CREATE FUNCTION pg_temp.finish(worker text, n text, try integer, event text, at text) RETURNS boolean LANGUAGE sql AS
    $$ SELECT finish_at(worker, visible_sites(), current_site(), pg_temp.task(n), try, event, 'said ' || event, ('2031-01-01 ' || at)::timestamptz, 1) $$;
SELECT count(queue_task(:site, v.kind, v.queue, jsonb_build_object('n', v.n), v.key, '2031-01-01 09:00')) AS queued FROM (VALUES ('chore', 'patient/1', 'a1', 'once'), ('chore', 'patient/1', 'again', 'once'),
    ('chore', 'patient/1', 'a2', NULL), ('chore', 'patient/1', 'a3', NULL), ('chore', 'patient/2', 'b1', NULL), ('errand', 'door/1', 'd1', NULL), ('errand', 'door/1', 'd2', NULL)) v(kind, queue, n, key);
SELECT n, queue FROM now;
-- Not before its time; kinds take turns; a run is bounded; whoever has a queue has it alone.
SELECT pg_temp.claim('w1', '08:59') AS too_early, pg_temp.claim('w1', '09:00', 2) AS two_queues, pg_temp.claim('w2', '09:00') AS the_rest, pg_temp.claim('w3', '09:00') AS nothing;
SELECT * FROM now;
-- Begun and done, in order; what others report of it is not heard.
SELECT pg_temp.start('a1', '09:00:01') AS begun, pg_temp.start('a1', '09:00:01') AS twice, pg_temp.finish('w2', 'a1', 1, 'done', '09:00:02') AS another_worker, pg_temp.finish('w1', 'a1', 0, 'done', '09:00:02') AS another_try,
    pg_temp.finish('w1', 'a1', 1, 'done', '09:00:02') AS mine, pg_temp.finish('w1', 'a1', 1, 'done', '09:00:02') AS again;
SELECT pg_temp.claim('w2', '09:00:03') AS still_his, extend_at('w1', visible_sites(), '2031-01-01 09:00:30', ARRAY[pg_temp.task('d1')]) = ARRAY[pg_temp.task('d1')] AS one_kept,
    extend_at('w1', visible_sites(), '2031-01-01 09:00:30') = ARRAY[pg_temp.task('a2'), pg_temp.task('d1'), pg_temp.task('d2')] AS kept;
-- A receiver that is not reached: later; what was not begun is given back, and tried in order.
SELECT pg_temp.finish('w1', 'a2', 0, 'not_sent', '09:00:31') AS told, pg_temp.claim('w2', '09:00:40') AS waits, pg_temp.claim('w2', '09:00:41') AS due;
-- Refused: dead, and those behind it go on. No answer: not repeated by itself, and those behind it wait.
SELECT pg_temp.start('a2', '09:00:42'), pg_temp.finish('w2', 'a2', 2, 'refused', '09:00:43') AS refused, pg_temp.start('a3', '09:00:44'), pg_temp.finish('w2', 'a3', 1, 'no_answer', '09:00:45') AS silent;
SELECT * FROM now;
-- A lease runs out: what was not begun is ready, what was begun is unknown, and sent again only where that does no harm.
SELECT pg_temp.start('b1', '09:00:50') AS b1, pg_temp.start('d1', '09:00:50') AS d1, pg_temp.claim('w4', '09:01:51') AS after_a_minute, pg_temp.finish('w1', 'd2', 0, 'released', '09:01:51') AS too_late;
SELECT * FROM now;
-- Its answer came all the same, before anybody began anew: done. While somebody has it, it is his.
SELECT pg_temp.finish('w2', 'b1', 1, 'done', '09:01:52') AS late_but_true, pg_temp.finish('w2', 'b1', 1, 'refused', '09:01:52') AS nothing_else_counts, pg_temp.finish('w1', 'd1', 1, 'done', '09:01:52') AS is_of_w4;
-- No tries left: dead. Not in time: dead.
SELECT pg_temp.start('d1', '09:01:53') AS d1, pg_temp.finish('w4', 'd1', 2, 'no_answer', '09:01:54') AS last_try, queue_task(:site, 'chore', 'patient/3', '{"n": "late"}', p_at => '2031-01-01 09:00', p_not_after => '2031-01-01 09:02') > 0 AS queued, pg_temp.claim('w5', '09:02') AS none;
SELECT * FROM now WHERE state <> 'done';
-- By hand: given up, taken back at its old place. A lease is nobody's to drop.
CREATE FUNCTION pg_temp.attempt(p_statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE p_statement;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    RETURN concat_ws(' ', SQLSTATE, regexp_replace(SQLERRM, 'task \d+', 'task N'));
END $$;
SELECT pg_temp.attempt(format('SELECT drop_task(%s, ''no'')', pg_temp.task('d2'))) AS dropped, pg_temp.attempt(format('SELECT retry_task(%s)', pg_temp.task('d2'))) AS retried;
SELECT retry_task(pg_temp.task('a2')), drop_task(pg_temp.task('a3'), 'the patient was called');
SELECT queue, n, state, note FROM now WHERE queue = 'patient/1';
SELECT kind, state, tasks, oldest_seconds >= 0 AS has_age FROM count_tasks() WHERE kind IN ('chore', 'errand');
-- What nobody may say.
SELECT pg_temp.attempt(v.statement) FROM (VALUES (1, 'SELECT pg_temp.finish(''w1'', ''a1'', 1, ''lost'', ''09:03'')'), (2, 'SELECT claim_tasks('''', ''{chore}'', 1)'),
    (3, 'INSERT INTO task (site_id, kind, queue) VALUES (current_site(), ''sing'', ''patient/1'')'), (4, 'INSERT INTO task (site_id, kind, queue) VALUES (current_site(), ''hl7_out'', ''link/1'')'),
    (5, 'INSERT INTO task (site_id, kind, queue) VALUES (current_site(), ''chore'', ''Mary Miller'')'), (6, 'UPDATE task SET state = ''leased'' WHERE state = ''ready''')) v(n, statement) ORDER BY v.n;
ROLLBACK;
-- Kinds take turns: many queues of one do not starve another.
BEGIN;
INSERT INTO task_kind VALUES ('chore', false, '60 s', '10 s', '1 min', 3, 1, 'of this test'), ('errand', true, '60 s', '10 s', '1 min', 2, 1, 'of this test');
SELECT count(queue_task(:site, 'chore', 'patient/' || n, '{}', p_at => '2031-01-01 09:00')) AS chores FROM generate_series(1, 100) n;
SELECT count(queue_task(:site, 'errand', 'door/' || n, '{}', p_at => '2031-01-01 09:30', p_priority => (3 - n)::smallint)) AS errands FROM generate_series(1, 3) n;
SELECT array_agg(c.queue ORDER BY c.task_id) AS claimed FROM claim_at('w', '{chore,errand}', 4, visible_sites(), '2031-01-01 10:00') c;
ROLLBACK;
RESET radscheduler.site;
