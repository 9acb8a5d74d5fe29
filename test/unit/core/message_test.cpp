#include "radscheduler/message.hpp"

#include "support.hpp"

#include <gtest/gtest.h>

namespace radscheduler {
namespace {

using namespace std::string_literals;

std::string normalized(std::string_view bytes) {
    Result<std::string> result = normalize(bytes);
    return result ? *result : "refused: " + std::string(error_name(result.error().code));
}

TEST(Normalize, LineEndsBecomeCarriageReturns) {
    const std::string wanted = "MSH|^~\\&|A\rPID|1\r";
    EXPECT_EQ(normalized("MSH|^~\\&|A\rPID|1\r"), wanted);
    EXPECT_EQ(normalized("MSH|^~\\&|A\nPID|1"), wanted);
    EXPECT_EQ(normalized("MSH|^~\\&|A\r\nPID|1\r\n"), wanted);
}

TEST(Normalize, BlankSegmentsAreDropped) {
    EXPECT_EQ(normalized("MSH|^~\\&|A\r\r \t\r\n\nPID|1\r\r"), "MSH|^~\\&|A\rPID|1\r");
}

TEST(Normalize, LeftoversOfTransportAreTrimmed) {
    const std::string wanted = "MSH|^~\\&|A\rPID|1||7\r";
    EXPECT_EQ(normalized("\xEF\xBB\xBFMSH|^~\\&|A\rPID|1||7"), wanted);
    EXPECT_EQ(normalized("\x0BMSH|^~\\&|A\rPID|1||7\r\x1C\r"), wanted);
    EXPECT_EQ(normalized("\x0B\xEF\xBB\xBF MSH|^~\\&|A\rPID|1||7\x1C\r\n"), wanted);
    EXPECT_EQ(normalized("\r\n  MSH|^~\\&|A\rPID|1||7"), wanted);
}

TEST(Normalize, NothingInsideASegmentIsTouched) {
    const std::string odd = "MSH|^~\\&|A\rPID|1||  x \x0B\x1C y  |\xE9\xFF\r";
    EXPECT_EQ(normalized(odd), odd);
    EXPECT_EQ(normalized("MSH|^~\\&|A\rNTE|1||ends in blanks  "), "MSH|^~\\&|A\rNTE|1||ends in blanks  \r");
}

TEST(Normalize, IsIdempotent) {
    const std::string once = normalized("\x0BMSH|^~\\&|A\n\nPID|1\x1C\r");
    EXPECT_EQ(normalized(once), once);
    EXPECT_EQ(normalized("MSH|^~\\&|A\x1C\r \x1C\n\t"), "MSH|^~\\&|A\r");
}

TEST(Normalize, RefusesWithAPlace) {
    const Result<std::string> nul = normalize("MSH|^~\\&|A\rPID|\0|"s);
    ASSERT_FALSE(nul);
    EXPECT_EQ(nul.error().code, ErrorCode::nul_byte);
    EXPECT_EQ(nul.error().offset, 15U);

    EXPECT_EQ(normalized(""), "refused: empty_input");
    EXPECT_EQ(normalized("\x0B\x1C\r"), "refused: empty_input");
    EXPECT_EQ(normalized("\x1C"), "refused: empty_input");

    const Result<std::string> headless = normalize("\r\nPID|1||7");
    ASSERT_FALSE(headless);
    EXPECT_EQ(headless.error().code, ErrorCode::no_header);
    EXPECT_EQ(headless.error().offset, 2U);
    EXPECT_EQ(normalized("GET / HTTP/1.1\r\n\r\n"), "refused: no_header");
}

TEST(Normalize, BatchHeadersMayComeFirst) {
    EXPECT_EQ(normalized("FHS|^~\\&|A\nMSH|^~\\&|A"), "FHS|^~\\&|A\rMSH|^~\\&|A\r");
}

TEST(Message, OpensOnAHeaderAlone) {
    const Result<Message> message = Message::open("MSH|^~\\&");
    ASSERT_TRUE(message);
    EXPECT_EQ(message->segment("MSH"), "MSH|^~\\&");
    EXPECT_EQ(message->segment("PID").data(), nullptr);
}

TEST(Message, RefusesWhatHasNoHeader) {
    EXPECT_EQ(Message::open("").error().code, ErrorCode::empty_input);
    EXPECT_EQ(Message::open("PID|1").error().code, ErrorCode::no_header);
    EXPECT_EQ(Message::open("MSH|x~\\&|").error().code, ErrorCode::bad_delimiters);
}

TEST(Message, FindsSegmentsByNameAndOccurrence) {
    const test::Opened opened = test::open("MSH|^~\\&|A\rNTE|1\rNTEX|no\rNT\rNTE|2\rNTE");
    ASSERT_TRUE(opened.message);
    EXPECT_EQ(opened.message->segment("NTE"), "NTE|1");
    EXPECT_EQ(opened.message->segment("NTE", 2), "NTE|2");
    EXPECT_EQ(opened.message->segment("NTE", 3), "NTE");
    EXPECT_EQ(opened.message->segment("NTE", 4).data(), nullptr);
}

TEST(Message, CursorGivesNameOccurrenceOffsetAndText) {
    const test::Opened opened = test::open("MSH|^~\\&|A\rNTE|1\rzz1|x\rNTE|2\rno separator here");
    ASSERT_TRUE(opened.message);
    SegmentCursor cursor = opened.message->segments();
    Segment segment;
    ASSERT_TRUE(cursor.next(segment));
    EXPECT_EQ(segment.name, "MSH");
    EXPECT_EQ(segment.offset, 0U);
    ASSERT_TRUE(cursor.next(segment));
    EXPECT_EQ(segment.text, "NTE|1");
    EXPECT_EQ(segment.occurrence, 1U);
    EXPECT_EQ(segment.offset, 11U);
    ASSERT_TRUE(cursor.next(segment));
    EXPECT_EQ(segment.name, "zz1");
    EXPECT_FALSE(segment.well_named);
    ASSERT_TRUE(cursor.next(segment));
    EXPECT_EQ(segment.occurrence, 2U);
    EXPECT_TRUE(segment.well_named);
    ASSERT_TRUE(cursor.next(segment));
    EXPECT_EQ(segment.name, "no separator here");
    EXPECT_FALSE(cursor.next(segment));
}

TEST(Message, SegmentNames) {
    EXPECT_TRUE(is_segment_name("PID"));
    EXPECT_TRUE(is_segment_name("Z12"));
    EXPECT_FALSE(is_segment_name("1ID"));
    EXPECT_FALSE(is_segment_name("pid"));
    EXPECT_FALSE(is_segment_name("PI"));
    EXPECT_FALSE(is_segment_name("PIDX"));
    EXPECT_FALSE(is_segment_name(""));
}

} // namespace
} // namespace radscheduler
