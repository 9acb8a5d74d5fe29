// When a worker asks for work: at once while there is more, else on a wake-up and every second. No I/O in here.
// Invariants: never more queues in hand than places; however often it is woken, a question that found nothing is not
// repeated before a short rest; it asks on when nobody wakes it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "net/backoff.hpp"

namespace radscheduler::sidecar::work {

class ClaimMachine {
public:
    enum class Event {
        start,
        claimed, // with the number of queues
        failed,
        rested,
        waited, // by time or by a wake-up
    };
    enum class Action {
        claim, // at most free() queues
        rest,  // the whole time
        wait,  // until the time is up or somebody wakes
        finish,
    };
    struct Step {
        Action action;
        std::chrono::milliseconds delay{0}; // only for rest and wait
    };

    explicit ClaimMachine(std::size_t places);

    Step resume(Event event, std::size_t queues, std::uint64_t random);
    // Whatever was claimed is in hand; nothing more is.
    void stop() { stopped_ = true; }
    // A queue in hand is finished; whoever waits is to be woken.
    void ended() { --in_hand_; }

    std::size_t free() const { return places_ - in_hand_; }
    std::size_t in_hand() const { return in_hand_; }

    static constexpr std::chrono::milliseconds short_rest{100};
    static constexpr std::chrono::milliseconds poll_every{1000};

private:
    std::size_t places_;
    std::size_t in_hand_ = 0;
    Backoff backoff_;
    bool stopped_ = false;
};

} // namespace radscheduler::sidecar::work
