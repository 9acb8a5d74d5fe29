// Purpose: the delimiters of one message, as its own header declares them (MSH-1 and MSH-2; FHS and BHS heads have
// the same two fields). Nothing in the core assumes the usual |^~\&.
//
// Invariants: all declared delimiters differ, are printable ASCII and are no letter, digit, blank or double quote
// (`""` is the HL7 null). '\0' means "not declared": such a delimiter never splits and never escapes.
// Source: HL7 v2.5 chapter 2.5.4 (message delimiters), v2.7 chapter 2.5.5.2 (fifth character, truncation).
#pragma once

#include "radscheduler/result.hpp"

#include <string>
#include <string_view>

namespace radscheduler {

struct Delimiters {
    char field = '|';
    char component = '^';
    char repetition = '~';
    char escape = '\\';
    char subcomponent = '&';
    char truncation = '\0';

    // Reads them from a text that begins with MSH, FHS or BHS. Two to five encoding characters are accepted:
    // component, repetition, escape, subcomponent, truncation. The common slip "^~&" (escape forgotten) is read as
    // component, repetition, subcomponent.
    // Errors: no_header, bad_delimiters; Error::offset points at the byte at fault.
    static Result<Delimiters> read(std::string_view text);

    // True for any declared delimiter except the truncation character, which is data wherever it stands.
    constexpr bool separates(char c) const {
        return c != '\0' && (c == field || c == component || c == repetition || c == escape || c == subcomponent);
    }

    friend constexpr bool operator==(const Delimiters&, const Delimiters&) = default;
};

// True when the text begins with a segment that declares delimiters: MSH, FHS or BHS.
bool is_header_name(std::string_view name);

} // namespace radscheduler
