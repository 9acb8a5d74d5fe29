#!/usr/bin/env python3
"""Measures booking in SQL on a full schedule: try_book() beside the floor, a bare row under the same exclusion constraint, and beside the rows of a
booking with nothing decided (storage); and check_conflicts().

One cluster, one database with a million appointments; runs of floor, storage and booking take turns, the figure is the median of the ratios of
neighbouring runs. Prints a Markdown table, writes booking.json and booking.md.
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

NAME = "radbench_booking"
SCRIPTS = ("floor.sql", "booking_storage.sql", "booking.sql")


def load(cluster, *variables_and_file):
    done = cluster.tool("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *variables_and_file, "-d", NAME, limit=1800)
    assert done.returncode == 0, done.stderr.decode()


def pgbench(cluster, script, clients, seconds):
    """Transactions per second and milliseconds for each, of one run."""
    done = cluster.tool("pgbench", "-n", "-M", "prepared", "-c", clients, "-j", min(clients, 2), "-T", seconds, "-f", HERE / script, NAME)
    output = done.stdout.decode()
    assert done.returncode == 0, output + done.stderr.decode()
    return float(re.search(r"^tps = ([\d.]+)", output, re.M).group(1)), float(re.search(r"^latency average = ([\d.]+)", output, re.M).group(1))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--appointments", type=int, default=1000000)
    parser.add_argument("--out", type=pathlib.Path, default=REPO / "build" / "bench")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    cluster = Cluster("benchdb", NAME)
    atexit.register(cluster.destroy)
    database = Database.create(cluster, NAME)
    load(cluster, "-f", HERE / "setup.sql", "-f", HERE / "booking_storage_setup.sql")
    database.execute(f"ALTER DATABASE {NAME} SET radscheduler.notify = off")
    if arguments.appointments:
        print(f"loading {arguments.appointments} appointments; a million takes some minutes", flush=True)
        load(cluster, "-v", f"appointments={arguments.appointments}", "-f", HERE / "million.sql")

    pairs, stored, checks = [], [], []
    for run in range(arguments.runs + 1):
        rates = {script: pgbench(cluster, script, 8, arguments.seconds)[0] for script in (SCRIPTS if run % 2 else reversed(SCRIPTS))}
        milliseconds = pgbench(cluster, "check.sql", 1, arguments.seconds)[1]
        print(f"run {run}: floor {rates['floor.sql']:.0f}, storage {rates['booking_storage.sql']:.0f}, try_book() {rates['booking.sql']:.0f} per second; check_conflicts() {milliseconds:.2f} ms", flush=True)
        if run:
            pairs.append((rates["floor.sql"], rates["booking.sql"]))
            stored.append((rates["floor.sql"], rates["booking_storage.sql"]))
            checks.append(milliseconds)
    refused = database.value("SELECT count(*) FROM radscheduler.appointment a WHERE a.source = 'SQL' AND a.status <> 'SCHEDULED'")
    conflicts = database.value("SELECT count(*) FROM radscheduler.conflict")
    booked = database.value("SELECT count(*) FROM radscheduler.appointment a WHERE a.source = 'SQL'")
    assert booked > 0 and refused == 0 and conflicts == 0, f"not every booking was a clean one: {booked} booked, {refused} flagged, {conflicts} conflicts"

    ratio = statistics.median(booking / floor for floor, booking in pairs)
    lines = [f"{arguments.appointments} appointments, {arguments.runs} pairs of runs of {arguments.seconds} s", "",
             "| what | sessions | per second | floor | ratio |", "|---|---|---|---|---|",
             f"| storage: the ten rows of one booking, nothing decided | 8 | {statistics.median(b for _, b in stored):.0f} | {statistics.median(f for f, _ in stored):.0f} | {statistics.median(b / f for f, b in stored):.2f} |",
             f"| `try_book()` of a known patient, scanner and technologist | 8 | {statistics.median(b for _, b in pairs):.0f} | {statistics.median(f for f, _ in pairs):.0f} | {ratio:.2f} |", "",
             "| what | sessions | milliseconds |", "|---|---|---|",
             f"| `check_conflicts()` with all rules, the commit included | 1 | {statistics.median(checks):.2f} |"]
    text = "\n".join(lines) + "\n"
    print("\n" + text)
    (arguments.out / "booking.md").write_text(text, encoding="utf-8")
    (arguments.out / "booking.json").write_text(json.dumps({"pairs": pairs, "stored": stored, "ratio": ratio, "check_ms": checks}, indent=2) + "\n", encoding="utf-8")
    database.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
