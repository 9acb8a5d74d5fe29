#include "support.hpp"

#include <gtest/gtest.h>

namespace radscheduler {
namespace {

nlohmann::json message(const std::string& type, const std::string& segments, const SiuOptions& options = {}) {
    return test::read_json("MSH|^~\\&|A|B|C|D|20310101||" + type + "|1|P|2.5\rPID|1||77||Doe^Jane\r" + segments,
                           options);
}

nlohmann::json orders(const std::string& segments) {
    return message("ORM^O01", segments).at("orders");
}

// OBR with values by field number.
std::string obr(std::initializer_list<std::pair<std::size_t, const char*>> values) {
    std::string text = "OBR";
    std::size_t field = 0;
    for (const auto& [number, value] : values) {
        text += std::string(number - field, '|') + value;
        field = number;
    }
    return text;
}

TEST(SiuOrders, EveryField) {
    const auto reading =
        message("ORM^O01", "PV1|1|O\rORC|NW|P7^EHR|F7^RIS|G7^EHR|SC||^^^203107011000^^S|||||5^WELBY^MARCUS\r" +
                               obr({{4, "CT2^CT CHEST"}, {18, "ACC7"}, {24, "CT"}, {31, "R05^COUGH"}}));
    EXPECT_EQ(reading.at("orders"),
              nlohmann::json::parse(R"([{"path":"ORC[1]","control":"NW","placer_id":"P7","filler_id":"F7",
        "group_id":"G7","status":"SC","code":"CT2","text":"CT CHEST","accession":"ACC7","modality":"CT","priority":"S",
        "wanted_at":"2031-07-01T10:00:00","ordered_by":"Marcus Welby","reason":"COUGH"}])"));
    EXPECT_EQ(reading.at("patient").at("display"), "Jane Doe");
    EXPECT_EQ(reading.at("visit").at("patient_class"), "O");
    EXPECT_TRUE(reading.at("warnings").empty());
}

TEST(SiuOrders, WhatOrcLeavesOutObrSays) {
    const auto found = orders(
        "ORC|NW\r" +
        obr({{2, "P8"}, {3, "F8"}, {4, "^^L^ALT8^OTHER"}, {16, "6^HOUSE^GREG"}, {27, "^^^20310702^^A"}, {31, "R05"}}));
    EXPECT_EQ(found,
              nlohmann::json::parse(R"([{"path":"ORC[1]","control":"NW","placer_id":"P8","filler_id":"F8","code":"ALT8",
        "text":"OTHER","priority":"A","wanted_at":"2031-07-02","ordered_by":"Greg House","reason":"R05"}])"));
    EXPECT_EQ(orders("ORC|NW\r" + obr({{36, "203107031000+0200"}}))[0].at("wanted_at"), "2031-07-03T10:00:00+02:00");
}

TEST(SiuOrders, ImagingOrder) {
    const auto reading = message("OMI^O23", "ORC|NW|P9||||||^^^203001010000^^R\rTQ1|1||||||203107041100||S\r" +
                                                obr({{4, "MR1^MR HEAD"}}) +
                                                "\rIPC|ACC9|RP9|1.2.3|SPS9|MR\rIPC|ACC10|RP9|1.2.4|SPS10|CT");
    const auto& order = reading.at("orders")[0];
    EXPECT_EQ(order.at("accession"), "ACC9");
    EXPECT_EQ(order.at("modality"), "MR");
    EXPECT_EQ(order.at("priority"), "S");
    EXPECT_EQ(order.at("wanted_at"), "2031-07-04T11:00:00");
}

TEST(SiuOrders, OneForEachCommonSegmentAndEachRequestWithout) {
    const auto found = orders("ORC|NW|P1\rOBR|1|||A\rORC|NW|P2\rOBR|2|||B\rORC|CA|P3");
    ASSERT_EQ(found.size(), 3U);
    EXPECT_EQ(found[1].at("path"), "ORC[2]");
    EXPECT_EQ(found[1].at("code"), "B");
    EXPECT_EQ(found[2], nlohmann::json::parse(R"({"path":"ORC[3]","control":"CA","placer_id":"P3"})"));
    const auto bare = orders("OBR|1|P1||A\rOBR|2|P2||B");
    ASSERT_EQ(bare.size(), 2U);
    EXPECT_EQ(bare[1], nlohmann::json::parse(R"({"path":"OBR[2]","placer_id":"P2","code":"B"})"));
}

TEST(SiuOrders, AFurtherRequestIsAnOrderOnlyWithANumberOfItsOwn) {
    const auto own = orders("ORC|NW|P1||G1||||||||5^WELBY^MARCUS\rOBR|1|P1||A\rOBR|2|P2||B");
    ASSERT_EQ(own.size(), 2U);
    EXPECT_EQ(own[1],
              nlohmann::json::parse(R"({"path":"OBR[2]","control":"NW","placer_id":"P2","group_id":"G1","code":"B",
        "ordered_by":"Marcus Welby"})"));
    const auto same = message("ORM^O01", "ORC|NW|P1\rOBR|1|P1||A\rOBR|2|P1||B");
    EXPECT_EQ(same.at("orders").size(), 1U);
    EXPECT_TRUE(test::has_warning(same, "EXTRA_SEGMENT", "OBR[2]"));
}

TEST(SiuOrders, NullIsSaidAndNothingIsNot) {
    const auto found = orders("ORC|XO|P1||\"\"|||\"\"\r" + obr({{24, "\"\""}, {36, "203107031000"}}));
    EXPECT_EQ(found, nlohmann::json::parse(
                         R"([{"path":"ORC[1]","control":"XO","placer_id":"P1","group_id":null,"modality":null,
        "priority":null,"wanted_at":null}])"));
}

TEST(SiuOrders, ATimeThatIsNoneGivesWayOrIsRefused) {
    const std::string segments = "ORC|NW|P1||||||||||\rTQ1|1||||||203102300900\r" + obr({{36, "203107031000"}});
    const auto lenient = message("ORM^O01", segments);
    EXPECT_EQ(lenient.at("orders")[0].at("wanted_at"), "2031-07-03T10:00:00");
    EXPECT_TRUE(test::has_warning(lenient, "BAD_TIME", "TQ1[1]-7"));
    const auto strict = message("ORM^O01", segments, {.lenient = false});
    EXPECT_EQ(strict.at("error").at("code"), "102");
    EXPECT_EQ(strict.at("error").at("path"), "TQ1[1]-7");
}

TEST(SiuOrders, OtherMessagesHaveNone) {
    EXPECT_FALSE(message("ADT^A08", "ORC|NW|P1").contains("orders"));
    EXPECT_FALSE(test::read_segments("SCH||1\rORC|NW|P1").contains("orders"));
    EXPECT_TRUE(message("ORM^O01", "").at("orders").empty());
}

} // namespace
} // namespace radscheduler
