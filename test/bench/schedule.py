#!/usr/bin/env python3
"""Measures ingest on a full schedule beside an empty one: two databases of one cluster, one with a million appointments.

Runs of the two take turns; the figure is the median of the ratios of neighbouring runs. Prints a Markdown table, writes
schedule.json and schedule.md.
"""

import argparse
import atexit
import json
import pathlib
import re
import statistics
import sys

REPO = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(REPO / "test" / "e2e"))

from support.services import Cluster, Database  # noqa: E402


def load(cluster, name, *variables_and_file):
    done = cluster.tool("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *variables_and_file, "-d", name, limit=1800)
    assert done.returncode == 0, done.stderr.decode()


def pgbench(cluster, name, script, clients, seconds):
    done = cluster.tool("pgbench", "-n", "-M", "prepared", "-c", clients, "-j", min(clients, 2), "-T", seconds, "-f", HERE / script, name)
    assert done.returncode == 0, done.stderr.decode()
    return float(re.search(r"^tps = ([\d.]+)", done.stdout.decode(), re.M).group(1))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--appointments", type=int, default=1000000)
    parser.add_argument("--out", type=pathlib.Path, default=REPO / "build" / "bench")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    cluster = Cluster("benchdb", "radbench_empty")
    atexit.register(cluster.destroy)
    databases = [Database.create(cluster, name) for name in ("radbench_empty", "radbench_full")]
    for database in databases:
        load(cluster, database.name, "-f", HERE / "setup.sql")
        # The wake-up worker serves one database only; neither is to have the better of it.
        database.execute(f"ALTER DATABASE {database.name} SET radscheduler.notify = off")
    print(f"loading {arguments.appointments} appointments; a million takes some minutes", flush=True)
    load(cluster, "radbench_full", "-v", f"appointments={arguments.appointments}", "-f", HERE / "million.sql")
    lines = ["| messages per second | empty schedule | full schedule | ratio |", "|---|---|---|---|"]
    results = {}
    for what, script, clients, messages in (("`ingest()`, 1 session", "ingest.sql", 1, 1), ("`ingest()`, 8 sessions", "ingest.sql", 8, 1),
                                            ("`ingest_batch()` of 50, 8 sessions", "batch.sql", 8, 50)):
        pairs = []
        for run in range(arguments.runs + 1):
            order = ("radbench_empty", "radbench_full") if run % 2 else ("radbench_full", "radbench_empty")
            rates = {name: messages * pgbench(cluster, name, script, clients, arguments.seconds) for name in order}
            print(f"{what}, run {run}: {rates['radbench_empty']:.0f} empty, {rates['radbench_full']:.0f} full", flush=True)
            if run:
                pairs.append((rates["radbench_empty"], rates["radbench_full"]))
        ratio = statistics.median(full / empty for empty, full in pairs)
        results[what] = {"pairs": pairs, "ratio": ratio}
        lines.append(f"| {what} | {statistics.median(e for e, _ in pairs):.0f} | {statistics.median(f for _, f in pairs):.0f} | {ratio:.2f} |")
    for database in databases:
        outcomes = database.rows("SELECT DISTINCT outcome FROM radscheduler.hl7_message")
        assert [row["outcome"] for row in outcomes] == ["applied"], f"not every message was applied cleanly: {outcomes}"
    text = f"{arguments.appointments} appointments, {arguments.runs} pairs of runs of {arguments.seconds} s\n\n" + "\n".join(lines) + "\n"
    print("\n" + text)
    (arguments.out / "schedule.md").write_text(text, encoding="utf-8")
    (arguments.out / "schedule.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    for database in databases:
        database.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
