// Batch files, whole and broken: every message is kept, and what is wrong is told.
#include "radscheduler/batch.hpp"

#include <gtest/gtest.h>

namespace radscheduler {
namespace {

const std::string kA = "MSH|^~\\&|A\rPID|1\r";
const std::string kB = "MSH|^~\\&|B\rPID|2\r";

std::vector<std::string> codes(const BatchReading& reading) {
    std::vector<std::string> list;
    for (const BatchWarning& warning : reading.warnings)
        list.push_back(warning.warning.code);
    return list;
}

// Reads a file that must give messages A and B, and returns its warning codes.
std::vector<std::string> warnings_of(const std::string& file) {
    const BatchReading reading = split_batch(file);
    EXPECT_EQ(reading.messages.size(), 2U) << file;
    if (reading.messages.size() == 2) {
        EXPECT_EQ(reading.messages[0].text, kA);
        EXPECT_EQ(reading.messages[1].text, kB);
    }
    return codes(reading);
}

using Codes = std::vector<std::string>;

TEST(Batch, AWholeFile) {
    const BatchReading reading =
        split_batch("FHS|^~\\&|S\rBHS|^~\\&|S\r" + kA + kB + "BTS|2\rBHS|^~\\&\r" + kA + "BTS|1\rFTS|2\r");
    EXPECT_TRUE(reading.warnings.empty());
    ASSERT_EQ(reading.messages.size(), 3U);
    EXPECT_EQ(reading.messages[1].batch, 1U);
    EXPECT_EQ(reading.messages[2].batch, 2U);
    EXPECT_EQ(reading.messages[2].file, 1U);
    EXPECT_EQ(reading.messages[0].offset, 22U);
}

TEST(Batch, WithoutAnyEnvelope) {
    EXPECT_EQ(warnings_of(kA + kB), Codes{});
    EXPECT_EQ(split_batch(kA + kB).messages[0].batch, 0U);
    EXPECT_EQ(warnings_of("\xEF\xBB\xBF\n\n  " + kA + "\n\n" + kB), Codes{});
    EXPECT_EQ(warnings_of("\x0B" + kA + "\x1C\r\x0B" + kB + "\x1C\r"), Codes{});
    EXPECT_EQ(warnings_of("MSH|^~\\&|A\nPID|1\nMSH|^~\\&|B\r\nPID|2"), Codes{});
}

TEST(Batch, CountsAreChecked) {
    EXPECT_EQ(warnings_of("BHS|^~\\&\r" + kA + kB + "BTS|2\r"), Codes{});
    EXPECT_EQ(warnings_of("BHS|^~\\&\r" + kA + kB + "BTS|3\r"), Codes{"BATCH_COUNT_WRONG"});
    EXPECT_EQ(warnings_of("BHS|^~\\&\r" + kA + kB + "BTS\r"), Codes{});
    EXPECT_EQ(warnings_of("BHS|^~\\&\r" + kA + kB + "BTS|two\r"), Codes{});
    EXPECT_EQ(warnings_of("FHS|^~\\&\rBHS|^~\\&\r" + kA + kB + "BTS|2\rFTS|7\r"), Codes{"FILE_COUNT_WRONG"});
}

TEST(Batch, MissingParts) {
    EXPECT_EQ(warnings_of("BHS|^~\\&\r" + kA + kB), Codes{"BATCH_NOT_CLOSED"});
    EXPECT_EQ(warnings_of("FHS|^~\\&\rBHS|^~\\&\r" + kA + "BHS|^~\\&\r" + kB + "BTS|1\r"),
              (Codes{"BATCH_NOT_CLOSED", "FILE_NOT_CLOSED"}));
    EXPECT_EQ(warnings_of("FHS|^~\\&\r" + kA + kB + "FTS|0\r"),
              (Codes{"MESSAGE_OUTSIDE_BATCH", "MESSAGE_OUTSIDE_BATCH"}));
    EXPECT_EQ(warnings_of(kA + kB + "BTS|2\rFTS|1\r"), (Codes{"STRAY_TRAILER", "STRAY_TRAILER"}));
    EXPECT_EQ(warnings_of("BHS|^~\\&\rBTS|0\rBHS|^~\\&\r" + kA + kB + "BTS|2\r"), Codes{"BATCH_EMPTY"});
    EXPECT_EQ(warnings_of("BHS|^~\\&\r" + kA + kB + "BTS|2\rBHS|^~\\&\r"), (Codes{"BATCH_NOT_CLOSED", "BATCH_EMPTY"}));
}

TEST(Batch, TwoFilesJoined) {
    const std::string one = "FHS|^~\\&\rBHS|^~\\&\r" + kA + "BTS|1\rFTS|1\r";
    const std::string two = "FHS|^~\\&\rBHS|^~\\&\r" + kB + "BTS|1\rFTS|1\r";
    EXPECT_EQ(warnings_of(one + two), Codes{});
    EXPECT_EQ(split_batch(one + two).messages[1].file, 2U);
}

TEST(Batch, EveryHeaderHasItsOwnDelimiters) {
    const BatchReading reading = split_batch("BHS*+!\\@*S\r" + kA + "MSH$%~\\&$B\rPID$1\rBTS*2\r");
    EXPECT_TRUE(reading.warnings.empty());
    ASSERT_EQ(reading.messages.size(), 2U);
    EXPECT_EQ(reading.messages[1].text, "MSH$%~\\&$B\rPID$1\r");
}

TEST(Batch, WhatCannotBeReadIsKeptAndTold) {
    const BatchReading reading = split_batch("MSH|^^\rPID|1\r" + kB);
    ASSERT_EQ(reading.messages.size(), 2U);
    ASSERT_TRUE(reading.messages[0].error);
    EXPECT_EQ(reading.messages[0].text, "MSH|^^\rPID|1\r");
    EXPECT_EQ(codes(reading), Codes{"BAD_MESSAGE"});
    EXPECT_EQ(reading.warnings[0].message, 1U);
    EXPECT_EQ(warnings_of("BHS|^^\r" + kA + kB + "BTS|2\r"), Codes{"BAD_ENVELOPE"});
}

TEST(Batch, StrayTextIsToldOncePerPlace) {
    const BatchReading reading = split_batch("log line\rmore\r" + kA + "BTS|1\rPID|9\rPID|8\r" + kB);
    EXPECT_EQ(codes(reading), (Codes{"CONTENT_OUTSIDE_MESSAGE", "STRAY_TRAILER", "CONTENT_OUTSIDE_MESSAGE"}));
    EXPECT_EQ(reading.messages.size(), 2U);
    EXPECT_EQ(split_batch("PID|1\r").messages.size(), 0U);
    EXPECT_EQ(split_batch("").warnings.size(), 0U);
}

TEST(Batch, NamesThatOnlyBeginAlikeAreSegmentsOfTheMessage) {
    const BatchReading reading = split_batch("MSH|^~\\&|A\rMSHX|1\rBTSY|2\r");
    ASSERT_EQ(reading.messages.size(), 1U);
    EXPECT_EQ(reading.messages[0].text, "MSH|^~\\&|A\rMSHX|1\rBTSY|2\r");
}

} // namespace
} // namespace radscheduler
