// Bytes that may hold patient data: message bodies, acknowledgements, HTTP bodies, queries.
// Invariant: a Payload cannot be logged by accident. It has no conversion to a string type, and every formatter
// and stream operator for it is deleted, so a log line that names one does not compile.
#pragma once

#include <iosfwd>
#include <string>
#include <string_view>
#include <utility>

#include <spdlog/fmt/fmt.h>

namespace radscheduler::sidecar {

class Payload {
public:
    Payload() = default;
    explicit Payload(std::string bytes) : bytes_(std::move(bytes)) {}

    // The content, for code that moves it on. Never pass the result to the logger.
    std::string_view view() const { return bytes_; }
    std::string take() && { return std::move(bytes_); }
    std::size_t size() const { return bytes_.size(); }
    bool empty() const { return bytes_.empty(); }

private:
    std::string bytes_;
};

std::ostream& operator<<(std::ostream&, const Payload&) = delete;

} // namespace radscheduler::sidecar

template <>
struct fmt::formatter<radscheduler::sidecar::Payload> {
    formatter() = delete;
    formatter(const formatter&) = delete;
};
