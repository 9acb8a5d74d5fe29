// The order of steps of a run over a link's tasks: nothing sent that was not begun, nothing begun before the last was
// settled, and nothing overtaken.
#include "link/run_machine.hpp"

#include <gtest/gtest.h>
#include <set>
#include <vector>

namespace {

using namespace radscheduler::sidecar::link;
using Event = RunMachine::Event;
using Action = RunMachine::Action;

class LinkRun : public testing::Test {
protected:
    RunMachine::Step on(Event event) { return machine_.resume(event, 7); }
    // Up to the answer of the task in hand.
    void send() {
        EXPECT_EQ(on(Event::connected).action, Action::begin);
        EXPECT_EQ(on(Event::begun).action, Action::exchange);
    }
    RunMachine machine_{3, false};
};

TEST_F(LinkRun, SendsOneAfterTheOther) {
    EXPECT_EQ(on(Event::start).action, Action::connect);
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_EQ(machine_.at(), i);
        send();
        const auto step = on(Event::accepted);
        EXPECT_EQ(step.action, Action::settle);
        EXPECT_EQ(step.outcome, Outcome::done);
        EXPECT_TRUE(step.begun);
        EXPECT_EQ(on(Event::settled).action, i < 2 ? Action::connect : Action::finish);
    }
}

TEST_F(LinkRun, AReceiverThatIsAwayCostsNothingItsCertainty) {
    on(Event::start);
    const auto step = on(Event::not_connected);
    EXPECT_EQ(step.action, Action::settle);
    EXPECT_EQ(step.outcome, Outcome::not_sent);
    EXPECT_FALSE(step.begun);
    EXPECT_EQ(on(Event::settled).action, Action::release);
    EXPECT_EQ(machine_.at(), 1U);
    EXPECT_EQ(on(Event::released).action, Action::finish);
}

TEST_F(LinkRun, ARefusedOneIsOverOrWaited) {
    on(Event::start);
    send();
    EXPECT_EQ(on(Event::refused).outcome, Outcome::refused);
    EXPECT_EQ(on(Event::settled).action, Action::connect);
    RunMachine patient(3, true);
    patient.resume(Event::start, 7);
    patient.resume(Event::connected, 7);
    patient.resume(Event::begun, 7);
    EXPECT_EQ(patient.resume(Event::refused, 7).outcome, Outcome::deferred);
    EXPECT_EQ(patient.resume(Event::settled, 7).action, Action::release);
}

TEST_F(LinkRun, SilenceHoldsUpThoseBehind) {
    on(Event::start);
    send();
    EXPECT_EQ(on(Event::unanswered).outcome, Outcome::no_answer);
    EXPECT_EQ(on(Event::settled).action, Action::release);
    EXPECT_EQ(machine_.at(), 1U);
}

TEST_F(LinkRun, OneThatCannotBeMadeHoldsUpNobody) {
    on(Event::start);
    on(Event::connected);
    EXPECT_EQ(on(Event::begun_empty).outcome, Outcome::broken);
    EXPECT_EQ(on(Event::settled).action, Action::connect);
}

TEST_F(LinkRun, ALostLeaseEndsTheRun) {
    on(Event::start);
    on(Event::connected);
    EXPECT_EQ(on(Event::not_ours).action, Action::release);
    EXPECT_EQ(machine_.at(), 0U);
    RunMachine other(3, false);
    other.resume(Event::start, 7);
    other.resume(Event::connected, 7);
    other.resume(Event::begun, 7);
    other.resume(Event::accepted, 7);
    EXPECT_EQ(other.resume(Event::settled_in_vain, 7).action, Action::release);
    EXPECT_EQ(other.at(), 1U);
}

TEST_F(LinkRun, BegunTooLateIsNotSent) {
    on(Event::start);
    on(Event::connected);
    const auto step = on(Event::begun_late);
    EXPECT_EQ(step.outcome, Outcome::not_sent);
    EXPECT_TRUE(step.begun);
}

TEST_F(LinkRun, WhetherItWasBegunMayBeUnknown) {
    on(Event::start);
    on(Event::connected);
    const auto step = on(Event::begin_failed);
    EXPECT_EQ(step.outcome, Outcome::not_sent);
    EXPECT_TRUE(step.begun);
    EXPECT_EQ(on(Event::settled_in_vain).action, Action::release);
    EXPECT_EQ(machine_.at(), 0U); // itself too: it may not have been begun
}

TEST_F(LinkRun, WhatCannotBeSettledIsTriedOn) {
    on(Event::start);
    send();
    on(Event::accepted);
    for (int i = 0; i < 20; ++i) {
        const auto pause = on(Event::settle_failed);
        ASSERT_EQ(pause.action, Action::pause);
        EXPECT_GT(pause.delay.count(), 0);
        EXPECT_LE(pause.delay.count(), 2000);
        const auto again = on(Event::paused);
        ASSERT_EQ(again.action, Action::settle);
        EXPECT_EQ(again.outcome, Outcome::done);
    }
    EXPECT_EQ(on(Event::settled).action, Action::connect);
}

