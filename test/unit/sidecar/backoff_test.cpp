// Waiting between tries, and the reconnect machine built on it.
#include "net/backoff.hpp"

#include <gtest/gtest.h>

#include "net/reconnect.hpp"

namespace {

using namespace radscheduler::sidecar;
using namespace std::chrono_literals;
using Event = Reconnect::Event;
using Action = Reconnect::Action;

TEST(Backoff, DoublesItsCeilingUpToTheLimit) {
    Backoff backoff(100ms, 1000ms);
    constexpr std::uint64_t most = 9'999'999'999'999'999'999ULL; // ...9 % 100, % 200, ... = ceiling - 1
    EXPECT_EQ(backoff.next(most), 100ms);
    EXPECT_EQ(backoff.next(most), 200ms);
    EXPECT_EQ(backoff.next(most), 400ms);
    EXPECT_EQ(backoff.next(most), 800ms);
    EXPECT_EQ(backoff.next(most), 1000ms);
    EXPECT_EQ(backoff.next(most), 1000ms);
}

TEST(Backoff, IsNeverZeroAndNeverOverTheLimit) {
    Backoff backoff(100ms, 3000ms);
    for (std::uint64_t random = 0; random < 10000; ++random) {
        const auto wait = backoff.next(random * 7919);
        ASSERT_GT(wait, 0ms);
        ASSERT_LE(wait, 3000ms);
    }
}

TEST(Backoff, SpreadsOverTheWholeRange) {
    Backoff low(100ms, 100ms);
    Backoff high(100ms, 100ms);
    EXPECT_EQ(low.next(0), 1ms);
    EXPECT_EQ(high.next(99), 100ms);
}

TEST(Backoff, StartsOverAfterReset) {
    Backoff backoff(100ms, 1000ms);
    backoff.next(0);
    backoff.next(0);
    backoff.reset();
    EXPECT_EQ(backoff.next(99), 100ms);
}

TEST(Reconnect, ConnectsServesAndComesBackAfterALoss) {
    Reconnect reconnect(100ms, 3000ms);
    EXPECT_EQ(reconnect.resume(Event::start, 0).action, Action::connect);
    EXPECT_EQ(reconnect.resume(Event::connected, 0).action, Action::serve);
    EXPECT_TRUE(reconnect.connected());
    const auto step = reconnect.resume(Event::lost, 99);
    EXPECT_EQ(step.action, Action::sleep);
    EXPECT_EQ(step.delay, 100ms);
    EXPECT_FALSE(reconnect.connected());
    EXPECT_EQ(reconnect.resume(Event::slept, 0).action, Action::connect);
}

TEST(Reconnect, WaitsLongerWithEveryFailureAndForgetsThemOnSuccess) {
    Reconnect reconnect(100ms, 3000ms);
    reconnect.resume(Event::start, 0);
    EXPECT_EQ(reconnect.resume(Event::failed, 99).delay, 100ms);
    reconnect.resume(Event::slept, 0);
    EXPECT_EQ(reconnect.resume(Event::failed, 199).delay, 200ms);
    EXPECT_EQ(reconnect.failures(), 2U);
    reconnect.resume(Event::slept, 0);
    reconnect.resume(Event::connected, 0);
    EXPECT_EQ(reconnect.failures(), 0U);
    EXPECT_EQ(reconnect.resume(Event::lost, 99).delay, 100ms);
}

TEST(Reconnect, EndsOnStopFromEveryState) {
    for (const auto before : {Event::start, Event::connected, Event::failed, Event::lost, Event::slept}) {
        Reconnect reconnect(100ms, 3000ms);
        reconnect.resume(before, 0);
        EXPECT_EQ(reconnect.resume(Event::stop, 0).action, Action::finish);
        EXPECT_EQ(reconnect.resume(Event::connected, 0).action, Action::finish);
        EXPECT_FALSE(reconnect.connected());
    }
}

} // namespace
