# What scripts/check.sh and scripts/check-long.sh share: running suites, counting them, saying the sum. Sourced, never run.
#
# Invariants: a suite is a function suite_NAME that prints for people and leaves "PASSED FAILED" in $results/NAME.count; one that leaves
# nothing did not run, and counts as one failure. A failing suite never stops the next one. The last line is `N passed, N failed`.
# shellcheck shell=bash

results=$BUILD/results # the sourcing script may choose another folder before it calls anything here
total_passed=0
total_failed=0
summary=()
table=()

# Stops before anything ran when a name is wrong; `suites` lists those there are.
suites=()
require_suites() { # SUITE...
    local suite
    for suite in "$@"; do
        case " ${suites[*]} " in
            *" $suite "*) ;;
            *) die "there is no suite '$suite'. There are: ${suites[*]}" ;;
        esac
    done
}

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

# Adds one suite's figures.
record() { # SUITE PASSED FAILED SECONDS
    local passed=$2 failed=$3
    if [ "$((passed + failed))" -eq 0 ]; then
        summary+=("$(printf '%-10s did not run, %d s' "$1" "$4")")
        table+=("| $1 | did not run | $4 |")
        total_failed=$((total_failed + 1))
        return
    fi
    summary+=("$(printf '%-10s %4d passed, %d failed, %d s' "$1" "$passed" "$failed" "$4")")
    table+=("| $1 | $passed passed, $failed failed | $4 |")
    total_passed=$((total_passed + passed))
    total_failed=$((total_failed + failed))
}

run_suites() { # SUITE...
    local suite began passed failed
    for suite in "$@"; do
        step "Suite $suite"
        began=$SECONDS
        rm -f "$results/$suite.count"
        "suite_$suite" || true
        { read -r passed failed <"$results/$suite.count"; } 2>/dev/null || { passed=0 failed=0; }
        record "$suite" "${passed:-0}" "${failed:-0}" $((SECONDS - began))
    done
}

# The results as a Markdown table.
write_table() { # FILE TITLE
    {
        printf '# %s\n\n| part | result | seconds |\n|---|---|---|\n' "$2"
        printf '%s\n' ${table[@]+"${table[@]}"}
        printf '| all | %d passed, %d failed | %d |\n' "$total_passed" "$total_failed" "$SECONDS"
    } >"$1"
}

# Runs a command with its output in a log and says every 15 s how far it is, by its last line. Gives the command's exit code.
watched_pid=
watched() { # LOG LIMIT-SECONDS COMMAND...
    local log=$1 limit=$2 began=$SECONDS next=15 code=0
    shift 2
    timeout --kill-after=60 "$limit" "$@" >"$log" 2>&1 </dev/null &
    watched_pid=$!
    while kill -0 "$watched_pid" 2>/dev/null; do
        sleep 1
        if [ $((SECONDS - began)) -ge "$next" ]; then
            next=$((next + 15))
            printf '%5d s  %s\n' $((SECONDS - began)) "$(tail -n 1 "$log" | cut -c1-140)"
        fi
    done
    wait "$watched_pid" || code=$?
    watched_pid=
    [ "$code" -ne 124 ] || say "stopped after $limit s"
    return "$code"
}

# For an EXIT trap: what watched() started does not outlive us.
stop_watched() {
    [ -z "$watched_pid" ] || { kill -TERM "$watched_pid" && wait "$watched_pid"; } 2>/dev/null || true
}

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
try:
    root = tree.parse(sys.argv[1]).getroot()
except (OSError, tree.ParseError):
    print("the tests left no report")
    raise SystemExit
for case in root.iter("testcase"):
    if case.find("failure") is not None or case.get("status") == "fail":
        output = case.findtext("system-out") or ""
        print(f"FAILED {case.get('name')}\n{output.strip()[-3000:]}\n")
PY
}

# Prints "PASSED FAILED" from the last line `N passed, M failed` of a log.
last_line_counts() { tail -n 1 "$1" | sed -nE 's/^([0-9]+) passed, ([0-9]+) failed.*/\1 \2/p'; }
