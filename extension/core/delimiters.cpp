// Reading the delimiters out of a header segment.
#include "radscheduler/delimiters.hpp"

#include "ascii.hpp"

#include <cstddef>
#include <string>

namespace radscheduler {

namespace {

constexpr std::size_t kMaxEncodingCharacters = 5;

bool can_delimit(char c) {
    return c > ' ' && c < 0x7F && !is_digit(c) && !is_alpha(c) && c != '"';
}

std::string shown(char c) {
    if (c > ' ' && c < 0x7F) return std::string("'") + c + "'";
    constexpr char digits[] = "0123456789ABCDEF";
    const auto byte = static_cast<unsigned char>(c);
    return std::string("byte 0x") + digits[byte >> 4] + digits[byte & 15];
}

Error bad(std::size_t offset, std::string path, std::string text) {
    return {ErrorCode::bad_delimiters, offset, std::move(path), std::move(text)};
}

} // namespace

bool is_header_name(std::string_view name) {
    return name == "MSH" || name == "FHS" || name == "BHS";
}

Result<Delimiters> Delimiters::read(std::string_view text) {
    if (text.size() < 3 || !is_header_name(text.substr(0, 3))) {
        return Error{ErrorCode::no_header, 0, "MSH",
                     "The text does not begin with an MSH segment; send one HL7 v2 message that starts with MSH."};
    }
    const std::string segment(text.substr(0, 3));
    if (text.size() < 4 || text[3] == '\r' || text[3] == '\n') {
        return bad(3, segment + "-1",
                   segment + " ends before its field separator; the fourth character must be one, usually '|'.");
    }
    Delimiters result;
    result.field = text[3];
    if (!can_delimit(result.field)) {
        return bad(3, segment + "-1",
                   segment + "-1 is " + shown(result.field) +
                       ", which cannot separate fields; use a punctuation character, usually '|'.");
    }

    std::size_t end = 4;
    while (end < text.size() && text[end] != result.field && text[end] != '\r' && text[end] != '\n')
        ++end;
    const std::string_view encoding = text.substr(4, end - 4);
    if (encoding.size() < 2 || encoding.size() > kMaxEncodingCharacters) {
        return bad(4, segment + "-2",
                   segment + "-2 holds " + std::to_string(encoding.size()) +
                       " encoding characters; two to five are allowed, usually ^~\\&.");
    }
    for (std::size_t i = 0; i < encoding.size(); ++i) {
        const char c = encoding[i];
        if (!can_delimit(c)) {
            return bad(4 + i, segment + "-2",
                       segment + "-2 holds " + shown(c) +
                           ", which cannot be a delimiter; use punctuation characters, usually ^~\\&.");
        }
        if (encoding.find(c) != i) {
            return bad(4 + i, segment + "-2",
                       segment + "-2 uses " + shown(c) + " twice; every delimiter must be different.");
        }
    }

    result.component = encoding[0];
    result.repetition = encoding[1];
    if (encoding == "^~&") {
        result.escape = '\0';
        result.subcomponent = '&';
        return result;
    }
    result.escape = encoding.size() > 2 ? encoding[2] : '\0';
    result.subcomponent = encoding.size() > 3 ? encoding[3] : '\0';
    result.truncation = encoding.size() > 4 ? encoding[4] : '\0';
    return result;
}

} // namespace radscheduler
