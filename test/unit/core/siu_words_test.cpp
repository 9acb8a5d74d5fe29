#include "siu/words.hpp"

#include "siu/duration.hpp"
#include "siu/letter_case.hpp"

#include <gtest/gtest.h>

namespace radscheduler::siu {
namespace {

TEST(Words, IgnoreCaseAndBlanks) {
    EXPECT_TRUE(is_role_word(" radiologist "));
    EXPECT_TRUE(is_role_word("Prov"));
    EXPECT_FALSE(is_role_word("R1234"));
    EXPECT_FALSE(is_role_word(""));
    EXPECT_TRUE(is_referring_role("Referring Physician"));
    EXPECT_TRUE(is_status_word("No Show"));
    EXPECT_FALSE(is_status_word("NS"));
    EXPECT_TRUE(is_urgency_word("stat"));
}

TEST(Words, ShortDegreesAreNotClear) {
    EXPECT_TRUE(is_degree_word("DO"));
    EXPECT_FALSE(is_clear_degree_word("DO"));
    EXPECT_TRUE(is_clear_degree_word("md"));
}

TEST(Words, Units) {
    EXPECT_EQ(unit_seconds("min"), 60);
    EXPECT_EQ(unit_seconds("Hours"), 3600);
    EXPECT_EQ(unit_seconds("s"), 1);
    EXPECT_EQ(unit_seconds("d"), 86400);
    EXPECT_EQ(unit_seconds("fortnight"), 0);
    EXPECT_EQ(unit_seconds(""), 0);
}

TEST(Durations, Forms) {
    EXPECT_EQ(read_duration("30", "MIN")->seconds, 1800);
    EXPECT_EQ(read_duration("M30", "S")->seconds, 1800);
    EXPECT_EQ(read_duration("2 hours", "")->seconds, 7200);
    EXPECT_EQ(read_duration("30min", "")->seconds, 1800);
    EXPECT_EQ(read_duration("0.5", "H")->seconds, 1800);
    EXPECT_EQ(read_duration("0.33333333", "H")->seconds, 1198);
    EXPECT_EQ(read_duration("-15", "MIN")->minutes(), -15);
    EXPECT_EQ(read_duration("+15", "MIN")->minutes(), 15);
    EXPECT_EQ(read_duration("61", "S")->minutes(), 2);
    EXPECT_EQ(read_duration("9999999", "D")->seconds, 9999999LL * 86400);
    EXPECT_FALSE(read_duration("30", "MIN")->unit_assumed);
    EXPECT_TRUE(read_duration("30", "")->unit_assumed);
    for (const char* text :
         {"", "-", "M", "soon", "30 parsecs", "M30 MIN", "L2", "12345678", "99999999999999999999999", "3O", "1,5"}) {
        EXPECT_FALSE(read_duration(text, "MIN")) << text;
    }
}

TEST(LetterCase, BeyondAscii) {
    EXPECT_EQ(title_case("ØSTERGÅRD ŁUKASZ ŽIŽEK"), "Østergård Łukasz Žižek");
    EXPECT_EQ(title_case("STRAßE × ÷"), "Straße × ÷");
    EXPECT_TRUE(has_lower_case("MCDONALDé"));
    EXPECT_FALSE(has_lower_case("ÉCOLE 12 Ž"));
    EXPECT_FALSE(has_lower_case("山田"));
}

TEST(LetterCase, BrokenBytesDoNoHarm) {
    EXPECT_EQ(title_case("AB\xC3"), "Ab\xC3");
    EXPECT_EQ(title_case("AB\xFF"), "Ab\xFF");
}

} // namespace
} // namespace radscheduler::siu
