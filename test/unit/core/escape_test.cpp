#include "radscheduler/escape.hpp"

#include "radscheduler/charset.hpp"

#include <gtest/gtest.h>
#include <random>

namespace radscheduler {
namespace {

const Delimiters kUsual;

std::string decoded(std::string_view raw) {
    return decode(raw, kUsual);
}

TEST(Decode, Delimiters) {
    EXPECT_EQ(decoded("a\\F\\b"), "a|b");
    EXPECT_EQ(decoded("a\\S\\b"), "a^b");
    EXPECT_EQ(decoded("a\\T\\b"), "a&b");
    EXPECT_EQ(decoded("a\\R\\b"), "a~b");
    EXPECT_EQ(decoded("a\\E\\b"), "a\\b");
}

TEST(Decode, OnceOnly) {
    EXPECT_EQ(decoded("\\E\\F\\E\\"), "\\F\\");
    EXPECT_EQ(decoded("\\E\\T\\E\\"), "\\T\\");
}

TEST(Decode, HexIsBytes) {
    EXPECT_EQ(decoded("\\X0D0A\\"), "\r\n");
    EXPECT_EQ(decoded("4/21 mc\\X0A\\4/27"), "4/21 mc\n4/27");
    EXPECT_EQ(decoded("\\XC3A9\\"), "\xC3\xA9");
    EXPECT_EQ(decoded("\\Xc3a9\\"), "\xC3\xA9");
    EXPECT_EQ(decoded("\\X7C\\"), "|");
}

TEST(Decode, HexThatGivesNoTextIsKept) {
    EXPECT_EQ(decoded("\\X0\\"), "\\X0\\");
    EXPECT_EQ(decoded("\\XZZ\\"), "\\XZZ\\");
    EXPECT_EQ(decoded("\\X\\"), "\\X\\");
    EXPECT_EQ(decoded("\\X00\\"), "\\X00\\");
    EXPECT_EQ(decoded("\\X4100\\"), "\\X4100\\");
    EXPECT_EQ(decoded("\\XC3\\\\XA9\\"), "\\XC3\\\\XA9\\");
    EXPECT_EQ(decoded("\\XFF\\"), "\\XFF\\");
}

TEST(Decode, LineBreak) {
    EXPECT_EQ(decoded("a\\.br\\b"), "a\nb");
}

TEST(Decode, EverythingElseIsKept) {
    for (const char* raw :
         {"a\\.sp2\\b", "\\H\\hot\\N\\", "\\C1B2842\\", "\\M1B2442\\", "\\Z99\\", "BSV 4\\5 re.",
          "CT leg \\auth pending- cmw", "fracture noted\\", "\\Z", "a\\\\b", "a\\f\\b", "\\P\\", "\\"}) {
        EXPECT_EQ(decoded(raw), raw);
    }
}

TEST(Decode, AStrayBackslashDoesNotSwallowTheNextEscape) {
    EXPECT_EQ(decoded("BSV 4\\5 re. \\F\\ x"), "BSV 4\\5 re. | x");
}

TEST(Decode, AnEscapeNeverReachesOverADelimiter) {
    EXPECT_EQ(decoded("\\Z|next\\"), "\\Z|next\\");
    EXPECT_EQ(decoded("\\^F\\F\\"), "\\^F|");
    EXPECT_EQ(decoded("1^\\E\\^^X"), "1^\\^^X");
}

TEST(Decode, UsesTheDelimitersOfTheMessage) {
    const Delimiters own = *Delimiters::read("MSH|*+!@|");
    EXPECT_EQ(decode("x!S!y!T!z!E!", own), "x*y@z!");
    EXPECT_EQ(decode("x\\S\\y", own), "x\\S\\y");
    const Delimiters none = *Delimiters::read("MSH|^~|");
    EXPECT_EQ(decode("a\\F\\b", none), "a\\F\\b");
    const Delimiters truncating = *Delimiters::read("MSH|^~\\&#|");
    EXPECT_EQ(decode("x\\P\\y", truncating), "x#y");
    const Delimiters no_subcomponent = *Delimiters::read("MSH|^~\\|");
    EXPECT_EQ(decode("x\\T\\y", no_subcomponent), "x\\T\\y");
}

TEST(Decode, AppendsToABuffer) {
    std::string buffer = "kept:";
    decode_to(buffer, "a\\F\\b", kUsual);
    EXPECT_EQ(buffer, "kept:a|b");
}

TEST(Escape, WritesWhatCannotStandInAField) {
    EXPECT_EQ(escape("a|b^c~d&e\\f", kUsual), "a\\F\\b\\S\\c\\R\\d\\T\\e\\E\\f");
    EXPECT_EQ(escape("two\nlines\r\x1C", kUsual), "two\\.br\\lines\\X0D\\\\X1C\\");
    EXPECT_EQ(escape("tab\tstays", kUsual), "tab\tstays");
    EXPECT_EQ(escape("\"\"", kUsual), "\\X22\\\\X22\\");
}

TEST(Escape, WithoutAnEscapeCharacterNothingCanBreakTheStructure) {
    const Delimiters none = *Delimiters::read("MSH|^~|");
    EXPECT_EQ(escape("a|b^c~d\re", none), "a b c d e");
}

// Random text over an alphabet that is rich in trouble.
std::string random_text(std::mt19937& random) {
    static const char* const kPieces[] = {
        "a",    "Z", "F", "S", "T", "R",  "E",    "X",        "0D",           ".br",
        "|",    "^", "~", "&", "#", "\\", "\"\"", "\n",       "\r",           "\t",
        "\x1C", " ", "!", "*", "@", ".",  "+",    "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    std::uniform_int_distribution<std::size_t> piece(0, std::size(kPieces) - 1);
    std::uniform_int_distribution<int> length(0, 24);
    std::string text;
    for (int i = length(random); i > 0; --i)
        text += kPieces[piece(random)];
    return text;
}

TEST(Escape, RoundTripsForEverySetOfDelimiters) {
    std::mt19937 random(20260101);
    const Delimiters sets[] = {kUsual, *Delimiters::read("MSH|^~\\&#|"), *Delimiters::read("MSH$%*@!$"),
                               *Delimiters::read("MSH|^~\\|"), *Delimiters::read("MSH|.+*~|")};
    for (const Delimiters& delimiters : sets) {
        for (int i = 0; i < 20000; ++i) {
            const std::string text = random_text(random);
            const std::string escaped = escape(text, delimiters);
            ASSERT_EQ(decode(escaped, delimiters), text) << "escaped: " << escaped;
            for (const char c : escaped) {
                ASSERT_FALSE(c != delimiters.escape && delimiters.separates(c)) << escaped;
                ASSERT_TRUE(static_cast<unsigned char>(c) >= 0x20 || c == '\t') << escaped;
            }
        }
    }
}

TEST(Decode, NeverMakesBadText) {
    std::mt19937 random(20260102);
    static const char kAlphabet[] = "\\\\\\\\XFSTRE0123456789ABCDEFabc.br |^~&";
    std::uniform_int_distribution<std::size_t> pick(0, sizeof kAlphabet - 2);
    for (int i = 0; i < 50000; ++i) {
        std::string raw;
        for (int j = 0; j < 24; ++j)
            raw.push_back(kAlphabet[pick(random)]);
        const std::string text = decode(raw, kUsual);
        ASSERT_TRUE(is_valid_utf8(text)) << raw;
        ASSERT_EQ(text.find('\0'), std::string::npos) << raw;
    }
}

} // namespace
} // namespace radscheduler
