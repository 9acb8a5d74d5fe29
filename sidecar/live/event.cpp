#include "live/event.hpp"

#include <nlohmann/json.hpp>

namespace radscheduler::sidecar::live {
namespace {

using Json = nlohmann::json;

std::string dump(const auto& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::vector<std::string> words(const Json& facet, const char* key) {
    std::vector<std::string> list;
    const auto found = facet.find(key);
    if (found != facet.end() && found->is_array()) {
        for (const auto& word : *found) {
            if (word.is_string()) {
                list.push_back(word.get<std::string>());
            }
        }
    }
    return list;
}

std::optional<std::int64_t> number(const Json& facet, const char* key) {
    const auto found = facet.find(key);
    return found != facet.end() && found->is_number_integer() ? std::optional(found->get<std::int64_t>())
                                                              : std::nullopt;
}

std::string text(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string_view legacy_name(std::string_view type, const Json& data) {
    if (type == "appointment.created") {
        return "appointment_created";
    }
    if (type.substr(0, 12) == "appointment.") {
        return "appointment_updated";
    }
    if (type == "conflict.detected") {
        return text(data, "severity") == "critical" ? std::string_view("critical_conflict_detected")
                                                    : std::string_view();
    }
    if (type == "hl7.received" || type == "hl7.processed") {
        return "hl7_received";
    }
    if (type == "hl7.rejected") {
        return "hl7_error";
    }
    if (type == "notification.sent") {
        return "sms_sent";
    }
    return type == "stats.updated" ? std::string_view("stats_update") : std::string_view();
}

} // namespace

std::vector<Facet> read_facets(std::string_view json) {
    std::vector<Facet> facets;
    const auto list = Json::parse(json, nullptr, false);
    if (!list.is_array()) {
        return facets;
    }
    for (const auto& one : list) {
        if (one.is_object()) {
            Facet facet;
            facet.modality = words(one, "m");
            facet.resources = words(one, "r");
            facet.locations = words(one, "l");
            facet.from = number(one, "f");
            facet.to = number(one, "t");
            facet.first_day = text(one, "a");
            facet.last_day = text(one, "b");
            facets.push_back(std::move(facet));
        }
    }
    return facets;
}

std::shared_ptr<const std::string> legacy_form(std::string_view type, std::string_view payload) {
    const auto event = Json::parse(payload, nullptr, false);
    if (!event.is_object()) {
        return nullptr;
    }
    const auto data = event.value("data", Json::object());
    const auto name = legacy_name(type, data);
    if (name.empty()) {
        return nullptr;
    }
    nlohmann::ordered_json form;
    form["type"] = std::string(name);
    form["timestamp"] = text(event, "time");
    form["data"] = data;
    return std::make_shared<const std::string>(dump(form));
}

std::shared_ptr<const std::string> with_data(std::string_view payload, std::string_view key, std::string_view extra) {
    auto event = Json::parse(payload, nullptr, false);
    auto value = Json::parse(extra, nullptr, false);
    if (event.is_object() && !value.is_discarded()) {
        event["data"][std::string(key)] = std::move(value);
    }
    return std::make_shared<const std::string>(dump(event));
}

} // namespace radscheduler::sidecar::live
