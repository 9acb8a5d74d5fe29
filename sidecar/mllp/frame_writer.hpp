// Puts a message into an MLLP frame, as one block of bytes for one write.
#pragma once

#include <string>
#include <string_view>

#include "mllp/frame_reader.hpp"

namespace radscheduler::sidecar::mllp {

inline std::string framed(std::string_view message) {
    std::string frame;
    frame.reserve(message.size() + 3);
    frame += start_block;
    frame += message;
    frame += end_block;
    frame += end_return;
    return frame;
}

} // namespace radscheduler::sidecar::mllp
