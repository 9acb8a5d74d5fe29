#!/usr/bin/env bash
# What takes too long for every day. usage: scripts/check-long.sh [PART]...   (default: all)
#   sanitize  the unit tests, and the daemon in its end-to-end tests, with AddressSanitizer and UndefinedBehaviorSanitizer
#   threads   the same of the daemon with ThreadSanitizer
#   arm64     the core cross-compiled for arm64 and emulated
#   fuzz      every fuzzer for FUZZ_SECONDS (300), two at a time
#   soak      traffic of every kind for SOAK_SECONDS (600), then everything is counted
#   http      what consoles ask, by wrk, for HTTP_SECONDS (600); nothing grows and nothing is an error
#   contention  32 sessions fight over 20 resources for CONTENTION_SECONDS (300), then nothing may be lost, doubled or left undecided
#   kill      kill -9 of the daemon, a backend, the postmaster, KILL_ROUNDS (50) times
#   burst     BURST_MESSAGES (10000) on each of 64 connections before the first answer is awaited; each is answered once, in order
#   million   MILLION_MESSAGES (1000000) of every kind over 32 connections, and nothing grows
#
# Invariants: as given here, all of it but the last two ends in under 90 minutes on two cores; those take as long as 1,640,000 messages take.
# Each part is stopped when it takes far longer than it should.
# A failing part does not stop the others. The last line is `N passed, N failed`; the results are also in build/check-long.md, the
# output of each part in build/long. Exit code 0 only when nothing failed.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=scripts/suites.sh
. "$(dirname "$0")/suites.sh"

