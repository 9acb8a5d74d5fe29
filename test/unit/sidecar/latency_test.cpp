// Percentiles out of buckets: exact where small, never too low, at most two per cent too high.
#include "tools/latency.hpp"

#include <algorithm>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace {

using radscheduler::sidecar::tools::Latencies;
using std::chrono::microseconds;

TEST(Latencies, NothingIsZero) {
    const Latencies none;
    EXPECT_EQ(none.count(), 0U);
    EXPECT_EQ(none.percentile_ms(0.99), 0);
    EXPECT_EQ(none.max_ms(), 0);
}

TEST(Latencies, OneValueIsEveryPercentile) {
    Latencies one;
    one.add(microseconds(12'345));
    EXPECT_DOUBLE_EQ(one.percentile_ms(0), 12.345);
    EXPECT_DOUBLE_EQ(one.percentile_ms(1), 12.345);
    EXPECT_DOUBLE_EQ(one.max_ms(), 12.345);
}

TEST(Latencies, SmallValuesAreExact) {
    Latencies small;
    for (int i = 1; i <= 100; ++i) {
        small.add(microseconds(i));
    }
    EXPECT_DOUBLE_EQ(small.percentile_ms(0.50), 0.050);
    EXPECT_DOUBLE_EQ(small.percentile_ms(0.95), 0.095);
    EXPECT_DOUBLE_EQ(small.percentile_ms(0.99), 0.099);
    EXPECT_DOUBLE_EQ(small.percentile_ms(1), 0.100);
}

TEST(Latencies, AgreesWithSorting) {
    std::mt19937_64 random(7);
    std::vector<std::int64_t> values;
    Latencies latencies;
    for (int i = 0; i < 20'000; ++i) {
        const auto value = static_cast<std::int64_t>(random() % (std::uint64_t{1} << (random() % 40)));
        values.push_back(value);
        latencies.add(microseconds(value));
    }
    std::sort(values.begin(), values.end());
    for (const double share : {0.01, 0.5, 0.9, 0.95, 0.99, 0.999}) {
        const auto place = static_cast<std::size_t>(share * 20'000) - 1;
        const auto exact = static_cast<double>(values[place]) / 1000;
        EXPECT_GE(latencies.percentile_ms(share), exact) << share;
        EXPECT_LE(latencies.percentile_ms(share), exact * 1.02 + 0.001) << share;
    }
    EXPECT_DOUBLE_EQ(latencies.max_ms(), static_cast<double>(values.back()) / 1000);
    EXPECT_DOUBLE_EQ(latencies.percentile_ms(1), latencies.max_ms());
}

TEST(Latencies, TakesWhatNoClockShouldGive) {
    Latencies odd;
    odd.add(microseconds(-5));
    odd.add(microseconds::max());
    EXPECT_EQ(odd.count(), 2U);
    EXPECT_EQ(odd.percentile_ms(0.5), 0);
}

} // namespace
