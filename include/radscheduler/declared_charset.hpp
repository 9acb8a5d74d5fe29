// Purpose: MSH-18 of a message whose charset is not known yet.
//
// In Big5, GB18030, Shift_JIS and ISO 2022 a byte of a two-byte character may equal a delimiter, so that one such
// character before MSH-18 moves every field behind it. Where the plain reading does not explain the bytes, the header
// is converted by each of those encodings in turn; the one whose converted header names that very encoding is meant.
// Source: HL7 v2.5 chapter 2.15.9.18.
#pragma once

#include "radscheduler/charset.hpp"
#include "radscheduler/message.hpp"

#include <string>

namespace radscheduler {

// MSH-18 as sent, repetitions and all; empty when there is none. `raw` is opened on the bytes as received (normalised).
std::string find_msh18(const Message& raw, const CharsetConverter* converter);

// Whether a byte within a character of this iconv encoding may equal a delimiter.
bool hides_delimiters(std::string_view encoding);

} // namespace radscheduler
