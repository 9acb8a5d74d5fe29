// One PostgreSQL session: libpq without blocking, waited for by Asio.
// Invariants: one statement at a time. After a lost connection or a missed deadline the object is unusable (usable() is
// false) and must be thrown away. Autocommit: when execute() returns rows, the server has committed.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <variant>

#include <boost/asio/posix/stream_descriptor.hpp>

#include "db/result.hpp"
#include "db/statements.hpp"
#include "db/targets.hpp"
#include "net/asio.hpp"
#include "net/watchdog.hpp"

namespace radscheduler::sidecar::db {

struct SessionOptions {
    Milliseconds connect_timeout{5000};
    Milliseconds statement_timeout{30000};
    std::string application_name = "radschedulerd";
};

class Connection {
public:
    // The error of a failed try may name host, port, user and database, never a password.
    using Opened = std::variant<std::unique_ptr<Connection>, DbError>;
    static Task<Opened> open(asio::any_io_executor executor, Target target, SessionOptions options);

    explicit Connection(const asio::any_io_executor& executor);

    // Runs a prepared statement. The client-side deadline is statement_timeout plus a margin, so normally the server
    // ends first.
    Task<QueryOutcome> execute(StatementId id, std::span<const Param> params);
    Task<QueryOutcome> execute_within(StatementId id, std::span<const Param> params, Milliseconds limit);
    // Runs SQL text without parameters (LISTEN, session set-up).
    Task<QueryOutcome> run(const char* sql, Milliseconds limit);

    // Waits for a notification or until the time is up. An error means that the connection is lost.
    Task<std::variant<bool, DbError>> wait_for_notification(Milliseconds limit);

    bool usable() const { return usable_; }
    // Looks without waiting whether the server has gone away meanwhile. For idle connections.
    bool still_there();
    // Makes a waiting call return as lost.
    void interrupt();

private:
    Task<bool> finish_connecting(const Target& target, const SessionOptions& options);
    Task<QueryOutcome> collect();
    Task<QueryOutcome> prepare(StatementId id);
    Task<error_code> wait(asio::posix::stream_descriptor::wait_type direction);
    bool adopt_socket();
    DbError lost(std::string reason);
    DbError reported(const PGresult* result);

    std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
    asio::posix::stream_descriptor socket_; // a duplicate of libpq's socket: each side closes its own
    Watchdog watchdog_;
    Milliseconds statement_limit_{0};
    std::array<bool, statement_count> prepared_{};
    bool usable_ = false;
};

} // namespace radscheduler::sidecar::db
