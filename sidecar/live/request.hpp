// What the URL of a stream or a WebSocket asks for. No I/O.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/query.hpp"
#include "live/cursor.hpp"
#include "live/filter.hpp"

namespace radscheduler::sidecar::live {

struct StreamRequest {
    Filter filter;
    std::optional<Place> since; // of the header Last-Event-ID where there is one, else of ?since=
    std::string ticket;
    bool expand = false;
    bool legacy = false;
    bool heartbeat = false; // a WebSocket client that cannot see pings
    std::string problem;    // a sentence; empty when all is understood
};

// Lists are separated by commas or given several times. What is not known is a problem.
StreamRequest read_stream_request(const http::Query& query, std::string_view last_event_id);

// Whether a page of an origin may connect: none (no browser), the server's own, or a listed one.
bool may_connect(std::string_view origin, std::string_view host, const std::vector<std::string>& listed);

} // namespace radscheduler::sidecar::live
