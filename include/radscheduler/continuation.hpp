// Purpose: joining the fragments of a message that its sender cut in pieces.
//
// A fragment that goes on ends in DSC|pointer, and the MSH-14 of the next fragment repeats the pointer. Where the cut
// is within a segment, a bare ADD stands behind that segment (before DSC) and the next fragment begins, after its MSH,
// with ADD|rest: the text behind the first separator goes on where the cut segment ended, without a separator between.
// One message may also hold such a pair without DSC. The result is the first MSH with all other segments, no DSC, no
// ADD. Fragments are given in order. Source: HL7 v2.5 chapter 2.10.2, 2.15.1 (ADD), 2.15.4 (DSC).
#pragma once

#include "radscheduler/result.hpp"

#include <span>
#include <string>
#include <string_view>

namespace radscheduler {

// Errors: bad_fragment, Error::offset is the fragment's number from 1 and Error::path the place in it: no fragment, a
// pointer that does not match, another sender, type or delimiters, an interactive continuation (DSC-2 = I), the last
// fragment going on; those of Message::open() when a fragment is no message.
Result<std::string> join_continuation(std::span<const std::string_view> fragments);

// Whether the message goes on in another one (its last segment is a DSC with a pointer).
bool continues(std::string_view canonical);

} // namespace radscheduler
