// Purpose: a message against the HL7 rules that matter to scheduling: the strict check beside the lenient reading.
//
// Checked: MSH (required fields, message type, tables, version, encoding characters), names and order of segments (SIU
// groups), required fields by segment and version, data types, HL7 tables, lengths, repetitions, escapes, control
// characters. Segments without a definition here (Z segments and many others) are checked for text only.
// Findings stand in the order of their places. At most kMaxFindings, then one that says so. Texts never hold values.
// The message need not be acceptable in any way: whatever Message::open() takes is checked, in linear time.
// Source: HL7 v2.3 to v2.8.1 chapters 2, 3, 4, 6, 7, 10; tables as named in the code.
#pragma once

#include "radscheduler/ack.hpp"
#include "radscheduler/message.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace radscheduler {

inline constexpr std::size_t kMaxFindings = 1000;

struct Finding {
    Severity severity = Severity::error;
    std::string path; // "SCH-11.4", "AIP[2]-3", "RGS"
    std::string code; // HL7 table 0357: "101"
    std::string text; // sentence
};

std::vector<Finding> validate(const Message& message);

} // namespace radscheduler
