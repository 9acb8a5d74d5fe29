// What a message tells about its patient that decides about exams: observations (OBX: kidney function, weight, height,
// pregnancy), allergies (AL1) and diagnoses (DG1). Source: HL7 v2.5 chapters 7.4.2 (OBX), 3.4.6 (AL1), 6.5.2 (DG1);
// codes of LOINC.
#pragma once

#include "context.hpp"
#include "radscheduler/message.hpp"

#include <vector>

namespace radscheduler::siu {

// In the order of their segments. Observations of other kinds are passed over. Remarks FACT_UNREADABLE for a value that
// is none, FACT_NOT_FINAL for a result that its laboratory does not stand by yet, BAD_TIME for a time that is none;
// what is remarked with the first two is not read. Texts of remarks hold no values.
std::vector<SiuFact> read_facts(Context& context, const Message& message);

} // namespace radscheduler::siu
