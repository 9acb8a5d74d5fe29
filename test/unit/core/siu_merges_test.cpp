#include "support.hpp"

#include <gtest/gtest.h>

namespace radscheduler {
namespace {

nlohmann::json adt(const std::string& event, const std::string& segments) {
    return test::read_json("MSH|^~\\&|A|B|C|D|20310101||ADT^" + event + "|1|P|2.5\r" + segments);
}

TEST(SiuMerges, TheMergedPatientGoesIntoTheOneBeforeIt) {
    for (const char* event : {"A18", "A30", "A34", "A40"}) {
        const auto reading = adt(event, "EVN|X\rPID|1||NEW7^^^NORTH^MR\rMRG|OLD7^^^NORTH^MR~99^^^&2.16&ISO^SS");
        EXPECT_EQ(reading.at("merges"), nlohmann::json::parse(R"([{
            "into": {"path": "PID[1]", "identifiers": [{"value": "NEW7", "authority": "NORTH", "type": "MR"}]},
            "from": {"path": "MRG[1]", "identifiers": [{"value": "OLD7", "authority": "NORTH", "type": "MR"},
                                                        {"value": "99", "authority": "2.16", "type": "SS"}]}}])"))
            << event;
        EXPECT_EQ(reading.at("patient").at("identifiers")[0].at("value"), "NEW7") << event;
        EXPECT_FALSE(reading.contains("schedule")) << event;
        EXPECT_TRUE(reading.at("warnings").empty()) << event;
    }
}

TEST(SiuMerges, PairsRepeatInOrder) {
    const auto reading = adt("A40", "PID|1||N1\rPD1|\rMRG|O1\rPV1|1|O\rPID|2||N2\rMRG|O2\rMRG|O3\rPV1|2|I");
    ASSERT_EQ(reading.at("merges").size(), 3U);
    const char* expected[][4] = {
        {"PID[1]", "N1", "MRG[1]", "O1"}, {"PID[2]", "N2", "MRG[2]", "O2"}, {"PID[2]", "N2", "MRG[3]", "O3"}};
    for (std::size_t i = 0; i < 3; ++i) {
        const auto& merge = reading.at("merges")[i];
        EXPECT_EQ(merge.at("into").at("path"), expected[i][0]);
        EXPECT_EQ(merge.at("into").at("identifiers")[0].at("value"), expected[i][1]);
        EXPECT_EQ(merge.at("from").at("path"), expected[i][2]);
        EXPECT_EQ(merge.at("from").at("identifiers")[0].at("value"), expected[i][3]);
    }
    EXPECT_EQ(reading.at("patient").at("identifiers")[0].at("value"), "N1");
    EXPECT_EQ(test::count_warnings(reading, "EXTRA_SEGMENT"), 0U);
}

TEST(SiuMerges, OldFieldsServeWhenTheListIsEmpty) {
    const auto from = [](const std::string& mrg) {
        return adt("A34", "PID|1||N1\r" + mrg).at("merges")[0].at("from").at("identifiers");
    };
    EXPECT_EQ(from("MRG||ALT1||EXT1"), nlohmann::json::parse(R"([{"value":"ALT1"}])"));
    EXPECT_EQ(from("MRG||||EXT1"), nlohmann::json::parse(R"([{"value":"EXT1"}])"));
    EXPECT_EQ(from("MRG|O1|ALT1||EXT1"), nlohmann::json::parse(R"([{"value":"O1"}])"));
    EXPECT_TRUE(from("MRG|\"\"").empty());
}

TEST(SiuMerges, AWordForNoneJoinsNobody) {
    const auto reading = adt("A40", "PID|1||N1~null\rMRG|O1~null");
    EXPECT_EQ(reading.at("merges")[0].at("into").at("identifiers").size(), 1U);
    EXPECT_EQ(reading.at("merges")[0].at("from").at("identifiers").size(), 1U);
    EXPECT_TRUE(test::has_warning(reading, "ID_PLACEHOLDER", "MRG[1]-1[2]"));
    EXPECT_EQ(test::count_warnings(reading, "ID_PLACEHOLDER"), 2U);
}

TEST(SiuMerges, WithoutAPartner) {
    EXPECT_TRUE(adt("A40", "PID|1||N1").at("merges").empty());
    const auto merges = adt("A40", "MRG|O1\rPID|1||N1").at("merges");
    ASSERT_EQ(merges.size(), 1U);
    EXPECT_TRUE(merges[0].at("into").at("identifiers").empty());
    EXPECT_FALSE(merges[0].at("into").contains("path"));
}

TEST(SiuMerges, OtherEventsHaveNone) {
    const auto reading = adt("A08", "PID|1||N1\rPID|2||N2\rMRG|O1");
    EXPECT_FALSE(reading.contains("merges"));
    EXPECT_TRUE(test::has_warning(reading, "EXTRA_SEGMENT", "PID[2]"));
    EXPECT_FALSE(test::read_segments("SCH||1\rPID|1||N1\rMRG|O1").contains("merges"));
}

TEST(SiuMerges, VisitNumbers) {
    const auto visit =
        adt("A04", "PID|1||N1\rPV1|1|E" + std::string(17, '|') + "V9" + std::string(31, '|') + "AV9").at("visit");
    EXPECT_EQ(visit, nlohmann::json::parse(R"({"patient_class":"E","visit_number":"V9","alternate_visit_id":"AV9"})"));
}

} // namespace
} // namespace radscheduler
