// Which patient of an ADT message goes into which: MRG is the one that is given up, PID before it the one that stays.
// Source: HL7 v2.5 chapter 3.3 (A18, A30, A34, A40), 3.4.9 (MRG).
#pragma once

#include "context.hpp"
#include "radscheduler/message.hpp"

#include <optional>
#include <vector>

namespace radscheduler::siu {

bool is_merge(const MessageHeader& header);

// One per MRG in order; an MRG before any PID has nobody to go into. A40 may repeat the pair.
// `first` is the first PID, read before.
std::vector<SiuMerge> read_merges(Context& context, const Message& message, const std::optional<SiuPatient>& first);

} // namespace radscheduler::siu
