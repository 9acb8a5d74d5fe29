// Text helpers, and the promise that a payload cannot be logged.
#include "obs/text.hpp"

#include <type_traits>

#include <gtest/gtest.h>

#include "obs/log.hpp"

namespace {

using namespace radscheduler::sidecar;

static_assert(!std::is_constructible_v<log::Field, std::string_view, const Payload&>,
              "a payload is no field of a log line");
static_assert(!std::is_convertible_v<Payload, std::string_view> && !std::is_convertible_v<Payload, std::string>);
static_assert(!std::is_default_constructible_v<fmt::formatter<Payload>>, "fmt cannot print a payload");

TEST(Text, StampsUtcTime) {
    const std::chrono::system_clock::time_point when(std::chrono::milliseconds(1705312800123));
    EXPECT_EQ(utc_timestamp(when), "2024-01-15T10:00:00.123Z");
}

TEST(Text, KnowsWhatATextValueCanHold) {
    EXPECT_TRUE(is_storable_text(""));
    EXPECT_TRUE(is_storable_text("M\xc3\xbcller \xe2\x82\xac \xf0\x9f\xa9\xbb"));
    for (const std::string& bad : {std::string("a\0b", 3), std::string("\xff"), std::string("\xc3"),
                                   std::string("\xc0\xaf"), std::string("\xe0\x80\xaf"), std::string("\xed\xa0\x80"),
                                   std::string("\xf4\x90\x80\x80"), std::string("\xe2\x28\xa1"), std::string("\x80")}) {
        EXPECT_FALSE(is_storable_text(bad)) << testing::PrintToString(bad);
    }
}

TEST(Text, HashesWithSha256) {
    EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Text, Trims) {
    EXPECT_EQ(trim("  a b\r\n"), "a b");
    EXPECT_EQ(trim(" \t"), "");
}

} // namespace
