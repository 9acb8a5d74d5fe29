// LISTEN radscheduler_wake on a session of its own: it shortens the relay's waits and nothing depends on it.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "db/kept_session.hpp"

namespace radscheduler::sidecar::relay {

class WakeListener : public std::enable_shared_from_this<WakeListener> {
public:
    WakeListener(asio::any_io_executor executor, std::vector<Target> targets, db::SessionOptions session,
                 std::function<void()> on_wake);

    void start();
    void stop() { session_.stop(); }
    bool listening() const { return listening_; }

private:
    Task<void> run();
    Task<void> listen(db::Connection& connection);

    asio::any_io_executor executor_;
    db::KeptSession session_;
    std::function<void()> on_wake_;
    bool listening_ = false;
};

} // namespace radscheduler::sidecar::relay
