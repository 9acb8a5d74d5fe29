"""Every order of steps of two workers, a crash, leases that run out, lost answers and a person who decides, over two tasks of one queue.

What the database does is not modelled: each step asks the real functions (claim_at, begin_at, finish_at, move_task, extend_at, release) at one fixed
moment, on rows set to the state in question, and is undone. Time passes by steps of its own: a lease runs out, a wait is over. The model adds the
workers, which do what the daemon's RunMachine does, and the receiver, which remembers what it was sent and what it said.
"""

from collections import deque
from typing import NamedTuple, Optional

NOW = "2031-01-01 12:00+00"
BEFORE = "2031-01-01 11:00+00"
LATER = "2031-01-01 13:00+00"
TASKS = (0, 1)
NAMES = ("A", "B")
DEAD = "a killed worker"  # what comes in its place has another name
MOST_TRIES = 3
OVER = ("done", "dead")


class Row(NamedTuple):
    """A task as the database has it."""

    state: str = "ready"
    attempts: int = 0
    owner: Optional[str] = None
    lease_is_good: bool = False
    due: str = "now"  # now, later, never


class Job(NamedTuple):
    """What a worker believes to have: its tasks with the tries they had, which one is in hand, and how far."""

    tasks: tuple
    place: int = 0
    phase: str = "claimed"  # claimed, begun, answered, giving back
    attempt: int = 0
    event: str = ""


class Receiver(NamedTuple):
    """What it was sent and said of one task."""

    sent: int = 0
    accepted: bool = False
    refused: bool = False


class World(NamedTuple):
    rows: tuple
    jobs: tuple  # of worker 0 and 1; None: has nothing
    receiver: tuple
    crashes: int = 0
    decided: tuple = (False, False)  # a person has taken the task back
    decisions: int = 0


def in_order(world):
    """The two workers are alike: of two worlds that differ only in which is called A, one is enough. (So A may be called B in the next step.)"""
    first, second = world.jobs
    if (first or ()) <= (second or ()):
        return world
    other = {NAMES[0]: NAMES[1], NAMES[1]: NAMES[0]}
    return world._replace(jobs=(second, first), rows=tuple(row._replace(owner=other.get(row.owner, row.owner)) for row in world.rows))


class Database:
    """The real functions on rows that are set first; what they did is undone and remembered."""

    def __init__(self, connection, repeatable, max_attempts, mutation=None):
        self._cursor = connection.cursor()
        self._connection = connection
        self._known = {}
        self._mutation = mutation
        self.calls = 0
        connection.autocommit = True
        self._cursor.execute("SET radscheduler.audit_changes = off; SET synchronous_commit = off; SET radscheduler.site = 'MAIN'")
        self._cursor.execute("DELETE FROM radscheduler.task; DELETE FROM radscheduler.task_kind WHERE kind = 'modelled'")
        self._cursor.execute("INSERT INTO radscheduler.task_kind VALUES ('modelled', %s, '10 min', '10 min', '10 min', %s, 2, 'of the model')", (repeatable, max_attempts))
        self._cursor.execute("SELECT site_id FROM radscheduler.site WHERE code = 'MAIN'")
        self.site = self._cursor.fetchone()[0]
        self._numbers = []
        for _ in TASKS:
            self._cursor.execute("SELECT radscheduler.queue_task(%s, 'modelled', 'queue/1', '{}')", (self.site,))
            self._numbers.append(self._cursor.fetchone()[0])

    def ask(self, rows, call, *arguments):
        """The rows after a call and what it gave."""
        key = (rows, call, arguments)
        if key not in self._known:
            self._known[key] = self._ask(rows, call, arguments)
        return self._known[key]

    def _ask(self, rows, call, arguments):
        self.calls += 1
        if self.calls % 500 == 0:
            self._cursor.execute("VACUUM radscheduler.task")
        self._cursor.execute("BEGIN")
        if self._mutation:
            self._cursor.execute(self._mutation)
        for number, row in zip(self._numbers, rows):
            self._cursor.execute(
                "UPDATE radscheduler.task SET state = %s, attempts = %s, lease_owner = %s, lease_until = %s, next_at = %s WHERE task_id = %s",
                (row.state, row.attempts, row.owner, None if row.owner is None else LATER if row.lease_is_good else BEFORE,
                 {"now": BEFORE, "later": LATER, "never": "infinity"}[row.due], number))
        given = getattr(self, "_" + call)(*arguments)
        self._cursor.execute(
            "SELECT state, attempts, lease_owner, coalesce(lease_until > %s, false), CASE WHEN next_at = 'infinity' THEN 'never' WHEN next_at > %s THEN 'later' ELSE 'now' END"
            " FROM radscheduler.task ORDER BY task_id", (NOW, NOW))
        after = tuple(Row(*row) for row in self._cursor.fetchall())
        self._cursor.execute("ROLLBACK")
        return after, given

    def _value(self, query, *arguments):
        self._cursor.execute(query, arguments)
        return self._cursor.fetchone()[0]

    def _claim(self, worker):
        self._cursor.execute("SELECT task_id, attempts FROM radscheduler.claim_at(%s, '{modelled}', 5, ARRAY[%s], %s)", (worker, self.site, NOW))
        return tuple((self._numbers.index(number), attempts) for number, attempts in self._cursor.fetchall())

    def _begin(self, worker, task):
        return self._value("SELECT attempts FROM radscheduler.begin_at(%s, ARRAY[%s], %s, %s, %s)", worker, self.site, self.site, self._numbers[task], NOW)

    def _finish(self, worker, task, attempt, event):
        return self._value("SELECT radscheduler.finish_at(%s, ARRAY[%s], %s, %s, %s, %s, NULL, %s, 1)", worker, self.site, self.site, self._numbers[task], attempt, event, NOW)

    def _release(self, worker, tasks):
        return self._value("SELECT radscheduler.release_tasks(%s, %s::bigint[])", worker, [self._numbers[task] for task in tasks])

    def _extend(self, worker):
        return self._value("SELECT radscheduler.extend_at(%s, ARRAY[%s], %s) IS NULL", worker, self.site, NOW)

    def _decide(self, task, event):
        return self._value("SELECT radscheduler.move_task(%s, %s, %s, %s, 'somebody')", self.site, self._numbers[task], event, NOW)


