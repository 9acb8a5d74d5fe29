// Writing members, and what requests, patient and order messages bring.
#include "json_members.hpp"

namespace radscheduler::siu {

void member(JsonWriter& json, std::string_view name, const Text& text) {
    if (text.absent()) return;
    json.key(name);
    if (text.null) {
        json.null();
    } else {
        json.text(text.value);
    }
}

void member(JsonWriter& json, std::string_view name, const std::optional<int>& number) {
    if (!number) return;
    json.key(name);
    json.number(*number);
}

void member(JsonWriter& json, std::string_view name, const CodedText& coded) {
    if (!coded.null && coded.code.absent() && coded.text.absent()) return;
    json.key(name);
    if (coded.null) {
        json.null();
        return;
    }
    json.begin_object();
    member(json, "code", coded.code);
    member(json, "text", coded.text);
    json.end_object();
}

void member(JsonWriter& json, std::string_view name, const std::vector<std::string>& list) {
    if (list.empty()) return;
    json.key(name);
    json.begin_array();
    for (const std::string& item : list)
        json.text(item);
    json.end_array();
}

void write_identifiers(JsonWriter& json, const std::vector<SiuIdentifier>& identifiers) {
    json.key("identifiers");
    json.begin_array();
    for (const SiuIdentifier& identifier : identifiers) {
        json.begin_object();
        member(json, "value", identifier.value);
        member(json, "authority", identifier.authority);
        member(json, "type", identifier.type);
        json.end_object();
    }
    json.end_array();
}

void write_request(JsonWriter& json, const SiuRequest& request) {
    const auto write_criteria = [&json](std::string_view name, const std::vector<SiuCriterion>& criteria) {
        if (criteria.empty()) return;
        json.key(name);
        json.begin_array();
        for (const SiuCriterion& criterion : criteria) {
            json.begin_object();
            member(json, "name", criterion.name);
            member(json, "value", criterion.value);
            json.end_object();
        }
        json.end_array();
    };
    json.key("request");
    json.begin_object();
    json.key("windows");
    json.begin_array();
    for (const SiuWindow& window : request.windows) {
        json.begin_object();
        json.member("path", window.path);
        member(json, "from", window.from);
        member(json, "until", window.until);
        json.end_object();
    }
    json.end_array();
    write_criteria("times", request.times);
    write_criteria("resources", request.resources);
    write_criteria("locations", request.locations);
    write_criteria("overrides", request.overrides);
    member(json, "spacing_minutes", request.spacing_minutes);
    json.end_object();
}

void write_merges(JsonWriter& json, const std::vector<SiuMerge>& merges) {
    const auto write_side = [&json](std::string_view name, const SiuMerge::Side& side) {
        json.key(name);
        json.begin_object();
        json.member("path", side.path);
        write_identifiers(json, side.identifiers);
        json.end_object();
    };
    json.key("merges");
    json.begin_array();
    for (const SiuMerge& merge : merges) {
        json.begin_object();
        write_side("into", merge.into);
        write_side("from", merge.from);
        json.end_object();
    }
    json.end_array();
}

void write_orders(JsonWriter& json, const std::vector<SiuOrder>& orders) {
    json.key("orders");
    json.begin_array();
    for (const SiuOrder& order : orders) {
        json.begin_object();
        json.member("path", order.path);
        member(json, "control", order.control);
        member(json, "placer_id", order.placer_id);
        member(json, "filler_id", order.filler_id);
        member(json, "group_id", order.group_id);
        member(json, "status", order.status);
        member(json, "code", order.code);
        member(json, "text", order.text);
        member(json, "accession", order.accession);
        member(json, "modality", order.modality);
        member(json, "priority", order.priority);
        member(json, "wanted_at", order.wanted_at);
        member(json, "ordered_by", order.ordered_by);
        member(json, "reason", order.reason);
        json.end_object();
    }
    json.end_array();
}

} // namespace radscheduler::siu
