// A fixed number of PostgreSQL sessions that heal themselves, lent out one user at a time.
// Invariants: each slot is driven by one coroutine and one Reconnect state machine; a lease gives its session back when
// it ends, whatever happened; at most `max_waiters` wait, each with a deadline.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "db/connection.hpp"
#include "net/asio.hpp"
#include "obs/counters.hpp"

namespace radscheduler::sidecar::db {

struct PoolOptions {
    std::vector<Target> targets;
    SessionOptions session;
    std::size_t size = 8;
    std::size_t max_waiters = 4096;
};

class Pool;
struct Slot;

// The right to use one session. Empty when none was to be had.
class Lease {
public:
    Lease() = default;
    Lease(std::shared_ptr<Pool> pool, Slot* slot) : pool_(std::move(pool)), slot_(slot) {}
    Lease(Lease&& other) noexcept : pool_(std::move(other.pool_)), slot_(std::exchange(other.slot_, nullptr)) {}
    Lease& operator=(Lease&& other) noexcept;
    ~Lease() { release(); }

    explicit operator bool() const { return slot_ != nullptr; }
    Connection& operator*() const;
    void release();

private:
    std::shared_ptr<Pool> pool_;
    Slot* slot_ = nullptr;
};

struct PoolState {
    std::size_t size = 0;
    std::size_t connected = 0;
    std::size_t idle = 0;
    std::size_t waiters = 0;
};

enum class WhenDown {
    fail, // give up at once while no session is connected
    wait, // wait for the whole time
};

class Pool : public std::enable_shared_from_this<Pool> {
public:
    Pool(asio::any_io_executor executor, PoolOptions options, Counters& counters);
    ~Pool();

    void start();
    void stop();

    Task<Lease> acquire(Milliseconds limit, WhenDown when_down);
    PoolState state() const;
    bool reachable() const { return state().connected > 0; }

private:
    friend class Lease;
    struct Waiter;

    Task<void> drive(Slot& slot);
    Task<void> check_idle();
    void give_back(Slot& slot);
    void offer(Slot& slot);
    void note_connected();
    void note_failure(const DbError& error, const std::string& target);

    asio::any_io_executor executor_;
    PoolOptions options_;
    Counters& counters_;
    std::vector<std::unique_ptr<Slot>> slots_;
    std::vector<Slot*> idle_;    // last in, first out: the warm sessions do the work
    std::list<Waiter*> waiters_; // first in, first out
    asio::steady_timer housekeeping_;
    std::size_t next_target_ = 0; // the server that answered last, or the next one to try
    bool stopped_ = false;
    bool told_unreachable_ = false;
};

// Acquires, executes, gives back. `limit` bounds the wait for a session and, separately, the statement when given.
struct RunOptions {
    Milliseconds acquire_limit{5000};
    WhenDown when_down = WhenDown::fail;
    Milliseconds statement_limit{0}; // 0: the session's own
};
Task<QueryOutcome> run(std::shared_ptr<Pool> pool, StatementId id, std::span<const Param> params, RunOptions options);

} // namespace radscheduler::sidecar::db
