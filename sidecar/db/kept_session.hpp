// A session with PostgreSQL beside the pool, for one purpose, that is opened again whenever it is lost: at the next
// target, after a wait that grows. What is done on it is the owner's.
// Invariant: after stop() nothing is opened any more, and what waits on the session returns.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "db/connection.hpp"
#include "db/targets.hpp"
#include "net/signal.hpp"

namespace radscheduler::sidecar::db {

class KeptSession {
public:
    using Use = std::function<Task<void>(Connection&)>;

    // `name` is what pg_stat_activity shows.
    KeptSession(const asio::any_io_executor& executor, std::vector<Target> targets, SessionOptions options,
                std::string name);

    // Returns after stop(). `serve` uses a session until it is lost or stopped(); it is called again with the next one.
    Task<void> run(Use serve);
    void stop();
    bool stopped() const { return stopped_; }

private:
    asio::any_io_executor executor_;
    std::vector<Target> targets_;
    SessionOptions options_;
    std::unique_ptr<Connection> connection_;
    Signal pause_;
    bool stopped_ = false;
};

} // namespace radscheduler::sidecar::db
