#include "radscheduler/charset.hpp"

#include "radscheduler/message.hpp"
#include "radscheduler/value.hpp"

#include <array>
#include <gtest/gtest.h>
#include <iconv.h>

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

// What iconv_open() gives when it cannot.
// NOLINTNEXTLINE(performance-no-int-to-ptr): so POSIX defines it
const auto kNoDescriptor = reinterpret_cast<iconv_t>(-1);

// The converter of the C library, as the adapters bind it.
bool by_iconv(void*, std::string_view encoding, std::string_view bytes, std::string& out) {
    const iconv_t handle = iconv_open("UTF-8", std::string(encoding).c_str());
    if (handle == kNoDescriptor) return false;
    std::string target(bytes.size() * 4 + 16, '\0');
    char* input = const_cast<char*>(bytes.data());
    std::size_t left = bytes.size();
    char* output = target.data();
    std::size_t room = target.size();
    const bool done = iconv(handle, &input, &left, &output, &room) != static_cast<std::size_t>(-1);
    iconv_close(handle);
    if (done) out.append(target.data(), target.size() - room);
    return done;
}

constexpr CharsetConverter kIconv{by_iconv, nullptr};

Utf8Text with_iconv(std::string_view bytes, std::string_view declared, std::string_view override_charset = {}) {
    return to_utf8(bytes, declared, &kIconv, override_charset);
}

TEST(IconvName, EveryNameOfTable0211InItsSpellings) {
    struct Row {
        const char* name;
        const char* encoding;
    };
    for (const Row& row : std::to_array<Row>({
             {"ASCII", "US-ASCII"},
             {"ISO IR6", "US-ASCII"},
             {"ISO IR6/ASCII", "US-ASCII"},
             {"8859/1", "ISO-8859-1"},
             {"ISO8859-1", "ISO-8859-1"},
             {"ISO_8859-1", "ISO-8859-1"},
             {"iso-8859-1", "ISO-8859-1"},
             {"ISO IR100", "ISO-8859-1"},
             {"8859/2", "ISO-8859-2"},
             {"8859/3", "ISO-8859-3"},
             {"8859/4", "ISO-8859-4"},
             {"8859/5", "ISO-8859-5"},
             {"8859/6", "ISO-8859-6"},
             {"8859/7", "ISO-8859-7"},
             {"8859/8", "ISO-8859-8"},
             {"8859/9", "ISO-8859-9"},
             {"8859/15", "ISO-8859-15"},
             {"UNICODE", "UTF-8"},
             {"UNICODE UTF-8", "UTF-8"},
             {"UTF-8", "UTF-8"},
             {"utf8", "UTF-8"},
             {"ISO IR14", "ISO-2022-JP-2"},
             {"ISO IR14 (JIS X 0201)", "ISO-2022-JP-2"},
             {"ISO IR87", "ISO-2022-JP-2"},
             {"ISO IR159", "ISO-2022-JP-2"},
             {"GB 18030-2000", "GB18030"},
             {"KS X 1001", "EUC-KR"},
             {"CNS 11643-1992", "EUC-TW"},
             {"BIG-5", "BIG5"},
             {"WINDOWS-1252", "CP1252"},
             {"CP1252", "CP1252"},
             {"SHIFT_JIS", "CP932"},
             {"EUC-KR", "EUC-KR"},
             {"", ""},
             {"KLINGON", ""},
             {"UNICODE UTF-16", ""},
         })) {
        EXPECT_EQ(iconv_name(row.name), row.encoding) << row.name;
        if (*row.encoding == '\0') continue;
        const iconv_t handle = iconv_open("UTF-8", row.encoding);
        EXPECT_NE(handle, kNoDescriptor) << row.encoding;
        if (handle != kNoDescriptor) iconv_close(handle);
    }
}

TEST(IconvName, WideUnicodeIsKnownAndRefused) {
    for (const char* name : {"UNICODE UTF-16", "UNICODE UTF-32", "UTF-16LE", "UCS-2"})
        EXPECT_TRUE(is_wide_unicode(name)) << name;
    for (const char* name : {"UNICODE UTF-8", "UNICODE", "8859/1", ""})
        EXPECT_FALSE(is_wide_unicode(name)) << name;
}

