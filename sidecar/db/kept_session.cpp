#include "db/kept_session.hpp"

#include "net/reconnect.hpp"

namespace radscheduler::sidecar::db {
namespace {

constexpr Milliseconds first_wait{100};
constexpr Milliseconds longest_wait{3000};

} // namespace

KeptSession::KeptSession(const asio::any_io_executor& executor, std::vector<Target> targets, SessionOptions options,
                         std::string name)
    : executor_(executor), targets_(std::move(targets)), options_(std::move(options)), pause_(executor) {
    options_.application_name = std::move(name);
}

void KeptSession::stop() {
    stopped_ = true;
    pause_.notify();
    if (connection_) {
        connection_->interrupt();
    }
}

Task<void> KeptSession::run(Use serve) {
    Reconnect reconnect(first_wait, longest_wait);
    std::size_t next_target = 0;
    auto step = reconnect.resume(Reconnect::Event::start, random_number());
    while (step.action != Reconnect::Action::finish) {
        auto event = Reconnect::Event::slept;
        if (step.action == Reconnect::Action::connect) {
            auto opened = co_await Connection::open(executor_, targets_[next_target % targets_.size()], options_);
            if (std::holds_alternative<DbError>(opened)) {
                ++next_target;
                event = Reconnect::Event::failed;
            } else {
                connection_ = std::move(std::get<std::unique_ptr<Connection>>(opened));
                event = Reconnect::Event::connected;
            }
        } else if (step.action == Reconnect::Action::serve) {
            co_await serve(*connection_);
            connection_.reset();
            event = Reconnect::Event::lost;
        } else {
            co_await pause_.wait(step.delay);
        }
        step = reconnect.resume(stopped_ ? Reconnect::Event::stop : event, random_number());
    }
    connection_.reset();
}

} // namespace radscheduler::sidecar::db
