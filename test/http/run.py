#!/usr/bin/env python3
"""Ten minutes of what consoles ask, by wrk over 16 connections; then nothing has grown, nothing was an error, and what was booked is there once.

environment: HTTP_SECONDS (600). Prints `ok …` and `FAILED …` lines, ends with `N passed, N failed`.
"""

import os
import pathlib
import re
import subprocess
import sys
import threading
import time

REPO = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO / "test" / "e2e"), str(REPO / "test" / "soak")]

from support.services import Cluster, Daemon, Database  # noqa: E402
from watch import MemoryWatch  # noqa: E402

SECONDS = int(os.environ.get("HTTP_SECONDS", "600"))
MOST_GROWTH = 8 * 1024  # kB, after the warm-up


def main():
    cluster = Cluster("http", "http_load")
    checks = []
    try:
        database = Database.create(cluster, "http_load")
        database.execute("UPDATE radscheduler.site SET timezone = 'UTC'")
        database.execute("SELECT radscheduler.add_resource('HMR' || n, 'Magnet ' || n, 'equipment', 'MR') FROM generate_series(1, 2) n")
        first = database.value("SELECT (radscheduler.book('MIX0', '2031-12-30 10:00Z', 'MR', resources => ARRAY['HMR1'], patient_name => 'Maxine Mixton')).appointment_id")
        daemon = Daemon(database.url, RADSCHED_RATE_LIMIT="0", RADSCHED_LOG_LEVEL="warn")
        stop = threading.Event()
        memory = MemoryWatch(database, daemon, stop)
        memory.start()
        load = subprocess.Popen(["wrk", "-t", "1", "-c", "16", "-d", f"{SECONDS}s", "--timeout", "20s", "--latency", "-s", str(REPO / "test" / "http" / "mix.lua"), daemon.base, "--", str(first)],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        began = time.monotonic()
        while load.poll() is None:
            time.sleep(min(15, SECONDS / 4))
            print(f"{time.monotonic() - began:5.0f} s: daemon {memory.now()[0] / 1024:.1f} MB, largest backend {memory.now()[1] / 1024:.1f} MB", flush=True)
        report = load.stdout.read()
        print(report, flush=True)
        stop.set()
        memory.join()
        (daemon_was, daemon_is), (backend_was, backend_is) = memory.growth()
        rate = float(re.search(r"Requests/sec: +([\d.]+)", report).group(1))
        errors = int(re.search(r"radsched_http_errors_total (\d+)", daemon.get("/metrics").text).group(1))
        booked, kept = (database.value(query) for query in (
            "SELECT count(*) FROM radscheduler.appointment a JOIN radscheduler.patient p USING (site_id, patient_id) WHERE p.mrn LIKE 'MIX%' AND p.mrn <> 'MIX0'",
            "SELECT count(*) FROM radscheduler.idempotency_key"))
        overlaps = database.value("SELECT count(*) FROM radscheduler.conflict WHERE state = 'open' AND severity = 'critical'")
        checks = [
            (f"{rate:.0f} requests a second for {SECONDS} s", rate > 1),
            ("no socket error", "Socket errors" not in report),
            (f"no answer with status 500 or above ({errors})", errors == 0),
            (f"the daemon's memory is flat ({daemon_was / 1024:.1f} to {daemon_is / 1024:.1f} MB)", daemon_is - daemon_was < MOST_GROWTH),
            (f"so is that of its sessions ({backend_was / 1024:.1f} to {backend_is / 1024:.1f} MB)", backend_is - backend_was < MOST_GROWTH),
            (f"one kept answer for each booking ({kept}, {booked})", booked == kept and booked > 0),
            (f"nothing is booked twice ({overlaps})", overlaps == 0),
            ("the daemon still answers", daemon.get(f"/api/v1/appointments/{first}").status_code == 200),
        ]
        daemon.stop()
        database.close()
    finally:
        cluster.destroy()
    for what, good in checks:
        print(("ok " if good else "FAILED ") + what)
    failed = sum(not good for _, good in checks) + (not checks)
    print(f"{len(checks) - sum(not good for _, good in checks)} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
