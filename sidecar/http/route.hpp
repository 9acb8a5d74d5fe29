// One route as data: what a request must look like, what a credential must hold, and which SQL function answers.
// The routes themselves are in resources/, one file for each kind of thing.
#pragma once

#include <span>
#include <string_view>

namespace radscheduler::sidecar::http {

// What answers. `sql` is any function of api_call(); the others have code of their own in api.cpp.
enum class RouteId {
    sql,
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
    openapi_json,
    openapi_yaml,
    docs,
};

// What kind of body a route takes.
enum class BodyKind { none, json, hl7 };

// What a route answers with.
enum class AnswerKind { json, hl7_or_json, text, yaml, html };

// The scope of a route that takes any credential, whatever it may do.
inline constexpr std::string_view any_credential = "*";

struct Route {
    std::string_view method;
    std::string_view path;       // a template: {id} is one segment
    std::string_view scope;      // what a credential must hold; empty: open to everybody
    std::string_view function{}; // of SQL, for RouteId::sql
    RouteId id = RouteId::sql;
    BodyKind body = BodyKind::none;
    AnswerKind answer = AnswerKind::json;
    bool needs_key = false;     // does something that must not happen twice: Idempotency-Key is asked for
    bool needs_version = false; // changes what somebody else may have changed: If-Match is asked for
};

constexpr Route read(std::string_view path, std::string_view scope, std::string_view function) {
    Route route{"GET", path, scope, function};
    return route;
}

// A POST that changes nothing, or nothing more when it is repeated.
constexpr Route ask(std::string_view path, std::string_view scope, std::string_view function) {
    Route route{"POST", path, scope, function};
    route.body = BodyKind::json;
    return route;
}

// A POST that makes something new each time.
constexpr Route create(std::string_view path, std::string_view scope, std::string_view function) {
    auto route = ask(path, scope, function);
    route.needs_key = true;
    return route;
}

// A change of a version that was read.
constexpr Route change(std::string_view method, std::string_view path, std::string_view scope,
                       std::string_view function) {
    Route route{method, path, scope, function};
    route.body = method == "DELETE" ? BodyKind::none : BodyKind::json;
    route.needs_version = true;
    return route;
}

// A change that needs no version: the last one counts.
constexpr Route set(std::string_view method, std::string_view path, std::string_view scope, std::string_view function) {
    auto route = change(method, path, scope, function);
    route.needs_version = false;
    return route;
}

// All of them. Where a segment may be a word or {id}, the word stands first.
std::span<const std::span<const Route>> all_routes();

// By file of resources/.
std::span<const Route> service_routes();     // health, metrics, sign-in, documents
std::span<const Route> guide_routes();       // the guide's API
std::span<const Route> appointment_routes(); // appointments, slots, holds, patients
std::span<const Route> conflict_routes();
std::span<const Route> setup_routes();   // resources, hours, blocks, procedures, the configuration
std::span<const Route> message_routes(); // senders, messages, quarantine, events, figures
std::span<const Route> access_routes();  // users, keys, audit

} // namespace radscheduler::sidecar::http
