// How long each statement took, with waiting for its answer, over all sessions.
#pragma once

#include <array>

#include "db/statements.hpp"
#include "obs/counter.hpp"

namespace radscheduler::sidecar::db {

inline std::array<Durations, statement_count>& query_times() {
    static std::array<Durations, statement_count> times;
    return times;
}

} // namespace radscheduler::sidecar::db
