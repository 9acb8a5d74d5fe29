-- Handing out tasks under a lease, for workers that may die at any moment (task_kind and task_step say what becomes of a task; move_task() alone writes it).
-- Invariants: of a queue at most one worker has tasks, and no task of it is claimed while an earlier one is neither done nor dead. What a worker reports
-- counts only while the lease is its own and the try is the one it began; only that something is done counts later too, unless it was begun anew.

CREATE FUNCTION radscheduler.queue_task(p_site integer, p_kind text, p_queue text, p_payload jsonb, p_dedupe text DEFAULT NULL, p_at timestamptz DEFAULT NULL,
                                        p_not_after timestamptz DEFAULT NULL, p_priority smallint DEFAULT 0) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_task bigint;
BEGIN
    INSERT INTO radscheduler.task (site_id, kind, queue, payload, dedupe_key, next_at, not_after, priority)
        VALUES (p_site, p_kind, p_queue, p_payload, p_dedupe, coalesce(p_at, now()), p_not_after, p_priority)
        ON CONFLICT (site_id, kind, dedupe_key) WHERE dedupe_key IS NOT NULL DO NOTHING RETURNING task_id INTO v_task;
    RETURN v_task;
END
$$;
COMMENT ON FUNCTION radscheduler.queue_task(integer, text, text, jsonb, text, timestamptz, timestamptz, smallint) IS
    'Queues work of a kind that needs no link, with ids and words only; the task''s number, or NULL when the dedupe key is there already.';

CREATE FUNCTION radscheduler.move_task(p_site integer, p_task bigint, p_event text, p_now timestamptz, p_note text DEFAULT NULL, p_worker text DEFAULT NULL,
                                       p_random double precision DEFAULT NULL) RETURNS text
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_task  record;
    v_event text := p_event;
    v_tries integer;
    v_step  record;
BEGIN
    SELECT t.state, t.attempts, t.kind, t.event, t.appointment_id, t.message_id, l.name AS link, coalesce(l.max_attempts, k.max_attempts) AS max_attempts, k.is_repeatable, k.lease
        INTO v_task FROM radscheduler.task t JOIN radscheduler.task_kind k ON k.kind = t.kind LEFT JOIN radscheduler.link l ON l.site_id = t.site_id AND l.link_id = t.link_id
        WHERE t.site_id = p_site AND t.task_id = p_task FOR UPDATE OF t;
    -- A receiver that is not reached is a try too.
    v_tries := v_task.attempts + (p_event = 'begun' OR p_event = 'not_sent' AND v_task.state = 'leased')::integer;
    IF (p_event IN ('not_sent', 'no_answer', 'deferred') OR p_event = 'lost' AND v_task.state = 'sending') AND v_tries >= v_task.max_attempts THEN
        v_event := 'exhausted';
    END IF;
    v_step := radscheduler.task_next(v_task.state, v_event, v_task.is_repeatable);
    IF v_step.becomes IS NULL THEN
        RETURN NULL;
    END IF;
    UPDATE radscheduler.task t SET state = v_step.becomes, attempts = v_tries,
            next_at = CASE WHEN v_step.becomes IN ('leased', 'sending') THEN t.next_at ELSE
                CASE v_step.due WHEN 'never' THEN 'infinity' WHEN 'later' THEN p_now + radscheduler.task_wait(t.kind, v_tries, coalesce(p_random, random())) ELSE p_now END END,
            lease_owner = CASE v_event WHEN 'claimed' THEN p_worker WHEN 'begun' THEN t.lease_owner END,
            lease_until = CASE WHEN v_event IN ('claimed', 'begun') THEN p_now + v_task.lease END,
            note = CASE WHEN v_step.becomes = 'done' THEN NULL ELSE coalesce(p_note, t.note) END, updated_at = p_now
        WHERE t.site_id = p_site AND t.task_id = p_task;
    IF v_task.kind = 'hl7_out' AND (v_step.becomes IN ('done', 'dead') OR v_event = 'deferred') THEN
        INSERT INTO radscheduler.event_log (site_id, type, appointment_id, message_id, data)
            VALUES (p_site, CASE v_step.becomes WHEN 'done' THEN 'hl7.acked' WHEN 'dead' THEN 'hl7.dead_lettered' ELSE 'hl7.nacked' END, v_task.appointment_id, v_task.message_id,
                    jsonb_build_object('task_id', p_task, 'link', v_task.link, 'trigger_event', v_task.event, 'attempts', v_tries, 'why', v_event));
    END IF;
    RETURN v_step.becomes;
