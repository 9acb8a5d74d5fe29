// A request as api_call() takes it, and what is refused before.
#include "http/call.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace {

using namespace radscheduler::sidecar;
using namespace radscheduler::sidecar::http;

constexpr Route booking = create("/api/v1/appointments", "appointments:write", "api_v1_appointments_book");
constexpr Route patch = change("PATCH", "/api/v1/appointments/{id}", "appointments:write", "api_v1_appointments_patch");
constexpr Route get = read("/api/v1/appointments/{id}", "appointments:read", "api_v1_appointments_get");

Request request_of(const Route& route) {
    Request request;
    request.route = &route;
    request.path = "/api/v1/appointments/12";
    request.principal.kind = auth::Principal::Kind::api_key;
    request.principal.scopes = {"appointments:read"};
    return request;
}

std::string code_of(const std::optional<Response>& response) {
    return response ? nlohmann::json::parse(response->body.view()).at("code").get<std::string>() : "";
}

TEST(Call, AsksForAKeyWhereSomethingNewIsMade) {
    auto request = request_of(booking);
    EXPECT_EQ(code_of(refuse_call(request)), "idempotency_key_required");
    EXPECT_EQ(refuse_call(request)->status, 400U);
    request.idempotency_key = "5b1c";
    EXPECT_FALSE(refuse_call(request));
    for (const auto& bad : {std::string(256, 'k'), std::string("a\tb"), std::string("\xff")}) {
        request.idempotency_key = bad;
        EXPECT_EQ(code_of(refuse_call(request)), "invalid_idempotency_key");
    }
}

TEST(Call, AsksForTheVersionWhereSomethingIsChanged) {
    auto request = request_of(patch);
    EXPECT_EQ(refuse_call(request)->status, 428U);
    request.if_match = "*";
    EXPECT_FALSE(refuse_call(request));
}

TEST(Call, RefusesAQueryThatIsNoText) {
    auto request = request_of(get);
    request.query = Payload("from=%zz");
    EXPECT_EQ(code_of(refuse_call(request)), "bad_query");
}

TEST(Call, SaysWhatWasSentAndNothingElse) {
    auto request = request_of(get);
    request.params.emplace_back("id", "12");
    request.query = Payload("status=A&status=B&limit=5");
    request.if_match = " \"3\" ";
    request.if_none_match = "\"4\"";
    const auto json = nlohmann::json::parse(call_json(request));
    EXPECT_EQ(json, nlohmann::json::parse(R"({"path": "/api/v1/appointments/12", "scopes": ["appointments:read"],
        "params": {"id": "12"}, "query": {"status": ["A", "B"], "limit": "5"}, "if_match": "3", "if_none_match": "\"4\""})"));
}

TEST(Call, GivesEverythingToSomebodyWhoWasLetInWithoutACredential) {
    auto request = request_of(get);
    request.principal = {};
    EXPECT_EQ(nlohmann::json::parse(call_json(request)).at("scopes"), nlohmann::json::array({"*"}));
}

TEST(Call, StaysJsonWhateverAHeaderHolds) {
    auto request = request_of(get);
    request.if_match = "\xff\xfe";
    request.if_none_match = "\"";
    EXPECT_TRUE(nlohmann::json::accept(call_json(request)));
}

TEST(Call, ReadsOneStrongEntityTag) {
    EXPECT_EQ(version_of("\"3\""), "3");
    EXPECT_EQ(version_of("*"), "*");
    for (const auto* other : {"3", "W/\"3\"", "\"3\", \"4\"", "\"", ""}) {
        EXPECT_EQ(version_of(other), other);
    }
}

TEST(Call, LetsNoHeaderBreakOutOfItsLine) {
    const auto headers =
        read_headers(R"({"ETag": "\"3\"", "X\r\nEvil": "1", "Link": "a\r\nSet-Cookie: x", "N": 5, "": "x"})");
    ASSERT_EQ(headers.size(), 1U);
    EXPECT_EQ(headers[0].first, "ETag");
    EXPECT_TRUE(read_headers("[]").empty());
    EXPECT_TRUE(read_headers("").empty());
}

} // namespace
