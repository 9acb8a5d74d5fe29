#!/usr/bin/env python3
"""Measures what auditing costs ingest: the same messages into two databases of one cluster, one of which forgets to audit.

The baseline is the same code with radscheduler.audit() returning at once. Runs of the two take turns; the figure is the median of
the ratios of neighbouring runs. Also the work alone, without commits: many messages in one transaction that is rolled back.
Prints a Markdown table, writes audit.json and audit.md.
"""

import argparse
import atexit
import json
import pathlib
import re
import statistics
import sys
import time

REPO = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(REPO / "test" / "e2e"))

from support.services import Cluster, Database  # noqa: E402

NO_AUDIT = """
CREATE OR REPLACE FUNCTION radscheduler.audit(p_site integer, p_action text, p_object text, p_object_id bigint, p_detail jsonb DEFAULT '{}') RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS 'BEGIN END';
CREATE OR REPLACE FUNCTION radscheduler.audit_many(p_sites integer[], p_actions text[], p_objects text[], p_object_ids bigint[], p_details jsonb[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS 'BEGIN END';
CREATE OR REPLACE FUNCTION radscheduler.audit_all(p_site integer, p_actions text[], p_object text, p_object_ids bigint[], p_details jsonb[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS 'BEGIN END';
"""
WORK = "DO $$ BEGIN FOR i IN 1..500 LOOP PERFORM radscheduler.ingest(radbench.message(nextval('radbench.message_number'))); END LOOP; END $$"


def prepare(cluster, name, audits):
    database = Database.create(cluster, name)
    loaded = cluster.tool("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", name, "-f", HERE / "setup.sql")
    assert loaded.returncode == 0, loaded.stderr.decode()
    # The wake-up worker serves one database only; neither is to have the better of it.
    database.execute(f"ALTER DATABASE {name} SET radscheduler.notify = off")
    if not audits:
        database.execute(NO_AUDIT)
    return database


def pgbench(cluster, name, clients, seconds):
    done = cluster.tool("pgbench", "-n", "-M", "prepared", "-c", clients, "-j", min(clients, 2), "-T", seconds, "-f", HERE / "ingest.sql", name)
    assert done.returncode == 0, done.stderr.decode()
    return float(re.search(r"^tps = ([\d.]+)", done.stdout.decode(), re.M).group(1))


def work(database):
    """Messages per second of one backend between BEGIN and ROLLBACK."""
    database.execute("BEGIN")
    began = time.perf_counter()
    database.execute(WORK)
    seconds = time.perf_counter() - began
    database.execute("ROLLBACK")
    return 500 / seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--out", type=pathlib.Path, default=REPO / "build" / "bench")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    cluster = Cluster("benchdb", "radbench_audited")
    atexit.register(cluster.destroy)
    audited = prepare(cluster, "radbench_audited", audits=True)
    silent = prepare(cluster, "radbench_silent", audits=False)
    measures = {
        "work alone, no commit": work,
        "1 session": lambda database: pgbench(cluster, database.name, 1, arguments.seconds),
        "8 sessions": lambda database: pgbench(cluster, database.name, 8, arguments.seconds),
    }
    lines = ["| ingest of messages per second | audited | without | cost |", "|---|---|---|---|"]
    results = {}
    for what, measure in measures.items():
        pairs = []
        for run in range(arguments.runs + 1):
            # Which goes first changes, so that neither always meets the warmer machine; the first pair only warms up.
            pair = [measure(database) for database in ((audited, silent) if run % 2 else (silent, audited))]
            with_audit, without = pair if run % 2 else reversed(pair)
            print(f"{what}, run {run}: {with_audit:.0f} audited, {without:.0f} without", flush=True)
            if run:
                pairs.append((with_audit, without))
        cost = 1 - statistics.median(a / b for a, b in pairs)
        results[what] = {"pairs": pairs, "cost": cost}
        lines.append(f"| {what} | {statistics.median(a for a, _ in pairs):.0f} | {statistics.median(b for _, b in pairs):.0f} | {cost:.1%} |")
    events = audited.value("SELECT count(*) FROM radscheduler.audit_event WHERE action = 'message.received'")
    messages = audited.value("SELECT count(*) FROM radscheduler.hl7_message")
    assert events == messages and silent.value("SELECT count(*) FROM radscheduler.audit_event WHERE action = 'message.received'") == 0
    began = time.perf_counter()
    sealed = audited.value("SELECT radscheduler.audit_seal_pending()")
    seal_seconds = time.perf_counter() - began
    began = time.perf_counter()
    assert audited.rows("SELECT * FROM radscheduler.audit_verify()") == []
    verify_seconds = time.perf_counter() - began
    text = "\n".join(lines) + f"\n\nSealing {sealed} events took {seal_seconds:.1f} s, verifying them {verify_seconds:.1f} s.\n"
    print("\n" + text)
    (arguments.out / "audit.md").write_text(text, encoding="utf-8")
    (arguments.out / "audit.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    for database in (audited, silent):
        database.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
