#!/usr/bin/env python3
"""Measures the HTTP API: a day's list of 40 appointments out of a million, a health probe, booking by POST.

Beside the list and the booking, in the same run and over as many connections, what pgbench gets for the SQL that the daemon runs (the list) and for
try_book() (the booking). Runs of different figures take turns; each figure is the median. Generator (wrk), daemon and PostgreSQL share the machine.
Prints a Markdown table, writes http.json and http.md.
"""

import argparse
import atexit
import json
import pathlib
import re
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
REPO = HERE.parents[1]
sys.path[:0] = [str(REPO / "test" / "e2e"), str(HERE)]

from booking import load, pgbench  # noqa: E402
from support.services import Cluster, Daemon, Database  # noqa: E402

NAME = "radbench_booking"
CONNECTIONS = 8
DAY = "2030-01-07"
ROWS = 40


def wrk(url, connections, seconds, script=None, *arguments):
    """Requests a second of one run; fails when an answer was none of 2xx."""
    done = subprocess.run(["wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", *(["-s", str(HERE / script)] if script else []), url, *(["--", *arguments] if arguments else [])],
                          capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0 and "Non-2xx" not in done.stdout and "Socket errors" not in done.stdout, done.stdout + done.stderr
    return float(re.search(r"^Requests/sec: +([\d.]+)", done.stdout, re.M).group(1))


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
    load(cluster, "-f", HERE / "setup.sql")
    database.execute(f"ALTER DATABASE {NAME} SET radscheduler.notify = off")
    if arguments.appointments:
        print(f"loading {arguments.appointments} appointments; a million takes some minutes", flush=True)
        load(cluster, "-v", f"appointments={arguments.appointments}", "-f", HERE / "million.sql")
    database.execute("""SELECT count(*) FROM generate_series(0, %s - 1) n, radscheduler.book('P' || (1 + n), %s::date + interval '7 hours' + n / 8 * interval '30 minutes',
        procedure => 'MRI001', duration_minutes => 30, resources => ARRAY['BENCHMR' || n, 'BENCHT' || n])""", ROWS, DAY)
    database.execute("VACUUM ANALYZE")
    daemon = Daemon(database.url, RADSCHED_RATE_LIMIT="0", RADSCHED_DB_CONNECTIONS=str(CONNECTIONS))
    assert daemon.get(f"/api/appointments?date={DAY}").json()["count"] == ROWS

    def list_by_http():
        return wrk(f"{daemon.base}/api/appointments?date={DAY}", CONNECTIONS, arguments.seconds)

    def health():
        return wrk(f"{daemon.base}/health/live", 32, arguments.seconds)

    def book_by_http(preference):
        # Numbers of its own; the other way of booking counts on from the sequence.
        first = database.value("SELECT setval('radbench.message_number', nextval('radbench.message_number') + 20000) - 20000")
        return wrk(f"{daemon.base}/api/v1/appointments", CONNECTIONS, arguments.seconds, "http_book.lua", str(first), preference)

    measures = {"list by HTTP": list_by_http, "list in SQL": lambda: pgbench(cluster, "http_list.sql", CONNECTIONS, arguments.seconds)[0], "health": health,
                "book by HTTP": lambda: book_by_http("return=minimal"), "book and show by HTTP": lambda: book_by_http("return=representation"), "book in SQL": lambda: pgbench(cluster, "booking.sql", CONNECTIONS, arguments.seconds)[0]}
    samples = {what: [] for what in measures}
    for run in range(arguments.runs + 1):
        for what in (measures if run % 2 else reversed(measures)):
            rate = measures[what]()
            if run:
                samples[what].append(rate)
            print(f"run {run}: {what}: {rate:.0f}/s", flush=True)
    daemon.stop()
    conflicts = database.value("SELECT count(*) FROM radscheduler.conflict")
    assert conflicts == 0, f"not every booking was a clean one: {conflicts} conflicts"

    rate = {what: statistics.median(values) for what, values in samples.items()}
    ratio = {what: statistics.median(a / b for a, b in zip(samples[f"{what} by HTTP"], samples[f"{beside} in SQL"])) for what, beside in (("list", "list"), ("book", "book"), ("book and show", "book"))}
    lines = [f"{arguments.appointments} appointments, {arguments.runs} runs of {arguments.seconds} s, {CONNECTIONS} connections; wrk, daemon and PostgreSQL on one machine", "",
             "| what | per second | beside, in SQL | ratio | aimed at | met |", "|---|---|---|---|---|---|",
             f"| `GET /api/appointments?date=`, {ROWS} rows | {rate['list by HTTP']:.0f} | {rate['list in SQL']:.0f} | {ratio['list']:.2f} | 0.6 | {'yes' if ratio['list'] >= 0.6 else '**no**'} |",
             f"| `POST /api/v1/appointments` with `Prefer: return=minimal`, which tells what `try_book()` beside it tells | {rate['book by HTTP']:.0f} | {rate['book in SQL']:.0f} | {ratio['book']:.2f} | 0.7 | {'yes' if ratio['book'] >= 0.7 else '**no**'} |",
             f"| the same with the whole appointment in the answer | {rate['book and show by HTTP']:.0f} | {rate['book in SQL']:.0f} | {ratio['book and show']:.2f} | | |",
             f"| `GET /health/live`, 32 connections | {rate['health']:.0f} | | | 20,000 | {'yes' if rate['health'] >= 20000 else '**no**'} |"]
    text = "\n".join(lines) + "\n"
    print("\n" + text)
    (arguments.out / "http.md").write_text(text, encoding="utf-8")
    (arguments.out / "http.json").write_text(json.dumps(samples, indent=2) + "\n", encoding="utf-8")
    database.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
