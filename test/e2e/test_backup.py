"""pg_dump and pg_restore, in every form people use, keep all that a site owns: rows, sequences, rights, and what it made itself around
our tables. The restored database is the same, its audit log holds, and it goes on working.
"""

import re

import pytest

from support.backup import assert_audit_holds, assert_restored, assert_works, audit_problems, dump, highest_appointment, restore
from support.catalogue import catalogue, differences
from support.messages import Booking
from support.mllp import Client
from support.services import Daemon, Database
from support.site import extend, fill, make_roles
from support.site_rest import fill_rest

# Rows are there only while a statement runs: what it has written and not settled yet.
ALWAYS_EMPTY = ["unsettled_write"]

# Forms of dump and restore: options of pg_dump, then the steps that restore it.
FORMS = {
    "plain": ([], [["psql"]]),
    "inserts": (["--column-inserts", "--rows-per-insert=50"], [["psql"]]),
    "custom": (["-Fc"], [["pg_restore"]]),
    "custom, parallel": (["-Fc"], [["pg_restore", "-j2"]]),
    "directory, parallel": (["-Fd", "-j2"], [["pg_restore", "-j2"]]),
    "one transaction": (["-Fc"], [["pg_restore", "--single-transaction"]]),
    # What a careful DBA does with a large database: look at each part before the next.
    "sections": (["-Fc"], [["pg_restore", f"--section={name}"] for name in ("pre-data", "data", "post-data")]),
    # row_security stays on, so that CREATE EXTENSION has to know a restore by something else.
    "row security": (["--enable-row-security"], [["psql"]]),
    "row security, custom": (["-Fc", "--enable-row-security"], [["pg_restore", "--enable-row-security"]]),
    # Here the triggers are there before the rows. The dump has the rows of audit_event; were the audit triggers on, every row restored
    # would be audited once more, as if somebody had just written it. Replica mode turns triggers and foreign keys off for one session.
    "schema, then data": (["-Fc"], [["pg_restore", "--schema-only"], ["replica", "pg_restore", "--data-only"]]),
}


@pytest.fixture(scope="module")
def source(cluster):
    make_roles(cluster)
    database = Database.create(cluster, "backup_source")
    database.message = fill(database)
    extend(database)
    fill_rest(database)
    yield database
    database.close()


@pytest.fixture
def target(cluster):
    database = Database.create(cluster, "backup_target", extension=False)
    yield database
    database.close()


def test_every_table_of_records_has_something_to_lose(source):
    """What a table without a row loses in a dump, no test would notice."""
    empty = source.rows("SELECT c.oid::regclass::text AS name FROM pg_class c WHERE c.relnamespace = 'radscheduler'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
                        " AND (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %s', c.oid::regclass), false, true, '')))[1]::text = '0' ORDER BY 1")
    assert [row["name"].removeprefix("radscheduler.") for row in empty] == ALWAYS_EMPTY


@pytest.mark.parametrize("form", FORMS)
def test_dump_and_restore(source, target, tmp_path, form):
    options, steps = FORMS[form]
    dump(source, tmp_path / "dump", *options)
    restore(target, tmp_path / "dump", *steps)
    assert_restored(source, target)
    assert audit_problems(target) == []
    assert_works(target, highest_appointment(source), source.message)
    assert_audit_holds(target)
    assert target.value("SELECT count(*) FROM radscheduler.audit_era") == 1, "the cluster is the same, and so is the era"


def test_data_restored_with_triggers_disabled(source, target, tmp_path):
    """pg_restore --disable-triggers does the same with ALTER TABLE, and leaves every trigger enabled, but as an ordinary one: those that keep
    the audit log append-only fire ALWAYS. migrate() puts them right.
    """
    dump(source, tmp_path / "dump", "-Fc")
    restore(target, tmp_path / "dump", ["pg_restore", "--schema-only"], ["pg_restore", "--data-only", "--disable-triggers"])
    assert all(re.match(r"trigger radscheduler\.(audit_\w+|event_epoch) append_only(_truncate)?: tgenabled is 'A' left, 'O' right", line)
               for line in differences(catalogue(source), catalogue(target)))
    assert target.value("SELECT radscheduler.migrate()") == 0
    assert_restored(source, target)


def test_restore_over_a_database(source, target, tmp_path):
    """--clean drops records before the extension, so the event trigger that guards them has nothing to guard any more."""
    dump(source, tmp_path / "dump", "-Fc")
    restore(target, tmp_path / "dump", ["pg_restore"])
    assert_works(target, highest_appointment(source), source.message)
    messages = restore(target, tmp_path / "dump", ["pg_restore", "--clean", "--if-exists"], exit_on_error=False)
    # pg_restore tries to drop the primary key of each partition first, which PostgreSQL refuses for any partitioned table. It goes on.
    errors = re.findall(r"^pg_restore: error: (.*)", messages, re.M)
    assert all("cannot drop inherited constraint" in error for error in errors), messages
    assert_restored(source, target)
    assert_works(target, highest_appointment(source), source.message)


def test_restore_in_place_of_a_database(cluster, source, target, tmp_path):
    """--clean --create drops the whole database, which needs no patience with errors."""
    dump(source, tmp_path / "dump", "-Fc")
    restore(target, tmp_path / "dump", ["pg_restore"])
    dump(target, tmp_path / "copy", "-Fc")
    target.execute("DELETE FROM radscheduler.conflict")
    target.close()
    restore(Database(cluster, "postgres"), tmp_path / "copy", ["pg_restore", "--clean", "--if-exists", "--create"])
    assert_restored(source, target)


def test_daemon_serves_a_restored_database(source, target, tmp_path):
    dump(source, tmp_path / "dump", "-Fc")
    restore(target, tmp_path / "dump", ["pg_restore"])
    daemon = Daemon(target.url)
    try:
        later = Booking()
        with Client(daemon.mllp_port) as client:
            assert client.send(later.message()).code == "AA"
            assert client.send(source.message).code == "AA"
        assert later.row(target)["id"] > highest_appointment(source)
        assert target.value("SELECT outcome FROM radscheduler.hl7_message ORDER BY message_id DESC LIMIT 1") == "duplicate"
    finally:
        daemon.stop()
