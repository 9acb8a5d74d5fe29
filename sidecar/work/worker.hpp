// Claims tasks and gives each run of a queue to whoever does that kind, many queues at a time. Does what ClaimMachine
// says; keeps the leases of what is in hand alive; looks now and then how much is left, for the metrics.
// Invariant: stop() claims no more; idle() tells when everything in hand has ended.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "db/pool.hpp"
#include "net/signal.hpp"
#include "work/claim_machine.hpp"
#include "work/desk.hpp"

namespace radscheduler::sidecar::work {

class Worker : public std::enable_shared_from_this<Worker> {
public:
    using Performer = std::function<Task<void>(std::shared_ptr<const Run>)>;

    Worker(asio::any_io_executor executor, std::shared_ptr<db::Pool> pool, std::string kind, std::size_t places);

    void start(Performer performer);
    void stop();
    void wake() { wake_.notify(); }
    bool idle() const { return machine_.in_hand() == 0 && !claiming_; }
    Desk& desk() { return desk_; }
    // What was left when somebody last looked; empty when the database did not say.
    const std::vector<TaskCount>& counts() const { return counts_; }

private:
    Task<void> run();
    Task<ClaimMachine::Event> claim(std::size_t& queues);
    Task<void> perform(std::shared_ptr<const Run> run);
    Task<void> keep_leases();
    Task<void> look();

    asio::any_io_executor executor_;
    Desk desk_;
    std::string kind_;
    ClaimMachine machine_;
    Performer performer_;
    Signal wake_;  // there may be work, or a place is free
    Signal pause_; // only the end
    Signal beat_;
    Signal glance_;
    Milliseconds lease_{60'000};      // the shortest in hand
    std::multiset<std::string> mine_; // numbers of the tasks in hand
    std::vector<TaskCount> counts_;
    bool claiming_ = false;
    bool told_ = false;
    bool stopped_ = false;
};

} // namespace radscheduler::sidecar::work
