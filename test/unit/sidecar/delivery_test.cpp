// The fate of one message: answered after commit, held while trouble passes, never answered otherwise.
#include "mllp/delivery.hpp"

#include <gtest/gtest.h>

namespace {

using radscheduler::sidecar::mllp::Delivery;
using Event = Delivery::Event;
using Action = Delivery::Action;
using namespace std::chrono_literals;

Delivery fresh() {
    return Delivery(100ms, 2000ms);
}

TEST(Delivery, AnswersAfterCommit) {
    auto delivery = fresh();
    EXPECT_EQ(delivery.resume(Event::start, 1).action, Action::attempt);
    EXPECT_EQ(delivery.resume(Event::committed, 1).action, Action::answer);
    EXPECT_EQ(delivery.attempts(), 1);
    EXPECT_FALSE(delivery.held());
}

TEST(Delivery, HoldsAndTriesAgainForAsLongAsTroublePasses) {
    auto delivery = fresh();
    delivery.resume(Event::start, 1);
    for (int i = 0; i < 1000; ++i) {
        const auto step = delivery.resume(Event::transient_failure, 123456789);
        ASSERT_EQ(step.action, Action::sleep);
        ASSERT_GT(step.delay, 0ms);
        ASSERT_LE(step.delay, 2000ms);
        ASSERT_EQ(delivery.resume(Event::slept, 1).action, Action::attempt);
    }
    EXPECT_TRUE(delivery.held());
    EXPECT_EQ(delivery.resume(Event::committed, 1).action, Action::answer);
    EXPECT_EQ(delivery.attempts(), 1001);
}

TEST(Delivery, GivesUpWithoutAnswer) {
    for (const auto event : {Event::permanent_failure, Event::peer_closed, Event::shutting_down}) {
        auto delivery = fresh();
        delivery.resume(Event::start, 1);
        EXPECT_EQ(delivery.resume(event, 1).action, Action::give_up);
    }
}

TEST(Delivery, NeverAnswersOnceItHasGivenUp) {
    auto delivery = fresh();
    delivery.resume(Event::start, 1);
    delivery.resume(Event::peer_closed, 1);
    EXPECT_EQ(delivery.resume(Event::committed, 1).action, Action::give_up);
}

} // namespace
