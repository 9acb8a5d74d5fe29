// Which events a follower asked for. No I/O.
// Invariants: what is not understood is refused, never passed over: a filter that does not filter shows too much. A
// filter on the schedule (modality, resource, time) holds when one side of an event satisfies all of it, so that
// somebody who follows a scanner hears of what comes and of what leaves; it leaves out events that lie nowhere in the
// schedule.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "live/event.hpp"

namespace radscheduler::sidecar::live {

// An instant in milliseconds, or a day at the site; neither is open.
using Bound = std::variant<std::monostate, std::int64_t, std::string>;

struct Filter {
    std::vector<std::string> types;     // "appointment.created", "appointment.*" or "*"; none: all
    std::vector<std::string> modality;  // upper case; none: all
    std::vector<std::string> resources; // names or numbers, upper case; none: all
    std::vector<std::string> locations; // of resources, upper case; none: all
    Bound from;                         // what ends after it
    Bound to;                           // what begins before it

    bool matches(const Event& event) const;
};

// 2031-05-05 or an RFC 3339 instant with its offset; false for anything else.
bool read_bound(std::string_view text, Bound& bound);

// One word of `types`: letters, digits, _ and dots, or a family and ".*", or "*".
bool is_type_pattern(std::string_view text);

// Adds what a key of a filter says (types, modality, resource, location, from, to); the reason when it is refused.
std::string add_to_filter(Filter& filter, std::string_view key, const std::vector<std::string>& words);

// A filter object of a client frame; the reason when it is refused.
std::string read_filter(const nlohmann::json& object, Filter& filter);

} // namespace radscheduler::sidecar::live
