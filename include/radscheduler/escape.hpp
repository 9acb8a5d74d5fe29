// Purpose: HL7 escape sequences, decoded once at the leaf and written on output.
//
// decode(): \F\ \S\ \T\ \R\ \E\ give the message's own delimiters, \P\ its truncation character, \Xhh..\ bytes, and
// formatting commands what DecodeOptions::formatting says. Everything else is kept as sent: unknown and local escapes,
// charset shifts, a lone escape character, an odd or empty hex run, and any hex run that gives no text (NUL, or bytes
// that are not UTF-8 and that the hook does not know either).
// An escape never reaches over a delimiter. Letters are case sensitive.
// Invariants: valid UTF-8 without NUL in, valid UTF-8 without NUL out; the output is at most as long as the input, or
// 32 times that when formatting is rendered (indents and blank lines), apart from what the hook makes of its bytes.
// escape(): the inverse for a leaf. decode(escape(t, d), d) == t for every valid UTF-8 text without NUL, provided that
// d declares an escape character; without one, delimiters and control characters become blanks.
// Source: HL7 v2.5 chapter 2.7 (2.7.3 highlighting, 2.7.6 formatted text), v2.7 chapter 2.7 (\P\).
#pragma once

#include "radscheduler/delimiters.hpp"

#include <string>
#include <string_view>

namespace radscheduler {

enum class Formatting {
    kept,        // every formatting command stays as sent
    line_breaks, // \.br\ is a line feed, all others stay
    // .br and .ce: line feed. .sp<n>: n line feeds. .sk<n>: n blanks. .in<n>: n blanks before each line from here on,
    // the one that stands empty included. .ti<n>: n more (or fewer) for one line. .fi, .nf, H and N: nothing.
    // A number left out is 1 (0 for .in and .ti); numbers beyond 99 count as 99.
    rendered,
};

// Text of a hex run that is not UTF-8: bytes in the message's own charset (MSH-18). Appends; false when the bytes give
// no text. What is appended counts only if it is valid UTF-8 without NUL.
struct HexText {
    bool (*to_utf8)(void* context, std::string_view bytes, std::string& out);
    void* context;
};

struct DecodeOptions {
    Formatting formatting = Formatting::line_breaks;
    const HexText* hex = nullptr;
};

std::string decode(std::string_view raw, const Delimiters& delimiters, const DecodeOptions& options = {});

// Appends instead of returning, for callers that reuse a buffer.
void decode_to(std::string& out, std::string_view raw, const Delimiters& delimiters, const DecodeOptions& options = {});

std::string escape(std::string_view text, const Delimiters& delimiters);

// A whole message whose hex runs all stand in UTF-8: each run that decode() would hand to the hook is written as the
// run of its UTF-8 bytes (\XE9\ of ISO 8859/1 becomes \XC3A9\). Nothing else is touched. For a message that leaves the
// charset it was sent in.
std::string hex_to_utf8(std::string_view canonical, const Delimiters& delimiters, const HexText& hex);

} // namespace radscheduler
