// One run over tasks of a link, in their order: connect, begin, exchange, settle, and on to the next. No I/O in here.
//
// Rules: nothing is begun before there is a connection, so that a receiver that is away costs no message its certainty.
// A task is begun in the database before its first byte leaves, and settled before the next one is begun. After an end
// that leaves a task open (not sent, no answer, refused for now) those behind it are given back: they wait for it. What
// cannot be settled because the database is away is tried on; when the daemon ends meanwhile, the lease ends by itself
// and the message counts as perhaps sent.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "net/backoff.hpp"

namespace radscheduler::sidecar::link {

enum class Outcome { done, refused, deferred, not_sent, no_answer, broken };
std::string_view outcome_word(Outcome outcome); // the event of finish_task()

class RunMachine {
public:
    enum class Event {
        start,
        connected,
        not_connected,
        begun,
        begun_late,      // begun, but so late that the lease may be somebody else's
        begun_empty,     // begun, but there is no message to send
        not_ours,        // the lease is lost, or the link was switched off
        begin_failed,    // the database did not answer: begun or not, nobody knows
        accepted,        // a positive answer, or none was asked for
        refused,         // a negative one
        unanswered,      // no answer, or not all bytes could be sent
        settled,         // the database knows
        settled_in_vain, // the lease was lost meanwhile
        settle_failed,
        paused,
        released,
    };
    enum class Action { connect, begin, exchange, settle, pause, release, finish };
    struct Step {
        Action action;
        Outcome outcome = Outcome::done;    // only for settle
        bool begun = true;                  // only for settle: whether the try counts as begun
        std::chrono::milliseconds delay{0}; // only for pause
    };

    RunMachine(std::size_t tasks, bool retries_refused);

    Step resume(Event event, std::uint64_t random);
    // The daemon ends: the task in hand is finished, no other is begun.
    void stop() { stopping_ = true; }

    // The task in hand; those from here on are to be given back by release.
    std::size_t at() const { return at_; }

private:
    Step settle(Outcome outcome, bool begun);
    Step next();

    std::size_t tasks_;
    bool retries_refused_;
    std::size_t at_ = 0;
    Step pending_{Action::finish};
    bool doubtful_ = false; // the task in hand may not have been begun: it is given back as well
    bool stopping_ = false;
    int failed_while_stopping_ = 0;
    Backoff backoff_;
};

} // namespace radscheduler::sidecar::link
