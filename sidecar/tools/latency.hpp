// How long answers took, in a fixed amount of memory however many there are: buckets that are exact below 128 µs and
// at most 1.6 % wide above it.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

namespace radscheduler::sidecar::tools {

class Latencies {
public:
    void add(std::chrono::microseconds time);

    // The time that `share` (0 to 1) of all answers did not exceed; 0 when there was none. Never below the true value,
    // never above the longest.
    double percentile_ms(double share) const;
    double max_ms() const { return static_cast<double>(longest_) / 1000; }
    std::uint64_t count() const { return count_; }

private:
    static constexpr std::size_t steps = 64; // per doubling
    static constexpr std::size_t buckets = steps * 40;

    std::array<std::uint64_t, buckets> counts_{};
    std::uint64_t count_ = 0;
    std::uint64_t longest_ = 0;
};

} // namespace radscheduler::sidecar::tools
