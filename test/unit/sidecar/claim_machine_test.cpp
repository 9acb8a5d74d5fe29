// When a worker asks for work.
#include "work/claim_machine.hpp"

#include <gtest/gtest.h>

namespace {

using radscheduler::sidecar::work::ClaimMachine;
using Event = ClaimMachine::Event;
using Action = ClaimMachine::Action;

TEST(ClaimMachine, AsksOnWhileThereIsMore) {
    ClaimMachine machine(4);
    EXPECT_EQ(machine.resume(Event::start, 0, 1).action, Action::claim);
    EXPECT_EQ(machine.resume(Event::claimed, 3, 1).action, Action::claim);
    EXPECT_EQ(machine.free(), 1U);
}

TEST(ClaimMachine, HasOnlySoManyPlaces) {
    ClaimMachine machine(2);
    machine.resume(Event::start, 0, 1);
    EXPECT_EQ(machine.resume(Event::claimed, 2, 1).action, Action::wait);
    EXPECT_EQ(machine.resume(Event::waited, 0, 1).action, Action::wait);
    machine.ended();
    EXPECT_EQ(machine.resume(Event::waited, 0, 1).action, Action::claim);
}

TEST(ClaimMachine, RestsAfterAQuestionInVain) {
    ClaimMachine machine(2);
    machine.resume(Event::start, 0, 1);
    const auto rest = machine.resume(Event::claimed, 0, 1);
    EXPECT_EQ(rest.action, Action::rest);
    EXPECT_EQ(rest.delay, ClaimMachine::short_rest);
    const auto wait = machine.resume(Event::rested, 0, 1);
    EXPECT_EQ(wait.action, Action::wait);
    EXPECT_EQ(wait.delay, ClaimMachine::poll_every);
    EXPECT_EQ(machine.resume(Event::waited, 0, 1).action, Action::claim);
}

TEST(ClaimMachine, RestsLongerWhileTheDatabaseIsAway) {
    ClaimMachine machine(2);
    machine.resume(Event::start, 0, 1);
    auto longest = std::chrono::milliseconds(0);
    for (int i = 0; i < 10; ++i) {
        const auto rest = machine.resume(Event::failed, 0, ~0ULL - 15);
        ASSERT_EQ(rest.action, Action::rest);
        EXPECT_GT(rest.delay.count(), 0);
        EXPECT_LE(rest.delay, std::chrono::seconds(10));
        longest = std::max(longest, rest.delay);
        EXPECT_EQ(machine.resume(Event::rested, 0, 1).action, Action::wait);
        EXPECT_EQ(machine.resume(Event::waited, 0, 1).action, Action::claim);
    }
    EXPECT_GT(longest, std::chrono::milliseconds(500));
}

TEST(ClaimMachine, StopCountsWhatWasClaimedMeanwhile) {
    ClaimMachine machine(2);
    machine.resume(Event::start, 0, 1);
    machine.stop();
    EXPECT_EQ(machine.resume(Event::claimed, 1, 1).action, Action::finish);
    EXPECT_EQ(machine.in_hand(), 1U);
    machine.ended();
    EXPECT_EQ(machine.in_hand(), 0U);
}

} // namespace
