// The order of the relay's steps: fetch events from PostgreSQL, publish them, then move the cursor. No I/O in here.
// Of several daemons on one database the one that leads does so; the others keep their connection to Redis and wait.
//
// Invariants: the cursor moves only after every event of the batch was published, so an event may be published twice
// but never lost. Once published, a batch is not fetched again until its cursor has moved, so that a cursor that cannot
// be moved does not flood Redis. Nothing is fetched while Redis is away, or by one that does not lead; a batch in hand
// when the lead is lost is finished, which at worst repeats what the next leader publishes. Polling never stops,
// whatever the wake-up channel does.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "net/backoff.hpp"

namespace radscheduler::sidecar::relay {

class RelayMachine {
public:
    enum class Event {
        start,
        connected,
        connect_failed,
        fetched, // with the number of events
        fetch_failed,
        published,
        publish_failed,
        advanced,
        advance_failed,
        pinged,
        ping_failed,
        refreshed,
        refresh_failed,
        woken,  // a notification, or a change of leader, ended a wait
        waited, // a wait ran to its end
        stop,
    };
    enum class Action {
        connect,
        fetch,
        publish,
        advance,
        ping,
        refresh,  // the cached aggregates
        wait,     // until the time is up or a notification comes
        back_off, // until the time is up: notifications must not turn an outage into a storm of tries
        finish,
    };
    struct Step {
        Action action;
        std::chrono::milliseconds delay{0}; // only for wait and back_off
    };

    explicit RelayMachine(std::size_t batch_size);

    struct Facts {
        std::size_t count = 0;                // of the events of fetched
        std::chrono::milliseconds silence{0}; // how long ago Redis last answered
        bool leading = true;
        bool stale = false; // aggregates should be cached anew
    };
    Step resume(Event event, const Facts& facts, std::uint64_t random);

    bool redis_up() const { return redis_up_; }
    // True when the last fetch found less than a batch and all of it was published; of one that does not lead nothing
    // is expected.
    bool caught_up() const { return caught_up_; }

    static constexpr std::chrono::milliseconds busy_wait{250};
    static constexpr std::chrono::milliseconds idle_wait{1000};
    static constexpr std::chrono::milliseconds ping_after{15'000};
    static constexpr int busy_polls = 8; // quiet polls until the relay counts as idle

private:
    Step rest(const Facts& facts);
    Step wait();
    Step fetch(bool leading);

    std::size_t batch_size_;
    Backoff redis_backoff_;
    Backoff database_backoff_;
    std::size_t batch_ = 0;
    int quiet_polls_ = 0;
    bool unadvanced_ = false; // published, but the cursor has not moved yet
    bool redis_up_ = false;
    bool caught_up_ = false;
    bool stopped_ = false;
};

} // namespace radscheduler::sidecar::relay
