// Sends many invented messages over several connections and measures what comes back.
#pragma once

#include <cstdint>
#include <string>

#include "net/asio.hpp"

namespace radscheduler::sidecar::tools {

struct LoadOptions {
    std::string host;
    std::uint16_t port = 0;
    Milliseconds timeout{10'000};
    std::uint64_t connections = 1;
    std::uint64_t messages = 100; // over all connections
    double rate = 0;              // messages per second over all connections; 0: as fast as answers come
    bool colliding = false;
};

struct LoadResult {
    std::uint64_t sent = 0;
    std::uint64_t positive = 0; // AA, CA
    std::uint64_t negative = 0; // any other acknowledgement
    std::uint64_t lost = 0;     // no acknowledgement, or one for another message
    double seconds = 0;
    double p50_ms = 0;
    double p95_ms = 0;
    double p99_ms = 0;
    double max_ms = 0;
    std::string first_problem;
};

LoadResult run_load(const LoadOptions& options);

std::string to_text(const LoadOptions& options, const LoadResult& result);
std::string to_json(const LoadOptions& options, const LoadResult& result);

} // namespace radscheduler::sidecar::tools
