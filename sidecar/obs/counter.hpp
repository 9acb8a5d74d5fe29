// One number that anybody may count up, and how long things took.
// Invariant: relaxed atomics, so that any thread may count.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
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

class Gauge {
public:
    void set(std::uint64_t value) { value_.store(value, std::memory_order_relaxed); }
    std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> value_{0};
};

// How long messages took, by upper bound in seconds.
class Durations {
public:
    static constexpr std::array<double, 14> bounds{0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1,
                                                   0.2,   0.5,   1,     2,    5,    10,   30};

    void add(double seconds) {
        std::size_t place = 0;
        while (place < bounds.size() && seconds > bounds[place]) {
            ++place;
        }
        counts_[place].add();
        microseconds_.add(static_cast<std::uint64_t>(seconds * 1e6));
    }
    std::uint64_t count(std::size_t place) const { return counts_[place].value(); } // the last is above all bounds
    double sum() const { return static_cast<double>(microseconds_.value()) / 1e6; }

private:
    std::array<Counter, bounds.size() + 1> counts_;
    Counter microseconds_;
};

} // namespace radscheduler::sidecar
