#include "support.hpp"

#include <gtest/gtest.h>

namespace radscheduler {
namespace {

nlohmann::json schedule(std::string_view segments, const SiuOptions& options = {}) {
    return test::read_segments(segments, options).at("schedule");
}

// SCH with the given SCH-9, SCH-10 and SCH-11.
std::string sch(const std::string& duration, const std::string& unit, const std::string& timing) {
    return "SCH||1|||||||" + duration + "|" + unit + "|" + timing + "\r";
}

int minutes(std::string_view segments) {
    return schedule(segments).value("duration_minutes", -1);
}

std::string start(std::string_view segments, const SiuOptions& options = {}) {
    return schedule(segments, options).value("starts_at", "");
}

TEST(SiuStart, PrecedenceOfPlaces) {
    const std::string tq1 = "TQ1|||||||202401150800\r";
    const std::string tq = sch("", "", "^^^202401150900");
    const std::string none = sch("30", "MIN", "");
    const std::string ais = "AIS|1||X|202401151100\rAIS|2||Y|202401151000\r";
    const std::string ail = "AIL|1||R1|||202401151200\r";
    const std::string aig = "AIG|1||G1|||||202401151300\r";
    const std::string aip = "AIP|1||P1|||202401151400\r";
    EXPECT_EQ(start(tq + tq1 + ais), "2024-01-15T08:00:00");
    EXPECT_EQ(start(tq + ais), "2024-01-15T09:00:00");
    EXPECT_EQ(start(none + ais + ail + aig + aip), "2024-01-15T10:00:00");
    EXPECT_EQ(start(none + aip + aig + ail), "2024-01-15T12:00:00");
    EXPECT_EQ(start(none + aip + aig), "2024-01-15T13:00:00");
    EXPECT_EQ(start(none + aip), "2024-01-15T14:00:00");
    EXPECT_EQ(start(tq + tq1 + ais, {.start_source = StartSource::service}), "2024-01-15T10:00:00");
    EXPECT_EQ(start(tq, {.start_source = StartSource::service}), "2024-01-15T09:00:00");
}

TEST(SiuStart, NoneIsNoError) {
    const auto reading = test::read_segments("SCH||1");
    EXPECT_FALSE(reading.at("schedule").contains("starts_at"));
    EXPECT_FALSE(reading.contains("error"));
}

TEST(SiuStart, RemovedServicesDoNotCount) {
    EXPECT_EQ(start("SCH||1\rAIS|1|D|X|202401150700\rAIS|2|A|Y|202401151000"), "2024-01-15T10:00:00");
    EXPECT_EQ(start("SCH||1\rRGS|1|D\rAIS|1||X|202401150700\rRGS|2|A\rAIS|1||Y|202401151000"), "2024-01-15T10:00:00");
}

TEST(SiuStart, OffsetIsKeptAsSent) {
    EXPECT_EQ(start(sch("", "", "^^^20240115100000+0530")), "2024-01-15T10:00:00+05:30");
    EXPECT_EQ(start(sch("", "", "^^^20240115100000.25-0500")), "2024-01-15T10:00:00.25-05:00");
}

TEST(SiuStart, ImplausibleOffsetIsDropped) {
    const auto reading = test::read_segments(sch("", "", "^^^202401151000+2300"));
    EXPECT_EQ(reading.at("schedule").at("starts_at"), "2024-01-15T10:00:00");
    EXPECT_TRUE(test::has_warning(reading, "OFFSET_IMPLAUSIBLE", "SCH-11.4"));
}

TEST(SiuStart, DateOnly) {
    const auto reading = schedule(sch("30", "MIN", "^^^20240115"));
    EXPECT_EQ(reading.at("starts_at"), "2024-01-15");
    EXPECT_FALSE(reading.contains("ends_at"));
    EXPECT_EQ(reading.at("duration_minutes"), 30);
}

TEST(SiuStart, DateGivesWayToATimeOfThatDay) {
    const auto reading = test::read_segments(sch("", "", "^^^20240115") + "AIS|1||X|202401151000");
    EXPECT_EQ(reading.at("schedule").at("starts_at"), "2024-01-15T10:00:00");
    EXPECT_TRUE(test::has_warning(reading, "TIME_REFINED", "SCH-11.4"));
    EXPECT_EQ(start(sch("", "", "^^^20240115") + "AIS|1||X|202401161000"), "2024-01-15");
}

TEST(SiuStart, MidnightWithoutDurationIsADate) {
    const auto reading = test::read_segments(sch("0", "MIN", "^^^202401150000"));
    EXPECT_EQ(reading.at("schedule").at("starts_at"), "2024-01-15");
    EXPECT_TRUE(test::has_warning(reading, "DATE_ONLY_START", "SCH-9"));
    EXPECT_EQ(start(sch("30", "MIN", "^^^202401150000")), "2024-01-15T00:00:00");
}

TEST(SiuStart, ImpossibleDateIsAnErrorAtItsPlace) {
    const auto reading = test::read_segments(sch("30", "MIN", "^^^202602301000") + "AIS|1||X|202402011000");
    EXPECT_EQ(reading.at("error").at("code"), "102");
    EXPECT_EQ(reading.at("error").at("path"), "SCH-11.4");
    EXPECT_NE(reading.at("error").at("text").get<std::string>().find("202602301000"), std::string::npos);
    EXPECT_EQ(test::read_segments("SCH||1\rTQ1|||||||20241301").at("error").at("path"), "TQ1-7");
    EXPECT_EQ(test::read_segments("SCH||1\rAIS|1||X|202402301000").at("error").at("path"), "AIS[1]-4");
    EXPECT_EQ(test::read_segments("SCH||1\rAIP|1||X|||202402301000").at("error").at("path"), "AIP[1]-6");
    EXPECT_EQ(test::read_segments(sch("", "", "^^^198001011000")).at("error").at("path"), "SCH-11.4");
}

TEST(SiuStart, ImpossibleDateBehindAGoodOneIsARemark) {
    const auto reading = test::read_segments(sch("30", "MIN", "^^^202402011000") + "AIS|1||X|202402301000");
    EXPECT_FALSE(reading.contains("error"));
    EXPECT_TRUE(test::has_warning(reading, "BAD_TIME", "AIS[1]-4"));
    EXPECT_FALSE(reading.at("services")[0].contains("starts_at"));
    const auto strict =
        test::read_segments(sch("30", "MIN", "^^^202402011000") + "AIS|1||X|202402301000", {.lenient = false});
    EXPECT_EQ(strict.at("error").at("path"), "AIS[1]-4");
}

TEST(SiuStart, WhatIsNoTimeAtAllIsPassedOver) {
    const auto reading = test::read_segments(sch("", "", "^^^soon") + "AIS|1||X|202402011000");
    EXPECT_EQ(reading.at("schedule").at("starts_at"), "2024-02-01T10:00:00");
    EXPECT_TRUE(test::has_warning(reading, "BAD_TIME", "SCH-11.4"));
    EXPECT_EQ(reading.at("warnings").dump().find("soon"), std::string::npos);
}

TEST(SiuStart, DisagreementIsARemark) {
    const auto reading = test::read_segments(sch("", "", "^^^202401151548") + "AIS|1||X|202401150815");
    EXPECT_TRUE(test::has_warning(reading, "TIME_DISAGREE", "AIS[1]-4"));
    EXPECT_EQ(test::count_warnings(test::read_segments(sch("", "", "^^^202401151000") + "AIS|1||X|20240115100030"),
                                   "TIME_DISAGREE"),
              0U);
    EXPECT_EQ(
        test::count_warnings(test::read_segments(sch("", "", "^^^202401151000+0100") + "AIS|1||X|202401150900+0000"),
                             "TIME_DISAGREE"),
        0U);
}

TEST(SiuStart, FormsBetweenHl7AndIsoAreTolerated) {
    for (const auto& [sent, read] : {std::pair{"20310115T1000", "2031-01-15T10:00:00"},
                                     {"20310115T100030Z", "2031-01-15T10:00:30+00:00"},
                                     {"203101151000Z", "2031-01-15T10:00:00+00:00"},
                                     {"203101151000+05:30", "2031-01-15T10:00:00+05:30"},
                                     {"20310115100000.25-03:00", "2031-01-15T10:00:00.25-03:00"}}) {
        const auto reading = test::read_segments(sch("30", "MIN", "^^^" + std::string(sent)));
        EXPECT_EQ(reading.at("schedule").at("starts_at"), read) << sent;
        EXPECT_TRUE(test::has_warning(reading, "TIME_ISO_FORM", "SCH-11.4")) << sent;
        EXPECT_EQ(
            test::read_segments(sch("30", "MIN", "^^^" + std::string(sent)), {.lenient = false}).at("error").at("path"),
            "SCH-11.4");
    }
    for (const char* sent :
         {"20310115T10000", "20310115X1000", "203101151000ZZ", "203101151000+5:30", "20310115T1000T"}) {
        EXPECT_EQ(test::read_segments(sch("30", "MIN", "^^^" + std::string(sent))).at("error").at("code"), "102")
            << sent;
    }
}

TEST(SiuStart, IsoFormIsTolerated) {
    const auto reading = test::read_segments(sch("30", "MIN", "^^^2024-01-15T10:00:00Z"));
    EXPECT_EQ(reading.at("schedule").at("starts_at"), "2024-01-15T10:00:00+00:00");
    EXPECT_TRUE(test::has_warning(reading, "TIME_ISO_FORM", "SCH-11.4"));
    const auto strict = test::read_segments(sch("30", "MIN", "^^^2024-01-15T10:00:00Z"), {.lenient = false});
    EXPECT_EQ(strict.at("error").at("path"), "SCH-11.4");
}

TEST(SiuStart, RolledTimesAreRemarked) {
    const auto reading = test::read_segments(sch("30", "MIN", "^^^202401152400"));
    EXPECT_EQ(reading.at("schedule").at("starts_at"), "2024-01-16T00:00:00");
    EXPECT_TRUE(test::has_warning(reading, "TIME_ROLLED", "SCH-11.4"));
}

TEST(SiuDuration, UnitsOfSch9) {
    const std::string at = "^^^202401151000";
    EXPECT_EQ(minutes(sch("30", "MIN", at)), 30);
    EXPECT_EQ(minutes(sch("30", "m", at)), 30);
    EXPECT_EQ(minutes(sch("30", "min^Minutes^ISO+", at)), 30);
    EXPECT_EQ(minutes(sch("30", "X^Minutes", at)), 30);
    EXPECT_EQ(minutes(sch("2", "HR", at)), 120);
    EXPECT_EQ(minutes(sch("1.5", "H", at)), 90);
    EXPECT_EQ(minutes(sch("1800", "S", at)), 30);
    EXPECT_EQ(minutes(sch("90", "SECONDS", at)), 2);
    EXPECT_EQ(minutes(sch("1", "DAY", at)), 1440);
    EXPECT_EQ(minutes(sch("M45", "", at)), 45);
}

TEST(SiuDuration, MissingUnitMeansMinutes) {
    for (const char* unit : {"", "QUARTERS"}) {
        const auto reading = test::read_segments(sch("45", unit, "^^^202401151000"));
        EXPECT_EQ(reading.at("schedule").at("duration_minutes"), 45);
        EXPECT_TRUE(test::has_warning(reading, "DURATION_UNIT_ASSUMED", "SCH-9"));
    }
}

TEST(SiuDuration, StartAndEndBeatIt) {
    const auto reading = test::read_segments(sch("60", "m", "^^60^20110617084500^20110617093000"));
    EXPECT_EQ(reading.at("schedule").at("duration_minutes"), 45);
    EXPECT_EQ(reading.at("schedule").at("ends_at"), "2011-06-17T09:30:00");
    EXPECT_TRUE(test::has_warning(reading, "DURATION_DISAGREE", "SCH-9"));
    EXPECT_EQ(minutes(sch("60", "m", "") + "TQ1|||||||202401151000|202401151050"), 50);
}

TEST(SiuDuration, EndBeforeStartIsPassedOver) {
    const auto reading = test::read_segments(sch("60", "MIN", "^^^202401151000^202401150900"));
    EXPECT_EQ(reading.at("schedule").at("duration_minutes"), 60);
    EXPECT_EQ(reading.at("schedule").at("ends_at"), "2024-01-15T11:00:00");
    EXPECT_TRUE(test::has_warning(reading, "END_NOT_AFTER_START", "SCH-11.5"));
}

TEST(SiuDuration, EndOfAnotherStartIsNotUsed) {
    EXPECT_EQ(minutes(sch("20", "MIN", "^^^202010011126^202010091126") + "TQ1|||||||202109240930"), 20);
}

TEST(SiuDuration, ChainOfSources) {
    const std::string at = "^^^202401151000";
    EXPECT_EQ(minutes(sch("", "", at) + "TQ1||||||37^Minutes"), 37);
    EXPECT_EQ(minutes(sch("", "", at) + "TQ1||||||2^h&hours"), 120);
    EXPECT_EQ(minutes(sch("0", "MIN", at) + "TQ1||||||37^Minutes"), 37);
    EXPECT_EQ(minutes(sch("-5", "MIN", "^^M25^202401151000")), 25);
    EXPECT_EQ(minutes(sch("", "", "^^H1^202401151000")), 60);
    EXPECT_EQ(minutes(sch("", "S", "^^1800^202401151000")), 30);
    EXPECT_EQ(minutes(sch("", "", "1^MIN^15^202401151000")), 15);
    EXPECT_EQ(minutes(sch("", "", "2^^2 hours^202401151000")), 120);
    EXPECT_EQ(minutes(sch("", "", at) + "AIS|1||X||||20|MIN\rAIS|2||Y||||25|MIN"), 45);
    EXPECT_EQ(minutes(sch("", "", at) + "AIS|1||X|202401151000|||20|MIN\rAIS|2||Y|202401151030|||15|MIN"), 45);
    EXPECT_EQ(minutes(sch("", "", at) + "AIL|1||R|||202401151000|||40|MIN\rAIP|1||P|||202401151000|||20|MIN"), 40);
    EXPECT_EQ(minutes(sch("", "", at)), -1);
}

TEST(SiuDuration, MoreThanADayIsPassedOverExceptForBlocks) {
    const std::string long_one = sch("3", "DAYS", "^^^202401151000");
    const auto reading = test::read_segments(long_one);
    EXPECT_FALSE(reading.at("schedule").contains("duration_minutes"));
    EXPECT_TRUE(test::has_warning(reading, "DURATION_IMPLAUSIBLE", "SCH-9"));
    const auto block = test::read_json("MSH|^~\\&|A|B|C|D|2026||SIU^S23|1|P|2.5\r" + long_one);
    EXPECT_EQ(block.at("schedule").at("duration_minutes"), 4320);
}

TEST(SiuDuration, WithoutAStartItIsStillRead) {
    EXPECT_EQ(minutes(sch("30", "MIN", "")), 30);
}

TEST(SiuPartTimes, ExplicitBeatsOffsetAndOffsetNeedsABase) {
    const auto reading =
        test::read_segments(sch("60", "MIN", "^^^202401151000") + "AIS|1||X|202401151015|99|MIN|10|MIN\r"
                                                                  "AIG|1||G||||||-15|MIN|20|MIN\r"
                                                                  "AIL|1||R");
    const auto& service = reading.at("services")[0];
    EXPECT_EQ(service.at("starts_at"), "2024-01-15T10:15:00");
    EXPECT_EQ(service.at("offset_minutes"), 99);
    EXPECT_EQ(service.at("duration_minutes"), 10);
    EXPECT_EQ(reading.at("resources")[0].at("starts_at"), "2024-01-15T09:45:00");
    EXPECT_FALSE(reading.at("resources")[1].contains("starts_at"));
}

TEST(SiuPartTimes, ServicesWithoutTimesFollowOneAnother) {
    const auto starts = [](const std::string& minutes, const std::string& services) {
        const auto reading = test::read_segments(sch(minutes, "MIN", "^^^203101151000") + services);
        std::string text;
        for (const auto& service : reading.at("services"))
            text += service.value("starts_at", "-").substr(11 % service.value("starts_at", "-").size()) + " ";
        return text;
    };
    const std::string two = "AIS|1||X||||20|MIN\rAIS|2||Y||||25|MIN";
    EXPECT_EQ(starts("", two), "10:00:00 10:20:00 ");
    EXPECT_EQ(starts("60", two), "10:00:00 10:20:00 ");
    EXPECT_EQ(starts("30", two), "- - ");
    EXPECT_EQ(starts("60", two + "\rAIS|3||Z"), "- - - ");
    EXPECT_EQ(starts("60", "AIS|1||X||||20|MIN\rAIS|2||Y||30|MIN|25|MIN"), "- 10:30:00 ");
    EXPECT_EQ(starts("60", "AIS|1|D|X||||20|MIN\rAIS|2|A|Y||||25|MIN"), "- - ");
}

TEST(SiuPartTimes, ResourceDaysAwayIsDistrusted) {
    const auto reading = test::read_segments(sch("60", "m", "^^60^20110617084500^20110617093000") +
                                             "RGS|1\rAIL|1|A|OFFICE|||20110614084500|||45|m");
    EXPECT_FALSE(reading.at("resources")[0].contains("starts_at"));
    EXPECT_EQ(reading.at("resources")[0].at("duration_minutes"), 45);
    EXPECT_TRUE(test::has_warning(reading, "RESOURCE_TIME_DISTRUSTED", "AIL[1]-6"));
    const auto offset =
        test::read_segments(sch("60", "m", "^^60^20110617084500") + "AIG|1|A|G|||||20110614084500|30|m");
    EXPECT_FALSE(offset.at("resources")[0].contains("offset_minutes"));
}

TEST(SiuPartTimes, ResourceBesideItsOwnServiceIsTrusted) {
    const auto reading = test::read_segments(sch("60", "m", "^^^202401151000") +
                                             "RGS|1\rAIS|1||X|202401151000\r"
                                             "RGS|2\rAIS|1||Y|202401181000\rAIL|1||R2|||202401181000");
    EXPECT_EQ(reading.at("resources")[0].at("starts_at"), "2024-01-18T10:00:00");
    EXPECT_EQ(reading.at("resources")[0].at("group"), 2);
}

TEST(SiuPartTimes, UnusableOffsetIsLeftOut) {
    for (const char* offset : {"later", "9999999|D", "-9999999|D"}) {
        const auto reading =
            test::read_segments(sch("15", "MIN", "^^^202401151000") + "AIS|1||X||" + std::string(offset));
        EXPECT_FALSE(reading.at("services")[0].contains("offset_minutes")) << offset;
        EXPECT_FALSE(reading.at("services")[0].contains("starts_at")) << offset;
        EXPECT_TRUE(test::has_warning(reading, "BAD_OFFSET", "AIS[1]-5")) << offset;
    }
}

TEST(SiuPartTimes, TimeInTheOffsetFieldIsLeftOut) {
    const auto reading =
        test::read_segments(sch("15", "MIN", "^^^202401151000") + "AIS|1||X|202401151000|202401151015");
    EXPECT_FALSE(reading.at("services")[0].contains("offset_minutes"));
    EXPECT_TRUE(test::has_warning(reading, "OFFSET_IS_TIME", "AIS[1]-5"));
}

} // namespace
} // namespace radscheduler
