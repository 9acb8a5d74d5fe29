# Shared helpers of the scripts in this folder. Sourced, never run.
#
# Invariants: nothing here writes outside the repository, except /var/tmp/radscheduler-* when the unprivileged
# PostgreSQL user cannot reach the repository, and the PostgreSQL folders that scripts/install.sh names.
# shellcheck shell=bash

REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
BUILD=$REPO/build
BIN=$BUILD/cmake/bin
export REPO BUILD BIN

say() { printf '%s\n' "$*"; }
step() { printf '\n== %s\n' "$*"; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# The command prefix that makes a command run as root, or empty when we are root already.
root_prefix() {
    if [ "$(id -u)" -eq 0 ]; then
        return 0
    elif command -v sudo >/dev/null 2>&1; then
        printf 'sudo'
    else
        die "$1 needs root, and this user has no sudo. Run the same command as root, or install sudo."
    fi
}

# PostgreSQL refuses to run as root, so as root every server of ours runs as this user.
service_user() {
    if [ "$(id -u)" -eq 0 ]; then printf 'postgres'; else id -un; fi
}

# Runs a command as the service user, in a folder that user can always enter.
as_service() {
    if [ "$(id -u)" -eq 0 ]; then
        (cd / && exec runuser -u "$(service_user)" -- "$@")
    else
        (cd / && exec "$@")
    fi
}

# The pg_config to build against: PG_CONFIG when set, else the newest supported PostgreSQL that has server headers.
find_pg_config() {
    local major
    if [ -n "${PG_CONFIG:-}" ]; then
        command -v "$PG_CONFIG" || die "PG_CONFIG is '$PG_CONFIG', which is no program. Give the full path of a pg_config."
        return
    fi
    for major in 18 17 16 15; do
        if [ -x "/usr/lib/postgresql/$major/bin/postgres" ] && [ -f "/usr/lib/postgresql/$major/lib/pgxs/src/makefiles/pgxs.mk" ]; then
            printf '/usr/lib/postgresql/%s/bin/pg_config\n' "$major"
            return
        fi
    done
    die "no PostgreSQL 15 to 18 with server headers found. 'scripts/setup.sh build run' installs one."
}

pg_major() { "$1" --version | sed -E 's/^PostgreSQL ([0-9]+).*/\1/'; }

# True when something answers on this TCP port of the local machine.
port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# A TCP port nobody listens on, below the range the kernel hands out for outgoing connections.
free_port() {
    local port try
    for try in $(seq 1 200); do
        port=$((20000 + (RANDOM * 32768 + RANDOM + try) % 12000))
        if ! port_taken "$port"; then
            printf '%s\n' "$port"
            return
        fi
    done
    die "found no free TCP port between 20000 and 32000. Stop something that listens there."
}

# Checksum of the built extension: tells whether a database was made with the code that is installed now.
extension_fingerprint() {
    local pg_config=$1 sharedir pkglibdir
    sharedir=$("$pg_config" --sharedir)
    pkglibdir=$("$pg_config" --pkglibdir)
    cat "$pkglibdir/radscheduler.so" "$sharedir"/extension/radscheduler* | sha256sum | cut -c1-16
}

# Waits until a process is gone. usage: wait_gone PID SECONDS
wait_gone() {
    local pid=$1 tenths=$(($2 * 10))
    while [ "$tenths" -gt 0 ]; do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.1
        tenths=$((tenths - 1))
    done
    return 1
}
