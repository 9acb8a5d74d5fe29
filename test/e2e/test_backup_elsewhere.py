"""A dump restored into another cluster, with the roles of its grants and without, and the audit log's new era there."""

import re

import psycopg2
import pytest

from support.backup import assert_audit_holds, assert_restored, assert_works, audit_problems, dump, highest_appointment, restore
from support.catalogue import assert_same, catalogue, fingerprints
from support.services import Cluster, Database
from support.site import ROLES, book, extend, fill, grant_own_rights, ingest, make_roles
from support.site_rest import fill_rest


@pytest.fixture(scope="module")
def source(cluster, tmp_path_factory):
    make_roles(cluster)
    database = Database.create(cluster, "elsewhere_source")
    # A cluster that has been at work for years counts transactions from somewhere high.
    database.execute("DO $$ BEGIN FOR i IN 1 .. 20000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$")
    database.message = fill(database)
    extend(database)
    fill_rest(database)
    database.file = tmp_path_factory.mktemp("elsewhere") / "dump"
    dump(database, database.file, "-Fc")
    yield database
    database.close()


@pytest.fixture(scope="module")
def elsewhere():
    """A cluster that has never seen the first one."""
    cluster = Cluster("e2e-elsewhere", "")
    yield cluster
    cluster.destroy()


@pytest.fixture
def target(elsewhere):
    database = Database.create(elsewhere, "elsewhere_target", extension=False)
    yield database
    database.execute("SELECT 1")
    for role in ROLES:
        database.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
    database.close()


def test_with_roles(elsewhere, source, target):
    make_roles(elsewhere)
    restore(target, source.file, ["pg_restore"])
    assert_restored(source, target)
    assert audit_problems(target) == []
    assert target.value("SELECT count(*) FROM radscheduler.audit_era") == 1
    target.value("SELECT radscheduler.audit_seal_pending()")
    assert audit_problems(target) == []
    eras = target.rows("SELECT era, cluster_id, barrier FROM radscheduler.audit_era ORDER BY era")
    assert len(eras) == 2 and eras[0]["cluster_id"] != eras[1]["cluster_id"]
    assert eras[1]["barrier"] == source.value("SELECT max(audit_id) FROM radscheduler.audit_event")
    assert_works(target, highest_appointment(source), source.message)
    assert audit_problems(target) == []
    assert target.value("SELECT radscheduler.audit_seal_pending()") > 0
    assert_audit_holds(target)
    assert target.value("SELECT count(*) FROM radscheduler.audit_era") == 2


def test_work_before_the_first_seal(elsewhere, source, target):
    """Transaction numbers start low in the new cluster. Events written before maintain() runs for the first time are no forgeries."""
    make_roles(elsewhere)
    restore(target, source.file, ["pg_restore"])
    assert_works(target, highest_appointment(source), source.message)
    assert audit_problems(target) == []
    target.execute("SELECT radscheduler.maintain()")
    assert_audit_holds(target)


def test_relay_goes_on(elsewhere, source, target):
    """Each event once and in order, those from before the dump that no relay had published, and those that came after."""
    make_roles(elsewhere)
    restore(target, source.file, ["pg_restore"])
    last = target.row("SELECT xid::text, seq FROM radscheduler.relay_cursor")
    waiting = target.rows("SELECT seq FROM radscheduler.event_log WHERE (xid, seq) > (%s::xid8, %s) ORDER BY xid, seq", last["xid"], last["seq"])
    place = source.row("SELECT epoch, cursor FROM radscheduler.event_head()")
    book(target)
    later = target.value("SELECT max(seq) FROM radscheduler.event_log")
    fetched = target.rows("SELECT split_part(f.cursor, '-', 2)::bigint AS seq FROM radscheduler.relay_fetch('redis', 1000) f")
    assert [row["seq"] for row in fetched] == [row["seq"] for row in waiting] + [later]
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState, match="another epoch"):
        target.execute("SELECT radscheduler.events_after(%s)", f"{place['epoch']}:{place['cursor']}")


def test_without_roles(elsewhere, source, target):
    """Rows do not depend on roles: they are granted by name, and only GRANT fails. apply_grants() catches up once the roles are there."""
    messages = restore(target, source.file, ["pg_restore"], exit_on_error=False)
    missing = re.findall(r'^pg_restore: error: could not execute query: ERROR:  role "(.*)" does not exist$', messages, re.M)
    assert len(missing) == messages.count("pg_restore: error:") and set(missing) <= set(ROLES), messages
    commands = re.findall(r"^Command was: (.*)", messages, re.M)
    assert len(commands) == len(missing) and all(command.startswith("GRANT ") for command in commands), commands
    assert_same(fingerprints(source), fingerprints(target))
    assert ingest(target, source.message) == "duplicate"
    make_roles(elsewhere)
    target.execute("DELETE FROM radscheduler.hl7_message WHERE message_id > %s", source.value("SELECT max(message_id) FROM radscheduler.hl7_message"))
    assert target.value("SELECT radscheduler.apply_grants()") == source.value("SELECT count(*) FROM radscheduler.role_grant")
    grant_own_rights(target)
    assert_same(catalogue(source), catalogue(target))
