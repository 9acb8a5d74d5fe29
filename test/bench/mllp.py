#!/usr/bin/env python3
"""Measures the daemon: latency at a steady rate, what it takes when saturated, one connection in lock-step, and what idle connections cost.

Beside it, in the same run, what its aims are measured by: ingest() over 8 sessions, ingest_batch(), and psql calling ingest() in lock-step with the same
kind of message. The steady rate comes first, the runs of the other figures take turns; each figure is the median of its runs. Generator, daemon and PostgreSQL share the machine.
Prints Markdown tables, writes mllp.json and mllp.md.
"""

import argparse
import contextlib
import json
import os
import pathlib
import platform
import socket
import statistics
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
REPO = HERE.parents[1]
sys.path[:0] = [str(REPO / "test" / "e2e"), str(HERE)]

from bench import DATABASE, Bench  # noqa: E402
from support.load import load  # noqa: E402
from support.processes import anonymous_kilobytes, cpu_seconds  # noqa: E402
from support.services import Daemon  # noqa: E402

OFFERED = 500  # messages a second
CONNECTIONS = 32
IDLE = 1000
WARM_UP = 80  # each run of the load tool has scanners of its own, which its first messages make known


class MllpBench(Bench):
    """The benchmark's database and daemon, and the ways to send to it."""

    def saturated(self, connections):
        """About as long as the other runs; gives the load tool's result and the daemon's processor time for a message in µs."""
        before = cpu_seconds(self.daemon.process.pid)
        result = load(self.daemon.mllp_port, "--connections", connections, "--seconds", self.seconds, "--warm-up", WARM_UP, timeout=60)
        assert result["acked"] == result["sent"], result
        return result | {"cpu_us": (cpu_seconds(self.daemon.process.pid) - before) * 1e6 / result["sent"]}

    def offered(self, rate, connections):
        result = load(self.daemon.mllp_port, "--connections", connections, "--rate", rate, "--seconds", self.seconds, "--warm-up", WARM_UP, timeout=60)
        assert result["acked"] == result["sent"], result
        return result

    def psql(self, messages):
        """psql with one statement for each message, the next when the last is answered; messages a second."""
        first = self.database.value("SELECT setval('radbench.message_number', nextval('radbench.message_number') + %s)", messages) - messages
        with tempfile.NamedTemporaryFile("w", suffix=".sql", encoding="ascii") as script:
            for row in self.database.rows("SELECT encode(radbench.message(n), 'hex') AS bytes FROM generate_series(%s::bigint, %s::bigint) n", first, first + messages - 1):
                script.write(f"SELECT code FROM radscheduler.ingest('\\x{row['bytes']}');\n")
            script.flush()
            os.chmod(script.name, 0o644)
            began = time.monotonic()
            done = self.cluster.tool("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-d", DATABASE, "-f", script.name)
            seconds = time.monotonic() - began
        assert done.returncode == 0, done.stderr.decode()
        return messages / seconds

    def idle_cost(self):
        """Kilobytes of a fresh daemon for each thousand connections that say nothing."""
        daemon = Daemon(self.database.url, RADSCHED_MLLP_MAX_CONNECTIONS=str(IDLE + 10), RADSCHED_MLLP_MAX_PER_PEER=str(IDLE + 10))
        try:
            load(daemon.mllp_port, "--connections", 8, "--messages", 80, timeout=60)
            before = anonymous_kilobytes(daemon.process.pid)
            with contextlib.ExitStack() as stack:
                for _ in range(IDLE):
                    stack.enter_context(socket.create_connection(("127.0.0.1", daemon.mllp_port)))
                load(daemon.mllp_port, "--messages", 20, timeout=60)
                return anonymous_kilobytes(daemon.process.pid) - before
        finally:
            daemon.stop()


def latency_row(what, results):
    def middle(key):
        return statistics.median(result[key] for result in results)

    return f"| {what} | {middle('per_second'):.0f} | {middle('p50_ms'):.1f} | {middle('p95_ms'):.1f} | {middle('p99_ms'):.1f} | {max(result['max_ms'] for result in results):.0f} |"


