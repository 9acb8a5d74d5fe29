#include "radscheduler/ack.hpp"

#include "radscheduler/charset.hpp"
#include "support.hpp"

#include <gtest/gtest.h>

namespace radscheduler {
namespace {

std::string answer(std::string_view bytes, AckRequest request = {}) {
    const test::Opened opened = test::open(bytes);
    request.original = &*opened.message;
    request.control_id = "R1";
    request.timestamp = "20260101120001";
    return build_ack(request);
}

AckIssue issue(std::string code, std::string path, std::string message) {
    AckIssue result;
    result.code = std::move(code);
    result.path = std::move(path);
    result.user_message = std::move(message);
    return result;
}

std::string version(std::string_view number) {
    return "MSH|^~\\&|A|B|C|D|2026||SIU^S12|M1|P|" + std::string(number) + "\rSCH||1";
}

TEST(Ack, GuideSample) {
    EXPECT_EQ(answer(test::kSample),
              "MSH|^~\\&|RADSCHED|RAD|RIS|MEMORIAL|20260101120001||ACK^S12^ACK|R1|P|2.5\rMSA|AA|MSG001\r");
}

TEST(Ack, PartiesAreSwappedWhole) {
    EXPECT_EQ(answer("MSH|^~\\&|A^1.2^ISO|B&x|C\\T\\c^9|D~d|2026||ADT^A01^ADT_A01|M1|D^T|2.5.1^USA||||||8859/1"),
              "MSH|^~\\&|C\\T\\c^9|D~d|A^1.2^ISO|B&x|20260101120001||ACK^A01^ACK|R1|D^T|2.5.1^USA||||||8859/1\r"
              "MSA|AA|M1\r");
}

TEST(Ack, ControlIdIsByteIdentical) {
    EXPECT_NE(answer("MSH|^~\\&|A|B|C|D|2026||SIU^S12|a\\T\\b^x~y|P|2.5").find("MSA|AA|a\\T\\b^x~y\r"),
              std::string::npos);
}

TEST(Ack, FramingBytesAreNotEchoed) {
    const std::string ack = answer("MSH|^~\\&|A\x1C|B|C|D|2026||SIU^S12|M\x1C|P|2.5");
    EXPECT_EQ(ack.find('\x1C'), std::string::npos);
    EXPECT_NE(ack.find("MSA|AA|M\r"), std::string::npos);
}

TEST(Ack, SendersDelimiters) {
    AckRequest request;
    request.code = AckCode::error;
    request.issues = {issue("101", "SCH-2", "50% of it$ is missing")};
    EXPECT_EQ(answer("MSH$%*@!$A$B$C$D$2026$$SIU%S12$M1$P$2.5", request),
              "MSH$%*@!$C$D$A$B$20260101120001$$ACK%S12%ACK$R1$P$2.5\rMSA$AE$M1\r"
              "ERR$$SCH%1%2$101%Required field missing%HL70357$E$$$$50@S@ of it@F@ is missing\r");
}

TEST(Ack, MessageTypeFollowsTheVersion) {
    EXPECT_NE(answer(version("2.3")).find("||ACK|R1|P|2.3\r"), std::string::npos);
    EXPECT_NE(answer(version("2.3.1")).find("||ACK|R1"), std::string::npos);
    EXPECT_NE(answer(version("2.4")).find("||ACK^S12^ACK|R1"), std::string::npos);
    EXPECT_NE(answer(version("2.8.1")).find("||ACK^S12^ACK|R1"), std::string::npos);
    EXPECT_NE(answer(version("strange")).find("||ACK^S12^ACK|R1"), std::string::npos);
    EXPECT_NE(answer("MSH|^~\\&|A|B|C|D|2026||SIU|M1|P|2.5").find("||ACK|R1"), std::string::npos);
}

TEST(Ack, ModernErrorSegment) {
    AckRequest request;
    request.code = AckCode::error;
    request.issues = {issue("102", "AIS[2]-4[1].1", "No such day.")};
    request.issues[0].diagnostic = "seen in field 4";
    const std::string ack = answer(version("2.5.1"), request);
    EXPECT_NE(ack.find("MSA|AE|M1\rERR||AIS^2^4^1^1|102^Data type error^HL70357|E|||seen in field 4|No such day.\r"),
              std::string::npos)
        << ack;
}

TEST(Ack, OldErrorSegment) {
    AckRequest request;
    request.code = AckCode::reject;
    request.text = "Unsupported event.";
    request.issues = {issue("201", "MSH-9.2", "S99 is not known.")};
    const std::string ack = answer(version("2.3.1"), request);
    EXPECT_NE(ack.find("MSA|AR|M1|Unsupported event.\rERR|MSH^1^9^201&S99 is not known.\r"), std::string::npos) << ack;
}

TEST(Ack, WarningsRideOnAnAcceptedMessageFrom25On) {
    AckRequest request;
    request.text = "Accepted with a conflict.";
    request.issues = {issue("0", "AIG[1]", "The scanner is booked twice.")};
    request.issues[0].severity = Severity::warning;
    EXPECT_NE(
        answer(version("2.5"), request)
            .find("MSA|AA|M1|Accepted with a conflict.\rERR||AIG^1|0^Message accepted^HL70357|W||||The scanner is "
                  "booked twice.\r"),
        std::string::npos);
    const std::string old = answer(version("2.3"), request);
    EXPECT_TRUE(old.ends_with("MSA|AA|M1|Accepted with a conflict.\r")) << old;
}

TEST(Ack, TextMovesToErrWhereMsa3IsWithdrawn) {
    AckRequest request;
    request.text = "Accepted with a remark.";
    const std::string ack = answer(version("2.7"), request);
    EXPECT_NE(ack.find("MSA|AA|M1\rERR|||0^Message accepted^HL70357|I||||Accepted with a remark.\r"), std::string::npos)
        << ack;
}

TEST(Ack, MissingControlIdGivesAnEmptyMsa2) {
    AckRequest request;
    request.code = AckCode::error;
    request.issues = {issue("101", "MSH-10", "Send a control id.")};
    const std::string ack = answer("MSH|^~\\&|A|B|C|D|2026||SIU^S12||P|2.5", request);
    EXPECT_NE(ack.find("\rMSA|AE|\rERR||MSH^1^10|101^"), std::string::npos) << ack;
}

TEST(Ack, ShiftedHeaderIsAnsweredByItsRealControlId) {
    EXPECT_NE(answer("MSH|^~\\&|A|B|C|D|2026|SIU^S14|77|P|2.3").find("||ACK|R1|P|2.3\rMSA|AA|77\r"), std::string::npos);
}

TEST(Ack, ABatchIsAnsweredInTheDelimitersOfItsHead) {
    EXPECT_TRUE(answer("FHS|^~\\&|X\rMSH|bad||C|D|2026||SIU^S12|M1|P|2.5").starts_with("MSH|^~\\&|"));
    EXPECT_EQ(answer("FHS|^~\\&|X"), "MSH|^~\\&|||||20260101120001||ACK|R1|P|2.5\rMSA|AA|\r");
}

TEST(Ack, BytesWithoutAHeader) {
    AckRequest request;
    request.code = AckCode::reject;
    request.control_id = "R1";
    request.timestamp = "20260101120001";
    request.issues = {issue("100", "", "The text does not begin with MSH.")};
    EXPECT_EQ(build_ack(request), "MSH|^~\\&|RADSCHEDULER||||20260101120001||ACK|R1|P|2.5\rMSA|AR|\r"
                                  "ERR|||100^Segment sequence error^HL70357|E||||The text does not begin with MSH.\r");
}

TEST(Ack, StaysShort) {
    AckRequest request;
    request.code = AckCode::error;
    request.text = std::string(3000, 'x');
    for (int i = 0; i < 30; ++i)
        request.issues.push_back(issue("102", "SCH-11.4", std::string(400, '|') + "\xC3\xA9"));
    const std::string ack = answer(version("2.5"), request);
    EXPECT_LE(ack.size(), kMaxAckBytes);
    EXPECT_TRUE(ack.ends_with("\r"));
    EXPECT_NE(ack.find("ERR||SCH^1^11^1^4|102^"), std::string::npos);
    EXPECT_LE(answer(version("2.3"), request).size(), kMaxAckBytes);
}

TEST(Ack, CutsNeitherCharactersNorEscapes) {
    for (std::size_t length = 200; length < 420; ++length) {
        AckRequest request;
        request.code = AckCode::error;
        std::string text;
        while (text.size() < length)
            text += "\xC3\xA9|";
        request.text = text;
        request.issues = {issue("207", "", text), issue("207", "", text)};
        const std::string ack = answer(version("2.5"), request);
        EXPECT_LE(ack.size(), kMaxAckBytes);
        EXPECT_TRUE(is_valid_utf8(ack));
        std::size_t escapes = 0;
        for (const char c : ack)
            escapes += c == '\\' ? 1 : 0;
        EXPECT_EQ(escapes % 2, 1U) << "one lone escape character stands in MSH-2";
    }
}

TEST(Ack, HugeHeaderFieldsAreCutButNotTheControlId) {
    const std::string party(400, 'p');
    const std::string ack =
        answer("MSH|^~\\&|" + party + "|" + party + "|" + party + "|" + party + "|2026||SIU^S12|M1|P|2.5");
    EXPECT_LE(ack.size(), kMaxAckBytes);
    EXPECT_NE(ack.find("MSA|AA|M1\r"), std::string::npos);
    const std::string id(2000, 'i');
    EXPECT_NE(answer("MSH|^~\\&|A|B|C|D|2026||SIU^S12|" + id + "|P|2.5").find("MSA|AA|" + id + "\r"),
              std::string::npos);
}

TEST(Ack, CommitCodesHaveTheSameForm) {
    const std::string header = "MSH|^~\\&|A|B|C|D|2026||SIU^S12^SIU_S12|M1|P|2.5|||AL|NE||8859/1";
    AckRequest request;
    request.code = AckCode::commit_accept;
    EXPECT_EQ(answer(header, request), "MSH|^~\\&|C|D|A|B|20260101120001||ACK^S12^ACK|R1|P|2.5||||||8859/1\r"
                                       "MSA|CA|M1\r")
        << "an accept acknowledgement is not acknowledged: MSH-15 and MSH-16 stay empty";
    request.issues = {issue("102", "SCH-11.4", "No such day.")};
    request.code = AckCode::commit_error;
    EXPECT_NE(answer(header, request).find("MSA|CE|M1\rERR||SCH^1^11^1^4|102^"), std::string::npos);
    request.code = AckCode::commit_reject;
    EXPECT_NE(answer(header, request).find("MSA|CR|M1\rERR||"), std::string::npos);
    EXPECT_NE(answer(version("2.3.1"), request).find("MSA|CR|M1\rERR|SCH^1^11^102&No such day.\r"), std::string::npos);
    request.code = AckCode::commit_accept;
    EXPECT_TRUE(answer(version("2.3.1"), request).ends_with("MSA|CA|M1\r")) << "no ERR beside an acceptance";
}

TEST(Ack, CharsetIsCarriedWithItsRepetitions) {
    EXPECT_NE(answer("MSH|^~\\&|A|B|C|D|2026||SIU^S12|M1|P|2.3.1||||||~ISO IR87").find("|2.3.1||||||~ISO IR87\r"),
              std::string::npos);
    EXPECT_NE(answer("MSH$%*@!$A$B$C$D$2026$$SIU%S12$M1$P$2.5$$$$$$8859/1*8859/2").find("$2.5$$$$$$8859/1*8859/2\r"),
              std::string::npos);
}

TEST(Ack, TableTexts) {
    EXPECT_EQ(hl7_error_text("101"), "Required field missing");
    EXPECT_EQ(hl7_error_text("999"), "");
}

TEST(Ack, ResponseBringsItsSegments) {
    AckRequest request;
    request.message_code = "SRR";
    request.structure = "SRR_S01";
    request.segments = {"SCH|P1^EHR|7^RADSCHEDULER", "NTE|1||a \\T\\ b"};
    EXPECT_EQ(answer("MSH|^~\\&|A|B|C|D|2026||SRM^S01^SRM_S01|M1|P|2.5.1\rARQ|P1", request),
              "MSH|^~\\&|C|D|A|B|20260101120001||SRR^S01^SRR_S01|R1|P|2.5.1\rMSA|AA|M1\r"
              "SCH|P1^EHR|7^RADSCHEDULER\rNTE|1||a \\T\\ b\r");
}

TEST(Ack, ResponseToAnEarlyVersionHasNoStructure) {
    AckRequest request;
    request.message_code = "SRR";
    request.structure = "SRR_S01";
    EXPECT_NE(answer("MSH|^~\\&|A|B|C|D|2026||SRM^S04|M1|P|2.3\rARQ|P1", request).find("||SRR^S04|R1|"),
              std::string::npos);
}

TEST(Ack, SegmentsAreWrittenInTheSendersDelimiters) {
    AckRequest request;
    request.segments = {"SCH|P1^EH$R~x&y|\\F\\ \\X41\\ %\r\n\x1C|", "PID|é"};
    EXPECT_EQ(answer("MSH$%*@!$A$B$C$D$2026$$SRM%S01$M1$P$2.5", request),
              "MSH$%*@!$C$D$A$B$20260101120001$$ACK%S01%ACK$R1$P$2.5\rMSA$AA$M1\r"
              "SCH$P1%EH@F@R*x!y$| @X41@ @S@$\rPID$é\r");
}

TEST(Ack, MissingDelimitersBecomeBlanks) {
    AckRequest request;
    request.segments = {"SCH|P1^EHR~x&y"};
    EXPECT_NE(answer("MSH|^~|A|B|C|D|2026||SRM^S01|M1|P|2.5", request).find("SCH|P1^EHR~x y\r"), std::string::npos);
}

} // namespace
} // namespace radscheduler
