// Appointments and what leads to them: free times, holds, patients.
#include <array>

#include "http/route.hpp"

namespace radscheduler::sidecar::http {
namespace {

constexpr std::string_view reader = "appointments:read";
constexpr std::string_view writer = "appointments:write";

constexpr Route status(std::string_view path) {
    return ask(path, writer, "api_v1_appointments_status");
}

constexpr std::array routes{
    read("/api/v1/appointments", reader, "api_v1_appointments_list"),
    create("/api/v1/appointments", writer, "api_v1_appointments_book"),
    ask("/api/v1/appointments/check", writer, "api_v1_appointments_check"),
    read("/api/v1/appointments/{id}", reader, "api_v1_appointments_get"),
    change("PATCH", "/api/v1/appointments/{id}", writer, "api_v1_appointments_patch"),
    ask("/api/v1/appointments/{id}/check", writer, "api_v1_appointments_check"),
    read("/api/v1/appointments/{id}/history", reader, "api_v1_appointments_history"),
    read("/api/v1/appointments/{id}/conflicts", reader, "api_v1_appointments_conflicts"),
    read("/api/v1/appointments/{id}/rules", reader, "api_v1_appointments_rules"),
    status("/api/v1/appointments/{id}/confirm"),
    status("/api/v1/appointments/{id}/arrive"),
    status("/api/v1/appointments/{id}/start"),
    status("/api/v1/appointments/{id}/complete"),
    status("/api/v1/appointments/{id}/discontinue"),
    status("/api/v1/appointments/{id}/no-show"),
    status("/api/v1/appointments/{id}/cancel"),
    status("/api/v1/appointments/{id}/reopen"),
    ask("/api/v1/appointments/{id}/override", "conflicts:override", "api_v1_appointments_override"),
    ask("/api/v1/slots/search", "slots:read", "api_v1_slots_search"),
    read("/api/v1/holds", reader, "api_v1_holds_list"),
    create("/api/v1/holds", writer, "api_v1_holds_create"),
    read("/api/v1/holds/{id}", reader, "api_v1_holds_get"),
    set("DELETE", "/api/v1/holds/{id}", writer, "api_v1_holds_release"),
    ask("/api/v1/patients/search", reader, "api_v1_patients_search"),
};

} // namespace

std::span<const Route> appointment_routes() {
    return routes;
}

} // namespace radscheduler::sidecar::http
