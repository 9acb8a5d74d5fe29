// What the strict check finds, rule by rule: one fault per message, all else in order.
#include "radscheduler/validate.hpp"

#include "support.hpp"

#include <algorithm>
#include <gtest/gtest.h>

namespace radscheduler {
namespace {

constexpr std::string_view kSch = "SCH|P1|F1||||R^reason|||30|MIN|^^^202601151000|||||K^Smith||||K^Smith\r";
constexpr std::string_view kPatient = "PID|1||7^^^H^MR||Doe^J||19800101|M\rPV1|1|O\r";
constexpr std::string_view kResources = "RGS|1|A\rAIS|1|A|CT1^CT head|202601151000\rNTE|1||x\rAIG|1|A|S1|T\r"
                                        "AIL|1|A|R1\rAIP|1|A|9^Bland\r";

std::string header(std::string_view version = "2.5.1") {
    return "MSH|^~\\&|A|B|C|D|20260101120000||SIU^S12^SIU_S12|M1|P|" + std::string(version) + "\r";
}

std::string joined(std::initializer_list<std::string_view> parts) {
    std::string text;
    for (const std::string_view part : parts)
        text += part;
    return text;
}

// "E101 SCH-6", one per line, errors E, warnings W, the rest I.
std::string findings(std::string_view bytes) {
    const test::Opened opened = test::open(bytes);
    std::string lines;
    for (const Finding& finding : validate(*opened.message)) {
        EXPECT_TRUE(finding.text.ends_with(".")) << finding.text;
        lines += finding.severity == Severity::error ? "E" : finding.severity == Severity::warning ? "W" : "I";
        lines += finding.code + " " + finding.path + "\n";
    }
    return lines;
}

std::string with_schedule(std::string_view segments) {
    return findings(joined({header(), kSch, segments}));
}

TEST(Validate, AMessageInOrderHasNoFindings) {
    for (const char* version : {"2.4", "2.5", "2.5.1", "2.6", "2.7.1", "2.8.1"}) {
        const std::string type = version == std::string_view("2.4") ? "AIL|1|A|R1|T\rAIP|1|A|9^Bland|T\r" : "";
        EXPECT_EQ(findings(joined({header(version), kSch, kPatient, "RGS|1|A\rAIS|1|A|CT1|202601151000\r", type})), "")
            << version;
    }
    EXPECT_EQ(with_schedule(joined({kPatient, kPatient, kResources, kResources})), "") << "groups may repeat";
    EXPECT_EQ(with_schedule(joined({"TQ1|1||||||202601151000\rNTE|1||x\r", kResources, "ZXX|any|thing\r"})), "");
}

TEST(Validate, RequiredHeaderFields) {
    EXPECT_EQ(findings(joined({"MSH|^~\\&|A|B|C|D|||||\r"})),
              "E101 MSH-7\nE101 MSH-9\nE101 MSH-10\nE101 MSH-11\nE101 MSH-12\n");
    EXPECT_EQ(findings("MSH|^~\\&\r"), "E101 MSH-7\nE101 MSH-9\nE101 MSH-10\nE101 MSH-11\nE101 MSH-12\n");
    EXPECT_EQ(findings("MSH|^~\\&|||||2026010112||ACK|\"\"|P|2.5\r"), "E101 MSH-10\n") << "the HL7 null deletes";
    EXPECT_EQ(findings("MSH|^~\\&|||||||ACK|1|P|2.3.1\r"), "") << "MSH-7 is required from 2.4 on";
}

TEST(Validate, MessageTypeEventAndStructure) {
    const auto type = [](std::string_view msh9, std::string_view version = "2.5") {
        return findings(joined({"MSH|^~\\&|||||2026010112||", msh9, "|1|P|", version, "\r", kSch, kResources}));
    };
    EXPECT_EQ(type("SIU^S12^SIU_S12"), "");
    EXPECT_EQ(type("SIU^S24^SIU_S12"), "");
    EXPECT_EQ(type("SIU^S26^SIU_S12"), "");
    EXPECT_EQ(type("SIU^S15^SIU_S15"), "W200 MSH-9.3\n");
    EXPECT_EQ(type("SIU^S12"), "W101 MSH-9.3\n");
    EXPECT_EQ(type("SIU^S12", "2.4"), "E101 AIL-4\nE101 AIP-4\n") << "no structure before 2.5";
    EXPECT_EQ(type("SIU^S25^SIU_S12"), "E201 MSH-9.2\n");
    EXPECT_EQ(type("SIU^S11^SIU_S12"), "E201 MSH-9.2\n");
    EXPECT_EQ(type("SIU^A01^SIU_S12"), "E201 MSH-9.2\n");
    EXPECT_EQ(type("SIU^12^SIU_S12"), "E201 MSH-9.2\n");
    EXPECT_EQ(type("SIU"), "E101 MSH-9.2\n");
    EXPECT_EQ(type("siu^S12^SIU_S12"), "E200 MSH-9.1\n");
    EXPECT_EQ(type("ADT^A01^ADT_A01"), "") << "other types are not held to the structure of SIU";
    EXPECT_EQ(type("ACK"), "");
}

TEST(Validate, HeaderTables) {
    const auto rest = [](std::string_view msh11_on) {
        return findings(joined({"MSH|^~\\&|||||2026010112||ACK|1|", msh11_on, "\r"}));
    };
    EXPECT_EQ(rest("P|2.5|||AL|NE||UNICODE UTF-8~8859/1"), "");
    EXPECT_EQ(rest("T^A|2.9.1"), "");
    EXPECT_EQ(rest("X|2.5"), "E202 MSH-11\n");
    EXPECT_EQ(rest("P|2.55"), "E203 MSH-12\n");
    EXPECT_EQ(rest("P|2.5^USA|||ZZ|al"), "E103 MSH-15\nE103 MSH-16\n");
    EXPECT_EQ(rest("P|2.5||||||UTF-8~KLINGON"), "W103 MSH-18\nE103 MSH-18[2]\n");
    EXPECT_EQ(rest("P|2.3||||||ASCII~8859/1"), "W102 MSH-18\n") << "repeats from 2.3.1 on";
    EXPECT_EQ(rest("P|2.5|x|"), "E102 MSH-13\n");
}

TEST(Validate, EncodingCharacters) {
    const auto with = [](std::string_view encoding, std::string_view version) {
        return findings(joined({"MSH|", encoding, "|||||2026010112||ACK|1|P|", version, "\r"}));
    };
    EXPECT_EQ(with("^~\\&#", "2.7"), "");
    EXPECT_EQ(with("^~\\&#", "2.6"), "W102 MSH-2\n");
    EXPECT_EQ(with("^~\\", "2.5"), "W102 MSH-2\n");
    EXPECT_EQ(with("^~&", "2.5"), "W102 MSH-2\n");
    EXPECT_EQ(with("*+!@", "2.5"), "");
}

TEST(Validate, SegmentNames) {
    EXPECT_EQ(with_schedule(joined({kResources, "lost end of a note\rZ1Z|x\rZZ|x\r"})), "E100 \nE100 \n");
    EXPECT_EQ(with_schedule(joined({kResources, "IN1|1\r"})), "W100 IN1\n");
    EXPECT_EQ(findings(joined({header(), kSch, kResources, header(), kSch})), "E100 MSH[2]\nE100 SCH[2]\n");
    EXPECT_EQ(findings(joined({"FHS|^~\\&\r", header(), kSch, kResources, "FTS|1\r"})), "E100 FHS\nE100 FTS\n");
    EXPECT_EQ(findings("BHS|^~\\&\r"), "E100 BHS\nE100 MSH\n");
}

TEST(Validate, OrderAndGroups) {
    EXPECT_EQ(findings(joined({header(), kPatient, kSch, kResources})), "E100 PID\n") << "PID before SCH";
    EXPECT_EQ(findings(joined({header(), kResources})), "E100 RGS\nE100 SCH\n");
    EXPECT_EQ(findings(joined({header(), kSch})), "E100 RGS\n") << "no resource group at all";
    EXPECT_EQ(with_schedule(joined({kResources, kPatient})), "E100 PID\nE100 PV1\n");
    EXPECT_EQ(with_schedule("AIS|1|A|CT1\rRGS|1\r"), "E100 AIS\n") << "a service outside any group";
    EXPECT_EQ(with_schedule("RGS|1\rAIL|1||R1\rAIS|1||CT1\r"), "W100 AIS\n");
    EXPECT_EQ(with_schedule(joined({"PV1|1|O\r", kResources})), "E100 PV1\n");
    EXPECT_EQ(with_schedule(joined({"PID|1||7||D\rDG1|1||||||\rPV1|1|O\r", kResources})), "E101 DG1-6\nE100 PV1\n");
    EXPECT_EQ(with_schedule(joined({kPatient, "PV1|1|O\r", kResources})), "E100 PV1[2]\n");
    EXPECT_EQ(with_schedule(joined({kPatient, "NTE|1||x\r", kResources})), "E100 NTE\n");
    EXPECT_EQ(with_schedule("RGS|1\rNTE|1||x\rAIS|1||CT1\rNTE|1||y\rNTE|2||z\r"), "E100 NTE\n");
    EXPECT_EQ(with_schedule("RGS|1\rTQ1|1\r"), "E100 TQ1\n");
    EXPECT_EQ(with_schedule(joined({kSch, kResources})), "E100 SCH[2]\n");
}

TEST(Validate, RequiredFields) {
    EXPECT_EQ(with_schedule("PID|1\rPV1|1\rOBX|1\rDG1|\rRGS|\rAIS|\rAIG|1\rAIP|\r"),
              "E101 PID-3\nE101 PID-5\nE101 PV1-2\nE101 OBX-3\nE101 OBX-11\nE101 DG1-1\nE101 DG1-6\n"
              "E101 RGS-1\nE101 AIS-1\nE101 AIS-3\nE101 AIG-4\nE101 AIP-1\n");
    EXPECT_EQ(with_schedule("PID|1||\"\"||\"\"\rRGS|1\r"), "E101 PID-3\nE101 PID-5\n") << "deleting what is required";
    EXPECT_EQ(findings("MSH|^~\\&|||||2026010112||ADT^A01^ADT_A01|1|P|2.5\rEVN\rORC|\rOBR|1\rMSA\r"),
              "E101 EVN-2\nE101 ORC-1\nE101 OBR-4\nE101 MSA-1\nE101 MSA-2\n");
}

TEST(Validate, RequirednessFollowsTheVersion) {
    const auto schedule = [](std::string_view version, std::string_view fields) {
        return findings(joined({header(version), "SCH|", fields, "\rRGS|1\r"}));
    };
    EXPECT_EQ(schedule("2.5", "P|F"), "E101 SCH-6\nE101 SCH-16\nE101 SCH-20\n");
    EXPECT_EQ(schedule("2.7", "P|F"), "E101 SCH-6\nE101 SCH-16\nE101 SCH-20\n");
    EXPECT_EQ(schedule("2.4", "P|F"), "E101 SCH-6\nE101 SCH-11\nE101 SCH-16\nE101 SCH-20\n");
    const std::string rest = "||||R|||||^^^202601151000|||||K||||K";
    EXPECT_EQ(schedule("2.3", "|F" + rest), "E101 SCH-1\n");
    EXPECT_EQ(schedule("2.3.1", "|F" + rest), "") << "the filler's id is enough";
    EXPECT_EQ(schedule("2.5", "|\"\"" + rest), "E101 SCH-1\n") << "neither id";
    EXPECT_EQ(schedule("2.99", "P|F"), "E203 MSH-12\nE101 SCH-6\nE101 SCH-16\nE101 SCH-20\n") << "unknown: as 2.5";

    const auto resource = [](std::string_view version, std::string_view segment) {
        return findings(joined({header(version), kSch, "RGS|1\r", segment}));
    };
    EXPECT_EQ(resource("2.3", "AIL|1\r"), "E101 AIL-3\n");
    EXPECT_EQ(resource("2.3.1", "AIL|1\r"), "E101 AIL-4\n");
    EXPECT_EQ(resource("2.5", "AIL|1\r"), "");
    EXPECT_EQ(resource("2.4", "AIP|1\r"), "E101 AIP-4\n");
    EXPECT_EQ(resource("2.5", "AIP|1\r"), "");
}

TEST(Validate, DatesAndTimes) {
    const auto start = [](std::string_view text) { return with_schedule(joined({"RGS|1\rAIS|1||CT1|", text, "\r"})); };
    for (const char* good : {"202601151000", "20260115100000.1234+0530", "2026011510", "202601151000^M", "\"\""})
        EXPECT_EQ(start(good), "") << good;
    for (const char* bad : {"tomorrow", "2026011", "20260230", "2026-01-15T10:00", "20260115100000."})
        EXPECT_EQ(start(bad), "E102 AIS-4\n") << bad;
    EXPECT_EQ(start("20260115"), "W102 AIS-4\n") << "a day is no start";
    EXPECT_EQ(start("202601152400"), "W102 AIS-4\n");
    EXPECT_EQ(with_schedule("PID|1||7||D||1980\rRGS|1\r"), "") << "a birth date may be a year";
    EXPECT_EQ(findings(joined({header(), "SCH|P|F||||R|||||^^^20260115^soon~^^^x|||||K||||K\rRGS|1\r"})),
              "W102 SCH-11.4\nE102 SCH-11.5\nE102 SCH-11[2].4\n");
    EXPECT_EQ(with_schedule("TQ1|1|||1030~25\rRGS|1\r"), "E102 TQ1-4[2]\n");
}

TEST(Validate, NumbersAndSetIds) {
    const auto duration = [](std::string_view text) {
        return with_schedule(joined({"RGS|1\rAIS|1||CT1||||", text, "\r"}));
    };
    for (const char* good : {"30", "-1.5", "+2", ".5", "5.", "\"\""})
        EXPECT_EQ(duration(good), "") << good;
    for (const char* bad : {"30 min", "1e3", "1,5", "-", ".", "30^MIN", "1.2.3"})
        EXPECT_EQ(duration(bad), "E102 AIS-7\n") << bad;
    EXPECT_EQ(with_schedule("RGS|one\rAIS|-1||CT1\r"), "E102 RGS-1\nE102 AIS-1\n");
    EXPECT_EQ(with_schedule("TQ1|1|2^x||||y^min\rRGS|1\r"), "E102 TQ1-6.1\n");
}

TEST(Validate, ObservationsAreWhatTheirTypeSays) {
    const auto observation = [](std::string_view type, std::string_view value) {
        return with_schedule(joined({"PID|1||7||D\rOBX|1|", type, "|8302-2||", value, "||||||F\rRGS|1\r"}));
    };
    EXPECT_EQ(observation("NM", "98.6~99"), "");
    EXPECT_EQ(observation("NM", "98.6~high"), "E102 OBX-5[2]\n");
    EXPECT_EQ(observation("DT", "20260230"), "E102 OBX-5\n");
    EXPECT_EQ(observation("TM", "1099"), "E102 OBX-5\n");
    EXPECT_EQ(observation("DTM", "2026"), "");
    EXPECT_EQ(observation("ST", "high"), "");
    EXPECT_EQ(observation("QQ", "high"), "E103 OBX-2\n");
}

TEST(Validate, Tables) {
    EXPECT_EQ(with_schedule("PID|1||7||D|||M||||||||||||||||||||||Y\rRGS|1|U\r"), "");
    EXPECT_EQ(with_schedule("PID|1||7||D|||MALE||||||||||||||||||||||yes\rRGS|1|Z\r"),
              "W103 PID-8\nE103 PID-30\nE103 RGS-2\n");
    EXPECT_EQ(with_schedule("RGS|1\rAIS|1|X|CT1|||||||Booked\r"), "");
    EXPECT_EQ(with_schedule("RGS|1\rAIS|1|x|CT1|||||||SCHEDULED^Scheduled\r"), "E103 AIS-2\nW103 AIS-10\n");
    EXPECT_EQ(findings("MSH|^~\\&|||||2026010112||ACK|1|P|2.5\rMSA|OK|1\r"), "E103 MSA-1\n");
}

TEST(Validate, Lengths) {
    const auto control_id = [](std::size_t length, std::string_view version) {
        return findings(joined({"MSH|^~\\&|||||2026010112||ACK|", std::string(length, 'x'), "|P|", version, "\r"}));
    };
    EXPECT_EQ(control_id(20, "2.5"), "");
    EXPECT_EQ(control_id(21, "2.5"), "W104 MSH-10\n");
    EXPECT_EQ(control_id(199, "2.6"), "");
    EXPECT_EQ(control_id(200, "2.6"), "W104 MSH-10\n");
    EXPECT_EQ(with_schedule("PID|1||7||D||||||||||||||ÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄ\rRGS|1\r"), "") << "16 characters, 32 bytes";
}

TEST(Validate, Repetitions) {
    EXPECT_EQ(with_schedule("PID|1||7~8||D~E||19800101~19800102\rRGS|1\r"), "W102 PID-7\n");
    EXPECT_EQ(findings(joined({header("2.3"), kSch, "PID|1||7||D~E\rRGS|1\r"})), "W102 PID-5\n");
    EXPECT_EQ(with_schedule("RGS|1\rAIL|1||R1~R2\r"), "");
    EXPECT_EQ(findings(joined({header("2.4"), kSch, "RGS|1\rAIL|1||R1~R2|T\r"})), "W102 AIL-3\n");
}

TEST(Validate, Escapes) {
    const auto note = [](std::string_view text) { return with_schedule(joined({"NTE|1||", text, "\rRGS|1\r"})); };
    for (const char* good : {"a\\F\\\\S\\\\T\\\\R\\\\E\\\\P\\b", "\\XC3A9\\", "\\H\\x\\N\\",
                             "\\.br\\\\.sp2\\\\.in+4\\\\.ti-2\\", "\\C2842\\\\M244200\\", "\\Zlocal\\"})
        EXPECT_EQ(note(good), "") << good;
    for (const char* bad : {"BSV 4\\5 re. \\F\\", "\\Q\\", "\\XC3A\\", "\\.zz\\", "\\M1\\", "a\\\\b", "\\f\\"})
        EXPECT_EQ(note(bad), "W102 NTE-3\n") << bad;
    EXPECT_EQ(note("open\\"), "W102 NTE-3\n");
    EXPECT_EQ(note("a~b^\\F^x"), "W102 NTE-3[2].2\n");
    EXPECT_EQ(with_schedule("RGS|1\rZXX|a^b\\\r"), "W102 ZXX-1.2\n") << "Z segments are text as well";
    EXPECT_EQ(with_schedule("NTE|1||C:\\a\\b\\c\rNTE|2||\\\rRGS|1\r"), "W102 NTE-3\nW102 NTE[2]-3\n");
}

TEST(Validate, ControlCharacters) {
    const test::Opened opened = test::open(joined({header(), kSch, "NTE|1||a\tb\rNTE|2||~x\x02\rRGS|1\r"}));
    const std::vector<Finding> list = validate(*opened.message);
    ASSERT_EQ(list.size(), 2U);
    EXPECT_EQ(list[0].path, "NTE-3");
    EXPECT_EQ(list[0].severity, Severity::warning);
    EXPECT_NE(list[0].text.find("0x09"), std::string::npos);
    EXPECT_EQ(list[1].path, "NTE[2]-3[2]");
    EXPECT_NE(list[1].text.find("0x02"), std::string::npos);
}

TEST(Validate, FollowsTheDelimitersOfTheMessage) {
    EXPECT_EQ(findings("MSH$*+!@$A$B$C$D$20260101120000$$SIU*S12*SIU_S12$M1$P$2.5\r"
                       "SCH$P$F$$$$R$$$$$***soon$$$$$K$$$$K\rRGS$1\rAIS$1$$CT1$202601151000$$$30|x\r"),
              "E102 SCH-11.4\nE102 AIS-7\n");
    EXPECT_EQ(findings("MSH|^~|A|B|C|D|2026010112||ACK|1\\Q\\|P|2.5\r"), "W102 MSH-2\n") << "no escape character";
}

TEST(Validate, SentencesNameTheFieldNotTheValue) {
    const test::Opened opened = test::open(joined({header(), kSch, "PID|1||7||Secretname^Hidden||Secretday\rRGS|1\r"}));
    const std::vector<Finding> list = validate(*opened.message);
    ASSERT_EQ(list.size(), 1U);
    EXPECT_EQ(list[0].path, "PID-7");
    EXPECT_EQ(list[0].text,
              "PID-7 (date and time of birth) is not an HL7 date and time (YYYYMMDDHHMM and so on) or not "
              "one of the calendar.");
}

TEST(Validate, FindingsAreBounded) {
    const auto many = [](std::size_t count) {
        std::string text = joined({header(), kSch, "RGS|1\r"});
        for (std::size_t i = 0; i < count; ++i)
            text += "AIS|1||CT1|never\r";
        const test::Opened opened = test::open(text);
        return validate(*opened.message);
    };
    EXPECT_EQ(many(kMaxFindings).size(), kMaxFindings);
    EXPECT_EQ(many(kMaxFindings).back().code, "102");
    const std::vector<Finding> cut = many(kMaxFindings + 1);
    ASSERT_EQ(cut.size(), kMaxFindings + 1);
    EXPECT_EQ(cut.back().severity, Severity::information);
    EXPECT_EQ(cut.back().code, "0");
    EXPECT_EQ(cut.back().path, "");
    EXPECT_EQ(cut[kMaxFindings - 1].path, "AIS[1000]-4");
}

TEST(Validate, TheGuideSampleLacksWhatTheStandardWants) {
    EXPECT_EQ(findings(test::kSample), "W101 MSH-9.3\nE101 SCH-6\nE101 SCH-16\nE101 SCH-20\nW103 SCH-25\n");
}

} // namespace
} // namespace radscheduler
