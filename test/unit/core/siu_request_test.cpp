// Requests (SRM): ARQ read as the schedule it asks for, ARQ-11 as ranges, APR as preferences.
#include "support.hpp"

#include <gtest/gtest.h>

namespace radscheduler {
namespace {

nlohmann::json request(const std::string& segments, const SiuOptions& options = {}) {
    return test::read_json("MSH|^~\\&|A|B|C|D|20310101||SRM^S01^SRM_S01|1|P|2.5.1\r" + segments, options);
}

// ARQ with values by field number.
std::string arq(std::initializer_list<std::pair<std::size_t, const char*>> values) {
    std::string text = "ARQ";
    std::size_t field = 0;
    for (const auto& [number, value] : values) {
        text += std::string(number - field, '|') + value;
        field = number;
    }
    return text + "\r";
}

TEST(SiuRequest, EveryField) {
    const auto reading = request(
        arq({{1, "P7^EHR"},
             {2, "F7^RIS"},
             {3, "2"},
             {4, "G7"},
             {6, "^move"},
             {7, "R1^headache"},
             {8, "EXAM"},
             {9, "30"},
             {10, "MIN"},
             {11, "20310702100000"},
             {12, "S"},
             {15, "5^CLERK^ANN"},
             {19, "6^TYPIST^TOM"},
             {22, "PP"},
             {23, "PF"},
             {24, "O7~O8"},
             {25, "A7"}}) +
        "APR|MON^NO~PREFSTART^0800AM|SCANNER^MR1|ROOM^9|15|OVR^bleeding\rNTE|1||call first\rPID|1||77||Doe^Jane\r"
        "RGS|1|A\rAIS|1|A|MRI001^MRI BRAIN\rAIG|1|A|MR1\r");
    EXPECT_EQ(reading.at("schedule"),
              nlohmann::json::parse(R"({"placer_id":"P7","placer_namespace":"EHR","filler_id":"F7",
        "filler_namespace":"RIS","occurrence":"2","visit_group":"G7","event_reason":{"text":"move"},
        "reason":{"code":"R1","text":"headache"},"type":{"code":"EXAM"},"starts_at":"2031-07-02T10:00:00",
        "ends_at":"2031-07-02T10:30:00","duration_minutes":30,"priority":"S","placer_orders":["O7","O8"],
        "filler_orders":["A7"],"parent_placer_id":"PP","parent_filler_id":"PF","modality_words":["EXAM"],
        "placer_contact":"Ann Clerk","entered_by":"Tom Typist","notes":"call first"})"));
    EXPECT_EQ(reading.at("request"),
              nlohmann::json::parse(R"({"windows":[{"path":"ARQ-11.1","from":"2031-07-02T10:00:00"}],
        "times":[{"name":"MON","value":"NO"},{"name":"PREFSTART","value":"0800AM"}],
        "resources":[{"name":"SCANNER","value":"MR1"}],"locations":[{"name":"ROOM","value":"9"}],
        "overrides":[{"name":"OVR","value":"bleeding"}],"spacing_minutes":15})"));
    EXPECT_EQ(reading.at("services").at(0).at("code"), "MRI001");
    EXPECT_EQ(reading.at("resources").at(0).at("code"), "MR1");
    EXPECT_EQ(reading.at("patient").at("display"), "Jane Doe");
    EXPECT_FALSE(reading.contains("visit")) << "the clerk who asks refers nobody";
    EXPECT_TRUE(reading.at("warnings").empty()) << reading.at("warnings");
}

TEST(SiuRequest, RangeLeavesTheStartOpen) {
    const auto reading = request(arq({{1, "P"}, {11, "20310702100000^20310702120000~20310704"}}));
    EXPECT_FALSE(reading.at("schedule").contains("starts_at"));
    EXPECT_EQ(reading.at("request").at("windows"), nlohmann::json::parse(R"([
        {"path":"ARQ-11.1","from":"2031-07-02T10:00:00","until":"2031-07-02T12:00:00"},
        {"path":"ARQ-11[2].1","from":"2031-07-04"}])"));
}

TEST(SiuRequest, RangeWithEqualEndsIsAMoment) {
    const auto reading = request(arq({{1, "P"}, {11, "20310702100000^20310702100000"}}));
    EXPECT_EQ(reading.at("schedule").at("starts_at"), "2031-07-02T10:00:00");
}

TEST(SiuRequest, ReversedRangeHasNoEnd) {
    const auto reading = request(arq({{1, "P"}, {11, "20310702100000^20310701100000"}}));
    EXPECT_TRUE(test::has_warning(reading, "WINDOW_REVERSED", "ARQ-11.2"));
    EXPECT_EQ(reading.at("schedule").at("starts_at"), "2031-07-02T10:00:00");
}

TEST(SiuRequest, TimeOfTheExamIsTheStart) {
    const auto reading = request(arq({{1, "P"}, {9, "20"}, {10, "MIN"}}) + "RGS|1\rAIS|1|A|CT1|20310702110000\r");
    EXPECT_EQ(reading.at("schedule").at("starts_at"), "2031-07-02T11:00:00");
    EXPECT_EQ(reading.at("schedule").at("duration_minutes"), 20);
}

TEST(SiuRequest, OnePatientsNumberIsNeeded) {
    EXPECT_EQ(request("PID|1||77\r").at("error").at("path"), "ARQ");
    EXPECT_EQ(request(arq({{9, "30"}})).at("error").at("path"), "ARQ-1");
    EXPECT_FALSE(request(arq({{2, "7^RADSCHEDULER"}})).contains("error"));
}

TEST(SiuRequest, RemarksNameTheFieldsOfTheRequest) {
    const auto reading = request(arq({{1, "P"}, {9, "soon"}, {11, "20310702100000"}}));
    EXPECT_TRUE(test::has_warning(reading, "BAD_DURATION", "ARQ-9"));
    EXPECT_EQ(reading.at("warnings").at(0).at("text").get<std::string>().find("SCH"), std::string::npos);
    EXPECT_EQ(request(arq({{1, "P"}, {11, "20311302"}})).at("error").at("path"), "ARQ-11.1");
    SiuOptions strict;
    strict.lenient = false;
    EXPECT_EQ(request(arq({{1, "P"}, {9, "soon"}}), strict).at("error").at("path"), "ARQ-9");
}

TEST(SiuRequest, NoStatusIsReadFromARequest) {
    const auto reading = request(arq({{1, "P"}}) + "RGS|1\rAIS|1|A|CT1|||||||CANCELLED\r");
    EXPECT_FALSE(reading.at("schedule").contains("status"));
}

TEST(SiuRequest, ScheduleIsNoRequest) {
    EXPECT_FALSE(test::read_segments("ARQ|P\rSCH||7\r").contains("request"));
}

} // namespace
} // namespace radscheduler
