// Which event a message tells, for counting: MSH-9.2, one of a fixed list, so that a sender cannot invent labels.
#pragma once

#include <string_view>

namespace radscheduler::sidecar::mllp {

// A word of TriggerCounts::words; "other" for every other event and for bytes without a header.
std::string_view trigger_of(std::string_view message);

} // namespace radscheduler::sidecar::mllp
