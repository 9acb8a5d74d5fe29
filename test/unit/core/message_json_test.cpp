// The JSON form of a message, and that nothing is lost on the way there and back.
#include "radscheduler/message_json.hpp"

#include "radscheduler/charset.hpp"
#include "radscheduler/header.hpp"
#include "support.hpp"

#include <fstream>
#include <gtest/gtest.h>
#include <iterator>

namespace radscheduler {
namespace {

nlohmann::json json_of(std::string_view canonical) {
    return nlohmann::json::parse(message_json(*Message::open(canonical)));
}

Result<std::string> back(std::string_view json) {
    const nlohmann::json value = nlohmann::json::parse(json);
    return message_from_json(test::tokens_of(value));
}

// The whole message, and what every step of the way gives.
void expect_round_trip(std::string_view canonical) {
    const Result<Message> message = Message::open(canonical);
    ASSERT_TRUE(message);
    const std::string text = message_json(*message);
    ASSERT_TRUE(nlohmann::json::accept(text)) << text;
    const nlohmann::json value = nlohmann::json::parse(text);
    const Result<std::string> again = message_from_json(test::tokens_of(value));
    ASSERT_TRUE(again) << again.error().path << " " << again.error().text;
    EXPECT_EQ(*again, canonical);
}

nlohmann::json field_json(std::string_view field) {
    return json_of("MSH|^~\\&|A\rZZZ|" + std::string(field) + "\r")[1][1];
}

nlohmann::json extent(std::string_view canonical, std::string_view path) {
    JsonWriter writer;
    if (!write_extent_json(writer, *Message::open(canonical), *Path::parse_extent(path))) return "<absent>";
    return nlohmann::json::parse(writer.take());
}

TEST(MessageJson, IndexesAreFieldNumbers) {
    const nlohmann::json value = json_of("MSH|^~\\&|A||C\rPID|1||7^^^H^MR~8\r");
    EXPECT_EQ(value.size(), 2U);
    EXPECT_EQ(value[0], nlohmann::json::parse(R"(["MSH","|","^~\\&","A","","C"])"));
    EXPECT_EQ(value[1], nlohmann::json::parse(R"(["PID","1","",[["7","","","H","MR"],"8"]])"));
}

TEST(MessageJson, DepthTellsTheLevel) {
    EXPECT_EQ(field_json("x"), "x");
    EXPECT_EQ(field_json("x~y"), nlohmann::json::parse(R"(["x","y"])"));
    EXPECT_EQ(field_json("x^y"), nlohmann::json::parse(R"([["x","y"]])"));
    EXPECT_EQ(field_json("x&y"), nlohmann::json::parse(R"([[["x","y"]]])"));
    EXPECT_EQ(field_json("x^y~z"), nlohmann::json::parse(R"([["x","y"],"z"])"));
    EXPECT_EQ(field_json("a^b&c~~"), nlohmann::json::parse(R"([["a",["b","c"]],"",""])"));
}

TEST(MessageJson, LeavesAreDecodedAndSpellingsKept) {
    EXPECT_EQ(field_json("a\\F\\b"), "a|b");
    EXPECT_EQ(field_json("\"\""), nullptr);
    EXPECT_EQ(field_json("\"\"^x"), nlohmann::json::parse(R"([[null,"x"]])"));
    EXPECT_EQ(field_json("a\\X7C\\b"), nlohmann::json::parse(R"({"text":"a|b","raw":"a\\X7C\\b"})"));
    EXPECT_EQ(field_json("lone \\ here"), nlohmann::json::parse(R"({"text":"lone \\ here","raw":"lone \\ here"})"));
}

TEST(MessageJson, RoundTrips) {
    for (const char* segments :
         {"PID|1||7^^^H^MR~8||DOE^J\\T\\R&X^^\r", "NTE|1||\\.br\\a\\X0A\\\\Z99\\ lone \\ \\E\\\r", "ZZZ\r", "ZZZ|\r",
          "|\r", "|||\r", "garbage without separators\r", "PID|\"\"|\"\"^\"\"|\" \"\r", "MSH\rMSH|\r",
          "MSH|^~\\&|B|C\r", "BTS|1\rFTS|1\r", "NTE|1||tab\there\r", "NTE|1||&&&^^^~~~\r", "N^T&E|x\r"}) {
        expect_round_trip(std::string(test::kHeader) + segments);
    }
    expect_round_trip("MSH*+!\\@*A+B\rPID*1**a+b!c@d*|^~&\r");
    expect_round_trip("MSH|^~|A\rPID|1||a\\F\\b&c\r");
    expect_round_trip("MSH|^~&|A\rPID|1||a\\F\\b&c~d^e\r");
    expect_round_trip("MSH|^~\\&#|A\rPID|x#y|x\\P\\y\r");
    expect_round_trip("FHS|^~\\&|A\rBHS|^~\\&|A\rMSH|^~\\&|A\rBTS|1\rFTS|1\r");
    expect_round_trip("MSH|^~\\&\r");
}

TEST(MessageJson, WhatAPathNames) {
    constexpr std::string_view m = "MSH|^~\\&|A\rPID|1||7^^^H&1^MR~8||DOE\rOBX|1|a\rOBX|2|b~c\rOBX|3\r";
    EXPECT_EQ(extent(m, "PID-3"), nlohmann::json::parse(R"([["7","","",["H","1"],"MR"],"8"])"));
    EXPECT_EQ(extent(m, "PID-3[1]"), nlohmann::json::parse(R"(["7","","",["H","1"],"MR"])"));
    EXPECT_EQ(extent(m, "PID-3[2]"), "8");
    EXPECT_EQ(extent(m, "PID-3.4"), nlohmann::json::parse(R"(["H","1"])"));
    EXPECT_EQ(extent(m, "PID-3.4.2"), "1");
    EXPECT_EQ(extent(m, "PID-3[*].1"), nlohmann::json::parse(R"(["7","8"])"));
    EXPECT_EQ(extent(m, "PID-4"), "");
    EXPECT_EQ(extent(m, "PID-9"), "<absent>");
    EXPECT_EQ(extent(m, "OBX[*]-2"), nlohmann::json::parse(R"(["a",["b","c"]])"));
    EXPECT_EQ(extent(m, "OBX[*]-2[*]"), nlohmann::json::parse(R"(["a","b","c"])"));
    EXPECT_EQ(extent(m, "NTE[*]-2"), nlohmann::json::array());
    EXPECT_EQ(extent(m, "OBX[2]"), nlohmann::json::parse(R"(["OBX","2",["b","c"]])"));
    EXPECT_EQ(extent(m, "OBX[*]")[2], nlohmann::json::parse(R"(["OBX","3"])"));
    EXPECT_EQ(extent(m, "MSH-2"), "^~\\&");
    EXPECT_EQ(extent(m, "MSH"), nlohmann::json::parse(R"(["MSH","|","^~\\&","A"])"));
}

TEST(MessageFromJson, NumbersNullsAndSpellings) {
    EXPECT_EQ(*back(R"([["MSH","|","^~\\&","A"],["PID",1,null,[["a|b",{"text":"x"}],{"raw":"\\X41\\","text":"A"}]]])"),
              "MSH|^~\\&|A\rPID|12|\"\"|a\\F\\b^x~\\X41\\\r");
    EXPECT_EQ(*back(R"([["MSH","|","^~\\&"],["NTE","two\nlines"]])"), "MSH|^~\\&\rNTE|two\\.br\\lines\r");
}

TEST(MessageFromJson, RefusalsNameThePlace) {
    const auto refused = [](std::string_view json) {
        const Result<std::string> result = back(json);
        return result ? "accepted" : result.error().path;
    };
    EXPECT_EQ(refused(R"("x")"), "");
    EXPECT_EQ(refused(R"([])"), "");
    EXPECT_EQ(refused(R"([["PID","1"]])"), "[0][1]");
    EXPECT_EQ(refused(R"([["MSH","|"]])"), "[0][2]");
    EXPECT_EQ(refused(R"([["MSH","||","^~\\&"]])"), "[0][2]");
    EXPECT_EQ(refused(R"([["MSH","|","^^"]])"), "[0][3]");
    EXPECT_EQ(refused(R"([["MSH","|","^~\\&"],["PID",true]])"), "[1][1]");
    EXPECT_EQ(refused(R"([["MSH","|","^~\\&"],["PID",{"raw":"a|b"}]])"), "[1][2]");
    EXPECT_EQ(refused(R"([["MSH","|","^~\\&"],["PID",{"txt":"a"}]])"), "[1][1]");
    EXPECT_EQ(refused(R"([["MSH","|","^~\\&"],["PID",{"text":"a","raw":"\\X42\\"}]])"), "[1][1]");
    EXPECT_EQ(refused(R"([["MSH","|","^~\\&"],["PID",[[[[ "x" ]]]]]])"), "[1][1][0][0][0]");
    EXPECT_EQ(refused(R"([["MSH","|","^~\\&"],"PID"])"), "[1]");
    EXPECT_EQ(refused(R"([["MSH","|","^~\\&"],[["PID"]]])"), "[1][0]");
    EXPECT_EQ(refused(R"([["MSH","|","^~"],["PID",[[["a","b"]]]]])"), "[1][1][0][0][2]");
}

TEST(MessageFromJson, GivesCanonicalTextOnly) {
    for (const char* segments : {R"([""])", R"([" "])", R"(["\u000b"])", R"(["NTE",{"raw":"a\u001c"}])"}) {
        const Result<std::string> result = back(R"([["MSH","|","^~\\&"],)" + std::string(segments) + "]");
        ASSERT_FALSE(result) << segments;
        EXPECT_EQ(result.error().code, ErrorCode::bad_json);
    }
    EXPECT_TRUE(back(R"([["MSH","|","^~\\&"],["NTE",{"raw":"a\u001c"}],["NTE"]])"));
}

TEST(MessageJson, EveryMessageOfTheCorpusRoundTrips) {
    const auto folder = test::beside_repository("RADSCHED_CORPUS", "shared/corpus");
    if (!folder) GTEST_SKIP() << "No corpus here; set RADSCHED_CORPUS to a folder of .hl7 files.";
    int trips = 0;
    for (const auto& entry : std::filesystem::directory_iterator(*folder)) {
        if (entry.path().extension() != ".hl7") continue;
        std::ifstream file(entry.path(), std::ios::binary);
        const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
        const Result<std::string> canonical = normalize(bytes);
        if (!canonical || !Message::open(*canonical)) continue;
        SCOPED_TRACE(entry.path().filename().string());
        expect_round_trip(to_utf8(*canonical, header_field(*Message::open(*canonical), 18)).text);
        ++trips;
    }
    EXPECT_GT(trips, 0);
}

} // namespace
} // namespace radscheduler
