// GET /health: what makes it healthy, degraded or unhealthy, and the shape that clients know.
#include "http/health_report.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace {

using namespace radscheduler::sidecar;
using namespace radscheduler::sidecar::http;

Probes good() {
    Probes probes;
    probes.database_answers = true;
    probes.database_json = R"({"extension":"0.1","schema_version":1})";
    probes.mllp_listening = true;
    return probes;
}

nlohmann::json json_of(const Probes& probes) {
    Counters counters;
    counters.mllp_messages.add(7);
    return nlohmann::json::parse(make_report(probes, counters, "2024-01-15T10:00:00.000Z", "0.1.0").json);
}

HealthReport report_of(const Probes& probes) {
    Counters counters;
    return make_report(probes, counters, "t", "v");
}

TEST(HealthReport, IsHealthyWithoutRedis) {
    const auto json = json_of(good());
    EXPECT_EQ(json["status"], "healthy");
    EXPECT_EQ(json["timestamp"], "2024-01-15T10:00:00.000Z");
    EXPECT_EQ(json["version"], "0.1.0");
    EXPECT_EQ(json["services"]["database"], "connected");
    EXPECT_EQ(json["services"]["redis"], "off");
    EXPECT_EQ(json["services"]["websocket"], "off");
    EXPECT_EQ(json["services"]["mllp"], "listening");
    EXPECT_EQ(json["details"]["database"]["schema_version"], 1);
    EXPECT_EQ(json["details"]["mllp"]["messages"], 7);
    EXPECT_TRUE(report_of(good()).serving);
}

TEST(HealthReport, IsUnhealthyWithoutTheDatabase) {
    auto probes = good();
    probes.database_answers = false;
    probes.database_json.clear();
    probes.database_problem = "PostgreSQL does not answer.";
    EXPECT_FALSE(report_of(probes).serving);
    EXPECT_EQ(json_of(probes)["status"], "unhealthy");
    EXPECT_EQ(json_of(probes)["services"]["database"], "disconnected");
}

TEST(HealthReport, IsUnhealthyWithoutTheExtension) {
    auto probes = good();
    probes.database_problem = "fails with SQLSTATE 42883";
    EXPECT_FALSE(report_of(probes).serving);
    EXPECT_EQ(json_of(probes)["services"]["database"], "connected");
    EXPECT_EQ(json_of(probes)["details"]["database"]["problem"], "fails with SQLSTATE 42883");
}

TEST(HealthReport, IsDegradedWhenRedisIsAwayOrFarBehind) {
    auto probes = good();
    probes.redis_on = true;
    EXPECT_EQ(report_of(probes).status, "degraded");
    EXPECT_TRUE(report_of(probes).serving);
    EXPECT_EQ(json_of(probes)["services"]["redis"], "disconnected");
    probes.redis_connected = true;
    EXPECT_EQ(report_of(probes).status, "healthy");
    probes.relay_lag_ms = 60'000;
    EXPECT_EQ(report_of(probes).status, "degraded");
}

TEST(HealthReport, IsDegradedWhileDrainingOrDeaf) {
    auto draining = good();
    draining.draining = true;
    EXPECT_EQ(report_of(draining).status, "degraded");
    auto deaf = good();
    deaf.mllp_listening = false;
    EXPECT_EQ(report_of(deaf).status, "degraded");
    EXPECT_EQ(json_of(deaf)["services"]["mllp"], "closed");
}

TEST(HealthReport, SurvivesNonsenseFromTheDatabase) {
    auto probes = good();
    probes.database_json = "not json";
    EXPECT_EQ(report_of(probes).status, "healthy");
}

} // namespace
