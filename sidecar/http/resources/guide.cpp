// The guide's API: its paths and envelopes, for what was written against it.
#include <array>

#include "http/route.hpp"

namespace radscheduler::sidecar::http {
namespace {

constexpr Route message(std::string_view path, RouteId id, BodyKind body, AnswerKind answer = AnswerKind::json) {
    Route route{"POST", path, "hl7:ingest"};
    route.id = id;
    route.body = body;
    route.answer = answer;
    return route;
}

constexpr Route query(std::string_view path, std::string_view scope, RouteId id) {
    Route route{"GET", path, scope};
    route.id = id;
    return route;
}

constexpr std::array routes{
    message("/api/hl7/appointment", RouteId::hl7_appointment, BodyKind::json),
    message("/api/hl7/raw", RouteId::hl7_raw, BodyKind::hl7, AnswerKind::hl7_or_json),
    message("/api/hl7/simulate", RouteId::hl7_simulate, BodyKind::json),
    ask("/api/schedule", "appointments:write", "api_schedule"),
    query("/api/appointments", "appointments:read", RouteId::appointments),
    ask("/api/appointments", "appointments:write", "api_schedule"),
    read("/api/appointments/latest", "appointments:read", "api_appointment_latest"),
    read("/api/appointments/stats/today", "appointments:read", "api_stats_today"),
    read("/api/appointments/{id}", "appointments:read", "api_appointment"),
    set("PATCH", "/api/appointments/{id}", "appointments:write", "api_appointment_patch"),
    set("DELETE", "/api/appointments/{id}", "appointments:write", "api_appointment_cancel"),
    query("/api/analytics/dashboard", "analytics:read", RouteId::dashboard),
    read("/api/analytics/utilization", "analytics:read", "api_utilization"),
    read("/api/analytics/performance", "analytics:read", "api_performance"),
};

} // namespace

std::span<const Route> guide_routes() {
    return routes;
}

} // namespace radscheduler::sidecar::http
