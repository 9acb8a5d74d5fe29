#include "auth/strict_json.hpp"

#include <set>
#include <string>
#include <vector>

namespace radscheduler::sidecar::auth {
namespace {

constexpr int deepest = 16;

} // namespace

std::optional<nlohmann::json> read_object(std::string_view text) {
    bool repeated = false;
    bool too_deep = false;
    std::vector<std::set<std::string>> keys;
    const nlohmann::json::parser_callback_t watch = [&](int depth, nlohmann::json::parse_event_t event,
                                                        nlohmann::json& parsed) {
        using Event = nlohmann::json::parse_event_t;
        too_deep = too_deep || depth > deepest;
        if (event == Event::object_start) {
            keys.emplace_back();
        } else if (event == Event::object_end) {
            keys.pop_back();
        } else if (event == Event::key) {
            repeated = repeated || !keys.back().insert(parsed.get<std::string>()).second;
        }
        return true;
    };
    auto value = nlohmann::json::parse(text, watch, false);
    if (value.is_discarded() || !value.is_object() || repeated || too_deep) {
        return std::nullopt;
    }
    return value;
}

} // namespace radscheduler::sidecar::auth
