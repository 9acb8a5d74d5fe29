#include "http/health_report.hpp"

#include <nlohmann/json.hpp>

namespace radscheduler::sidecar::http {
namespace {

constexpr std::int64_t tolerated_lag_ms = 10'000;

} // namespace

HealthReport make_report(const Probes& probes, const Counters& counters, std::string_view timestamp,
                         std::string_view version) {
    using Json = nlohmann::ordered_json;
    const bool database_good = probes.database_answers && probes.database_problem.empty();
    const bool redis_good = !probes.redis_on || (probes.redis_connected && probes.relay_lag_ms < tolerated_lag_ms);
    HealthReport report;
    report.serving = database_good;
    report.status = !database_good                                             ? "unhealthy"
                    : !redis_good || !probes.mllp_listening || probes.draining ? "degraded"
                                                                               : "healthy";
    Json json;
    json["status"] = report.status;
    json["timestamp"] = timestamp;
    json["version"] = version;
    json["services"] = {
        {"database", probes.database_answers ? "connected" : "disconnected"},
        {"redis", !probes.redis_on         ? "off"
                  : probes.redis_connected ? "connected"
                                           : "disconnected"},
        {"websocket", "off"},
        {"mllp", probes.mllp_listening ? "listening" : "closed"},
    };

    Json database;
    if (!probes.database_problem.empty()) {
        database["problem"] = probes.database_problem;
    }
    const auto said = Json::parse(probes.database_json, nullptr, false);
    if (said.is_object()) {
        database.update(said);
    }
    database["latency_ms"] = probes.database_ms;
    database["pool"] = {{"size", probes.pool.size},
                        {"connected", probes.pool.connected},
                        {"idle", probes.pool.idle},
                        {"waiting", probes.pool.waiters}};
    Json redis = Json::object();
    if (probes.redis_on) {
        redis["last_reply_ms_ago"] = probes.redis_silence_ms;
        redis["relay_lag_ms"] = probes.relay_lag_ms;
        redis["published"] = counters.relay_published.value();
        redis["failures"] = counters.relay_failures.value();
        redis["wake_listening"] = probes.wake_listening;
    }
    json["details"] = {
        {"uptime_s", probes.uptime_seconds},
        {"draining", probes.draining},
        {"database", database},
        {"redis", redis},
        {"mllp",
         {{"connections", counters.mllp_connections_now.value()},
          {"connections_total", counters.mllp_connections.value()},
          {"connections_refused", counters.mllp_connections_refused.value()},
          {"messages", counters.mllp_messages.value()},
          {"acks_positive", counters.mllp_acks_positive.value()},
          {"acks_negative", counters.mllp_acks_negative.value()},
          {"held", counters.mllp_held.value()},
          {"unanswered", counters.mllp_unanswered.value()},
          {"junk_bytes", counters.mllp_junk_bytes.value()},
          {"empty_frames", counters.mllp_empty_frames.value()},
          {"half_frames", counters.mllp_half_frames.value()},
          {"too_large", counters.mllp_too_large.value()},
          {"not_mllp", counters.mllp_not_mllp.value()}}},
        {"http",
         {{"connections", counters.http_connections_now.value()},
          {"requests", counters.http_requests.value()},
          {"errors", counters.http_errors.value()}}},
    };
    report.json = json.dump(-1, ' ', false, Json::error_handler_t::replace);
    return report;
}

} // namespace radscheduler::sidecar::http
