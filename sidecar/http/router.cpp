#include "http/router.hpp"

#include <algorithm>
#include <array>

#include "obs/text.hpp"

namespace radscheduler::sidecar::http {
namespace {

struct Route {
    std::string_view method;
    std::string_view path;
    RouteId id;
    BodyKind body;
    std::string_view scope;
};

constexpr std::array<Route, 11> routes{{
    {"POST", "/api/hl7/appointment", RouteId::hl7_appointment, BodyKind::json, "hl7:ingest"},
    {"POST", "/api/hl7/raw", RouteId::hl7_raw, BodyKind::hl7, "hl7:ingest"},
    {"POST", "/api/hl7/simulate", RouteId::hl7_simulate, BodyKind::json, "hl7:ingest"},
    {"GET", "/api/appointments", RouteId::appointments, BodyKind::none, "appointments:read"},
    {"GET", "/api/analytics/dashboard", RouteId::dashboard, BodyKind::none, "analytics:read"},
    {"GET", "/health", RouteId::health, BodyKind::none, ""},
    {"GET", "/health/live", RouteId::health_live, BodyKind::none, ""},
    {"GET", "/health/ready", RouteId::health_ready, BodyKind::none, ""},
    {"POST", "/api/v1/auth/login", RouteId::login, BodyKind::json, ""},
    {"GET", "/api/v1/auth/me", RouteId::me, BodyKind::none, any_credential},
    {"GET", "/metrics", RouteId::metrics, BodyKind::none, ""},
}};

constexpr std::array<std::string_view, 1> json_types{"application/json"};
constexpr std::array<std::string_view, 4> hl7_types{"text/plain", "application/hl7-v2", "x-application/hl7-v2+er7",
                                                    "application/json"};

// "http://host/path" to "/path": proxies send the absolute form.
std::string_view without_origin(std::string_view target) {
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (target.substr(0, scheme.size()) == scheme) {
            const auto slash = target.find('/', scheme.size());
            return slash == std::string_view::npos ? "/" : target.substr(slash);
        }
    }
    return target;
}

} // namespace

Match match(std::string_view method, std::string_view target) {
    Match result;
    target = without_origin(target);
    const auto question = target.find('?');
    auto path = target.substr(0, question);
    if (question != std::string_view::npos) {
        result.query = target.substr(question + 1);
        result.query = result.query.substr(0, result.query.find('#'));
    }
    if (path.size() > 1 && path.back() == '/') {
        path.remove_suffix(1);
    }
    const auto wanted = method == "HEAD" ? std::string_view("GET") : method;
    for (const auto& route : routes) {
        if (route.path != path) {
            continue;
        }
        result.path = route.path;
        if (route.method == wanted) {
            result.kind = Match::Kind::found;
            result.route = route.id;
            result.body = route.body;
            result.scope = route.scope;
            result.head = method == "HEAD";
            return result;
        }
        result.kind = Match::Kind::method_not_allowed;
        result.allow +=
            (result.allow.empty() ? "" : ", ") + std::string(route.method == "GET" ? "GET, HEAD" : route.method);
    }
    return result;
}

std::string media_type(std::string_view header) {
    return lower_ascii(trim(header.substr(0, header.find(';'))));
}

bool takes(BodyKind kind, std::string_view media_type) {
    if (kind == BodyKind::none || media_type.empty()) {
        return true;
    }
    if (kind == BodyKind::json) {
        return std::find(json_types.begin(), json_types.end(), media_type) != json_types.end();
    }
    return std::find(hl7_types.begin(), hl7_types.end(), media_type) != hl7_types.end();
}

std::string_view taken_types(BodyKind kind) {
    return kind == BodyKind::hl7 ? "text/plain, application/hl7-v2, x-application/hl7-v2+er7 or application/json"
                                 : "application/json";
}

} // namespace radscheduler::sidecar::http
