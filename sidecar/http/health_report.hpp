// The answer of GET /health, made from probes. No I/O in here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "db/pool.hpp"
#include "obs/counters.hpp"
#include "obs/work_state.hpp"

namespace radscheduler::sidecar::http {

struct Probes {
    // Database
    bool database_answers = false;
    std::string database_problem; // a sentence without patient data; empty when good
    std::string database_json;    // what radscheduler.health() said; empty when it did not
    double database_ms = 0;
    db::PoolState pool;
    // Redis
    bool redis_on = false;
    bool redis_connected = false;
    std::int64_t redis_silence_ms = 0;
    std::int64_t relay_lag_ms = 0;
    bool wake_listening = false;
    // Listeners
    bool mllp_listening = false;
    bool draining = false;
    WorkState work;
    std::int64_t uptime_seconds = 0;
};

struct HealthReport {
    bool serving = false; // false: status 503
    std::string status;   // healthy, degraded, unhealthy
    std::string json;
};

HealthReport make_report(const Probes& probes, const Counters& counters, std::string_view timestamp,
                         std::string_view version);

} // namespace radscheduler::sidecar::http
