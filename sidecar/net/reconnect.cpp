#include "net/reconnect.hpp"

namespace radscheduler::sidecar {

Reconnect::Step Reconnect::resume(Event event, std::uint64_t random) {
    if (event == Event::stop) {
        stopped_ = true;
    }
    if (stopped_) {
        connected_ = false;
        return {Action::finish};
    }
    switch (event) {
    case Event::connected:
        connected_ = true;
        failures_ = 0;
        backoff_.reset();
        return {Action::serve};
    case Event::failed:
        connected_ = false;
        ++failures_;
        return {Action::sleep, backoff_.next(random)};
    case Event::lost:
        // The first try after a loss waits a little too: a server that restarts drops all its connections at once.
        connected_ = false;
        return {Action::sleep, backoff_.next(random)};
    case Event::start:
    case Event::slept:
    case Event::stop:
        break;
    }
    return {Action::connect};
}

} // namespace radscheduler::sidecar
