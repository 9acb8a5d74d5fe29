"""Dumping and restoring a database, and what has to hold for the one that was restored."""

import contextlib

from .catalogue import assert_same, catalogue, fingerprints, sequences
from .messages import Booking
from .site import book, ingest


def dump(database, file, *options):
    done = database.cluster.tool("pg_dump", *options, "-f", file, database.name)
    assert done.returncode == 0, done.stderr.decode()


def restore(target, file, *steps, exit_on_error=True):
    """Runs psql or pg_restore once for each step, a list of words. `replica` in front of them means session_replication_role = replica.

    Returns the messages of the last one.
    """
    for step in steps:
        settings = {}
        if step[0] == "replica":
            settings, step = {"PGOPTIONS": "-c session_replication_role=replica"}, step[1:]
        if step[0] == "psql":
            arguments = ["-X", "-q", "-v", f"ON_ERROR_STOP={int(exit_on_error)}", "-d", target.name, "-f", file]
        else:
            arguments = [*step[1:], *(["--exit-on-error"] if exit_on_error else []), "-d", target.name, file]
        done = target.cluster.tool(step[0], *arguments, settings=settings)
        messages = done.stderr.decode()
        assert done.returncode == 0 or not exit_on_error, f"{step}: {messages}"
    return messages


def assert_restored(source, target):
    """Every row, every sequence, every object, nothing doubled."""
    assert_same(fingerprints(source), fingerprints(target))
    assert_same(sequences(source), sequences(target))
    assert_same(catalogue(source), catalogue(target))


def audit_problems(database):
    return [row["problem"] for row in database.rows("SELECT problem FROM radscheduler.audit_verify()")]


@contextlib.contextmanager
def altered_event(database):
    """The oldest event changed for a while, by somebody who may do anything."""
    change = "UPDATE radscheduler.audit_event SET action = {} WHERE audit_id = (SELECT min(audit_id) FROM radscheduler.audit_event)"
    database.execute("ALTER TABLE radscheduler.audit_event DISABLE TRIGGER append_only")
    try:
        database.execute(change.format("action || '?'"))
        yield
    finally:
        database.execute(change.format("rtrim(action, '?')"))
        database.execute("ALTER TABLE radscheduler.audit_event ENABLE ALWAYS TRIGGER append_only")


def assert_works(target, highest, message):
    """Numbers go on behind the highest id, a repeat is still a repeat, an old booking still blocks its time, a change is still audited."""
    assert book(target) > highest
    assert ingest(target, message) == "duplicate"
    taken = target.row(
        "SELECT timezone('America/New_York', a.starts_at) AS local, r.code"
        " FROM radscheduler.occupancy o JOIN radscheduler.appointment a USING (site_id, appointment_id)"
        " JOIN radscheduler.resource r ON r.resource_id = o.subject_id AND o.axis = 'resource'"
        " WHERE r.code LIKE 'MR%' AND o.lane = 0 ORDER BY a.appointment_id LIMIT 1"
    )
    assert ingest(target, Booking(start=taken["local"], scanner=taken["code"]).message()) == "flagged"
    before = target.value("SELECT count(*) FROM radscheduler.audit_event")
    target.execute("UPDATE radscheduler.resource SET name = name || ' (new)' WHERE resource_id = (SELECT min(resource_id) FROM radscheduler.resource)")
    assert target.value("SELECT count(*) FROM radscheduler.audit_event") == before + 1


def assert_audit_holds(target):
    """New events can be sealed behind the old ones, and a changed one is found."""
    problems = audit_problems(target)
    assert problems == [], problems
    target.value("SELECT radscheduler.audit_seal_pending()")
    problems = audit_problems(target)
    assert problems == [], problems
    with altered_event(target):
        assert audit_problems(target) == ["the event was altered"]
    problems = audit_problems(target)
    assert problems == [], problems


def highest_appointment(database):
    return database.value("SELECT max(appointment_id) FROM radscheduler.appointment")
