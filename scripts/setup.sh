#!/usr/bin/env bash
# Installs the Debian packages that the named sections of scripts/packages.txt list and this machine lacks.
# usage: scripts/setup.sh [--list] SECTION...      (sections: build run test fuzz arm64 bench dev)
#
# Invariants: asks nothing; when nothing is missing it needs no root, no network, and under a second. Installing
# a database or a Redis package must not start a service or create a cluster on the machine: ours are private.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

list_only=no
if [ "${1:-}" = --list ]; then
    list_only=yes
    shift
fi
[ $# -gt 0 ] || set -- build run test

# The PostgreSQL major version to install: that of PG_CONFIG or of an installed server, else the distribution's.
wanted_major() {
    local major
    if [ -n "${PG_CONFIG:-}" ] && command -v "$PG_CONFIG" >/dev/null 2>&1; then
        pg_major "$PG_CONFIG"
        return
    fi
    for major in 18 17 16 15; do
        if [ -x "/usr/lib/postgresql/$major/bin/postgres" ]; then
            printf '%s\n' "$major"
            return
        fi
    done
    printf '15\n'
}

packages_of() {
    local major=$1 wanted=" $2 "
    awk -v wanted="$wanted" -v major="$major" '
        { sub(/#.*/, ""); gsub(/[ \t]+/, "") }
        /^$/ { next }
        /^\[.*\]$/ { section = substr($0, 2, length($0) - 2); next }
        index(wanted, " " section " ") { gsub(/@PG@/, major); print }
    ' "$REPO/scripts/packages.txt"
}

for section in "$@"; do
    grep -q "^\[$section\]\$" "$REPO/scripts/packages.txt" ||
        die "scripts/packages.txt has no section '$section'. It has: $(sed -n 's/^\[\(.*\)\]$/\1/p' "$REPO/scripts/packages.txt" | tr '\n' ' ')"
done

# A package written with the command it brings is left out where that command is there already, from wherever.
without_commands_at_hand() {
    local line
    while IFS= read -r line; do
        case $line in
        *\?*) command -v "${line#*\?}" >/dev/null 2>&1 || printf '%s\n' "${line%%\?*}" ;;
        *) printf '%s\n' "$line" ;;
        esac
    done
}

mapfile -t packages < <(packages_of "$(wanted_major)" "$*" | without_commands_at_hand)
if [ -n "${PG_CONFIG:-}" ] && [ -f "$("$PG_CONFIG" --pgxs 2>/dev/null)" ] && ! dpkg -S "$(command -v "$PG_CONFIG")" >/dev/null 2>&1; then
    # A PostgreSQL built by hand brings its own server and headers.
    mapfile -t packages < <(printf '%s\n' "${packages[@]}" | grep -v '^postgresql-')
fi
if [ "$list_only" = yes ]; then
    printf '%s\n' "${packages[@]}"
    exit 0
fi

command -v dpkg-query >/dev/null 2>&1 ||
    die "this is no Debian system (dpkg-query is missing). Install by hand what scripts/packages.txt lists, then run the build."

missing_packages() {
    local installed
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${packages[@]}" 2>/dev/null | awk '$1 == "installed" { print $2 }' || true)
    comm -23 <(printf '%s\n' "${packages[@]}" | sort -u) <(printf '%s\n' "$installed" | sort -u)
}

mapfile -t missing < <(missing_packages)
[ ${#missing[@]} -gt 0 ] || exit 0

say "setup: installing ${#missing[@]} missing package(s): ${missing[*]}"
sudo=$(root_prefix "Installing packages")

policy=/usr/sbin/policy-rc.d
cluster_dir=/etc/postgresql-common/createcluster.d
cluster_conf=$cluster_dir/zz-radscheduler-setup.conf
made_policy=no
cleanup() {
    [ "$made_policy" = no ] || $sudo rm -f "$policy"
    $sudo rm -f "$cluster_conf"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# No service of a package starts while we install, and no cluster "main" is created. Both files go away again.
if [ ! -e "$policy" ]; then
    made_policy=yes
    printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
    $sudo chmod 755 "$policy"
fi
$sudo mkdir -p "$cluster_dir"
printf 'create_main_cluster = false\n' | $sudo tee "$cluster_conf" >/dev/null

apt() {
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold "$@" </dev/null
}

# The package index is refreshed only when it cannot answer for what is missing, or turns out to be old.
if ! apt-get -s -qq --no-install-recommends install "${missing[@]}" >/dev/null 2>&1; then
    say "setup: refreshing the package index (apt-get update)"
    apt update >/dev/null || die "apt-get update failed. Is Debian's package server reachable?"
fi
mkdir -p "$BUILD"
log=$BUILD/setup.log
if ! apt --no-install-recommends install "${missing[@]}" >"$log" 2>&1; then
    say "setup: the first try failed; refreshing the package index and trying again"
    apt update >/dev/null || die "apt-get update failed. Is Debian's package server reachable?"
    if ! apt --no-install-recommends install "${missing[@]}" >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        die "apt-get could not install the packages. The whole output is in $log."
    fi
fi
mapfile -t missing < <(missing_packages)
[ ${#missing[@]} -eq 0 ] || die "still missing after apt-get: ${missing[*]}. See $log."
say "setup: all packages are installed"
