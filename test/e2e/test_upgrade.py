"""ALTER EXTENSION radscheduler UPDATE from every released version: rows stay, what the site made stays, and the result is what a fresh
installation gives, down to the last right and comment. Then it works. Also: the update script is the one the two full scripts give.
"""

import re
import subprocess
import sys
import threading

import psycopg2
import pytest

from support.backup import assert_audit_holds, assert_restored, assert_works, dump, highest_appointment, restore
from support.catalogue import GROWING, assert_same, catalogue, fingerprints, growing_rows, record_columns, sequences
from support.messages import Booking
from support.services import REPO, Database, eventually
from support.site import extend, fill, grant_roles, has_function, ingest, make_roles
from support.versions import EXTENSION, RELEASED, UPDATES, VERSION, install

SCRIPTS = sorted(UPDATES.glob(f"radscheduler--*--{VERSION}.sql"))


@pytest.fixture(scope="module")
def fresh(cluster):
    """What a new installation looks like that was filled and extended in the same way."""
    make_roles(cluster)
    database = install(cluster, "upgrade_fresh", VERSION)
    fill(database)
    extend(database)
    yield database
    database.close()


@pytest.fixture(params=RELEASED)
def old(cluster, request):
    """A database of a released version with rows and things of a site's own."""
    make_roles(cluster)
    database = install(cluster, "upgrade_old", request.param)
    database.message = fill(database)
    extend(database)
    yield database
    database.close()


def test_there_is_a_released_version():
    assert RELEASED and VERSION not in RELEASED


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_update_script_is_up_to_date(path):
    before = re.fullmatch(r"radscheduler--([\d.]+)--[\d.]+", path.stem).group(1)
    scripts = [UPDATES / f"radscheduler--{before}.sql", EXTENSION / f"radscheduler--{VERSION}.sql"]
    made = subprocess.run([sys.executable, REPO / "scripts" / "update-script.py", *scripts], capture_output=True, text=True, timeout=60, check=True)
    # Not compared in the assertion: the difference of two long texts takes pytest minutes to print.
    is_same = made.stdout == path.read_text()
    assert is_same, f"scripts/update-script.py gives another {path.name}; write it again"


def test_every_released_version_can_be_updated(cluster):
    database = Database.create(cluster, "upgrade_paths", extension=False)
    paths = database.rows("SELECT source, path FROM pg_extension_update_paths('radscheduler') WHERE target = %s", VERSION)
    assert {row["source"] for row in paths if row["path"]} >= set(RELEASED)
    database.close()


def test_update(cluster, fresh, old, tmp_path):
    columns = record_columns(old)
    lists = growing_rows(old, columns)
    kept = {table: names for table, names in columns.items() if table not in GROWING}
    rows, numbers = fingerprints(old, kept), sequences(old)
    had_roles = has_function(old, "grant_role")
    old.execute("ALTER EXTENSION radscheduler UPDATE")
    assert old.value("SELECT extversion FROM pg_extension WHERE extname = 'radscheduler'") == VERSION
    assert_same(rows, fingerprints(old, kept))
    assert all(lists[table] <= after for table, after in growing_rows(old, columns).items())
    assert_same(numbers, {key: value for key, value in sequences(old).items() if key in numbers})
    if not had_roles:
        grant_roles(old)
    assert_same(catalogue(fresh), catalogue(old))
    assert old.value("SELECT radscheduler.migrate()") == 0
    assert_same(catalogue(fresh), catalogue(old))
    assert old.value("SELECT radscheduler.health() ->> 'extension'") == VERSION

    assert_works(old, highest_appointment(old), old.message)
    old.execute("SELECT radscheduler.maintain()")
    assert_audit_holds(old)

    # Whether pg_dump still knows what belongs to whom shows only in a restore.
    copy = Database.create(cluster, "upgrade_copy", extension=False)
    dump(old, tmp_path / "dump", "-Fc")
    restore(copy, tmp_path / "dump", ["pg_restore"])
    assert_restored(old, copy)
    copy.close()


