#!/usr/bin/env bash
# psql on the demo's database: at a terminal a prompt, else the script on standard input, stopping at the first error.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=scripts/demo-lib.sh
. "$(dirname "$0")/demo-lib.sh"

[ -e "$DEMO_DIR" ] || die "the demo does not run. 'make demo' starts it."
demo_env
if [ -t 0 ]; then
    exec psql -d "$DEMO_DATABASE"
else
    exec psql -X -v ON_ERROR_STOP=1 -d "$DEMO_DATABASE"
fi
