// Purpose: joins what a sender had to cut: a message sent as several (DSC at the end of one, MSH-14 of the next), and
// a segment sent as several (ADD).
//
// Rules: DSC-1 of a fragment equals MSH-14 of the next; MSH-3, MSH-4, MSH-9 and the delimiters are those of the first.
// Every fragment but the last ends in its DSC. An ADD continues the last character of the segment before it, where the
// first ADD of a later fragment continues the last segment of the fragment before. An ADD without text marks a segment
// that goes on in the next ADD. A header (MSH) is never continued. An empty DSC-1 at the very end means "no more".
// Result: canonical text; the first MSH as it was, no DSC, no ADD.
// Source: HL7 v2.5 chapters 2.10.2, 2.15.1 (ADD), 2.15.4 (DSC), 2.15.9.14 (MSH-14).
#pragma once

#include "radscheduler/result.hpp"

#include <span>
#include <string>
#include <string_view>

namespace radscheduler {

// The fragments in the order sent; one alone is joined within itself.
// Errors: those of Message::open(), and bad_fragment. The sentence names the fragment (from 1), Error::path the place
// in it, Error::offset the byte of the segment in it.
Result<std::string> join_continuation(std::span<const std::string_view> canonical_fragments);

} // namespace radscheduler
