// Messages out of files: one message, many one after another, or a capture with MLLP frames.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace radscheduler::sidecar::tools {

// A capture with frames gives the bytes inside each frame untouched. Any other file is cut before every line that
// begins with MSH; line ends LF and CRLF become CR, batch envelope lines (FHS, BHS, BTS, FTS), blank lines and a UTF-8
// byte order mark are left out, and no CR follows the last segment. A file without MSH is one message, so that bad
// input can be sent too.
std::vector<std::string> split_messages(std::string_view file);

// "AA" from the MSA segment of an acknowledgement; empty when there is none.
std::string ack_code(std::string_view ack);
// MSA-2.
std::string ack_control_id(std::string_view ack);
// One segment per line, control characters made visible, for a terminal.
std::string readable(std::string_view message);

} // namespace radscheduler::sidecar::tools
