// What systemd is told: ready, alive, stopping. Without systemd nothing happens.
// Invariant: the sign of life is given by the event loop itself; when that stands still, systemd starts the daemon
// anew.
#pragma once

#include "net/asio.hpp"

namespace radscheduler::sidecar {

class Supervisor {
public:
    explicit Supervisor(asio::any_io_executor executor) : timer_(std::move(executor)) {}

    void ready();
    void reloading();
    void stopping();
    // Ends the signs of life, so that the loop can end.
    void end() { timer_.cancel(); }

private:
    void beat();

    asio::steady_timer timer_;
    Milliseconds every_{0};
};

} // namespace radscheduler::sidecar
