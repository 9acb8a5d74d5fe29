#include "live/client_frame.hpp"

#include <algorithm>

#include "auth/strict_json.hpp"

namespace radscheduler::sidecar::live {
namespace {

using Json = nlohmann::json;

constexpr std::size_t longest_id = 64;
constexpr std::size_t longest_token = 8192;

std::string text_of(const Json& frame, const char* key) {
    const auto found = frame.find(key);
    return found != frame.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool is_id(const std::string& id) {
    return !id.empty() && id.size() <= longest_id &&
           std::all_of(id.begin(), id.end(), [](char c) { return c > ' ' && c < 0x7f && c != '"' && c != '\\'; });
}

// The first key that an operation does not have; a misspelt filter must not be passed over.
bool has_only(const Json& frame, std::initializer_list<std::string_view> keys) {
    for (const auto& [key, value] : frame.items()) {
        if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
            return false;
        }
    }
    return true;
}

ClientOp read_subscribe(const Json& frame) {
    SubscribeOp op;
    op.id = text_of(frame, "id");
    const auto fault = [&](std::string detail) {
        return Fault{"invalid_subscription", std::move(detail), is_id(op.id) ? op.id : std::string()};
    };
    if (!is_id(op.id)) {
        return fault("A subscription has an id of 1 to 64 printable characters, which its events name.");
    }
    if (!has_only(frame, {"op", "id", "types", "filter", "since", "epoch"})) {
        return fault("A subscription has id, types, filter, since and epoch.");
    }
    if (const auto types = frame.find("types"); types != frame.end()) {
        std::vector<std::string> words;
        if (types->is_array()) {
            for (const auto& word : *types) {
                words.push_back(word.is_string() ? word.get<std::string>() : std::string());
            }
        }
        if (auto problem = add_to_filter(op.filter, "types", words); !problem.empty()) {
            return fault(std::move(problem));
        }
    }
    if (const auto filter = frame.find("filter"); filter != frame.end()) {
        if (!filter->is_object()) {
            return fault("filter is an object with modality, resource, location, from and to.");
        }
        if (auto problem = read_filter(*filter, op.filter); !problem.empty()) {
            return fault(std::move(problem));
        }
    }
    const auto since = frame.find("since");
    if (since != frame.end()) {
        op.since = since->is_string() ? read_place(since->get<std::string>()) : std::nullopt;
        if (!op.since) {
            return fault("since is the cursor of the last event that was seen, as it was received.");
        }
    }
    if (const auto epoch = frame.find("epoch"); epoch != frame.end()) {
        const auto place = epoch->is_string() ? read_place(epoch->get<std::string>() + ":0-0") : std::nullopt;
        if (!place || !op.since || (!op.since->epoch.empty() && op.since->epoch != place->epoch)) {
            return fault("epoch is what hello said, and goes with since.");
        }
        op.since->epoch = place->epoch;
    }
    return op;
}

} // namespace

ClientOp read_client_frame(std::string_view text) {
    const auto frame = auth::read_object(text);
    if (!frame) {
        return Fault{"bad_frame", "A frame is one JSON object in UTF-8, no key twice, not nested deeper than 16.", {}};
    }
    const auto op = text_of(*frame, "op");
    if (op == "subscribe") {
        return read_subscribe(*frame);
    }
    if (op == "unsubscribe") {
        UnsubscribeOp found{text_of(*frame, "id")};
        return is_id(found.id) ? ClientOp(std::move(found))
                               : Fault{"invalid_subscription", "Say which with id.", std::string()};
    }
    if (op == "auth") {
        AuthOp found{text_of(*frame, "token")};
        return !found.token.empty() && found.token.size() <= longest_token
                   ? ClientOp(std::move(found))
                   : Fault{"bad_frame", "auth has a token: one of /api/v1/auth/login, or an API key.", std::string()};
    }
    if (op == "ping") {
        const auto t = frame->find("t");
        if (t == frame->end()) {
            return PingOp{"null"};
        }
        const bool plain = t->is_number() || t->is_string() || t->is_null();
        auto shown = plain ? t->dump(-1, ' ', false, Json::error_handler_t::replace) : std::string();
        return plain && shown.size() <= longest_id
                   ? ClientOp(PingOp{std::move(shown)})
                   : Fault{"bad_frame", "t of a ping is a number or a short text.", std::string()};
    }
    return Fault{"unknown_op", "op is one of subscribe, unsubscribe, ping and auth.", std::string()};
}

} // namespace radscheduler::sidecar::live
