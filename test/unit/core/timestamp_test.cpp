#include "radscheduler/timestamp.hpp"

#include <gtest/gtest.h>

namespace radscheduler {
namespace {

std::string iso(std::string_view text) {
    const Result<Timestamp> stamp = Timestamp::parse(text);
    return stamp ? stamp->iso() : "refused";
}

TEST(Timestamp, PrecisionIsKept) {
    using Precision = Timestamp::Precision;
    const std::pair<const char*, Precision> cases[] = {
        {"2015", Precision::year},       {"201512", Precision::month},        {"20151231", Precision::day},
        {"2015123123", Precision::hour}, {"201512312345", Precision::minute}, {"20151231234500", Precision::second}};
    for (const auto& [text, precision] : cases) {
        const Result<Timestamp> stamp = Timestamp::parse(text);
        ASSERT_TRUE(stamp) << text;
        EXPECT_EQ(stamp->precision, precision) << text;
        EXPECT_FALSE(stamp->offset_minutes) << text;
    }
    EXPECT_EQ(iso("2015"), "2015");
    EXPECT_EQ(iso("201512"), "2015-12");
    EXPECT_EQ(iso("20151231"), "2015-12-31");
    EXPECT_EQ(iso("2015123123"), "2015-12-31T23:00:00");
    EXPECT_EQ(iso("201512312345"), "2015-12-31T23:45:00");
    EXPECT_EQ(iso("20151231234501"), "2015-12-31T23:45:01");
}

TEST(Timestamp, FractionIsKept) {
    EXPECT_EQ(iso("20151231234500.1"), "2015-12-31T23:45:00.1");
    EXPECT_EQ(iso("20151231234500.12"), "2015-12-31T23:45:00.12");
    EXPECT_EQ(iso("20151231234500.1234"), "2015-12-31T23:45:00.1234");
    EXPECT_EQ(iso("20151231234500.0010"), "2015-12-31T23:45:00.0010");
}

TEST(Timestamp, OffsetIsKept) {
    EXPECT_EQ(iso("20151231234500.1234+2358"), "2015-12-31T23:45:00.1234+23:58");
    EXPECT_EQ(Timestamp::parse("201403111412-0030")->offset_minutes, -30);
    EXPECT_EQ(iso("201403111412-0030"), "2014-03-11T14:12:00-00:30");
    EXPECT_EQ(Timestamp::parse("201403111412+0530")->offset_minutes, 330);
    EXPECT_EQ(iso("201403111412+0000"), "2014-03-11T14:12:00+00:00");
    EXPECT_EQ(iso("20140311+0530"), "2014-03-11");
}

TEST(Timestamp, Refused) {
    for (const char* text : {"",
                             "201",
                             "20151",
                             "2015123",
                             "201512312",
                             "20151231234",
                             "2015123123450",
                             "20151231234500.",
                             "20151231234500.12345",
                             "20151231234500+23",
                             "20151231234500+23581",
                             "20151231234500+2400",
                             "20151231234500+1260",
                             "20260230",
                             "20250229",
                             "20261301",
                             "20260001",
                             "20260100",
                             "202601012400.1",
                             "2026010125",
                             "202601012401",
                             "202601011060",
                             "20260101100061",
                             "17991231",
                             "22010101",
                             "2026010112.5",
                             "2010052711090000",
                             "20260101T1000",
                             "20260101 ",
                             "x2026",
                             "2026010110:00",
                             "\xC3\xA9",
                             "00000000"}) {
        const Result<Timestamp> stamp = Timestamp::parse(text);
        ASSERT_FALSE(stamp) << text;
        EXPECT_EQ(stamp.error().code, ErrorCode::bad_timestamp) << text;
    }
}

TEST(Timestamp, LeapDays) {
    EXPECT_EQ(iso("20240229"), "2024-02-29");
    EXPECT_EQ(iso("20000229"), "2000-02-29");
    EXPECT_EQ(iso("19000229"), "refused");
}

TEST(Timestamp, RollsOver) {
    EXPECT_EQ(iso("202412312400"), "2025-01-01T00:00:00");
    EXPECT_EQ(iso("2024022824"), "2024-02-29T00:00:00");
    EXPECT_EQ(iso("20241231235960"), "2025-01-01T00:00:00");
    EXPECT_EQ(iso("20240115100060+0100"), "2024-01-15T10:01:00+01:00");
    EXPECT_TRUE(Timestamp::parse("202412312400")->rolled);
    EXPECT_FALSE(Timestamp::parse("202412312300")->rolled);
}

TEST(Timestamp, IsoForms) {
    EXPECT_EQ(iso("2024-01-15"), "2024-01-15");
    EXPECT_EQ(iso("2024-01-15T10:00"), "2024-01-15T10:00:00");
    EXPECT_EQ(iso("2024-01-15 10:00"), "2024-01-15T10:00:00");
    EXPECT_EQ(iso("2024-01-15T10:00:30"), "2024-01-15T10:00:30");
    EXPECT_EQ(iso("2024-01-15T10:00:00Z"), "2024-01-15T10:00:00+00:00");
    EXPECT_EQ(iso("2024-01-15T10:00:00.000Z"), "2024-01-15T10:00:00.000+00:00");
    EXPECT_EQ(iso("2024-01-15T10:00-05:00"), "2024-01-15T10:00:00-05:00");
    EXPECT_EQ(iso("2024-01-15T10:00+0530"), "2024-01-15T10:00:00+05:30");
    EXPECT_EQ(iso("2024-01-15T10:00:00.123456789Z"), "2024-01-15T10:00:00.123456+00:00");
    EXPECT_TRUE(Timestamp::parse("2024-01-15T10:00")->iso_form);
    for (const char* text : {"2024-1-15", "2024-01-15T", "2024-01-15T10", "2024-01-15T1000", "2024-01-15T10:0",
                             "2024-01-15T10:00:", "2024-01-15T10:00z", "2024-01-15T10:00:00.", "2024-02-30T10:00",
                             "2024-01-15T10:00+5", "2024-01/15", "2024-01-15T10:00:00ZZ"}) {
        EXPECT_EQ(iso(text), "refused") << text;
    }
}

TEST(Timestamp, Arithmetic) {
    EXPECT_EQ(Timestamp::parse("202312312350")->plus_minutes(20).iso(), "2024-01-01T00:10:00");
    EXPECT_EQ(Timestamp::parse("202403010010+0100")->plus_minutes(-20).iso(), "2024-02-29T23:50:00+01:00");
    EXPECT_EQ(Timestamp::parse("19700101")->wall_seconds(), 0);
    EXPECT_EQ(Timestamp::parse("197001010100+0100")->instant_seconds(), 0);
    EXPECT_EQ(Timestamp::parse("18000101")->plus_minutes(-1).iso(), "1799-12-31T23:59:00");
}

} // namespace
} // namespace radscheduler