END
$$;
COMMENT ON FUNCTION radscheduler.move_task(integer, bigint, text, timestamptz, text, text, double precision) IS
    'Does to a task what task_step says of an event, and gives the new state; NULL, and nothing is done, when the event makes nothing of it. Tells hl7.acked, hl7.nacked and hl7.dead_lettered in event_log.';

CREATE TYPE radscheduler.claimed_task AS (
    site_id       integer,
    task_id       bigint,
    kind          text,
    queue         text,
    attempts      integer,
    lease_seconds double precision,
    payload       jsonb,
    link          jsonb
);
COMMENT ON TYPE radscheduler.claimed_task IS 'A task that a worker has a lease on; link is the row of the link that it is for, with the code of its site.';

CREATE FUNCTION radscheduler.reap_leases(p_sites integer[], p_now timestamptz) RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_task  record;
    v_count integer := 0;
BEGIN
    FOR v_task IN SELECT t.site_id, t.task_id FROM radscheduler.task t
                  WHERE t.state IN ('leased', 'sending') AND t.lease_until <= p_now AND t.site_id = ANY (p_sites) ORDER BY t.site_id, t.task_id FOR UPDATE SKIP LOCKED LOOP
        PERFORM radscheduler.move_task(v_task.site_id, v_task.task_id, 'lost', p_now, 'the worker that had it gave no sign of life');
        v_count := v_count + 1;
    END LOOP;
    RETURN v_count;
END
$$;
COMMENT ON FUNCTION radscheduler.reap_leases(integer[], timestamptz) IS 'Takes tasks from workers whose lease has run out; returns how many.';

CREATE FUNCTION radscheduler.task_heads(p_sites integer[], p_kinds text[], p_now timestamptz, OUT site_id integer, OUT kind text, OUT queue text, OUT run integer) RETURNS SETOF record
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 20 SET search_path = pg_catalog, pg_temp
    AS $$
-- From one queue to the next by the index: a queue of a hundred thousand tasks that waits costs as little as one of one.
WITH RECURSIVE q(site_id, kind, queue) AS (
    (SELECT t.site_id, t.kind, t.queue FROM radscheduler.task t WHERE t.state IN ('ready', 'leased', 'sending', 'unknown') ORDER BY t.site_id, t.kind, t.queue LIMIT 1)
    UNION ALL
    SELECT n.site_id, n.kind, n.queue FROM q CROSS JOIN LATERAL (SELECT t.site_id, t.kind, t.queue FROM radscheduler.task t
        WHERE t.state IN ('ready', 'leased', 'sending', 'unknown') AND (t.site_id, t.kind, t.queue) > (q.site_id, q.kind, q.queue)
        ORDER BY t.site_id, t.kind, t.queue LIMIT 1) n
)
SELECT h.site_id, h.kind, h.queue, h.run FROM (
    SELECT q.site_id, q.kind, q.queue, k.run, row_number() OVER (PARTITION BY q.kind ORDER BY t.priority, t.next_at, t.task_id) AS turn, t.next_at
    FROM q JOIN radscheduler.task_kind k ON k.kind = q.kind
    CROSS JOIN LATERAL (SELECT t.* FROM radscheduler.task t WHERE t.site_id = q.site_id AND t.kind = q.kind AND t.queue = q.queue
                        AND t.state IN ('ready', 'leased', 'sending', 'unknown') ORDER BY t.task_id LIMIT 1) t
    LEFT JOIN radscheduler.link l ON l.site_id = t.site_id AND l.link_id = t.link_id
    WHERE q.site_id = ANY (p_sites) AND q.kind = ANY (p_kinds) AND t.state IN ('ready', 'unknown') AND t.next_at <= p_now
      AND (t.link_id IS NULL OR l.is_enabled AND l.host IS NOT NULL)) h
