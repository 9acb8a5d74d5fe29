// ORM^O01 and OMI^O23: what is ordered, by whom, for when. Source: HL7 v2.5 chapters 4.5.1 (ORC), 4.5.3 (OBR), 4.5.4
// (TQ1), 4.5.6 (IPC), 4.4.1 (ORM), 4.4.10 (OMI).
#pragma once

#include "context.hpp"
#include "radscheduler/message.hpp"

#include <vector>

namespace radscheduler::siu {

bool is_order(const MessageHeader& header);

// One per ORC, and one per OBR that has no ORC or brings its own order number beside the one of its ORC. Remarks
// EXTRA_SEGMENT for a further OBR of the same order, BAD_TIME for a time that is none (strict: error 102).
std::vector<SiuOrder> read_orders(Context& context, const Message& message);

} // namespace radscheduler::siu
