// What was done for others, as numbers (part of Counters).
#pragma once

#include <array>
#include <string_view>

#include "obs/counter.hpp"
#include "obs/trigger_counts.hpp"

namespace radscheduler::sidecar {

struct WorkCounters {
    // What came of tries, in the order of link::Outcome.
    static constexpr std::array<std::string_view, 6> outcomes{"done",     "refused",   "deferred",
                                                              "not_sent", "no_answer", "broken"};
    std::array<Counter, outcomes.size()> attempts;       // of the kind hl7_out
    std::array<TriggerCounts, outcomes.size()> messages; // of those, what was sent
    Durations answer_seconds;                            // from the first byte of a message to its answer
    Counter link_connects;
    Counter link_connect_failures;
};

// Whether a try with this outcome sent a message.
constexpr bool was_sent(std::string_view outcome) {
    return outcome != "not_sent" && outcome != "broken";
}

} // namespace radscheduler::sidecar
