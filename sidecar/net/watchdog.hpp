// A deadline for the I/O of one object: when it passes, the callback cancels what is under way.
// Invariant: after disarm() or destruction the callback is never called, whatever the timer had already queued.
#pragma once

#include <functional>
#include <memory>

#include "net/asio.hpp"

namespace radscheduler::sidecar {

class Watchdog {
public:
    Watchdog(const asio::any_io_executor& executor, std::function<void()> on_expiry);
    ~Watchdog();
    Watchdog(const Watchdog&) = delete;
    Watchdog& operator=(const Watchdog&) = delete;

    void arm(Milliseconds limit);
    void disarm();
    // True when the deadline of the last arm() has passed.
    bool expired() const;

private:
    struct State;
    std::shared_ptr<State> state_;
};

} // namespace radscheduler::sidecar
