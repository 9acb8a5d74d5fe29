#include "http/trace.hpp"

#include <algorithm>
#include <array>

#include <openssl/rand.h>

namespace radscheduler::sidecar::http {
namespace {

constexpr std::string_view digits = "0123456789abcdef";

bool is_hex(std::string_view text) {
    return text.find_first_not_of(digits) == std::string_view::npos;
}

bool is_zero(std::string_view text) {
    return text.find_first_not_of('0') == std::string_view::npos;
}

// version "-" trace-id "-" parent-id "-" flags. A later version may have more after the flags.
bool is_well_formed(std::string_view text) {
    if (text.size() < 55 || text[2] != '-' || text[35] != '-' || text[52] != '-') {
        return false;
    }
    const auto version = text.substr(0, 2);
    if (!is_hex(version) || version == "ff" || (version == "00" && text.size() != 55) ||
        (text.size() > 55 && text[55] != '-')) {
        return false;
    }
    const auto trace = text.substr(3, 32);
    const auto parent = text.substr(36, 16);
    return is_hex(trace) && !is_zero(trace) && is_hex(parent) && !is_zero(parent) && is_hex(text.substr(53, 2));
}

} // namespace

std::string trace_id_of(std::string_view traceparent) {
    if (is_well_formed(traceparent)) {
        return std::string(traceparent.substr(3, 32));
    }
    std::array<unsigned char, 16> bytes{};
    RAND_bytes(bytes.data(), static_cast<int>(bytes.size()));
    std::string id;
    for (const auto byte : bytes) {
        id += digits[byte >> 4U];
        id += digits[byte & 15U];
    }
    return id;
}

} // namespace radscheduler::sidecar::http
