#include "mllp/quarantine.hpp"

#include <array>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "obs/log.hpp"

namespace radscheduler::sidecar::mllp {
namespace {

constexpr std::size_t most_kept = 1U << 20U;    // bytes of one frame
constexpr std::size_t most_queued = 16U << 20U; // bytes that wait for the database
constexpr double at_once = 200;
constexpr double per_second = 5;
constexpr Milliseconds wait_for_session{5000};

} // namespace

Quarantine::Quarantine(asio::any_io_executor executor, std::shared_ptr<db::Pool> pool, Counters& counters)
    : executor_(std::move(executor)), pool_(std::move(pool)), counters_(counters), allowance_(at_once, per_second) {}

void Quarantine::keep(Rejected rejected) {
    if (rejected.bytes.size() > most_kept) {
        rejected.bytes = Payload(std::string(rejected.bytes.view().substr(0, most_kept)));
    }
    if (queued_bytes_ + rejected.bytes.size() > most_queued) {
        lose(rejected, "too much waits to be kept");
        return;
    }
    if (!allowance_.take(Clock::now())) {
        lose(rejected, "too many were rejected in a short time");
        return;
    }
    queued_bytes_ += rejected.bytes.size();
    queue_.push_back(std::move(rejected));
    if (!working_) {
        working_ = true;
        asio::co_spawn(
            executor_, [self = shared_from_this()] { return self->work(); }, asio::detached);
    }
}

Task<void> Quarantine::work() {
    while (!queue_.empty()) {
        auto rejected = std::move(queue_.front());
        queue_.pop_front();
        const auto offset = std::to_string(rejected.offset);
        const auto size = std::to_string(rejected.size);
        const std::array<db::Param, 6> params{db::Param::bytes(rejected.bytes.view()),
                                              db::Param::text(rejected.reason),
                                              db::Param::text(rejected.peer),
                                              db::Param::text(offset),
                                              db::Param::text(size),
                                              db::Param::text(rejected.listener)};
        const db::RunOptions options{wait_for_session, db::WhenDown::wait, Milliseconds(0)};
        const auto result = co_await db::run(pool_, db::StatementId::quarantine, params, options);
        queued_bytes_ -= rejected.bytes.size();
        if (const auto* error = std::get_if<db::DbError>(&result)) {
            lose(rejected, error->sqlstate.empty() ? error->reason : "SQLSTATE " + error->sqlstate);
        } else {
            counters_.mllp_quarantined.add();
        }
    }
    working_ = false;
}

void Quarantine::lose(const Rejected& rejected, std::string_view why) {
    counters_.mllp_quarantine_lost.add();
    log::warn("mllp.not_quarantined", "a rejected frame could not be kept",
              {{"peer", rejected.peer}, {"reason", rejected.reason}, {"bytes", rejected.size}, {"why", why}});
}

} // namespace radscheduler::sidecar::mllp
