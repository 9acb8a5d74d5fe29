// A session with PostgreSQL that is opened for one statement and closed behind it: for what is rare and takes much
// memory, which a session of the pool would keep for good.
// Invariant: after stop() nothing is opened any more, and what waits on the session returns as lost.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "db/connection.hpp"
#include "db/targets.hpp"

namespace radscheduler::sidecar::db {

class LoneSession {
public:
    // `name` is what pg_stat_activity shows.
    LoneSession(const asio::any_io_executor& executor, std::vector<Target> targets, SessionOptions options,
                std::string name);

    // Asks the first server that answers. A statement without parameters; one at a time.
    Task<QueryOutcome> run(StatementId id);
    void stop();

private:
    asio::any_io_executor executor_;
    std::vector<Target> targets_;
    SessionOptions options_;
    std::unique_ptr<Connection> connection_;
    bool stopped_ = false;
};

} // namespace radscheduler::sidecar::db
