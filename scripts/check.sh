#!/usr/bin/env bash
# Runs test suites and counts them. usage: scripts/check.sh [unit|linear|fuzz|regress|isolation|e2e|docs|logs]...   (default: all)
#
# Invariants: sets up, builds and installs first. The last line of standard output is `N passed, N failed` over the
# suites that were asked for; a suite that could not run, or hung, counts as one failure. Exit code 0 only when nothing failed.
# Every log of every server the suites start is kept in build/results/logs, and the suite `logs` reads them: ask for it last.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=scripts/suites.sh
. "$(dirname "$0")/suites.sh"

suites=(unit linear fuzz regress isolation e2e docs logs)
[ $# -gt 0 ] || set -- "${suites[@]}"
require_suites "$@"
asked=" $* "
export RADSCHED_KEEP_LOGS=$results/logs

suite_unit() {
    timeout 1200 ctest --test-dir "$BUILD/cmake" --timeout 300 --output-on-failure --no-tests=error -j 2 --output-junit "$results/unit.xml" >"$results/unit.log" 2>&1 ||
        junit_failures "$results/unit.xml"
    junit_counts "$results/unit.xml" >"$results/unit.count"
}

suite_linear() {
    timeout 900 /usr/bin/python3 "$REPO/test/linear/run.py" "$BUILD/cmake/test/linear/linear_probe" >"$results/linear.log" 2>&1 || true
    grep '^FAILED' "$results/linear.log" || true
    last_line_counts "$results/linear.log" >"$results/linear.count"
}

# Each fuzzer for a few seconds, seeds first; make check-long gives each five minutes.
suite_fuzz() {
    timeout 1200 "$REPO/test/fuzz/run.sh" "${CHECK_FUZZ_SECONDS:-3}" >"$results/fuzz.log" 2>&1 || true
    last_line_counts "$results/fuzz.log" >"$results/fuzz.count"
    grep -q ', 0 failed$' "$results/fuzz.log" || tail -n 60 "$results/fuzz.log"
}

# pg_regress prints "test NAME ... ok" until PostgreSQL 15 and TAP ("ok 1 - NAME") from 16 on.
pg_counts() {
    local passed failed
    passed=$(grep -cE '^(test .*|     .*)\.\.\. ok( |$)|^ok [0-9]+ ' "$1" || true)
    failed=$(grep -cE '^(test .*|     .*)\.\.\. FAILED( |$)|^not ok [0-9]+ ' "$1" || true)
    printf '%d %d\n' "$passed" "$failed"
}

# One of the two suites of `make installcheck`; PGXS runs both unless the other's list is emptied.
suite_pg() { # SUITE VARIABLE-TO-EMPTY
    local rc=0 diffs settings
    # Without its settings the suite would look for the machine's own server.
    "$REPO/scripts/cluster.sh" start check postgres && settings=$("$REPO/scripts/cluster.sh" env check) || return 0
    (
        eval "$settings"
        timeout 1200 make --no-print-directory -C "$REPO/extension" installcheck PG_CONFIG="$pg_config" "$2="
    ) >"$results/$1.log" 2>&1 || rc=$?
    if [ "$rc" -ne 0 ]; then
        tail -n 40 "$results/$1.log"
        while IFS= read -r diffs; do
            head -n 200 "$diffs"
        done < <(find "$REPO" -name regression.diffs -newer "$results/started")
    fi
    pg_counts "$results/$1.log" >"$results/$1.count"
}

suite_regress() { suite_pg regress ISOLATION; }
suite_isolation() { suite_pg isolation REGRESS; }

suite_e2e() {
    (cd "$REPO/test/e2e" && timeout --kill-after=60 1800 /usr/bin/python3 -m pytest -q -p no:cacheprovider --tb=short --durations=10 --junitxml="$results/e2e.xml") 2>&1 | tee "$results/e2e.log" | tail -n 150 || true
    junit_counts "$results/e2e.xml" >"$results/e2e.count"
}

suite_docs() {
    timeout --kill-after=60 1200 /usr/bin/python3 "$REPO/test/docs/run_docs.py" >"$results/docs.log" 2>&1 || true
    grep -v '^ok ' "$results/docs.log" | sed '$d' || true
    last_line_counts "$results/docs.log" >"$results/docs.count"
}

# Reads what the other suites' servers logged; each suite that starts a cluster must have left its log.
suite_logs() {
    local expected=() suite
    "$REPO/scripts/cluster.sh" destroy check # the suites regress and isolation share it, and leave it running
    for suite in regress:check isolation:check e2e:e2e docs:docs; do
        case $asked in *" ${suite%:*} "*) expected+=("${suite#*:}") ;; esac
    done
    /usr/bin/python3 "$REPO/test/logs/scan.py" "$RADSCHED_KEEP_LOGS" ${expected[@]+"${expected[@]}"} >"$results/logs.log" 2>&1 || true
    grep -v '^ok ' "$results/logs.log" | sed '$d' || true
    last_line_counts "$results/logs.log" >"$results/logs.count"
}

prepare "Packages" "$REPO/scripts/setup.sh" build run test fuzz
prepare "Build and install" make --no-print-directory -s -C "$REPO" install
pg_config=$(find_pg_config)
rm -rf "$results"
mkdir -p "$results"
touch "$results/started"
RADSCHED_KEEP_LOGS='' "$REPO/scripts/cluster.sh" destroy check # one that an interrupted run left behind
trap '"$REPO/scripts/cluster.sh" destroy check >/dev/null 2>&1 || true' EXIT

run_suites "$@"
finish
