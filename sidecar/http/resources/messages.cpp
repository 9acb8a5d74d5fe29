// Who sends and what was received: senders, messages, the quarantine; and what happened, as events and figures.
#include <array>

#include "http/route.hpp"

namespace radscheduler::sidecar::http {
namespace {

constexpr std::string_view reader = "hl7:read";
constexpr std::string_view figures = "analytics:read";

constexpr std::array routes{
    read("/api/v1/senders", "config:read", "api_v1_senders_list"),
    create("/api/v1/senders", "config:write", "api_v1_senders_create"),
    read("/api/v1/senders/{id}", "config:read", "api_v1_senders_get"),
    change("PATCH", "/api/v1/senders/{id}", "config:write", "api_v1_senders_patch"),
    read("/api/v1/senders/{id}/report", reader, "api_v1_senders_report"),
    read("/api/v1/hl7/messages", reader, "api_v1_messages_list"),
    ask("/api/v1/hl7/messages/dry-run", "hl7:ingest", "api_v1_messages_try"),
    ask("/api/v1/hl7/messages/replay", "hl7:replay", "api_v1_messages_replay"),
    read("/api/v1/hl7/messages/{id}", reader, "api_v1_messages_get"),
    read("/api/v1/hl7/messages/{id}/raw", reader, "api_v1_messages_raw"),
    read("/api/v1/hl7/quarantine", reader, "api_v1_quarantine_list"),
    read("/api/v1/hl7/quarantine/{id}", reader, "api_v1_quarantine_get"),
    set("DELETE", "/api/v1/hl7/quarantine/{id}", "hl7:replay", "api_v1_quarantine_drop"),
    read("/api/v1/hl7/quarantine/{id}/raw", reader, "api_v1_quarantine_raw"),
    ask("/api/v1/hl7/quarantine/{id}/replay", "hl7:replay", "api_v1_quarantine_ingest"),
    read("/api/v1/events", "events:read", "api_v1_events_list"),
    read("/api/v1/analytics/utilization", figures, "api_v1_analytics_utilization"),
    read("/api/v1/analytics/appointments", figures, "api_v1_analytics_appointments"),
    read("/api/v1/analytics/messages", figures, "api_v1_analytics_messages"),
    read("/api/v1/analytics/third-next-available", figures, "api_v1_analytics_third_next"),
};

} // namespace

std::span<const Route> message_routes() {
    return routes;
}

} // namespace radscheduler::sidecar::http
