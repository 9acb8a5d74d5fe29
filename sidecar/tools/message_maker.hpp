// Messages made here: the guide's sample, and invented appointments for load.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace radscheduler::sidecar::tools {

// The guide's own message, byte for byte: CR between segments, none after the last.
std::string_view guide_sample();

// SIU^S12 number `index` of the run `run`. Without `colliding`, no two messages share patient, scanner and time. With
// it, they crowd onto four scanners and eight hours, so that most of them conflict.
std::string load_message(const std::string& run, std::uint64_t index, bool colliding);

} // namespace radscheduler::sidecar::tools
