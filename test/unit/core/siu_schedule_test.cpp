#include "support.hpp"

#include <gtest/gtest.h>

namespace radscheduler {
namespace {

nlohmann::json schedule(std::string_view segments, const SiuOptions& options = {}) {
    return test::read_segments(segments, options).at("schedule");
}

TEST(SiuSchedule, Identifiers) {
    const auto reading = schedule("SCH|P1^PNS|F1^^2.16^ISO|3|G4");
    EXPECT_EQ(reading.at("placer_id"), "P1");
    EXPECT_EQ(reading.at("placer_namespace"), "PNS");
    EXPECT_EQ(reading.at("filler_id"), "F1");
    EXPECT_EQ(reading.at("filler_namespace"), "2.16");
    EXPECT_EQ(reading.at("occurrence"), "3");
    EXPECT_EQ(reading.at("visit_group"), "G4");
    EXPECT_FALSE(test::read_segments("SCH|P1").contains("error"));
}

TEST(SiuSchedule, MissingIdentifierIsAnError) {
    for (const char* segments : {"SCH||||||||", "PID|1||7", "SCH|^NS|\"\""}) {
        const auto reading = test::read_segments(segments);
        EXPECT_EQ(reading.at("error").at("code"), "101") << segments;
        EXPECT_EQ(reading.at("error").at("path"), "SCH-2") << segments;
    }
}

TEST(SiuSchedule, IdentifierFromAConfiguredPlace) {
    const std::string segments = "SCH||\rPV1|1" + std::string(18, '|') + "V9";
    EXPECT_EQ(schedule(segments, {.id_sources = {"PV1-19"}}).at("filler_id"), "V9");
    EXPECT_FALSE(test::read_segments(segments, {.id_sources = {"PV1-19"}}).contains("error"));
    EXPECT_EQ(test::read_segments(segments, {.id_sources = {"SCH-5"}}).at("error").at("code"), "101");
    EXPECT_EQ(test::count_warnings(test::read_segments(segments, {.id_sources = {"nonsense"}}), "BAD_ID_SOURCE"), 1U);
    EXPECT_EQ(schedule("SCH||F1", {.id_sources = {"MSH-10"}}).at("filler_id"), "F1");
}

TEST(SiuSchedule, IdentifierFromTheFirstOfSeveralPlaces) {
    const SiuOptions options = {.id_sources = {"PV1-50", "ZSI-2.2", "SCH-5"}};
    EXPECT_EQ(schedule("SCH|||||S5\rZSI||x^Z2", options).at("filler_id"), "Z2");
    EXPECT_EQ(schedule("SCH|||||S5\rZSI||x^ ", options).at("filler_id"), "S5");
    EXPECT_EQ(schedule("SCH|\"\"|\"\"|||S5", options).at("filler_id"), "S5");
    EXPECT_FALSE(schedule("SCH||^OLD|||S5", options).contains("filler_namespace"));
    EXPECT_EQ(schedule("SCH|P1||||S5", options).value("filler_id", ""), "");
}

TEST(SiuSchedule, Parents) {
    const auto reading = schedule("SCH||1|4" + std::string(20, '|') + "PP^X|FP");
    EXPECT_EQ(reading.at("parent_placer_id"), "PP");
    EXPECT_EQ(reading.at("parent_filler_id"), "FP");
}

TEST(SiuSchedule, ModalityOfAFieldForIt) {
    const std::string obr = "OBR|1" + std::string(23, '|') + "CT\r";
    const std::string ipc = "IPC|A1||||MR^Magnetic resonance\r";
    EXPECT_EQ(schedule("SCH||1\r" + obr + ipc).at("modality"), "CT");
    EXPECT_EQ(schedule("SCH||1\r" + ipc).at("modality"), "MR");
    EXPECT_EQ(schedule("SCH||1\rZMO|1|US\r" + obr, {.modality_source = "ZMO-2"}).at("modality"), "US");
    EXPECT_EQ(schedule("SCH||1\r" + obr, {.modality_source = "ZMO-2"}).at("modality"), "CT");
    EXPECT_FALSE(schedule("SCH||1").contains("modality"));
    EXPECT_EQ(test::count_warnings(test::read_segments("SCH||1", {.modality_source = "?"}), "BAD_MODALITY_SOURCE"), 1U);
}

TEST(SiuSchedule, WordsThatMayNameAModality) {
    EXPECT_EQ(
        schedule("SCH||1|||TPL^MR day|||US^Ultrasound\rRGS|1||CTPOOL^CT scanners\r"
                 "AIG|1||G1|CT^Scanner|POOL^Pool\rRGS|2||CTPOOL\rAIG|1||G2|CT^Scanner|203101010000\rAIL|1||R|ROOM")
            .at("modality_words"),
        nlohmann::json::parse(
            R"(["CT","Scanner","POOL","Pool","CTPOOL","CT scanners","US","Ultrasound","TPL","MR day"])"));
    EXPECT_FALSE(schedule("SCH||1").contains("modality_words"));
}

TEST(SiuSchedule, CodedTexts) {
    const auto reading = schedule("SCH||1||||MO^Modified|72194|OFFICE^Office visit");
    EXPECT_EQ(reading.at("event_reason"), nlohmann::json::parse(R"({"code":"MO","text":"Modified"})"));
    EXPECT_EQ(reading.at("reason"), nlohmann::json::parse(R"({"code":"72194"})"));
    EXPECT_EQ(reading.at("type"), nlohmann::json::parse(R"({"code":"OFFICE","text":"Office visit"})"));
    EXPECT_TRUE(schedule("SCH||1|||||\"\"").at("reason").is_null());
}

TEST(SiuSchedule, StatusCandidatesInOrderOfTrust) {
    const std::string sch25 = "SCH||1" + std::string(23, '|');
    EXPECT_EQ(schedule(sch25 + "1^SCH^L^B^Booked").at("status"), nlohmann::json::parse(R"(["1","SCH","B","Booked"])"));
    EXPECT_EQ(schedule("SCH||1\rAIS|1|D|X||||||| Cancelled\rAIS|2|A|Y|||||||Booked\rAIL|1||R|||||||||Arrived\r"
                       "AIP|1||P|||||||||ARRIVED")
                  .at("status"),
              nlohmann::json::parse(R"(["Booked","ARRIVED"])"));
    EXPECT_FALSE(schedule("SCH||1\rAIL|1||R|||||||||Arrived\rAIP|1||P|||||||||Booked").contains("status"));
}

TEST(SiuSchedule, AnExamThatIsTakenOutDoesNotSpeakForTheOthers) {
    const auto status = [](const std::string& segments) {
        return schedule("SCH||1\r" + segments).value("status", nlohmann::json::array()).dump();
    };
    const std::string out = "AIS|1|U|X|||||||Cancelled\r";
    EXPECT_EQ(status(out + "AIS|2|U|Y|||||||Booked"), "[\"Booked\"]");
    EXPECT_EQ(status(out + "AIS|2|U|Y"), "[]");
    EXPECT_EQ(status(out + "AIS|2|U|Y|||||||No Show"), "[\"Cancelled\"]");
    EXPECT_EQ(status("AIL|1|D|R|||||||||Cancelled\rAIP|1|U|9|||||||||Booked"), "[\"Booked\"]");
}

TEST(SiuSchedule, EventsAboutPartsTellNoStatusOfTheWhole) {
    const auto status = [](const std::string& event, const std::string& sch25) {
        return test::read_json("MSH|^~\\&|A|B|C|D|2031||SIU^" + event + "|1|P|2.5\rSCH||1" + std::string(23, '|') +
                               sch25 + "\rAIS|1|U|X|||||||Cancelled\rAIL|1|U|R|||||||||Cancelled")
            .at("schedule")
            .value("status", nlohmann::json::array())
            .dump();
    };
    EXPECT_EQ(status("S20", ""), "[]");
    EXPECT_EQ(status("S19", "Booked"), "[\"Booked\"]");
    EXPECT_EQ(status("S14", ""), "[\"Cancelled\"]");
}

TEST(SiuSchedule, PriorityOfANoteByProfileOnly) {
    const SiuOptions notes = {.priority_notes = true};
    const auto priority = [](const std::string& segments, const SiuOptions& options) {
        return schedule("SCH||1\r" + segments, options).value("priority", "");
    };
    EXPECT_EQ(priority("NTE|1||Priority: S", {}), "");
    EXPECT_EQ(priority("NTE|1||bring films~ priority : STAT, please", notes), "STAT");
    EXPECT_EQ(priority("AIS|1||X\rNTE|1||PRIORITY=A", notes), "A");
    EXPECT_EQ(priority("PID|1||7\rNTE|1||Priority:U", notes), "U");
    EXPECT_EQ(priority("TQ1|||||||||R\rNTE|1||Priority: S", notes), "R");
    for (const char* note : {"Priority", "Priority:", "Priority S", "High Priority: S", "PriorityX: S", ""})
        EXPECT_EQ(priority(std::string("NTE|1||") + note, notes), "") << note;
}

TEST(SiuSchedule, PriorityChain) {
    const std::string pv1 = "PV1|1|E||U\r";
    EXPECT_EQ(schedule("SCH||1|||||STAT||||^^^^^A\rTQ1|||||||||S").at("priority"), "S");
    EXPECT_EQ(schedule("SCH||1|||||STAT||||^^^^^A\r" + pv1).at("priority"), "A");
    EXPECT_EQ(schedule("SCH||1|||||X^Stat|URGENT\r" + pv1).at("priority"), "URGENT");
    EXPECT_EQ(schedule("SCH||1|||||X^Stat\r" + pv1).at("priority"), "Stat");
    EXPECT_EQ(schedule("SCH||1\rTQ1|||||||||^Stat").at("priority"), "Stat");
    EXPECT_EQ(schedule("SCH||1\r" + pv1).at("priority"), "U");
    EXPECT_FALSE(schedule("SCH||1\rPV1|1|O||R").contains("priority"));
}

TEST(SiuSchedule, Orders) {
    const auto reading = schedule("SCH||1" + std::string(24, '|') + "P1~P2|A1^X\rORC|SC|P2|A2\rOBR|1" +
                                  std::string(17, '|') + "A1\rOBR|2");
    EXPECT_EQ(reading.at("placer_orders"), nlohmann::json::parse(R"(["P1","P2"])"));
    EXPECT_EQ(reading.at("filler_orders"), nlohmann::json::parse(R"(["A1","A2"])"));
}

TEST(SiuSchedule, AStatusInTheFieldOfAnOrderIsNoOrder) {
    const auto reading = test::read_segments("SCH||1" + std::string(24, '|') + "Booked");
    EXPECT_EQ(reading.at("schedule").at("status")[0], "Booked");
    EXPECT_FALSE(reading.at("schedule").contains("placer_orders"));
    EXPECT_TRUE(test::has_warning(reading, "REPAIR_SCH26_TO_SCH25", "SCH-26"));
}

TEST(SiuSchedule, Contacts) {
    const auto reading = schedule("SCH||1||||||||||9^WELBY^MARCUS||||||||username");
    EXPECT_EQ(reading.at("placer_contact"), "Marcus Welby");
    EXPECT_EQ(reading.at("entered_by"), "username");
}

TEST(SiuSchedule, NotesStayWithTheirSegment) {
    const auto reading =
        test::read_segments("SCH||1\rTQ1||||||||||when fasting|no metal\rNTE|1||first\\.br\\second~third\r"
                            "NTE|2||a^b & c\rPID|1||7\rNTE|1||about the patient\rRGS|1\rAIS|1||X\r"
                            "NTE|1||about the exam\rAIP|1||9\rNTE|1||about the person");
    EXPECT_EQ(reading.at("schedule").at("notes"), "first\nsecond\nthird\na^b & c\nwhen fasting\nno metal");
    EXPECT_EQ(reading.at("patient").at("notes"), "about the patient");
    EXPECT_EQ(reading.at("services")[0].at("notes"), "about the exam");
    EXPECT_EQ(reading.at("resources")[0].at("notes"), "about the person");
    EXPECT_TRUE(schedule("SCH||1\rNTE|1||\"\"").at("notes").is_null());
    EXPECT_EQ(schedule("SCH||1\rNTE|1||\"\"\rNTE|2||x").at("notes"), "x");
}

TEST(SiuVisit, ReferringPhysicianChain) {
    const auto referring = [](const std::string& segments) {
        return test::read_segments(segments).value("visit", nlohmann::json::object()).value("referring", "");
    };
    const std::string contact = "SCH||1||||||||||5^CONTACT^C\r";
    const std::string aip = "AIP|1||6^REFERRER^R|REF\r";
    const std::string pv1 = "PV1|1|O||||||2^COLFER^EOIN^D^MD~3^OTHER^O\r";
    EXPECT_EQ(referring(contact + pv1 + aip), "Eoin D Colfer");
    EXPECT_EQ(referring(contact + aip), "Referrer R" == std::string() ? "" : "R Referrer");
    EXPECT_EQ(referring(contact), "C Contact");
    EXPECT_EQ(referring("SCH||1"), "");
    EXPECT_EQ(referring("SCH||1\rPV1|1|O||||||NPI99"), "NPI99");
    const std::string orc = "ORC|NW" + std::string(11, '|') + "7^ORDERER^O\r";
    const std::string obr = "OBR|1" + std::string(15, '|') + "8^REQUESTER^R\r";
    EXPECT_EQ(referring(contact + orc + obr), "C Contact");
    EXPECT_EQ(referring("SCH||1\r" + orc + obr), "O Orderer");
    EXPECT_EQ(referring("SCH||1\r" + obr), "R Requester");
}

TEST(SiuVisit, TheAttendingDoctorRefersByProfileOnly) {
    const auto referring = [](const std::string& pv1, bool attending) {
        return test::read_segments("SCH||1||||||||||5^CONTACT^C\r" + pv1, {.referrer_from_attending = attending})
            .at("visit")
            .value("referring", "");
    };
    EXPECT_EQ(referring("PV1|1|O|||||4^ATTENDING^A", false), "C Contact");
    EXPECT_EQ(referring("PV1|1|O|||||4^ATTENDING^A", true), "A Attending");
    EXPECT_EQ(referring("PV1|1|O|||||4^ATTENDING^A|2^COLFER^E", true), "E Colfer");
}

TEST(SiuVisit, Fields) {
    const auto visit =
        test::read_segments("SCH||1\rPV1|1|O|CLINIC^R1^B2^FAC&1.2&ISO|E" + std::string(15, '|') + "V9^^^X").at("visit");
    EXPECT_EQ(visit, nlohmann::json::parse(R"({"patient_class":"O","visit_number":"V9","admission_type":"E",
        "location":{"point_of_care":"CLINIC","room":"R1","bed":"B2","facility":"FAC"}})"));
    EXPECT_FALSE(test::read_segments("SCH||1").contains("visit"));
}

TEST(SiuSchedule, OrderOfSegmentsIsFree) {
    const auto reading = test::read_segments("PID|1||7||Doe^J\rAIS|1||X\rSCH||1");
    EXPECT_EQ(reading.at("schedule").at("filler_id"), "1");
    EXPECT_EQ(reading.at("patient").at("family"), "Doe");
    EXPECT_EQ(reading.at("services").size(), 1U);
}

TEST(SiuSchedule, SecondMessageInTheSameTextIsNotRead) {
    const auto reading = test::read_segments("SCH||1\r" + std::string(test::kSample));
    EXPECT_TRUE(test::has_warning(reading, "EXTRA_SEGMENT", "MSH[2]"));
    EXPECT_EQ(reading.at("services").size(), 0U);
}

TEST(SiuSchedule, SecondScheduleSegmentIsRemarked) {
    const auto reading = test::read_segments("SCH||1\rSCH||2\rSCH||3");
    EXPECT_EQ(reading.at("schedule").at("filler_id"), "1");
    EXPECT_EQ(test::count_warnings(reading, "EXTRA_SEGMENT"), 1U);
}

TEST(SiuSchedule, StrayLineIsRemarkedWithoutItsText) {
    const auto reading = test::read_segments("SCH||1\rNTE|1||Dear Mrs\nSecret, please come");
    EXPECT_EQ(test::count_warnings(reading, "BAD_SEGMENT_NAME"), 1U);
    EXPECT_EQ(reading.at("warnings").dump().find("Secret"), std::string::npos);
}

} // namespace
} // namespace radscheduler
