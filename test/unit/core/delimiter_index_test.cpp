// Every kernel that this processor has finds what a plain loop finds, whatever the length, alignment and content.
#include "radscheduler/delimiter_index.hpp"

#include <gtest/gtest.h>
#include <random>
#include <string>
#include <vector>

namespace radscheduler {
namespace {

std::vector<std::uint32_t> by_hand(std::string_view text, const Delimiters& d) {
    std::vector<std::uint32_t> offsets;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const bool declared = c != '\0';
        if (c == '\r' || (declared && (c == d.field || c == d.component || c == d.repetition || c == d.subcomponent)))
            offsets.push_back(static_cast<std::uint32_t>(i));
    }
    return offsets;
}

std::vector<std::uint32_t> by_cursor(std::string_view text, const Delimiters& delimiters) {
    std::vector<std::uint32_t> offsets;
    DelimiterCursor cursor(text, delimiters);
    for (std::size_t at = cursor.next(); at != text.size(); at = cursor.next())
        offsets.push_back(static_cast<std::uint32_t>(at));
    return offsets;
}

void expect_all_agree(std::string_view text, const Delimiters& delimiters) {
    const std::vector<std::uint32_t> expected = by_hand(text, delimiters);
    int kernels = 0;
    for (const ScanKernel kernel :
         {ScanKernel::scalar, ScanKernel::sse2, ScanKernel::avx2, ScanKernel::avx512, ScanKernel::neon}) {
        if (!has_kernel(kernel)) continue;
        ++kernels;
        const DelimiterIndex index(text, delimiters, kernel);
        const std::vector<std::uint32_t> found(index.offsets().begin(), index.offsets().end());
        ASSERT_EQ(found, expected) << kernel_name(kernel) << ", " << text.size() << " bytes";
    }
    ASSERT_GE(kernels, 1);
    ASSERT_EQ(by_cursor(text, delimiters), expected);
}

TEST(DelimiterIndex, FindsEverySeparatorOfAMessage) {
    expect_all_agree("MSH|^~\\&|A|B\rPID|1||12^^^H~34&5\r", Delimiters{});
}

TEST(DelimiterIndex, EveryLengthAndAlignment) {
    std::mt19937 random(7);
    std::string bytes(700, 'x');
    for (char& c : bytes)
        c = "|^~&\rabcdefgh\\#\0\xC3"[random() % 17];
    for (std::size_t start = 0; start < 64; start += 3) {
        for (std::size_t size = 0; size < 300; ++size)
            expect_all_agree(std::string(bytes, start, size), Delimiters{});
    }
}

TEST(DelimiterIndex, NothingButSeparatorsAndNoneAtAll) {
    expect_all_agree(std::string(10'000, '|'), Delimiters{});
    expect_all_agree(std::string(10'000, 'x'), Delimiters{});
    expect_all_agree("", Delimiters{});
}

TEST(DelimiterIndex, UndeclaredDelimitersAreData) {
    Delimiters two;
    two.escape = two.subcomponent = '\0';
    expect_all_agree(std::string("MSH|^~|a&b\0c\rPID|1\r", 19), two);
    EXPECT_EQ(DelimiterIndex("a&b|c", two).offsets().size(), 1U);
}

TEST(DelimiterIndex, DelimitersOfTheMessage) {
    Delimiters odd;
    odd.field = '*';
    odd.component = '+';
    odd.repetition = '!';
    odd.subcomponent = '@';
    expect_all_agree("MSH*+!\\@*a|b^c+d!e@f\r", odd);
}

TEST(DelimiterIndex, RebuildForgetsTheTextBefore) {
    DelimiterIndex index(std::string(1000, '|'), Delimiters{});
    index.rebuild("a|b", Delimiters{});
    ASSERT_EQ(index.offsets().size(), 1U);
    EXPECT_EQ(index.offsets()[0], 1U);
}

TEST(DelimiterIndex, BlocksWithoutASeparatorAreSkipped) {
    std::string text(3 * DelimiterCursor::kBlockBytes + 5, 'x');
    text.back() = '|';
    expect_all_agree(text, Delimiters{});
}

} // namespace
} // namespace radscheduler
