// Sends many invented messages over several connections and measures what comes back.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "mllp/client.hpp"
#include "tools/latency.hpp"
#include "tools/load_plan.hpp"

namespace radscheduler::sidecar::tools {

struct LoadOptions {
    mllp::Destination to;
    std::uint64_t connections = 1;
    std::uint64_t messages = 100; // over all connections; 0: until the time is over
    double seconds = 0;           // no new message after that; 0: until all are sent
    double rate = 0;              // messages per second over all connections; 0: as fast as answers come
    std::uint64_t warm_up = 0;    // so many of the messages, or before the time begins, are sent but not measured
    std::uint64_t burst = 1;      // messages a connection sends before it waits for their answers
    bool colliding = false;
    LoadMix mix;
    std::uint64_t seed = 1;
    bool progress = false; // a line on standard error while it runs
};

struct LoadResult {
    std::string run; // what the ids of its messages begin with
    std::uint64_t sent = 0;
    std::uint64_t positive = 0; // AA, CA
    std::uint64_t negative = 0; // any other acknowledgement
    std::uint64_t lost = 0;     // no acknowledgement, or one for another message
    std::map<std::string, std::uint64_t> codes;
    std::map<std::string_view, std::uint64_t> events; // sent, by name
    std::uint64_t measured = 0;                       // answers after the warm-up
    double seconds = 0;                               // since the warm-up
    Latencies latencies; // at a rate from the moment a message was due, so that waiting for its turn counts too
    std::string first_problem;
};

LoadResult run_load(const LoadOptions& options);

} // namespace radscheduler::sidecar::tools
