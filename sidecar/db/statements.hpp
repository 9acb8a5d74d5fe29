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
    health,
    maintain,
    relay_fetch,
    relay_advance,
    count_,
};

struct Statement {
    const char* name;
    const char* sql;
};

inline constexpr std::size_t statement_count = static_cast<std::size_t>(StatementId::count_);

inline constexpr std::array<Statement, statement_count> statements{{
    {"rs_ingest", "SELECT r.message_id, r.ack, r.code, r.outcome, r.appointment_id "
                  "FROM radscheduler.ingest($1::bytea, 'mllp'::text, $2::text) AS r"},
    {"rs_ingest_batch", "SELECT r.message_id, r.ack, r.code, r.outcome, r.appointment_id "
                        "FROM radscheduler.ingest_batch($1::bytea[], 'mllp'::text, $2::text[]) AS r"},
    // For a listener of one site: the setting narrows this statement to it.
    {"rs_ingest_at", "WITH c AS MATERIALIZED (SELECT pg_catalog.set_config('radscheduler.site', $3::text, true)) "
                     "SELECT r.message_id, r.ack, r.code, r.outcome, r.appointment_id "
                     "FROM c, LATERAL radscheduler.ingest($1::bytea, CASE WHEN c.set_config IS NULL THEN '' ELSE "
                     "'mllp' END, $2::text) AS r"},
    {"rs_ingest_batch_at",
     "WITH c AS MATERIALIZED (SELECT pg_catalog.set_config('radscheduler.site', $3::text, true)) "
     "SELECT r.message_id, r.ack, r.code, r.outcome, r.appointment_id "
     "FROM c, LATERAL radscheduler.ingest_batch($1::bytea[], CASE WHEN c.set_config IS NULL THEN '' ELSE 'mllp' END, "
     "$2::text[]) AS r"},
    {"rs_quarantine",
     "SELECT radscheduler.quarantine($1::bytea, $2::text, $3::text, $4::bigint, $5::bigint, $6::text)"},
    {"rs_appointment", "SELECT r.status, r.content_type, r.body FROM radscheduler.api_hl7_appointment($1::bytea) AS r"},
    {"rs_raw",
     "SELECT r.status, r.content_type, r.body FROM radscheduler.api_hl7_raw($1::bytea, $2::text, $3::text) AS r"},
    {"rs_simulate", "SELECT r.status, r.content_type, r.body FROM radscheduler.api_hl7_simulate($1::bytea) AS r"},
    {"rs_appointments", "SELECT r.status, r.content_type, r.body FROM radscheduler.api_appointments($1::jsonb) AS r"},
    {"rs_dashboard", "SELECT r.status, r.content_type, r.body FROM radscheduler.api_dashboard($1::jsonb) AS r"},
    {"rs_health", "SELECT radscheduler.health()"},
    {"rs_maintain", "SELECT radscheduler.maintain()"},
    {"rs_fetch",
     "SELECT f.cursor, f.channel, f.payload FROM radscheduler.relay_fetch('redis'::text, $1::integer) AS f"},
    {"rs_advance", "SELECT radscheduler.relay_advance('redis'::text, $1::text)"},
}};

inline constexpr const Statement& statement(StatementId id) {
    return statements[static_cast<std::size_t>(id)];
}

} // namespace radscheduler::sidecar::db
