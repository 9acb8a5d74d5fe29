# Parts of the demo that demo.sh, demo-stop.sh and psql.sh share. Sourced, never run.
#
# Invariants: services run as the cluster's user; build/demo/*.pid name the processes we started and no others.
# shellcheck shell=bash

DEMO_NAME=${DEMO_NAME:-demo}
DEMO_MLLP_PORT=${DEMO_MLLP_PORT:-8661}
DEMO_HTTP_PORT=${DEMO_HTTP_PORT:-3001}
DEMO_HOST=${DEMO_HOST:-127.0.0.1}
DEMO_URL=http://localhost:$DEMO_HTTP_PORT
DEMO_DATABASE=radscheduler
DEMO_DIR=$BUILD/$DEMO_NAME

# Set by demo.sh before it makes messages: what tells this run's ids apart, and the day (YYYYMMDD) its bookings are on.
DEMO_RUN=
DEMO_DAY=

# The pid in a file of ours, when that process lives and is the program we started.
demo_pid() { # FILE PROGRAM
    local pid
    pid=$(cat "$DEMO_DIR/$1" 2>/dev/null) || return 1
    [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ] && printf '%s\n' "$pid"
}

demo_stop_process() { # FILE PROGRAM
    local pid
    pid=$(demo_pid "$1" "$2") || return 0
    kill -TERM "$pid"
    wait_gone "$pid" 30 || kill -KILL "$pid"
    rm -f "$DEMO_DIR/$1"
}

# Starts a program as the service user, apart from this terminal, and notes its pid.
demo_spawn() { # PIDFILE LOGFILE COMMAND...
    local pidfile=$DEMO_DIR/$1 log=$DEMO_DIR/$2
    shift 2
    # shellcheck disable=SC2016  # the inner shell expands these
    as_service sh -c 'pidfile=$1 log=$2; shift 2; setsid "$@" </dev/null >>"$log" 2>&1 & echo $! >"$pidfile"' sh "$pidfile" "$log" "$@"
}

