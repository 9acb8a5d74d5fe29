// Keeps one connection alive: connect, serve, and after a loss wait longer and longer before the next try.
// A state machine without a socket; the I/O loop does what the returned step says and reports what happened.
// Invariant: after `stop` every step is `finish`. A connection that lasted counts as success and resets the waiting.
#pragma once

#include <chrono>
#include <cstdint>

#include "net/backoff.hpp"

namespace radscheduler::sidecar {

class Reconnect {
public:
    enum class Event { start, connected, failed, lost, slept, stop };
    enum class Action { connect, serve, sleep, finish };
    struct Step {
        Action action;
        std::chrono::milliseconds delay{0}; // only for sleep
    };

    Reconnect(std::chrono::milliseconds first, std::chrono::milliseconds limit) : backoff_(first, limit) {}

    Step resume(Event event, std::uint64_t random);

    bool connected() const { return connected_; }
    // Tries that failed since the last success.
    std::uint64_t failures() const { return failures_; }

private:
    Backoff backoff_;
    std::uint64_t failures_ = 0;
    bool connected_ = false;
    bool stopped_ = false;
};

} // namespace radscheduler::sidecar
