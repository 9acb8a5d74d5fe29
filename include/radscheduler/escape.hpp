// Purpose: HL7 escape sequences, decoded once at the leaf and written on output.
//
// decode(): \F\ \S\ \T\ \R\ \E\ give the message's own delimiters, \P\ its truncation character, \Xhh..\ bytes,
// \.br\ a line feed. Everything else is kept as sent: unknown and local escapes, charset shifts, highlighting, a lone
// escape character, an odd or empty hex run, and any hex run that would give NUL or bytes that are not valid UTF-8.
// An escape never reaches over a delimiter. Letters are case sensitive.
// Invariant: valid UTF-8 without NUL in, valid UTF-8 without NUL out.
// escape(): the inverse for a leaf. decode(escape(t, d), d) == t for every valid UTF-8 text without NUL, provided that
// d declares an escape character; without one, delimiters and control characters become blanks.
// Source: HL7 v2.5 chapter 2.7, v2.7 chapter 2.7 (\P\).
#pragma once

#include "radscheduler/delimiters.hpp"

#include <string>
#include <string_view>

namespace radscheduler {

std::string decode(std::string_view raw, const Delimiters& delimiters);

// Appends instead of returning, for callers that reuse a buffer.
void decode_to(std::string& out, std::string_view raw, const Delimiters& delimiters);

std::string escape(std::string_view text, const Delimiters& delimiters);

} // namespace radscheduler
