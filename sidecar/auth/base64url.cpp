#include "auth/base64url.hpp"

#include <cstdint>

namespace radscheduler::sidecar::auth {
namespace {

constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

} // namespace

std::optional<std::string> from_base64url(std::string_view text) {
    if (text.size() % 4 == 1) {
        return std::nullopt;
    }
    std::string bytes;
    bytes.reserve(text.size() * 3 / 4);
    std::uint32_t held = 0;
    unsigned bits = 0;
    for (const char c : text) {
        const auto value = letters.find(c);
        if (value == std::string_view::npos) {
            return std::nullopt;
        }
        held = (held << 6U) | static_cast<std::uint32_t>(value);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            bytes += static_cast<char>(static_cast<unsigned char>(held >> bits));
            held &= (1U << bits) - 1U;
        }
    }
    if (held != 0) {
        return std::nullopt;
    }
    return bytes;
}

std::string to_base64url(std::string_view bytes) {
    std::string text;
    text.reserve((bytes.size() * 4 + 2) / 3);
    std::uint32_t held = 0;
    unsigned bits = 0;
    for (const char c : bytes) {
        held = (held << 8U) | static_cast<unsigned char>(c);
        bits += 8;
        while (bits >= 6) {
            bits -= 6;
            text += letters[(held >> bits) & 63U];
        }
        held &= (1U << bits) - 1U;
    }
    if (bits > 0) {
        text += letters[(held << (6 - bits)) & 63U];
    }
    return text;
}

} // namespace radscheduler::sidecar::auth
