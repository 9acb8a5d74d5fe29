// How work for others stands: what /metrics shows beside the counters.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace radscheduler::sidecar {

// Tasks that are not done, as count_tasks() tells.
struct TaskCount {
    std::string kind;
    std::string state;
    double tasks = 0;
    double oldest_seconds = 0;
};

struct WorkState {
    std::vector<TaskCount> tasks; // when somebody last looked; empty when the database did not say
    std::size_t link_connections = 0;
};

} // namespace radscheduler::sidecar
