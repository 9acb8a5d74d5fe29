#!/usr/bin/env bash
# Builds and runs the fuzz targets of test/fuzz. usage: scripts/fuzz.sh      environment: FUZZ_SECONDS (60) for each
#
# Invariants: a target is one file test/fuzz/NAME.cpp with LLVMFuzzerTestOneInput; inputs it learns stay in
# build/fuzz/NAME/corpus, a crashing input in build/fuzz/NAME. Ends with an error when a target finds anything.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

seconds=${FUZZ_SECONDS:-60}
shopt -s nullglob
targets=("$REPO"/test/fuzz/*.cpp)
if [ ${#targets[@]} -eq 0 ]; then
    say "there is no fuzz target in test/fuzz"
    exit 0
fi
mapfile -t core < <(find "$REPO/extension/core" -name '*.cpp' | sort)
failed=0
for target in "${targets[@]}"; do
    name=$(basename "$target" .cpp)
    folder=$BUILD/fuzz/$name
    mkdir -p "$folder/corpus"
    step "Fuzzing $name for $seconds seconds"
    clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
        -I "$REPO/include" -I "$REPO/extension/core" "$target" "${core[@]}" -o "$folder/$name"
    seeds=("$REPO/test/fuzz/seeds/${name#fuzz_}")
    [ -d "${seeds[0]}" ] || seeds=()
    (cd "$folder" && "./$name" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 -print_final_stats=1 \
        corpus ${seeds[@]+"${seeds[@]}"} >"$name.log" 2>&1) || {
        tail -n 30 "$folder/$name.log"
        failed=$((failed + 1))
    }
    grep -E 'stat::number_of_executed_units' "$folder/$name.log" || true
done
[ "$failed" -eq 0 ] || die "$failed fuzz target(s) found something; the inputs are under $BUILD/fuzz"
