// What a client of radsched.v1 says: one JSON object in each frame. No I/O.
// Invariant: anything outside of the protocol is a Fault with a sentence; no input throws.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "live/cursor.hpp"
#include "live/filter.hpp"

namespace radscheduler::sidecar::live {

struct AuthOp {
    std::string token;
};
struct SubscribeOp {
    std::string id;
    Filter filter;
    std::optional<Place> since;
};
struct UnsubscribeOp {
    std::string id;
};
struct PingOp {
    std::string t; // a JSON number or text, as it was sent
};
struct Fault {
    std::string code; // stable: bad_frame, unknown_op, invalid_subscription
    std::string detail;
    std::string id; // of the subscription, when it was told
};
using ClientOp = std::variant<Fault, AuthOp, SubscribeOp, UnsubscribeOp, PingOp>;

ClientOp read_client_frame(std::string_view text);

} // namespace radscheduler::sidecar::live
