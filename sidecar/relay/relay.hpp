// Carries events from PostgreSQL to Redis. Does what RelayMachine says and reports back; decides nothing itself.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "db/pool.hpp"
#include "net/signal.hpp"
#include "obs/counters.hpp"
#include "redis/client.hpp"
#include "relay/relay_machine.hpp"

namespace radscheduler::sidecar::relay {

struct RelayState {
    bool redis_connected = false;
    Milliseconds redis_silence{0}; // since its last reply
    Milliseconds lag{0};           // since everything was published
};

class Relay : public std::enable_shared_from_this<Relay> {
public:
    Relay(asio::any_io_executor executor, redis::Url url, std::shared_ptr<db::Pool> pool, Counters& counters);

    void start();
    void stop();
    void wake() { wake_.notify(); }
    RelayState state() const;

private:
    using Event = RelayMachine::Event;

    Task<void> run();
    Task<Event> perform(RelayMachine::Step step);
    Task<Event> connect();
    Task<Event> fetch();
    Task<Event> publish();
    Task<Event> advance();
    Task<Event> ping();
    Task<Event> wait(Signal& signal, Milliseconds delay);
    Event redis_failed(Event event, const std::string& reason);
    Event database_failed(Event event, const db::DbError& error);

    static constexpr std::size_t batch_size = 500;

    asio::any_io_executor executor_;
    redis::Client client_;
    std::shared_ptr<db::Pool> pool_;
    Counters& counters_;
    RelayMachine machine_{batch_size};
    Signal wake_;  // a notification, or the end
    Signal pause_; // only the end
    std::vector<redis::Command> batch_;
    std::size_t batch_count_ = 0;
    std::string cursor_;
    Clock::time_point caught_up_at_ = Clock::now();
    bool told_redis_ = false;
    bool told_database_ = false;
    bool stopped_ = false;
};

} // namespace radscheduler::sidecar::relay
