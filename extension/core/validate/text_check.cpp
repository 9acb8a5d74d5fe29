// Escapes and control characters.
#include "text_check.hpp"

#include "../ascii.hpp"
#include "../escape_scan.hpp"

namespace radscheduler {

namespace {

bool is_control(char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}

// "0x09"; the character is none that could be patient data.
std::string shown(char c) {
    constexpr char kDigits[] = "0123456789ABCDEF";
    const auto byte = static_cast<unsigned char>(c);
    return {'0', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
}

// Repetition and component of a byte of the field; no component where the repetition has only one.
Place refined(Place place, std::string_view field, std::size_t offset, const Delimiters& delimiters) {
    std::size_t component = 1;
    std::size_t begin = 0;
    for (std::size_t i = 0; i < offset; ++i) {
        if (field[i] == delimiters.repetition) {
            ++place.repetition;
            component = 1;
            begin = i + 1;
        } else if (field[i] == delimiters.component) {
            ++component;
        }
    }
    const std::string_view repetition = field.substr(begin, field.find(delimiters.repetition, begin) - begin);
    if (repetition.find(delimiters.component) != std::string_view::npos) place.component = component;
    return place;
}

bool all_hex(std::string_view text) {
    for (const char c : text) {
        if (hex_value(c) < 0) return false;
    }
    return !text.empty();
}

// Escapes that HL7 defines (2.7), local ones (Z) included.
bool is_known_escape(std::string_view body) {
    constexpr std::string_view kSingle = "FSTREPHN";
    if (body.empty()) return false;
    if (body.size() == 1) return kSingle.find(body.front()) != std::string_view::npos;
    const std::string_view rest = body.substr(1);
    switch (body.front()) {
    case 'X':
        return rest.size() % 2 == 0 && all_hex(rest);
    case 'C':
        return rest.size() == 4 && all_hex(rest);
    case 'M':
        return (rest.size() == 4 || rest.size() == 6) && all_hex(rest);
    case 'Z':
        return true;
    case '.': {
        std::string ignored;
        return FormattedText(ignored).command(body);
    }
    default:
        return false;
    }
}

void check_escapes(FindingList& findings, const Place& place, std::string_view field, const Delimiters& delimiters) {
    EscapeScanner scanner(field, delimiters);
    for (EscapePiece piece; scanner.next(piece);) {
        if (!piece.closed && piece.text.front() != delimiters.escape) continue;
        if (piece.closed && is_known_escape(piece.body)) continue;
        const auto offset = static_cast<std::size_t>(piece.text.data() - field.data());
        findings.warn(refined(place, field, offset, delimiters), fault::kDataType,
                      piece.closed
                          ? "The field holds an escape sequence that HL7 does not define; write a plain escape "
                            "character as the sequence E."
                          : "The field holds an escape character that opens a sequence without closing it; "
                            "write a plain escape character as the sequence E.");
        return;
    }
}

} // namespace

void check_text(FindingList& findings, Place place, std::string_view field, const Delimiters& delimiters) {
    for (std::size_t i = 0; i < field.size(); ++i) {
        if (!is_control(field[i])) continue;
        findings.warn(refined(place, field, i, delimiters), fault::kDataType,
                      "The field holds the control character " + shown(field[i]) +
                          "; leave it out or send it as a hexadecimal escape.");
        break;
    }
    if (delimiters.escape != '\0' && field.find(delimiters.escape) != std::string_view::npos) {
        check_escapes(findings, place, field, delimiters);
    }
}

} // namespace radscheduler
