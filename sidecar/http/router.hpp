// Which route a request means. No I/O.
// Invariants: a path that exists with other methods gives method_not_allowed with their list; HEAD goes where GET goes;
// OPTIONS gives the list. What stands in place of {id} is handed on decoded, and checked by whoever uses it.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/route.hpp"

namespace radscheduler::sidecar::http {

struct Match {
    enum class Kind { found, not_found, method_not_allowed, options, bad_path };
    Kind kind = Kind::not_found;
    const Route* route = nullptr;                            // when found
    std::vector<std::pair<std::string, std::string>> params; // by name in the template
    bool head = false;                                       // answer without a body
    std::string_view path;  // the route's own path, safe to log; empty when there is none
    std::string_view sent;  // part of the target given: the path as it was sent, without a last slash
    std::string_view query; // part of the target given
    std::string allow;      // methods of the path, for all but not_found
};

Match match(std::string_view method, std::string_view target);

// The media type of a Content-Type header: lower case, without parameters.
std::string media_type(std::string_view header);

// True when a route with this kind of body takes this media type. An absent type (empty) is taken.
bool takes(BodyKind kind, std::string_view media_type);

// The media types a kind of body takes, for people.
std::string_view taken_types(BodyKind kind);

} // namespace radscheduler::sidecar::http
