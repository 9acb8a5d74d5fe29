"""pgbench with many clients that want the same few resources: who did what, and what has to hold afterwards."""

import pathlib
import re

from support.messages import secrets
from support.truth import faults

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "contention"
# script: how often it is taken, how many messages it sends
MIX = {"book": (8, 1), "move": (6, 1), "cancel": (3, 1), "miss": (1, 1), "batch": (2, 8), "refuse": (1, 5), "again": (2, 1), "block": (1, 1), "merge": (1, 1),
       "clerk": (1, 0)}
CLIENTS = 32
secrets.update(f"SOAKER{number}" for number in range(120))


def prepare(database):
    database.execute((SCRIPTS / "setup.sql").read_text(encoding="utf-8"))


def fight(database, seconds, seed, clients=CLIENTS):
    """Runs pgbench; gives (its report, the number of messages it sent)."""
    scripts = [argument for name, (weight, _) in MIX.items() for argument in ("-f", f"{SCRIPTS / name}.sql@{weight}")]
    done = database.cluster.tool(
        "pgbench", "-n", "-M", "prepared", "-c", clients, "-j", 2, "-T", seconds, "--random-seed", seed, "--failures-detailed", *scripts, database.name, text=True, limit=seconds + 120)
    report = done.stdout + done.stderr
    counts = {pathlib.Path(name).stem: int(number) for name, number in re.findall(r"^SQL script \d+: (\S+?)\.sql\n - weight: .*\n - (\d+) transactions", report, re.MULTILINE)}
    return done.returncode, report, sum(counts.get(name, 0) * messages for name, (_, messages) in MIX.items())


def check(tally, database, code, report, sent):
    """Everything that must hold after a fight."""
    processed = re.search(r"^number of transactions actually processed: (\d+)", report, re.MULTILINE)
    failed = re.search(r"^number of failed transactions: (\d+)", report, re.MULTILINE)
    tally.check("no client was refused or given up", code == 0 and processed and int(processed[1]) > 0 and (failed is None or failed[1] == "0") and "aborted" not in report,
                f"{sent} messages" if code == 0 else report[-800:])
    tally.check("PostgreSQL broke no deadlock", database.value("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0)
    kept = database.row("SELECT count(*) AS messages, count(*) FILTER (WHERE code IN ('AA', 'AE') AND octet_length(ack) > 0) AS answered,"
                        " count(*) FILTER (WHERE outcome <> 'duplicate' AND code = 'AA') AS taken, count(DISTINCT control_id) FILTER (WHERE outcome <> 'duplicate' AND code = 'AA') AS different,"
                        " count(*) FILTER (WHERE error ->> 'text' LIKE '%SQLSTATE%') AS failed FROM radscheduler.hl7_message")
    tally.check("every message is kept, with its answer, and taken once", kept["messages"] == kept["answered"] == sent and kept["taken"] == kept["different"] and kept["failed"] == 0,
                f"{sent} sent, {dict(kept)}")
    tally.empty("times, lanes, conflicts, reviews and histories are what the appointments ask for", faults(database.rows))
    at_stake = database.row("SELECT (SELECT count(*) FROM radscheduler.conflict) AS conflicts, (SELECT count(*) FROM radscheduler.conflict WHERE state = 'resolved') AS resolved,"
                            " (SELECT count(*) FROM radscheduler.hl7_message WHERE outcome IN ('stale', 'duplicate')) AS late")
    tally.check("it was a fight", min(at_stake.values()) > 0, f"{dict(at_stake)}")
