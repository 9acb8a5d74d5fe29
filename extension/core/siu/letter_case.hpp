// Letter case for names, beyond ASCII but without locale or tables: Latin-1, Latin Extended-A, Greek, Cyrillic.
#pragma once

#include <string>
#include <string_view>

namespace radscheduler::siu {

bool has_lower_case(std::string_view utf8);

// "O'BRIEN-MÜLLER" to "O'Brien-Müller": a capital after everything that is no letter. Precondition: valid UTF-8.
std::string title_case(std::string_view utf8);

} // namespace radscheduler::siu
