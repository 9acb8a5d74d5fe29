#include "mllp/batch_file.hpp"

#include "radscheduler/batch.hpp"

namespace radscheduler::sidecar::mllp {

std::vector<Payload> messages_of(Payload frame) {
    std::vector<Payload> messages;
    const auto bytes = frame.view();
    const auto start = bytes.find_first_not_of("\r\n");
    const auto name = start == std::string_view::npos ? std::string_view() : bytes.substr(start, 3);
    if (name == "FHS" || name == "BHS") {
        for (auto& message : split_batch(bytes).messages) {
            messages.emplace_back(std::move(message.text));
        }
    }
    if (messages.empty()) {
        messages.push_back(std::move(frame));
    }
    return messages;
}

} // namespace radscheduler::sidecar::mllp
