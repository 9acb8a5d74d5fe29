// Escape sequences in both directions.
#include "radscheduler/escape.hpp"

#include "ascii.hpp"
#include "radscheduler/charset.hpp"

#include <cstddef>

namespace radscheduler {

namespace {

// An unknown escape is kept whole (\Z99\) only if it looks like one; otherwise its opening character is a stray
// backslash in free text and what follows is read on its own ("BSV 4\5 re. \F\").
constexpr std::size_t kLongestUnknownEscape = 32;

bool looks_like_escape(std::string_view body) {
    if (body.size() > kLongestUnknownEscape) return false;
    for (const char c : body) {
        if (!is_alpha(c) && !is_digit(c) && c != '.' && c != '+' && c != '-') return false;
    }
    return true;
}

// The single delimiter that a one-letter escape stands for, or '\0'.
char delimiter_for(char letter, const Delimiters& delimiters) {
    switch (letter) {
    case 'F':
        return delimiters.field;
    case 'S':
        return delimiters.component;
    case 'T':
        return delimiters.subcomponent;
    case 'R':
        return delimiters.repetition;
    case 'E':
        return delimiters.escape;
    case 'P':
        return delimiters.truncation;
    default:
        return '\0';
    }
}

bool append_hex(std::string& out, std::string_view digits) {
    if (digits.empty() || digits.size() % 2 != 0) return false;
    const std::size_t mark = out.size();
    for (std::size_t i = 0; i < digits.size(); i += 2) {
        const int high = hex_value(digits[i]);
        const int low = hex_value(digits[i + 1]);
        if (high < 0 || low < 0 || (high | low) == 0) {
            out.resize(mark);
            return false;
        }
        out.push_back(static_cast<char>(high * 16 + low));
    }
    if (!is_valid_utf8(std::string_view(out).substr(mark))) {
        out.resize(mark);
        return false;
    }
    return true;
}

bool append_meaning(std::string& out, std::string_view body, const Delimiters& delimiters) {
    if (body.size() == 1) {
        const char meaning = delimiter_for(body[0], delimiters);
        if (meaning == '\0') return false;
        out.push_back(meaning);
        return true;
    }
    if (body == ".br") {
        out.push_back('\n');
        return true;
    }
    return !body.empty() && body[0] == 'X' && append_hex(out, body.substr(1));
}

// End of the escape's body, or npos when a delimiter or the end of the text comes first.
std::size_t body_end(std::string_view raw, std::size_t begin, const Delimiters& delimiters) {
    for (std::size_t i = begin; i < raw.size(); ++i) {
        if (raw[i] == delimiters.escape) return i;
        if (delimiters.separates(raw[i])) return std::string_view::npos;
    }
    return std::string_view::npos;
}

} // namespace

void decode_to(std::string& out, std::string_view raw, const Delimiters& delimiters) {
    if (delimiters.escape == '\0') {
        out.append(raw);
        return;
    }
    std::size_t position = 0;
    while (true) {
        const std::size_t open = raw.find(delimiters.escape, position);
        out.append(raw.substr(position, open == std::string_view::npos ? open : open - position));
        if (open == std::string_view::npos) return;
        const std::size_t close = body_end(raw, open + 1, delimiters);
        if (close == std::string_view::npos) {
            out.push_back(delimiters.escape);
            position = open + 1;
            continue;
        }
        const std::string_view body = raw.substr(open + 1, close - open - 1);
        if (append_meaning(out, body, delimiters)) {
            position = close + 1;
        } else if (looks_like_escape(body)) {
            out.append(raw.substr(open, close - open + 1));
            position = close + 1;
        } else {
            out.push_back(delimiters.escape);
            position = open + 1;
        }
    }
}

std::string decode(std::string_view raw, const Delimiters& delimiters) {
    if (delimiters.escape == '\0' || raw.find(delimiters.escape) == std::string_view::npos) return std::string(raw);
    std::string out;
    out.reserve(raw.size());
    decode_to(out, raw, delimiters);
    return out;
}

std::string escape(std::string_view text, const Delimiters& delimiters) {
    const bool can_escape = delimiters.escape != '\0';
    const bool dot_is_safe = !delimiters.separates('.');
    std::string out;
    out.reserve(text.size() + 8);
    const auto sequence = [&](std::string_view body) {
        if (!can_escape) {
            out.push_back(' ');
            return;
        }
        out.push_back(delimiters.escape);
        out.append(body);
        out.push_back(delimiters.escape);
    };
    const auto hex = [&](char c) {
        constexpr char digits[] = "0123456789ABCDEF";
        const auto byte = static_cast<unsigned char>(c);
        const char body[] = {'X', digits[byte >> 4], digits[byte & 15]};
        sequence({body, sizeof body});
    };
    if (text == "\"\"") { // would be read as the HL7 null
        hex('"');
        hex('"');
        return out;
    }
    for (const char c : text) {
        if (c == delimiters.field) {
            sequence("F");
        } else if (c == delimiters.component) {
            sequence("S");
        } else if (c == delimiters.repetition) {
            sequence("R");
        } else if (can_escape && c == delimiters.escape) {
            sequence("E");
        } else if (delimiters.subcomponent != '\0' && c == delimiters.subcomponent) {
            sequence("T");
        } else if (can_escape && delimiters.truncation != '\0' && c == delimiters.truncation) {
            sequence("P");
        } else if (c == '\n' && dot_is_safe) {
            sequence(".br");
        } else if (c == '\0') {
            out.push_back(' ');
        } else if (static_cast<unsigned char>(c) < 0x20 && c != '\t') {
            hex(c);
        } else {
            out.push_back(c);
        }
    }
    return out;
}

} // namespace radscheduler
