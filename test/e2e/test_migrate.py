"""migrate(): records of an older version, restored where a newer one is installed, are brought up to it, in one piece or not at all.

A dump says CREATE EXTENSION without a version, so the code in a restored database is the newest while its records are as old as the dump.
"""

import contextlib
import threading
from types import SimpleNamespace

import psycopg2
import pytest

from support.backup import assert_audit_holds, assert_works, dump, highest_appointment, restore
from support.catalogue import GROWING, assert_same, catalogue, fingerprints, growing_rows, record_columns, sequences
from support.messages import Booking
from support.services import Database, eventually
from support.site import extend, fill, grant_roles, has_function, ingest, make_roles
from support.versions import RELEASED, VERSION, install


@pytest.fixture(scope="module")
def fresh(cluster):
    make_roles(cluster)
    database = install(cluster, "migrate_fresh", VERSION)
    fill(database)
    extend(database)
    yield database
    database.close()


@pytest.fixture(scope="module", params=RELEASED)
def old_dump(cluster, request, tmp_path_factory):
    """A dump of a released version, what was in it, and a message that had been applied."""
    make_roles(cluster)
    database = install(cluster, "migrate_source", request.param)
    message = fill(database)
    extend(database)
    file = tmp_path_factory.mktemp("migrate") / "dump"
    dump(database, file, "-Fc")
    columns = record_columns(database)
    lists = growing_rows(database, columns)
    kept = {table: names for table, names in columns.items() if table not in GROWING}
    yield SimpleNamespace(file=file, columns=columns, kept=kept, lists=lists, rows=fingerprints(database, kept), sequences=sequences(database), message=message,
                          had_roles=has_function(database, "grant_role"))
    database.close()


@pytest.fixture
def database(cluster, old_dump):
    """New code, old records."""
    database = Database.create(cluster, "migrate_target", extension=False)
    restore(database, old_dump.file, ["pg_restore"])
    yield database
    database.close()


def assert_rows_kept(database, old_dump):
    assert_same(old_dump.rows, fingerprints(database, old_dump.kept))
    assert all(old_dump.lists[table] <= after for table, after in growing_rows(database, old_dump.columns).items())
    assert_same(old_dump.sequences, {key: value for key, value in sequences(database).items() if key in old_dump.sequences})


def assert_like_new(database, fresh, old_dump):
    if not old_dump.had_roles:
        grant_roles(database)
    assert_same(catalogue(fresh), catalogue(database))


def steps_missing(database):
    return database.value("SELECT count(*) FROM radscheduler.storage_step s WHERE s.version > radscheduler.storage_version()")


def test_migrate_after_restore(fresh, database, old_dump):
    missing = steps_missing(database)
    assert missing > 0
    assert database.value("SELECT radscheduler.migrate()") == missing
    assert_rows_kept(database, old_dump)
    assert_like_new(database, fresh, old_dump)
    assert database.value("SELECT radscheduler.migrate()") == 0
    assert_like_new(database, fresh, old_dump)
    assert_works(database, highest_appointment(database), old_dump.message)
    database.execute("SELECT radscheduler.maintain()")
    assert_audit_holds(database)


def test_nothing_is_answered_before(database, old_dump):
    """Until migrate() has run, health() says what is wrong, and a message raises instead of being acknowledged: its sender keeps it."""
    rows = fingerprints(database)
    with pytest.raises(psycopg2.Error) as refused:
        database.value("SELECT radscheduler.health()")
    assert refused.value.pgcode == "55000" and "migrate()" in refused.value.diag.message_hint
    with pytest.raises(psycopg2.Error) as held:
        ingest(database, Booking().message())
    assert held.value.pgcode[:2] in ("42", "55")
    assert_same(rows, fingerprints(database))


@contextlib.contextmanager
def last_step(database, script):
    """One more step behind those of this version."""
    version = database.value("INSERT INTO radscheduler.storage_step SELECT max(version) + 1, 'trial', %s FROM radscheduler.storage_step RETURNING version", script)
    try:
        yield
    finally:
        database.execute("DELETE FROM radscheduler.storage_step WHERE version = %s", version)


@pytest.mark.parametrize("end", ["error", "cancel", "terminate"])
def test_interrupted(fresh, database, old_dump, end):
    before = catalogue(database), fingerprints(database), sequences(database)
    half = "CREATE TABLE radscheduler.half (site_id integer); SET LOCAL radscheduler.audit_changes = off; UPDATE radscheduler.appointment SET notes = 'half'; "
    with last_step(database, half + ("SELECT 1 / 0" if end == "error" else "SELECT pg_sleep(60)")):
        interrupted = database.connect()
        failure = []

        def migrate():
            try:
                with interrupted.cursor() as cursor:
                    cursor.execute("SELECT radscheduler.migrate()")
            except psycopg2.Error as error:
                failure.append(error)

        worker = threading.Thread(target=migrate)
        worker.start()
        if end != "error":
            pid = interrupted.info.backend_pid
            eventually(lambda: database.value("SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = %s", pid), what="the last step running")
            database.value(f"SELECT pg_{end}_backend(%s)", pid)
        worker.join(30)
        assert failure, "migrate() must not succeed"
        interrupted.close()
    # The identifiers of a trial step are gone with it; sequences may skip numbers, but none was touched here.
    assert_same(before[0], catalogue(database))
    assert_same(before[1], fingerprints(database))
    assert_same(before[2], sequences(database))
    assert database.value("SELECT radscheduler.migrate()") > 0
    assert_rows_kept(database, old_dump)
    assert_like_new(database, fresh, old_dump)


def test_two_at_once(fresh, database, old_dump):
    """The second waits for the first and finds nothing left to do."""
    missing = steps_missing(database)
    counts = []
    with last_step(database, "SELECT pg_sleep(1)"):
        def migrate():
            with contextlib.closing(database.connect()) as connection, connection.cursor() as cursor:
                cursor.execute("SELECT radscheduler.migrate()")
                counts.append(cursor.fetchone()[0])

        workers = [threading.Thread(target=migrate) for _ in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)
    assert sorted(counts) == [0, missing + 1]
    database.execute("DELETE FROM radscheduler.schema_version WHERE topic = 'trial'")
    assert_rows_kept(database, old_dump)
    assert_like_new(database, fresh, old_dump)
