// Method and target to route, and which bodies a route takes.
#include "http/router.hpp"

#include <gtest/gtest.h>

namespace {

using namespace radscheduler::sidecar::http;
using Kind = Match::Kind;

TEST(Router, FindsEveryRoute) {
    const std::vector<std::tuple<std::string, std::string, RouteId>> table{
        {"POST", "/api/hl7/appointment", RouteId::hl7_appointment},
        {"POST", "/api/hl7/raw", RouteId::hl7_raw},
        {"POST", "/api/hl7/simulate", RouteId::hl7_simulate},
        {"GET", "/api/appointments", RouteId::appointments},
        {"GET", "/api/analytics/dashboard", RouteId::dashboard},
        {"GET", "/health", RouteId::health},
        {"GET", "/health/live", RouteId::health_live},
        {"GET", "/health/ready", RouteId::health_ready},
    };
    for (const auto& [method, path, route] : table) {
        const auto match = radscheduler::sidecar::http::match(method, path);
        EXPECT_EQ(match.kind, Kind::found) << path;
        EXPECT_EQ(match.route, route) << path;
        EXPECT_EQ(match.path, path);
        EXPECT_FALSE(match.head);
    }
}

TEST(Router, SplitsTheQueryOff) {
    const std::string target = "/api/appointments?date=2024-01-15&modality=MRI#x";
    const auto found = match("GET", target);
    EXPECT_EQ(found.kind, Kind::found);
    EXPECT_EQ(found.path, "/api/appointments");
    EXPECT_EQ(found.query, "date=2024-01-15&modality=MRI");
}

TEST(Router, AnswersHeadWhereItAnswersGet) {
    const auto found = match("HEAD", "/health");
    EXPECT_EQ(found.kind, Kind::found);
    EXPECT_TRUE(found.head);
    EXPECT_EQ(match("HEAD", "/api/hl7/raw").kind, Kind::method_not_allowed);
}

TEST(Router, NamesTheMethodsOfAPath) {
    const auto post_only = match("GET", "/api/hl7/raw");
    EXPECT_EQ(post_only.kind, Kind::method_not_allowed);
    EXPECT_EQ(post_only.allow, "POST");
    const auto get_only = match("DELETE", "/api/appointments?id=1");
    EXPECT_EQ(get_only.kind, Kind::method_not_allowed);
    EXPECT_EQ(get_only.allow, "GET, HEAD");
}

TEST(Router, KnowsNothingElse) {
    for (const auto* target : {"/", "", "/api", "/api/hl7", "/API/appointments", "/api/appointments/1", "/healthz", "*",
                               "/health%2Flive", "//health", "/health/../health"}) {
        EXPECT_EQ(match("GET", target).kind, Kind::not_found) << target;
        EXPECT_EQ(match("GET", target).path, "") << target;
    }
}

TEST(Router, ForgivesOneSlashAtTheEndAndAnAbsoluteTarget) {
    EXPECT_EQ(match("GET", "/api/appointments/").kind, Kind::found);
    EXPECT_EQ(match("GET", "/api/appointments//").kind, Kind::not_found);
    EXPECT_EQ(match("GET", "http://host:3001/health?x=1").kind, Kind::found);
    EXPECT_EQ(match("GET", "http://host").kind, Kind::not_found);
}

TEST(Router, TreatsMethodsByCase) {
    EXPECT_EQ(match("get", "/health").kind, Kind::method_not_allowed);
}

TEST(MediaType, IsReadWithoutParametersInLowerCase) {
    EXPECT_EQ(media_type("Application/JSON; charset=utf-8"), "application/json");
    EXPECT_EQ(media_type("  text/plain  "), "text/plain");
    EXPECT_EQ(media_type(""), "");
}

TEST(MediaType, IsTakenByKindOfBody) {
    EXPECT_TRUE(takes(BodyKind::json, "application/json"));
    EXPECT_TRUE(takes(BodyKind::json, ""));
    EXPECT_FALSE(takes(BodyKind::json, "text/plain"));
    for (const auto* type : {"text/plain", "application/hl7-v2", "x-application/hl7-v2+er7", "application/json", ""}) {
        EXPECT_TRUE(takes(BodyKind::hl7, type)) << type;
    }
    EXPECT_FALSE(takes(BodyKind::hl7, "application/xml"));
    EXPECT_FALSE(takes(BodyKind::hl7, "application/x-www-form-urlencoded"));
    EXPECT_TRUE(takes(BodyKind::none, "anything/else"));
}

} // namespace
