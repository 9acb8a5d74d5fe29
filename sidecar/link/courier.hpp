// Sends the messages of links (tasks of the kind hl7_out) over MLLP. Does what RunMachine says; decides nothing itself.
// Invariants: one message of a link is under way at a time, and the next one leaves only after its answer. A connection
// on which an answer failed to come is closed, so that a late one is never taken for another message's. Certificates
// are read for each connection anew.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "link/answer.hpp"
#include "link/route.hpp"
#include "link/run_machine.hpp"
#include "mllp/client.hpp"
#include "net/signal.hpp"
#include "obs/counters.hpp"
#include "work/desk.hpp"

namespace radscheduler::sidecar::link {

class Courier : public std::enable_shared_from_this<Courier> {
public:
    Courier(asio::any_io_executor executor, work::Desk& desk, std::string tls_folder, Counters& counters);
    ~Courier();

    // Returns when the run is over, whatever came of it.
    Task<void> deliver(std::shared_ptr<const work::Run> run);
    // What is under way gets a little time for its answer; nothing else is begun.
    void stop();
    // When nothing is under way any more.
    void close();
    std::size_t connections() const;

private:
    struct Line;
    struct Errand;
    using Event = RunMachine::Event;

    Line& line_of(const work::Run& run);
    Task<Event> perform(Errand& errand, RunMachine::Step step);
    Task<Event> connect(Errand& errand);
    Task<Event> begin(Errand& errand);
    Task<Event> exchange(Errand& errand);
    Task<Event> settle(Errand& errand, RunMachine::Step step);
    Task<Event> release(Errand& errand);
    Event judged(Errand& errand, const std::string& ack);
    void note_settled(const Errand& errand, Outcome outcome, bool counts);

    asio::any_io_executor executor_;
    work::Desk& desk_;
    std::string tls_folder_;
    Counters& counters_;
    std::map<std::string, std::unique_ptr<Line>> lines_; // by site and queue
    asio::steady_timer last_call_;
    bool stopping_ = false;
};

} // namespace radscheduler::sidecar::link
