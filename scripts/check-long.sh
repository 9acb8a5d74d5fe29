#!/usr/bin/env bash
# What is too slow for every day: the unit tests with AddressSanitizer and UBSan, the core on arm64, every fuzz target for ten
# minutes.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

"$REPO/scripts/setup.sh" build run test fuzz arm64

step "Unit tests with AddressSanitizer and UndefinedBehaviorSanitizer"
cmake -S "$REPO" -B "$BUILD/sanitize" -DRADSCHEDULER_SANITIZE=ON -DCMAKE_BUILD_TYPE=Debug >/dev/null
cmake --build "$BUILD/sanitize" -j "${JOBS:-2}"
UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 ASAN_OPTIONS=detect_stack_use_after_return=1 \
    ctest --test-dir "$BUILD/sanitize" --output-on-failure --no-tests=error -j 2

step "The core on arm64 (cross-compiled, emulated)"
cmake -S "$REPO" -B "$BUILD/arm64" -DRADSCHEDULER_CORE_ONLY=ON -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
    -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ -DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc >/dev/null
cmake --build "$BUILD/arm64" -j "${JOBS:-2}"
qemu-aarch64-static -L /usr/aarch64-linux-gnu "$BUILD/arm64/test/arm64/scan_check"

step "Fuzzers"
"$REPO/test/fuzz/run.sh" "${FUZZ_SECONDS:-600}"
