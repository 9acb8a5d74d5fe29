// Purpose: changing one place of a message and nothing else. Every function takes canonical text and gives canonical
// text; bytes outside the place stay as they are.
//
// A path names its whole extent: PID-3 a field with all repetitions, PID-3[2] a repetition, PID-3.4 a component of the
// first repetition, PID-3.4.2 a subcomponent. `*` names every occurrence or repetition that exists.
// MSH-1 and MSH-2 (and their twins in FHS, BHS) cannot be changed: every other place depends on them.
// Errors: bad_edit (Error::path is the path), bad_delimiters and the like when the text is no message.
// Source: HL7 v2.5 chapters 2.5, 2.10.
#pragma once

#include "radscheduler/path.hpp"
#include "radscheduler/result.hpp"

#include <string>
#include <string_view>

namespace radscheduler {

// Puts encoded text at a place. Parts that lie before it and are not there yet are sent empty. A segment that is
// missing is appended (to the group the path names, else to the message) when its number is the next one. The text must
// not hold a separator that would reach beyond the place, a line end or NUL.
Result<std::string> set_encoded(std::string_view canonical, const Path& path, std::string_view encoded);

// The same with plain text, escaped. Two double quotes are the HL7 null; the empty text is sent as nothing.
Result<std::string> set_text(std::string_view canonical, const Path& path, std::string_view text);

// Takes out a segment (path.field == 0) or a repetition, so that later ones move up; empties a field, component or
// subcomponent, and cuts the empty places that are then at the end of what holds it. What is not there stays so.
// The first segment cannot be taken out.
Result<std::string> remove_place(std::string_view canonical, const Path& path);

} // namespace radscheduler
