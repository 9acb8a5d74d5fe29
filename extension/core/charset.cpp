// UTF-8 validation and the three fallback charsets.
#include "radscheduler/charset.hpp"

#include "ascii.hpp"

#include <array>
#include <cstdint>
#include <cstring>

namespace radscheduler {

namespace {

enum class Charset { latin1, latin9, windows1252, other };

// Windows-1252, bytes 0x80..0x9F; the five undefined ones map to the C1 control of the same number.
constexpr std::array<char16_t, 32> kWindows1252 = {0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
                                                   0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x008D, 0x017D, 0x008F,
                                                   0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                                   0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178};

char16_t to_unicode(unsigned char byte, Charset charset) {
    if (charset == Charset::windows1252 && byte >= 0x80 && byte <= 0x9F) return kWindows1252[byte - 0x80];
    if (charset == Charset::latin9) {
        switch (byte) {
        case 0xA4:
            return 0x20AC;
        case 0xA6:
            return 0x0160;
        case 0xA8:
            return 0x0161;
        case 0xB4:
            return 0x017D;
        case 0xB8:
            return 0x017E;
        case 0xBC:
            return 0x0152;
        case 0xBD:
            return 0x0153;
        case 0xBE:
            return 0x0178;
        default:
            break;
        }
    }
    return byte;
}

void append_utf8(std::string& out, char16_t unit) {
    if (unit < 0x80) {
        out.push_back(static_cast<char>(unit));
    } else if (unit < 0x800) {
        out.push_back(static_cast<char>(0xC0 | (unit >> 6)));
        out.push_back(static_cast<char>(0x80 | (unit & 0x3F)));
    } else {
        out.push_back(static_cast<char>(0xE0 | (unit >> 12)));
        out.push_back(static_cast<char>(0x80 | ((unit >> 6) & 0x3F)));
        out.push_back(static_cast<char>(0x80 | (unit & 0x3F)));
    }
}

// MSH-18 may repeat; the first repetition is the default charset. Letters and digits only, so that the many
// spellings (8859/1, ISO-8859-1, ISO_8859_1, ISO IR100) fall together.
Charset declared_charset(std::string_view msh18) {
    std::string key;
    for (const char c : msh18) {
        if (is_alpha(c) || is_digit(c)) {
            key.push_back(to_upper(c));
        } else if (c != '/' && c != '-' && c != '_' && c != ' ' && c != '.') {
            break;
        }
    }
    if (key.starts_with("ISO")) key.erase(0, 3);
    if (key == "88591" || key == "IR100" || key == "LATIN1") return Charset::latin1;
    if (key == "885915" || key == "LATIN9") return Charset::latin9;
    return Charset::other;
}

} // namespace

bool is_valid_utf8(std::string_view bytes) {
    const auto* position = reinterpret_cast<const unsigned char*>(bytes.data());
    const auto* const end = position + bytes.size();
    const auto continues = [](unsigned char c) { return (c & 0xC0) == 0x80; };
    while (position != end) {
        if (end - position >= 8) {
            std::uint64_t word;
            std::memcpy(&word, position, sizeof word);
            if ((word & 0x8080808080808080ULL) == 0) {
                position += 8;
                continue;
            }
        }
        const unsigned char lead = *position;
        if (lead < 0x80) {
            ++position;
            continue;
        }
        const auto left = end - position;
        if (lead >= 0xC2 && lead <= 0xDF) {
            if (left < 2 || !continues(position[1])) return false;
            position += 2;
        } else if (lead >= 0xE0 && lead <= 0xEF) {
            if (left < 3 || !continues(position[1]) || !continues(position[2])) return false;
            if (lead == 0xE0 && position[1] < 0xA0) return false; // overlong
            if (lead == 0xED && position[1] > 0x9F) return false; // surrogate
            position += 3;
        } else if (lead >= 0xF0 && lead <= 0xF4) {
            if (left < 4 || !continues(position[1]) || !continues(position[2]) || !continues(position[3])) return false;
            if (lead == 0xF0 && position[1] < 0x90) return false; // overlong
            if (lead == 0xF4 && position[1] > 0x8F) return false; // above U+10FFFF
            position += 4;
        } else {
            return false;
        }
    }
    return true;
}

std::string_view utf8_prefix(std::string_view text, std::size_t limit) {
    if (text.size() <= limit) return text;
    while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xC0) == 0x80)
        --limit;
    return text.substr(0, limit);
}

Utf8Text to_utf8(std::string_view bytes, std::string_view declared_msh18) {
    if (is_valid_utf8(bytes)) return {std::string(bytes), std::nullopt};
    Charset charset = declared_charset(declared_msh18);
    Utf8Text result;
    if (charset == Charset::other) {
        charset = Charset::windows1252;
        result.warning = Warning{"CHARSET_ASSUMED", "MSH-18",
                                 declared_msh18.empty()
                                     ? "The bytes are not UTF-8 and MSH-18 names no charset; they were read as "
                                       "Windows-1252. Name the charset in MSH-18."
                                     : "The bytes are not UTF-8 and the charset in MSH-18 does not explain them; they "
                                       "were read as Windows-1252. Correct MSH-18 or send UTF-8."};
    }
    result.text.reserve(bytes.size() + bytes.size() / 8);
    for (const char c : bytes)
        append_utf8(result.text, to_unicode(static_cast<unsigned char>(c), charset));
    return result;
}

} // namespace radscheduler
