#include "radscheduler/header.hpp"

#include "support.hpp"

#include <gtest/gtest.h>

namespace radscheduler {
namespace {

nlohmann::json header_of(std::string_view bytes) {
    return nlohmann::json::parse(header_json(*test::open(bytes).message));
}

TEST(Header, ReadsEveryField) {
    const auto header =
        header_of("MSH|^~\\&|APP^1.2^ISO|FAC|RAPP|^2.16.840^ISO|20240115100000+0100||SIU^S12^SIU_S12|ID1|T^A|"
                  "2.5.1^USA|42||AL|NE||8859/1~UNICODE UTF-8");
    EXPECT_EQ(header, (nlohmann::json{{"sending_application", "APP"},
                                      {"sending_facility", "FAC"},
                                      {"receiving_application", "RAPP"},
                                      {"receiving_facility", "2.16.840"},
                                      {"message_code", "SIU"},
                                      {"trigger_event", "S12"},
                                      {"structure", "SIU_S12"},
                                      {"control_id", "ID1"},
                                      {"processing_id", "T"},
                                      {"version", "2.5.1"},
                                      {"message_time", "2024-01-15T10:00:00+01:00"},
                                      {"sequence_number", 42},
                                      {"charset", {"8859/1", "UNICODE UTF-8"}},
                                      {"accept_ack", "AL"},
                                      {"application_ack", "NE"}}));
}

TEST(Header, LeavesOutWhatWasNotSent) {
    EXPECT_EQ(header_of("MSH|^~\\&"), nlohmann::json::object());
}

TEST(Header, UnreadableTimeIsARemark) {
    const auto reading = test::read_json("MSH|^~\\&|A|B|C|D|2010052711090000||ADT^A01|1|P|2.3");
    EXPECT_FALSE(reading.at("header").contains("message_time"));
    EXPECT_TRUE(test::has_warning(reading, "BAD_MESSAGE_TIME", "MSH-7"));
    EXPECT_FALSE(reading.contains("error"));
}

TEST(Header, TimeBeforeHl7IsARemark) {
    // What is older than every other message would never be applied, or undone by each.
    const auto reading = test::read_json("MSH|^~\\&|A|B|C|D|198912312359+0215||ADT^A01|1|P|2.3");
    EXPECT_FALSE(reading.at("header").contains("message_time"));
    EXPECT_TRUE(test::has_warning(reading, "BAD_MESSAGE_TIME", "MSH-7"));
    EXPECT_EQ(test::read_json("MSH|^~\\&|A|B|C|D|1990||ADT^A01|1|P|2.3").at("header").contains("message_time"), false);
    EXPECT_EQ(test::read_json("MSH|^~\\&|A|B|C|D|19900101||ADT^A01|1|P|2.3").at("header").at("message_time"),
              "1990-01-01");
}

TEST(Header, MissingSecurityFieldIsRepaired) {
    const char* const shifted = "MSH|^~\\&|A|B|C|D|20240115||" // the double separator of an empty MSH-8 is lost below
                                "SIU^S14|77|P|2.3";
    const std::string early = "MSH|^~\\&|A|B|C|D|20240115|SIU^S14|77|P|2.3||||||8859/1\rSCH||1";
    const auto reading = test::read_json(early);
    EXPECT_EQ(reading.at("header").at("message_code"), "SIU");
    EXPECT_EQ(reading.at("header").at("trigger_event"), "S14");
    EXPECT_EQ(reading.at("header").at("control_id"), "77");
    EXPECT_EQ(reading.at("header").at("version"), "2.3");
    EXPECT_TRUE(test::has_warning(reading, "REPAIR_MSH8_SHIFT", "MSH-8"));
    const test::Opened opened = test::open(early);
    EXPECT_EQ(header_field(*opened.message, 10), "77");
    EXPECT_EQ(header_field(*opened.message, 8), "");
    EXPECT_EQ(header_shift(*test::open(shifted).message), 0U);

    const auto strict = test::read_json(early, {.lenient = false});
    EXPECT_EQ(strict.at("error").at("path"), "MSH-8");
}

TEST(Header, SecurityFieldThatOnlyLooksOddIsLeftAlone) {
    const char* const odd = "MSH|^~\\&|REG^REG^|X|G|Z|2005|SI&U|SIU^S12|46|P|2.3";
    EXPECT_EQ(header_of(odd).at("message_code"), "SIU");
    EXPECT_EQ(header_of(odd).at("control_id"), "46");
}

TEST(Header, MissingControlIdIsAnError) {
    const auto reading = test::read_json("MSH|^~\\&|A|B|C|D|20240115||SIU^S12||P|2.5\rSCH||1");
    EXPECT_EQ(reading.at("error").at("code"), "101");
    EXPECT_EQ(reading.at("error").at("path"), "MSH-10");
}

} // namespace
} // namespace radscheduler
