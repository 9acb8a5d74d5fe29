// A frame may hold a batch or a file (FHS BHS MSH ... BTS FTS): its messages are processed and answered one by one.
#pragma once

#include <vector>

#include "obs/payload.hpp"

namespace radscheduler::sidecar::mllp {

// The messages of a frame in their order; the frame itself when it is no batch, or one without any message.
std::vector<Payload> messages_of(Payload frame);

} // namespace radscheduler::sidecar::mllp