@pytest.fixture(params=RELEASED)
def bare(cluster, request):
    """A database of a released version with rows, and with no more around it than that version needed."""
    make_roles(cluster)
    database = install(cluster, "upgrade_bare", request.param, is_ready=False)
    database.message = fill(database)
    yield database
    database.close()


def extensions(database):
    return {row["extname"]: row["extversion"] for row in database.rows("SELECT extname, extversion FROM pg_extension")}


def test_what_the_newest_needs_is_asked_for(bare):
    before = extensions(bare)
    assert "pg_trgm" not in before and "btree_gist" in before
    rows = fingerprints(bare)
    with pytest.raises(psycopg2.errors.UndefinedObject, match='required extension "pg_trgm" is not installed'):
        bare.execute("ALTER EXTENSION radscheduler UPDATE")
    assert extensions(bare) == before
    assert_same(rows, fingerprints(bare))
    assert ingest(bare, Booking().message()) == "applied"

    columns = {table: names for table, names in record_columns(bare).items() if table not in GROWING}
    rows = fingerprints(bare, columns)
    bare.execute("CREATE EXTENSION pg_trgm")
    bare.execute("ALTER EXTENSION radscheduler UPDATE")
    assert extensions(bare)["radscheduler"] == VERSION
    assert_same(rows, fingerprints(bare, columns))
    assert bare.value("SELECT radscheduler.text_similarity('KNEE', 'KNEE')") == 1
    assert_works(bare, highest_appointment(bare), bare.message)
    # From now on the two belong together.
    with pytest.raises(psycopg2.errors.DependentObjectsStillExist):
        bare.execute("DROP EXTENSION pg_trgm")


def test_a_dump_of_a_database_without_it_is_restored_where_it_is(cluster, bare, tmp_path):
    """The dump names no version, so CREATE EXTENSION in it makes the newest, and does not install what that needs."""
    dump(bare, tmp_path / "dump", "-Fc")
    copy = Database.create(cluster, "upgrade_bare_copy", extension=False)
    told = restore(copy, tmp_path / "dump", ["pg_restore"], exit_on_error=False)
    assert 'required extension "pg_trgm" is not installed' in told and "HINT:  Use CREATE EXTENSION ... CASCADE" in told
    copy.close()
    copy = Database.create(cluster, "upgrade_bare_copy", extension=False)
    copy.execute("CREATE EXTENSION pg_trgm")
    restore(copy, tmp_path / "dump", ["pg_restore"])
    assert copy.value("SELECT radscheduler.migrate()") > 0
    assert_works(copy, highest_appointment(copy), bare.message)
    copy.close()


def test_messages_come_during_the_update(old):
    """Sessions opened before go on through it and after it. Where the two lock each other out, one is told to try again and nothing is lost."""
    acknowledged, failures, done = [], [], threading.Event()

    def send():
        session = Database(old.cluster, old.name)
        while not done.is_set():
            booking = Booking()
            try:
                assert ingest(session, booking.message()) == "applied"
                acknowledged.append(booking)
            except (psycopg2.errors.DeadlockDetected, psycopg2.errors.UndefinedFunction):
                pass  # a call that had begun in the old version, and met the new one; unacknowledged, its message comes again
            except Exception as error:  # pylint: disable=broad-except
                failures.append(error)
                break
        session.close()

    senders = [threading.Thread(target=send) for _ in range(2)]
    for sender in senders:
        sender.start()
    try:
        eventually(lambda: len(acknowledged) > 10, what="messages being taken before the update")
        eventually(lambda: updated(old), what="the update")
        after = len(acknowledged)
        eventually(lambda: failures or len(acknowledged) > after + 10, what="messages being taken after the update")
    finally:
        done.set()
        for sender in senders:
            sender.join(30)
    assert failures == []
    assert all(booking.count(old) == 1 for booking in acknowledged)
    assert_audit_holds(old)


def updated(database):
    try:
        database.execute("ALTER EXTENSION radscheduler UPDATE")
    except psycopg2.errors.DeadlockDetected:
        return False
    return True
