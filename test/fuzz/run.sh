#!/bin/sh
# Builds the fuzzers with clang (libFuzzer, AddressSanitizer, UndefinedBehaviorSanitizer) and runs each for a while.
#   test/fuzz/run.sh [seconds per fuzzer, default 30] [fuzzer ...]
# What they learn stays in build/fuzz/corpus; a crash leaves its input in build/fuzz. Ends with `N passed, M failed`.
# The inner shells expand what stands in single quotes.
# shellcheck disable=SC2016
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
seconds=${1:-30}
[ $# -gt 0 ] && shift
fuzzers=${*:-scan path escape charset message siu timestamp ack batch continuation json edit validate mllp resp answer live study}
out=$root/build/fuzz
mkdir -p "$out/objects"

command -v clang++ >/dev/null || { echo "clang++ is missing; install the package clang." >&2; exit 1; }
launcher=$(command -v ccache || true)
flags="-std=c++20 -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined"

# One object per source, two at a time; a source that does not compile ends the run.
sources=
for source in "$root"/extension/core/*.cpp "$root"/extension/core/siu/*.cpp "$root"/extension/core/validate/*.cpp; do
    sources="$sources $source"
done
sidecar="mllp/frame_reader redis/exchange redis/lookup redis/resp http/cached_figures link/answer auth/strict_json live/client_frame live/cursor live/event live/feed live/filter live/history live/protocol"
for unit in $sidecar; do
    sources="$sources $root/sidecar/$unit.cpp"
done
for fuzzer in $fuzzers; do
    sources="$sources $root/test/fuzz/fuzz_$fuzzer.cpp"
done
echo "$sources" | tr ' ' '\n' | grep . | xargs -P 2 -I SOURCE sh -c '
    object=$1/objects/$(basename "${0%.cpp}").o
    exec $2 clang++ $3 -fsanitize=fuzzer-no-link -I"$4/include" -I"$4/extension/core" -I"$4/sidecar" -DSPDLOG_FMT_EXTERNAL -c "$0" -o "$object"
' SOURCE "$out" "$launcher" "$flags" "$root"

objects=
for source in "$root"/extension/core/*.cpp "$root"/extension/core/siu/*.cpp "$root"/extension/core/validate/*.cpp; do
    objects="$objects $out/objects/$(basename "${source%.cpp}").o"
done

for unit in $sidecar; do
    objects="$objects $out/objects/$(basename "$unit").o"
done

for fuzzer in $fuzzers; do
    # shellcheck disable=SC2086
    clang++ $flags -fsanitize=fuzzer "$out/objects/fuzz_$fuzzer.o" $objects -lhiredis -o "$out/fuzz_$fuzzer"
    mkdir -p "$out/corpus/$fuzzer"
done

# Two at a time; each one's output goes to a file and is shown when it fails.
rm -f "$out"/*.failed
echo "$fuzzers" | tr ' ' '\n' | grep . | xargs -P "${FUZZ_JOBS:-2}" -I FUZZER sh -c '
    cd "$1"
    echo "== fuzz_$0, $3 s"
    "./fuzz_$0" -max_total_time="$3" -timeout=10 -max_len=4096 -print_final_stats=1 -verbosity=0 "corpus/$0" "$2/test/fuzz/seeds/$0" >"$0.log" 2>&1 ||
        touch "$0.failed"
    printf "fuzz_%s: %s runs\n" "$0" "$(sed -n "s/^stat::number_of_executed_units: *//p" "$0.log")"
' FUZZER "$out" "$root" "$seconds"

passed=0
failed=0
for fuzzer in $fuzzers; do
    if [ -e "$out/$fuzzer.failed" ]; then
        failed=$((failed + 1))
        tail -n 40 "$out/$fuzzer.log"
    else
        passed=$((passed + 1))
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
