// Which route a request means. No I/O, no allocation worth naming.
// Invariant: a path that exists with other methods gives method_not_allowed with their list; HEAD goes where GET goes.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace radscheduler::sidecar::http {

enum class RouteId {
    hl7_appointment,
    hl7_raw,
    hl7_simulate,
    appointments,
    dashboard,
    health,
    health_live,
    health_ready,
    metrics,
    login,
    me,
};

// The scope of a route that takes any credential, whatever it may do.
inline constexpr std::string_view any_credential = "*";

// What kind of body a route takes.
enum class BodyKind { none, json, hl7 };

struct Match {
    enum class Kind { found, not_found, method_not_allowed };
    Kind kind = Kind::not_found;
    RouteId route = RouteId::health;
    BodyKind body = BodyKind::none;
    std::string_view scope; // what a credential must hold; empty: open to everybody
    bool head = false;      // answer without a body
    std::string_view path;  // the route's own path, safe to log; empty when not found
    std::string_view query; // part of the target given
    std::string allow;      // for method_not_allowed
};

Match match(std::string_view method, std::string_view target);

// The media type of a Content-Type header: lower case, without parameters.
std::string media_type(std::string_view header);

// True when a route with this kind of body takes this media type. An absent type (empty) is taken.
bool takes(BodyKind kind, std::string_view media_type);

// The media types a kind of body takes, for people.
std::string_view taken_types(BodyKind kind);

} // namespace radscheduler::sidecar::http
