#include "db/lone_session.hpp"

namespace radscheduler::sidecar::db {

LoneSession::LoneSession(const asio::any_io_executor& executor, std::vector<Target> targets, SessionOptions options,
                         std::string name)
    : executor_(executor), targets_(std::move(targets)), options_(std::move(options)) {
    options_.application_name = std::move(name);
}

void LoneSession::stop() {
    stopped_ = true;
    if (connection_) {
        connection_->interrupt();
    }
}

Task<QueryOutcome> LoneSession::run(StatementId id) {
    DbError last{FailureKind::transient, "", "", "no session was opened"};
    for (const auto& target : targets_) {
        if (stopped_) {
            break;
        }
        auto opened = co_await Connection::open(executor_, target, options_);
        if (std::holds_alternative<DbError>(opened)) {
            last = std::get<DbError>(std::move(opened));
            continue;
        }
        if (stopped_) {
            break;
        }
        connection_ = std::move(std::get<std::unique_ptr<Connection>>(opened));
        auto outcome = co_await connection_->execute(id, {});
        connection_.reset();
        co_return outcome;
    }
    co_return last;
}

} // namespace radscheduler::sidecar::db
