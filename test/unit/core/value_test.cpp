#include "radscheduler/value.hpp"

#include "radscheduler/escape.hpp"
#include "support.hpp"

#include <gtest/gtest.h>

namespace radscheduler {
namespace {

// "<ABSENT>", "<EMPTY>", "<HL7NULL>" or the decoded value: the notation of the case tables.
std::string read(std::string_view bytes, std::string_view path) {
    const test::Opened opened = test::open(bytes);
    const Result<Path> parsed = Path::parse(path);
    if (!opened.message || !parsed) return "<FAILED>";
    const Value value = get(*opened.message, *parsed);
    switch (value.state) {
    case State::absent:
        return "<ABSENT>";
    case State::empty:
        return "<EMPTY>";
    case State::null:
        return "<HL7NULL>";
    case State::value:
        return decode(value.raw, opened.message->delimiters());
    }
    return "<FAILED>";
}

std::string field(std::string_view segments, std::string_view path) {
    return read(test::with_header(segments), path);
}

std::string raw(std::string_view segments, std::string_view path) {
    const test::Opened opened = test::open(test::with_header(segments));
    return std::string(get_raw(*opened.message, *Path::parse(path)).raw);
}

std::string all(std::string_view segments, std::string_view path) {
    const test::Opened opened = test::open(test::with_header(segments));
    std::string joined;
    for (const Value& value : get_all(*opened.message, *Path::parse(path))) {
        joined += value.state == State::absent ? "<ABSENT>;" : std::string(value.raw) + ";";
    }
    return joined;
}

TEST(Value, HeaderFieldsCountFromTheSeparator) {
    EXPECT_EQ(field("", "MSH-1"), "|");
    EXPECT_EQ(field("", "MSH-2"), "^~\\&");
    EXPECT_EQ(field("", "MSH-3"), "A");
    EXPECT_EQ(field("", "MSH-9.2"), "S12");
    EXPECT_EQ(field("", "MSH.9.3"), "SIU_S12");
    EXPECT_EQ(field("", "MSH-20"), "<ABSENT>");
    EXPECT_EQ(read("MSH|^~\\&\r", "MSH-2"), "^~\\&");
    EXPECT_EQ(read("MSH|^~\\&|A|B", "MSH-4"), "B");
}

TEST(Value, SeparatorFieldsAreLeaves) {
    EXPECT_EQ(field("", "MSH-1.1"), "|");
    EXPECT_EQ(field("", "MSH-2.1.1"), "^~\\&");
    EXPECT_EQ(field("", "MSH-2.2"), "<ABSENT>");
    EXPECT_EQ(field("", "MSH-2[2]"), "<ABSENT>");
    EXPECT_EQ(read("FHS|^~\\&|X\rMSH|^~\\&|A", "FHS-3"), "X");
}

TEST(Value, DefaultsAreTheFirstOfEverything) {
    const char* const list = "PID|1||12345^^^H^MR~999^^^SS^SS";
    EXPECT_EQ(field(list, "PID-3"), "12345");
    EXPECT_EQ(field(list, "PID-3[2].1"), "999");
    EXPECT_EQ(field(list, "PID-3[3].1"), "<ABSENT>");
    EXPECT_EQ(field("PID|1||a^b&c^d", "PID-3.2"), "b");
    EXPECT_EQ(field("PID|1||a^b&c^d", "PID-3.2.2"), "c");
    EXPECT_EQ(field("PID|1||7\rPID|2||8", "PID[2]-3"), "8");
    EXPECT_EQ(field("NTE|1||a\rNTE|2||b", "NTE-3"), "a");
    EXPECT_EQ(field("OBX|1|NM|x||98.6&F", "OBX-5"), "98.6");
}

TEST(Value, OverqualifiedPathGivesTheLeaf) {
    EXPECT_EQ(field("PID|1||Field1", "PID-3.1.1"), "Field1");
    EXPECT_EQ(field("PID|1||Field1", "PID-3.2"), "<ABSENT>");
    EXPECT_EQ(field("PID|1||Field1", "PID-3.1.2"), "<ABSENT>");
}

TEST(Value, FourStates) {
    EXPECT_EQ(field("", "PID-3"), "<ABSENT>");
    EXPECT_EQ(field("PID|1", "PID-2"), "<ABSENT>");
    EXPECT_EQ(field("PID|1||3", "PID-2"), "<EMPTY>");
    EXPECT_EQ(field("PID|1|\"\"|3", "PID-2"), "<HL7NULL>");
    EXPECT_EQ(field("PID|1||\"\"^x", "PID-3.1"), "<HL7NULL>");
    EXPECT_EQ(field("PID|1||^^^", "PID-3.2"), "<EMPTY>");
    EXPECT_EQ(field("PID|1||~~x", "PID-3[1]"), "<EMPTY>");
    EXPECT_EQ(field("PID|1||~~x", "PID-3[3]"), "x");
    EXPECT_EQ(field("PID|1|\" \"|", "PID-2"), "\" \"");
    EXPECT_EQ(field("PID|1||\\\"\\\"", "PID-3"), "\\\"\\\"");
}

TEST(Value, DelimitersOfTheMessageCount) {
    EXPECT_EQ(read("MSH$%~\\&$A$B$C$D$20260101$$SIU%S12$M1$P$2.5\rPID$1$$7%%%X", "PID-3.4"), "X");
    EXPECT_EQ(read("MSH|^~\\&|A\rPID|1||$%#", "PID-3"), "$%#");
    EXPECT_EQ(read("MSH|*+!@|A\rPID|1||7***H+8***I", "PID-3[2].4"), "I");
    EXPECT_EQ(read("MSH^|~\\&^A^B^C^D^20260101^^SIU|S12^M1", "MSH-9.2"), "S12");
    EXPECT_EQ(read("MSH|^~|A|B\rPID|1||a\\F\\b&c", "PID-3"), "a\\F\\b&c");
    EXPECT_EQ(read("MSH|^~\\&#|A\rPID|1||x#y", "PID-3"), "x#y");
}

TEST(Value, WideAndLongSegments) {
    EXPECT_EQ(field("PID" + std::string(400, '|') + "z", "PID-400"), "z");
    EXPECT_EQ(field("PID" + std::string(400, '|') + "z", "PID-401"), "<ABSENT>");
    const std::string big(200000, 'Q');
    EXPECT_EQ(field("OBX|1|ED|P||^application^pdf^Base64^" + big, "OBX-5.5"), big);
}

TEST(Value, BlanksAreData) {
    EXPECT_EQ(field("PID|1||7||  Doe ^J", "PID-5.1"), "  Doe ");
}

TEST(RawValue, IsTheExtentThatThePathNames) {
    const char* const list = "PID|1||12345^^^H&1.2&ISO^MR~999^^^SS^SS";
    EXPECT_EQ(raw(list, "PID-3"), "12345^^^H&1.2&ISO^MR~999^^^SS^SS");
    EXPECT_EQ(raw(list, "PID-3[*]"), "12345^^^H&1.2&ISO^MR~999^^^SS^SS");
    EXPECT_EQ(raw(list, "PID-3[1]"), "12345^^^H&1.2&ISO^MR");
    EXPECT_EQ(raw(list, "PID-3.4"), "H&1.2&ISO");
    EXPECT_EQ(raw(list, "PID-3.4.2"), "1.2");
    EXPECT_EQ(raw("OBX|1|NM|x||98.6&F", "OBX-5"), "98.6&F");
    EXPECT_EQ(raw("", "MSH-2"), "^~\\&");
    EXPECT_EQ(get_raw(*test::open(test::with_header("PID|1")).message, *Path::parse("PID-3")).state, State::absent);
}

TEST(AllValues, OfRepetitionsAndSegments) {
    EXPECT_EQ(all("PID|1||a^1~b^2~~c", "PID-3[*]"), "a;b;;c;");
    EXPECT_EQ(all("PID|1||a^1~b^2", "PID-3[*].2"), "1;2;");
    EXPECT_EQ(all("PID|1||a~b", "PID-3[2]"), "b;");
    EXPECT_EQ(all("PID|1|", "PID-3[*]"), "");
    EXPECT_EQ(all("PID|1||", "PID-3[*]"), "");
    EXPECT_EQ(all("NTE|1||a\rNTE|2\rNTE|3||c", "NTE[*]-3"), "a;<ABSENT>;c;");
    EXPECT_EQ(all("NTE|1||a~b\rNTE|2\rNTE|3||c", "NTE[*]-3[*]"), "a;b;c;");
    EXPECT_EQ(all("", "NTE[*]-3"), "");
    EXPECT_EQ(all("", "NTE-3"), "");
}

TEST(ManyValues, GiveWhatSingleReadsGive) {
    const test::Opened opened = test::open(std::string(test::kSample) + "\rNTE|1||one\rNTE|2||two");
    const char* const texts[] = {"MSH-1", "MSH-9.2", "PID-5.2", "SCH-11.4", "AIS-3.2", "NTE[2]-3",
                                 "NTE-3", "ZZZ-1",   "PID-99",  "SCH-25",   "NTE[3]-3"};
    std::vector<Path> paths;
    for (const char* text : texts)
        paths.push_back(*Path::parse(text));
    std::vector<Value> values(paths.size());
    get_many(*opened.message, paths, values);
    for (std::size_t i = 0; i < paths.size(); ++i) {
        const Value single = get(*opened.message, paths[i]);
        EXPECT_EQ(values[i].state, single.state) << texts[i];
        EXPECT_EQ(values[i].raw, single.raw) << texts[i];
    }
}

TEST(TextValue, IsNothingUnlessThereIsAValue) {
    const test::Opened opened = test::open(test::with_header("PID|1|\"\"|a\\T\\b|"));
    EXPECT_EQ(get_text(*opened.message, *Path::parse("PID-3")), "a&b");
    EXPECT_EQ(get_text(*opened.message, *Path::parse("PID-2")), std::nullopt);
    EXPECT_EQ(get_text(*opened.message, *Path::parse("PID-4")), std::nullopt);
    EXPECT_EQ(get_text(*opened.message, *Path::parse("PID-9")), std::nullopt);
}

TEST(Value, StateNames) {
    EXPECT_EQ(state_name(State::absent), "absent");
    EXPECT_EQ(state_name(State::empty), "empty");
    EXPECT_EQ(state_name(State::null), "null");
    EXPECT_EQ(state_name(State::value), "value");
}

} // namespace
} // namespace radscheduler
