#!/usr/bin/env python3
"""Measures what waking listeners costs writers, and how soon an event is seen, for each radscheduler.notify: off, coalesced, transaction.

Cost: transactions a second of 1, 8 and 32 clients, each a bare event (the hardest case) or a message through ingest(), while one session listens.
The modes take turns; the figure is the median, the cost that of the runs' medians against off. Delay: from the writing of an event, just
before its commit, to its arrival at a follower that calls events_after() when woken and every 250 ms, at 20 events a second.
Prints Markdown tables, writes events.json and events.md.
"""

import argparse
import atexit
import json
import pathlib
import re
import select
import statistics
import sys
import threading
import time

REPO = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(REPO / "test" / "e2e"))

from support.services import Cluster, Database  # noqa: E402

DATABASE = "radbench_events"
MODES = ("off", "coalesced", "transaction")
CLIENTS = (1, 8, 32)


class Listener(threading.Thread):
    """One session that listens, as one daemon does; counts what it hears."""

    def __init__(self, database):
        super().__init__(daemon=True)
        self.connection = database.connect()
        with self.connection.cursor() as cursor:
            cursor.execute("LISTEN radscheduler_wake")
        self.heard = 0
        self.start()

    def run(self):
        while True:
            if select.select([self.connection], [], [], 5)[0]:
                self.connection.poll()
                self.heard += len(self.connection.notifies)
                self.connection.notifies.clear()


def set_mode(database, mode):
    database.execute(f"ALTER DATABASE {DATABASE} SET radscheduler.notify = '{mode}'")


def throughput(cluster, script, clients, seconds):
    done = cluster.tool("pgbench", "-n", "-M", "prepared", "-c", clients, "-j", min(clients, 2), "-T", seconds, "-f", HERE / script, DATABASE)
    assert done.returncode == 0, done.stderr.decode()
    return float(re.search(r"^tps = ([\d.]+)", done.stdout.decode(), re.M).group(1))


def delays(cluster, database, events):
    """Seconds from the writing of each event to its arrival at a follower."""
    place = database.value("SELECT cursor FROM radscheduler.event_head()")
    follower = database.connect()
    seen = []
    with follower.cursor() as cursor:
        cursor.execute("LISTEN radscheduler_wake")
        writer = threading.Thread(target=lambda: cluster.tool("pgbench", "-n", "-c", 1, "-R", 20, "-t", events, "-f", HERE / "event.sql", DATABASE))
        writer.start()
        deadline = time.monotonic() + 60
        while len(seen) < events and time.monotonic() < deadline:
            select.select([follower], [], [], 0.25)
            follower.poll()
            follower.notifies.clear()
            cursor.execute("SELECT cursor, (payload::jsonb -> 'data' ->> 'at')::float FROM radscheduler.events_after(%s, 1000)", (place,))
            now = time.time()
            for place, written in cursor.fetchall():
                seen.append(now - written)
        writer.join()
    follower.close()
    assert len(seen) == events, f"{len(seen)} of {events} events came"
    return seen


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--out", type=pathlib.Path, default=REPO / "build" / "bench")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    cluster = Cluster("benchdb", DATABASE)
    atexit.register(cluster.destroy)
    database = Database.create(cluster, DATABASE)
    loaded = cluster.tool("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", DATABASE, "-f", HERE / "setup.sql")
    assert loaded.returncode == 0, loaded.stderr.decode()
    listener = Listener(database)
    results = {"cost": [], "delay": []}
    lines = ["| transactions a second | clients | off | coalesced | cost | transaction | cost |", "|---|---|---|---|---|---|---|"]
    for what, script in (("a bare event", "event.sql"), ("a message, `ingest()`", "ingest.sql")):
        for clients in CLIENTS:
            runs = {mode: [] for mode in MODES}
            for turn in range(arguments.runs):
                for mode in MODES if turn % 2 == 0 else reversed(MODES):
                    set_mode(database, mode)
                    runs[mode].append(throughput(cluster, script, clients, arguments.seconds))
            median = {mode: statistics.median(runs[mode]) for mode in MODES}
            cost = {mode: 1 - median[mode] / median["off"] for mode in MODES}
            results["cost"].append({"what": what, "clients": clients, "runs": runs})
            lines.append(f"| {what} | {clients} | {median['off']:,.0f} | {median['coalesced']:,.0f} | {cost['coalesced']:.0%} | {median['transaction']:,.0f} | {cost['transaction']:.0%} |")
            print(lines[-1], flush=True)
    assert listener.heard > 0, "nobody was woken: what was measured?"
    lines += ["", "| delay of an event, ms | p50 | p99 |", "|---|---|---|"]
    for mode in MODES:
        set_mode(database, mode)
        seen = delays(cluster, database, 300)
        results["delay"].append({"mode": mode, "seconds": seen})
        lines.append(f"| {mode} | {1000 * percentile(seen, 0.5):.1f} | {1000 * percentile(seen, 0.99):.1f} |")
    (arguments.out / "events.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
    (arguments.out / "events.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
