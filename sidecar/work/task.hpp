// Work that was handed out: tasks of one queue, in their order, under a lease (radscheduler.claim_tasks).
#pragma once

#include <string>
#include <vector>

#include "net/asio.hpp"
#include "obs/payload.hpp"

namespace radscheduler::sidecar::work {

struct TaskId {
    std::string site;
    std::string number;
};

struct ClaimedTask {
    TaskId id;
    int attempts = 0; // before this one
    Payload payload;
    std::string link; // the row of its link in JSON; empty without one
};

struct Run {
    std::string kind;
    std::string queue;
    Milliseconds lease{60'000};
    std::vector<ClaimedTask> tasks; // at least one
};

} // namespace radscheduler::sidecar::work
