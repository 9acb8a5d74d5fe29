#include "db/connection.hpp"

#include "db/query_times.hpp"
#include <poll.h>
#include <unistd.h>
#include <vector>

namespace radscheduler::sidecar::db {
namespace {

using WaitType = asio::posix::stream_descriptor::wait_type;

constexpr std::size_t most_params = 12;
constexpr Milliseconds margin{5000}; // between the server's statement_timeout and our own deadline

// Notices may quote data; libpq would print them to stderr.
void drop_notice(void*, const PGresult*) {}

std::string field(const PGresult* result, int code) {
    const char* value = PQresultErrorField(result, code);
    return value != nullptr ? value : "";
}

std::string one_line(const char* message) {
    std::string line(message != nullptr ? message : "");
    for (char& c : line) {
        if (c == '\n' || c == '\t') {
            c = ' ';
        }
    }
    while (!line.empty() && line.back() == ' ') {
        line.pop_back();
    }
    return line;
}

} // namespace

Connection::Connection(const asio::any_io_executor& executor)
    : connection_(nullptr, &PQfinish), socket_(executor), watchdog_(executor, [this] { interrupt(); }) {}

void Connection::interrupt() {
    error_code ignored;
    socket_.cancel(ignored);
}

// libpq may replace its socket while connecting, even by one with the same number, so it is duplicated anew each time.
bool Connection::adopt_socket() {
    error_code ec;
    socket_.close(ec);
    const int copy = ::dup(PQsocket(connection_.get()));
    if (copy < 0) {
        return false;
    }
    socket_.assign(copy, ec);
    if (ec) {
        ::close(copy);
        return false;
    }
    return true;
}

Task<error_code> Connection::wait(WaitType direction) {
    error_code ec;
    if (watchdog_.expired()) {
        co_return asio::error::timed_out;
    }
    co_await socket_.async_wait(direction, into(ec));
    co_return ec;
}

DbError Connection::lost(std::string reason) {
    usable_ = false;
    if (watchdog_.expired()) {
        reason += " (no answer in time)";
    }
    watchdog_.disarm();
    return {FailureKind::transient, "", "", std::move(reason)};
}

DbError Connection::reported(const PGresult* result) {
    DbError error;
    error.sqlstate = field(result, PG_DIAG_SQLSTATE);
    error.kind = classify(error.sqlstate);
    error.place = field(result, PG_DIAG_SOURCE_FUNCTION);
    const auto constraint = field(result, PG_DIAG_CONSTRAINT_NAME);
    if (!constraint.empty()) {
        error.place.append(" ").append(constraint);
    }
    error.reason = error.sqlstate.empty() ? "the connection was lost" : "the server reported an error";
    // A permanent error may come from a stale plan or an extension that has just been updated: a new session is cheap.
    usable_ = usable_ && !ends_session(error.sqlstate) && error.kind == FailureKind::transient;
    return error;
}

Task<Connection::Opened> Connection::open(asio::any_io_executor executor, Target target, SessionOptions options) {
    auto connection = std::make_unique<Connection>(executor);
    connection->watchdog_.arm(options.connect_timeout);
    const bool connected = co_await connection->finish_connecting(target, options);
    if (!connected) {
        const auto message =
            one_line(connection->connection_ ? PQerrorMessage(connection->connection_.get()) : "out of memory");
        const auto late = connection->watchdog_.expired() ? "no answer from " + target.name + " in time" : message;
        connection->watchdog_.disarm();
        co_return Opened(DbError{FailureKind::transient, "", "", late});
    }
    connection->watchdog_.disarm();
    connection->usable_ = true;
    connection->statement_limit_ = options.statement_timeout + margin;
    const auto setup = "SELECT pg_catalog.set_config('statement_timeout', '" +
                       std::to_string(options.statement_timeout.count()) +
                       "', false), pg_catalog.set_config('idle_in_transaction_session_timeout', '60000', false)";
    auto outcome = co_await connection->run(setup.c_str(), options.connect_timeout);
    if (auto* error = std::get_if<DbError>(&outcome)) {
        error->kind = FailureKind::transient;
        co_return Opened(std::move(*error));
    }
    co_return Opened(std::move(connection));
}

Task<bool> Connection::finish_connecting(const Target& target, const SessionOptions& options) {
    std::vector<const char*> keywords;
    std::vector<const char*> values;
    for (const auto& [keyword, value] : target.parameters) {
        keywords.push_back(keyword.c_str());
        values.push_back(value.c_str());
    }
    // client_encoding wins over a value in the URL: everything we send and read is UTF-8.
    for (const auto& [keyword, value] :
         {std::pair<const char*, const char*>{"fallback_application_name", options.application_name.c_str()},
          {"client_encoding", "UTF8"}}) {
        keywords.push_back(keyword);
        values.push_back(value);
    }
    keywords.push_back(nullptr);
    values.push_back(nullptr);
    // Looking up a host name blocks in libpq; an address or a socket folder does not.
    connection_.reset(PQconnectStartParams(keywords.data(), values.data(), 0));
    if (!connection_ || PQstatus(connection_.get()) == CONNECTION_BAD) {
        co_return false;
    }
    PQsetNoticeReceiver(connection_.get(), &drop_notice, nullptr);
    auto state = PGRES_POLLING_WRITING;
    while (state != PGRES_POLLING_OK) {
        if (state == PGRES_POLLING_FAILED || !adopt_socket()) {
            co_return false;
        }
        const auto ec = co_await wait(state == PGRES_POLLING_READING ? WaitType::wait_read : WaitType::wait_write);
        if (ec) {
            co_return false;
        }
        state = PQconnectPoll(connection_.get());
    }
    co_return adopt_socket() && PQsetnonblocking(connection_.get(), 1) == 0;
}

// Sends what is buffered, then reads until the statement is done. Keeps the first error, else the last result.
Task<QueryOutcome> Connection::collect() {
    for (int rest = PQflush(connection_.get()); rest != 0; rest = PQflush(connection_.get())) {
        if (rest < 0) {
            co_return lost("the connection was lost while sending");
        }
        const auto ec = co_await wait(WaitType::wait_write);
        if (ec) {
            co_return lost("the connection was lost while sending");
        }
    }
    std::unique_ptr<PGresult, decltype(&PQclear)> kept(nullptr, &PQclear);
    bool failed = false;
    while (true) {
        while (PQisBusy(connection_.get()) != 0) {
            const auto ec = co_await wait(WaitType::wait_read);
            if (ec || PQconsumeInput(connection_.get()) == 0) {
                co_return lost("the connection was lost while waiting for an answer");
            }
        }
        PGresult* next = PQgetResult(connection_.get());
        if (next == nullptr) {
            break;
        }
        const auto status = PQresultStatus(next);
        const bool good = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
        if (failed) {
            PQclear(next);
        } else {
            kept.reset(next);
            failed = !good;
        }
    }
    watchdog_.disarm();
    if (PQstatus(connection_.get()) != CONNECTION_OK) {
        usable_ = false;
    }
    if (!kept) {
        co_return lost("the connection was lost");
    }
    if (failed) {
        co_return reported(kept.get());
    }
    co_return Rows(kept.release());
}

Task<QueryOutcome> Connection::prepare(StatementId id) {
    const auto& chosen = statement(id);
    if (PQsendPrepare(connection_.get(), chosen.name, chosen.sql, 0, nullptr) == 0) {
        co_return lost("the connection was lost before a statement could be sent");
    }
    auto outcome = co_await collect();
    prepared_[static_cast<std::size_t>(id)] = std::holds_alternative<Rows>(outcome);
    co_return outcome;
}

Task<QueryOutcome> Connection::execute(StatementId id, std::span<const Param> params) {
    return execute_within(id, params, statement_limit_);
}

Task<QueryOutcome> Connection::execute_within(StatementId id, std::span<const Param> params, Milliseconds limit) {
    if (!usable_) {
        co_return lost("the connection is closed");
    }
    if (!prepared_[static_cast<std::size_t>(id)]) {
        watchdog_.arm(limit);
        auto outcome = co_await prepare(id);
        if (std::holds_alternative<DbError>(outcome)) {
            co_return outcome;
        }
    }
    const auto began = Clock::now();
    std::array<const char*, most_params> values{};
    std::array<int, most_params> lengths{};
    std::array<int, most_params> formats{};
    for (std::size_t i = 0; i < params.size() && i < values.size(); ++i) {
        values[i] = params[i].data;
        lengths[i] = params[i].length;
        formats[i] = params[i].format;
    }
    watchdog_.arm(limit);
    if (PQsendQueryPrepared(connection_.get(), statement(id).name, static_cast<int>(params.size()), values.data(),
                            lengths.data(), formats.data(), 0) == 0) {
        co_return lost("the connection was lost before a statement could be sent");
    }
    auto outcome = co_await collect();
    const auto took = std::chrono::duration<double>(Clock::now() - began).count();
    query_times()[static_cast<std::size_t>(id)].add(took);
    co_return outcome;
}

Task<QueryOutcome> Connection::run(const char* sql, Milliseconds limit) {
    if (!usable_) {
        co_return lost("the connection is closed");
    }
    watchdog_.arm(limit);
    if (PQsendQuery(connection_.get(), sql) == 0) {
        co_return lost("the connection was lost before a statement could be sent");
    }
    co_return co_await collect();
}

Task<std::variant<bool, DbError>> Connection::wait_for_notification(Milliseconds limit) {
    watchdog_.arm(limit);
    bool notified = false;
    while (!notified) {
        while (PGnotify* notification = PQnotifies(connection_.get())) {
            PQfreemem(notification);
            notified = true; // many are one: they only say "look again"
        }
        if (notified) {
            break;
        }
        const auto ec = co_await wait(WaitType::wait_read);
        if (ec && watchdog_.expired()) {
            break;
        }
        if (ec || PQconsumeInput(connection_.get()) == 0) {
            co_return lost("the connection was lost while listening");
        }
    }
    watchdog_.disarm();
    co_return notified;
}

bool Connection::still_there() {
    pollfd entry{PQsocket(connection_.get()), POLLIN, 0};
    while (usable_ && ::poll(&entry, 1, 0) > 0) {
        if (PQconsumeInput(connection_.get()) == 0 || PQstatus(connection_.get()) != CONNECTION_OK) {
            usable_ = false;
        }
    }
    return usable_;
}

} // namespace radscheduler::sidecar::db