suites=(sanitize threads arm64 fuzz soak http contention kill burst million)
[ $# -gt 0 ] || set -- "${suites[@]}"
require_suites "$@"
results=$BUILD/long
fuzz_seconds=${FUZZ_SECONDS:-300}
soak_seconds=${SOAK_SECONDS:-600}
http_seconds=${HTTP_SECONDS:-600}
contention_seconds=${CONTENTION_SECONDS:-300}
kill_rounds=${KILL_ROUNDS:-50}
burst_messages=${BURST_MESSAGES:-10000}
million_messages=${MILLION_MESSAGES:-1000000}
commit=$(git -C "$REPO" describe --always --dirty 2>/dev/null || printf 'no git')

# What a step said when it did not work.
tell() { # LOG
    tail -n 40 "$1"
    return 1
}

# Builds with sanitizers, runs the unit tests and then the daemon against a real PostgreSQL: framing, restarts, clients, load.
sanitized() { # SUITE VALUE-FOR-CMAKE FOLDER-OF-UNIT-TESTS TARGET...
    local suite=$1 value=$2 tests=$3 unit=0 unit_failed=0 e2e=0 e2e_failed=0
    shift 3
    watched "$results/$suite-configure.log" 120 cmake -S "$REPO" -B "$BUILD/$suite" -DRADSCHEDULER_SANITIZE="$value" -DCMAKE_BUILD_TYPE=Debug ||
        tell "$results/$suite-configure.log" || return
    watched "$results/$suite-build.log" 1800 cmake --build "$BUILD/$suite" -j "${JOBS:-2}" ${1+--target "$@"} || tell "$results/$suite-build.log" || return
    UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 ASAN_OPTIONS=detect_stack_use_after_return=1 watched "$results/$suite.log" 900 \
        ctest --test-dir "$BUILD/$suite/$tests" --timeout 300 --output-on-failure --no-tests=error -j 2 --output-junit "$results/$suite.xml" ||
        junit_failures "$results/$suite.xml"
    (
        cd "$REPO/test/e2e"
        RADSCHED_BIN="$BUILD/$suite/bin" watched "$results/$suite-e2e.log" 900 /usr/bin/python3 -m pytest -q -p no:cacheprovider --tb=short \
            --junitxml="$results/$suite-e2e.xml" test_mllp_framing.py test_ack_modes.py test_independent_clients.py test_durability.py test_load_tool.py test_http.py test_api_v1.py test_openapi.py test_zz_logs.py
    ) || tell "$results/$suite-e2e.log" || true
    read -r unit unit_failed < <(junit_counts "$results/$suite.xml")
    read -r e2e e2e_failed < <(junit_counts "$results/$suite-e2e.xml")
    [ $((e2e + e2e_failed)) -gt 0 ] || e2e_failed=1
    printf '%d %d\n' $((unit + e2e)) $((unit_failed + e2e_failed)) >"$results/$suite.count"
}

suite_sanitize() { sanitized sanitize ON .; }
# The core has no threads; what is built of it is what the daemon needs.
suite_threads() { sanitized threads thread test/unit/sidecar radschedulerd radsched-send sidecar_tests; }

# Two things: that every scan agrees with the plain loop, and that the one written for this processor was among them.
suite_arm64() {
    local passed=0
    watched "$results/arm64-configure.log" 120 cmake -S "$REPO" -B "$BUILD/arm64" -DRADSCHEDULER_CORE_ONLY=ON -DCMAKE_SYSTEM_NAME=Linux \
        -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ -DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc ||
        tell "$results/arm64-configure.log" || return
    watched "$results/arm64-build.log" 600 cmake --build "$BUILD/arm64" -j "${JOBS:-2}" || tell "$results/arm64-build.log" || return
    if watched "$results/arm64.log" 300 qemu-aarch64-static -L /usr/aarch64-linux-gnu "$BUILD/arm64/test/arm64/scan_check"; then
        passed=1
        ! grep -q 'kernel here is neon' "$results/arm64.log" || passed=2
    fi
    cat "$results/arm64.log"
    printf '%d %d\n' "$passed" $((2 - passed)) >"$results/arm64.count"
}

suite_fuzz() {
    local fuzzers pairs
    fuzzers=$(find "$REPO/test/fuzz" -name 'fuzz_*.cpp' | wc -l)
    pairs=$(((fuzzers + 1) / 2))
    watched "$results/fuzz.log" $((pairs * (fuzz_seconds + 20) + 600)) "$REPO/test/fuzz/run.sh" "$fuzz_seconds" || tell "$results/fuzz.log" || true
    grep ' runs$' "$results/fuzz.log" || true
    last_line_counts "$results/fuzz.log" >"$results/fuzz.count"
}

# A test that is a script of its own: its checks are lines `ok …` and `FAILED …`.
scripted() { # SUITE LIMIT-SECONDS VARIABLE=VALUE
    watched "$results/$1.log" "$2" env "$3" /usr/bin/python3 "$REPO/test/$1/run.py" || true
    grep -E '^(ok|FAILED) |_SEED=' "$results/$1.log" || true
    last_line_counts "$results/$1.log" >"$results/$1.count"
    [ -s "$results/$1.count" ] || tell "$results/$1.log"
}

suite_soak() { scripted soak $((soak_seconds + 300)) SOAK_SECONDS="$soak_seconds"; }
suite_http() { scripted http $((http_seconds + 300)) HTTP_SECONDS="$http_seconds"; }
suite_contention() { scripted contention $((contention_seconds + 300)) CONTENTION_SECONDS="$contention_seconds"; }
suite_kill() { scripted kill $((kill_rounds * 20 + 300)) KILL_ROUNDS="$kill_rounds"; }
# Slower than 100 messages a second is no speed to wait for.
suite_burst() { scripted burst $((64 * burst_messages / 100 + 300)) BURST_MESSAGES="$burst_messages"; }
suite_million() { scripted million $((million_messages / 100 + 300)) MILLION_MESSAGES="$million_messages"; }

clean_up() {
    local cluster
    stop_watched
    for cluster in soak http contention kill burst million e2e; do "$REPO/scripts/cluster.sh" destroy "$cluster" >/dev/null 2>&1 || true; done
}

prepare "Packages" "$REPO/scripts/setup.sh" build run test fuzz arm64 bench
case " $* " in
    *" sanitize "* | *" threads "* | *" soak "* | *" http "* | *" contention "* | *" kill "* | *" burst "* | *" million "*) prepare "Build and install" make --no-print-directory -s -C "$REPO" install ;;
esac
rm -rf "$results"
mkdir -p "$results"
export RADSCHED_KEEP_LOGS=$results/logs
trap clean_up EXIT

run_suites "$@"
write_table "$BUILD/check-long.md" "make check-long, $commit, $(date -u +%Y-%m-%d)"
finish