class Model:
    """Walks all worlds that can be reached; `violations` are sentences, each with the steps that lead there."""

    def __init__(self, database, repeatable, crashes=1, decisions=1):
        self._db = database
        self._repeatable = repeatable
        self._crashes = crashes
        self._decisions = decisions
        self.violations = []
        self.worlds = 0
        self.steps = 0
        self.ends = 0

    def run(self, most_violations=1):
        start = World((Row(), Row()), (None, None), (Receiver(), Receiver()))
        came_from = {start: None}
        into = {}
        waiting = deque([start])
        while waiting and len(self.violations) < most_violations:
            world = waiting.popleft()
            for label, after, faults in self._steps(world):
                self.steps += 1
                after = in_order(after)
                faults = faults + self._faults(after)
                into.setdefault(after, []).append(world)
                if after not in came_from:
                    came_from[after] = (world, label)
                    waiting.append(after)
                if faults:
                    self.violations.append(f"{faults[0]}: {' > '.join(self._way(came_from, world) + [label])}")
                    break
        self.worlds = len(came_from)
        if not self.violations:
            self._look_for_dead_ends(came_from, into)
        return self

    def _way(self, came_from, world):
        way = []
        while came_from[world] is not None:
            world, label = came_from[world]
            way.append(label)
        return way[::-1]

    def _look_for_dead_ends(self, came_from, into):
        """From everywhere everything can still come to an end."""
        good = [world for world in came_from if self._is_end(world)]
        self.ends = len(good)
        reached = set(good)
        while good:
            for before in into.get(good.pop(), []):
                if before not in reached:
                    reached.add(before)
                    good.append(before)
        for world in came_from:
            if world not in reached:
                self.violations.append(f"nothing leads out of this: {' > '.join(self._way(came_from, world))}")
                return

    def _is_end(self, world):
        return world.jobs == (None, None) and all(row.state in OVER or (not self._repeatable and row.state == "unknown") or
                                                  (not self._repeatable and world.rows[0].state == "unknown") for row in world.rows)

    def _steps(self, world):
        """(label, world after it, what was wrong in between)"""
        for worker in (0, 1):
            yield from self._steps_of(world, worker)
            if world.crashes < self._crashes:
                jobs = list(world.jobs)
                jobs[worker] = None
                rows = tuple(row._replace(owner=DEAD) if row.owner == NAMES[worker] else row for row in world.rows)
                yield f"{NAMES[worker]} is killed", world._replace(rows=rows, jobs=tuple(jobs), crashes=world.crashes + 1), []
        for owner in {row.owner for row in world.rows if row.owner and row.lease_is_good}:
            rows = tuple(row._replace(lease_is_good=False) if row.owner == owner else row for row in world.rows)
            yield f"the leases of {owner} run out", world._replace(rows=rows), []
        if any(row.due == "later" for row in world.rows):
            yield "the waits are over", world._replace(rows=tuple(row._replace(due="now") if row.due == "later" else row for row in world.rows)), []
        if world.decisions < self._decisions:
            for task in TASKS:
                for event in ("retried", "dropped"):
                    rows, state = self._db.ask(world.rows, "decide", task, event)
                    if state is not None:
                        decided = tuple(flag or (place == task and event == "retried") for place, flag in enumerate(world.decided))
                        yield f"{task + 1} is {event}", world._replace(rows=rows, decided=decided, decisions=world.decisions + 1), []

    def _steps_of(self, world, worker):
        name, job = NAMES[worker], world.jobs[worker]

        def become(job, rows=world.rows, receiver=world.receiver):
            jobs = list(world.jobs)
            jobs[worker] = job
            return world._replace(jobs=tuple(jobs), rows=rows, receiver=receiver)

        if job is None:
            rows, claimed = self._db.ask(world.rows, "claim", name)
            if claimed or rows != world.rows:
                yield f"{name} claims {[task + 1 for task, _ in claimed]}", become(Job(claimed) if claimed else None, rows), []
            return
        rows, _ = self._db.ask(world.rows, "extend", name)
        if rows != world.rows:
            yield f"{name} is alive", become(job, rows), []
        task, attempts = job.tasks[job.place] if job.place < len(job.tasks) else (None, None)
        if job.phase == "giving back":
            rows, _ = self._db.ask(world.rows, "release", name, tuple(task for task, _ in job.tasks[job.place:]))
            yield f"{name} gives back", become(None, rows), []
        elif job.phase == "claimed":
            yield f"{name} does not reach the receiver", become(job._replace(phase="answered", attempt=attempts, event="not_sent")), []
            rows, begun = self._db.ask(world.rows, "begin", name, task)
            if begun is None:
                yield f"{name} may not begin {task + 1}", become(job._replace(phase="giving back"), rows), []
            elif begun <= MOST_TRIES:
                yield f"{name} begins {task + 1}", become(job._replace(phase="begun", attempt=begun), rows), []
        elif job.phase == "begun":
            yield from self._send(world, name, job, task, become)
        elif job.phase == "answered":
            rows, counts = self._db.ask(world.rows, "finish", name, task, job.attempt, job.event)
            faults = []
            if not counts and rows != world.rows:
                faults.append("a report that does not count changed something")
            goes_on = counts and job.event in ("done", "refused")
            place = job.place + 1
            after = None if place >= len(job.tasks) else Job(job.tasks, place) if goes_on else Job(job.tasks, place, "giving back")
            yield f"{name} reports {job.event} of {task + 1}{'' if counts else ' in vain'}", become(after, rows), faults

    def _send(self, world, name, job, task, become):
        row = world.rows[task]
        if not (row.owner == name and row.lease_is_good and row.attempts == job.attempt):
            yield f"{name} is late with {task + 1}", become(job._replace(phase="answered", event="not_sent")), []
            return
        faults = []
        known = world.receiver[task]
        if any(world.receiver[later].sent for later in TASKS if later > task) and not world.decided[task]:
            faults.append("a later task was sent before an earlier one")
        if any(world.rows[earlier].state not in OVER and not world.decided[earlier] for earlier in TASKS if earlier < task):
            faults.append("a task was sent while an earlier one was open")
        if not self._repeatable and known.accepted and not world.decided[task]:
            faults.append("what must not be repeated was sent again after it was accepted")
        if known.accepted and world.rows[task].state != "sending":
            faults.append("what was accepted and is over was sent again")

        def told(receiver, event):
            everybody = tuple(receiver if place == task else other for place, other in enumerate(world.receiver))
            return become(job._replace(phase="answered", event=event), receiver=everybody)

        sent = known._replace(sent=min(known.sent + 1, 2))
        yield f"{task + 1} is accepted", told(sent._replace(accepted=True), "done"), faults
        yield f"{task + 1} is accepted, and the answer is lost", told(sent._replace(accepted=True), "no_answer"), faults
        yield f"{task + 1} is refused", told(sent._replace(refused=True), "refused"), faults
        yield f"{task + 1} is refused for now", told(sent, "deferred"), faults
        yield f"{task + 1} does not arrive", told(known._replace(sent=known.sent), "no_answer"), faults

    def _faults(self, world):
        found = []
        owners = {row.owner for row in world.rows if row.owner}
        if len(owners) > 1:
            found.append("two workers have tasks of one queue")
        for row, receiver in zip(world.rows, world.receiver):
            if (row.state in ("leased", "sending")) != (row.owner is not None):
                found.append(f"{row.state} with owner {row.owner}")
            if row.state == "done" and not receiver.accepted:
                found.append("done, and nobody accepted it")
            if row.state == "ready" and row.due == "never":
                found.append("ready, and never due")
        return found
