#include "support.hpp"

#include <gtest/gtest.h>

namespace radscheduler {
namespace {

nlohmann::json resource(std::string_view segment) {
    return test::read_segments("SCH||1\r" + std::string(segment)).at("resources")[0];
}

TEST(SiuServices, ReadEveryKey) {
    const auto reading =
        test::read_segments("SCH||1|||||||||^^^202401151000\rRGS|1|A\r"
                            "AIS|3|U|72194^PELVIS W & W/O^C4^ALT^Alternative|202401151000|0|MIN|50|min^"
                            "Minutes^ISO||Booked\rNTE|1||bring films~and wait");
    EXPECT_EQ(reading.at("services")[0], nlohmann::json::parse(R"({
        "path": "AIS[1]", "group": 1, "set_id": "3", "action": "U", "code": "72194", "text": "PELVIS W & W/O",
        "system": "C4", "alt_code": "ALT", "alt_text": "Alternative", "starts_at": "2024-01-15T10:00:00",
        "offset_minutes": 0, "duration_minutes": 50, "status": "Booked", "notes": "bring films\nand wait"})"));
}

TEST(SiuResources, Equipment) {
    EXPECT_EQ(resource("AIG|1|A|MR1^Scanner One|RES^Equipment||||||||||Booked"), nlohmann::json::parse(R"({
        "path": "AIG[1]", "segment": "AIG", "group": 1, "set_id": "1", "action": "A", "code": "MR1",
        "name": "Scanner One", "type_code": "RES", "type_text": "Equipment", "status": "Booked"})"));
}

TEST(SiuResources, LocationIsTheRoomElseThePointOfCare) {
    EXPECT_EQ(resource("AIL|1||055^Room01^^CLINIC&1.2&ISO|C^Clinic"), nlohmann::json::parse(R"({
        "path": "AIL[1]", "segment": "AIL", "group": 1, "set_id": "1", "code": "Room01", "name": "055 Room01",
        "type_code": "C", "type_text": "Clinic", "facility": "CLINIC"})"));
    EXPECT_EQ(resource("AIL|1||OFFICE^^^OFFICE").at("code"), "OFFICE");
    EXPECT_EQ(resource("AIL|1||OFFICE^^^OFFICE").at("name"), "OFFICE");
    EXPECT_EQ(resource("AIL|1||11&X-Ray Room&L").at("code"), "11");
    EXPECT_EQ(resource("AIL|1||RAD^7&North wing&L").at("code"), "7");
    EXPECT_EQ(resource("AIL|1||CT & MR").at("code"), "CT & MR");
}

TEST(SiuResources, ANumberBeforeANameIsTheLocation) {
    const auto location = [](const std::string& pl) {
        const auto found = resource("AIL|1||" + pl);
        return found.value("code", "") + "|" + found.value("name", "") + "|" +
               found.value("also", nlohmann::json()).dump();
    };
    EXPECT_EQ(location("4^PET/CT-North"), "4|PET/CT-North|[\"PET/CT-North\"]");
    EXPECT_EQ(location("101^North Wing^B2"), "101|North Wing|[\"North Wing\"]");
    for (const char* room : {"R7", "CT-2", "101A", "12", "Room 4", "ROOM4", "Salle bleue", "rm.4", "MR 2"}) {
        EXPECT_EQ(location("3^" + std::string(room)), std::string(room) + "|3 " + room + "|null");
    }
    EXPECT_EQ(location("RADIOLOGY^CT North"), "CT North|RADIOLOGY CT North|null");
    EXPECT_EQ(location("^CT North"), "CT North|CT North|null");
    EXPECT_EQ(location("22&CT North&L"), "22|CT North|[\"CT North\"]");
    EXPECT_EQ(location("55&OPD 01&L"), "55|OPD 01|[\"OPD 01\"]");
    EXPECT_EQ(location("MAIN&1.2.3&ISO^R7&2.3&ISO"), "R7|MAIN R7|null");
    EXPECT_EQ(location("HEAD & NECK"), "HEAD & NECK|HEAD & NECK|null");
}

TEST(SiuResources, FurtherLocationsAreOtherNames) {
    EXPECT_EQ(resource("AIL|1||RAD^CT1~RAD^CTONE~4^Scanner North~RAD^CT1").at("also"),
              nlohmann::json::parse(R"(["CTONE","4"])"));
}

TEST(SiuResources, RoomOfTheVisitWhereTheProfileSaysSo) {
    const SiuOptions from_visit = {.location_from_visit = true};
    const std::string pv1 = "SCH||1\rPV1|1|O|RAD^MR1^^NORTH\r";
    EXPECT_TRUE(test::read_segments(pv1).at("resources").empty());
    EXPECT_EQ(test::read_segments(pv1 + "AIP|1||9^WELBY", from_visit).at("resources")[1], nlohmann::json::parse(R"({
        "path": "PV1-3", "segment": "AIL", "group": 1, "code": "MR1", "name": "RAD MR1", "facility": "NORTH"})"));
    EXPECT_EQ(test::read_segments(pv1 + "AIL|1||RAD^MR2", from_visit).at("resources").size(), 1U);
    EXPECT_EQ(test::read_segments(pv1 + "AIG|1||MR2", from_visit).at("resources").size(), 1U);
    EXPECT_EQ(test::read_segments(pv1 + "AIG|1||", from_visit).at("resources").size(), 2U);
    EXPECT_TRUE(test::read_segments("SCH||1\rPV1|1|O|", from_visit).at("resources").empty());
}

TEST(SiuServices, AreToldByGroupAndNumber) {
    const auto codes = [](const std::string& segments) {
        std::string text;
        const auto reading = test::read_segments("SCH||1\r" + segments);
        for (const auto& service : reading.at("services"))
            text += service.value("code", "") + " " + service.at("path").get<std::string>() + ";";
        return text;
    };
    EXPECT_EQ(codes("RGS|2\rAIS|1||C\rRGS|1\rAIS|2||B\rAIS|1||A"), "A AIS[3];B AIS[2];C AIS[1];");
    EXPECT_EQ(codes("AIS|1||A\rAIS|1||B\rAIS|||C"), "C AIS[3];A AIS[1];B AIS[2];");
}

TEST(SiuResources, Person) {
    EXPECT_EQ(resource("AIP|1|A|1210^GE^ROBERT^C^^^MD^^NPI&1.2&ISO|TECH^Technologist"), nlohmann::json::parse(R"({
        "path": "AIP[1]", "segment": "AIP", "group": 1, "set_id": "1", "action": "A", "code": "1210",
        "name": "Robert C Ge", "type_code": "TECH", "type_text": "Technologist", "role": "TECH", "family": "GE",
        "given": "ROBERT", "degree": "MD", "authority": "NPI"})"));
}

TEST(SiuResources, RoleChain) {
    EXPECT_EQ(resource("AIP|1||1^A^B|010^Gastroenterologist").at("role"), "Gastroenterologist");
    EXPECT_EQ(resource("AIP|1||1^A^B|^Astronaut").at("role"), "Astronaut");
    EXPECT_EQ(resource("AIP|1||Technologist^A^B|").at("role"), "Technologist");
    EXPECT_EQ(resource("AIP|1||Technologist^A^B|LEAD").at("role"), "LEAD");
    EXPECT_EQ(resource("AIP|1||1^A^B||CARDIO^Cardiology").at("role"), "CARDIO");
    EXPECT_FALSE(resource("AIP|1||Technologist^A^B|").contains("code"));
}

TEST(SiuResources, RepeatedPersons) {
    const auto resources = test::read_segments("SCH||1\rAIP|1|A|1^Alpha^A~~RADIOLOGIST^Beta^B|STAFF").at("resources");
    ASSERT_EQ(resources.size(), 2U);
    EXPECT_EQ(resources[0].at("path"), "AIP[1]");
    EXPECT_EQ(resources[0].at("code"), "1");
    EXPECT_EQ(resources[1].at("path"), "AIP[1]-3[3]");
    EXPECT_EQ(resources[1].at("family"), "Beta");
    EXPECT_EQ(resources[1].at("role"), "STAFF");
}

TEST(SiuResources, GroupsFollowRgs) {
    const auto reading = test::read_segments("SCH||1\rAIS|1||X\rRGS|1|A\rAIS|1||A1\rAIG|1||G1\rRGS|5|U\rAIL|1||R\r"
                                             "RGS|5\rAIP|1||9\rRGS|x\rAIS|1||A2");
    const auto& services = reading.at("services");
    const auto& resources = reading.at("resources");
    EXPECT_EQ(services[0].at("group"), 1);
    EXPECT_FALSE(services[0].contains("action"));
    EXPECT_EQ(services[1].at("action"), "A");
    EXPECT_EQ(services[1].at("path"), "AIS[2]");
    EXPECT_EQ(resources[0].at("group"), 1);
    EXPECT_EQ(resources[1].at("group"), 5);
    EXPECT_EQ(resources[1].at("action"), "U");
    EXPECT_EQ(resources[2].at("group"), 6);
    EXPECT_EQ(services[2].at("group"), 7);
}

TEST(SiuResources, MixedActionsAreKept) {
    const auto reading = test::read_segments("SCH||1\rRGS|1|U\rAIG|1|D|OLD\rAIG|2|A|NEW\rAIG|3|X|SAME");
    EXPECT_EQ(reading.at("resources")[0].at("action"), "D");
    EXPECT_EQ(reading.at("resources")[1].at("action"), "A");
    EXPECT_EQ(reading.at("resources")[2].at("action"), "X");
}

TEST(SiuResources, WhatIsTakenOutIsMarked) {
    const auto reading =
        test::read_segments("SCH||1\rRGS|1|U\rAIS|1|D|X\rAIS|2||Y|||||||Cancelled\rAIS|3||Z|||||||Booked\r"
                            "AIL|1|d|R\rAIP|1|U|9|||||||||^No Show\rAIG|1|A|G||||||||||Complete");
    const auto out = [](const nlohmann::json& part) { return part.value("is_out", false); };
    EXPECT_TRUE(out(reading.at("services")[0]));
    EXPECT_TRUE(out(reading.at("services")[1]));
    EXPECT_FALSE(out(reading.at("services")[2]));
    EXPECT_TRUE(out(reading.at("resources")[0]));
    EXPECT_TRUE(out(reading.at("resources")[1]));
    EXPECT_FALSE(out(reading.at("resources")[2]));
}

TEST(SiuResources, NullIsNull) {
    const auto reading = resource("AIG|1|A|\"\"|\"\"");
    EXPECT_TRUE(reading.at("code").is_null());
    EXPECT_TRUE(reading.at("type_code").is_null());
}

TEST(SiuResources, TooManyAreNotRead) {
    std::string segments = "SCH||1\r";
    for (int i = 0; i < 1500; ++i)
        segments += "AIG|1|A|G\r";
    segments += "NTE|1||belongs to none\r";
    const auto reading = test::read_segments(segments);
    EXPECT_EQ(reading.at("resources").size(), 1000U);
    EXPECT_FALSE(reading.at("resources")[999].contains("notes"));
    EXPECT_EQ(test::count_warnings(reading, "TOO_MANY_SEGMENTS"), 1U);
}

} // namespace
} // namespace radscheduler
