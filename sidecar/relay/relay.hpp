// Carries events from PostgreSQL to Redis. Does what RelayMachine says and reports back; decides nothing itself.
// Beside it run the campaign for the lead and a measurement of how far behind the relay is.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "db/pool.hpp"
#include "net/signal.hpp"
#include "obs/counters.hpp"
#include "redis/client.hpp"
#include "relay/leadership.hpp"
#include "relay/publication.hpp"
#include "relay/relay_machine.hpp"

namespace radscheduler::sidecar::relay {

struct RelayState {
    bool redis_connected = false;
    Milliseconds redis_silence{0}; // since its last reply
    Milliseconds lag{0};           // age of the oldest event that is not published
};

struct RelayOptions {
    redis::Url url;
    redis::TlsFiles tls;
    std::vector<Target> targets; // of the session that leads
    db::SessionOptions session;
};

class Relay : public std::enable_shared_from_this<Relay> {
public:
    Relay(asio::any_io_executor executor, RelayOptions options, std::shared_ptr<db::Pool> pool, Counters& counters);

    void start();
    void stop();
    void wake() { wake_.notify(); }
    RelayState state() const;

private:
    using Event = RelayMachine::Event;

    Task<void> run();
    Task<void> campaign();
    Task<void> measure();
    void note(const db::Rows& rows);
    void lead_changed();
    bool stale() const;
    Task<Event> perform(RelayMachine::Step step);
    Task<Event> connect();
    Task<Event> fetch();
    Task<Event> publish();
    Task<Event> advance();
    Task<Event> ping();
    Task<Event> refresh();
    Task<Event> wait(Signal& signal, Milliseconds delay);
    Event redis_failed(Event event, const std::string& reason);
    Event database_failed(Event event, const db::DbError& error);

    static constexpr std::size_t batch_size = 500;

    asio::any_io_executor executor_;
    redis::Client client_;
    std::shared_ptr<db::Pool> pool_;
    Counters& counters_;
    RelayMachine machine_{batch_size};
    Leadership lead_;
    Signal wake_;    // a notification, another leader, or the end
    Signal pause_;   // only the end
    Signal measure_; // only the end
    std::vector<EventRow> batch_;
    std::size_t batch_count_ = 0;
    std::string cursor_;
    std::set<std::string> dirty_; // sites whose aggregates have changed since they were cached
    Clock::time_point refreshed_at_{};
    Milliseconds measured_lag_{0}; // what the database said; of events held back, for one that leads
    std::uint64_t told_holder_ = 0;
    bool first_batch_ = true; // since the connection was made
    bool told_aggregates_ = false;
    Clock::time_point caught_up_at_ = Clock::now();
    bool told_redis_ = false;
    bool told_database_ = false;
    bool stopped_ = false;
};

} // namespace radscheduler::sidecar::relay
