#!/usr/bin/env bash
# The whole story on this machine: packages, build, a private PostgreSQL, the daemon, the guide's message, a double
# booking caught on both sides, and healed. Every step is asserted; the services stay up afterwards.
# usage: scripts/demo.sh       environment: DEMO_MLLP_PORT (8661), DEMO_HTTP_PORT (3001), PG_CONFIG,
#                              DEMO_HOST (127.0.0.1; 0.0.0.0 lets other machines in)
#
# Invariants: everything lives in build/demo (DEMO_NAME names another folder). A second run reuses what is there,
# and starts afresh only what a new build replaced.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=scripts/demo-lib.sh
. "$(dirname "$0")/demo-lib.sh"

expect() { # WHAT ACTUAL EXPECTED
    [ "$2" = "$3" ] || die "$1 is '$2', and should be '$3'. If you changed the demo's rows yourself, 'make demo-stop' and 'make demo' start afresh."
}

step "Packages"
"$REPO/scripts/setup.sh" build run
say "all there"

step "Build and install"
make -s -C "$REPO" install
say "built and installed for $("$(find_pg_config)" --version)"

step "Private PostgreSQL cluster and database"
demo_check_ports
demo_start_database
say "$(demo_sql "SELECT format('radscheduler %s in PostgreSQL %s', extversion, current_setting('server_version')) FROM pg_extension WHERE extname = 'radscheduler'")"

step "Redis and radschedulerd"
demo_start_redis
demo_start_daemon
expect "the database in /health" "$(curl -fsS "$DEMO_URL/health" | python3 -c 'import json, sys; print(json.load(sys.stdin)["services"]["database"])')" connected
say "radschedulerd answers on port $DEMO_MLLP_PORT (MLLP) and $DEMO_URL"

step "The integration guide's message over MLLP"
demo_send_sample
guide_id=$(demo_sql "SELECT appointment_id FROM radscheduler.hl7_message WHERE control_id = 'MSG001' AND outcome IN ('applied', 'duplicate') ORDER BY message_id DESC LIMIT 1")
[ -n "$guide_id" ] || die "the message was acknowledged, but hl7_message does not link it to an appointment."
demo_show "SELECT * FROM radscheduler.appointments WHERE id = $guide_id"
while IFS='=' read -r column value; do
    expect "the column $column" "$(demo_sql "SELECT $column FROM radscheduler.appointments WHERE id = $guide_id")" "$value"
done <<'ROW'
patient_id=MRN123456
patient_name=John Doe
patient_phone=+16175550123
modality=MRI
study_type=MRI BRAIN W/O CONTRAST
datetime=2024-01-15 10:00:00
duration=30
status=SCHEDULED
urgency=routine
conflicts=[]
source=HL7
ROW
say "every column is as the guide says"

step "Two messages want scanner MR1 at the same time"
DEMO_RUN=$(date +%s)
DEMO_DAY=$(demo_sql "SELECT to_char(d, 'YYYYMMDD') FROM generate_series(1, 1000) n, LATERAL (SELECT current_date + 30 + n AS d) days
    WHERE extract(isodow FROM d) < 6 AND NOT EXISTS (SELECT FROM radscheduler.appointment
        WHERE filler_id LIKE 'DEMO%' AND starts_at >= d AND starts_at < d + 1) ORDER BY n LIMIT 1")
for person in A B; do
    demo_message S12 "$person" SCHEDULED
    demo_send "$person" AA
done
first=$(demo_appointment A)
second=$(demo_appointment B)
both="SELECT id, patient_name, datetime, status, conflicts #>> '{0,code}' AS conflict, conflicts #>> '{0,resource}' AS resource,
    conflicts #>> '{0,with,0,appointment_id}' AS \"with\", jsonb_array_length(coalesce(conflicts #> '{0,alternatives}', '[]')) AS alternatives
    FROM radscheduler.appointments WHERE id IN ($first, $second) ORDER BY id"
demo_show "$both"
expect "the status of the first booking" "$(demo_sql "SELECT status FROM radscheduler.appointments WHERE id = $first")" SCHEDULED
expect "the status of the second booking" "$(demo_sql "SELECT status FROM radscheduler.appointments WHERE id = $second")" PENDING_REVIEW
for pair in "$first $second" "$second $first"; do
    read -r one other <<<"$pair"
    expect "the conflict on appointment $one" \
        "$(demo_sql "SELECT string_agg(c ->> 'code' || ' ' || (c ->> 'resource') || ' ' || (c #>> '{with,0,appointment_id}'), ',')
                     FROM radscheduler.appointments, jsonb_array_elements(conflicts) c WHERE id = $one")" \
        "EQUIPMENT_DOUBLE_BOOKED MR1 $other"
done
say "the double booking is flagged on both appointments"

step "The first one is cancelled; the other heals"
demo_message S15 A CANCELLED
demo_send A AA
demo_show "$both"
expect "the status of the cancelled booking" "$(demo_sql "SELECT status FROM radscheduler.appointments WHERE id = $first")" CANCELLED
expect "the status of the other booking" "$(demo_sql "SELECT status FROM radscheduler.appointments WHERE id = $second")" SCHEDULED
expect "the conflicts of the other booking" "$(demo_sql "SELECT conflicts FROM radscheduler.appointments WHERE id = $second")" "[]"
say "the conflict is closed and the other booking stands"

step "The demo runs"
cat <<TEXT
MLLP        localhost:$DEMO_MLLP_PORT          try: cd simulator && python send-hl7.py load-test --port $DEMO_MLLP_PORT
HTTP        $DEMO_URL     try: curl $DEMO_URL/health
                                     curl '$DEMO_URL/api/appointments?date=2024-01-15&modality=MRI'
                                     curl $DEMO_URL/api/analytics/dashboard
Redis       localhost:$redis_port         try: redis-cli -p $redis_port PSUBSCRIBE 'radsched:*'
PostgreSQL  make psql
Logs        $CLUSTER_DIR/radschedulerd.log
Stop        make demo-stop
TEXT
