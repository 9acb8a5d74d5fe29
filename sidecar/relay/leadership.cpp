#include "relay/leadership.hpp"

#include "net/reconnect.hpp"
#include "obs/log.hpp"

namespace radscheduler::sidecar::relay {
namespace {

constexpr Milliseconds command_limit{5000};
constexpr Milliseconds retry_interval{500};  // of one that waits for the lead
constexpr Milliseconds probe_interval{5000}; // of the leader: does its session still live?
// The first number is RadScheduler's for the relay, beside those of 42-locks.sql; the second names the relay "redis".
constexpr const char* take = "SELECT pg_catalog.pg_try_advisory_lock(7421020, 1)";
constexpr const char* probe = "SELECT true";

} // namespace

Leadership::Leadership(const asio::any_io_executor& executor, std::vector<Target> targets, db::SessionOptions session,
                       std::function<void()> on_change)
    : executor_(executor), targets_(std::move(targets)), session_(std::move(session)), on_change_(std::move(on_change)),
      pause_(executor) {
    session_.application_name = "radschedulerd lead";
}

void Leadership::stop() {
    stopped_ = true;
    pause_.notify();
    if (connection_) {
        connection_->interrupt();
    }
}

void Leadership::set(bool leading) {
    if (leading_ == leading) {
        return;
    }
    leading_ = leading;
    if (!stopped_) {
        log::info("relay.lead", leading ? "this daemon publishes events now" : "this daemon no longer publishes events",
                  {{"leading", leading}});
    }
    on_change_();
}

Task<void> Leadership::run() {
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
            co_await campaign(*connection_);
            set(false);
            connection_.reset();
            event = Reconnect::Event::lost;
        } else {
            co_await pause_.wait(step.delay);
        }
        step = reconnect.resume(stopped_ ? Reconnect::Event::stop : event, random_number());
    }
    connection_.reset();
}

Task<bool> Leadership::holds(db::Connection& connection, const char* question) {
    const auto outcome = co_await connection.run(question, command_limit);
    const auto* rows = std::get_if<db::Rows>(&outcome);
    co_return rows != nullptr && rows->count() == 1 && rows->text_or(0, 0, "") == "t";
}

// Returns when the session is lost or the daemon stops.
Task<void> Leadership::campaign(db::Connection& connection) {
    while (!stopped_ && connection.usable()) {
        const bool holding = co_await holds(connection, leading_ ? probe : take);
        set(holding && connection.usable());
        if (!connection.usable()) {
            co_return;
        }
        // Nobody notifies this session: the wait ends early only when the session does.
        const auto waited = co_await connection.wait_for_notification(leading_ ? probe_interval : retry_interval);
        if (std::holds_alternative<db::DbError>(waited)) {
            co_return;
        }
    }
}

} // namespace radscheduler::sidecar::relay
