// What a load run sends: shares of events, bookings before their changes, slots and stamps that never repeat.
#include "tools/load_plan.hpp"

#include <map>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace radscheduler::sidecar::tools;

LoadMix mix_of(std::string_view text) {
    return std::get<LoadMix>(parse_mix(text));
}

std::vector<LoadStep> steps_of(LoadPlan plan, std::size_t count) {
    LoadNumbers numbers;
    std::vector<LoadStep> steps;
    while (steps.size() < count) {
        steps.push_back(plan.next(numbers, 1000));
    }
    return steps;
}

TEST(Mix, ReadsShares) {
    const auto mix = mix_of("S15=5,S12=70,repeat");
    EXPECT_EQ(mix.weights, (std::array<unsigned, 6>{70, 0, 0, 5, 0, 1}));
}

TEST(Mix, SaysWhatIsWrong) {
    const auto problem = [](std::string_view text) { return std::get<std::string>(parse_mix(text)); };
    EXPECT_NE(problem("S12=1,S99=1").find("'S99'"), std::string::npos);
    EXPECT_NE(problem("S12=many").find("'many'"), std::string::npos);
    EXPECT_NE(problem("S12=-1").find("'-1'"), std::string::npos);
    EXPECT_NE(problem("S12=5000000000").find("'5000000000'"), std::string::npos);
    EXPECT_NE(problem("S13=1").find("S12"), std::string::npos);
    EXPECT_NE(problem("").find("S12"), std::string::npos);
}

TEST(Plan, BooksOnlyWhenNothingElseIsAsked) {
    for (const auto& step : steps_of(LoadPlan(LoadMix{}, 1), 50)) {
        EXPECT_EQ(step.event, LoadEvent::book);
        EXPECT_EQ(step.appointment, step.number);
        EXPECT_EQ(step.slot, step.number);
    }
}

TEST(Plan, SharesAreAboutThoseAsked) {
    std::map<LoadEvent, int> counts;
    for (const auto& step : steps_of(LoadPlan(mix_of("S12=50,S13=20,S14=10,S15=10,S26=5,repeat=5"), 1), 20'000)) {
        ++counts[step.repeated ? LoadEvent::repeat : step.event];
    }
    EXPECT_NEAR(counts[LoadEvent::book], 10'000, 500);
    EXPECT_NEAR(counts[LoadEvent::reschedule], 4'000, 300);
    EXPECT_NEAR(counts[LoadEvent::modify], 2'000, 200);
    EXPECT_NEAR(counts[LoadEvent::cancel], 2'000, 200);
    EXPECT_NEAR(counts[LoadEvent::no_show], 1'000, 150);
    EXPECT_NEAR(counts[LoadEvent::repeat], 1'000, 150);
}

TEST(Plan, ChangesOnlyWhatIsBookedAndStillStands) {
    std::map<std::uint64_t, std::uint64_t> standing; // appointment to slot
    std::set<std::uint64_t> slots;
    std::int64_t stamp = 0;
    std::uint64_t number = 0;
    for (const auto& step : steps_of(LoadPlan(mix_of("S12=3,S13=3,S14=2,S15=2,S26=1,repeat=1"), 3), 20'000)) {
        if (step.repeated) {
            EXPECT_EQ(step.stamp, stamp);
            EXPECT_EQ(step.number + 1, number);
            continue;
        }
        EXPECT_EQ(step.number, number++);
        EXPECT_GT(step.stamp, stamp);
        stamp = step.stamp;
        if (step.event == LoadEvent::book) {
            EXPECT_TRUE(standing.emplace(step.appointment, step.slot).second);
            EXPECT_TRUE(slots.insert(step.slot).second);
            continue;
        }
        ASSERT_TRUE(standing.contains(step.appointment));
        if (step.event == LoadEvent::reschedule) {
            EXPECT_TRUE(slots.insert(step.slot).second);
            standing[step.appointment] = step.slot;
        }
        EXPECT_EQ(standing[step.appointment], step.slot);
        if (step.event == LoadEvent::cancel || step.event == LoadEvent::no_show) {
            standing.erase(step.appointment);
        }
    }
    EXPECT_GT(number, 15'000U);
}

TEST(Plan, FollowsFromItsSeed) {
    const auto events = [](std::uint64_t seed) {
        std::vector<std::pair<LoadEvent, std::uint64_t>> found;
        for (const auto& step : steps_of(LoadPlan(mix_of("S12=1,S13=1,S15=1"), seed), 200)) {
            found.emplace_back(step.event, step.appointment);
        }
        return found;
    };
    EXPECT_EQ(events(5), events(5));
    EXPECT_NE(events(5), events(6));
}

TEST(Plan, TwoConnectionsNeverShareAnAppointment) {
    LoadNumbers numbers;
    LoadPlan first(mix_of("S12=1,S13=2,S15=1"), 1);
    LoadPlan second(mix_of("S12=1,S13=2,S15=1"), 2);
    std::set<std::uint64_t> of_first;
    std::set<std::uint64_t> of_second;
    for (int i = 0; i < 2000; ++i) {
        of_first.insert(first.next(numbers, 0).appointment);
        of_second.insert(second.next(numbers, 0).appointment);
    }
    for (const auto appointment : of_first) {
        EXPECT_FALSE(of_second.contains(appointment));
    }
}

} // namespace
