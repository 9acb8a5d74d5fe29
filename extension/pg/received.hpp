// Bytes as received, made readable: canonical UTF-8 text and its charset warning, or the reason why they are no
// message.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "radscheduler/message.hpp"
#include "radscheduler/result.hpp"
#include "radscheduler/siu/reading.hpp"

namespace radscheduler::pg {

struct Received {
    std::string text; // empty when there is an error
    std::optional<Warning> warning;
    std::optional<SiuError> error;
};

Received receive(std::string_view bytes);

} // namespace radscheduler::pg
