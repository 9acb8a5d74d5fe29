#include "mllp/trigger.hpp"

#include "obs/trigger_counts.hpp"

namespace radscheduler::sidecar::mllp {

std::string_view trigger_of(std::string_view message) {
    constexpr int separators_before_type = 8; // MSH-9 is the ninth field, and the first separator is MSH-1
    const auto start = message.find_first_not_of("\r\n");
    if (start == std::string_view::npos || message.substr(start, 3) != "MSH" || message.size() < start + 8) {
        return TriggerCounts::known("");
    }
    message = message.substr(start, message.find_first_of("\r\n", start) - start);
    const char field = message[3];
    const char component = message[4];
    for (int i = 0; i < separators_before_type; ++i) {
        const auto end = message.find(field);
        message = end == std::string_view::npos ? std::string_view() : message.substr(end + 1);
    }
    message = message.substr(0, message.find(field));
    const auto first = message.find(component);
    message = first == std::string_view::npos ? std::string_view() : message.substr(first + 1);
    return TriggerCounts::known(message.substr(0, message.find(component)));
}

} // namespace radscheduler::sidecar::mllp
