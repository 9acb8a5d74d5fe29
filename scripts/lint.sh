#!/usr/bin/env bash
# Formatting, static checks and the project's own rules. usage: scripts/lint.sh [--fix]   (--fix only formats)
#
# Invariants: says every finding before it fails; only files that git knows or would add are looked at.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$REPO"

files() { git ls-files -co --exclude-standard -- "$@" | while IFS= read -r file; do [ ! -f "$file" ] || printf '%s\n' "$file"; done; }
mapfile -t cpp < <(files '*.cpp' '*.hpp' '*.h')

if [ "${1:-}" = --fix ]; then
    [ ${#cpp[@]} -eq 0 ] || clang-format -i "${cpp[@]}"
    exit 0
fi

findings=0
finding() {
    findings=$((findings + 1))
    printf 'lint: %s\n' "$*" >&2
}

# Says every line that matches a pattern no file of these kinds may hold.
forbid() { # REASON PATTERN FILES...
    local reason=$1 pattern=$2 hits
    shift 2
    [ $# -gt 0 ] || return 0
    hits=$(grep -nIE "$pattern" "$@" /dev/null || true)
    [ -z "$hits" ] || finding "$reason"$'\n'"$hits"
}

if [ ${#cpp[@]} -gt 0 ]; then
    misformatted=$(for file in "${cpp[@]}"; do clang-format --dry-run -Werror "$file" >/dev/null 2>&1 || printf '%s\n' "$file"; done)
    [ -z "$misformatted" ] || finding "formatting differs from .clang-format; 'make format' mends it"$'\n'"$misformatted"
fi

# clang-tidy on one file; skipped when this file, every header and the settings are as they were when it last was clean.
headers=$( (cat .clang-tidy CMakeLists.txt; printf '%s\0' "${cpp[@]}" | grep -zE '\.(hpp|h)$' | xargs -0 cat) | sha256sum)
export headers
tidy() { # FILE ARGUMENTS-OF-CLANG-TIDY...
    local file=$1 stamp
    shift
    stamp=build/lint/$( (printf '%s\n' "$headers" "$*"; cat "$file") | sha256sum | cut -c1-32)
    [ ! -e "$stamp" ] || return 0
    clang-tidy --quiet "$file" "$@" 2>/dev/null || return 1
    touch "$stamp"
}
export -f tidy
mkdir -p build/lint

# clang-tidy on everything CMake compiles that is ours.
make --no-print-directory -s sidecar || finding "the CMake build failed; clang-tidy needs its compile commands"
if [ -f build/cmake/compile_commands.json ]; then
    mapfile -t units < <(python3 - <<'PY'
import json, os
repo = os.getcwd()
for entry in json.load(open("build/cmake/compile_commands.json")):
    path = os.path.realpath(os.path.join(entry["directory"], entry["file"]))
    if path.startswith(repo + "/") and not path.startswith(repo + "/build/"):
        print(path)
PY
    )
    if [ ${#units[@]} -gt 0 ]; then
        printf '%s\n' "${units[@]}" | sort -u | xargs -P 2 -I{} bash -c 'tidy "$@"' tidy {} -p build/cmake --extra-arg=-Wno-unknown-warning-option ||
            finding "clang-tidy has findings (above)"
    fi
fi

# The adapters are built by PGXS, so CMake does not know them. What the module exports is on the list of extension/exports.map.
pg_config=$(find_pg_config)
mapfile -t adapters < <(files 'extension/pg/*.cpp')
printf '%s\n' "${adapters[@]}" | xargs -P 2 -I{} bash -c 'tidy "$@"' tidy {} -- -std=c++20 -Iinclude -Iextension/pg \
    -isystem "$("$pg_config" --includedir-server)" '-DPGDLLEXPORT=__attribute__((visibility("default")))' ||
    finding "clang-tidy has findings in extension/pg (above)"
make --no-print-directory -s extension || finding "the extension does not build"
exported=$(nm -D --defined-only extension/radscheduler.so | awk '{ print $3 }' | grep -vE '^(rad_|pg_finfo_rad_|Pg_magic_func$|_PG_init$)' || true)
[ -z "$exported" ] || finding "the module exports symbols that are not its functions"$'\n'"$exported"

mapfile -t shell < <(files '*.sh' '.ci/run')
shellcheck -x "${shell[@]}" || finding "shellcheck has findings (above)"

mapfile -t text < <(files | grep -vE '^(scripts/lint\.sh|expected/|build/)' || true)
forbid "unfinished work is left in the tree" '\b(TODO|FIXME|HACK)\b|XXX:' "${text[@]}"
forbid "a merge conflict is left in the tree" '^(<<<<<<<|>>>>>>>) ' "${text[@]}"

# The core knows no PostgreSQL and no network; an entry point is declared by its macro only.
mapfile -t core < <(files 'include/radscheduler/*' 'extension/core/*' | grep -E '\.(cpp|hpp)$' || true)
forbid "the core includes a header that is not its own or the standard library's" \
    '#include [<"](postgres|libpq|fmgr|utils/|boost/|nlohmann/|spdlog/|sys/socket)' "${core[@]}"
mapfile -t pg < <(files 'extension/pg/*' | grep -E '\.cpp$' || true)
forbid "a SQL function must be declared with RAD_FUNCTION, which catches every exception" '\bPG_FUNCTION_INFO_V1\b' "${pg[@]}"

# SQL files stay readable in any editor, and functions never trust the caller's search_path.
mapfile -t sql < <(files 'extension/install/*.sql' 'extension/storage/*.sql')
if [ ${#sql[@]} -gt 0 ]; then
    forbid "CREATE OR REPLACE and IF NOT EXISTS would adopt an object somebody else made" \
        '^ *CREATE (OR REPLACE (FUNCTION|PROCEDURE|TRIGGER|AGGREGATE)|(TABLE|SCHEMA|SEQUENCE|VIEW|INDEX|TYPE) IF NOT EXISTS)' "${sql[@]}"
fi

long=$(for file in "${cpp[@]}" "${sql[@]}"; do
    awk -v file="$file" 'END { if (NR > 400) print file ": " NR " lines" }' "$file"
done)
[ -z "$long" ] || finding "files over 400 lines; one concept per file"$'\n'"$long"

if [ "$findings" -gt 0 ]; then
    die "$findings kind(s) of findings"
fi
say "lint: no findings"