demo_sql() { PGOPTIONS='-c timezone=UTC' psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$DEMO_DATABASE" -c "$1"; }
demo_show() { psql -X -q -x -v ON_ERROR_STOP=1 -P footer=off -P null='(null)' -d "$DEMO_DATABASE" -c "$1"; }

demo_env() {
    local settings
    settings=$("$REPO/scripts/cluster.sh" env "$DEMO_NAME") || exit 1
    eval "$settings"
}

# What the running daemon was started with; a difference means: start it anew.
daemon_key() {
    printf '%s %s %s %s %s\n' "$(sha256sum <"$BIN/radschedulerd" | cut -c1-16)" "$DEMO_MLLP_PORT" "$DEMO_HTTP_PORT" "$DEMO_HOST" "${redis_port:-}"
}

demo_check_ports() {
    local variable port
    if demo_pid radschedulerd.pid radschedulerd >/dev/null && [ "$(cut -d' ' -f2,3 "$DEMO_DIR/radschedulerd.key" 2>/dev/null)" = "$DEMO_MLLP_PORT $DEMO_HTTP_PORT" ]; then
        return 0
    fi
    for variable in DEMO_MLLP_PORT DEMO_HTTP_PORT; do
        port=${!variable}
        if port_taken "$port"; then
            die "port $port is taken by another program. Choose another one: $variable=$(free_port) make demo"
        fi
    done
}

# The cluster, started anew when the installed library changed; the database, made anew when the extension changed.
demo_start_database() {
    local pg_config fingerprint
    pg_config=$(find_pg_config)
    fingerprint=$(extension_fingerprint "$pg_config")
    if [ -f "$DEMO_DIR/extension.key" ] && [ "$(cat "$DEMO_DIR/extension.key")" != "$fingerprint" ]; then
        say "the extension was built anew since the last demo: starting with an empty database"
        "$REPO/scripts/demo-stop.sh" --quiet
    fi
    "$REPO/scripts/cluster.sh" start "$DEMO_NAME" "$DEMO_DATABASE"
    demo_env
    if [ -z "$(psql -X -A -t -d postgres -c "SELECT 1 FROM pg_database WHERE datname = '$DEMO_DATABASE'")" ]; then
        createdb --encoding=UTF8 --template=template0 "$DEMO_DATABASE"
    fi
    PGOPTIONS='-c client_min_messages=warning' psql -X -q -v ON_ERROR_STOP=1 -d "$DEMO_DATABASE" \
        -c 'CREATE EXTENSION IF NOT EXISTS radscheduler CASCADE'
    # The daemon is no superuser: it takes messages and reads the schedule, at every site.
    [ -n "$(psql -X -A -t -d postgres -c "SELECT 1 FROM pg_roles WHERE rolname = 'radschedulerd'")" ] || createuser radschedulerd
    psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$DEMO_DATABASE" -o /dev/null \
        -c "SELECT radscheduler.grant_role('ingest', 'radschedulerd'), radscheduler.grant_role('scheduler', 'radschedulerd'), radscheduler.grant_role('admin', 'radschedulerd'), radscheduler.grant_site('radschedulerd', '*')"
    printf '%s\n' "$fingerprint" | as_service tee "$DEMO_DIR/extension.key" >/dev/null
}

demo_start_redis() {
    if demo_pid redis.pid redis-server >/dev/null; then
        redis_port=$(cat "$DEMO_DIR/redis.port")
        return
    fi
    redis_port=$(free_port)
    printf '%s\n' "$redis_port" | as_service tee "$DEMO_DIR/redis.port" >/dev/null
    demo_spawn redis.pid redis.log redis-server --bind 127.0.0.1 --port "$redis_port" --save '' --appendonly no --dir "$(cd "$DEMO_DIR" && pwd -P)"
}

demo_start_daemon() {
    local program=$BIN/radschedulerd pid waited
    if demo_pid radschedulerd.pid radschedulerd >/dev/null && [ "$(cat "$DEMO_DIR/radschedulerd.key" 2>/dev/null)" = "$(daemon_key)" ]; then
        return
    fi
    demo_stop_process radschedulerd.pid radschedulerd
    if ! as_service test -x "$program"; then # a checkout that only root can enter
        cp "$program" "$DEMO_DIR/radschedulerd"
        chmod 755 "$DEMO_DIR/radschedulerd"
        program=$(cd "$DEMO_DIR" && pwd -P)/radschedulerd
    fi
    demo_spawn radschedulerd.pid radschedulerd.log env \
        DATABASE_URL="postgresql://radschedulerd@/$DEMO_DATABASE?host=$PGHOST&port=$PGPORT" REDIS_URL="redis://127.0.0.1:$redis_port/0" \
        RADSCHED_MLLP_HOST="$DEMO_HOST" RADSCHED_MLLP_PORT="$DEMO_MLLP_PORT" \
        RADSCHED_HTTP_HOST="$DEMO_HOST" RADSCHED_HTTP_PORT="$DEMO_HTTP_PORT" "$program"
    for waited in $(seq 1 150); do
        pid=$(demo_pid radschedulerd.pid radschedulerd || true)
        if [ -z "$pid" ] && [ "$waited" -gt 10 ]; then break; fi
        if curl -fs -o /dev/null --max-time 2 "$DEMO_URL/health"; then
            daemon_key | as_service tee "$DEMO_DIR/radschedulerd.key" >/dev/null
            return
        fi
        sleep 0.1
    done
    tail -n 15 "$DEMO_DIR/radschedulerd.log" >&2
    die "radschedulerd did not become healthy within 15 seconds. Its log is $DEMO_DIR/radschedulerd.log."
}

# Prints an ACK, one segment per line, and asserts its code and control id.
demo_assert_ack() { # ACK CODE CONTROL_ID
    local text
    text=$(tr '\r' '\n' <<<"$1" | tr -d '\013\034')
    printf '    %s\n' "${text//$'\n'/$'\n'    }"
    grep -q "^MSA|$2|$3\(|\|\$\)" <<<"$text" || die "the answer should hold MSA|$2|$3 and does not."
}

demo_send_sample() {
    local ack
    ack=$("$BIN/radsched-send" --host localhost --port "$DEMO_MLLP_PORT" sample) || die "radsched-send could not deliver the sample: $ack"
    demo_assert_ack "$ack" AA MSG001
}

# Writes one message of the demo's own RIS to the folder $message_dir, as $message_file: a knee MRI on scanner MR1, 10:00 on $DEMO_DAY.
demo_message() { # TRIGGER PERSON STATUS
    local family=ROSSI given=ANNA start=${DEMO_DAY}1000
    [ "$2" = A ] || { family=WEBER given=PAUL; }
    control_id=DEMO$DEMO_RUN$1$2
    message_file=$2-$1.hl7
    message_dir=$(mktemp -d)
    printf '%s\r' \
        "MSH|^~\\&|DEMORIS|MEMORIAL|RADSCHED|RAD|$(date +%Y%m%d%H%M%S)||SIU^$1^SIU_S12|$control_id|P|2.5.1" \
        "SCH||DEMO$DEMO_RUN$2|||||||30|MIN|^^30^$start^^R||||||||||||||$3" \
        "PID|1||DEMO$DEMO_RUN$2^^^MEMORIAL^MR||$family^$given||19750312|F" \
        "RGS|1|A" \
        "AIS|1|A|MRI002^MRI KNEE W/O CONTRAST|$start|||30|MIN" \
        "AIG|1|A|MR1^MR scanner 1|SCANNER^Scanner||||$start|||30|MIN" >"$message_dir/$message_file"
}

demo_send() { # PERSON CODE
    local ack
    ack=$(cd "$message_dir" && "$BIN/radsched-send" --host localhost --port "$DEMO_MLLP_PORT" file "$message_file") ||
        die "radsched-send could not deliver the message of person $1: $ack"
    rm -rf "$message_dir"
    demo_assert_ack "$ack" "$2" "$control_id"
}

demo_appointment() { # PERSON
    demo_sql "SELECT appointment_id FROM radscheduler.appointment WHERE filler_id = 'DEMO$DEMO_RUN$1'"
}
