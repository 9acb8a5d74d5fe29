// Conflicts, and the ways out of them.
#include <array>

#include "http/route.hpp"

namespace radscheduler::sidecar::http {
namespace {

constexpr std::array routes{
    read("/api/v1/conflicts", "appointments:read", "api_v1_conflicts_list"),
    ask("/api/v1/conflicts/recheck", "appointments:write", "api_v1_conflicts_recheck"),
    read("/api/v1/conflicts/{id}", "appointments:read", "api_v1_conflicts_get"),
    ask("/api/v1/conflicts/{id}/accept", "conflicts:override", "api_v1_conflicts_accept"),
    ask("/api/v1/conflicts/{id}/override", "conflicts:override", "api_v1_conflicts_override"),
    ask("/api/v1/conflicts/{id}/resolve", "appointments:write", "api_v1_conflicts_resolve"),
};

} // namespace

std::span<const Route> conflict_routes() {
    return routes;
}

} // namespace radscheduler::sidecar::http
