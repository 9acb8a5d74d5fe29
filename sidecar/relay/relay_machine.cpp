#include "relay/relay_machine.hpp"

namespace radscheduler::sidecar::relay {
namespace {

constexpr std::chrono::milliseconds first_wait{100};
constexpr std::chrono::milliseconds longest_redis_wait{10'000};
constexpr std::chrono::milliseconds longest_database_wait{3000};

} // namespace

RelayMachine::RelayMachine(std::size_t batch_size)
    : batch_size_(batch_size), redis_backoff_(first_wait, longest_redis_wait),
      database_backoff_(first_wait, longest_database_wait) {}

RelayMachine::Step RelayMachine::rest(const Facts& facts) {
    if (facts.leading && facts.stale) {
        return {Action::refresh};
    }
    return wait();
}

RelayMachine::Step RelayMachine::wait() {
    if (quiet_polls_ < busy_polls) {
        ++quiet_polls_;
        return {Action::wait, busy_wait};
    }
    return {Action::wait, idle_wait};
}

RelayMachine::Step RelayMachine::fetch(bool leading) {
    if (leading) {
        return {Action::fetch};
    }
    caught_up_ = true;
    return {Action::wait, idle_wait};
}

RelayMachine::Step RelayMachine::resume(Event event, const Facts& facts, std::uint64_t random) {
    stopped_ = stopped_ || event == Event::stop;
    if (stopped_) {
        return {Action::finish};
    }
    switch (event) {
    case Event::start:
    case Event::stop:
        return {Action::connect};
    case Event::connected:
        redis_up_ = true;
        redis_backoff_.reset();
        return unadvanced_ ? Step{Action::advance} : fetch(facts.leading);
    case Event::connect_failed:
    case Event::publish_failed:
    case Event::ping_failed:
    case Event::refresh_failed:
        redis_up_ = false;
        caught_up_ = false;
        return {Action::back_off, redis_backoff_.next(random)};
    case Event::fetched:
        database_backoff_.reset();
        batch_ = facts.count;
        if (batch_ > 0) {
            quiet_polls_ = 0;
            caught_up_ = false;
            return {Action::publish};
        }
        caught_up_ = true;
        return rest(facts);
    case Event::published:
        unadvanced_ = true;
        return {Action::advance};
    case Event::advanced:
        unadvanced_ = false;
        database_backoff_.reset();
        if (batch_ >= batch_size_) {
            return fetch(facts.leading); // there is more
        }
        caught_up_ = true;
        return rest(facts);
    case Event::fetch_failed:
    case Event::advance_failed:
        caught_up_ = false;
        return {Action::back_off, database_backoff_.next(random)};
    case Event::pinged:
        return fetch(facts.leading);
    case Event::refreshed:
        return wait();
    case Event::woken:
        quiet_polls_ = 0; // the event may become visible a moment after its notification
        break;
    case Event::waited:
        break;
    }
    if (unadvanced_) {
        return {Action::advance};
    }
    if (!redis_up_) {
        return {Action::connect};
    }
    if (facts.silence >= ping_after) {
        return {Action::ping};
    }
    return fetch(facts.leading);
}

} // namespace radscheduler::sidecar::relay
