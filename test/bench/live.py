#!/usr/bin/env python3
"""Live events to many followers: how late they come, and what the daemon takes for it.

    test/bench/live.py [SECONDS]        1,000 followers at 20 events a second, 100 at 200, with both ways of waking

Each event is a transaction of its own, as a booking would be; followers are the C++ program live_clients on the same machine.
"""

import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import threading
import time

REPO = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "test" / "e2e"))

from support.services import BIN, Cluster, Daemon, Database  # noqa: E402

CLIENTS = BIN.parent / "test" / "bench" / "live_clients"
WRITE = ("INSERT INTO radscheduler.event_log (site_id, type, data) SELECT s.site_id, 'order.received', jsonb_build_object('status', 'SC', 'modality', 'MR',"
         " 'sent', floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint) FROM radscheduler.site s ORDER BY 1 LIMIT 1")


def usage(pid):
    """CPU seconds and resident bytes of a process."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    rss = re.search(r"^VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8"), re.M)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), int(rss.group(1)) << 10


def write(database, rate, until):
    with contextlib.closing(database.connect()) as connection, connection.cursor() as cursor:
        began, written = time.monotonic(), 0
        while time.monotonic() < until:
            cursor.execute(WRITE)
            written += 1
            time.sleep(max(0, began + written / rate - time.monotonic()))
    return written


def run(database, key, followers, rate, seconds):
    daemon = Daemon(database.url, RADSCHED_LIVE_MAX_CONNECTIONS="2000", RADSCHED_HTTP_MAX_CONNECTIONS="2000", RADSCHED_RATE_LIMIT="0", RADSCHED_LOG_LEVEL="warn")
    try:
        _, empty = usage(daemon.process.pid)
        clients = subprocess.Popen([str(CLIENTS), str(daemon.http_port), key, str(followers), str(seconds + 3)], stdout=subprocess.PIPE, text=True)
        assert clients.stdout.readline() == "ready\n"
        cpu, full = usage(daemon.process.pid)
        began = time.monotonic()
        written = []
        writer = threading.Thread(target=lambda: written.append(write(database, rate, began + seconds)))
        writer.start()
        writer.join()
        spent = usage(daemon.process.pid)[0] - cpu
        peak = usage(daemon.process.pid)[1]
        found = json.loads(clients.stdout.readline())
        clients.wait()
    finally:
        daemon.stop()
    assert found["lost"] == 0 and found["events"] == written[0] * followers, (found, written)
    return {**found, "rate": rate, "cpu_percent": round(100 * spent / seconds), "kb_per_follower": round((full - empty) / followers / 1024, 1), "rss_mb": round(peak / (1 << 20))}


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    cluster = Cluster("bench-live", "live")
    try:
        database = Database.create(cluster, "live")
        key = database.value("SELECT radscheduler.create_api_key('live', '{events:read}')")
        for followers, rate in ((1000, 20), (100, 200)):
            print(json.dumps(run(database, key, followers, rate, seconds)), flush=True)
        database.close()
    finally:
        cluster.destroy()


if __name__ == "__main__":
    main()
