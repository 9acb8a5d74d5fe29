// The relay's order of steps: nothing lost, nothing fetched in vain, never a storm.
#include "relay/relay_machine.hpp"

#include <gtest/gtest.h>

namespace {

using radscheduler::sidecar::relay::RelayMachine;
using Event = RelayMachine::Event;
using Action = RelayMachine::Action;
using namespace std::chrono_literals;

class Relay : public testing::Test {
protected:
    RelayMachine::Step on(Event event, std::size_t count = 0, std::chrono::milliseconds silence = 0ms) {
        facts_.count = count;
        facts_.silence = silence;
        return machine_.resume(event, facts_, 0);
    }
    void connect() {
        on(Event::start);
        on(Event::connected);
    }
    RelayMachine machine_{500};
    RelayMachine::Facts facts_;
};

TEST_F(Relay, PublishesBeforeItMovesTheCursor) {
    EXPECT_EQ(on(Event::start).action, Action::connect);
    EXPECT_EQ(on(Event::connected).action, Action::fetch);
    EXPECT_EQ(on(Event::fetched, 3).action, Action::publish);
    EXPECT_FALSE(machine_.caught_up());
    EXPECT_EQ(on(Event::published).action, Action::advance);
    EXPECT_EQ(on(Event::advanced).action, Action::wait);
    EXPECT_TRUE(machine_.caught_up());
}

TEST_F(Relay, FetchesOnAtOnceAfterAFullBatch) {
    connect();
    on(Event::fetched, 500);
    on(Event::published);
    EXPECT_EQ(on(Event::advanced).action, Action::fetch);
    EXPECT_FALSE(machine_.caught_up());
}

TEST_F(Relay, NeverAdvancesAfterAFailedPublish) {
    connect();
    on(Event::fetched, 3);
    EXPECT_EQ(on(Event::publish_failed).action, Action::back_off);
    EXPECT_FALSE(machine_.redis_up());
    EXPECT_EQ(on(Event::waited).action, Action::connect);
    EXPECT_EQ(on(Event::connect_failed).action, Action::back_off);
    EXPECT_EQ(on(Event::waited).action, Action::connect);
    EXPECT_EQ(on(Event::connected).action, Action::fetch); // the batch is fetched again
}

TEST_F(Relay, DoesNotPublishAgainWhileTheCursorCannotBeMoved) {
    connect();
    on(Event::fetched, 3);
    on(Event::published);
    for (int i = 0; i < 10; ++i) {
        const auto step = machine_.resume(Event::advance_failed, facts_, 9'999'999'999'999'999'999ULL);
        ASSERT_EQ(step.action, Action::back_off);
        ASSERT_EQ(step.delay >= 1000ms, i >= 4) << i; // the waits grow
        ASSERT_FALSE(machine_.caught_up());
        ASSERT_EQ(on(Event::waited).action, Action::advance);
    }
    EXPECT_EQ(on(Event::advanced).action, Action::wait);
    EXPECT_EQ(on(Event::waited).action, Action::fetch);
}

TEST_F(Relay, BacksOffWhileTheDatabaseIsAway) {
    connect();
    std::chrono::milliseconds longest = 0ms;
    for (int i = 0; i < 20; ++i) {
        const auto step = machine_.resume(Event::fetch_failed, facts_, 9'999'999'999'999'999'999ULL);
        ASSERT_EQ(step.action, Action::back_off);
        longest = std::max(longest, step.delay);
        ASSERT_LE(step.delay, 3000ms);
        ASSERT_EQ(on(Event::waited).action, Action::fetch);
    }
    EXPECT_GT(longest, 1000ms);
}

TEST_F(Relay, PollsOftenAfterActivityAndSeldomInPeace) {
    connect();
    for (int i = 0; i < RelayMachine::busy_polls; ++i) {
        const auto step = on(Event::fetched, 0);
        ASSERT_EQ(step.action, Action::wait);
        ASSERT_EQ(step.delay, RelayMachine::busy_wait);
        on(Event::waited);
    }
    EXPECT_EQ(on(Event::fetched, 0).delay, RelayMachine::idle_wait);
    on(Event::waited);
    on(Event::fetched, 1);
    on(Event::published);
    EXPECT_EQ(on(Event::advanced).delay, RelayMachine::busy_wait);
}

TEST_F(Relay, LooksAgainSoonAfterAWakeUpThatFoundNothing) {
    connect();
    for (int i = 0; i <= RelayMachine::busy_polls; ++i) {
        on(Event::fetched, 0);
        on(Event::waited);
    }
    ASSERT_EQ(on(Event::fetched, 0).delay, RelayMachine::idle_wait);
    EXPECT_EQ(on(Event::woken).action, Action::fetch);
    EXPECT_EQ(on(Event::fetched, 0).delay, RelayMachine::busy_wait);
}

TEST_F(Relay, PingsASilentRedis) {
    connect();
    on(Event::fetched, 0);
    EXPECT_EQ(on(Event::waited, 0, RelayMachine::ping_after).action, Action::ping);
    EXPECT_EQ(on(Event::pinged).action, Action::fetch);
    on(Event::fetched, 0);
    EXPECT_EQ(on(Event::waited, 0, RelayMachine::ping_after).action, Action::ping);
    EXPECT_EQ(on(Event::ping_failed).action, Action::back_off);
    EXPECT_EQ(on(Event::waited).action, Action::connect);
}

TEST_F(Relay, EndsOnStopFromEveryState) {
    for (const auto before :
         {Event::start, Event::connected, Event::fetched, Event::published, Event::publish_failed, Event::waited}) {
        RelayMachine machine(500);
        facts_.count = 1;
        machine.resume(before, facts_, 0);
        EXPECT_EQ(machine.resume(Event::stop, facts_, 0).action, Action::finish);
        EXPECT_EQ(machine.resume(Event::waited, facts_, 0).action, Action::finish);
    }
}

TEST_F(Relay, WaitsConnectedWhileAnotherLeads) {
    facts_.leading = false;
    EXPECT_EQ(on(Event::start).action, Action::connect);
    EXPECT_EQ(on(Event::connected).action, Action::wait);
    EXPECT_TRUE(machine_.caught_up());
    EXPECT_EQ(on(Event::waited).action, Action::wait);
    EXPECT_EQ(on(Event::waited, 0, RelayMachine::ping_after).action, Action::ping);
    EXPECT_EQ(on(Event::pinged).action, Action::wait);
    facts_.leading = true;
    EXPECT_EQ(on(Event::woken).action, Action::fetch);
}

TEST_F(Relay, FinishesTheBatchInHandWhenTheLeadIsLost) {
    connect();
    on(Event::fetched, 500);
    facts_.leading = false;
    EXPECT_EQ(on(Event::published).action, Action::advance);
    EXPECT_EQ(on(Event::advanced, 500).action, Action::wait);
    EXPECT_EQ(on(Event::waited).action, Action::wait);
}

TEST_F(Relay, MovesTheCursorFirstAfterRedisCameBack) {
    connect();
    on(Event::fetched, 3);
    on(Event::published);
    on(Event::advance_failed);
    on(Event::waited, 0, RelayMachine::ping_after);
    on(Event::ping_failed);
    EXPECT_EQ(on(Event::connected).action, Action::advance);
}

TEST_F(Relay, RefreshesStaleAggregatesWhenNothingWaitsToBePublished) {
    connect();
    facts_.stale = true;
    EXPECT_EQ(on(Event::fetched, 500).action, Action::publish);
    on(Event::published);
    EXPECT_EQ(on(Event::advanced, 500).action, Action::fetch);
    EXPECT_EQ(on(Event::fetched, 0).action, Action::refresh);
    EXPECT_EQ(on(Event::refreshed).action, Action::wait); // whatever the facts say: no loop
    EXPECT_EQ(on(Event::waited).action, Action::fetch);
    EXPECT_EQ(on(Event::fetched, 0).action, Action::refresh);
    EXPECT_EQ(on(Event::refresh_failed).action, Action::back_off);
    EXPECT_EQ(on(Event::waited).action, Action::connect);
    facts_.leading = false;
    EXPECT_EQ(on(Event::connected).action, Action::wait);
}

} // namespace
