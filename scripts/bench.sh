#!/usr/bin/env bash
# Measures what docs/performance.md reports, beside a floor measured in the same run. Results: build/bench/results.{json,md}
# environment: BENCH_SECONDS (5) per run, BENCH_RUNS (3) per figure; the median is reported.
#
# Invariants: a private cluster with fsync and synchronous_commit on, removed afterwards. Run it on an idle machine.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

mkdir -p "$BUILD/bench"
exec /usr/bin/python3 "$REPO/test/bench/bench.py" --seconds "${BENCH_SECONDS:-5}" --runs "${BENCH_RUNS:-3}" --out "$BUILD/bench"
