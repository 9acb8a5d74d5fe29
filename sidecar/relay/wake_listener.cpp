#include "relay/wake_listener.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "obs/log.hpp"

namespace radscheduler::sidecar::relay {
namespace {

constexpr Milliseconds command_limit{5000};
constexpr Milliseconds probe_interval{30'000}; // a silent session is asked whether it still lives

} // namespace

WakeListener::WakeListener(asio::any_io_executor executor, std::vector<Target> targets, db::SessionOptions session,
                           std::function<void()> on_wake)
    : executor_(std::move(executor)),
      session_(executor_, std::move(targets), std::move(session), "radschedulerd listen"),
      on_wake_(std::move(on_wake)) {}

void WakeListener::start() {
    asio::co_spawn(
        executor_, [self = shared_from_this()] { return self->run(); }, asio::detached);
}

Task<void> WakeListener::run() {
    const auto self = shared_from_this();
    const db::KeptSession::Use use = [this](db::Connection& connection) { return listen(connection); };
    co_await session_.run(use);
}

// Returns when the session is lost or the daemon stops.
Task<void> WakeListener::listen(db::Connection& connection) {
    auto outcome = co_await connection.run("LISTEN radscheduler_wake", command_limit);
    listening_ = std::holds_alternative<db::Rows>(outcome);
    log::debug("relay.listening", "listening for wake-ups", {{"listening", listening_}});
    while (listening_ && !session_.stopped()) {
        on_wake_(); // also after (re)connecting: what happened before LISTEN was not notified
        bool quiet = true;
        while (quiet && listening_ && !session_.stopped()) {
            const auto notified = co_await connection.wait_for_notification(probe_interval);
            if (std::holds_alternative<db::DbError>(notified)) {
                listening_ = false;
            } else if (std::get<bool>(notified)) {
                quiet = false;
            } else {
                auto probe = co_await connection.run("SELECT 1", command_limit);
                listening_ = std::holds_alternative<db::Rows>(probe);
            }
        }
    }
    listening_ = false;
}

} // namespace radscheduler::sidecar::relay
