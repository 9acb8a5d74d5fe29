// Checks that hold for the text of any field: escapes and control characters.
#pragma once

#include "finding_list.hpp"
#include "radscheduler/delimiters.hpp"

#include <string_view>

namespace radscheduler {

// One finding for the first control character of a field, one for its first escape that is not closed or unknown. The
// place is refined to repetition and component. Linear in the length of the field.
void check_text(FindingList& findings, Place place, std::string_view field, const Delimiters& delimiters);

} // namespace radscheduler