TEST(DeclaredEncoding, AlternatesAreReachedByEscapeSequences) {
    const std::string_view kanji = "\x1B$B;3\x1B(B";
    EXPECT_EQ(declared_encoding("~ISO IR87", '~', kanji), "ISO-2022-JP-2");
    EXPECT_EQ(declared_encoding("ASCII~ISO IR87", '~', kanji), "ISO-2022-JP-2");
    EXPECT_EQ(declared_encoding("ISO IR14~ISO IR87~ISO IR159", '~', kanji), "ISO-2022-JP-2");
    EXPECT_EQ(declared_encoding("8859/1~ISO IR87", '~', kanji), "ISO-2022-JP-2");
    EXPECT_EQ(declared_encoding("8859/1~ISO IR87", '~', "M\xFCller"), "ISO-8859-1");
    EXPECT_EQ(declared_encoding("ISO IR14~ISO IR87", '~', "\xD4\xCF\xC0"), "CP932") << "katakana in eight bits";
    EXPECT_EQ(declared_encoding("ISO IR14~ISO IR13~ISO IR87", '~', "\x1B(I1\x1B(J"), "ISO-2022-JP-3");
    EXPECT_EQ(declared_encoding("~KS X 1001", '~', "\xB0\xA1"), "EUC-KR");
    EXPECT_EQ(declared_encoding("~KS X 1001", '~', "\x1B$)C\x0E\x30\x21\x0F"), "ISO-2022-KR");
    EXPECT_EQ(declared_encoding("ASCII~8859/2", '~', "\xB1"), "ISO-8859-2");
    EXPECT_EQ(declared_encoding("8859/2~8859/5", '~', "\xB1"), "ISO-8859-2");
    EXPECT_EQ(declared_encoding("!ISO IR87", '!', kanji), "ISO-2022-JP-2");
    EXPECT_EQ(declared_encoding("", '~', kanji), "");
}

TEST(ToUtf8, ConvertsWhatTheCoreDoesNotKnow) {
    struct Row {
        const char* declared;
        const char* bytes;
        const char* text;
    };
    for (const Row& row : std::to_array<Row>({
             {"8859/2", "\xA1\xB1", "Ąą"},
             {"8859/5", "\xB8\xD2\xD0\xDD", "Иван"},
             {"GB 18030-2000", "\xD6\xD0\x81\x30\x89\x38", "中ß"},
             {"BIG-5", "\xA4\xA4\xA5\x5C", "中功"},
             {"KS X 1001", "\xB0\xA1", "가"},
             {"~KS X 1001", "\x1B$)C\xB0\xA1|\xB0\xA1", "가|가"},
             {"~KS X 1001", "\x1B$)CPID|\x0E\x30\x21\x0F|x", "PID|가|x"},
             {"SHIFT_JIS", "\x8E\x52\x95\x5C\\a~b", "山表\\a~b"},
             {"~ISO IR87", "PID|\x1B$B;3ED\x1B(B^x", "PID|山田^x"},
             {"ISO IR14~ISO IR87", "PID|\x1B$B;3\x1B(J\\F\\~y", "PID|山\\F\\~y"},
             {"ISO IR14~ISO IR87~ISO IR159", "\x1B$(D0!\x1B(J", "丂"},
         })) {
        const Utf8Text text = with_iconv(row.bytes, row.declared);
        EXPECT_EQ(text.text, row.text) << row.declared;
        EXPECT_FALSE(text.warning) << row.declared;
        EXPECT_NE(text.encoding, "UTF-8") << row.declared;
    }
}

TEST(ToUtf8, TwoByteCharactersMayHoldDelimiterBytes) {
    const std::string bytes =
        "MSH|^~\\&|A|B|C|D|2026||SIU^S12|1|P|2.3.1||||||~ISO IR87\rPID|1||7||\x1B$B!|%\\\x1B(B^x\r";
    EXPECT_NE(bytes.find("!|%\\"), std::string::npos) << "the kanji bytes equal a field separator and an escape";
    const std::string text = with_iconv(bytes, "~ISO IR87").text;
    const Result<Message> message = Message::open(text);
    ASSERT_TRUE(message);
    EXPECT_EQ(get_text(*message, *Path::parse("PID-5.1")), "●ボ");
    EXPECT_EQ(get_text(*message, *Path::parse("PID-5.2")), "x");
}

TEST(ToUtf8, SevenBitTextWithoutEscapesIsAscii) {
    const Utf8Text text = with_iconv("M\xC3\xBCller", "~ISO IR87");
    EXPECT_EQ(text.text, "Müller");
    EXPECT_EQ(text.encoding, "UTF-8");
    EXPECT_FALSE(text.warning);
}

