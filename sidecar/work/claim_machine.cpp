#include "work/claim_machine.hpp"

namespace radscheduler::sidecar::work {
namespace {

constexpr std::chrono::milliseconds first_wait{500};
constexpr std::chrono::milliseconds longest_wait{10'000};

} // namespace

ClaimMachine::ClaimMachine(std::size_t places) : places_(places), backoff_(first_wait, longest_wait) {}

ClaimMachine::Step ClaimMachine::resume(Event event, std::size_t queues, std::uint64_t random) {
    if (event == Event::claimed) {
        in_hand_ += queues;
        backoff_.reset();
    }
    if (stopped_) {
        return {Action::finish};
    }
    if (event == Event::failed) {
        return {Action::rest, backoff_.next(random)};
    }
    if (event == Event::claimed && queues == 0) {
        return {Action::rest, short_rest};
    }
    if (free() == 0 || event == Event::rested) {
        return {Action::wait, poll_every};
    }
    return {Action::claim};
}

} // namespace radscheduler::sidecar::work
