// Method and target to route, and which bodies a route takes.
#include "http/router.hpp"

#include <tuple>

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
        ASSERT_NE(match.route, nullptr) << path;
        EXPECT_EQ(match.route->id, route) << path;
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
    EXPECT_EQ(post_only.allow, "POST, OPTIONS");
    const auto get_only = match("DELETE", "/api/v1/conflicts?id=1");
    EXPECT_EQ(get_only.kind, Kind::method_not_allowed);
    EXPECT_EQ(get_only.allow, "GET, HEAD, OPTIONS");
}

TEST(Router, KnowsNothingElse) {
    for (const auto* target : {"/", "", "/api", "/api/hl7", "/API/appointments", "/healthz", "*", "/health%2Flive",
                               "//health", "/health/../health"}) {
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

TEST(Router, ReadsWhatStandsInPlaceOfAName) {
    const auto one = match("GET", "/api/v1/appointments/12/history?limit=1");
    ASSERT_EQ(one.kind, Kind::found);
    EXPECT_EQ(one.route->function, "api_v1_appointments_history");
    EXPECT_EQ(one.params, (std::vector<std::pair<std::string, std::string>>{{"id", "12"}}));
    EXPECT_EQ(one.path, "/api/v1/appointments/{id}/history");
    EXPECT_EQ(one.sent, "/api/v1/appointments/12/history");
    EXPECT_EQ(match("GET", "/api/v1/appointments/a%2Fb%20c").params.at(0).second, "a/b c");
}

TEST(Router, PrefersAWordToAName) {
    EXPECT_EQ(match("GET", "/api/appointments/latest").route->function, "api_appointment_latest");
    EXPECT_EQ(match("DELETE", "/api/appointments/latest").kind, Kind::method_not_allowed);
    EXPECT_EQ(match("DELETE", "/api/appointments/7").route->function, "api_appointment_cancel");
    EXPECT_EQ(match("POST", "/api/v1/appointments/check").params.size(), 0U);
}

TEST(Router, RefusesAPathThatIsNoText) {
    for (const auto* target : {"/api/v1/appointments/%", "/api/v1/appointments/%4", "/api/v1/appointments/%zz",
                               "/api/v1/appointments/%00", "/api/v1/appointments/%ff"}) {
        EXPECT_EQ(match("GET", target).kind, Kind::bad_path) << target;
    }
    EXPECT_EQ(match("GET", "/api/v1/appointments//history").kind, Kind::not_found);
}

TEST(Router, ListsTheMethodsOfAPathForOptions) {
    const auto one = match("OPTIONS", "/api/v1/appointments/12");
    EXPECT_EQ(one.kind, Kind::options);
    EXPECT_EQ(one.allow, "GET, HEAD, PATCH, OPTIONS");
    EXPECT_EQ(match("OPTIONS", "/api/v1/nothing").kind, Kind::not_found);
}

TEST(Router, EveryRouteIsFoundByItsOwnPath) {
    for (const auto file : all_routes()) {
        for (const auto& route : file) {
            std::string path(route.path);
            for (auto at = path.find('{'); at != std::string::npos; at = path.find('{')) {
                path.replace(at, path.find('}', at) - at + 1, "7");
            }
            const auto found = match(route.method, path);
            ASSERT_EQ(found.kind, Kind::found) << route.method << " " << path;
            EXPECT_EQ(found.route, &route) << route.method << " " << path;
            EXPECT_EQ(route.function.empty(), route.id != RouteId::sql) << path;
        }
    }
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
