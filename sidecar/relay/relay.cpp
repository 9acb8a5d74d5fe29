#include "relay/relay.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "db/array.hpp"
#include "obs/log.hpp"

namespace radscheduler::sidecar::relay {
namespace {

const db::RunOptions patient_run{Milliseconds(2000), db::WhenDown::wait, Milliseconds(0)};
constexpr Milliseconds measure_interval{2000};
constexpr Milliseconds refresh_after_change{1000};
constexpr Milliseconds refresh_in_peace{30'000}; // half of what a cached value lives
constexpr std::int64_t telling_hold_ms = 30'000;

} // namespace

Relay::Relay(asio::any_io_executor executor, RelayOptions options, std::shared_ptr<db::Pool> pool, Counters& counters)
    : executor_(std::move(executor)), client_(executor_, std::move(options.url), std::move(options.tls)),
      pool_(std::move(pool)), counters_(counters),
      lead_(executor_, std::move(options.targets), std::move(options.session), [this] { lead_changed(); }),
      wake_(executor_), pause_(executor_), measure_(executor_) {}

void Relay::start() {
    asio::co_spawn(
        executor_, [self = shared_from_this()] { return self->run(); }, asio::detached);
    asio::co_spawn(
        executor_, [self = shared_from_this()] { return self->campaign(); }, asio::detached);
    asio::co_spawn(
        executor_, [self = shared_from_this()] { return self->measure(); }, asio::detached);
}

void Relay::stop() {
    stopped_ = true;
    lead_.stop();
    wake_.notify();
    pause_.notify();
    measure_.notify();
    client_.interrupt();
}

RelayState Relay::state() const {
    RelayState state;
    state.redis_connected = client_.connected();
    state.redis_silence = since(client_.last_reply());
    const auto own = machine_.caught_up() ? Milliseconds(0) : since(caught_up_at_);
    state.lag = std::max(own, measured_lag_);
    return state;
}

bool Relay::stale() const {
    const auto age = since(refreshed_at_);
    return age >= refresh_in_peace || (!dirty_.empty() && age >= refresh_after_change);
}

void Relay::lead_changed() {
    counters_.relay_leading_now.set(lead_.leading() ? 1 : 0);
    wake_.notify();
}

Task<void> Relay::campaign() {
    const auto self = shared_from_this();
    co_await lead_.run();
}

// What only the database knows: how many events wait, and whether a transaction that is open holds them back.
Task<void> Relay::measure() {
    const auto self = shared_from_this();
    while (!stopped_) {
        const auto result = co_await db::run(pool_, db::StatementId::relay_lag, {}, patient_run);
        if (const auto* rows = std::get_if<db::Rows>(&result)) {
            note(*rows);
        }
        co_await measure_.wait(measure_interval);
    }
}

void Relay::note(const db::Rows& rows) {
    const auto number = [&](int column) { return rows.number(0, column); };
    const auto lag = number(0);
    const auto held = number(2);
    const auto holder = static_cast<std::uint64_t>(number(3));
    const auto age = number(4);
    measured_lag_ = Milliseconds(lead_.leading() ? held : lag);
    counters_.relay_waiting_now.set(static_cast<std::uint64_t>(number(1)));
    counters_.relay_horizon_pid_now.set(holder);
    counters_.relay_horizon_ms_now.set(static_cast<std::uint64_t>(age));
    if (held >= telling_hold_ms && holder != told_holder_) {
        log::warn("relay.held",
                  "events wait for a transaction that has been open for long, in whatever database of the cluster; "
                  "relay_lag() tells more, pg_terminate_backend(pid) ends it",
                  {{"pid", holder}, {"open_s", age / 1000}});
        told_holder_ = holder;
    }
}

Task<void> Relay::run() {
    const auto self = shared_from_this();
    auto event = Event::start;
    while (true) {
        RelayMachine::Facts facts;
        facts.count = batch_count_;
        facts.silence = since(client_.last_reply());
        facts.leading = lead_.leading();
        facts.stale = stale();
        const auto step = machine_.resume(stopped_ ? Event::stop : event, facts, random_number());
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
    case RelayMachine::Action::refresh:
        return refresh();
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
    first_batch_ = true;
    co_return Event::connected;
}

Task<Relay::Event> Relay::fetch() {
    const std::string limit = std::to_string(batch_size);
    const std::array<db::Param, 1> params{db::Param::text(limit)};
    auto result = co_await db::run(pool_, db::StatementId::relay_page, params, patient_run);
    if (const auto* error = std::get_if<db::DbError>(&result)) {
        co_return database_failed(Event::fetch_failed, *error);
    }
    told_database_ = false;
    const auto& rows = std::get<db::Rows>(result);
    batch_.clear();
    batch_count_ = static_cast<std::size_t>(rows.count());
    for (int row = 0; row < rows.count(); ++row) {
        cursor_ = rows.text_or(row, 0, "");
        EventRow event;
        event.cursor = cursor_;
        event.key = rows.text_or(row, 1, "");
        event.epoch_mark = rows.text_or(row, 2, "");
        event.type = rows.text_or(row, 3, "");
        event.payload = rows.text_or(row, 4, "");
        batch_.push_back(std::move(event));
    }
    co_return Event::fetched;
}

Task<Relay::Event> Relay::publish() {
    auto publication = make_publication(batch_);
    auto reason = co_await client_.send(std::move(publication.entries));
    const auto repeated = client_.repeated();
    if (reason.empty()) {
        reason = co_await client_.send(std::move(publication.messages));
    }
    if (!reason.empty()) {
        co_return redis_failed(Event::publish_failed, reason);
    }
    counters_.relay_published.add(batch_count_);
    counters_.relay_repeated.add(repeated);
    // The first batch may be one that was cut off before; later ones are new to the stream, or its ids are not ours.
    if (repeated > 0 && !first_batch_) {
        log::warn(
            "redis.stream_ahead",
            "a stream radsched:{site}:events has entries beyond ours: somebody else adds to it. Delete it, and it "
            "is made anew",
            {{"events", repeated}});
    }
    first_batch_ = false;
    dirty_.merge(publication.sites);
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

// The cache is a favour to others: the database not answering in time is no reason to hold up events.
Task<Relay::Event> Relay::refresh() {
    const auto changed = dirty_;
    const bool all = since(refreshed_at_) >= refresh_in_peace;
    db::BinaryArray keys(db::BinaryArray::Element::text);
    for (const auto& key : changed) {
        keys.add(key);
    }
    const std::array<db::Param, 1> params{all ? db::Param::null() : db::Param::bytes(keys.finish())};
    auto result = co_await db::run(pool_, db::StatementId::relay_aggregates, params, patient_run);
    refreshed_at_ = Clock::now();
    if (const auto* error = std::get_if<db::DbError>(&result)) {
        if (!told_aggregates_ && !stopped_) {
            log::warn("relay.cache_failed", "aggregates for Redis could not be computed; trying on",
                      {{"sqlstate", error->sqlstate}, {"place", error->place}, {"reason", error->reason}});
        }
        told_aggregates_ = true;
        co_return Event::refreshed;
    }
    told_aggregates_ = false;
    const auto& rows = std::get<db::Rows>(result);
    std::vector<redis::Command> commands;
    commands.reserve(static_cast<std::size_t>(rows.count()));
    for (int row = 0; row < rows.count(); ++row) {
        commands.push_back(cache_command(rows.text_or(row, 0, ""), rows.text_or(row, 1, "")));
    }
    const auto reason = co_await client_.send(std::move(commands));
    if (!reason.empty()) {
        co_return redis_failed(Event::refresh_failed, reason);
    }
    dirty_.clear();
    co_return Event::refreshed;
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
