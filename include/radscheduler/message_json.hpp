// Purpose: a message as JSON and back, without loss: message_from_json() of message_json() gives the same text.
//
// Form: an array of segments in order. A segment is an array whose element 0 is its name and whose element n is field
// n, so that PID-3 stands at index 3; in header segments element 1 is the field separator and element 2 the encoding
// characters, verbatim. A field that holds no separator is one leaf. Any other field is an array of repetitions, a
// repetition a leaf or an array of components, a component a leaf or an array of subcomponents; depth tells the level:
//   x -> "x"    x~y -> ["x","y"]    x^y -> [["x","y"]]    x&y -> [[["x","y"]]]    x^y~z -> [["x","y"],"z"]
// A leaf is its decoded text; "" was sent as nothing, null is the HL7 null; what was not sent has no element. A leaf
// that was spelled in another way than escape() would is {"text": decoded, "raw": as sent}; on the way back either will
// do, and both must agree. Source: HL7 v2.5 chapter 2.5.
#pragma once

#include "radscheduler/json_token.hpp"
#include "radscheduler/json_writer.hpp"
#include "radscheduler/message.hpp"
#include "radscheduler/path.hpp"

#include <span>
#include <string>

namespace radscheduler {

std::string message_json(const Message& message);

// What a path names, in the form above: PID-3 a field, PID-3[2] a repetition, PID-3.4 a component of the first
// repetition, PID a whole segment. With `*` an array of those, empty when there are none. False, with nothing written,
// when a path without `*` names what was not sent.
bool write_extent_json(JsonWriter& writer, const Message& message, const Path& path);

// Canonical text of the message that the tokens of one JSON value describe. Numbers stand for their digits. The result
// is not yet known to open as a message: what stands in it may still be refused by Message::open().
// Errors: bad_json; Error::path is the place ("[3][5][0]": segment 3, field 5, first repetition).
Result<std::string> message_from_json(std::span<const JsonToken> tokens);

} // namespace radscheduler
