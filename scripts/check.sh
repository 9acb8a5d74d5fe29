#!/usr/bin/env bash
# Runs test suites and counts them. usage: scripts/check.sh [unit|linear|fuzz|regress|isolation|e2e|docs]...   (default: all)
#
# Invariants: sets up, builds and installs first. The last line of standard output is `N passed, N failed` over the
# suites that were asked for; a suite that could not run, or hung, counts as one failure. Exit code 0 only when nothing failed.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

[ $# -gt 0 ] || set -- unit linear fuzz regress isolation e2e docs
results=$BUILD/results
total_passed=0
total_failed=0
summary=()

finish() {
    printf '\n'
    printf '%s\n' ${summary[@]+"${summary[@]}"}
    printf '%d passed, %d failed\n' "$total_passed" "$total_failed"
    [ "$total_failed" -eq 0 ] && [ "$total_passed" -gt 0 ]
}

# A step before the suites that must work; when it does not, there is nothing to count but that.
prepare() { # WHAT COMMAND...
    local what=$1
    shift
    step "$what"
    if ! "$@"; then
        summary+=("$what failed; no suite ran")
        total_failed=$((total_failed + 1))
        finish || exit 1
    fi
}

# Adds one suite's figures. A suite that counted nothing did not run.
record() { # SUITE PASSED FAILED SECONDS
    local passed=$2 failed=$3
    if [ "$((passed + failed))" -eq 0 ]; then
        summary+=("$(printf '%-10s did not run' "$1")")
        total_failed=$((total_failed + 1))
        return
    fi
    summary+=("$(printf '%-10s %4d passed, %d failed, %d s' "$1" "$passed" "$failed" "$4")")
    total_passed=$((total_passed + passed))
    total_failed=$((total_failed + failed))
}

# Every suite prints for people and leaves "PASSED FAILED" in $results/SUITE.count.

# Counts in a JUnit file: "PASSED FAILED".
junit_counts() {
    python3 - "$1" <<'PY'
import sys, xml.etree.ElementTree as tree
try:
    root = tree.parse(sys.argv[1]).getroot()
except (OSError, tree.ParseError):
    print(0, 0)
    raise SystemExit
cases = list(root.iter("testcase"))
failed = sum(1 for case in cases if case.find("failure") is not None or case.find("error") is not None or case.get("status") == "fail")
skipped = sum(1 for case in cases if case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"))
print(len(cases) - failed - skipped, failed)
PY
}

# The failed tests of a JUnit file with what they printed.
junit_failures() {
    python3 - "$1" <<'PY'
import sys, xml.etree.ElementTree as tree
for case in tree.parse(sys.argv[1]).getroot().iter("testcase"):
    if case.find("failure") is not None or case.get("status") == "fail":
        output = case.findtext("system-out") or ""
        print(f"FAILED {case.get('name')}\n{output.strip()[-3000:]}\n")
PY
}

suite_unit() {
    timeout 1200 ctest --test-dir "$BUILD/cmake" --timeout 300 --output-on-failure --no-tests=error -j 2 --output-junit "$results/unit.xml" >"$results/unit.log" 2>&1 ||
        junit_failures "$results/unit.xml"
    junit_counts "$results/unit.xml" >"$results/unit.count"
}

# Prints "PASSED FAILED" from the last line `N passed, M failed` of a log.
last_line_counts() { tail -n 1 "$1" | sed -nE 's/^([0-9]+) passed, ([0-9]+) failed.*/\1 \2/p'; }

suite_linear() {
    timeout 900 /usr/bin/python3 "$REPO/test/linear/run.py" "$BUILD/cmake/test/linear/linear_probe" >"$results/linear.log" 2>&1 || true
    grep '^FAILED' "$results/linear.log" || true
    last_line_counts "$results/linear.log" >"$results/linear.count"
}

# Each fuzzer for a few seconds, seeds first; make check-long gives each ten minutes.
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

prepare "Packages" "$REPO/scripts/setup.sh" build run test fuzz
prepare "Build and install" make --no-print-directory -s -C "$REPO" install
pg_config=$(find_pg_config)
rm -rf "$results"
mkdir -p "$results"
touch "$results/started"
trap '"$REPO/scripts/cluster.sh" destroy check >/dev/null 2>&1 || true' EXIT

for suite in "$@"; do
    declare -F "suite_$suite" >/dev/null || die "there is no suite '$suite'. There are: unit linear fuzz regress isolation e2e docs"
    step "Suite $suite"
    began=$SECONDS
    "suite_$suite" || true
    { read -r passed failed <"$results/$suite.count"; } 2>/dev/null || { passed=0 failed=0; }
    record "$suite" "${passed:-0}" "${failed:-0}" $((SECONDS - began))
done
finish
