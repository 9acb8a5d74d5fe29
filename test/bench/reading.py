#!/usr/bin/env python3
"""Measures reading eight fields of stored messages in SQL: hl7_fields() beside a scan of the same bytes and beside the ways without it.

Every reader must first give the same eight values. Each figure is the median of several runs that take turns; slow readers
run over a part of the rows, and their time is scaled to all. Prints a Markdown table, writes reading.json and reading.md.
"""

import argparse
import atexit
import json
import pathlib
import statistics
import sys
import time

REPO = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(REPO / "test" / "e2e"))

from support.services import Cluster, Database  # noqa: E402

DATABASE = "radscheduler_reading"
PATHS = "'MSH-9.2', 'MSH-10', 'SCH-2', 'SCH-11.4', 'PID-3.1', 'PID-5.1', 'PID-13', 'AIS-3.2'"

# name, expression over a row, share of the rows it runs over
READERS = [
    ("scan: `sum(length(raw_text))`", "sum(length(raw_text))", 1),
    ("`hl7_fields`, 8 fields", f"count(radscheduler.hl7_fields(message, {PATHS}))", 1),
    ("`hl7_get`, one header field", "count(radscheduler.hl7_get(message, 'MSH-10'))", 1),
    ("`hl7_get`, 8 calls", "count(ARRAY[" + ", ".join(f"radscheduler.hl7_get(message, {path})" for path in PATHS.split(", ")) + "])", 1),
    ("`message::jsonb`", "count(message::jsonb)", 0.1),
    ("plpython3u, `str.split`", "count(by_python_split(raw_text))", 0.2),
    ("PL/pgSQL, `string_to_array`", "count(by_string_to_array(raw_text))", 0.2),
    ("SQL, regular expressions", "count(by_regexp(raw_text))", 0.05),
    ("plpython3u, python3-hl7", "count(by_python_hl7(raw_text))", 0.02),
]
SAME = ["by_python_split(raw_text)", "by_string_to_array(raw_text)", "by_regexp(raw_text)", "by_python_hl7(raw_text)"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--out", type=pathlib.Path, default=REPO / "build" / "bench")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)

    cluster = Cluster("readingdb", DATABASE)
    atexit.register(cluster.destroy)
    database = Database.create(cluster, DATABASE)
    loaded = cluster.tool("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-v", f"messages={arguments.messages}", "-d", DATABASE, "-f", HERE / "reading.sql")
    assert loaded.returncode == 0, loaded.stderr.decode()
    database.rows("SELECT set_config('max_parallel_workers_per_gather', '0', false), set_config('jit', 'off', false)")

    text = ""
    results = {}
    for table in ("short_message", "long_message"):
        size = database.rows(f"SELECT avg(octet_length(raw_text))::integer AS n FROM {table}")[0]["n"]
        for expression in SAME:
            differing = database.rows(
                f"SELECT count(*) AS n FROM {table} WHERE id % 500 = 0 AND {expression} IS DISTINCT FROM radscheduler.hl7_fields(message, {PATHS})")[0]["n"]
            assert differing == 0, f"{expression} reads other values than hl7_fields() in {differing} messages of {table}"
        samples = {name: [] for name, _, _ in READERS}
        for run in range(arguments.runs):
            for name, expression, share in READERS:
                limit = int(arguments.messages * share)
                start = time.perf_counter()
                database.rows(f"SELECT {expression} FROM {table} WHERE id <= {limit}")
                samples[name].append((time.perf_counter() - start) / share)
            print(f"{table}: run {run + 1} of {arguments.runs}", file=sys.stderr, flush=True)
        median = {name: statistics.median(values) for name, values in samples.items()}
        scan = median[READERS[0][0]]
        fields = median[READERS[1][0]]
        text += f"\n{arguments.messages:,} messages of {size} bytes, medians of {arguments.runs} runs, one session, no parallel workers:\n\n"
        text += "| reader | ms | times the scan | times `hl7_fields` |\n|---|---|---|---|\n"
        for name, value in median.items():
            text += f"| {name} | {value * 1000:,.0f} | {value / scan:.2f} | {value / fields:.2f} |\n"
        results[table] = {"bytes": size, "seconds": median, "samples": samples}
    print(text)
    (arguments.out / "reading.md").write_text(text, encoding="utf-8")
    (arguments.out / "reading.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
