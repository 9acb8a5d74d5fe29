// Which of several daemons on one database publishes: the one whose session holds an advisory lock.
// The lock goes with its session, so a daemon that dies, or loses its database, has given it up without doing anything.
// Invariant: leading() is true only while the session that holds the lock has not been seen to fail. For a moment after
// a cut that nobody noticed two may lead; what both publish has the same ids, and the cursor never goes back.
#pragma once

#include <functional>
#include <vector>

#include "db/kept_session.hpp"

namespace radscheduler::sidecar::relay {

class Leadership {
public:
    Leadership(const asio::any_io_executor& executor, std::vector<Target> targets, db::SessionOptions session,
               std::function<void()> on_change);

    // Runs until stop(); whoever owns this awaits it.
    Task<void> run();
    void stop() { session_.stop(); }
    bool leading() const { return leading_; }

private:
    Task<void> serve(db::Connection& connection);
    Task<void> campaign(db::Connection& connection);
    Task<bool> holds(db::Connection& connection, const char* question);
    void set(bool leading);

    db::KeptSession session_;
    std::function<void()> on_change_;
    bool leading_ = false;
};

} // namespace radscheduler::sidecar::relay
