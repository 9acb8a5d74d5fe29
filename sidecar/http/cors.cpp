#include "http/cors.hpp"

#include <algorithm>

#include "obs/text.hpp"

namespace radscheduler::sidecar::http {
namespace {

bool is_listed(const std::vector<std::string>& origins, std::string_view origin) {
    return std::find(origins.begin(), origins.end(), origin) != origins.end();
}

// scheme://host[:port], lower case, nothing after it.
bool is_origin(std::string_view text) {
    for (const std::string_view scheme : {"https://", "http://"}) {
        if (text.substr(0, scheme.size()) == scheme) {
            const auto host = text.substr(scheme.size());
            return !host.empty() &&
                   host.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-:[]") == std::string_view::npos;
        }
    }
    return false;
}

} // namespace

Origins read_origins(std::string_view text) {
    Origins origins;
    while (!text.empty()) {
        const auto comma = std::min(text.find(','), text.size());
        const auto one = trim(text.substr(0, comma));
        text.remove_prefix(std::min(text.size(), comma + 1));
        if (!is_origin(one)) {
            origins.problem = "it must be origins separated by commas, each scheme://host or scheme://host:port in "
                              "lower case, such as https://console.example.org; * is not taken";
            return origins;
        }
        origins.list.emplace_back(one);
    }
    return origins;
}

Headers cors_headers(const std::vector<std::string>& origins, std::string_view origin) {
    Headers headers;
    if (origins.empty()) {
        return headers;
    }
    headers.emplace_back("Vary", "Origin");
    if (!origin.empty() && is_listed(origins, origin)) {
        headers.emplace_back("Access-Control-Allow-Origin", std::string(origin));
        headers.emplace_back("Access-Control-Expose-Headers",
                             "ETag, Link, Location, Retry-After, Idempotency-Replayed");
    }
    return headers;
}

Headers preflight_headers(const std::vector<std::string>& origins, std::string_view origin, std::string_view allow) {
    Headers headers;
    if (!origin.empty() && is_listed(origins, origin)) {
        headers.emplace_back("Access-Control-Allow-Methods", std::string(allow));
        headers.emplace_back("Access-Control-Allow-Headers",
                             "Accept, Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Prefer, "
                             "traceparent, X-API-Key");
        headers.emplace_back("Access-Control-Max-Age", "600");
    }
    return headers;
}

} // namespace radscheduler::sidecar::http
