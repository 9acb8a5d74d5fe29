#include "link/route.hpp"

#include <nlohmann/json.hpp>

namespace radscheduler::sidecar::link {
namespace {

using Json = nlohmann::json;

std::string text(const Json& row, const char* key) {
    const auto found = row.find(key);
    return found != row.end() && found->is_string() ? found->get<std::string>() : std::string();
}

} // namespace

std::optional<Route> read_route(std::string_view json) {
    const auto row = Json::parse(json, nullptr, false);
    if (!row.is_object()) {
        return std::nullopt;
    }
    try {
        Route route;
        route.name = text(row, "name");
        route.host = text(row, "host");
        route.port = row.at("port").get<std::uint16_t>();
        route.tls = row.at("tls").get<bool>();
        route.verify = row.at("tls_verify").get<bool>();
        route.server_name = text(row, "tls_name");
        route.ca = text(row, "tls_ca");
        route.certificate = text(row, "tls_certificate");
        route.key = text(row, "tls_key");
        route.connect_time = std::chrono::seconds(row.at("connect_seconds").get<int>());
        route.answer_time = std::chrono::seconds(row.at("answer_seconds").get<int>());
        route.accept_codes = row.at("accept_codes").get<std::vector<std::string>>();
        route.retries_refused = text(row, "on_refusal") == "retry";
        return route.host.empty() ? std::nullopt : std::optional(route);
    } catch (const Json::exception&) {
        return std::nullopt;
    }
}

std::optional<std::string> file_in(const std::string& folder, const std::string& name) {
    if (folder.empty() || name.empty() || name[0] == '.' || name.find('/') != std::string::npos) {
        return std::nullopt;
    }
    return folder + "/" + name;
}

} // namespace radscheduler::sidecar::link
