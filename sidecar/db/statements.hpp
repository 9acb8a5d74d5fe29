// Every SQL statement of the daemon. Each is prepared once per connection, on first use.
#pragma once

#include <array>
#include <cstddef>

namespace radscheduler::sidecar::db {

enum class StatementId {
    ingest,
    ingest_batch,
    ingest_at,
    ingest_batch_at,
    quarantine,
    api_hl7_appointment,
    api_hl7_raw,
    api_hl7_simulate,
    api_appointments,
    api_dashboard,
    aggregate_place,
    api_call,
    health,
    admit_api_key,
    login_of,
    note_login,
    maintain,
    claim_tasks,
    begin_task,
    finish_task,
    release_tasks,
    extend_leases,
    count_tasks,
    relay_lag,
    relay_aggregates,
    relay_page,
    profile_faults,
    relay_advance,
    live_enter,
    live_ticket,
    live_redeem,
    live_head,
    live_events,
    live_backlog,
    live_expand,
    live_lapsed,
    count_,
};

struct Statement {
    const char* name;
    const char* sql;
};

// Something asked in somebody's name ($1 site, $2 actor, $3 login, $4 token version, $5 trace:
// http/in_the_name_of.hpp), in one statement and so in one transaction. It is asked once act_as() has set the site and
// the actor, and not at all (no row) when the login no longer counts. The call must depend on a column of `parameters`
// (p): nothing else keeps the planner from asking it first.
// NOLINTNEXTLINE(cppcoreguidelines-macro-usage): string literals are joined
#define RADSCHED_COLUMNS_AS_PRINCIPAL(columns, parameters, call)                                                       \
    "SELECT " columns " FROM radscheduler.act_as($1::text, $2::text, $3::text, $4::integer, $5::text) AS a(ok) "       \
    "CROSS JOIN LATERAL (SELECT " parameters " WHERE a.ok OFFSET 0) AS p CROSS JOIN LATERAL " call " AS r"
// The same for a function of the API, which gives an http_reply.
// NOLINTNEXTLINE(cppcoreguidelines-macro-usage): string literals are joined
#define RADSCHED_AS_PRINCIPAL(parameters, call)                                                                        \
    RADSCHED_COLUMNS_AS_PRINCIPAL("r.status, r.content_type, r.body, r.headers", parameters, call)

// For a listener of one site, or with a profile for new senders: settings of this statement. Without a site that of
// the session stays. NOLINTNEXTLINE(cppcoreguidelines-macro-usage): string literals are joined
#define RADSCHED_AT_LISTENER                                                                                           \
    "WITH c AS MATERIALIZED (SELECT pg_catalog.set_config('radscheduler.site', COALESCE(NULLIF($3::text, ''), "        \
    "pg_catalog.current_setting('radscheduler.site', true), ''), true), "                                              \
    "pg_catalog.set_config('radscheduler.new_sender_profile', $4::text, true) AS profile) "

// The codes of the conflicts that a message was told of, for counting. Most have none.
// NOLINTNEXTLINE(cppcoreguidelines-macro-usage): string literals are joined
#define RADSCHED_CODES                                                                                                 \
    "CASE WHEN r.conflicts <> '[]' THEN (SELECT pg_catalog.string_agg(c ->> 'code', ' ') FROM "                        \
    "pg_catalog.jsonb_array_elements(r.conflicts) AS c) END "

inline constexpr std::size_t statement_count = static_cast<std::size_t>(StatementId::count_);

inline constexpr std::array<Statement, statement_count> statements{{
    {"rs_ingest", "SELECT r.message_id, r.ack, r.code, r.outcome, r.appointment_id, " RADSCHED_CODES
                  "FROM radscheduler.ingest($1::bytea, 'mllp'::text, $2::text) AS r"},
    {"rs_ingest_batch", "SELECT r.message_id, r.ack, r.code, r.outcome, r.appointment_id, " RADSCHED_CODES
                        "FROM radscheduler.ingest_batch($1::bytea[], 'mllp'::text, $2::text[]) AS r"},
    {"rs_ingest_at",
     RADSCHED_AT_LISTENER "SELECT r.message_id, r.ack, r.code, r.outcome, r.appointment_id, " RADSCHED_CODES
                          "FROM c, LATERAL radscheduler.ingest($1::bytea, CASE WHEN c.set_config IS NULL THEN '' ELSE "
                          "'mllp' END, $2::text) AS r"},
    {"rs_ingest_batch_at", RADSCHED_AT_LISTENER
     "SELECT r.message_id, r.ack, r.code, r.outcome, r.appointment_id, " RADSCHED_CODES
     "FROM c, LATERAL radscheduler.ingest_batch($1::bytea[], CASE WHEN c.set_config IS NULL THEN '' ELSE 'mllp' END, "
     "$2::text[]) AS r"},
    {"rs_quarantine",
     "SELECT radscheduler.quarantine($1::bytea, $2::text, $3::text, $4::bigint, $5::bigint, $6::text)"},
    {"rs_appointment", RADSCHED_AS_PRINCIPAL("$6::bytea AS body", "radscheduler.api_hl7_appointment(p.body)")},
    {"rs_raw", RADSCHED_AS_PRINCIPAL("$6::bytea AS body, $7::text AS type, $8::text AS accept",
                                     "radscheduler.api_hl7_raw(p.body, p.type, p.accept)")},
    {"rs_simulate", RADSCHED_AS_PRINCIPAL("$6::bytea AS body", "radscheduler.api_hl7_simulate(p.body)")},
    {"rs_appointments", RADSCHED_AS_PRINCIPAL("$6::jsonb AS query", "radscheduler.api_appointments(p.query)")},
    {"rs_dashboard", RADSCHED_AS_PRINCIPAL("$6::jsonb AS query", "radscheduler.api_dashboard(p.query)")},
    {"rs_aggregate_place", RADSCHED_COLUMNS_AS_PRINCIPAL("r.key, r.mark, r.seconds", "$6::text AS name",
                                                         "radscheduler.aggregate_place(p.name)")},
    {"rs_call", RADSCHED_AS_PRINCIPAL("$6::text AS function, $7::jsonb AS request, $8::bytea AS body, $9::text AS key",
                                      "radscheduler.api_call(p.function, p.request, p.body, p.key, $2::text)")},
    {"rs_health", "SELECT radscheduler.health()"},
    {"rs_key", "SELECT k.site, pg_catalog.array_to_string(k.scopes, ' ') FROM radscheduler.admit_api_key($1::text, "
               "$2::bytea, $3::inet) AS k"},
    {"rs_login", "SELECT l.user_id, l.site, l.login, l.password_hash, pg_catalog.array_to_string(l.scopes, ' '), "
                 "l.token_version, l.closed_for "
                 "FROM radscheduler.login_of($1::text, $2::text) AS l"},
    {"rs_note_login", "SELECT radscheduler.note_login($1::text, $2::bigint, $3::boolean)"},
    {"rs_maintain", "SELECT radscheduler.maintain()"},
    {"rs_claim", "SELECT c.site_id, c.task_id, c.kind, c.queue, c.attempts, c.lease_seconds, c.payload, c.link "
                 "FROM radscheduler.claim_tasks($1::text, $2::text[], $3::integer) AS c"},
    {"rs_begin_task",
     "SELECT b.attempts, b.message FROM radscheduler.begin_task($1::text, $2::integer, $3::bigint) AS b"},
    {"rs_finish_task",
     "SELECT radscheduler.finish_task($1::text, $2::integer, $3::bigint, $4::integer, $5::text, $6::text)"},
    {"rs_release_tasks", "SELECT radscheduler.release_tasks($1::text, $2::bigint[])"},
    {"rs_extend_leases", "SELECT radscheduler.extend_leases($1::text, $2::bigint[])"},
    {"rs_count_tasks", "SELECT c.kind, c.state, c.tasks, c.oldest_seconds FROM radscheduler.count_tasks() AS c"},
    {"rs_lag",
     "SELECT (1000 * EXTRACT(epoch FROM l.lag))::bigint, l.waiting, (1000 * EXTRACT(epoch FROM l.held_lag))::bigint, "
     "l.holder_pid, (1000 * EXTRACT(epoch FROM l.holder_age))::bigint "
     "FROM radscheduler.relay_lag('redis'::text) AS l"},
    {"rs_aggregates", "SELECT a.key, a.value FROM radscheduler.relay_aggregates($1::text[]) AS a"},
    {"rs_page", "SELECT p.cursor, p.key, p.epoch_mark, p.type, p.payload "
                "FROM radscheduler.relay_page('redis'::text, $1::integer) AS p"},
    {"rs_profile_faults", "SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', f.key, f.fault), '; ') "
                          "FROM radscheduler.profile_faults($1::jsonb) AS f"},
    {"rs_advance", "SELECT radscheduler.relay_advance('redis'::text, $1::text)"},
    {"rs_live_enter",
     RADSCHED_COLUMNS_AS_PRINCIPAL("r.site_id, r.site", "a.ok AS entered",
                                   "(SELECT e.site_id, e.site FROM radscheduler.live_enter() AS e WHERE p.entered "
                                   "OFFSET 0)")},
    {"rs_live_ticket",
     RADSCHED_COLUMNS_AS_PRINCIPAL("r", "$6::text[] AS scopes, pg_catalog.to_timestamp($7::double precision) AS until",
                                   "radscheduler.create_stream_ticket($2::text, $3::text, $4::integer, p.scopes, "
                                   "p.until)")},
    {"rs_live_redeem",
     "SELECT t.site, t.principal, t.login, t.token_version, pg_catalog.array_to_string(t.scopes, ' '), "
     "EXTRACT(epoch FROM t.until)::bigint FROM radscheduler.redeem_stream_ticket($1::text) AS t"},
    {"rs_live_head", "SELECT h.epoch, h.cursor FROM radscheduler.event_head() AS h"},
    {"rs_live_events", "SELECT e.cursor, e.site_id, e.type, e.appointment_id, e.conflict_id, e.payload, e.facets "
                       "FROM radscheduler.live_events($1::text, $2::integer, true, $3::integer) AS e"},
    {"rs_live_backlog",
     "SELECT b.state, b.behind FROM radscheduler.live_backlog($1::text, $2::text, $3::integer) AS b"},
    {"rs_live_expand",
     RADSCHED_COLUMNS_AS_PRINCIPAL("r", "$6::text[] AS scopes, $7::bigint[] AS appointments, $8::bigint[] AS conflicts",
                                   "radscheduler.live_expand(p.scopes, p.appointments, p.conflicts)")},
    {"rs_live_lapsed",
     "SELECT l FROM radscheduler.live_lapsed($1::integer[], $2::text[], $3::text[], $4::integer[]) AS l"},
}};

inline constexpr const Statement& statement(StatementId id) {
    return statements[static_cast<std::size_t>(id)];
}

} // namespace radscheduler::sidecar::db
