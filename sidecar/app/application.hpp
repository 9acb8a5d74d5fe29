// The daemon as a whole: what is started in which order, and stopped in which.
// Invariants: listeners come up whether the database can be reached or not. SIGTERM and SIGINT drain: no new
// connections, the message or request in hand is finished and answered, then everything closes, within drain_timeout. A
// second signal ends the process at once.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include "app/supervisor.hpp"
#include "config/settings.hpp"
#include "db/lone_session.hpp"
#include "db/pool.hpp"
#include "http/server.hpp"
#include "link/courier.hpp"
#include "live/service.hpp"
#include "mllp/server.hpp"
#include "net/signal.hpp"
#include "obs/counters.hpp"
#include "redis/reader.hpp"
#include "relay/relay.hpp"
#include "relay/wake_listener.hpp"
#include "work/worker.hpp"

namespace radscheduler::sidecar {

class Application {
public:
    explicit Application(Settings settings);

    // Returns the exit code.
    int run();

private:
    bool listen();
    bool mllp_listening() const;
    std::size_t mllp_open() const;
    Task<void> watch_signals();
    Task<void> drain();
    Task<void> housekeeping();
    Task<void> check_profiles();
    void describe(http::Probes& probes) const;

    Settings settings_;
    Counters counters_;
    asio::io_context io_{1}; // one thread: it moves bytes, the work is in PostgreSQL
    Clock::time_point started_ = Clock::now();
    asio::signal_set signals_;
    asio::steady_timer drain_deadline_;
    Signal housekeeping_wake_;
    Supervisor supervisor_;
    std::shared_ptr<db::Pool> pool_;
    std::unique_ptr<db::LoneSession> caretaker_; // maintain() sorts what the pool's sessions need no memory for
    std::shared_ptr<mllp::House> mllp_house_;
    std::vector<std::shared_ptr<mllp::Server>> mllp_;
    std::shared_ptr<http::Server> http_;
    std::shared_ptr<live::Service> live_;
    std::shared_ptr<relay::Relay> relay_;         // only when Redis is on
    std::shared_ptr<redis::Reader> cache_reader_; // likewise
    std::shared_ptr<relay::WakeListener> listener_;
    std::shared_ptr<work::Worker> worker_;
    std::shared_ptr<link::Courier> courier_;
    bool draining_ = false;
    bool drained_ = false;
};

} // namespace radscheduler::sidecar
