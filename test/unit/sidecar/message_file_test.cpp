// Cutting files into messages, and reading acknowledgements, as radsched-send does.
#include "tools/message_file.hpp"

#include <gtest/gtest.h>

namespace {

using namespace radscheduler::sidecar::tools;
using Messages = std::vector<std::string>;

TEST(MessageFile, TurnsLineEndsIntoCr) {
    const Messages expected{"MSH|1\rPID|2"};
    EXPECT_EQ(split_messages("MSH|1\rPID|2"), expected);
    EXPECT_EQ(split_messages("MSH|1\nPID|2\n"), expected);
    EXPECT_EQ(split_messages("MSH|1\r\nPID|2\r\n"), expected);
    EXPECT_EQ(split_messages("\xef\xbb\xbfMSH|1\r\n\r\nPID|2\r\n\n"), expected);
}

TEST(MessageFile, CutsBeforeEveryMsh) {
    EXPECT_EQ(split_messages("MSH|1\nPID|a\n\nMSH|2\nPID|b\n"), (Messages{"MSH|1\rPID|a", "MSH|2\rPID|b"}));
}

TEST(MessageFile, LeavesBatchEnvelopesOut) {
    EXPECT_EQ(split_messages("FHS|^~\\&\rBHS|^~\\&\rMSH|1\rPID|a\rBTS|1\rFTS|1\r"), (Messages{"MSH|1\rPID|a"}));
}

TEST(MessageFile, TakesFramesByteForByte) {
    EXPECT_EQ(split_messages("\x0bMSH|1\nPID|a\r\x1c\r\x0bMSH|2\x1c\r\n"), (Messages{"MSH|1\nPID|a\r", "MSH|2"}));
}

TEST(MessageFile, SendsAFileWithoutMshAsItIs) {
    EXPECT_EQ(split_messages("PID|1\nnonsense"), (Messages{"PID|1\rnonsense"}));
    EXPECT_EQ(split_messages("hello"), (Messages{"hello"}));
}

TEST(MessageFile, FindsNothingInAnEmptyFile) {
    EXPECT_TRUE(split_messages("").empty());
    EXPECT_TRUE(split_messages("\r\n\n").empty());
}

TEST(Ack, IsReadByItsOwnSeparator) {
    EXPECT_EQ(ack_code("MSH|^~\\&|A\rMSA|AE|MSG1|text\rERR|x\r"), "AE");
    EXPECT_EQ(ack_control_id("MSH|^~\\&|A\rMSA|AE|MSG1|text\r"), "MSG1");
    EXPECT_EQ(ack_code("MSH$%~\\&$A\rMSA$AA$7\r"), "AA");
    EXPECT_EQ(ack_control_id("MSH$%~\\&$A\rMSA$AA$7\r"), "7");
}

TEST(Ack, MayBeMissing) {
    EXPECT_EQ(ack_code(""), "");
    EXPECT_EQ(ack_code("MSH|^~\\&|A\r"), "");
    EXPECT_EQ(ack_code("MSH|^~\\&|A\rMSA\r"), "");
    EXPECT_EQ(ack_control_id("MSH|^~\\&|A\rMSA|AA\r"), "");
}

TEST(Readable, ShowsOneSegmentPerLineAndNoControlCharacter) {
    EXPECT_EQ(readable("MSH|1\rMSA|AA\x1b[31m\r"), "MSH|1\nMSA|AA<1B>[31m\n");
}

} // namespace
