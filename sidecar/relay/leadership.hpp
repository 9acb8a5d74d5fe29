// Which of several daemons on one database publishes: the one whose session holds an advisory lock.
// The lock goes with its session, so a daemon that dies, or loses its database, has given it up without doing anything.
// Invariant: leading() is true only while the session that holds the lock has not been seen to fail. For a moment after
// a cut that nobody noticed two may lead; what both publish has the same ids, and the cursor never goes back.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "db/connection.hpp"
#include "db/targets.hpp"
#include "net/signal.hpp"

namespace radscheduler::sidecar::relay {

class Leadership {
public:
    Leadership(const asio::any_io_executor& executor, std::vector<Target> targets, db::SessionOptions session,
               std::function<void()> on_change);

    // Runs until stop(); whoever owns this awaits it.
    Task<void> run();
    void stop();
    bool leading() const { return leading_; }

private:
    Task<void> campaign(db::Connection& connection);
    Task<bool> holds(db::Connection& connection, const char* question);
    void set(bool leading);

    asio::any_io_executor executor_;
    std::vector<Target> targets_;
    db::SessionOptions session_;
    std::function<void()> on_change_;
    std::unique_ptr<db::Connection> connection_;
    Signal pause_;
    bool leading_ = false;
    bool stopped_ = false;
};

} // namespace radscheduler::sidecar::relay
