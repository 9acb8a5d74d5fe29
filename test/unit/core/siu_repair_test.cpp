// Shapes that were seen in messages: values in the wrong field of the right segment.
#include "support.hpp"

#include <gtest/gtest.h>

namespace radscheduler {
namespace {

TEST(SiuRepair, TimingThreeFieldsEarly) {
    const auto reading = test::read_segments("SCH||1|||||15^MIN|^^^202401151000^^S");
    EXPECT_EQ(reading.at("schedule").at("starts_at"), "2024-01-15T10:00:00");
    EXPECT_EQ(reading.at("schedule").at("duration_minutes"), 15);
    EXPECT_EQ(reading.at("schedule").at("priority"), "S");
    EXPECT_FALSE(reading.at("schedule").contains("reason"));
    EXPECT_FALSE(reading.at("schedule").contains("type"));
    EXPECT_TRUE(test::has_warning(reading, "REPAIR_SCH8_TO_SCH11", "SCH-8"));
    EXPECT_TRUE(test::has_warning(reading, "REPAIR_SCH7_TO_SCH9", "SCH-7"));
}

TEST(SiuRepair, TimingOneFieldEarlyWithUnitInsideTheDuration) {
    const auto reading = test::read_segments("SCH||1|||||||120^MIN|^^60^202401151000^202401151200||||||Booked");
    EXPECT_EQ(reading.at("schedule").at("starts_at"), "2024-01-15T10:00:00");
    EXPECT_EQ(reading.at("schedule").at("duration_minutes"), 120);
    EXPECT_EQ(reading.at("schedule").at("status"), nlohmann::json::parse(R"(["Booked"])"));
    EXPECT_TRUE(test::has_warning(reading, "REPAIR_SCH10_TO_SCH11", "SCH-10"));
    EXPECT_TRUE(test::has_warning(reading, "REPAIR_SCH9_UNIT", "SCH-9"));
    EXPECT_TRUE(test::has_warning(reading, "REPAIR_SCH16_TO_SCH25", "SCH-16"));
}

TEST(SiuRepair, DurationOneFieldLate) {
    const auto reading = test::read_segments("SCH||1||||||||30^MIN|^^^202401151000");
    EXPECT_EQ(reading.at("schedule").at("duration_minutes"), 30);
    EXPECT_TRUE(test::has_warning(reading, "REPAIR_SCH10_TO_SCH9", "SCH-10"));
}

TEST(SiuRepair, StatusIsNotTakenFromNames) {
    const auto reading = test::read_segments("SCH||1||||||||||SMITH^NS|||||NEW^CAN");
    EXPECT_FALSE(reading.at("schedule").contains("status"));
}

TEST(SiuRepair, ServiceStartInALaterField) {
    const auto reading = test::read_segments("SCH||1\rAIS|1|A|X|||202401151000|30|MIN");
    EXPECT_EQ(reading.at("schedule").at("starts_at"), "2024-01-15T10:00:00");
    EXPECT_EQ(reading.at("services")[0].at("starts_at"), "2024-01-15T10:00:00");
    EXPECT_EQ(reading.at("services")[0].at("duration_minutes"), 30);
    EXPECT_TRUE(test::has_warning(reading, "REPAIR_AIS6_TO_AIS4", "AIS[1]-6"));
}

TEST(SiuRepair, ResourceStartAndDurationEarly) {
    const auto reading = test::read_segments("SCH||1\rAIL|1|A|ROOM1|C|202401151000|20|MIN");
    EXPECT_EQ(reading.at("resources")[0].at("starts_at"), "2024-01-15T10:00:00");
    EXPECT_EQ(reading.at("resources")[0].at("duration_minutes"), 20);
    EXPECT_TRUE(test::has_warning(reading, "REPAIR_AIL5_TO_AIL6", "AIL[1]-5"));
    EXPECT_TRUE(test::has_warning(reading, "REPAIR_AIL6_TO_AIL9", "AIL[1]-6"));
}

TEST(SiuRepair, RepairedPlacesComeLast) {
    const auto reading = test::read_segments("SCH||1\rAIP|1|A|9^X|202401150800\rAIG|1|A|G1|||||202401151000");
    EXPECT_EQ(reading.at("schedule").at("starts_at"), "2024-01-15T10:00:00");
}

TEST(SiuRepair, ATimeIsNeverAType) {
    const auto reading = test::read_segments("SCH||1\rAIP|1|A|9^X|202401150800||202401151000");
    EXPECT_EQ(reading.at("resources")[0].at("starts_at"), "2024-01-15T10:00:00");
    EXPECT_FALSE(reading.at("resources")[0].contains("type_code"));
    EXPECT_FALSE(reading.at("resources")[0].contains("role"));
    EXPECT_TRUE(test::has_warning(reading, "TYPE_IS_TIME", "AIP[1]-4"));
}

TEST(SiuRepair, NumbersThatAreNoTimesAreLeftAlone) {
    const auto reading = test::read_segments("SCH||1\rAIG|1|A|G1|6175550123|99999999|1");
    EXPECT_EQ(reading.at("resources")[0].at("type_code"), "6175550123");
    EXPECT_FALSE(reading.at("schedule").contains("starts_at"));
}

TEST(SiuRepair, LocationOneFieldLate) {
    const auto reading = test::read_segments("SCH||1\rAIL|1|A||MAIN^R7|||202401151000");
    EXPECT_EQ(reading.at("resources")[0].at("code"), "R7");
    EXPECT_EQ(reading.at("resources")[0].at("starts_at"), "2024-01-15T10:00:00");
    EXPECT_FALSE(reading.at("resources")[0].contains("type_code"));
    EXPECT_TRUE(test::has_warning(reading, "REPAIR_AIL4_TO_AIL3", "AIL[1]-4"));
}

TEST(SiuRepair, DegreeButNotAMiddleName) {
    const auto person = [](const std::string& xcn) {
        return test::read_segments("SCH||1\rAIP|1|A|" + xcn).at("resources")[0];
    };
    EXPECT_EQ(person("7^Ha^An^DO").value("degree", ""), "");
    EXPECT_EQ(person("7^Ha^An^DO").at("name"), "An DO Ha");
    EXPECT_EQ(person("7^Ha^An^MD").at("degree"), "MD");
    EXPECT_EQ(person("NURSE^Ha^An^DO").at("degree"), "DO");
    EXPECT_EQ(person("7^Ha^An^MD^^^PHD").at("degree"), "PHD");
}

TEST(SiuRepair, ServiceDurationOneFieldEarly) {
    const auto reading = test::read_segments("SCH||1\rAIS|1|A|X|202401151000||45|MIN");
    EXPECT_EQ(reading.at("services")[0].at("duration_minutes"), 45);
    EXPECT_FALSE(reading.at("services")[0].contains("offset_minutes"));
    EXPECT_EQ(reading.at("schedule").at("duration_minutes"), 45);
    EXPECT_TRUE(test::has_warning(reading, "REPAIR_AIS6_TO_AIS7", "AIS[1]-6"));
}

TEST(SiuRepair, ServiceDurationTwoFieldsEarly) {
    const auto reading = test::read_segments("SCH||1|||||||||^^^202401151000\rAIS|1|A|X|202401151000|45|MIN");
    EXPECT_EQ(reading.at("services")[0].at("duration_minutes"), 45);
    EXPECT_FALSE(reading.at("services")[0].contains("offset_minutes"));
    EXPECT_EQ(reading.at("schedule").at("duration_minutes"), 45);
    EXPECT_TRUE(test::has_warning(reading, "REPAIR_AIS5_TO_AIS7", "AIS[1]-5"));
}

TEST(SiuRepair, AnOffsetIsNoDuration) {
    for (const char* segments : {
             "AIS|1|A|X|202401151045|45|MIN",        // it says what the start says
             "AIS|1|A|X||45|MIN",                    // no start of its own
             "AIS|1|A|X|202401151000|45|MIN|20|MIN", // the duration is where it belongs
             "AIS|1|A|X|202401151000|0|MIN",
             "AIG|1|A|X|||||202401151000|45|MIN", // time of a scanner is not given back on a guess
         }) {
        const auto reading = test::read_segments("SCH||1|||||||||^^^202401151000\r" + std::string(segments));
        EXPECT_EQ(test::count_warnings(reading, "REPAIR_AIS5_TO_AIS7"), 0U) << segments;
        EXPECT_FALSE(reading.contains("error")) << segments;
    }
}

TEST(SiuRepair, ADurationThatIsNoneIsLeftOut) {
    const auto reading = test::read_segments("SCH||1|||||||half an hour||^^INDEF^202401151000\rAIS|1||X||||long");
    EXPECT_FALSE(reading.at("schedule").contains("duration_minutes"));
    EXPECT_TRUE(test::has_warning(reading, "BAD_DURATION", "SCH-9"));
    EXPECT_TRUE(test::has_warning(reading, "BAD_DURATION", "AIS[1]-7"));
    EXPECT_EQ(test::count_warnings(reading, "BAD_DURATION"), 2U);
}

struct StrictCase {
    const char* segments;
    const char* path;
};

class SiuStrict : public testing::TestWithParam<StrictCase> {};

TEST_P(SiuStrict, NamesThePlaceInsteadOfRepairing) {
    const auto reading = test::read_segments(GetParam().segments, {.lenient = false});
    ASSERT_TRUE(reading.contains("error"));
    EXPECT_EQ(reading.at("error").at("code"), "102");
    EXPECT_EQ(reading.at("error").at("path"), GetParam().path);
    for (const auto& warning : reading.at("warnings")) {
        EXPECT_FALSE(warning.at("code").get<std::string>().starts_with("REPAIR_")) << warning;
    }
}

INSTANTIATE_TEST_SUITE_P(All, SiuStrict,
                         testing::Values(StrictCase{"SCH||1|||||15^MIN|^^^202401151000", "SCH-8"},
                                         StrictCase{"SCH||1|||||||120^MIN||^^^202401151000", "SCH-9"},
                                         StrictCase{"SCH||1||||||||30^MIN|^^^202401151000", "SCH-10"},
                                         StrictCase{"SCH||1||||||||||||||||Booked", "SCH-18"},
                                         StrictCase{"SCH||1\rAIS|1|A|X|||202401151000", "AIS[1]-6"},
                                         StrictCase{"SCH||1\rAIL|1|A||MAIN^R7", "AIL[1]-4"},
                                         StrictCase{"SCH||1\rAIP|1|A|NURSE^X^Y", "AIP[1]-3.1"},
                                         StrictCase{"SCH||1\rAIP|1|A|7^X^Y^MD", "AIP[1]-3.4"},
                                         StrictCase{"SCH||1\rAIP|1|A|7^X|202401150800||202401151000", "AIP[1]-4"},
                                         StrictCase{"SCH||1\rAIS|1|A|X|202401151000||45|MIN", "AIS[1]-6"},
                                         StrictCase{"SCH||1\rAIS|1|A|X|202401151000|45|MIN", "AIS[1]-5"},
                                         StrictCase{"SCH||1\rAIS|1|A|X|202401151000|202401151000", "AIS[1]-5"},
                                         StrictCase{"SCH||1\rAIS|1|A|X||soon|MIN", "AIS[1]-5"},
                                         StrictCase{"SCH||1\rAIS|1|A|X||||long", "AIS[1]-7"},
                                         StrictCase{"SCH||1|||||||long", "SCH-9"},
                                         StrictCase{"SCH||1|||||||||^^^2024-01-15T10:00", "SCH-11.4"},
                                         StrictCase{"SCH||1\rPID|1||7||||19880231", "PID-7"}));

} // namespace
} // namespace radscheduler
