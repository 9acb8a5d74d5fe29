// Batch files, whole and broken: every message is kept, and what is wrong is told.
#include "radscheduler/batch.hpp"

#include "radscheduler/message.hpp"

#include <gtest/gtest.h>

namespace radscheduler {
namespace {

const std::string kA = "MSH|^~\\&|A\rPID|1\r";
const std::string kB = "MSH|^~\\&|B\rPID|2\r";
const std::string kFhs = "FHS|^~\\&|S\r";
const std::string kBhs = "BHS|^~\\&|S\r";

using Codes = std::vector<std::string>;

Codes codes(const BatchReading& reading) {
    Codes list;
    for (const BatchWarning& warning : reading.warnings)
        list.push_back(warning.code);
    return list;
}

// Reads a file that must give messages A and B, and returns its warning codes.
Codes warnings_of(const std::string& file) {
    const BatchReading reading = split_batch(file);
    EXPECT_EQ(reading.messages.size(), 2U) << file;
    if (reading.messages.size() == 2) {
        EXPECT_EQ(reading.messages[0].text, kA) << file;
        EXPECT_EQ(reading.messages[1].text, kB) << file;
    }
    return codes(reading);
}

TEST(Batch, AWholeFile) {
    const std::string file = kFhs + kBhs + kA + kB + "BTS|2\r" + kBhs + kA + "BTS|1\rFTS|2\r";
    const BatchReading reading = split_batch(file);
    EXPECT_EQ(codes(reading), Codes{});
    ASSERT_EQ(reading.messages.size(), 3U);
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_EQ(reading.messages[i].ordinal, i + 1);
        EXPECT_EQ(reading.messages[i].file, 1U);
        EXPECT_EQ(file.substr(reading.messages[i].offset, kA.size()), reading.messages[i].text);
    }
    EXPECT_EQ(reading.messages[1].batch, 1U);
    EXPECT_EQ(reading.messages[2].batch, 2U);
}

TEST(Batch, WithoutAnyEnvelope) {
    EXPECT_EQ(warnings_of(kA + kB), Codes{});
    EXPECT_EQ(split_batch(kA + kB).messages[1].batch, 0U);
    EXPECT_EQ(split_batch(kA + kB).messages[1].file, 0U);
    EXPECT_TRUE(split_batch("").messages.empty());
    EXPECT_TRUE(split_batch("\r\n \x0B\x1C\r").warnings.empty());
}

TEST(Batch, LineEndsFramesAndMarks) {
    EXPECT_EQ(warnings_of("\xEF\xBB\xBF\n\n  " + kA + "\n\n" + kB), Codes{});
    EXPECT_EQ(warnings_of("MSH|^~\\&|A\nPID|1\nMSH|^~\\&|B\r\nPID|2"), Codes{});
    EXPECT_EQ(warnings_of("\x0B" + kA + "\x1C\r\x0B" + kB + "\x1C\r"), Codes{});
    EXPECT_EQ(warnings_of("\x0BMSH|^~\\&|A\rPID|1\x1C\x0BMSH|^~\\&|B\rPID|2\x1C"), Codes{});
    EXPECT_EQ(warnings_of("\x0B" + kBhs + kA + kB + "BTS|2\x1C\r"), Codes{});
    EXPECT_EQ(warnings_of(kA + "\x1C\x0B\x1C\x0B\xEF\xBB\xBF" + kB), Codes{});
}

TEST(Batch, FramingBytesWithinAMessageStay) {
    const BatchReading reading = split_batch("\x0BMSH|^~\\&|A\rNTE|1||a\x1C"
                                             "b\x0Bc\r\x1C\r");
    ASSERT_EQ(reading.messages.size(), 1U);
    EXPECT_EQ(reading.messages[0].text, "MSH|^~\\&|A\rNTE|1||a\x1C"
                                        "b\x0Bc\r");
}

TEST(Batch, MessageCountsAreChecked) {
    EXPECT_EQ(warnings_of(kBhs + kA + kB + "BTS|2\r"), Codes{});
    EXPECT_EQ(warnings_of(kBhs + kA + kB + "BTS|002|x\r"), Codes{});
    EXPECT_EQ(warnings_of(kBhs + kA + kB + "BTS| 2 \r"), Codes{});
    EXPECT_EQ(warnings_of(kBhs + kA + kB + "BTS|3\r"), Codes{"BATCH_COUNT_WRONG"});
    const std::string batch = kBhs + kA + kB;
    for (const std::string trailer : {"BTS\r", "BTS|\r", "BTS||remark\r", "BTS|two\r", "BTS|12345678901234567890\r"})
        EXPECT_EQ(warnings_of(batch + trailer), Codes{}) << trailer;
}

TEST(Batch, BatchCountsAreChecked) {
    EXPECT_EQ(warnings_of(kFhs + kBhs + kA + "BTS|1\r" + kBhs + kB + "BTS|1\rFTS|2\r"), Codes{});
    EXPECT_EQ(warnings_of(kFhs + kBhs + kA + kB + "BTS|2\rFTS|7\r"), Codes{"FILE_COUNT_WRONG"});
    EXPECT_EQ(warnings_of(kFhs + kBhs + kA + kB + "BTS|2\rFTS|0\r"), Codes{"FILE_COUNT_WRONG"});
    const std::string file = kFhs + kA + kB;
    for (const std::string trailer : {"FTS|0\r", "FTS|1\r"})
        EXPECT_EQ(warnings_of(file + trailer), Codes{"MESSAGE_OUTSIDE_BATCH"});
    EXPECT_EQ(warnings_of(kFhs + kA + kB + "FTS|2\r"), (Codes{"FILE_COUNT_WRONG", "MESSAGE_OUTSIDE_BATCH"}));
}

TEST(Batch, MissingParts) {
    EXPECT_EQ(warnings_of(kBhs + kA + kB), Codes{"BATCH_TRAILER_MISSING"});
    EXPECT_EQ(warnings_of(kFhs + kBhs + kA + kB + "FTS|1\r"), Codes{"BATCH_TRAILER_MISSING"});
    EXPECT_EQ(warnings_of(kFhs + kBhs + kA + kBhs + kB + "BTS|1\r"),
              (Codes{"BATCH_TRAILER_MISSING", "FILE_TRAILER_MISSING"}));
    EXPECT_EQ(warnings_of(kA + kB + "BTS|2\r"), (Codes{"MESSAGE_OUTSIDE_BATCH", "BATCH_HEADER_MISSING"}));
    EXPECT_EQ(warnings_of(kA + kB + "BTS|3\r"),
              (Codes{"BATCH_COUNT_WRONG", "MESSAGE_OUTSIDE_BATCH", "BATCH_HEADER_MISSING"}));
    EXPECT_EQ(warnings_of(kBhs + kA + kB + "BTS|2\rFTS|1\r"), Codes{"FILE_HEADER_MISSING"});
}

TEST(Batch, EmptyParts) {
    EXPECT_EQ(warnings_of(kBhs + "BTS|0\r" + kBhs + kA + kB + "BTS|2\r"), Codes{"BATCH_EMPTY"});
    EXPECT_EQ(warnings_of(kBhs + kA + kB + "BTS|2\r" + kBhs), (Codes{"BATCH_TRAILER_MISSING", "BATCH_EMPTY"}));
    EXPECT_EQ(codes(split_batch(kFhs + "FTS|0\r")), Codes{"FILE_EMPTY"});
}

TEST(Batch, MessagesOutsideAreToldOncePerRun) {
    const BatchReading reading = split_batch(kBhs + kA + "BTS|1\r" + kA + kB + kBhs + kB + "BTS|1\r" + kA);
    EXPECT_EQ(codes(reading), (Codes{"MESSAGE_OUTSIDE_BATCH", "MESSAGE_OUTSIDE_BATCH"}));
    ASSERT_EQ(reading.messages.size(), 5U);
    EXPECT_EQ(reading.warnings[0].message, 2U);
    EXPECT_EQ(reading.warnings[1].message, 5U);
    EXPECT_EQ(reading.messages[2].batch, 0U);
    EXPECT_EQ(reading.messages[3].batch, 2U);
}

TEST(Batch, TwoFilesJoined) {
    const std::string one = kFhs + kBhs + kA + "BTS|1\rFTS|1\r";
    const std::string two = kFhs + kBhs + kB + "BTS|1\rFTS|1\r";
    EXPECT_EQ(warnings_of(one + two), Codes{});
    EXPECT_EQ(warnings_of(one + "\xEF\xBB\xBF" + two), Codes{});
    EXPECT_EQ(split_batch(one + two).messages[1].file, 2U);
    EXPECT_EQ(split_batch(one + two).messages[1].batch, 2U);
}

TEST(Batch, EveryHeaderHasItsOwnDelimiters) {
    const BatchReading reading = split_batch("BHS*+!\\@*S\r" + kA + "MSH$%~\\&$B\rPID$1\rBTS*2\r");
    EXPECT_EQ(codes(reading), Codes{});
    ASSERT_EQ(reading.messages.size(), 2U);
    EXPECT_EQ(reading.messages[1].text, "MSH$%~\\&$B\rPID$1\r");
}

TEST(Batch, DelimitersThatCannotBeReadAreToldAndTheMessageKept) {
    const BatchReading reading = split_batch("MSH|^^\rPID|1\rMSH\r" + kB);
    EXPECT_EQ(codes(reading), (Codes{"BAD_DELIMITERS", "BAD_DELIMITERS"}));
    ASSERT_EQ(reading.messages.size(), 3U);
    EXPECT_EQ(reading.messages[0].text, "MSH|^^\rPID|1\r");
    EXPECT_EQ(reading.messages[1].text, "MSH\r");
    EXPECT_EQ(reading.warnings[0].path, "MSH-2");
    EXPECT_EQ(reading.warnings[1].message, 2U);
    EXPECT_EQ(warnings_of("BHS|^^\r" + kA + kB + "BTS|2\r"), Codes{"BAD_DELIMITERS"});
}

TEST(Batch, StrayContentIsToldByPlace) {
    const BatchReading reading = split_batch("log line\r\nmore\r" + kBhs + "NTE|1\r" + kA + "BTS|1\rPID|9\r\rPID|8\r");
    EXPECT_EQ(codes(reading), (Codes{"STRAY_CONTENT", "STRAY_CONTENT", "STRAY_CONTENT"}));
    EXPECT_EQ(reading.messages.size(), 1U);
    EXPECT_EQ(reading.warnings[0].offset, 0U);
    EXPECT_EQ(reading.warnings[0].length, std::string("log line\r\nmore").size());
    EXPECT_EQ(reading.warnings[1].batch, 1U);
    EXPECT_EQ(reading.warnings[1].length, 5U);
    EXPECT_EQ(reading.warnings[2].message, 1U);
    EXPECT_EQ(reading.warnings[2].length, std::string("PID|9\r\rPID|8").size());
    EXPECT_EQ(codes(split_batch("PID|1\r")), Codes{"STRAY_CONTENT"});
}

TEST(Batch, NamesThatOnlyBeginAlikeBelongToTheMessage) {
    const std::string text = "MSH|^~\\&|A\rMSHX|1\rMSH is missing\rBTS2|2\rFHS \r";
    const BatchReading reading = split_batch(text);
    EXPECT_EQ(codes(reading), Codes{});
    ASSERT_EQ(reading.messages.size(), 1U);
    EXPECT_EQ(reading.messages[0].text, text);
}

TEST(Batch, NulBytesAreLeftOutAndTold) {
    using namespace std::string_literals;
    const BatchReading reading = split_batch("MSH|^~\\&|A\rPID|\0001\r"s + kB);
    EXPECT_EQ(codes(reading), Codes{"NUL_BYTE"});
    ASSERT_EQ(reading.messages.size(), 2U);
    EXPECT_EQ(reading.messages[0].text, kA);
    EXPECT_EQ(warnings_of(kA + "\0\0\0\r"s + kB + "\0"s), Codes{});
    EXPECT_EQ(warnings_of("\0"s + kA + "\0\0"s + kB), Codes{});
}

TEST(Batch, WarningsAreBounded) {
    std::string file;
    for (std::size_t i = 0; i < kMaxBatchWarnings + 5; ++i)
        file += "BTS\r";
    const BatchReading reading = split_batch(file + kA);
    EXPECT_EQ(reading.warnings.size(), kMaxBatchWarnings + 1);
    EXPECT_EQ(reading.warnings.back().code, "MORE_WARNINGS");
    EXPECT_EQ(reading.warnings.back().offset, 4 * kMaxBatchWarnings);
    EXPECT_EQ(reading.messages.size(), 1U);
}

TEST(Batch, NoWarningQuotesAValue) {
    const BatchReading reading =
        split_batch("SECRET|1\r" + kFhs + "BTS|SECRET\rMSH|^~\\&|SECRET\rPID|1||SECRET\r" + kBhs + "FTS|9|SECRET\r");
    EXPECT_FALSE(reading.warnings.empty());
    for (const BatchWarning& warning : reading.warnings)
        EXPECT_EQ(warning.text.find("SECRET"), std::string::npos) << warning.text;
}

} // namespace
} // namespace radscheduler
