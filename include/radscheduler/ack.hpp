// Purpose: acknowledgements of the original mode (MSA-1 AA, AE, AR) and of the enhanced mode (CA, CE, CR as well), in
// one form. Which of them a message asks for: ack_mode.hpp.
//
// Invariants: whole MSH-3..6 swapped as raw text; the sender's delimiters; MSA-2 byte-identical to MSH-10 (only the
// framing bytes 0x0B and 0x1C, which MLLP cannot carry, are left out); every segment ends in CR; without the segments
// of a response at most kMaxAckBytes, reached by cutting texts, then dropping ERR segments from the end, then cutting
// MSH-3..6, never inside a UTF-8 character or an escape. MSA-2 is never cut: only a control id of more than about 500
// bytes makes a longer acknowledgement. Open the Message on the bytes as received (normalised, not converted), so that
// what is echoed stays in the sender's charset. Texts given here should be ASCII and must not hold patient data.
// Source: HL7 v2.5 chapters 2.9.2, 2.15.1 (ACK), 2.15.5 (ERR), 2.15.8 (MSA); ELD: v2.3.1 chapter 2.24.4.
#pragma once

#include "radscheduler/message.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace radscheduler {

inline constexpr std::size_t kMaxAckBytes = 999;

// AA, AE, AR, CA, CE, CR
enum class AckCode { accept, error, reject, commit_accept, commit_error, commit_reject };
enum class Severity { error, warning, information };

struct AckIssue {
    std::string code; // HL7 table 0357: "101"
    std::string path; // "SCH-11.4", "AIP[2]-3[1].1"; empty: no location
    Severity severity = Severity::error;
    std::string user_message; // ERR-8, a sentence
    std::string diagnostic;   // ERR-7
};

struct AckRequest {
    const Message* original = nullptr; // nullptr: no header could be read
    AckCode code = AckCode::accept;
    std::string control_id;                   // MSH-10 of the acknowledgement
    std::string timestamp;                    // MSH-7, HL7 form
    std::string text;                         // MSA-3, versions before 2.7 only
    std::vector<AckIssue> issues;             // one ERR each (before 2.5 only when code is no acceptance)
    std::string application = "RADSCHEDULER"; // MSH-3 when there is no original
    // A response instead of the general acknowledgement: MSH-9.1 and MSH-9.3 ("SRR", "SRR_S01"), and what follows MSA
    // and ERR, one segment each in the usual delimiters; they are written in the sender's.
    std::string message_code = "ACK", structure = "ACK";
    std::vector<std::string> segments;
};

std::string build_ack(const AckRequest& request);

// "AA" and so on (HL7 table 0008), and back; nullopt for any other word.
std::string_view ack_code_name(AckCode code);
std::optional<AckCode> ack_code_named(std::string_view name);

// Text of an HL7 table 0357 code: "Required field missing" for "101"; empty when unknown.
std::string_view hl7_error_text(std::string_view code);

} // namespace radscheduler
