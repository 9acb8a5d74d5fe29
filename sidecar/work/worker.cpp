#include "work/worker.hpp"

#include <algorithm>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "obs/log.hpp"

namespace radscheduler::sidecar::work {
namespace {

constexpr Milliseconds look_every{15'000};
constexpr int beats_of_a_lease = 4;

} // namespace

Worker::Worker(asio::any_io_executor executor, std::shared_ptr<db::Pool> pool, std::string kind, std::size_t places)
    : executor_(std::move(executor)), desk_(std::move(pool)), kind_(std::move(kind)), machine_(places),
      wake_(executor_), pause_(executor_), beat_(executor_), glance_(executor_) {}

void Worker::start(Performer performer) {
    performer_ = std::move(performer);
    const auto self = shared_from_this();
    asio::co_spawn(
        executor_, [self] { return self->run(); }, asio::detached);
    asio::co_spawn(
        executor_, [self] { return self->keep_leases(); }, asio::detached);
    asio::co_spawn(
        executor_, [self] { return self->look(); }, asio::detached);
}

void Worker::stop() {
    stopped_ = true;
    machine_.stop();
    for (auto* signal : {&wake_, &pause_, &beat_, &glance_}) {
        signal->notify();
    }
}

Task<void> Worker::run() {
    using Action = ClaimMachine::Action;
    using Event = ClaimMachine::Event;
    auto event = Event::start;
    std::size_t queues = 0;
    while (true) {
        const auto step = machine_.resume(event, queues, random_number());
        queues = 0;
        if (step.action == Action::finish) {
            co_return;
        }
        if (step.action == Action::claim) {
            event = co_await claim(queues);
        } else if (step.action == Action::rest) {
            co_await pause_.wait(step.delay);
            event = Event::rested;
        } else {
            co_await wake_.wait(step.delay);
            event = Event::waited;
        }
    }
}

Task<ClaimMachine::Event> Worker::claim(std::size_t& queues) {
    claiming_ = true;
    auto claimed = co_await desk_.claim(kind_, machine_.free());
    claiming_ = false;
    if (const auto* error = std::get_if<db::DbError>(&claimed)) {
        if (!told_ && !stopped_ && !error->sqlstate.empty()) { // an unreachable database is told by the pool
            log::error("work.claim_failed",
                       "tasks could not be claimed; trying on. If the function is missing or forbidden: ALTER "
                       "EXTENSION radscheduler UPDATE, and grant_role('ingest', ...) for the daemon's role",
                       {{"kind", kind_}, {"sqlstate", error->sqlstate}, {"place", error->place}});
            told_ = true;
        }
        co_return ClaimMachine::Event::failed;
    }
    told_ = false;
    auto& runs = std::get<std::vector<Run>>(claimed);
    queues = runs.size();
    bool first = idle();
    for (auto& run : runs) {
        lease_ = first ? run.lease : std::min(lease_, run.lease);
        first = false;
        auto shared = std::make_shared<const Run>(std::move(run));
        asio::co_spawn(
            executor_, [self = shared_from_this(), shared] { return self->perform(shared); }, asio::detached);
    }
    beat_.notify();
    co_return ClaimMachine::Event::claimed;
}

Task<void> Worker::perform(std::shared_ptr<const Run> run) {
    for (const auto& task : run->tasks) {
        mine_.insert(task.id.number);
    }
    co_await performer_(run);
    for (const auto& task : run->tasks) {
        mine_.erase(mine_.find(task.id.number));
    }
    machine_.ended();
    wake_.notify();
    if (stopped_) {
        beat_.notify();
    }
}

Task<void> Worker::keep_leases() {
    auto due = Clock::now() + lease_ / beats_of_a_lease;
    while (!stopped_ || !idle()) {
        const auto left = std::chrono::duration_cast<Milliseconds>(due - Clock::now());
        const bool woken = co_await beat_.wait(std::max(left, Milliseconds(1)));
        const auto next = Clock::now() + lease_ / beats_of_a_lease;
        due = woken ? std::min(due, next) : next;
        if (!woken && !mine_.empty()) {
            // Only of what is in hand: what could not be given back has to run out. What is lost shows when settled.
            std::vector<std::string> numbers(mine_.begin(), mine_.end());
            co_await desk_.sign_of_life(std::move(numbers));
        }
    }
}

Task<void> Worker::look() {
    while (!stopped_) {
        auto counts = co_await desk_.count();
        counts_ = counts ? std::move(*counts) : std::vector<TaskCount>();
        co_await glance_.wait(look_every);
    }
}

} // namespace radscheduler::sidecar::work
