#include "radscheduler/charset.hpp"

#include <gtest/gtest.h>

namespace radscheduler {
namespace {

TEST(Utf8, Accepts) {
    for (const char* text : {"", "plain ascii, long enough for a word", "M\xC3\xBCller", "\xE2\x82\xAC",
                             "\xF0\x9F\x98\x80", "\xED\x9F\xBF", "\xEE\x80\x80", "\xF4\x8F\xBF\xBF"}) {
        EXPECT_TRUE(is_valid_utf8(text)) << text;
    }
}

TEST(Utf8, Refuses) {
    for (const char* text :
         {"M\xFCller", "\x80", "\xC3", "\xC3\x28", "\xC0\xAF", "\xC1\x81", "\xE0\x80\x80", "\xE2\x82", "\xED\xA0\x80",
          "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "12345678\xE9"}) {
        EXPECT_FALSE(is_valid_utf8(text));
    }
}

TEST(Utf8, PrefixDoesNotCutACharacter) {
    EXPECT_EQ(utf8_prefix("abc", 5), "abc");
    EXPECT_EQ(utf8_prefix("a\xC3\xA9", 2), "a");
    EXPECT_EQ(utf8_prefix("a\xC3\xA9", 3), "a\xC3\xA9");
    EXPECT_EQ(utf8_prefix("\xF0\x9F\x98\x80", 3), "");
}

TEST(ToUtf8, ValidUtf8IsUtf8WhateverWasDeclared) {
    for (const char* declared : {"", "UNICODE UTF-8", "8859/1", "ASCII"}) {
        const Utf8Text text = to_utf8("M\xC3\xBCller", declared);
        EXPECT_EQ(text.text, "M\xC3\xBCller");
        EXPECT_FALSE(text.warning);
    }
}

TEST(ToUtf8, DeclaredLatin1) {
    for (const char* declared : {"8859/1", "ISO-8859-1", "iso_8859_1", "8859-1", "8859/1~UNICODE UTF-8", "ISO IR100"}) {
        const Utf8Text text = to_utf8("M\xFCller \x80", declared);
        EXPECT_EQ(text.text, "M\xC3\xBCller \xC2\x80") << declared;
        EXPECT_FALSE(text.warning) << declared;
    }
}

TEST(ToUtf8, DeclaredLatin9HasTheEuro) {
    const Utf8Text text = to_utf8("\xA4 \xA6\xA8\xB4\xB8\xBC\xBD\xBE\xFC", "8859/15");
    EXPECT_EQ(text.text, "€ ŠšŽžŒœŸü");
    EXPECT_FALSE(text.warning);
}

TEST(ToUtf8, AnythingElseIsWindows1252AndSaysSo) {
    for (const char* declared : {"", "UNICODE UTF-8", "ASCII", "8859/2", "8859/11"}) {
        const Utf8Text text = to_utf8("M\xFCller \x80 \x93quoted\x94 \x81", declared);
        EXPECT_EQ(text.text, "Müller € “quoted” \xC2\x81") << declared;
        ASSERT_TRUE(text.warning) << declared;
        EXPECT_EQ(text.warning->code, "CHARSET_ASSUMED");
        EXPECT_EQ(text.warning->path, "MSH-18");
    }
}

TEST(ToUtf8, EveryByteComesOutAsValidUtf8) {
    std::string bytes;
    for (int i = 1; i < 256; ++i)
        bytes.push_back(static_cast<char>(i));
    for (const char* declared : {"", "8859/1", "8859/15"})
        EXPECT_TRUE(is_valid_utf8(to_utf8(bytes, declared).text));
}

} // namespace
} // namespace radscheduler
