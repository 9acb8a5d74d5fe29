"""Nobody loses the records by dropping the extension or its schema: refused, CASCADE or not, until somebody destroys the records by name."""

import psycopg2
import pytest

from support.catalogue import assert_same, catalogue, fingerprints
from support.services import Database
from support.site import extend, fill, make_roles

REFUSED = "radscheduler cannot be dropped while this database holds its records"


@pytest.fixture(scope="module")
def filled(cluster):
    make_roles(cluster)
    database = Database.create(cluster, "drop_records")
    fill(database)
    extend(database)
    yield database
    database.close()


@pytest.mark.parametrize("statement", [
    "DROP EXTENSION radscheduler", "DROP EXTENSION radscheduler CASCADE", "DROP EXTENSION IF EXISTS radscheduler CASCADE",
    "DROP SCHEMA radscheduler", "DROP SCHEMA radscheduler CASCADE", "DROP SCHEMA my_schema, radscheduler CASCADE",
    # CASCADE reaches the extension from what it needs, and from the schema that one is in.
    "DROP EXTENSION btree_gist CASCADE", "DROP SCHEMA public CASCADE", "DROP EXTENSION plpgsql CASCADE",
])
def test_refused_while_there_are_records(filled, statement):
    before = catalogue(filled), fingerprints(filled)
    with pytest.raises(psycopg2.Error) as refused:
        filled.execute(statement)
    assert refused.value.pgcode == "2BP01"
    assert refused.value.diag.message_primary == REFUSED
    assert "CASCADE would destroy them" in refused.value.diag.message_detail
    assert "radscheduler.destroy_records('name of this database')" in refused.value.diag.message_hint
    assert_same(before[0], catalogue(filled))
    assert_same(before[1], fingerprints(filled))


def test_other_drops_are_nobodys_business(filled):
    filled.execute("CREATE SCHEMA my_other; CREATE TABLE my_other.t (); CREATE EXTENSION pgcrypto SCHEMA my_other")
    filled.execute("DROP EXTENSION pgcrypto")
    filled.execute("DROP SCHEMA my_other CASCADE")


def test_destroy_records(cluster):
    make_roles(cluster)
    database = Database.create(cluster, "drop_destroyed")
    fill(database)
    extend(database)
    before = catalogue(database), fingerprints(database)
    for wrong in ("'drop_destroye'", "'DROP_DESTROYED'", "''", "NULL", "'postgres'"):
        with pytest.raises(psycopg2.errors.InvalidParameterValue):
            database.execute(f"SELECT radscheduler.destroy_records({wrong})")
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState, match="legal hold"):
        database.execute("SELECT radscheduler.destroy_records('drop_destroyed')")
    assert_same(before[0], catalogue(database))
    assert_same(before[1], fingerprints(database))
    database.execute("SET radscheduler.site = 'MAIN'")
    database.execute("SELECT radscheduler.lift_hold(hold_id, 'closed') FROM radscheduler.legal_hold WHERE lifted_at IS NULL")
    database.execute("RESET radscheduler.site")
    database.execute("SELECT radscheduler.destroy_records('drop_destroyed')")
    left = database.rows("SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'radscheduler'::regnamespace AND NOT EXISTS"
                         " (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('e', 'i', 'a'))")
    assert left == [], "tables, views, sequences and indexes are gone but for those of the code"
    database.execute("DROP TABLE my_schema.my_archive")
    database.execute("DROP EXTENSION radscheduler")
    database.execute("DROP SCHEMA radscheduler")
    # And from the start again.
    database.execute("CREATE EXTENSION radscheduler")
    assert database.value("SELECT count(*) FROM radscheduler.site") == 1
    assert database.rows("SELECT * FROM radscheduler.audit_verify()") == []
    database.close()
