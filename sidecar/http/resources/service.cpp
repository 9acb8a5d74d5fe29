// What the daemon answers about itself, and who somebody is.
#include <array>

#include "http/route.hpp"

namespace radscheduler::sidecar::http {
namespace {

constexpr Route own(std::string_view method, std::string_view path, std::string_view scope, RouteId id,
                    AnswerKind answer = AnswerKind::json) {
    Route route{method, path, scope};
    route.id = id;
    route.answer = answer;
    route.body = method == "POST" ? BodyKind::json : BodyKind::none;
    return route;
}

constexpr Route ticket() {
    auto route = own("POST", "/api/v1/stream-tickets", "events:read", RouteId::live_ticket);
    route.body = BodyKind::none;
    return route;
}

constexpr std::array routes{
    own("GET", "/health", "", RouteId::health),
    own("GET", "/health/live", "", RouteId::health_live),
    own("GET", "/health/ready", "", RouteId::health_ready),
    own("GET", "/metrics", "", RouteId::metrics, AnswerKind::text),
    own("POST", "/api/v1/auth/login", "", RouteId::login),
    own("GET", "/api/v1/auth/me", any_credential, RouteId::me),
    own("GET", "/ws", "", RouteId::live_socket), // asks for credentials in ways of its own
    own("GET", "/api/v1/ws", "", RouteId::live_socket),
    own("GET", "/api/v1/stream", "events:read", RouteId::live_stream, AnswerKind::events),
    ticket(),
    own("GET", "/api/openapi.json", "", RouteId::openapi_json),
    own("GET", "/api/openapi.yaml", "", RouteId::openapi_yaml, AnswerKind::yaml),
    own("GET", "/api/docs", "", RouteId::docs, AnswerKind::html),
};

} // namespace

std::span<const Route> service_routes() {
    return routes;
}

} // namespace radscheduler::sidecar::http
