// Messages made here: the guide's sample, and invented appointments for load.
#pragma once

#include <string>
#include <string_view>

#include "tools/load_plan.hpp"

namespace radscheduler::sidecar::tools {

// The guide's own message, byte for byte: CR between segments, none after the last.
std::string_view guide_sample();

// The SIU message of one step of the run `run`. Without `colliding`, slots share neither scanner nor time, and no two
// appointments a patient. With it, they crowd onto four scanners and eight hours, so that most of them conflict.
std::string load_message(const std::string& run, const LoadStep& step, bool colliding);

// MSH-10 of the same message.
std::string load_control_id(const std::string& run, const LoadStep& step);

} // namespace radscheduler::sidecar::tools
