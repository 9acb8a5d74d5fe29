// The fate of one message between its arrival and its answer. A state machine without socket and database.
//
// Rules: an answer is sent only after the database has committed. Trouble that passes means waiting and trying again,
// never a negative answer. Trouble that does not pass, a peer that has gone, or a shutdown ends the connection without
// an answer: the sender still has its message and sends it again.
#pragma once

#include <chrono>
#include <cstdint>

#include "net/backoff.hpp"

namespace radscheduler::sidecar::mllp {

class Delivery {
public:
    enum class Event { start, committed, transient_failure, permanent_failure, slept, peer_closed, shutting_down };
    enum class Action { attempt, sleep, answer, give_up };
    struct Step {
        Action action;
        std::chrono::milliseconds delay{0}; // only for sleep
    };

    Delivery(std::chrono::milliseconds first_wait, std::chrono::milliseconds longest_wait)
        : backoff_(first_wait, longest_wait) {}

    Step resume(Event event, std::uint64_t random);

    int attempts() const { return attempts_; }
    // True when the message had to wait for the database.
    bool held() const { return held_; }

private:
    Backoff backoff_;
    int attempts_ = 0;
    bool held_ = false;
    bool finished_ = false;
};

} // namespace radscheduler::sidecar::mllp
