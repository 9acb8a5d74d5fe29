#include "relay/wake_listener.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "net/reconnect.hpp"
#include "obs/log.hpp"

namespace radscheduler::sidecar::relay {
namespace {

constexpr Milliseconds command_limit{5000};
constexpr Milliseconds probe_interval{30'000}; // a silent session is asked whether it still lives

} // namespace

WakeListener::WakeListener(asio::any_io_executor executor, std::vector<Target> targets, db::SessionOptions session,
                           std::function<void()> on_wake)
    : executor_(std::move(executor)), targets_(std::move(targets)), session_(std::move(session)),
      on_wake_(std::move(on_wake)), pause_(executor_) {
    session_.application_name = "radschedulerd listen";
}

void WakeListener::start() {
    asio::co_spawn(
        executor_, [self = shared_from_this()] { return self->run(); }, asio::detached);
}

void WakeListener::stop() {
    stopped_ = true;
    pause_.notify();
    if (connection_) {
        connection_->interrupt();
    }
}

Task<void> WakeListener::run() {
    const auto self = shared_from_this();
    Reconnect reconnect(Milliseconds(100), Milliseconds(3000));
    std::size_t next_target = 0;
    auto step = reconnect.resume(Reconnect::Event::start, random_number());
    while (step.action != Reconnect::Action::finish) {
        auto event = Reconnect::Event::slept;
        if (step.action == Reconnect::Action::connect) {
            auto opened = co_await db::Connection::open(executor_, targets_[next_target % targets_.size()], session_);
            if (std::holds_alternative<db::DbError>(opened)) {
                ++next_target;
                event = Reconnect::Event::failed;
            } else {
                connection_ = std::move(std::get<std::unique_ptr<db::Connection>>(opened));
                event = Reconnect::Event::connected;
            }
        } else if (step.action == Reconnect::Action::serve) {
            co_await listen(*connection_);
            listening_ = false;
            connection_.reset();
            event = Reconnect::Event::lost;
        } else {
            co_await pause_.wait(step.delay);
        }
        step = reconnect.resume(stopped_ ? Reconnect::Event::stop : event, random_number());
    }
    connection_.reset();
}

// Returns when the session is lost or the daemon stops.
Task<void> WakeListener::listen(db::Connection& connection) {
    auto outcome = co_await connection.run("LISTEN radscheduler_wake", command_limit);
    listening_ = std::holds_alternative<db::Rows>(outcome);
    log::debug("relay.listening", "listening for wake-ups", {{"listening", listening_}});
    while (listening_ && !stopped_) {
        on_wake_(); // also after (re)connecting: what happened before LISTEN was not notified
        bool quiet = true;
        while (quiet && listening_ && !stopped_) {
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
}

} // namespace radscheduler::sidecar::relay
