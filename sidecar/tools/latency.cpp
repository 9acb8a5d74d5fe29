#include "tools/latency.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace radscheduler::sidecar::tools {
namespace {

constexpr std::uint64_t steps = 64;

// Values below 2 * steps have a bucket each; above, a bucket holds 2^shift values.
std::size_t bucket_of(std::uint64_t value) {
    if (value < 2 * steps) {
        return value;
    }
    const auto shift = static_cast<std::uint64_t>(std::bit_width(value)) - 7;
    return shift * steps + (value >> shift);
}

std::uint64_t largest_in(std::size_t bucket) {
    if (bucket < 2 * steps) {
        return bucket;
    }
    const auto shift = bucket / steps - 1;
    return ((bucket % steps + steps + 1) << shift) - 1;
}

} // namespace

void Latencies::add(std::chrono::microseconds time) {
    const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(time.count(), 0));
    ++counts_[std::min(bucket_of(value), buckets - 1)];
    ++count_;
    longest_ = std::max(longest_, value);
}

double Latencies::percentile_ms(double share) const {
    if (count_ == 0) {
        return 0;
    }
    const auto wanted = std::max<std::uint64_t>(static_cast<std::uint64_t>(std::ceil(share * double(count_))), 1);
    std::uint64_t seen = 0;
    std::size_t bucket = 0;
    while ((seen += counts_[bucket]) < wanted && bucket + 1 < buckets) {
        ++bucket;
    }
    return static_cast<double>(std::min(largest_in(bucket), longest_)) / 1000;
}

} // namespace radscheduler::sidecar::tools
