#include "net/watchdog.hpp"

#include <cstdint>
#include <utility>

namespace radscheduler::sidecar {

struct Watchdog::State {
    State(const asio::any_io_executor& executor, std::function<void()> callback)
        : timer(executor), on_expiry(std::move(callback)) {}

    asio::steady_timer timer;
    std::function<void()> on_expiry;
    std::uint64_t generation = 0; // a handler of an older generation does nothing
    bool expired = false;
};

Watchdog::Watchdog(const asio::any_io_executor& executor, std::function<void()> on_expiry)
    : state_(std::make_shared<State>(executor, std::move(on_expiry))) {}

Watchdog::~Watchdog() {
    disarm();
    state_->on_expiry = nullptr;
}

void Watchdog::arm(Milliseconds limit) {
    const auto generation = ++state_->generation;
    state_->expired = false;
    state_->timer.expires_after(limit);
    state_->timer.async_wait([state = state_, generation](const error_code& ec) {
        if (!ec && generation == state->generation && state->on_expiry) {
            state->expired = true;
            state->on_expiry();
        }
    });
}

void Watchdog::disarm() {
    ++state_->generation;
    state_->timer.cancel();
}

bool Watchdog::expired() const {
    return state_->expired;
}

} // namespace radscheduler::sidecar
