// Identifiers of patients (CX) out of PID and MRG. Source: HL7 v2.5 chapters 2.A.14 (CX), 3.4.2 (PID), 3.4.9 (MRG).
#pragma once

#include "../segment_fields.hpp"
#include "context.hpp"
#include "radscheduler/siu/reading.hpp"

#include <cstddef>
#include <initializer_list>
#include <string>
#include <vector>

namespace radscheduler::siu {

// Every repetition of `list` that has a value; when there is none, of the first older field that has one. An older
// field often numbers patients in another way without saying so, and must not point at a stranger beside an identifier
// that is known. What programs write for "none" (null, UNKNOWN, 000) would make all who have it one person: it is left
// out and remarked as ID_PLACEHOLDER. `segment` names it in remarks: "PID", "MRG[2]".
std::vector<SiuIdentifier> read_identifiers(Context& context, const std::string& segment, const SegmentFields& fields,
                                            std::size_t list, std::initializer_list<std::size_t> older);

} // namespace radscheduler::siu