def tables(samples, idle):
    rate = {key: statistics.median(values) for key, values in samples.items() if not isinstance(values[0], dict)}
    many = statistics.median(result["per_second"] for result in samples["saturated"])
    one = statistics.median(result["per_second"] for result in samples["lock-step"])
    p99 = statistics.median(result["p99_ms"] for result in samples["offered"])
    lines = ["| aim | measured | beside | aimed at | met |", "|---|---|---|---|---|"]
    for what, measured, beside, aim, met in (
        (f"p99 at {OFFERED} messages a second offered, {CONNECTIONS} connections", f"{p99:.1f} ms", "", "under 20 ms", p99 < 20),
        (f"saturated, {CONNECTIONS} connections, beside `ingest()` over 8 sessions", f"{many:.0f}/s", f"{rate['ingest 8']:.0f}/s",
         f"0.8 times; it is {many / rate['ingest 8']:.2f}", many >= 0.8 * rate["ingest 8"]),
        ("one connection in lock-step, beside psql calling `ingest()`", f"{one:.0f}/s", f"{rate['psql']:.0f}/s", f"0.7 times; it is {one / rate['psql']:.2f}", one >= 0.7 * rate["psql"]),
        (f"{IDLE:,} idle connections", f"{idle / 1024:.1f} MB", "", "under 60 MB", idle < 60 * 1024),
    ):
        lines.append(f"| {what} | {measured} | {beside} | {aim} | {'yes' if met else '**no**'} |")
    lines += ["", "| MLLP | messages a second | p50 ms | p95 ms | p99 ms | max ms |", "|---|---|---|---|---|---|"]
    lines.append(latency_row(f"{OFFERED} a second offered over {CONNECTIONS} connections", samples["offered"]))
    lines.append(latency_row(f"saturated over {CONNECTIONS} connections", samples["saturated"]))
    lines.append(latency_row("one connection in lock-step", samples["lock-step"]))
    lines += ["", "| in SQL, the same run | clients | messages a second |", "|---|---|---|"]
    lines += [f"| {what} | {clients} | {rate[key]:.0f} |" for what, clients, key in (
        ("floor: one row under the exclusion constraint", 8, "floor 8"), ("`ingest()`", 8, "ingest 8"), ("`ingest()`", 1, "ingest 1"), ("psql, `ingest()` in lock-step", 1, "psql"),
        ("`ingest_batch()` of 50", 1, "batch 1"), ("`ingest_batch()` of 50", 8, "batch 8"))]
    lines += ["", f"Processor time of the daemon for a message: {statistics.median(result['cpu_us'] for result in samples['saturated']):.0f} µs when saturated, "
              f"{statistics.median(result['cpu_us'] for result in samples['lock-step']):.0f} µs in lock-step."]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--out", type=pathlib.Path, default=REPO / "build" / "bench")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    bench = MllpBench(arguments.seconds)
    measures = {
        "floor 8": lambda: bench.pgbench("floor.sql", 8),
        "ingest 8": lambda: bench.pgbench("ingest.sql", 8),
        "saturated": lambda: bench.saturated(CONNECTIONS),
        "batch 8": lambda: 50 * bench.pgbench("batch.sql", 8),
        "batch 1": lambda: 50 * bench.pgbench("batch.sql", 1),
        "ingest 1": lambda: bench.pgbench("ingest.sql", 1),
        "psql": lambda: bench.psql(int(arguments.seconds * (samples["ingest 1"] or [100])[-1]) + 1),
        "lock-step": lambda: bench.saturated(1),
    }
    samples = {key: [] for key in [*measures, "offered"]}
    try:
        # On its own and first: what vacuum and checkpoint do after the others have written as much as they could is not what a steady rate meets.
        for run in range(arguments.runs + 1):
            result = bench.offered(OFFERED, CONNECTIONS)
            print(f"offered: {result['per_second']:.0f}/s, p99 {result['p99_ms']:.1f} ms", flush=True)
            if run:  # the first one plans the statements of every session
                samples["offered"].append(result)
        for run in range(arguments.runs):
            for key, measure in measures.items():
                samples[key].append(measure())
                last = samples[key][-1]
                told = f"{last['per_second']:.0f}/s, p99 {last['p99_ms']:.1f} ms" if isinstance(last, dict) else f"{last:.0f}/s"
                print(f"run {run + 1}: {key}: {told}", flush=True)
        idle = bench.idle_cost()
        outcomes = bench.all_applied()
    finally:
        bench.close()
    assert set(outcomes) <= {"applied"}, f"not every message was applied cleanly: {outcomes}"
    heading = (f"{arguments.runs} runs of {arguments.seconds} s each, medians; {platform.system()} {platform.release()}, {os.cpu_count()} CPUs; "
               "fsync and synchronous_commit on; generator, daemon and PostgreSQL on one machine")
    text = f"{heading}\n\n{tables(samples, idle)}\n"
    print("\n" + text)
    (arguments.out / "mllp.md").write_text(text, encoding="utf-8")
    (arguments.out / "mllp.json").write_text(json.dumps({"heading": heading, "samples": samples, "idle_kilobytes": idle}, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