TEST_F(LinkRun, StopFinishesWhatIsInHand) {
    on(Event::start);
    send();
    machine_.stop();
    EXPECT_EQ(on(Event::accepted).action, Action::settle);
    EXPECT_EQ(on(Event::settled).action, Action::release);
    EXPECT_EQ(machine_.at(), 1U);
    EXPECT_EQ(on(Event::released).action, Action::finish);
}

TEST_F(LinkRun, StopBeginsNothing) {
    machine_.stop();
    EXPECT_EQ(on(Event::start).action, Action::release);
    RunMachine connecting(1, false);
    connecting.resume(Event::start, 7);
    connecting.stop();
    EXPECT_EQ(connecting.resume(Event::connected, 7).action, Action::release);
    RunMachine settling(1, false);
    settling.resume(Event::start, 7);
    settling.resume(Event::not_connected, 7);
    settling.stop();
    EXPECT_EQ(settling.resume(Event::settle_failed, 7).action, Action::pause);
    settling.resume(Event::paused, 7);
    settling.resume(Event::settle_failed, 7);
    settling.resume(Event::paused, 7);
    EXPECT_EQ(settling.resume(Event::settle_failed, 7).action, Action::finish); // the lease ends by itself
}

// Every answer of the world to every step, with a stop at any moment: the rules hold on every path.
class Paths {
public:
    void walk(RunMachine machine, RunMachine::Step step, std::size_t depth, bool stopped) {
        if (step.action == Action::finish || depth > 14) {
            ++ends;
            return;
        }
        for (const auto event : events_after(step.action)) {
            auto next = machine;
            check(machine, step, event);
            const auto step_then = next.resume(event, 0);
            EXPECT_EQ(needs(step_then.action).count(event) > 0, true)
                << "action " << static_cast<int>(step_then.action) << " after event " << static_cast<int>(event);
            EXPECT_GE(next.at(), machine.at());
            EXPECT_LE(next.at(), machine.at() + 1);
            walk(next, step_then, depth + 1, stopped);
            if (!stopped) {
                auto ending = machine;
                ending.stop();
                const auto last = ending.resume(event, 0);
                EXPECT_NE(last.action, Action::connect);
                EXPECT_NE(last.action, Action::begin);
                walk(ending, last, depth + 1, true);
            }
        }
    }
    std::size_t ends = 0;

private:
    static std::vector<Event> events_after(Action action) {
        switch (action) {
        case Action::connect:
            return {Event::connected, Event::not_connected};
        case Action::begin:
            return {Event::begun, Event::begun_late, Event::begun_empty, Event::not_ours, Event::begin_failed};
        case Action::exchange:
            return {Event::accepted, Event::refused, Event::unanswered};
        case Action::settle:
            return {Event::settled, Event::settled_in_vain, Event::settle_failed};
        case Action::pause:
            return {Event::paused};
        case Action::release:
            return {Event::released};
        case Action::finish:
            break;
        }
        return {};
    }
    // What may have happened just before.
    static std::set<Event> needs(Action action) {
        switch (action) {
        case Action::connect:
            return {Event::start, Event::settled};
        case Action::begin:
            return {Event::connected};
        case Action::exchange:
            return {Event::begun};
        case Action::settle:
            return {Event::not_connected, Event::begun_late, Event::begun_empty, Event::begin_failed,
                    Event::accepted,      Event::refused,    Event::unanswered,  Event::paused};
        case Action::pause:
            return {Event::settle_failed};
        case Action::release:
            return {Event::connected, Event::not_connected, Event::not_ours, Event::settled, Event::settled_in_vain};
        case Action::finish:
            break;
        }
        return {Event::settled, Event::settled_in_vain, Event::settle_failed, Event::released};
    }
    static void check(const RunMachine& before, RunMachine::Step step, Event event) {
        if (step.action == Action::settle && event == Event::settled) {
            auto machine = before;
            const auto then = machine.resume(event, 0);
            const bool open = step.outcome == Outcome::not_sent || step.outcome == Outcome::deferred ||
                              step.outcome == Outcome::no_answer;
            EXPECT_FALSE(open && then.action == Action::connect) << "one that waits was overtaken";
        }
    }
};

TEST(LinkRunPaths, HoldTheRules) {
    for (const bool retries : {false, true}) {
        RunMachine machine(2, retries);
        const auto first = machine.resume(Event::start, 0);
        Paths paths;
        paths.walk(machine, first, 0, false);
        EXPECT_GT(paths.ends, 1000U);
    }
}

} // namespace
