#!/usr/bin/env bash
# What is too slow for every day: the unit tests with AddressSanitizer and UBSan, every fuzz target for ten minutes.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

"$REPO/scripts/setup.sh" build run test dev

step "Unit tests with AddressSanitizer and UndefinedBehaviorSanitizer"
cmake -S "$REPO" -B "$BUILD/sanitize" -DRADSCHEDULER_SANITIZE=ON -DCMAKE_BUILD_TYPE=Debug >/dev/null
cmake --build "$BUILD/sanitize" -j "${JOBS:-2}"
UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 ASAN_OPTIONS=detect_stack_use_after_return=1 \
    ctest --test-dir "$BUILD/sanitize" --output-on-failure --no-tests=error -j 2

step "Fuzzers"
"$REPO/test/fuzz/run.sh" "${FUZZ_SECONDS:-600}"