ORDER BY h.turn, h.next_at, h.kind, h.queue
$$;
COMMENT ON FUNCTION radscheduler.task_heads(integer[], text[], timestamptz) IS
    'Queues whose first task may be claimed now, with how many of its tasks go in one run: kinds take turns, so that one with a thousand queues does not starve another.';

CREATE FUNCTION radscheduler.claim_at(p_worker text, p_kinds text[], p_queues integer, p_sites integer[], p_now timestamptz) RETURNS SETOF radscheduler.claimed_task
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 50 SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_head  record;
    v_task  record;
    v_left  integer := p_queues;
    v_taken integer;
BEGIN
    PERFORM radscheduler.reap_leases(p_sites, p_now);
    FOR v_head IN SELECT h.site_id, h.kind, h.queue, h.run FROM radscheduler.task_heads(p_sites, p_kinds, p_now) h LOOP
        EXIT WHEN v_left <= 0;
        -- Who has this lock sees everything that others who had it did before: each statement below looks anew.
        CONTINUE WHEN NOT pg_try_advisory_xact_lock(7421011, hashtext(concat_ws('/', v_head.site_id, v_head.kind, v_head.queue)));
        CONTINUE WHEN EXISTS (SELECT FROM radscheduler.task t WHERE t.site_id = v_head.site_id AND t.kind = v_head.kind AND t.queue = v_head.queue AND t.state IN ('leased', 'sending'));
        v_taken := 0;
        FOR v_task IN SELECT t.task_id FROM radscheduler.task t WHERE t.site_id = v_head.site_id AND t.kind = v_head.kind AND t.queue = v_head.queue
                      AND t.state IN ('ready', 'unknown') ORDER BY t.task_id LIMIT v_head.run LOOP
            SELECT t.task_id, t.not_after, t.next_at INTO v_task FROM radscheduler.task t
                WHERE t.site_id = v_head.site_id AND t.task_id = v_task.task_id AND t.state IN ('ready', 'unknown') FOR UPDATE SKIP LOCKED;
            EXIT WHEN NOT FOUND OR v_task.next_at > p_now; -- somebody decides about it, or it waits: what is behind it waits too
            IF v_task.not_after <= p_now THEN
                PERFORM radscheduler.move_task(v_head.site_id, v_task.task_id, 'expired', p_now, 'it was not done in time');
                CONTINUE;
            END IF;
            EXIT WHEN radscheduler.move_task(v_head.site_id, v_task.task_id, 'claimed', p_now, p_worker => p_worker) IS NULL;
            v_taken := v_taken + 1;
            RETURN QUERY SELECT t.site_id, t.task_id, t.kind, t.queue, t.attempts, extract(epoch FROM k.lease)::double precision, t.payload,
                    (SELECT to_jsonb(l) || jsonb_build_object('site', s.code) FROM radscheduler.link l JOIN radscheduler.site s ON s.site_id = l.site_id
                     WHERE l.site_id = t.site_id AND l.link_id = t.link_id)
                FROM radscheduler.task t JOIN radscheduler.task_kind k ON k.kind = t.kind WHERE t.site_id = v_head.site_id AND t.task_id = v_task.task_id;
        END LOOP;
        v_left := v_left - (v_taken > 0)::integer;
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.claim_at(text, text[], integer, integer[], timestamptz) IS
    'Leases tasks to a worker at a moment: of at most so many queues, each from its first task on, in order. Leases that have run out are taken back first.';

CREATE FUNCTION radscheduler.claim_tasks(worker text, kinds text[], queues integer) RETURNS SETOF radscheduler.claimed_task
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 50 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
BEGIN
    IF coalesce(worker, '') = '' OR length(worker) > 100 OR kinds IS NULL OR queues IS NULL THEN
        RAISE EXCEPTION 'a worker has a name of at most 100 characters, and says which kinds of tasks it does and how many queues it takes' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Give each process a name of its own; the kinds are in radscheduler.task_kind.';
    END IF;
    RETURN QUERY SELECT c.* FROM radscheduler.claim_at(worker, kinds, queues, radscheduler.visible_sites(), clock_timestamp()) c;
