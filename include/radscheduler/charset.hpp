// Purpose: bytes of a sender to UTF-8, the only charset inside RadScheduler.
//
// Rule: bytes that are valid UTF-8 are UTF-8, whatever MSH-18 says; else the declared ISO 8859/1 or 8859/15; else
// Windows-1252 (its five undefined bytes as C1 controls) with warning CHARSET_ASSUMED. Other declared charsets are the
// business of an adapter that has iconv. Invariant: the result is valid UTF-8; a NUL byte stays a NUL (normalize()
// has refused it before).
// Source: HL7 v2.5 chapter 2.15.9.18, table 0211.
#pragma once

#include "radscheduler/result.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace radscheduler {

// Strict: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_valid_utf8(std::string_view bytes);

// Longest prefix of at most `limit` bytes that does not cut a UTF-8 character. Precondition: valid UTF-8.
std::string_view utf8_prefix(std::string_view text, std::size_t limit);

struct Utf8Text {
    std::string text;
    std::optional<Warning> warning; // CHARSET_ASSUMED at MSH-18
};

// declared_msh18: MSH-18 as sent (repetitions and all), or empty.
Utf8Text to_utf8(std::string_view bytes, std::string_view declared_msh18);

} // namespace radscheduler
