// Waiting times between tries: exponential with full jitter, so that many waiters do not return at the same moment.
// Invariant: 0 < next(r) <= limit for every random r; reset() starts over at the first step.
#pragma once

#include <chrono>
#include <cstdint>

namespace radscheduler::sidecar {

class Backoff {
public:
    Backoff(std::chrono::milliseconds first, std::chrono::milliseconds limit);

    // The next wait. `random` is any uniformly distributed number; passing it in keeps this class testable.
    std::chrono::milliseconds next(std::uint64_t random);
    void reset() { step_ = first_; }

private:
    std::chrono::milliseconds first_;
    std::chrono::milliseconds limit_;
    std::chrono::milliseconds step_;
};

// A random number for Backoff::next, from a generator seeded once per process.
std::uint64_t random_number();

} // namespace radscheduler::sidecar
