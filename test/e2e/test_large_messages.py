"""A result message of 50 MB: what its reading costs in memory, as a multiple of its size.

The peak of a fresh backend (VmHWM) is taken for two sizes; the difference per byte is the factor, free of what every backend costs. What
making the text costs by itself is taken off. The figures are written to build/memory.md.
"""

import contextlib

import pytest
from support.services import REPO, Database

SMALL, LARGE = 10_000_000, 50_000_000
OBX = "OBX|1|NM|2345-7^Glucose [Mass/volume] in Serum or Plasma^LN||90.5|mg/dL^milligram per decilitre^UCUM|70-99|N|||F|||20260101120000"
# random() keeps the planner from working it out beforehand.
TEXT = f"(E'MSH|^~\\\\&|LAB|H|R|H|20260101||ORU^R01^ORU_R01|1|P|2.5\\rPID|1||7\\r' || repeat(E'{OBX}\\r', %s / {len(OBX) + 1} + (random() * 0)::integer))"


@pytest.fixture(scope="module")
def db(cluster):
    database = Database.create(cluster, "large_messages")
    yield database
    database.close()


def peak(db, expression, size):
    """Bytes that one evaluation adds to a fresh backend at most."""
    with contextlib.closing(db.connect()) as connection, connection.cursor() as cursor:
        def status(name):
            cursor.execute("SELECT substring(pg_read_file('/proc/self/status') from %s)::bigint * 1024", (name + r":\s+(\d+) kB",))
            return cursor.fetchone()[0]

        cursor.execute("SELECT " + expression.replace("{text}", TEXT) % 1000)
        before = status("VmRSS")
        cursor.execute("SELECT " + expression.replace("{text}", TEXT) % size)
        return status("VmHWM") - before


def factor(db, expression):
    return (peak(db, expression, LARGE) - peak(db, expression, SMALL)) / (LARGE - SMALL)


def test_memory_grows_with_the_message_and_no_faster(db):
    text_alone = factor(db, "octet_length({text})")
    cases = {
        "parse: text to `hl7`": ("({text}::radscheduler.hl7) IS NULL", 2.3),
        "`hl7_fields`, three fields": ("cardinality(radscheduler.hl7_fields({text}::radscheduler.hl7, 'MSH-9.2', 'PID-3', 'OBX[99999]-5'))", 2.3),
        "`hl7_get_all('OBX[*]-5')`": ("cardinality(radscheduler.hl7_get_all({text}::radscheduler.hl7, 'OBX[*]-5'))", 4),
        "`hl7_segments`": ("(SELECT count(*) FROM radscheduler.hl7_segments({text}::radscheduler.hl7))", 6),
        "`hl7_set`": ("radscheduler.hl7_set({text}::radscheduler.hl7, 'PID-5', 'x') IS NULL", 5.5),
        "`hl7_validate`": ("(SELECT count(*) FROM radscheduler.hl7_validate({text}::radscheduler.hl7))", 4),
        "`::jsonb`": ("({text}::radscheduler.hl7::jsonb) IS NULL", 40),
    }
    report = [f"| a message of {LARGE // 1_000_000} MB | memory, times its size |", "|---|---|"]
    found = {}
    for name, (expression, most) in cases.items():
        found[name] = factor(db, expression) - text_alone
        report.append(f"| {name} | {found[name]:.1f} |")
    (REPO / "build" / "memory.md").write_text("\n".join(report) + "\n", encoding="utf-8")
    too_much = {name: round(value, 1) for name, value in found.items() if value > cases[name][1]}
    assert not too_much, found


def test_a_header_field_of_50_mb_reads_a_few_blocks(db):
    db.execute("CREATE TABLE public.large (body radscheduler.hl7)")
    db.execute("ALTER TABLE public.large ALTER body SET STORAGE external")
    db.execute("INSERT INTO public.large SELECT " + f"{TEXT}::radscheduler.hl7" % LARGE)
    size = db.value("SELECT octet_length(body::text) FROM public.large")
    assert size > LARGE * 0.99
    plan = db.value("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT radscheduler.hl7_get(body, 'MSH-9') FROM public.large")[0]["Plan"]
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 20


def test_a_message_beyond_the_ceiling_is_refused_before_it_is_read(db):
    with contextlib.closing(db.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SET radscheduler.max_message_bytes = '1MB'")
        with pytest.raises(Exception) as refusal:
            cursor.execute("SELECT " + f"{TEXT}::radscheduler.hl7" % 2_000_000)
        assert refusal.value.pgcode == "54000"
