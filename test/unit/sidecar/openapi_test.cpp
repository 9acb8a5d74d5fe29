// The routes and docs/openapi.yaml name the same: paths, methods, scopes, what is asked for.
#include <map>
#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "http/documents.hpp"
#include "http/router.hpp"

namespace {

using namespace radscheduler::sidecar::http;
using nlohmann::json;

const json& description() {
    static const json document = json::parse(documents::openapi_json);
    return document;
}

std::string lower(std::string_view method) {
    std::string text(method);
    for (auto& c : text) {
        c = static_cast<char>(std::tolower(c));
    }
    return text;
}

bool asks_for(const json& operation, std::string_view name) {
    const auto parameters = operation.value("parameters", json::array());
    for (const auto& one : parameters) {
        const json& parameter =
            one.contains("$ref") ? description().at(json::json_pointer(one["$ref"].get<std::string>().substr(1))) : one;
        if (parameter.at("name") == name) {
            return parameter.value("required", false);
        }
    }
    return false;
}

TEST(OpenApi, DescribesEveryRouteAndNoOther) {
    std::set<std::string> routes;
    std::set<std::string> described;
    for (const auto file : all_routes()) {
        for (const auto& route : file) {
            EXPECT_TRUE(routes.insert(lower(route.method) + " " + std::string(route.path)).second) << route.path;
        }
    }
    for (const auto& [path, item] : description().at("paths").items()) {
        for (const auto& [method, operation] : item.items()) {
            if (method != "parameters") {
                described.insert(method + " " + path);
            }
        }
    }
    EXPECT_EQ(routes, described);
}

TEST(OpenApi, SaysWhatEachRouteAsksFor) {
    for (const auto file : all_routes()) {
        for (const auto& route : file) {
            const auto& operation = description().at("paths").at(std::string(route.path)).at(lower(route.method));
            const auto where = std::string(route.method) + " " + std::string(route.path);
            EXPECT_EQ(operation.at("x-scope").get<std::string>(), route.scope) << where;
            EXPECT_EQ(asks_for(operation, "Idempotency-Key"), route.needs_key) << where;
            EXPECT_EQ(asks_for(operation, "If-Match"), route.needs_version) << where;
            EXPECT_EQ(operation.contains("requestBody"), route.body != BodyKind::none) << where;
            EXPECT_EQ(operation.contains("security"), route.scope.empty()) << where;
        }
    }
}

TEST(OpenApi, IsServedAsTextAndAsAPageWithoutScripts) {
    EXPECT_NE(documents::openapi_yaml.find("openapi: 3.1.0"), std::string_view::npos);
    EXPECT_EQ(documents::docs_page.find("<script"), std::string_view::npos);
    EXPECT_EQ(documents::docs_page.find("http://"), std::string_view::npos);
    EXPECT_EQ(documents::docs_page.find("https://"), std::string_view::npos);
    EXPECT_NE(documents::docs_policy.find("style-src 'sha256-"), std::string_view::npos);
    EXPECT_NE(documents::docs_page.find("/api/v1/appointments/{id}"), std::string_view::npos);
}

} // namespace
