#include "link/run_machine.hpp"

namespace radscheduler::sidecar::link {
namespace {

constexpr std::chrono::milliseconds first_wait{100};
constexpr std::chrono::milliseconds longest_wait{2000};
constexpr int most_failed_while_stopping = 3;

// Whether those behind the task may go on.
bool is_over(Outcome outcome) {
    return outcome == Outcome::done || outcome == Outcome::refused || outcome == Outcome::broken;
}

} // namespace

std::string_view outcome_word(Outcome outcome) {
    switch (outcome) {
    case Outcome::done:
        return "done";
    case Outcome::refused:
        return "refused";
    case Outcome::deferred:
        return "deferred";
    case Outcome::not_sent:
        return "not_sent";
    case Outcome::no_answer:
        return "no_answer";
    case Outcome::broken:
        break;
    }
    return "broken";
}

RunMachine::RunMachine(std::size_t tasks, bool retries_refused)
    : tasks_(tasks), retries_refused_(retries_refused), backoff_(first_wait, longest_wait) {}

RunMachine::Step RunMachine::settle(Outcome outcome, bool begun) {
    pending_ = {Action::settle, outcome, begun};
    return pending_;
}

RunMachine::Step RunMachine::next() {
    if (at_ >= tasks_) {
        return {Action::finish};
    }
    return {stopping_ ? Action::release : Action::connect};
}

RunMachine::Step RunMachine::resume(Event event, std::uint64_t random) {
    switch (event) {
    case Event::start:
        return next();
    case Event::connected:
        return {stopping_ ? Action::release : Action::begin};
    case Event::not_connected:
        return stopping_ ? Step{Action::release} : settle(Outcome::not_sent, false);
    case Event::begun:
        return {Action::exchange};
    case Event::begun_late:
        return settle(Outcome::not_sent, true);
    case Event::begun_empty:
        return settle(Outcome::broken, true);
    case Event::not_ours:
        return {Action::release};
    case Event::begin_failed:
        doubtful_ = true;
        return settle(Outcome::not_sent, true);
    case Event::accepted:
        return settle(Outcome::done, true);
    case Event::refused:
        return settle(retries_refused_ ? Outcome::deferred : Outcome::refused, true);
    case Event::unanswered:
        return settle(Outcome::no_answer, true);
    case Event::settled:
    case Event::settled_in_vain: {
        backoff_.reset();
        if (!doubtful_) {
            ++at_;
        }
        const bool goes_on = !doubtful_ && event == Event::settled && is_over(pending_.outcome);
        return goes_on || at_ >= tasks_ ? next() : Step{Action::release};
    }
    case Event::settle_failed:
        if (stopping_ && ++failed_while_stopping_ >= most_failed_while_stopping) {
            return {Action::finish};
        }
        return {Action::pause, Outcome::done, true, backoff_.next(random)};
    case Event::paused:
        return pending_;
    case Event::released:
        break;
    }
    return {Action::finish};
}

} // namespace radscheduler::sidecar::link
