// Purpose: bytes of a sender to UTF-8, the only charset inside RadScheduler.
//
// Order of to_utf8(): a charset set for the sender (override), unless it fails; valid UTF-8, whatever MSH-18 says,
// except for text with escape sequences whose declared charset is of the ISO 2022 family (such text is all 7-bit and so
// always valid UTF-8); the declared charset; Windows-1252 with warning CHARSET_ASSUMED (its five undefined bytes as C1
// controls). ISO 8859/1, 8859/15 and Windows-1252 are built in and never fail; all others need a CharsetConverter,
// because the core has no iconv. A conversion that fails gives warning CHARSET_FAILED and the next step is tried.
// Invariant: the result is valid UTF-8 and no byte is dropped in silence; a NUL byte stays a NUL (normalize() has
// refused it before).
//
// The whole text is converted at once, delimiters and all: in ISO-2022-JP, Shift_JIS, Big5 and GB18030 a byte of a
// two-byte character may equal a delimiter, never CR or LF. So normalize() may come first, but a message is split into
// fields only after the conversion. The exception is MSH-18 itself, which has to be read before: a sender that writes
// two-byte characters in MSH-3..6 can hide it, and needs the override.
// Source: HL7 v2.5 chapters 2.15.9.18 (MSH-18), 2.7.2 (multiple character sets), tables 0211 and 0356.
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

// Encoding name for iconv of a charset named as in HL7 table 0211 ("8859/2", "ISO IR87", "GB 18030-2000") or in a
// common spelling of its own ("ISO-8859-2", "WINDOWS-1252", "EUC-KR"). Blanks, case and punctuation do not count. The
// result is a static string; empty when the name is unknown or is_wide_unicode().
std::string_view iconv_name(std::string_view charset);

// UTF-16 and UTF-32, known but refused: they do not contain ASCII as single bytes, so that no HL7 delimiter can be
// found in them (and normalize() refuses their NUL bytes).
bool is_wide_unicode(std::string_view charset);

// Encoding name for iconv of a message that declares MSH-18 as given (raw, repetitions and all). The first repetition
// is the charset the message begins in, later ones are reached by ISO 2022 escape sequences; `bytes` decides between
// the 7-bit and the 8-bit form of a set, and which Japanese sets are at hand. Static string; empty when unknown.
std::string_view declared_encoding(std::string_view msh18, char repetition_separator, std::string_view bytes);

// Converts from an iconv encoding, appending UTF-8. False when the encoding is unknown or the bytes are not of it; what
// was appended is then undone by the caller.
struct CharsetConverter {
    bool (*convert)(void* context, std::string_view encoding, std::string_view bytes, std::string& out_utf8);
    void* context;
};

// Appends `bytes` of an iconv encoding as UTF-8: built-in tables first, then the converter (may be nullptr). On false,
// or when the converter gives something that is not UTF-8, `out` is as it was.
bool convert_charset(std::string_view encoding, std::string_view bytes, const CharsetConverter* converter,
                     std::string& out);

struct Utf8Text {
    std::string text;
    std::optional<Warning> warning; // CHARSET_ASSUMED or CHARSET_FAILED at MSH-18
    std::string encoding;           // iconv name of what the bytes were read as: "UTF-8", "ISO-8859-1", ...
};

// bytes: the whole message (delimiters are read from its header; `~` repeats when there is none).
// declared_msh18: MSH-18 as sent (repetitions and all), or empty.
// override_charset: a name of table 0211 or of iconv that holds for this sender whatever MSH-18 says, or empty.
Utf8Text to_utf8(std::string_view bytes, std::string_view declared_msh18, const CharsetConverter* converter = nullptr,
                 std::string_view override_charset = {});

} // namespace radscheduler
