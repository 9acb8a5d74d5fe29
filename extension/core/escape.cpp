// Escape sequences in both directions.
#include "radscheduler/escape.hpp"

#include "ascii.hpp"
#include "escape_scan.hpp"

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

// True when the body has a meaning, which is then appended. `formatted` is set for Formatting::rendered only.
bool append_meaning(std::string& out, std::string_view body, const Delimiters& delimiters, const DecodeOptions& options,
                    FormattedText* formatted) {
    if (body.size() == 1) {
        if (const char meaning = delimiter_for(body[0], delimiters); meaning != '\0') {
            if (formatted != nullptr) formatted->print();
            out.push_back(meaning);
            return true;
        }
    }
    if (formatted != nullptr) {
        if (looks_like_escape(body) && formatted->command(body)) return true;
        formatted->print();
    } else if (body == ".br" && options.formatting == Formatting::line_breaks) {
        out.push_back('\n');
        return true;
    }
    const std::size_t mark = out.size();
    return append_hex_bytes(out, body) && settle_hex_bytes(out, mark, options.hex);
}

// End of the escape's body, or npos when a delimiter, a CR or the end of the text comes first.
std::size_t body_end(std::string_view raw, const Delimiters& delimiters) {
    for (std::size_t i = 1; i < raw.size(); ++i) {
        if (raw[i] == delimiters.escape) return i;
        if (delimiters.separates(raw[i]) || raw[i] == '\r') return std::string_view::npos;
    }
    return std::string_view::npos;
}

} // namespace

bool EscapeScanner::next(EscapePiece& piece) {
    if (rest_.empty()) return false;
    std::size_t length = rest_.find(delimiters_.escape);
    piece.closed = false;
    if (length == 0) {
        const std::size_t close = body_end(rest_, delimiters_);
        piece.closed = close != std::string_view::npos;
        piece.body = piece.closed ? rest_.substr(1, close - 1) : std::string_view{};
        length = piece.closed ? close + 1 : 1;
    }
    piece.text = rest_.substr(0, length);
    rest_.remove_prefix(piece.text.size());
    return true;
}

std::string_view EscapeScanner::reopen(const EscapePiece& piece) {
    if (looks_like_escape(piece.body)) return piece.text;
    rest_ = {piece.text.data() + 1, piece.text.size() - 1 + rest_.size()};
    return piece.text.substr(0, 1);
}

void decode_to(std::string& out, std::string_view raw, const Delimiters& delimiters, const DecodeOptions& options) {
    if (delimiters.escape == '\0' || raw.find(delimiters.escape) == std::string_view::npos) {
        out.append(raw);
        return;
    }
    FormattedText rendered(out);
    FormattedText* const formatted = options.formatting == Formatting::rendered ? &rendered : nullptr;
    EscapeScanner scanner(raw, delimiters);
    for (EscapePiece piece; scanner.next(piece);) {
        if (piece.closed) {
            if (append_meaning(out, piece.body, delimiters, options, formatted)) continue;
            piece.text = scanner.reopen(piece);
        }
        if (formatted != nullptr) formatted->print();
        out.append(piece.text);
    }
}

std::string decode(std::string_view raw, const Delimiters& delimiters, const DecodeOptions& options) {
    if (delimiters.escape == '\0' || raw.find(delimiters.escape) == std::string_view::npos) return std::string(raw);
    std::string out;
    out.reserve(raw.size());
    decode_to(out, raw, delimiters, options);
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
