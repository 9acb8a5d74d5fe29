// The sample is the guide's, byte for byte; load messages collide exactly when told to.
#include "tools/message_maker.hpp"

#include <set>

#include <gtest/gtest.h>

#include "obs/text.hpp"

namespace {

using namespace radscheduler::sidecar;
using namespace radscheduler::sidecar::tools;

std::string segment(const std::string& message, const std::string& name) {
    const auto at = message.find("\r" + name + "|");
    return message.substr(at + 1, message.find('\r', at + 1) - at - 1);
}

TEST(GuideSample, IsTheGuidesMessage) {
    const auto sample = guide_sample();
    EXPECT_EQ(sample.size(), 326U);
    EXPECT_EQ(sample.substr(0, 9), "MSH|^~\\&|");
    EXPECT_NE(sample.find("\rSCH||1234|||||||30|MIN|^^30^202401151000^^R||||||||||||||SCHEDULED\r"),
              std::string_view::npos);
    EXPECT_TRUE(sample.ends_with("\rAIP|1|A|RADIOLOGIST^DOE^JOHN^MD|202401151000"));
    EXPECT_EQ(sha256_hex(sample), "425210a306caf458c8ba487b46e3634365c35eff5618ff519e55d999d7a46d30");
    EXPECT_EQ(sample.find('\n'), std::string_view::npos);
}

LoadStep booking(std::uint64_t number) {
    return {LoadEvent::book, number, number, number, 17'957'000'000'000 + static_cast<std::int64_t>(number), false};
}

TEST(LoadMessage, NeverRepeatsAControlIdOrABooking) {
    std::set<std::string> ids;
    std::set<std::string> bookings;
    for (std::uint64_t i = 0; i < 5000; ++i) {
        const auto message = load_message("R", booking(i), false);
        ids.insert(message.substr(0, message.find('\r')));
        bookings.insert(segment(message, "AIG"));
    }
    EXPECT_EQ(ids.size(), 5000U);
    EXPECT_EQ(bookings.size(), 5000U);
}

TEST(LoadMessage, BooksWhenANewSiteIsOpen) {
    std::set<std::string> days;
    for (std::uint64_t i = 0; i < 10000; i += 640) { // 40 scanners x 16 half hours a day
        const auto service = segment(load_message("R", booking(i), false), "AIS");
        days.insert(service.substr(service.rfind('|') + 1, 8));
    }
    const std::set<std::string> open{"20300107", "20300108", "20300109", "20300110", "20300111", "20300114",
                                     "20300115", "20300116", "20300117", "20300118", "20300121", "20300122",
                                     "20300123", "20300124", "20300125", "20300128"};
    EXPECT_EQ(days, open);
}

TEST(LoadMessage, CrowdsOntoFewBookingsWhenColliding) {
    std::set<std::string> bookings;
    for (std::uint64_t i = 0; i < 5000; ++i) {
        bookings.insert(segment(load_message("R", booking(i), true), "AIG"));
    }
    EXPECT_EQ(bookings.size(), 64U); // 4 scanners x 16 half hours
}

TEST(LoadMessage, SharesNothingBetweenRuns) {
    EXPECT_NE(segment(load_message("R1", booking(0), false), "AIG"),
              segment(load_message("R2", booking(0), false), "AIG"));
    EXPECT_NE(segment(load_message("R1", booking(0), false), "PID"),
              segment(load_message("R2", booking(0), false), "PID"));
}

TEST(LoadMessage, SaysWhatHappensToWhichAppointment) {
    auto step = booking(4);
    step.number = 9;
    step.event = LoadEvent::cancel;
    const auto cancelled = load_message("R", step, false);
    EXPECT_NE(cancelled.find("||SIU^S15^SIU_S12|R-9|P|2.5.1\r"), std::string::npos);
    EXPECT_TRUE(segment(cancelled, "SCH").starts_with("SCH||R-4|"));
    EXPECT_TRUE(segment(cancelled, "SCH").ends_with("|CANCELLED"));
    EXPECT_EQ(segment(cancelled, "PID"), segment(load_message("R", booking(4), false), "PID"));
    step.event = LoadEvent::no_show;
    EXPECT_TRUE(segment(load_message("R", step, false), "SCH").ends_with("|NOSHOW"));
    step.event = LoadEvent::modify;
    EXPECT_EQ(segment(load_message("R", step, false), "NTE"), "NTE|1||CHANGED BY MESSAGE 9");
    EXPECT_EQ(load_control_id("R", step), "R-9");
}

TEST(LoadMessage, TellsItsTimeToATenthOfAMillisecond) {
    auto step = booking(0);
    step.stamp = 17'957'412'005'678; // 2026-11-27 01:00:00.5678 UTC
    EXPECT_NE(load_message("R", step, false).find("|RAD|20261127010000.5678+0000||SIU^S12"), std::string::npos);
}

} // namespace
