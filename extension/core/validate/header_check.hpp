// What is particular to fields of MSH: encoding characters, message type, processing id, version.
#pragma once

#include "finding_list.hpp"
#include "hl7_version.hpp"
#include "radscheduler/delimiters.hpp"

#include <string_view>

namespace radscheduler {

// MSH-2.
void check_encoding_characters(FindingList& findings, const Place& place, std::string_view text, Version version);

// MSH-9, MSH-11 and MSH-12; all others pass. Empty fields pass too: FieldCheck asks for them.
void check_header_field(FindingList& findings, const Place& place, std::string_view text, const Delimiters& delimiters,
                        Version version);

// The structure that HL7 gives the events of SIU (S12 to S24, S26, S27): SIU_S12. Empty for any other event.
std::string_view siu_structure(std::string_view event);

} // namespace radscheduler