TEST(ToUtf8, AConversionThatFailsSaysSoAndLosesNothing) {
    const Utf8Text half = with_iconv("M\xFC\x1B$B;3", "~ISO IR87");
    EXPECT_EQ(half.text, "Mü\x1B$B;3");
    ASSERT_TRUE(half.warning);
    EXPECT_EQ(half.warning->code, "CHARSET_FAILED");
    EXPECT_EQ(half.warning->path, "MSH-18");

    const Utf8Text seven = with_iconv("\x1B$B;", "~ISO IR87");
    EXPECT_EQ(seven.text, "\x1B$B;") << "cut in the middle of a character";
    EXPECT_EQ(seven.warning.value().code, "CHARSET_FAILED");

    EXPECT_EQ(to_utf8("\x1B$B;3\x1B(B", "~ISO IR87").warning.value().code, "CHARSET_FAILED") << "no converter";
    EXPECT_EQ(with_iconv("\xFF\xFF", "GB 18030-2000").warning.value().code, "CHARSET_FAILED");
    EXPECT_EQ(with_iconv("\xFF", "UNICODE UTF-16").warning.value().code, "CHARSET_FAILED");
    EXPECT_EQ(with_iconv("\xFF", "UNICODE UTF-8").warning.value().code, "CHARSET_ASSUMED");
    EXPECT_EQ(with_iconv("\xFF", "").warning.value().code, "CHARSET_ASSUMED");
}

TEST(ToUtf8, TheOverrideOfTheSenderComesFirst) {
    EXPECT_EQ(with_iconv("\xA1", "8859/1", "8859/2").text, "Ą");
    EXPECT_EQ(with_iconv("\xC3\xA9", "UNICODE UTF-8", "8859/1").text, "Ã©") << "valid UTF-8, but the sender says not";
    EXPECT_EQ(with_iconv("\x80", "", "WINDOWS-1252").text, "€");
    EXPECT_FALSE(with_iconv("\x80", "", "WINDOWS-1252").warning);
    EXPECT_EQ(with_iconv("\xC1", "", "KOI8-R").text, "а") << "a name of iconv only";
    EXPECT_EQ(with_iconv("M\xFCller", "8859/1", "UTF-8").text, "Müller") << "does not fit, so MSH-18 counts";
    EXPECT_EQ(with_iconv("M\xFCller", "8859/1", "UTF-8").warning.value().code, "CHARSET_FAILED");
    EXPECT_EQ(with_iconv("x", "", "KLINGON").warning.value().code, "CHARSET_FAILED");
    EXPECT_EQ(with_iconv("x", "", "UTF-16LE").warning.value().code, "CHARSET_FAILED");
    EXPECT_EQ(with_iconv("MSH|^~\\&|\r", "", "EBCDIC-US").text, "MSH|^~\\&|\r") << "moves the delimiters";
    EXPECT_EQ(to_utf8("M\xFCller", "", nullptr, "8859/1").text, "Müller") << "built in";
}

TEST(ToUtf8, NamesTheEncodingUsed) {
    EXPECT_EQ(with_iconv("x", "8859/1").encoding, "UTF-8");
    EXPECT_EQ(with_iconv("\xE9", "8859/1").encoding, "ISO-8859-1");
    EXPECT_EQ(with_iconv("\xE9", "").encoding, "CP1252");
}

TEST(ConvertCharset, LeavesTheTextAloneWhenItFails) {
    std::string out = "kept";
    EXPECT_FALSE(convert_charset("UTF-8", "\xFF", &kIconv, out));
    EXPECT_FALSE(convert_charset("US-ASCII", "\xFF", &kIconv, out));
    EXPECT_FALSE(convert_charset("GB18030", "\xFF", &kIconv, out));
    EXPECT_FALSE(convert_charset("GB18030", "x", nullptr, out));
    const CharsetConverter liar{[](void*, std::string_view, std::string_view, std::string& text) {
                                    text += "\xFF";
                                    return true;
                                },
                                nullptr};
    EXPECT_FALSE(convert_charset("GB18030", "x", &liar, out));
    EXPECT_EQ(out, "kept");
    EXPECT_TRUE(convert_charset("ISO-8859-15", "\xA4", nullptr, out));
    EXPECT_EQ(out, "kept€");
}

} // namespace
} // namespace radscheduler
