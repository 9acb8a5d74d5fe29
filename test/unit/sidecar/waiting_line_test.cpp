// What shares a transaction and who works at it: nobody waits for company, the order holds, nothing is held up.
#include "mllp/waiting_line.hpp"

#include <map>
#include <random>
#include <string>

#include <gtest/gtest.h>

namespace {

using namespace radscheduler::sidecar::mllp;
using namespace std::chrono_literals;
using Tickets = std::vector<std::uint64_t>;
const WaitingLine::Instant start{1h};

WaitingLine::Entry entry(std::uint64_t ticket, std::size_t messages = 1, std::size_t bytes = 100, std::size_t group = 0,
                         bool alone = false) {
    return {ticket, messages, bytes, group, alone};
}

TEST(WaitingLine, GivesALoneMessageAtOnce) {
    WaitingLine line({});
    EXPECT_FALSE(line.may_work(start));
    line.push(entry(1));
    EXPECT_TRUE(line.may_work(start));
    EXPECT_EQ(line.take(), (Tickets{1}));
    EXPECT_EQ(line.take(), Tickets{});
    EXPECT_EQ(line.messages(), 0U);
}

TEST(WaitingLine, GivesWhatWaitsTogetherUpToTheLimit) {
    WaitingLine line({.messages = 3});
    for (std::uint64_t ticket = 1; ticket <= 5; ++ticket) {
        line.push(entry(ticket));
    }
    EXPECT_EQ(line.take(), (Tickets{1, 2, 3}));
    EXPECT_EQ(line.take(), (Tickets{4, 5}));
}

TEST(WaitingLine, DoesNotPassTheLimitOfBytesUnlessOneAloneDoes) {
    WaitingLine line({.messages = 50, .bytes = 1000});
    line.push(entry(1, 1, 600));
    line.push(entry(2, 1, 600));
    line.push(entry(3, 1, 5000));
    line.push(entry(4, 1, 1));
    EXPECT_EQ(line.take(), (Tickets{1}));
    EXPECT_EQ(line.take(), (Tickets{2}));
    EXPECT_EQ(line.take(), (Tickets{3}));
    EXPECT_EQ(line.take(), (Tickets{4}));
}

TEST(WaitingLine, KeepsSitesAndThoseThatGoAloneApart) {
    WaitingLine line({});
    line.push(entry(1, 1, 100, 0));
    line.push(entry(2, 1, 100, 1));
    line.push(entry(3, 1, 100, 0));
    line.push(entry(4, 1, 100, 0, true));
    line.push(entry(5, 1, 100, 1));
    EXPECT_EQ(line.take(), (Tickets{1, 3}));
    EXPECT_EQ(line.take(), (Tickets{2, 5}));
    EXPECT_EQ(line.take(), (Tickets{4}));
}

TEST(WaitingLine, LetsFewWorkUnlessOneIsHeldUp) {
    WaitingLine line({.sessions = 2, .most_sessions = 3, .slow = 50ms});
    line.push(entry(1));
    const auto first = line.enter(start);
    EXPECT_TRUE(line.may_work(start));
    line.enter(start + 10ms);
    EXPECT_FALSE(line.may_work(start + 49ms));
    EXPECT_TRUE(line.may_work(start + 50ms)); // the first one waits for a lock
    line.enter(start + 50ms);
    EXPECT_FALSE(line.may_work(start + 10s)); // all there are
    line.leave(first);
    EXPECT_TRUE(line.may_work(start + 10s));
}

TEST(WaitingLine, LosesAndDoublesNothingAndKeepsTheOrderOfEachGroup) {
    std::mt19937 random(20310101);
    for (int round = 0; round < 200; ++round) {
        WaitingLine line({.messages = 1 + random() % 10, .bytes = 1 + random() % 2000});
        std::map<std::size_t, std::uint64_t> last;
        std::map<std::uint64_t, std::size_t> group_of;
        std::uint64_t pushed = 0;
        std::uint64_t taken = 0;
        while (pushed < 100 || !line.empty()) {
            if (pushed < 100 && random() % 2 == 0) {
                const auto group = random() % 3;
                group_of[++pushed] = group;
                line.push(entry(pushed, 1 + random() % 3, random() % 1000, group));
                continue;
            }
            for (const auto ticket : line.take()) {
                const auto group = group_of.at(ticket);
                EXPECT_LT(last[group], ticket);
                last[group] = ticket;
                ++taken;
            }
        }
        EXPECT_EQ(taken, pushed);
        EXPECT_EQ(line.messages(), 0U);
    }
}

} // namespace
