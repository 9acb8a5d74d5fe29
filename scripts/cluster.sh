#!/usr/bin/env bash
# Private PostgreSQL clusters for the demo and the tests: build/NAME/ holds the data, the socket and the log.
# usage: scripts/cluster.sh start NAME [DATABASE]     create if missing, then start; DATABASE is what the wake-up worker serves
#        scripts/cluster.sh stop NAME [fast|immediate]
#        scripts/cluster.sh restart NAME [fast|immediate]
#        scripts/cluster.sh destroy NAME              stop, then remove every file; RADSCHED_KEEP_LOGS names a folder its logs are copied to first
#        scripts/cluster.sh env NAME                  prints shell assignments: PGHOST PGPORT PGUSER PGDATA CLUSTER_DIR CLUSTER_LOG PG_BINDIR PATH
#
# Invariants: never touches a cluster it did not create (a marker file says which those are). The server listens on
# its own socket, in a folder only its owner may enter, and on one free port of 127.0.0.1 with a password.
# As root the server runs as the user postgres; an ordinary user runs it as himself.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

usage() {
    sed -n '3,7s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

[ $# -ge 2 ] || usage
verb=$1
name=$2
[[ $name =~ ^[a-z][a-z0-9-]{0,30}$ ]] || die "'$name' is no cluster name. Use lower-case letters, digits and dashes."

link=$BUILD/$name
marker=.radscheduler-cluster
hash=$(printf '%s' "$REPO" | sha256sum | cut -c1-8)
owner=$(service_user)

# Where the files really are: build/NAME, or a folder it points to.
if [ -e "$link" ]; then dir=$(cd "$link" && pwd -P); else dir=$link; fi
data=$dir/data
log=$dir/postgresql.log

is_ours() { [ -f "$dir/$marker" ]; }
is_running() { is_ours && as_service "$bindir/pg_ctl" -D "$data" status >/dev/null 2>&1; }
setting() { sed -n "s/^$1=//p" "$dir/cluster.conf"; }

# Makes the folder for the service user. A checkout under a closed folder such as /root is out of that user's
# reach; then the files live under /var/tmp and build/NAME is a link to them.
make_folder() {
    mkdir -p "$BUILD"
    if [ -e "$link" ] && ! is_ours; then
        die "$link exists and is no cluster of ours, or belongs to another user. Move it away, then run this again."
    fi
    rm -f "$link"
    if mkdir -p "$link" && chmod 700 "$link" && { [ "$(id -u)" -ne 0 ] || chown "$owner" "$link"; } &&
        as_service test -x "$link/."; then
        dir=$link
    else
        rmdir "$link" 2>/dev/null || true
        local base=/var/tmp/radscheduler-$hash
        [ -d "$base" ] || mkdir -m 755 "$base"
        if [ ! -O "$base" ] || [ -L "$base" ]; then
            die "$base belongs to somebody else. Remove it, then run this again."
        fi
        dir=$base/$name
        [ ! -e "$dir" ] || [ -f "$dir/$marker" ] || die "$dir exists and is no cluster of ours. Move it away, then run this again."
        rm -rf "$dir"
        mkdir -m 700 "$dir"
        chown "$owner" "$dir"
        ln -s "$dir" "$link"
        say "cluster: the user $owner cannot reach $BUILD, so the cluster lives in $dir (build/$name points to it)"
    fi
    data=$dir/data
    log=$dir/postgresql.log
}

# A socket's path may have 107 bytes; a deep checkout gets a short folder under /tmp instead.
make_socket_folder() {
    local sockets=$dir/socket probe
    probe=$sockets/.s.PGSQL.65535
    if [ ${#probe} -gt 107 ]; then
        sockets=$(as_service mktemp -d "/tmp/radsched-$hash-XXXXXX")
    else
        as_service mkdir -m 700 "$sockets"
    fi
    printf '%s\n' "$sockets"
}

create() {
    local database=$1 sockets port password preload=
    make_folder
    as_service touch "$dir/$marker"
    sockets=$(make_socket_folder)
    port=$(free_port)
    password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    (umask 077 && printf '%s\n' "$password" >"$dir/password")
    [ "$(id -u)" -ne 0 ] || chown "$owner" "$dir/password"
    as_service "$bindir/initdb" -D "$data" -U postgres --encoding=UTF8 --locale=C.UTF-8 --pwfile="$dir/password" \
        --auth-local=trust --auth-host=scram-sha-256 >"$BUILD/$name-initdb.log" 2>&1 ||
        die "initdb failed; its output is in $BUILD/$name-initdb.log"
    rm -f "$BUILD/$name-initdb.log"
    [ -z "$database" ] || preload="shared_preload_libraries = 'radscheduler'
radscheduler.database = '$database'"
    as_service tee -a "$data/postgresql.conf" >/dev/null <<CONF

# Written by scripts/cluster.sh
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$sockets'
unix_socket_permissions = 0700
$preload
max_connections = 100
shared_buffers = 128MB
log_line_prefix = '%m [%p] %q%u@%d '
log_min_messages = warning
log_min_error_statement = panic
CONF
    as_service tee "$dir/cluster.conf" >/dev/null <<CONF
sockets=$sockets
port=$port
pg_config=$pg_config
CONF
}

start() {
    local database=$1
    if ! is_ours; then create "$database"; fi
    [ "$(pg_major "$pg_config")" = "$(as_service cat "$data/PG_VERSION")" ] ||
        die "build/$name was made by PostgreSQL $(as_service cat "$data/PG_VERSION"), and this is $("$pg_config" --version). Run 'scripts/cluster.sh destroy $name' first."
    is_running && return 0
    if ! as_service "$bindir/pg_ctl" -D "$data" -l "$log" -w -t 60 start >/dev/null 2>&1; then
        as_service tail -n 15 "$log" >&2 || true
        die "the private PostgreSQL did not start. Its log is $log."
    fi
}

stop() {
    is_running || return 0
    as_service "$bindir/pg_ctl" -D "$data" -m "${1:-fast}" -w -t 60 stop >/dev/null ||
        die "the private PostgreSQL in $data did not stop. Its log is $log."
}

# The tests read every log at their end, when the clusters are gone.
keep_logs() {
    local file kept
    [ -n "${RADSCHED_KEEP_LOGS:-}" ] || return 0
    mkdir -p "$RADSCHED_KEEP_LOGS"
    for file in "$dir"/*.log; do
        [ -f "$file" ] || continue
        kept=$(mktemp "$RADSCHED_KEEP_LOGS/$name-$(basename "$file" .log)-XXXXXX.log")
        cat "$file" >"$kept"
    done
}

destroy() {
    [ -e "$link" ] || [ -L "$link" ] || return 0
    is_ours || die "$link is no cluster of ours, or belongs to another user; nothing was removed."
    local sockets
    sockets=$(setting sockets 2>/dev/null || true)
    stop immediate
    keep_logs
    case $sockets in /tmp/radsched-"$hash"-*) rm -rf "$sockets" ;; esac
    rm -rf "$dir"
    rm -f "$link"
    rmdir "/var/tmp/radscheduler-$hash" 2>/dev/null || true
}

print_env() {
    is_ours || die "there is no cluster build/$name. 'scripts/cluster.sh start $name' makes one."
    cat <<ENV
export PGHOST='$(setting sockets)'
export PGPORT='$(setting port)'
export PGUSER='postgres'
export PGDATA='$data'
CLUSTER_DIR='$dir'
CLUSTER_LOG='$log'
PG_BINDIR='$bindir'
export PATH="$bindir:\$PATH"
ENV
}

if is_ours && [ -z "${PG_CONFIG:-}" ]; then pg_config=$(setting pg_config); else pg_config=$(find_pg_config); fi
bindir=$("$pg_config" --bindir)

case $verb in
    start) start "${3:-}" ;;
    stop) stop "${3:-fast}" ;;
    restart)
        stop "${3:-fast}"
        start ""
        ;;
    destroy) destroy ;;
    env) print_env ;;
    *) usage ;;
esac
