"""Public HL7 messages of many projects go through ingest(): each is taken or refused with a reason, all are kept, in any order and in batches.

The reading of every SIU (what would be booked, for whom, when, with what) is expected/corpus_siu.json, which was checked by eye against the
messages; what a run reads is written to build/corpus_siu.json. Nothing of the corpus stands there but codes, times and hashes. Without the
corpus (RADSCHED_CORPUS) these tests are skipped.
"""

import collections
import hashlib
import json
import os
import pathlib
import random

import psycopg2
import pytest
from support.services import REPO, Database

EXPECTED = pathlib.Path(__file__).parent / "expected" / "corpus_siu.json"
FOUND = REPO / "build" / "corpus_siu.json"
ZONE = "America/New_York"

# What an AE or AR may say (HL7 table 0357): a segment, a field, a value; type, event or version not taken; an unknown key.
# 207 would be an error that nobody foresaw.
REASONS = {"100", "101", "102", "103", "200", "201", "202", "203", "204"}

READING = """
SELECT l.message_code, l.trigger_event, l.code, l.outcome, l.error,
       (SELECT jsonb_agg(concat_ws(' ', w ->> 'code', w ->> 'path') ORDER BY w ->> 'code' COLLATE "C", w ->> 'path' COLLATE "C") FROM jsonb_array_elements(l.warnings) w) AS warnings,
       a.filler_id, a.placer_id, p.mrn, a.status, a.review_reason, to_char(timezone('UTC', a.starts_at), 'YYYY-MM-DD"T"HH24:MI"Z"') AS starts_at,
       (extract(epoch FROM a.ends_at - a.starts_at) / 60)::integer AS minutes, a.modality, a.study_code, a.urgency,
       (SELECT jsonb_agg(jsonb_build_array(s.group_no, s.code, to_char(timezone('UTC', s.starts_at), 'HH24:MI'), (extract(epoch FROM s.ends_at - s.starts_at) / 60)::integer)
                         ORDER BY s.position)
        FROM radscheduler.appointment_service s WHERE s.site_id = a.site_id AND s.appointment_id = a.appointment_id) AS services,
       (SELECT jsonb_agg(jsonb_build_array(r.group_no, r.segment, x.kind, x.code, to_char(timezone('UTC', r.starts_at), 'HH24:MI'), (extract(epoch FROM r.ends_at - r.starts_at) / 60)::integer)
                         ORDER BY r.position)
        FROM radscheduler.appointment_resource r JOIN radscheduler.resource x ON x.site_id = r.site_id AND x.resource_id = r.resource_id
        WHERE r.site_id = a.site_id AND r.appointment_id = a.appointment_id) AS resources,
       (SELECT jsonb_agg(c.code || ' ' || c.severity ORDER BY c.code COLLATE "C") FROM radscheduler.conflict c
        WHERE c.site_id = a.site_id AND c.appointment_id = a.appointment_id AND c.state = 'open') AS conflicts
FROM radscheduler.hl7_message l
LEFT JOIN radscheduler.appointment a ON a.site_id = l.site_id AND a.appointment_id = l.appointment_id
LEFT JOIN radscheduler.patient p ON p.site_id = a.site_id AND p.patient_id = a.patient_id
WHERE l.message_id = %s"""


def corpus():
    folder = pathlib.Path(os.environ.get("RADSCHED_CORPUS", REPO.parent / "shared" / "corpus"))
    messages = {path.name: path.read_bytes() for path in sorted(folder.glob("*.hl7"))}
    if not messages:
        pytest.skip("No corpus here; set RADSCHED_CORPUS to a folder of .hl7 files.")
    return messages


@pytest.fixture
def empty(cluster):
    """Makes databases without a message, for tests that count everything."""
    made = []

    def make(name):
        database = Database.create(cluster, name)
        database.execute("UPDATE radscheduler.site SET timezone = %s WHERE code = 'MAIN'", ZONE)
        made.append(database)
        return database

    yield make
    for database in made:
        database.close()
        cluster.admin(f'DROP DATABASE "{database.name}" WITH (FORCE)')


def hashed(value):
    return None if value is None else "sha256:" + hashlib.sha256(value.encode()).hexdigest()[:12]


def reading(row):
    """What a message was read as, without what could name a person."""
    found = {"message": f"{row['message_code']}^{row['trigger_event']}", "answer": f"{row['code']} {row['outcome']}"}
    if row["error"]:
        found["error"] = " ".join(str(row["error"][key]) for key in ("code", "path") if row["error"].get(key))
    if row["status"]:
        found["key"] = [row["filler_id"], row["placer_id"]]
        found["patient"] = hashed(row["mrn"])
        found["status"] = " ".join(filter(None, (row["status"], row["review_reason"])))
        found["when"] = [row["starts_at"], row["minutes"]]
        found["what"] = [row["modality"], row["study_code"], row["urgency"]]
        found["services"] = row["services"] or []
        # Staff without an id are called by their name.
        found["resources"] = [[*part[:3], hashed(part[3]) if part[2] == "staff" and " " in part[3] else part[3], *part[4:]] for part in row["resources"] or []]
        found["conflicts"] = row["conflicts"] or []
    found["warnings"] = row["warnings"] or []
    return found


def as_text(readings):
    """One line for each thing that is told of a message, so that two files can be compared by eye."""
    blocks = (f"{json.dumps(name)}: {{\n" + ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in read.items()) + "\n}"
              for name, read in sorted(readings.items()))
    return "{\n" + ",\n".join(blocks) + "\n}\n"


