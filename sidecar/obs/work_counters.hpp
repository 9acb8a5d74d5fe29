// What was done for others, as numbers (part of Counters).
#pragma once

#include <array>
#include <string_view>

#include "obs/counter.hpp"

namespace radscheduler::sidecar {

struct WorkCounters {
    // What came of tries, in the order of link::Outcome.
    static constexpr std::array<std::string_view, 6> outcomes{"done",     "refused",   "deferred",
                                                              "not_sent", "no_answer", "broken"};
    std::array<Counter, outcomes.size()> attempts; // of the kind hl7_out
    Durations answer_seconds;                      // from the first byte of a message to its answer
    Counter link_connects;
    Counter link_connect_failures;
};

} // namespace radscheduler::sidecar
