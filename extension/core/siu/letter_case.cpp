// Case mapping by Unicode block.
#include "letter_case.hpp"

#include "../ascii.hpp"

#include <cstdint>

namespace radscheduler::siu {

namespace {

constexpr char32_t kReplacement = 0xFFFD; // stands for a byte that is no character

constexpr bool between(char32_t c, char32_t first, char32_t last) {
    return c >= first && c <= last;
}

// In Latin Extended-A capitals are even, except in two runs where they are odd.
constexpr bool odd_capitals(char32_t c) {
    return between(c, 0x139, 0x148) || between(c, 0x179, 0x17E);
}

constexpr char32_t lower(char32_t c) {
    if (c < 0x80) return static_cast<unsigned char>(to_lower(static_cast<char>(c)));
    if (between(c, 0xC0, 0xDE) && c != 0xD7) return c + 0x20;
    if (c == 0x178) return 0xFF;
    if (c == 0x130 || c == 0x138 || c == 0x149) return c;
    if (between(c, 0x100, 0x17E)) return (c % 2 == 1) == odd_capitals(c) ? c + 1 : c;
    if (between(c, 0x391, 0x3A9) && c != 0x3A2) return c + 0x20;
    if (between(c, 0x410, 0x42F)) return c + 0x20;
    if (between(c, 0x400, 0x40F)) return c + 0x50;
    return c;
}

constexpr bool is_lower_letter(char32_t c) {
    if (c < 0x80) return is_lower(static_cast<char>(c));
    if (between(c, 0xDF, 0xFF)) return c != 0xF7;
    if (between(c, 0x100, 0x17F)) return lower(c) == c && c != 0x130;
    return between(c, 0x3AC, 0x3CE) || between(c, 0x430, 0x45F);
}

constexpr bool is_letter(char32_t c) {
    return c < 0x80 ? is_alpha(static_cast<char>(c)) : c >= 0xC0 && c != 0xD7 && c != 0xF7;
}

// Next code point of valid UTF-8; broken bytes come out one by one.
char32_t next(std::string_view text, std::size_t& position) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = byte(position);
    std::size_t length = 1;
    if (lead >= 0xF0) {
        length = 4;
    } else if (lead >= 0xE0) {
        length = 3;
    } else if (lead >= 0xC0) {
        length = 2;
    }
    if (length == 1 || position + length > text.size()) {
        ++position;
        return lead < 0x80 ? lead : kReplacement;
    }
    char32_t c = lead & (0xFF >> (length + 1));
    for (std::size_t i = 1; i < length; ++i)
        c = (c << 6) | (byte(position + i) & 0x3F);
    position += length;
    return c;
}

} // namespace

bool has_lower_case(std::string_view utf8) {
    for (std::size_t position = 0; position < utf8.size();) {
        if (is_lower_letter(next(utf8, position))) return true;
    }
    return false;
}

std::string title_case(std::string_view utf8) {
    std::string result;
    result.reserve(utf8.size());
    bool after_letter = false;
    for (std::size_t position = 0; position < utf8.size();) {
        const std::size_t begin = position;
        const char32_t c = next(utf8, position);
        const char32_t small = lower(c);
        if (after_letter && small != c && c < 0x80) {
            result.push_back(static_cast<char>(small));
        } else if (after_letter && small != c) { // every mapped letter beyond ASCII has two bytes in both cases
            result.push_back(static_cast<char>(0xC0 | (small >> 6)));
            result.push_back(static_cast<char>(0x80 | (small & 0x3F)));
        } else {
            result.append(utf8.substr(begin, position - begin));
        }
        after_letter = is_letter(c);
    }
    return result;
}

} // namespace radscheduler::siu
