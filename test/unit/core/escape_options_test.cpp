// Escapes read otherwise than by default: formatting kept or rendered, hex runs in the charset of the message.
#include "radscheduler/charset.hpp"
#include "radscheduler/escape.hpp"

#include <gtest/gtest.h>

namespace radscheduler {
namespace {

const Delimiters kUsual;

std::string kept(std::string_view raw) {
    return decode(raw, kUsual, {.formatting = Formatting::kept});
}

std::string rendered(std::string_view raw) {
    return decode(raw, kUsual, {.formatting = Formatting::rendered});
}

bool latin1(void*, std::string_view bytes, std::string& out) {
    return convert_charset("ISO-8859-1", bytes, nullptr, out);
}

constexpr HexText kLatin1{latin1, nullptr};

TEST(DecodeKept, FormattingStaysOtherEscapesDoNot) {
    EXPECT_EQ(kept("a\\.br\\b\\.sp2\\c\\H\\d\\N\\\\F\\"), "a\\.br\\b\\.sp2\\c\\H\\d\\N\\|");
}

TEST(DecodeRendered, Lines) {
    EXPECT_EQ(rendered("a\\.br\\b"), "a\nb");
    EXPECT_EQ(rendered("a\\.ce\\title\\.br\\b"), "a\ntitle\nb");
    EXPECT_EQ(rendered("a\\.sp\\b\\.sp3\\c\\.sp0\\d"), "a\nb\n\n\ncd");
    EXPECT_EQ(rendered("a\\.sp+2\\b\\.sp-2\\c"), "a\n\nbc");
}

TEST(DecodeRendered, BlanksAndIndents) {
    EXPECT_EQ(rendered("a\\.sk\\b\\.sk3\\c"), "a b   c");
    EXPECT_EQ(rendered("\\.in2\\a\\.br\\b\\.br\\\\.ti1\\c\\.br\\d\\.in0\\\\.br\\e"), "  a\n  b\n   c\n  d\ne");
    EXPECT_EQ(rendered("\\.in4\\\\.ti-3\\a\\.br\\b"), " a\n    b");
    EXPECT_EQ(rendered("\\.ti-9\\a"), "a") << "no line starts before its margin";
    EXPECT_EQ(rendered("a\\.in3\\b\\.br\\c"), "ab\n   c") << "a line that has begun is not moved";
    EXPECT_EQ(rendered("\\.in3\\a\\.br\\\\.br\\b"), "   a\n\n   b") << "an empty line has no blanks";
}

TEST(DecodeRendered, WhatHasNoPlainTextIsDropped) {
    EXPECT_EQ(rendered("\\H\\hot\\N\\ \\.fi\\x\\.nf\\y"), "hot xy");
}

TEST(DecodeRendered, WhatIsNoFormattingIsKept) {
    for (const char* raw : {"\\.xx\\", "\\.spx\\", "\\.sp1x\\", "\\.br2\\", "\\.\\", "\\Z99\\", "\\C1B2842\\",
                            "BSV 4\\5 re.", "a\\\\b", "\\.sp1\\^"}) {
        const std::string text = rendered(raw);
        EXPECT_EQ(text, raw == std::string_view("\\.sp1\\^") ? "\n^" : raw);
    }
    EXPECT_EQ(rendered("\\.br"), "\\.br");
    EXPECT_EQ(rendered("a\\F\\\\XC3A9\\"), "a|\xC3\xA9");
}

TEST(DecodeRendered, NumbersAreCapped) {
    EXPECT_EQ(rendered("\\.sp99999999999999\\").size(), 99U);
    EXPECT_EQ(rendered("\\.sk0000000000000000000100\\").size(), 99U);
    EXPECT_EQ(rendered("\\.in99\\\\.ti99\\x").size(), 100U);
}

TEST(DecodeHex, BytesThatAreNotUtf8GoToTheHook) {
    const DecodeOptions options{.hex = &kLatin1};
    EXPECT_EQ(decode("caf\\XE9\\", kUsual, options), "café");
    EXPECT_EQ(decode("caf\\XC3A9\\", kUsual, options), "café") << "valid UTF-8 is text as it is";
    EXPECT_EQ(decode("\\X00\\\\XE\\\\XZZ\\", kUsual, options), "\\X00\\\\XE\\\\XZZ\\");
}

TEST(DecodeHex, AHookThatGivesNoTextIsNotTrusted) {
    const HexText refuses{[](void*, std::string_view, std::string&) { return false; }, nullptr};
    const HexText breaks{[](void*, std::string_view bytes, std::string& out) {
                             out.append(bytes);
                             return true;
                         },
                         nullptr};
    const HexText nuls{[](void*, std::string_view, std::string& out) {
                           out.push_back('\0');
                           return true;
                       },
                       nullptr};
    for (const HexText* hook : {&refuses, &breaks, &nuls})
        EXPECT_EQ(decode("caf\\XE9\\", kUsual, {.hex = hook}), "caf\\XE9\\");
}

TEST(HexToUtf8, RewritesForeignRunsOnly) {
    const std::string message =
        "MSH|^~\\&|A|B\rNTE|1||caf\\XE9\\ \\XC3A9\\ \\X0\\ \\F\\ \\XE9|\\XE9\rZZZ|a\\b\\XE9\\\r";
    EXPECT_EQ(hex_to_utf8(message, kUsual, kLatin1),
              "MSH|^~\\&|A|B\rNTE|1||caf\\XC3A9\\ \\XC3A9\\ \\X0\\ \\F\\ \\XE9|\\XE9\rZZZ|a\\b\\XE9\\\r");
    EXPECT_EQ(hex_to_utf8("MSH|^~\\&|no escapes\r", kUsual, kLatin1), "MSH|^~\\&|no escapes\r");
    const Delimiters none = *Delimiters::read("MSH|^~|");
    EXPECT_EQ(hex_to_utf8("MSH|^~|\\XE9\\\r", none, kLatin1), "MSH|^~|\\XE9\\\r");
}

TEST(HexToUtf8, LongRunsToo) {
    std::string digits;
    std::string text;
    for (int i = 0; i < 100; ++i) {
        digits += "E9";
        text += "é";
    }
    const std::string rewritten = hex_to_utf8("\\X" + digits + "\\", kUsual, kLatin1);
    EXPECT_EQ(decode(rewritten, kUsual), text);
}

} // namespace
} // namespace radscheduler