END
$$;
COMMENT ON FUNCTION radscheduler.claim_tasks(text, text[], integer) IS
    'Leases to a worker the tasks of some queues that are due, at the sites the caller may use. Begin each with begin_task(), in order, and report it with finish_task(); extend_leases() keeps them.';

CREATE FUNCTION radscheduler.begin_task(worker text, site integer, task bigint, OUT attempts integer, OUT message bytea) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
BEGIN
    SELECT b.attempts, b.message INTO begin_task.attempts, begin_task.message
        FROM radscheduler.begin_at(worker, radscheduler.visible_sites(), site, task, clock_timestamp()) b;
END
$$;
COMMENT ON FUNCTION radscheduler.begin_task(text, integer, bigint) IS
    'The worker begins a task that it has: which try this is, and of an hl7_out the bytes to send (NULL: they are no longer kept). NULL for both when the lease is not its own any more, an earlier one of the queue is open or the link is off: leave it alone, and give back what is behind it.';

CREATE FUNCTION radscheduler.begin_at(p_worker text, p_sites integer[], p_site integer, p_task bigint, p_now timestamptz, OUT attempts integer, OUT message bytea) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_task radscheduler.task_row;
BEGIN
    SELECT t.site_id, t.task_id, t.link_id, t.event, t.appointment_id, t.version, t.message_id, t.state INTO v_task
        FROM radscheduler.task t LEFT JOIN radscheduler.link l ON l.site_id = t.site_id AND l.link_id = t.link_id
        WHERE t.site_id = p_site AND t.task_id = p_task AND t.site_id = ANY (p_sites)
          AND t.state = 'leased' AND t.lease_owner = p_worker AND t.lease_until > p_now AND (t.link_id IS NULL OR l.is_enabled)
          AND NOT EXISTS (SELECT FROM radscheduler.task e WHERE e.site_id = t.site_id AND e.kind = t.kind AND e.queue = t.queue AND e.task_id < t.task_id
                          AND e.state IN ('ready', 'leased', 'sending', 'unknown')) FOR UPDATE OF t;
    IF FOUND AND radscheduler.move_task(v_task.site_id, v_task.task_id, 'begun', p_now) IS NOT NULL THEN
        SELECT t.attempts INTO begin_at.attempts FROM radscheduler.task t WHERE t.site_id = v_task.site_id AND t.task_id = v_task.task_id;
        IF v_task.appointment_id IS NOT NULL OR v_task.message_id IS NOT NULL THEN
            begin_at.message := radscheduler.message_of_task(v_task, jsonb_build_object('task_id', v_task.task_id));
        END IF;
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.begin_at(text, integer[], integer, bigint, timestamptz) IS 'begin_task() at a moment.';

CREATE FUNCTION radscheduler.finish_task(worker text, site integer, task bigint, try integer, event text, note text DEFAULT NULL) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
BEGIN
    RETURN radscheduler.finish_at(worker, radscheduler.visible_sites(), site, task, try, event, left(note, 1000), clock_timestamp());
END
$$;
COMMENT ON FUNCTION radscheduler.finish_task(text, integer, bigint, integer, text, text) IS
    'What came of a task: done, refused, deferred, not_sent, no_answer, released or broken (task_step). try is that of begin_task(), or attempts as claimed when it was not begun; the note must not contain patient data. False when it no longer counts: the lease ran out, or the task is gone.';

CREATE FUNCTION radscheduler.finish_at(p_worker text, p_sites integer[], p_site integer, p_task bigint, p_try integer, p_event text, p_note text, p_now timestamptz,
                                       p_random double precision DEFAULT NULL) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_task record;