def test_every_scheduling_message_is_read_as_it_should_be(empty):
    """Each alone, in a system that knows nothing: what stands in the message is all there is to go by."""
    messages = corpus()
    found = {}
    with empty("corpus_readings").connect() as connection:
        connection.autocommit = False
        with connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            for name, raw in messages.items():
                cursor.execute("SELECT message_id FROM radscheduler.ingest(%s)", [psycopg2.Binary(raw)])
                cursor.execute(READING, [cursor.fetchone()["message_id"]])
                row = cursor.fetchone()
                if row["message_code"] == "SIU":
                    found[name] = reading(row)
                connection.rollback()
    connection.close()
    FOUND.parent.mkdir(exist_ok=True)
    FOUND.write_text(as_text(found), encoding="utf-8")
    expected = json.loads(EXPECTED.read_text(encoding="utf-8"))
    assert len(found) >= 25
    differences = [f"{name}: {key} is {found.get(name, {}).get(key)!r}, expected {expected.get(name, {}).get(key)!r}"
                   for name in sorted(found.keys() | expected.keys())
                   for key in {**expected.get(name, {}), **found.get(name, {})}
                   if found.get(name, {}).get(key) != expected.get(name, {}).get(key)]
    assert not differences, "\n".join(differences) + f"\nSee {FOUND}."


def asks_for_answers_itself(raw):
    """Whether MSH-15 or MSH-16 is filled: then the sender says which answers it wants, and may want none."""
    fields = raw[raw.index(b"MSH"):].split(b"\r")[0].split(b"\n")[0].split(raw[raw.index(b"MSH") + 3:][:1])
    return any(fields[14:16])


class Pass:
    """What became of every message that a database was sent."""

    def __init__(self, database, names):
        self.rows = dict(zip(names, database.rows(
            "SELECT message_id, code, outcome, error, raw, ack, message_code, trigger_event FROM radscheduler.hl7_message ORDER BY message_id DESC LIMIT %s", len(names))[::-1]))

    def assert_answered(self, messages):
        """Each has an answer, each refusal a reason, and what was kept is what was sent."""
        for name, row in self.rows.items():
            assert bytes(row["raw"]) == messages[name], name
            assert row["code"] in ("AA", "AE", "AR"), name
            assert bytes(row["ack"]).startswith(b"MSH") or not row["ack"] and asks_for_answers_itself(messages[name]), name
            if row["code"] != "AA":
                assert row["error"] and row["error"]["code"] in REASONS and row["error"]["text"].strip(), f"{name}: {row['code']} {row['error']}"

    def codes(self):
        return {name: (row["code"], row["error"] and row["error"]["code"]) for name, row in self.rows.items()}


def with_parts(database, messages):
    """The files, and of those that hold several messages each message by itself."""
    found = dict(messages)
    for name, raw in messages.items():
        if raw.count(b"\rMSH|") + raw.count(b"\nMSH|") + raw.startswith(b"MSH|") < 2:
            continue
        parts = database.rows("SELECT body FROM radscheduler.hl7_split_batch(%s::bytea) WHERE kind = 'message' ORDER BY message", psycopg2.Binary(raw))
        found.update({f"{name} part {number}": bytes(part["body"]) for number, part in enumerate(parts, start=1)})
    return found


def counts(database):
    return database.row("SELECT (SELECT count(*) FROM radscheduler.hl7_message) AS messages, (SELECT count(DISTINCT (sender_id, filler_id, placer_id)) FROM radscheduler.appointment) AS appointments,"
                        " (SELECT count(*) FROM radscheduler.conflict WHERE state = 'open') AS conflicts")


def test_every_message_is_answered_whatever_the_order(empty):
    messages = corpus()
    database = empty("corpus_orders")
    messages = with_parts(database, messages)
    names = list(messages)
    for name in names:
        database.value("SELECT code FROM radscheduler.ingest(%s, 'mllp', '192.0.2.1:4711')", psycopg2.Binary(messages[name]))
    first = Pass(database, names)
    first.assert_answered(messages)
    before = counts(database)
    assert before["messages"] == len(names)
    taken = collections.Counter((row["message_code"] or "", row["code"]) for row in first.rows.values())
    assert taken["SIU", "AA"] >= 18 and taken["ADT", "AA"] >= 100 and taken["ORM", "AA"] > 10, taken

    # Once more in another order, one by one: what was taken gets the same bytes again, what was refused the same reason.
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    shuffled = random.Random(seed).sample(names, len(names))
    for name in shuffled:
        database.value("SELECT code FROM radscheduler.ingest(%s, 'mllp', '192.0.2.1:4711')", psycopg2.Binary(messages[name]))
    second = Pass(database, shuffled)
    second.assert_answered(messages)
    assert second.codes() == first.codes()
    acknowledgements = {bytes(row["raw"]): bytes(row["ack"]) for row in first.rows.values() if row["code"] == "AA"}
    for name, row in second.rows.items():
        if row["code"] == "AA":
            assert row["outcome"] == "duplicate" and bytes(row["ack"]) == acknowledgements[messages[name]], name
    assert counts(database) == {**before, "messages": 2 * len(names)}

    # In batches, into a system that has seen none of them: nothing is answered otherwise than one by one.
    batches = empty("corpus_batches")
    for start in range(0, len(shuffled), 64):
        part = shuffled[start:start + 64]
        codes = batches.value("SELECT array_agg(b.code ORDER BY b.ordinality) FROM radscheduler.ingest_batch(%s::bytea[]) WITH ORDINALITY b",
                              [psycopg2.Binary(messages[name]) for name in part])
        assert len(codes) == len(part)
    third = Pass(batches, shuffled)
    third.assert_answered(messages)
    assert third.codes() == first.codes()
    assert counts(batches)["appointments"] == before["appointments"]
