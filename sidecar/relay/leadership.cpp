#include "relay/leadership.hpp"

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
    : session_(executor, std::move(targets), std::move(session), "radschedulerd lead"),
      on_change_(std::move(on_change)) {}

void Leadership::set(bool leading) {
    if (leading_ == leading) {
        return;
    }
    leading_ = leading;
    if (!session_.stopped()) {
        log::info("relay.lead", leading ? "this daemon publishes events now" : "this daemon no longer publishes events",
                  {{"leading", leading}});
    }
    on_change_();
}

Task<void> Leadership::run() {
    const db::KeptSession::Use use = [this](db::Connection& connection) { return serve(connection); };
    co_await session_.run(use);
}

// The lock has gone with its session.
Task<void> Leadership::serve(db::Connection& connection) {
    co_await campaign(connection);
    set(false);
}

Task<bool> Leadership::holds(db::Connection& connection, const char* question) {
    const auto outcome = co_await connection.run(question, command_limit);
    const auto* rows = std::get_if<db::Rows>(&outcome);
    co_return rows != nullptr && rows->count() == 1 && rows->text_or(0, 0, "") == "t";
}

// Returns when the session is lost or the daemon stops.
Task<void> Leadership::campaign(db::Connection& connection) {
    while (!session_.stopped() && connection.usable()) {
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
