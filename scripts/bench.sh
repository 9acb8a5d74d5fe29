#!/usr/bin/env bash
# Measures what docs/performance.md reports, beside a floor measured in the same run.
# Results: build/bench/reading.{json,md} (stored messages read in SQL), build/bench/results.{json,md} (ingest, MLLP, the core alone),
# build/bench/schedule.{json,md} (ingest on an empty schedule and on one of a million appointments), build/bench/audit.{json,md} (ingest with and
# without audit), build/bench/mllp.{json,md} (the daemon: latency, throughput, lock-step, idle connections),
# build/bench/booking.{json,md} (try_book() and check_conflicts() on a million appointments),
# build/bench/events.{json,md} (what waking listeners costs, and how soon they see an event), build/bench/http.{json,md} (the HTTP API), build/bench/slots.{json,md} (free times among a million appointments).
# environment: BENCH_SECONDS (5) per run, BENCH_RUNS (3) per figure; the median is reported.
# usage: scripts/bench.sh [reading|ingest|schedule|slots|audit|mllp|booking|http|events]...   (default: all)
#
# Invariants: a private cluster with fsync and synchronous_commit on, removed afterwards. Run it on an idle machine.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

[ $# -gt 0 ] || set -- reading ingest schedule slots audit mllp booking http events
mkdir -p "$BUILD/bench"
for part in "$@"; do
    case $part in
    reading) /usr/bin/python3 "$REPO/test/bench/reading.py" --runs "${BENCH_RUNS:-3}" --out "$BUILD/bench" ;;
    ingest) /usr/bin/python3 "$REPO/test/bench/bench.py" --seconds "${BENCH_SECONDS:-5}" --runs "${BENCH_RUNS:-3}" --out "$BUILD/bench" ;;
    schedule) /usr/bin/python3 "$REPO/test/bench/schedule.py" --seconds "${BENCH_SECONDS:-5}" --runs "${BENCH_RUNS:-3}" --out "$BUILD/bench" ;;
    slots) /usr/bin/python3 "$REPO/test/bench/slots.py" --out "$BUILD/bench" ;;
    audit) /usr/bin/python3 "$REPO/test/bench/audit.py" --seconds "${BENCH_SECONDS:-5}" --out "$BUILD/bench" ;;
    mllp) /usr/bin/python3 "$REPO/test/bench/mllp.py" --seconds "${BENCH_SECONDS:-5}" --runs "${BENCH_RUNS:-3}" --out "$BUILD/bench" ;;
    booking) /usr/bin/python3 "$REPO/test/bench/booking.py" --seconds "${BENCH_SECONDS:-5}" --runs "${BENCH_RUNS:-3}" --out "$BUILD/bench" ;;
    http) /usr/bin/python3 "$REPO/test/bench/http_api.py" --seconds "${BENCH_SECONDS:-5}" --runs "${BENCH_RUNS:-3}" --out "$BUILD/bench" ;;
    events) /usr/bin/python3 "$REPO/test/bench/events.py" --seconds "${BENCH_SECONDS:-5}" --runs "${BENCH_RUNS:-3}" --out "$BUILD/bench" ;;
    *) die "there is no benchmark '$part'. There are: reading ingest schedule slots audit mllp booking http events" ;;
    esac
done
