// Setting and removing places of a message.
#include "radscheduler/edit.hpp"

#include "radscheduler/value.hpp"

#include <gtest/gtest.h>

namespace radscheduler {
namespace {

constexpr std::string_view kHead = "MSH|^~\\&|A|B\r";

std::string outcome(const Result<std::string>& result) {
    if (!result) return "refused: " + result.error().path;
    const std::string& text = *result;
    EXPECT_TRUE(text.starts_with(kHead)) << text;
    return text.substr(kHead.size());
}

std::string set(std::string_view segments, std::string_view path, std::string_view text) {
    return outcome(set_text(std::string(kHead) + std::string(segments), *Path::parse(path), text));
}

std::string encoded(std::string_view segments, std::string_view path, std::string_view text) {
    return outcome(set_encoded(std::string(kHead) + std::string(segments), *Path::parse(path), text));
}

std::string removed(std::string_view segments, std::string_view path) {
    return outcome(remove_place(std::string(kHead) + std::string(segments), *Path::parse_extent(path)));
}

TEST(SetText, ReplacesOnePlaceAndNothingElse) {
    EXPECT_EQ(set("PID|1||7^^^H~8|x\r", "PID-3[1].4", "K"), "PID|1||7^^^K~8|x\r");
    EXPECT_EQ(set("PID|1||7^^^H~8|x\r", "PID-3.4", "K"), "PID|1||7^^^K~8|x\r");
    EXPECT_EQ(set("PID|1||7^^^H~8|x\r", "PID-3[2]", "9"), "PID|1||7^^^H~9|x\r");
    EXPECT_EQ(set("PID|1||7^^^H~8|x\r", "PID-3", "9"), "PID|1||9|x\r");
    EXPECT_EQ(set("PID|1||a^b&c^d\r", "PID-3.2.2", "C"), "PID|1||a^b&C^d\r");
    EXPECT_EQ(set("NTE|1||a\rNTE|2||b\r", "NTE[2]-3", "c"), "NTE|1||a\rNTE|2||c\r");
}

TEST(SetText, PadsWhatWasNotSent) {
    EXPECT_EQ(set("PID|1\r", "PID-5.2", "J"), "PID|1||||^J\r");
    EXPECT_EQ(set("PID|1||7\r", "PID-3[3].4.2", "x"), "PID|1||7~~^^^&x\r");
    EXPECT_EQ(set("PID\r", "PID-1", "1"), "PID|1\r");
}

TEST(SetText, AddsTheNextSegment) {
    EXPECT_EQ(set("PID|1\r", "NTE-3", "x"), "PID|1\rNTE|||x\r");
    EXPECT_EQ(set("NTE|1\r", "NTE[2]-1", "2"), "NTE|1\rNTE|2\r");
    EXPECT_EQ(set("NTE|1\r", "NTE[3]-1", "3"), "refused: NTE[3]-1");
    EXPECT_EQ(set("RGS|1\rAIS|1\rRGS|2\rAIS|1\r", "RGS[1]/AIL-3", "R1"), "RGS|1\rAIS|1\rAIL|||R1\rRGS|2\rAIS|1\r");
    EXPECT_EQ(set("RGS|1\rAIS|1\rRGS|2\rAIS|1\r", "RGS[2]/AIS-1", "9"), "RGS|1\rAIS|1\rRGS|2\rAIS|9\r");
    EXPECT_EQ(set("RGS|1\r", "RGS[2]/AIL-3", "R1"), "refused: RGS[2]/AIL-3");
    EXPECT_EQ(set("RGS|1\r", "RGS[*]/AIL-3", "R1"), "refused: RGS[*]/AIL-3");
}

TEST(SetText, EveryOne) {
    EXPECT_EQ(set("OBX|1|a\rNTE|1\rOBX|2|b\r", "OBX[*]-2", "c"), "OBX|1|c\rNTE|1\rOBX|2|c\r");
    EXPECT_EQ(set("PID|1||7^x~8~9^y\r", "PID-3[*].2", "z"), "PID|1||7^z~8^z~9^z\r");
    EXPECT_EQ(set("PID|1\r", "OBX[*]-2", "c"), "PID|1\r");
}

TEST(SetText, EveryRepetitionMeansThoseThatExist) {
    EXPECT_EQ(set("PID|1||\r", "PID-3[*].2", "z"), "PID|1||\r");
    EXPECT_EQ(set("PID|1\r", "PID-3[*]", "z"), "PID|1\r");
    EXPECT_EQ(set("PID|1\r", "NTE-3[*]", "z"), "PID|1\r");
    EXPECT_EQ(set("OBX|1\rOBX|2|a~b\r", "OBX[*]-2[*]", "c"), "OBX|1\rOBX|2|c~c\r");
}

TEST(SetText, AddsNothingThatWouldNotBeFoundThere) {
    EXPECT_EQ(set("AIS|1\rNTE|1\r", "AIS/AIL-3", "x"), "refused: AIS/AIL-3");
    EXPECT_EQ(set("RGS|1\r", "RGS/RGS[2]-1", "x"), "refused: RGS/RGS[2]-1");
    EXPECT_EQ(set("PID|1\r", "MSH[2]-3", "x"), "refused: MSH[2]-3");
    EXPECT_EQ(set("PID|1\r", "BHS-3", "x"), "refused: BHS-3");
}

TEST(SetText, RefusesAnEditThatMultipliesItsSize) {
    std::string segments;
    for (int i = 0; i < 2000; ++i)
        segments += "NTE\r";
    EXPECT_EQ(set(segments, "NTE[*]-99999", "x"), "refused: NTE[*]-99999");
    EXPECT_EQ(set(segments, "NTE[*]-1", std::string(60000, 'x')), "refused: NTE[*]-1");
    EXPECT_EQ(set(segments, "NTE[*]-2", "x").size(), 2000 * std::string("NTE||x\r").size());
}

TEST(SetText, EscapesAndNulls) {
    EXPECT_EQ(set("PID|1\r", "PID-2", "a|b^c~d&e\\f"), "PID|1|a\\F\\b\\S\\c\\R\\d\\T\\e\\E\\f\r");
    EXPECT_EQ(set("PID|1|x\r", "PID-2", "\"\""), "PID|1|\"\"\r");
    EXPECT_EQ(set("PID|1|x\r", "PID-2", ""), "PID|1|\r");
    EXPECT_EQ(set("NTE|1\r", "NTE-3", "two\nlines"), "NTE|1||two\\.br\\lines\r");
}

TEST(SetText, InTheMessagesOwnDelimiters) {
    const Result<std::string> result = set_text("MSH*+!\\@*A\rPID*1\r", *Path::parse("PID-3[2].2"), "a*b|c");
    EXPECT_EQ(*result, "MSH*+!\\@*A\rPID*1**!+a\\F\\b|c\r");
    EXPECT_FALSE(set_text("MSH|^~|A\rPID|1\r", *Path::parse("PID-3.1.2"), "x"));
}

TEST(SetEncoded, TakesWhatFitsThePlace) {
    EXPECT_EQ(encoded("PID|1\r", "PID-3", "7^^^H~8"), "PID|1||7^^^H~8\r");
    EXPECT_EQ(encoded("PID|1\r", "PID-3[1]", "7^^^H~8"), "refused: PID-3[1]");
    EXPECT_EQ(encoded("PID|1\r", "PID-3[1]", "7^^^H"), "PID|1||7^^^H\r");
    EXPECT_EQ(encoded("PID|1\r", "PID-3.1", "a^b"), "refused: PID-3.1");
    EXPECT_EQ(encoded("PID|1\r", "PID-3.1", "a&b"), "PID|1||a&b\r");
    EXPECT_EQ(encoded("PID|1\r", "PID-3.1.1", "a&b"), "refused: PID-3.1.1");
    EXPECT_EQ(encoded("PID|1\r", "PID-3", "a|b"), "refused: PID-3");
    EXPECT_EQ(encoded("PID|1\r", "PID-3", "a\rb"), "refused: PID-3");
}

TEST(SetEncoded, RefusesWhatTheTransportWouldTakeAway) {
    for (const char* value : {"a\x1C", "\x0B", "a\nb"})
        EXPECT_EQ(encoded("PID|1\r", "PID-3", value), "refused: PID-3");
    EXPECT_EQ(encoded("PID|1\r", "PID-3", std::string_view("a\0b", 3)), "refused: PID-3");
    EXPECT_EQ(set("PID|1\r", "PID-3", "a\x1C"), "PID|1||a\\X1C\\\r");
}

TEST(Edit, TheDelimitersStay) {
    EXPECT_EQ(set("", "MSH-1", "!"), "refused: MSH-1");
    EXPECT_EQ(set("", "MSH-2", "!"), "refused: MSH-2");
    EXPECT_EQ(removed("", "MSH-2"), "refused: MSH-2");
    EXPECT_EQ(removed("PID|1\r", "MSH"), "refused: MSH");
    EXPECT_EQ(*set_text(kHead, *Path::parse("MSH-10"), "ID"), "MSH|^~\\&|A|B||||||ID\r");
    EXPECT_EQ(*remove_place(kHead, *Path::parse("MSH-4")), "MSH|^~\\&|A\r");
    EXPECT_EQ(*remove_place("MSH|^~\\&|A\r", *Path::parse("MSH-3")), "MSH|^~\\&\r");
}

TEST(Remove, EmptiesAndCutsTheEnd) {
    EXPECT_EQ(removed("PID|1||7|x\r", "PID-3"), "PID|1|||x\r");
    EXPECT_EQ(removed("PID|1||7\r", "PID-3"), "PID|1\r");
    EXPECT_EQ(removed("PID|1||7^^^H|x\r", "PID-3.4"), "PID|1||7|x\r");
    EXPECT_EQ(removed("PID|1||7^^^H^M|x\r", "PID-3.4"), "PID|1||7^^^^M|x\r");
    EXPECT_EQ(removed("PID|1||a^b&c\r", "PID-3.2.2"), "PID|1||a^b\r");
    EXPECT_EQ(removed("PID|1||^x\r", "PID-3.2"), "PID|1\r");
    EXPECT_EQ(removed("PID|1||7|x|\r", "PID-3"), "PID|1|||x|\r");
}

TEST(Remove, RepetitionsMoveUp) {
    EXPECT_EQ(removed("PID|1||7~8~9|x\r", "PID-3[2]"), "PID|1||7~9|x\r");
    EXPECT_EQ(removed("PID|1||7~8~9|x\r", "PID-3[1]"), "PID|1||8~9|x\r");
    EXPECT_EQ(removed("PID|1||7~8|x\r", "PID-3[2]"), "PID|1||7|x\r");
    EXPECT_EQ(removed("PID|1||7~8|x\r", "PID-3[*]"), "PID|1|||x\r");
    EXPECT_EQ(removed("PID|1||7^a~8^b|x\r", "PID-3[*].2"), "PID|1||7~8|x\r");
}

TEST(Remove, Segments) {
    EXPECT_EQ(removed("NTE|1\rPID|1\rNTE|2\r", "NTE"), "PID|1\rNTE|2\r");
    EXPECT_EQ(removed("NTE|1\rPID|1\rNTE|2\r", "NTE[2]"), "NTE|1\rPID|1\r");
    EXPECT_EQ(removed("NTE|1\rPID|1\rNTE|2\r", "NTE[*]"), "PID|1\r");
    EXPECT_EQ(removed("RGS|1\rAIS|1\rRGS|2\rAIS|1\r", "RGS[2]/AIS"), "RGS|1\rAIS|1\rRGS|2\r");
}

TEST(Remove, WhatIsNotThereStaysSo) {
    for (const char* path : {"PID-9", "PID-3[4]", "PID-3.7", "PID-3.1.3", "ZZZ", "NTE[2]", "RGS[2]/AIS-3"})
        EXPECT_EQ(removed("PID|1||7^^^H~8|x|\rNTE|1\r", path), "PID|1||7^^^H~8|x|\rNTE|1\r") << path;
    for (const char* path : {"PID-3.2", "PID-3[2]", "PID-3[2].1", "PID-3.1.2", "PID-3[*].2"})
        EXPECT_EQ(removed("PID|1||\r", path), "PID|1||\r") << path;
}

TEST(Edit, RefusesWhatIsNoMessage) {
    EXPECT_EQ(set_text("PID|1\r", *Path::parse("PID-1"), "2").error().code, ErrorCode::no_header);
    EXPECT_EQ(remove_place("", *Path::parse("PID-1")).error().code, ErrorCode::empty_input);
    EXPECT_EQ(set_text(kHead, *Path::parse_extent("PID"), "2").error().code, ErrorCode::bad_edit);
}

} // namespace
} // namespace radscheduler
