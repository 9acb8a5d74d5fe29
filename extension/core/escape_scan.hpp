// Where the escape sequences of a raw text are, for everything that rewrites them. decode() and hex_to_utf8() must
// agree on what opens an escape, or the second would change what the first takes for text.
#pragma once

#include "radscheduler/delimiters.hpp"
#include "radscheduler/escape.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace radscheduler {

// A stretch of raw text between two escapes, or an escape with its body.
struct EscapePiece {
    std::string_view text; // as it stands, escape characters included
    std::string_view body; // of a closed escape: what stands between its two escape characters
    bool closed = false;
};

// Takes pieces off the text one by one. A closed piece that means nothing to the caller has to go back with reopen(),
// which decides whether it is an unknown escape, kept whole (\Z99\), or a stray backslash in free text whose closing
// character may open another escape ("BSV 4\5 re. \F\"). An escape never reaches over a delimiter or a CR.
// Linear: an escape is looked at once more when it is reopened, never twice.
class EscapeScanner {
public:
    EscapeScanner(std::string_view raw, const Delimiters& delimiters) : rest_(raw), delimiters_(delimiters) {}

    bool next(EscapePiece& piece);

    // The part of the closed piece just given that stands for itself: all of it, or its first character, and then the
    // rest is read again.
    std::string_view reopen(const EscapePiece& piece);

private:
    std::string_view rest_;
    Delimiters delimiters_;
};

// Appends the bytes of a hex run ("XC3A9"). False, with nothing appended, when it is none: odd, empty, not hex, or
// holding a NUL.
bool append_hex_bytes(std::string& out, std::string_view body);

// The bytes that append_hex_bytes() put behind `mark`, if they are not UTF-8, through the hook (may be nullptr). False,
// with nothing left behind `mark`, when they give no text.
bool settle_hex_bytes(std::string& out, std::size_t mark, const HexText* hex);

// Formatting commands for Formatting::rendered (escape_format.cpp).
class FormattedText {
public:
    explicit FormattedText(std::string& out) : out_(out) {}

    // False when the body is no formatting command.
    bool command(std::string_view body);

    // To be called before anything that prints is appended.
    void print();

private:
    void end_line(std::size_t times);

    std::string& out_;
    int indent_ = 0;
    int extra_ = 0;
    bool line_is_empty_ = true;
};

} // namespace radscheduler
