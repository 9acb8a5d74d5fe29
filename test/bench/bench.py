#!/usr/bin/env python3
"""Measures ingest in SQL and over MLLP beside the floor: a bare row under the same exclusion constraint, in the same run.

Every figure is the median of several short runs; the runs of different figures take turns, so that a slow minute of the
machine touches all of them alike. Prints a Markdown table, writes results.json and results.md.
"""

import argparse
import atexit
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys

REPO = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(REPO / "test" / "e2e"))

from support.services import SEND, Cluster, Daemon, Database  # noqa: E402

DATABASE = "radscheduler_bench"


class Bench:
    def __init__(self, seconds):
        self.seconds = seconds
        self.cluster = Cluster("benchdb", DATABASE)
        atexit.register(self.cluster.destroy)
        self.database = Database.create(self.cluster, DATABASE)
        loaded = self.cluster.tool("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", DATABASE, "-f", HERE / "setup.sql", "-f", HERE / "storage_setup.sql")
        assert loaded.returncode == 0, loaded.stderr.decode()
        self.daemon = Daemon(self.database.url)

    def pgbench(self, script, clients):
        done = self.cluster.tool(
            "pgbench", "-n", "-M", "prepared", "-c", clients, "-j", min(clients, 2), "-T", self.seconds,
            "-f", HERE / script, DATABASE)
        output = done.stdout.decode()
        assert done.returncode == 0, output + done.stderr.decode()
        return float(re.search(r"^tps = ([\d.]+)", output, re.M).group(1))

    def load(self, connections, messages):
        done = subprocess.run(
            [str(SEND), "--json", "--host", "127.0.0.1", "--port", str(self.daemon.mllp_port), "load",
             "--connections", str(connections), "--messages", str(messages)],
            capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)["per_second"]

    def mllp(self, connections):
        """About as long as the other runs: a short one first tells how many messages that takes."""
        return self.load(connections, int(self.seconds * self.load(connections, 200 * connections)) + 1)

    def all_applied(self):
        """Every message of the run was applied cleanly; a fast refusal would be a meaningless figure."""
        rows = self.database.rows("SELECT outcome, count(*) AS n FROM radscheduler.hl7_message GROUP BY outcome")
        return {row["outcome"]: row["n"] for row in rows}

    def close(self):
        self.daemon.stop()
        self.database.close()


def parse_figures():
    """What core_bench prints: the reading of the sample, beside a plain scan of its bytes."""
    programs = sorted((REPO / "build" / "cmake").rglob("core_bench"))
    if not programs:
        return None
    done = subprocess.run([str(programs[0])], capture_output=True, text=True, timeout=300, check=True)
    return done.stdout.strip()


def table(results):
    lines = ["| what | clients | per second | floor | ratio |", "|---|---|---|---|---|"]
    for result in results:
        floor = f"{result['floor']:.0f}" if result["floor"] else ""
        ratio = f"{result['per_second'] / result['floor']:.2f}" if result["floor"] else ""
        lines.append(f"| {result['what']} | {result['clients']} | {result['per_second']:.0f} | {floor} | {ratio} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--out", type=pathlib.Path, default=REPO / "build" / "bench")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)

    core = parse_figures()
    bench = Bench(arguments.seconds)
    measures = {
        ("floor: one row under the exclusion constraint", 1): lambda: bench.pgbench("floor.sql", 1),
        ("floor: one row under the exclusion constraint", 8): lambda: bench.pgbench("floor.sql", 8),
        ("storage: the sixteen rows of one message, nothing decided", 1): lambda: bench.pgbench("storage.sql", 1),
        ("storage: the sixteen rows of one message, nothing decided", 8): lambda: bench.pgbench("storage.sql", 8),
        ("ingest() in SQL", 1): lambda: bench.pgbench("ingest.sql", 1),
        ("ingest() in SQL", 8): lambda: bench.pgbench("ingest.sql", 8),
        ("ingest_batch() of 50 in SQL", 1): lambda: 50 * bench.pgbench("batch.sql", 1),
        ("ingest_batch() of 50 in SQL", 8): lambda: 50 * bench.pgbench("batch.sql", 8),
        ("MLLP", 1): lambda: bench.mllp(1),
        ("MLLP", 8): lambda: bench.mllp(8),
        ("MLLP", 32): lambda: bench.mllp(32),
    }
    samples = {key: [] for key in measures}
    try:
        for run in range(arguments.runs):
            for key, measure in measures.items():
                samples[key].append(measure())
                print(f"run {run + 1}: {key[0]}, {key[1]} client(s): {samples[key][-1]:.0f}/s", flush=True)
        outcomes = bench.all_applied()
    finally:
        bench.close()
    assert set(outcomes) <= {"applied"}, f"not every message was applied cleanly: {outcomes}"

    floor = {clients: statistics.median(samples[key]) for key in samples if key[0].startswith("floor") for clients in [key[1]]}
    results = [
        {
            "what": what, "clients": clients, "per_second": statistics.median(values), "samples": values,
            # Thirty-two connections are compared with the busiest floor there is.
            "floor": None if what.startswith("floor") else floor[1 if clients == 1 else 8],
        }
        for (what, clients), values in samples.items()
    ]
    machine = f"{platform.system()} {platform.release()}, {os.cpu_count()} CPUs"
    heading = f"{arguments.runs} runs of {arguments.seconds} s each, medians; {machine}; fsync and synchronous_commit on"
    text = f"{heading}\n\n{table(results)}\n"
    if core:
        text += f"\nReading the sample without a database (core_bench):\n\n```\n{core}\n```\n"
    print("\n" + text)
    (arguments.out / "results.md").write_text(text, encoding="utf-8")
    (arguments.out / "results.json").write_text(
        json.dumps({"heading": heading, "results": results, "core_bench": core}, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
