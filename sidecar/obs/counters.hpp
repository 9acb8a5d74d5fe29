// What the daemon has done since it started, as numbers. /health shows them.
// Invariant: counters only grow; gauges are named *_now. Relaxed atomics, so that any thread may count.
#pragma once

#include <atomic>
#include <cstdint>

namespace radscheduler::sidecar {

class Counter {
public:
    void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
    void remove(std::uint64_t n = 1) { value_.fetch_sub(n, std::memory_order_relaxed); }
    std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> value_{0};
};

struct Counters {
    Counter mllp_connections_now;
    Counter mllp_connections;
    Counter mllp_connections_refused;
    Counter mllp_messages;
    Counter mllp_acks_positive; // AA, CA
    Counter mllp_acks_negative; // AE, AR, CE, CR
    Counter mllp_held;          // messages that had to wait for the database
    Counter mllp_unanswered;    // messages whose connection was closed without an acknowledgement
    Counter mllp_junk_bytes;
    Counter mllp_empty_frames;
    Counter mllp_half_frames;
    Counter mllp_too_large;
    Counter mllp_not_mllp;

    Counter http_connections_now;
    Counter http_requests;
    Counter http_errors; // answers with status 500 and above

    Counter db_connects;
    Counter db_connect_failures;

    Counter relay_published;
    Counter relay_failures;
};

} // namespace radscheduler::sidecar
