// The integration guide's own message, byte for byte: what it says, and what had to be repaired to know it.
#include "support.hpp"

#include <gtest/gtest.h>

namespace radscheduler {
namespace {

TEST(SiuSample, ReadsExactly) {
    auto reading = test::read_json(test::kSample);
    const auto warnings = reading.at("warnings");
    reading.erase("warnings");
    EXPECT_EQ(reading, nlohmann::json::parse(R"({
      "header": {"sending_application": "RIS", "sending_facility": "MEMORIAL", "receiving_application": "RADSCHED",
                 "receiving_facility": "RAD", "message_code": "SIU", "trigger_event": "S12", "control_id": "MSG001",
                 "processing_id": "P", "version": "2.5", "message_time": "2024-01-15T10:00:00"},
      "schedule": {"filler_id": "1234", "status": ["SCHEDULED"], "starts_at": "2024-01-15T10:00:00",
                   "ends_at": "2024-01-15T10:30:00", "duration_minutes": 30, "priority": "R"},
      "patient": {"identifiers": [{"value": "MRN123456"}], "family": "DOE", "given": "JOHN", "display": "John Doe",
                  "birth_date": "1980-01-01", "sex": "M", "phones": [{"value": "617-555-0123"}]},
      "services": [{"path": "AIS[1]", "group": 1, "set_id": "1", "action": "A", "code": "MRI001",
                    "text": "MRI BRAIN W/O CONTRAST", "starts_at": "2024-01-15T10:00:00"}],
      "resources": [{"path": "AIP[1]", "segment": "AIP", "group": 1, "set_id": "1", "action": "A", "name": "John Doe",
                     "role": "RADIOLOGIST", "family": "DOE", "given": "JOHN", "degree": "MD",
                     "starts_at": "2024-01-15T10:00:00"}]
    })"));
    ASSERT_EQ(warnings.size(), 3U);
}

TEST(SiuSample, EveryRepairIsARemark) {
    const auto reading = test::read_json(test::kSample);
    EXPECT_TRUE(test::has_warning(reading, "REPAIR_AIP3_ROLE", "AIP[1]-3.1"));
    EXPECT_TRUE(test::has_warning(reading, "REPAIR_AIP3_DEGREE", "AIP[1]-3.4"));
    EXPECT_TRUE(test::has_warning(reading, "REPAIR_AIP4_TO_AIP6", "AIP[1]-4"));
    EXPECT_FALSE(reading.contains("error"));
}

TEST(SiuSample, StrictReadingNamesTheFirstFault) {
    const auto reading = test::read_json(test::kSample, {.lenient = false});
    EXPECT_EQ(reading.at("error").at("code"), "102");
    EXPECT_EQ(reading.at("error").at("path"), "AIP[1]-4");
    EXPECT_EQ(reading.at("schedule").at("starts_at"), "2024-01-15T10:00:00");
}

TEST(SiuSample, RemarksHoldNoPatientData) {
    for (const bool lenient : {true, false}) {
        const auto reading = test::read_json(test::kSample, {.lenient = lenient});
        std::string texts = reading.at("warnings").dump();
        if (reading.contains("error")) texts += reading.at("error").dump();
        for (const char* secret : {"DOE", "JOHN", "MRN123456", "617", "19800101", "MAIN ST"}) {
            EXPECT_EQ(texts.find(secret), std::string::npos) << secret;
        }
    }
}

TEST(SiuSample, LineEndsDoNotMatter) {
    std::string unix_ends(test::kSample);
    for (char& c : unix_ends)
        c = c == '\r' ? '\n' : c;
    EXPECT_EQ(test::read_json(unix_ends), test::read_json(test::kSample));
}

} // namespace
} // namespace radscheduler
