#include "mllp/delivery.hpp"

namespace radscheduler::sidecar::mllp {

Delivery::Step Delivery::resume(Event event, std::uint64_t random) {
    if (finished_) {
        return {Action::give_up};
    }
    switch (event) {
    case Event::committed:
        finished_ = true;
        return {Action::answer};
    case Event::transient_failure:
        held_ = true;
        return {Action::sleep, backoff_.next(random)};
    case Event::permanent_failure:
    case Event::peer_closed:
    case Event::shutting_down:
        finished_ = true;
        return {Action::give_up};
    case Event::start:
    case Event::slept:
        break;
    }
    ++attempts_;
    return {Action::attempt};
}

} // namespace radscheduler::sidecar::mllp
