#include "db/pool.hpp"

#include <algorithm>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "net/reconnect.hpp"
#include "net/signal.hpp"
#include "obs/log.hpp"

namespace radscheduler::sidecar::db {
namespace {

constexpr Milliseconds first_wait{100};
constexpr Milliseconds longest_wait{3000};
constexpr Milliseconds idle_check_interval{1000};
constexpr Milliseconds forever = std::chrono::hours(24);
constexpr Milliseconds interrupt_interval{20};

} // namespace

struct Slot {
    explicit Slot(const asio::any_io_executor& executor) : wake(executor) {}

    std::unique_ptr<Connection> connection; // set while connected
    Signal wake;                            // the session is lost, or the pool stops
    bool leased = false;                    // somebody runs statements on it: it must not go before they are back
};

struct Pool::Waiter {
    explicit Waiter(const asio::any_io_executor& executor) : signal(executor) {}

    Signal signal;
    Slot* granted = nullptr;
};

Lease& Lease::operator=(Lease&& other) noexcept {
    if (this != &other) {
        release();
        pool_ = std::move(other.pool_);
        slot_ = std::exchange(other.slot_, nullptr);
    }
    return *this;
}

Connection& Lease::operator*() const {
    return *slot_->connection;
}

void Lease::release() {
    if (slot_ != nullptr) {
        pool_->give_back(*std::exchange(slot_, nullptr));
    }
    pool_.reset();
}

Pool::Pool(asio::any_io_executor executor, PoolOptions options, Counters& counters)
    : executor_(std::move(executor)), options_(std::move(options)), counters_(counters), housekeeping_(executor_) {
    for (std::size_t i = 0; i < options_.size; ++i) {
        slots_.push_back(std::make_unique<Slot>(executor_));
    }
}

Pool::~Pool() = default;

void Pool::start() {
    for (auto& slot : slots_) {
        asio::co_spawn(
            executor_, [self = shared_from_this(), &slot = *slot] { return self->drive(slot); }, asio::detached);
    }
    asio::co_spawn(
        executor_, [self = shared_from_this()] { return self->check_idle(); }, asio::detached);
}

void Pool::stop() {
    stopped_ = true;
    housekeeping_.cancel();
    for (auto& slot : slots_) {
        slot->wake.notify();
        if (slot->connection) {
            slot->connection->interrupt();
        }
    }
    for (auto* waiter : waiters_) {
        waiter->signal.notify();
    }
}

Task<void> Pool::drive(Slot& slot) {
    const auto self = shared_from_this();
    Reconnect reconnect(first_wait, longest_wait);
    auto step = reconnect.resume(Reconnect::Event::start, random_number());
    while (step.action != Reconnect::Action::finish) {
        auto event = Reconnect::Event::slept;
        if (step.action == Reconnect::Action::connect) {
            const auto index = next_target_ % options_.targets.size();
            auto opened = co_await Connection::open(executor_, options_.targets[index], options_.session);
            if (auto* error = std::get_if<DbError>(&opened)) {
                note_failure(*error, options_.targets[index].name);
                if (next_target_ % options_.targets.size() == index) {
                    ++next_target_;
                }
                event = Reconnect::Event::failed;
            } else {
                slot.connection = std::move(std::get<std::unique_ptr<Connection>>(opened));
                note_connected();
                event = Reconnect::Event::connected;
            }
        } else if (step.action == Reconnect::Action::serve) {
            offer(slot);
            while (slot.connection && slot.connection->usable() && !stopped_) {
                co_await slot.wake.wait(forever);
            }
            std::erase(idle_, &slot);
            while (slot.leased) { // the pool stops, and whoever has it may be about to begin another statement
                slot.connection->interrupt();
                co_await slot.wake.wait(interrupt_interval);
            }
            slot.connection.reset();
            event = Reconnect::Event::lost;
        } else {
            co_await slot.wake.wait(step.delay);
        }
        step = reconnect.resume(stopped_ ? Reconnect::Event::stop : event, random_number());
    }
    slot.connection.reset();
}

// A session that broke while nobody used it must not be found out by the next message.
Task<void> Pool::check_idle() {
    const auto self = shared_from_this();
    while (!stopped_) {
        error_code ec;
        housekeeping_.expires_after(idle_check_interval);
        co_await housekeeping_.async_wait(into(ec));
        for (auto* slot : std::vector<Slot*>(idle_)) {
            if (!slot->connection->still_there()) {
                std::erase(idle_, slot);
                slot->wake.notify();
            }
        }
    }
}

// Hands a free session to the longest waiting user, or keeps it.
void Pool::offer(Slot& slot) {
    if (waiters_.empty() || stopped_) {
        idle_.push_back(&slot);
        return;
    }
    auto* waiter = waiters_.front();
    waiters_.pop_front();
    waiter->granted = &slot;
    slot.leased = true;
    waiter->signal.notify();
}

void Pool::give_back(Slot& slot) {
    slot.leased = false;
    if (slot.connection && slot.connection->usable() && !stopped_) {
        offer(slot);
    } else {
        slot.wake.notify();
    }
}

Task<Lease> Pool::acquire(Milliseconds limit, WhenDown when_down) {
    const auto self = shared_from_this();
    while (!idle_.empty() && !stopped_) {
        auto* slot = idle_.back();
        idle_.pop_back();
        if (slot->connection->still_there()) {
            slot->leased = true;
            co_return Lease(self, slot);
        }
        slot->wake.notify();
    }
    if (stopped_ || waiters_.size() >= options_.max_waiters || (when_down == WhenDown::fail && !reachable())) {
        co_return Lease();
    }
    Waiter waiter(executor_);
    waiters_.push_back(&waiter);
    co_await waiter.signal.wait(limit);
    if (waiter.granted == nullptr) {
        std::erase(waiters_, &waiter);
        co_return Lease();
    }
    co_return Lease(self, waiter.granted);
}

PoolState Pool::state() const {
    PoolState state;
    state.size = slots_.size();
    state.idle = idle_.size();
    state.waiters = waiters_.size();
    state.connected = static_cast<std::size_t>(std::count_if(
        slots_.begin(), slots_.end(), [](const auto& slot) { return slot->connection && slot->connection->usable(); }));
    return state;
}

void Pool::note_connected() {
    counters_.db_connects.add();
    if (told_unreachable_ || counters_.db_connects.value() == 1) {
        log::info("db.reachable", "connected to PostgreSQL",
                  {{"target", options_.targets[next_target_ % options_.targets.size()].name}});
    }
    told_unreachable_ = false;
}

// Eight slots fail together; one line tells it.
void Pool::note_failure(const DbError& error, const std::string& target) {
    counters_.db_connect_failures.add();
    if (stopped_) {
        return;
    }
    const auto level = told_unreachable_ ? log::Level::debug : log::Level::error;
    told_unreachable_ = true;
    const auto* sentence =
        reachable() ? "a further session with PostgreSQL could not be opened; work goes on with fewer. Compare "
                      "RADSCHED_DB_CONNECTIONS with max_connections of the server"
                    : "PostgreSQL cannot be reached; messages are held and requests answered 503 until it can. "
                      "Check DATABASE_URL and the server; we keep trying";
    log::write(level, "db.unreachable", sentence,
               {{"target", target}, {"reason", error.reason}, {"sqlstate", error.sqlstate}});
}

Task<QueryOutcome> run(std::shared_ptr<Pool> pool, StatementId id, std::span<const Param> params, RunOptions options) {
    auto lease = co_await pool->acquire(options.acquire_limit, options.when_down);
    if (!lease) {
        co_return DbError{FailureKind::transient, "", "", "no database session is free"};
    }
    if (options.statement_limit.count() > 0) {
        co_return co_await (*lease).execute_within(id, params, options.statement_limit);
    }
    co_return co_await (*lease).execute(id, params);
}

} // namespace radscheduler::sidecar::db
