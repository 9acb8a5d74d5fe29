#!/bin/sh
# Builds the fuzzers with clang (libFuzzer, AddressSanitizer, UndefinedBehaviorSanitizer) and runs each for a while.
#   test/fuzz/run.sh [seconds per fuzzer, default 30] [fuzzer ...]
# What they learn stays in build/fuzz/corpus; a crash leaves its input in build/fuzz and the script fails.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
seconds=${1:-30}
[ $# -gt 0 ] && shift
fuzzers=${*:-message siu timestamp ack batch json edit}
out=$root/build/fuzz
mkdir -p "$out/objects"

command -v clang++ >/dev/null || { echo "clang++ is missing; install the package clang." >&2; exit 1; }
launcher=$(command -v ccache || true)
flags="-std=c++20 -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined"

objects=
for source in "$root"/extension/core/*.cpp "$root"/extension/core/siu/*.cpp; do
    object=$out/objects/$(basename "${source%.cpp}").o
    # shellcheck disable=SC2086
    $launcher clang++ $flags -fsanitize=fuzzer-no-link -I"$root/include" -c "$source" -o "$object"
    objects="$objects $object"
done

for fuzzer in $fuzzers; do
    # shellcheck disable=SC2086
    $launcher clang++ $flags -fsanitize=fuzzer-no-link -I"$root/include" -c "$root/test/fuzz/fuzz_$fuzzer.cpp" \
        -o "$out/objects/fuzz_$fuzzer.o"
    # shellcheck disable=SC2086
    clang++ $flags -fsanitize=fuzzer "$out/objects/fuzz_$fuzzer.o" $objects -o "$out/fuzz_$fuzzer"
    mkdir -p "$out/corpus/$fuzzer"
    echo "== fuzz_$fuzzer, $seconds s"
    (cd "$out" && "./fuzz_$fuzzer" -max_total_time="$seconds" -timeout=10 -max_len=4096 -print_final_stats=1 -verbosity=0 \
        "corpus/$fuzzer" "$root/test/fuzz/seeds/$fuzzer")
done
