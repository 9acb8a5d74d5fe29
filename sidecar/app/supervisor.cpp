#include "app/supervisor.hpp"

#include <algorithm>
#include <cstdint>

#include <systemd/sd-daemon.h>

namespace radscheduler::sidecar {

void Supervisor::ready() {
    sd_notify(0, "READY=1");
    std::uint64_t microseconds = 0;
    if (every_.count() == 0 && sd_watchdog_enabled(0, &microseconds) > 0) {
        every_ = std::max(Milliseconds(1), Milliseconds(microseconds / 1000 / 2));
        beat();
    }
}

void Supervisor::reloading() {
    sd_notify(0, "RELOADING=1");
}

void Supervisor::stopping() {
    sd_notify(0, "STOPPING=1");
}

void Supervisor::beat() {
    sd_notify(0, "WATCHDOG=1");
    timer_.expires_after(every_);
    timer_.async_wait([this](const error_code& ec) {
        if (!ec) {
            beat();
        }
    });
}

} // namespace radscheduler::sidecar
