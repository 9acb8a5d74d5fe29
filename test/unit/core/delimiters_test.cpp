#include "radscheduler/delimiters.hpp"

#include <gtest/gtest.h>

namespace radscheduler {
namespace {

TEST(Delimiters, UsualSet) {
    const Result<Delimiters> read = Delimiters::read("MSH|^~\\&|A");
    ASSERT_TRUE(read);
    EXPECT_EQ(*read, Delimiters{});
}

TEST(Delimiters, AreTakenFromTheMessage) {
    const Result<Delimiters> read = Delimiters::read("MSH$%*@!$A");
    ASSERT_TRUE(read);
    EXPECT_EQ(read->field, '$');
    EXPECT_EQ(read->component, '%');
    EXPECT_EQ(read->repetition, '*');
    EXPECT_EQ(read->escape, '@');
    EXPECT_EQ(read->subcomponent, '!');
    EXPECT_EQ(read->truncation, '\0');
}

TEST(Delimiters, FileAndBatchHeadersDeclareThemToo) {
    EXPECT_TRUE(Delimiters::read("FHS|^~\\&|A"));
    EXPECT_TRUE(Delimiters::read("BHS|^~\\&|A"));
}

TEST(Delimiters, FewerEncodingCharacters) {
    const Result<Delimiters> two = Delimiters::read("MSH|^~|A");
    ASSERT_TRUE(two);
    EXPECT_EQ(two->escape, '\0');
    EXPECT_EQ(two->subcomponent, '\0');
    const Result<Delimiters> three = Delimiters::read("MSH|^~\\|A");
    ASSERT_TRUE(three);
    EXPECT_EQ(three->escape, '\\');
    EXPECT_EQ(three->subcomponent, '\0');
    const Result<Delimiters> header_only = Delimiters::read("MSH|^~\\&");
    EXPECT_TRUE(header_only);
}

TEST(Delimiters, ForgottenEscapeCharacterIsUnderstood) {
    const Result<Delimiters> read = Delimiters::read("MSH|^~&|A");
    ASSERT_TRUE(read);
    EXPECT_EQ(read->subcomponent, '&');
    EXPECT_EQ(read->escape, '\0');
}

TEST(Delimiters, TruncationCharacterIsData) {
    const Result<Delimiters> read = Delimiters::read("MSH|^~\\&#|A");
    ASSERT_TRUE(read);
    EXPECT_EQ(read->truncation, '#');
    EXPECT_FALSE(read->separates('#'));
    EXPECT_TRUE(read->separates('&'));
}

struct Refusal {
    const char* text;
    ErrorCode code;
    std::size_t offset;
    const char* path;
};

class RefusedDelimiters : public testing::TestWithParam<Refusal> {};

TEST_P(RefusedDelimiters, SayWhatAndWhere) {
    const Refusal& refusal = GetParam();
    const Result<Delimiters> read = Delimiters::read(refusal.text);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, refusal.code);
    EXPECT_EQ(read.error().offset, refusal.offset);
    EXPECT_EQ(read.error().path, refusal.path);
    EXPECT_TRUE(read.error().text.ends_with("."));
}

INSTANTIATE_TEST_SUITE_P(All, RefusedDelimiters,
                         testing::Values(Refusal{"", ErrorCode::no_header, 0, "MSH"},
                                         Refusal{"PID|1", ErrorCode::no_header, 0, "MSH"},
                                         Refusal{"MSH", ErrorCode::bad_delimiters, 3, "MSH-1"},
                                         Refusal{"MSH\r", ErrorCode::bad_delimiters, 3, "MSH-1"},
                                         Refusal{"MSHA^~\\&A", ErrorCode::bad_delimiters, 3, "MSH-1"},
                                         Refusal{"MSH1^~\\&1", ErrorCode::bad_delimiters, 3, "MSH-1"},
                                         Refusal{"MSH ^~\\& ", ErrorCode::bad_delimiters, 3, "MSH-1"},
                                         Refusal{"MSH||A", ErrorCode::bad_delimiters, 4, "MSH-2"},
                                         Refusal{"MSH|^|A", ErrorCode::bad_delimiters, 4, "MSH-2"},
                                         Refusal{"MSH|^~\\&#!|A", ErrorCode::bad_delimiters, 4, "MSH-2"},
                                         Refusal{"MSH|^~x&|A", ErrorCode::bad_delimiters, 6, "MSH-2"},
                                         Refusal{"MSH|^^\\&|A", ErrorCode::bad_delimiters, 5, "MSH-2"},
                                         Refusal{"MSH|^~\"&|A", ErrorCode::bad_delimiters, 6, "MSH-2"},
                                         Refusal{"FHS|9~\\&|A", ErrorCode::bad_delimiters, 4, "FHS-2"}));

} // namespace
} // namespace radscheduler
