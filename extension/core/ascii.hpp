// Character classes and case folding for ASCII, independent of the C locale.
#pragma once

#include <string>
#include <string_view>

namespace radscheduler {

constexpr bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
constexpr bool is_upper(char c) {
    return c >= 'A' && c <= 'Z';
}
constexpr bool is_lower(char c) {
    return c >= 'a' && c <= 'z';
}
constexpr bool is_alpha(char c) {
    return is_upper(c) || is_lower(c);
}
constexpr bool is_blank(char c) {
    return c == ' ' || c == '\t';
}
// What MLLP puts around a message (HL7 v2.5 appendix C.4); never part of one.
constexpr bool is_framing(char c) {
    return c == '\x0B' || c == '\x1C';
}

// UTF-8's, which some programs put before a message.
inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

constexpr char to_upper(char c) {
    return is_lower(c) ? static_cast<char>(c - 'a' + 'A') : c;
}
constexpr char to_lower(char c) {
    return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c;
}

constexpr int hex_value(char c) {
    if (is_digit(c)) return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

constexpr bool all_digits(std::string_view text) {
    for (const char c : text) {
        if (!is_digit(c)) return false;
    }
    return !text.empty();
}

constexpr std::string_view trim(std::string_view text) {
    while (!text.empty() && is_blank(text.front()))
        text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back()))
        text.remove_suffix(1);
    return text;
}

inline std::string upper(std::string_view text) {
    std::string result(text);
    for (char& c : result)
        c = to_upper(c);
    return result;
}

// Value of up to nine digits. Precondition: all_digits(text).
constexpr int digits_value(std::string_view text) {
    int value = 0;
    for (const char c : text)
        value = value * 10 + (c - '0');
    return value;
}

} // namespace radscheduler