BEGIN
    IF p_event IN ('done', 'refused', 'deferred', 'not_sent', 'no_answer', 'released', 'broken') IS NOT TRUE THEN
        RAISE EXCEPTION 'a task does not end with "%"', left(p_event, 20) USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Use done, refused, deferred, not_sent, no_answer, released or broken.';
    END IF;
    SELECT t.state, t.lease_owner INTO v_task FROM radscheduler.task t
        WHERE t.site_id = p_site AND t.task_id = p_task AND t.site_id = ANY (p_sites) AND t.attempts = p_try FOR UPDATE;
    RETURN FOUND AND (v_task.lease_owner = p_worker OR p_event = 'done' AND v_task.lease_owner IS NULL)
                 AND radscheduler.move_task(p_site, p_task, p_event, p_now, p_note, p_random => p_random) IS NOT NULL;
END
$$;
COMMENT ON FUNCTION radscheduler.finish_at(text, integer[], integer, bigint, integer, text, text, timestamptz, double precision) IS 'finish_task() at a moment, with the chance in its waiting time given.';

CREATE FUNCTION radscheduler.extend_leases(worker text, tasks bigint[] DEFAULT NULL) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
BEGIN
    RETURN radscheduler.extend_at(worker, radscheduler.visible_sites(), clock_timestamp(), tasks);
END
$$;
COMMENT ON FUNCTION radscheduler.extend_leases(text, bigint[]) IS 'The sign of life of a worker: its leases that have not run out begin anew, all or those of the tasks that it names. Returns the tasks that it still has.';

CREATE FUNCTION radscheduler.extend_at(p_worker text, p_sites integer[], p_now timestamptz, p_tasks bigint[] DEFAULT NULL) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_tasks bigint[];
BEGIN
    WITH kept AS (
        UPDATE radscheduler.task t SET lease_until = p_now + k.lease FROM radscheduler.task_kind k
            WHERE k.kind = t.kind AND t.state IN ('leased', 'sending') AND t.lease_owner = p_worker AND t.lease_until > p_now AND t.site_id = ANY (p_sites)
              AND (p_tasks IS NULL OR t.task_id = ANY (p_tasks)) RETURNING t.task_id)
    SELECT coalesce(array_agg(kept.task_id ORDER BY kept.task_id), '{}') INTO v_tasks FROM kept;
    RETURN v_tasks;
END
$$;
COMMENT ON FUNCTION radscheduler.extend_at(text, integer[], timestamptz, bigint[]) IS 'extend_leases() at a moment.';

CREATE FUNCTION radscheduler.release_tasks(worker text, tasks bigint[]) RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_task  record;
    v_count integer := 0;
BEGIN
    FOR v_task IN SELECT t.site_id, t.task_id FROM radscheduler.task t WHERE t.task_id = ANY (tasks) AND t.site_id = ANY (radscheduler.visible_sites())
                  AND t.state = 'leased' AND t.lease_owner = worker ORDER BY t.site_id, t.task_id FOR UPDATE LOOP
        PERFORM radscheduler.move_task(v_task.site_id, v_task.task_id, 'released', clock_timestamp());
        v_count := v_count + 1;
    END LOOP;
    RETURN v_count;
END
$$;
COMMENT ON FUNCTION radscheduler.release_tasks(text, bigint[]) IS 'Gives back tasks that the worker has and has not begun; returns how many.';

CREATE FUNCTION radscheduler.count_tasks(OUT kind text, OUT state text, OUT tasks bigint, OUT oldest_seconds double precision) RETURNS SETOF record
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 20 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
SELECT t.kind, t.state, count(*), greatest(0, extract(epoch FROM now() - min(t.created_at)))::double precision FROM radscheduler.task t
WHERE t.state IN ('ready', 'leased', 'sending', 'unknown') AND t.site_id = ANY (radscheduler.visible_sites()) GROUP BY t.kind, t.state
UNION ALL
SELECT t.kind, t.state, count(*), greatest(0, extract(epoch FROM now() - min(t.created_at)))::double precision FROM radscheduler.task t
WHERE t.state = 'dead' AND t.site_id = ANY (radscheduler.visible_sites()) GROUP BY t.kind, t.state
ORDER BY 1, 2
$$;
COMMENT ON FUNCTION radscheduler.count_tasks() IS 'Tasks that are not done, by kind and state, and the age of the oldest, at the sites the caller may use.';
