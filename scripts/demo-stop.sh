#!/usr/bin/env bash
# Stops the demo's daemon, Redis and cluster, and removes their files. usage: scripts/demo-stop.sh [--quiet]
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=scripts/demo-lib.sh
. "$(dirname "$0")/demo-lib.sh"

if [ ! -e "$DEMO_DIR" ] && [ ! -L "$DEMO_DIR" ]; then
    [ "${1:-}" = --quiet ] || say "there is no demo to stop"
    exit 0
fi
demo_stop_process radschedulerd.pid radschedulerd
demo_stop_process redis.pid redis-server
"$REPO/scripts/cluster.sh" destroy "$DEMO_NAME"
[ "${1:-}" = --quiet ] || say "the demo is stopped and its files are removed"
