"""The load tool, for tests and measurements: its result as a dictionary."""

import json
import subprocess

from support.services import SEND

MIX = "S12=60,S13=15,S14=10,S15=10,repeat=5"


def load(port, *arguments, timeout=10, limit=600, progress=False):
    """Runs `radsched-send load`; with progress it tells on our standard error how far it is. Every message must have been answered AA."""
    extra = ["--progress"] if progress else []
    done = subprocess.run(
        [str(SEND), "--json", "--timeout", str(timeout), "--port", str(port), "load", *map(str, arguments), *extra],
        stdout=subprocess.PIPE, stderr=None if progress else subprocess.PIPE, text=True, timeout=limit, check=False)
    assert done.returncode in (0, 1) and done.stdout, f"radsched-send ended with {done.returncode}: {done.stderr}"
    return json.loads(done.stdout)


def unlike_the_database(database, result):
    """Everything in which the database differs from what the tool says it sent, was answered and may therefore expect. The database holds no other messages."""
    events = {name: result["events"].get(name, 0) for name in ("S12", "S13", "S14", "S15", "S26", "repeat")}
    expected = {
        "messages kept": result["sent"],
        "control ids": result["sent"] - events["repeat"],
        "applied": result["sent"] - events["repeat"],
        "repeats": events["repeat"],
        "appointments": events["S12"],
        "cancelled": events["S15"],
        "missed": events["S26"],
    }
    found = database.row(
        'SELECT count(*) AS "messages kept", count(DISTINCT m.control_id) AS "control ids", count(*) FILTER (WHERE m.outcome = \'applied\') AS applied,'
        " count(*) FILTER (WHERE m.outcome = 'duplicate') AS repeats, (SELECT count(*) FROM radscheduler.appointment) AS appointments,"
        " (SELECT count(*) FROM radscheduler.appointment WHERE status = 'CANCELLED') AS cancelled,"
        " (SELECT count(*) FROM radscheduler.appointment WHERE status = 'NO_SHOW') AS missed FROM radscheduler.hl7_message m")
    return [f"{what}: {found[what]} instead of {count}" for what, count in expected.items() if found[what] != count]


def leaks(text):
    """What of the tool's patients stands in a text."""
    return [part for part in ("LOAD^PATIENT", "PATIENT LOAD", "LOAD PATIENT", "617-555-", "1617555") if part in text]
