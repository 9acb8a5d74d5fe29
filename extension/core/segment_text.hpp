// The raw text of one segment in other delimiters.
#pragma once

#include "radscheduler/delimiters.hpp"

#include <string>
#include <string_view>

namespace radscheduler {

// A segment written in the usual delimiters |^~\& as `delimiters` write it, saying the same: separators are exchanged,
// data that separates there is escaped, and data that separates only here no longer is. Where `delimiters` lacks one, a
// blank stands instead. Framing bytes and line ends are left out.
std::string in_delimiters(std::string_view segment, const Delimiters& delimiters);

} // namespace radscheduler
