// A flag that a coroutine can wait for with a deadline, and that plain code can raise.
// Invariant: a notify() before wait() is not lost: the flag stays up until one wait() has seen it. One waiter at a
// time.
#pragma once

#include "net/asio.hpp"

namespace radscheduler::sidecar {

class Signal {
public:
    explicit Signal(const asio::any_io_executor& executor) : timer_(executor) {}

    void notify() {
        raised_ = true;
        timer_.cancel();
    }

    // True when notified, false when the time was up.
    Task<bool> wait(Milliseconds limit) {
        if (!raised_) {
            error_code ec;
            timer_.expires_after(limit);
            co_await timer_.async_wait(into(ec));
        }
        const bool seen = raised_;
        raised_ = false;
        co_return seen;
    }

private:
    asio::steady_timer timer_;
    bool raised_ = false;
};

} // namespace radscheduler::sidecar
