"""pg_dump and pg_restore keep everything the site owns: rows, a user's index, sequences that go on where they were."""

import pytest

from support.messages import Booking, free_day
from support.services import Daemon, Database

COUNTED = ("site", "sender", "patient", "patient_identifier", "resource", "appointment", "appointment_service",
           "appointment_resource", "appointment_history", "occupancy", "conflict", "hl7_message", "message_key", "event_log")


def fingerprints(database):
    """Row count and content hash of every record table."""
    return {
        table: tuple(database.row(
            f"SELECT count(*) AS n, coalesce(md5(string_agg(t::text, E'\\n' ORDER BY t::text)), '') AS h FROM radscheduler.{table} t"
        ).values())
        for table in COUNTED
    }


@pytest.fixture
def filled(fresh_system):
    start = free_day()
    for _ in range(3):
        booking = Booking(start=start, scanner="MRDUMP", room="ROOM9", technologist="T77")
        assert fresh_system.send(booking.message()).code == "AA"
    fresh_system.send(Booking().message("S99"))
    fresh_system.db.execute("CREATE INDEX my_own_index ON radscheduler.appointment (lower(study_text))")
    return fresh_system


@pytest.mark.parametrize("form", ["plain", "custom", "custom-parallel"])
def test_dump_and_restore(cluster, filled, tmp_path, form):
    source = filled.db
    target_name = f"restored_{form.replace('-', '_')}"
    target = Database.create(cluster, target_name, extension=False)
    file = tmp_path / "dump"
    if form == "plain":
        dumped = cluster.tool("pg_dump", "-f", file, source.name)
        assert dumped.returncode == 0, dumped.stderr
        restored = cluster.tool("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", file, target_name)
    else:
        dumped = cluster.tool("pg_dump", "-Fc", "-f", file, source.name)
        assert dumped.returncode == 0, dumped.stderr
        jobs = ["-j2"] if form.endswith("parallel") else []
        restored = cluster.tool("pg_restore", "--exit-on-error", *jobs, "-d", target_name, file)
    assert restored.returncode == 0, restored.stderr.decode()

    assert fingerprints(target) == fingerprints(source)
    assert target.value("SELECT count(*) FROM pg_indexes WHERE schemaname = 'radscheduler' AND indexname = 'my_own_index'") == 1
    missing = set(catalogue(source)) ^ set(catalogue(target))
    assert not missing, f"constraints, indexes, policies or triggers differ: {sorted(missing)[:5]}"

    # The restored database works: numbers go on, an old booking still blocks its time, a repeat is still a repeat.
    highest = source.value("SELECT max(appointment_id) FROM radscheduler.appointment")
    daemon = Daemon(target.url)
    try:
        from support.mllp import Client

        later = Booking(start=free_day(), scanner="MRDUMP")
        with Client(daemon.mllp_port) as client:
            assert client.send(later.message()).code == "AA"
            repeat = bytes(source.value("SELECT raw FROM radscheduler.hl7_message WHERE outcome = 'applied' ORDER BY message_id LIMIT 1"))
            client.send(repeat)
        assert later.row(target)["id"] > highest
        assert target.value("SELECT outcome FROM radscheduler.hl7_message ORDER BY message_id DESC LIMIT 1") == "duplicate"
    finally:
        daemon.stop()
        target.close()


def catalogue(database):
    rows = database.rows(
        "SELECT 'constraint ' || conrelid::regclass || ' ' || pg_get_constraintdef(oid) AS what FROM pg_constraint"
        " WHERE connamespace = 'radscheduler'::regnamespace AND conrelid <> 0"
        " UNION SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'radscheduler'"
        " UNION SELECT 'policy ' || tablename || ' ' || policyname FROM pg_policies WHERE schemaname = 'radscheduler'"
        " UNION SELECT 'trigger ' || tgrelid::regclass || ' ' || tgname FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid"
        " WHERE c.relnamespace = 'radscheduler'::regnamespace AND NOT tgisinternal"
        " UNION SELECT 'comment ' || c.relname || ' ' || d.objsubid || ' ' || d.description FROM pg_description d"
        " JOIN pg_class c ON c.oid = d.objoid AND d.classoid = 'pg_class'::regclass"
        " WHERE c.relnamespace = 'radscheduler'::regnamespace"
    )
    return [row["what"] for row in rows]


def test_drop_extension_is_refused_while_records_are_there(filled):
    import psycopg2.errors

    with pytest.raises(psycopg2.errors.DependentObjectsStillExist):
        filled.db.execute("DROP EXTENSION radscheduler")
    assert filled.db.value("SELECT count(*) FROM radscheduler.appointment") == 3
