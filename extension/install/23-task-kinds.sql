-- What becomes of work that is handed out under a lease (storage step 022): kinds of tasks, and the one table that says which event leads from which
-- state to which. Everything that changes the state of a task asks task_next(), and so does the model that tries every order of two workers and a crash.

CREATE TABLE radscheduler.task_kind (
    kind          text     PRIMARY KEY CHECK (kind ~ '^[a-z][a-z0-9_]{0,19}$'),
    is_repeatable boolean  NOT NULL,
    lease         interval NOT NULL CHECK (lease > interval '0'),
    first_wait    interval NOT NULL CHECK (first_wait > interval '0'),
    longest_wait  interval NOT NULL,
    max_attempts  integer  CHECK (max_attempts > 0),
    run           integer  NOT NULL CHECK (run > 0),
    meaning       text     NOT NULL,
    CHECK (longest_wait >= first_wait)
);
COMMENT ON TABLE  radscheduler.task_kind IS 'Kinds of tasks, and how each is tried.';
COMMENT ON COLUMN radscheduler.task_kind.kind IS 'The word in task.kind.';
COMMENT ON COLUMN radscheduler.task_kind.is_repeatable IS 'Whether doing it twice does no harm: one whose end is not known is done again. Else it waits for somebody to decide.';
COMMENT ON COLUMN radscheduler.task_kind.lease IS 'How long a worker has it without a sign of life.';
COMMENT ON COLUMN radscheduler.task_kind.first_wait IS 'Wait after the first try that failed; it doubles with each.';
COMMENT ON COLUMN radscheduler.task_kind.longest_wait IS 'Where the doubling ends.';
COMMENT ON COLUMN radscheduler.task_kind.max_attempts IS 'Tries after which it is given up; NULL for no end.';
COMMENT ON COLUMN radscheduler.task_kind.run IS 'Tasks of one queue that are leased at once, done one after the other.';
COMMENT ON COLUMN radscheduler.task_kind.meaning IS 'What it is, for people.';
INSERT INTO radscheduler.task_kind VALUES
    ('hl7_out', true, '60 s', '1 s', '5 min', NULL, 50, 'An HL7 message of a link. Sent again with the same MSH-10 when no answer came, so that the receiver can tell a repeat.');

CREATE TABLE radscheduler.task_step (
    state         text    NOT NULL CHECK (state IN ('ready', 'leased', 'sending', 'unknown', 'dead')),
    event         text    NOT NULL,
    is_repeatable boolean NOT NULL,
    becomes       text    NOT NULL CHECK (becomes IN ('ready', 'leased', 'sending', 'unknown', 'done', 'dead')),
    due           text    NOT NULL CHECK (due IN ('now', 'later', 'never')),
    PRIMARY KEY (state, event, is_repeatable)
);
COMMENT ON TABLE  radscheduler.task_step IS 'What happens to a task: state and event, and what it becomes. What does not stand here does not happen. done has no way out.';
COMMENT ON COLUMN radscheduler.task_step.state IS 'ready; leased (a worker has it and has not begun); sending (begun); unknown (perhaps done); dead (given up).';
COMMENT ON COLUMN radscheduler.task_step.event IS
    'claimed by a worker; begun by it; done; refused by the receiver for good; deferred by the receiver; not_sent (the receiver could not be reached); no_answer after it was begun; released by a worker that has not begun it; broken (it cannot be done); lost (the lease ran out); exhausted (no tries are left); expired (not_after has passed); dropped or retried by somebody.';
COMMENT ON COLUMN radscheduler.task_step.is_repeatable IS 'Of which kinds: task_kind.is_repeatable.';
COMMENT ON COLUMN radscheduler.task_step.becomes IS 'The state after it.';
COMMENT ON COLUMN radscheduler.task_step.due IS 'When it may be claimed: now, later (task_wait()), or never before somebody decides.';
INSERT INTO radscheduler.task_step
SELECT v.state, v.event, r.is_repeatable, v.becomes, v.due FROM (VALUES (true), (false)) r(is_repeatable), (VALUES
    ('ready', 'claimed', true, true, 'leased', 'now'),
    ('unknown', 'claimed', true, false, 'leased', 'now'),
    ('leased', 'begun', true, true, 'sending', 'now'),
    ('leased', 'released', true, true, 'ready', 'now'),
    ('leased', 'lost', true, true, 'ready', 'now'),
    ('leased', 'not_sent', true, true, 'ready', 'later'),
    ('leased', 'broken', true, true, 'dead', 'never'),
    ('leased', 'exhausted', true, true, 'dead', 'never'),
    ('sending', 'done', true, true, 'done', 'never'),
    ('ready', 'done', true, true, 'done', 'never'), -- the answer came when the lease had run out and nobody had begun it anew
    ('unknown', 'done', true, true, 'done', 'never'),
    ('sending', 'refused', true, true, 'dead', 'never'),
    ('sending', 'deferred', true, true, 'ready', 'later'),
    ('sending', 'not_sent', true, true, 'ready', 'later'), -- the worker knows that nothing of it left
    ('sending', 'no_answer', true, false, 'unknown', 'later'),
    ('sending', 'no_answer', false, true, 'unknown', 'never'),
    ('sending', 'lost', true, false, 'unknown', 'now'),
    ('sending', 'lost', false, true, 'unknown', 'never'),
    ('sending', 'broken', true, true, 'dead', 'never'),
    ('sending', 'exhausted', true, true, 'dead', 'never'),
    ('ready', 'expired', true, true, 'dead', 'never'),
    ('unknown', 'expired', true, true, 'dead', 'never'),
    ('ready', 'dropped', true, true, 'dead', 'never'),
    ('unknown', 'dropped', true, true, 'dead', 'never'),
    ('unknown', 'retried', true, true, 'ready', 'now'),
    ('dead', 'retried', true, true, 'ready', 'now')) v(state, event, if_repeatable, if_not, becomes, due)
WHERE CASE WHEN r.is_repeatable THEN v.if_repeatable ELSE v.if_not END;

CREATE FUNCTION radscheduler.is_task_kind(p_kind text) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN EXISTS (SELECT FROM radscheduler.task_kind k WHERE k.kind = p_kind);
END
$$;
COMMENT ON FUNCTION radscheduler.is_task_kind(text) IS 'Whether task_kind has it.';

CREATE FUNCTION radscheduler.task_next(p_state text, p_event text, p_is_repeatable boolean, OUT becomes text, OUT due text) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    SELECT s.becomes, s.due INTO task_next.becomes, task_next.due FROM radscheduler.task_step s
        WHERE s.state = p_state AND s.event = p_event AND s.is_repeatable = p_is_repeatable;
END
$$;
COMMENT ON FUNCTION radscheduler.task_next(text, text, boolean) IS 'What an event makes of a task, by task_step; NULL when it makes nothing of one in that state.';

CREATE FUNCTION radscheduler.task_wait(p_kind text, p_attempts integer, p_random double precision) RETURNS interval
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- Half of it is chance: those that failed together do not come back together.
    RETURN (SELECT least(k.longest_wait, k.first_wait * power(2, least(greatest(p_attempts, 1), 30) - 1)) * (0.5 + p_random / 2)
            FROM radscheduler.task_kind k WHERE k.kind = p_kind);
END
$$;
COMMENT ON FUNCTION radscheduler.task_wait(text, integer, double precision) IS
    'How long a task waits after so many tries: first_wait, doubled with each, at most longest_wait; between half of that and all of it by p_random (0 to 1).';
