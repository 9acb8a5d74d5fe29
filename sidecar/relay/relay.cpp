#include "relay/relay.hpp"

#include <array>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "obs/log.hpp"

namespace radscheduler::sidecar::relay {
namespace {

const db::RunOptions patient_run{Milliseconds(2000), db::WhenDown::wait, Milliseconds(0)};

} // namespace

Relay::Relay(asio::any_io_executor executor, redis::Url url, std::shared_ptr<db::Pool> pool, Counters& counters)
    : executor_(std::move(executor)), client_(executor_, std::move(url)), pool_(std::move(pool)), counters_(counters),
      wake_(executor_), pause_(executor_) {}

void Relay::start() {
    asio::co_spawn(
        executor_, [self = shared_from_this()] { return self->run(); }, asio::detached);
}

void Relay::stop() {
    stopped_ = true;
    wake_.notify();
    pause_.notify();
    client_.interrupt();
}

RelayState Relay::state() const {
    RelayState state;
    state.redis_connected = client_.connected();
    state.redis_silence = since(client_.last_reply());
    state.lag = machine_.caught_up() ? Milliseconds(0) : since(caught_up_at_);
    return state;
}

Task<void> Relay::run() {
    const auto self = shared_from_this();
    auto event = Event::start;
    while (true) {
        const auto step =
            machine_.resume(stopped_ ? Event::stop : event, batch_count_, since(client_.last_reply()), random_number());
        if (step.action == RelayMachine::Action::finish) {
            co_return;
        }
        event = co_await perform(step);
        if (machine_.caught_up()) {
            caught_up_at_ = Clock::now();
        }
    }
}

Task<Relay::Event> Relay::perform(RelayMachine::Step step) {
    switch (step.action) {
    case RelayMachine::Action::connect:
        return connect();
    case RelayMachine::Action::fetch:
        return fetch();
    case RelayMachine::Action::publish:
        return publish();
    case RelayMachine::Action::advance:
        return advance();
    case RelayMachine::Action::ping:
        return ping();
    case RelayMachine::Action::wait:
        return wait(wake_, step.delay);
    case RelayMachine::Action::back_off:
    case RelayMachine::Action::finish:
        break;
    }
    return wait(pause_, step.delay);
}

Task<Relay::Event> Relay::wait(Signal& signal, Milliseconds delay) {
    const bool woken = co_await signal.wait(delay);
    co_return woken ? Event::woken : Event::waited;
}

Task<Relay::Event> Relay::connect() {
    const auto reason = co_await client_.connect();
    if (!reason.empty()) {
        co_return redis_failed(Event::connect_failed, reason);
    }
    log::info("redis.connected", "connected to Redis");
    told_redis_ = false;
    co_return Event::connected;
}

Task<Relay::Event> Relay::fetch() {
    const std::string limit = std::to_string(batch_size);
    const std::array<db::Param, 1> params{db::Param::text(limit)};
    auto result = co_await db::run(pool_, db::StatementId::relay_fetch, params, patient_run);
    if (const auto* error = std::get_if<db::DbError>(&result)) {
        co_return database_failed(Event::fetch_failed, *error);
    }
    told_database_ = false;
    const auto& rows = std::get<db::Rows>(result);
    batch_.clear();
    batch_count_ = static_cast<std::size_t>(rows.count());
    for (int row = 0; row < rows.count(); ++row) {
        cursor_ = rows.text_or(row, 0, "");
        batch_.push_back({"PUBLISH", rows.text_or(row, 1, ""), rows.text_or(row, 2, "")});
    }
    co_return Event::fetched;
}

Task<Relay::Event> Relay::publish() {
    const auto reason = co_await client_.send(std::move(batch_));
    if (!reason.empty()) {
        co_return redis_failed(Event::publish_failed, reason);
    }
    counters_.relay_published.add(batch_count_);
    co_return Event::published;
}

Task<Relay::Event> Relay::advance() {
    const std::array<db::Param, 1> params{db::Param::text(cursor_)};
    auto result = co_await db::run(pool_, db::StatementId::relay_advance, params, patient_run);
    if (const auto* error = std::get_if<db::DbError>(&result)) {
        co_return database_failed(Event::advance_failed, *error);
    }
    told_database_ = false;
    log::debug("relay.published", "events published", {{"count", batch_count_}, {"cursor", cursor_}});
    co_return Event::advanced;
}

Task<Relay::Event> Relay::ping() {
    std::vector<redis::Command> commands{{"PING"}};
    const auto reason = co_await client_.send(std::move(commands));
    if (!reason.empty()) {
        co_return redis_failed(Event::ping_failed, reason);
    }
    co_return Event::pinged;
}

// One line per outage, not one per try.
Relay::Event Relay::redis_failed(Event event, const std::string& reason) {
    counters_.relay_failures.add();
    if (!told_redis_ && !stopped_) {
        log::error("redis.unreachable",
                   "Redis cannot be used; events wait in PostgreSQL and are published when it can. Check REDIS_URL and "
                   "the server",
                   {{"reason", reason}});
    }
    told_redis_ = true;
    return event;
}

Relay::Event Relay::database_failed(Event event, const db::DbError& error) {
    counters_.relay_failures.add();
    if (!told_database_ && !stopped_) {
        log::warn("relay.database_failed", "events could not be read or their cursor not moved; trying on",
                  {{"sqlstate", error.sqlstate}, {"place", error.place}, {"reason", error.reason}});
    }
    told_database_ = true;
    return event;
}

} // namespace radscheduler::sidecar::relay
