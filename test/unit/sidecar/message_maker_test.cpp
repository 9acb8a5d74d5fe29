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

TEST(LoadMessage, NeverRepeatsAControlIdOrABooking) {
    std::set<std::string> ids;
    std::set<std::string> bookings;
    for (std::uint64_t i = 0; i < 5000; ++i) {
        const auto message = load_message("R", i, false);
        ids.insert(message.substr(0, message.find('\r')));
        bookings.insert(segment(message, "AIG"));
    }
    EXPECT_EQ(ids.size(), 5000U);
    EXPECT_EQ(bookings.size(), 5000U);
}

TEST(LoadMessage, BooksWhenANewSiteIsOpen) {
    std::set<std::string> days;
    for (std::uint64_t i = 0; i < 10000; i += 640) { // 40 scanners x 16 half hours a day
        const auto booking = segment(load_message("R", i, false), "AIS");
        days.insert(booking.substr(booking.rfind('|') + 1, 8));
    }
    const std::set<std::string> open{"20300107", "20300108", "20300109", "20300110", "20300111", "20300114",
                                     "20300115", "20300116", "20300117", "20300118", "20300121", "20300122",
                                     "20300123", "20300124", "20300125", "20300128"};
    EXPECT_EQ(days, open);
}

TEST(LoadMessage, CrowdsOntoFewBookingsWhenColliding) {
    std::set<std::string> bookings;
    for (std::uint64_t i = 0; i < 5000; ++i) {
        bookings.insert(segment(load_message("R", i, true), "AIG"));
    }
    EXPECT_EQ(bookings.size(), 64U); // 4 scanners x 16 half hours
}

TEST(LoadMessage, SharesNothingBetweenRuns) {
    EXPECT_NE(segment(load_message("R1", 0, false), "AIG"), segment(load_message("R2", 0, false), "AIG"));
    EXPECT_NE(segment(load_message("R1", 0, false), "PID"), segment(load_message("R2", 0, false), "PID"));
}

} // namespace
