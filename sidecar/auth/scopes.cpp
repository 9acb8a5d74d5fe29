#include "auth/scopes.hpp"

#include <algorithm>
#include <array>

namespace radscheduler::sidecar::auth {
namespace {

constexpr std::array<std::string_view, 3> actions{"read", "write", "admin"};

} // namespace

const std::vector<std::string_view>& known_scopes() {
    static const std::vector<std::string_view> list{"appointments:read", "appointments:write",
                                                    "slots:read",        "conflicts:override",
                                                    "hl7:ingest",        "hl7:read",
                                                    "hl7:replay",        "analytics:read",
                                                    "events:read",       "config:read",
                                                    "config:write",      "audit:read",
                                                    "phi:read",          "admin:*"};
    return list;
}

std::string canonical_scope(std::string_view scope) {
    const auto colon = scope.find(':');
    const auto first = scope.substr(0, colon);
    if (colon != std::string_view::npos && std::find(actions.begin(), actions.end(), first) != actions.end() &&
        first != "admin") {
        return std::string(scope.substr(colon + 1)) + ":" + std::string(first);
    }
    return std::string(scope);
}

bool covers(const std::vector<std::string>& held, std::string_view needed) {
    if (needed.empty()) {
        return true;
    }
    const auto area = std::string(needed.substr(0, needed.find(':'))) + ":*";
    return std::any_of(held.begin(), held.end(), [&](const std::string& one) {
        const auto scope = canonical_scope(one);
        return scope == needed || scope == area || scope == "admin:*" || scope == "*";
    });
}

} // namespace radscheduler::sidecar::auth
