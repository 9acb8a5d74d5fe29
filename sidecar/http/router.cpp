#include "http/router.hpp"

#include <algorithm>
#include <array>

#include "http/query.hpp"
#include "obs/text.hpp"

namespace radscheduler::sidecar::http {
namespace {

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

// The first segment of a path without its slash; the path loses it.
std::string_view take_segment(std::string_view& path) {
    path.remove_prefix(1);
    const auto segment = path.substr(0, path.find('/'));
    path.remove_prefix(segment.size());
    return segment;
}

bool fits(std::string_view pattern, std::string_view path) {
    if (pattern.find('{') == std::string_view::npos) {
        return pattern == path;
    }
    while (!pattern.empty() && !path.empty()) {
        if (pattern.front() != '/' || path.front() != '/') {
            return false;
        }
        const auto wanted = take_segment(pattern);
        const auto given = take_segment(path);
        const bool any = !wanted.empty() && wanted.front() == '{';
        if (any ? given.empty() : wanted != given) {
            return false;
        }
    }
    return pattern.empty() && path.empty();
}

// False when a segment is no text.
bool read_params(std::string_view pattern, std::string_view path, Match& result) {
    while (!pattern.empty()) {
        const auto wanted = take_segment(pattern);
        const auto given = take_segment(path);
        if (!wanted.empty() && wanted.front() == '{') {
            auto value = percent_decode(given, false);
            if (!value || !is_storable_text(*value)) {
                return false;
            }
            result.params.emplace_back(wanted.substr(1, wanted.size() - 2), std::move(*value));
        }
    }
    return true;
}

void allow(Match& result, std::string_view method) {
    result.allow += (result.allow.empty() ? "" : ", ") + std::string(method == "GET" ? "GET, HEAD" : method);
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
    result.sent = path;
    const auto wanted = method == "HEAD" ? std::string_view("GET") : method;
    for (const auto file : all_routes()) {
        for (const auto& route : file) {
            // The first template that fits is the path; its methods stand together.
            if (result.path.empty() ? !fits(route.path, path) : route.path != result.path) {
                continue;
            }
            result.path = route.path;
            allow(result, route.method);
            if (route.method == wanted) {
                result.route = &route;
            }
        }
    }
    if (result.path.empty()) {
        return result;
    }
    allow(result, "OPTIONS");
    if (method == "OPTIONS") {
        result.kind = Match::Kind::options;
    } else if (result.route == nullptr) {
        result.kind = Match::Kind::method_not_allowed;
    } else if (!read_params(result.path, path, result)) {
        result.kind = Match::Kind::bad_path;
    } else {
        result.kind = Match::Kind::found;
        result.head = method == "HEAD";
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
