#include "scan.hpp"

#include <gtest/gtest.h>
#include <random>
#include <string>

namespace radscheduler {
namespace {

TEST(Scan, FindsTheNthSeparatorLikeAPlainLoop) {
    std::mt19937 random(7);
    std::uniform_int_distribution<int> byte(0, 255);
    for (int round = 0; round < 5000; ++round) {
        std::string text;
        const int length = byte(random) / 4;
        for (int i = 0; i < length; ++i) {
            // Bytes around the separator and its high-bit twin, where word tricks usually fail.
            static const char kBytes[] = {'|', '|', '{', '}', '\xFC', '\xFB', '\x00', '\x01', 'a', '\x7F'};
            text.push_back(kBytes[byte(random) % 10]);
        }
        for (std::size_t n = 1; n <= 12; ++n) {
            const char* wanted = nullptr;
            std::size_t seen = 0;
            for (const char& c : text) {
                if (c == '|' && ++seen == n) {
                    wanted = &c;
                    break;
                }
            }
            ASSERT_EQ(find_nth(text.data(), text.data() + text.size(), '|', n), wanted) << round << " " << n;
        }
    }
}

TEST(Scan, SplitsIntoParts) {
    std::string_view part;
    ASSERT_TRUE(split_part("a|b||d", '|', 1, part));
    EXPECT_EQ(part, "a");
    ASSERT_TRUE(split_part("a|b||d", '|', 3, part));
    EXPECT_EQ(part, "");
    ASSERT_TRUE(split_part("a|b||d", '|', 4, part));
    EXPECT_EQ(part, "d");
    EXPECT_FALSE(split_part("a|b||d", '|', 5, part));
    ASSERT_TRUE(split_part("", '|', 1, part));
    EXPECT_EQ(part, "");
    ASSERT_TRUE(split_part("a|b", '\0', 1, part));
    EXPECT_EQ(part, "a|b");
    EXPECT_FALSE(split_part("a|b", '\0', 2, part));
}

} // namespace
} // namespace radscheduler
