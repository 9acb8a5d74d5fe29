#!/usr/bin/env python3
"""Measures the search for free times among a million appointments on 60 resources (slots.sql), beside a floor.

The floor of a search is one statement that reads the bookings of the same 15 scanners in the same time and unites them per scanner. Each run takes
a search and its floor in turn, at another week each time; figures are medians, in milliseconds at the client. Prints a Markdown table, writes
slots.json and slots.md. With --database NAME it measures one that slots.sql has filled, on the cluster the environment names.
"""

import argparse
import atexit
import contextlib
import json
import pathlib
import statistics
import sys
import time

import psycopg2

REPO = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(REPO / "test" / "e2e"))

from support.services import Cluster  # noqa: E402

FLOOR = ("SELECT s.resource_id, u.taken FROM radscheduler.resource s CROSS JOIN LATERAL (SELECT range_agg(o.buffered) AS taken FROM radscheduler.occupancy o"
         " WHERE o.site_id = s.site_id AND o.axis = 'resource' AND o.subject_id = s.resource_id AND o.buffered && tstzrange(%(from)s, %(until)s)) u WHERE s.modality = 'MR'")
FIND = "SELECT * FROM radscheduler.find_slots('MR', duration_minutes => {minutes}, earliest => %(from)s, latest => %(until)s"
NEXT = "SELECT * FROM radscheduler.third_next_available('MR', earliest => %(from)s"
WISHES = "constraints => '{\"technologist\": true, \"prefer\": [\"MR3\", \"TECH3\"], \"order\": \"best\"}'"
CASES = [
    ("a day, every free time", 1, FIND.format(minutes=30) + ", max_slots => 10000)"),
    ("a day, the first ten", 1, FIND.format(minutes=30) + ")"),
    ("31 days, every free time", 31, FIND.format(minutes=30) + ", max_slots => 10000)"),
    ("31 days, an exam that fits nowhere", 31, FIND.format(minutes=120) + ")"),
    ("31 days, the ten best with a technologist, scanner and person wished for", 31, FIND.format(minutes=30) + f", {WISHES})"),
    ("31 days, the first ten", 31, FIND.format(minutes=30) + ")"),
    ("31 days, the first ten, a patient with bookings", 31, FIND.format(minutes=30) + ", patient_id => 'SLOT1000')"),
    ("the third next available", 31, NEXT + ", duration_minutes => 30)"),
    ("`alternatives()` of a booking", 14, "SELECT radscheduler.alternatives(o.site_id, o.appointment_id) FROM (SELECT o.site_id, o.appointment_id FROM radscheduler.occupancy o"
     " JOIN radscheduler.resource r ON r.site_id = o.site_id AND r.resource_id = o.subject_id AND r.code = 'MR4'"
     " WHERE o.axis = 'resource' AND o.buffered && tstzrange(%(from)s, %(until)s) LIMIT 1) o"),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=25)
    parser.add_argument("--appointments", type=int, default=1000000)
    parser.add_argument("--database")
    parser.add_argument("--out", type=pathlib.Path, default=REPO / "build" / "bench")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.database:
        connection = psycopg2.connect(dbname=arguments.database)
    else:
        cluster = Cluster("benchslots", "radbench_slots")
        atexit.register(cluster.destroy)
        cluster.admin("CREATE DATABASE radbench_slots")
        print(f"loading {arguments.appointments} appointments; a million takes some minutes", flush=True)
        done = cluster.tool("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-v", f"appointments={arguments.appointments}", "-d", "radbench_slots", "-f", HERE / "slots.sql", limit=3600)
        assert done.returncode == 0, done.stderr.decode()
        connection = cluster.connect("radbench_slots")
    connection.autocommit = True
    times = {what: [] for what, _, _ in CASES}
    floors = {what: [] for what, _, _ in CASES}
    found = {}
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute("SET radscheduler.site = 'MAIN'")
        cursor.execute("SET timezone = 'America/New_York'")
        for run in range(arguments.runs + 2):
            for what, days, query in CASES:
                # 6 January 2031 and the same day of later months: with 31 days they lie within what slots.sql has booked.
                window = {"from": f"2031-{1 + run % 8:02}-06 00:00", "until": f"2031-{1 + run % 8:02}-06 00:00"}
                cursor.execute("SELECT %(until)s::timestamptz + %(days)s * interval '1 day'", dict(window, days=days))
                window["until"] = cursor.fetchone()[0]
                for statement, into in ((query, times), (FLOOR, floors)):
                    started = time.perf_counter()
                    cursor.execute(statement, window)
                    rows = cursor.fetchall()
                    elapsed = 1000 * (time.perf_counter() - started)
                    if run >= 2:
                        into[what].append(elapsed)
                    if statement is query:
                        found[what] = max(found.get(what, 0), len(rows))
    assert found["a day, every free time"] > 10 and found["31 days, every free time"] > 300 and found["31 days, an exam that fits nowhere"] == 0, found
    lines = ["| search for MR, 15 scanners | median, ms | fastest, ms | floor, ms | ratio of medians |", "|---|---|---|---|---|"]
    for what, _, _ in CASES:
        median, floor = statistics.median(times[what]), statistics.median(floors[what])
        lines.append(f"| {what} | {median:.1f} | {min(times[what]):.1f} | {floor:.1f} | {median / floor:.1f} |")
    text = f"{arguments.appointments} appointments, {arguments.runs} runs\n\n" + "\n".join(lines) + "\n"
    print(text)
    (arguments.out / "slots.md").write_text(text, encoding="utf-8")
    (arguments.out / "slots.json").write_text(json.dumps({"times": times, "floors": floors, "found": found}, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
