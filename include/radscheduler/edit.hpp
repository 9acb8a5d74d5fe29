// Purpose: changing a message text at a path, and building one from nothing but paths and texts.
//
// Every function takes canonical text and gives new canonical text; nothing but the named place changes, except that
// separators are added up to a place that is not there yet. A path names the extent that get_raw() reads: PID-3 the
// whole field, PID-3[2] one repetition, PID-3.4 a component of the first repetition, PID-3.4.2 a subcomponent. `*`
// changes every group, segment or repetition that exists. A segment one past the last (NTE[3] where there are two) is
// added at the end of the message, or of the group that the path names. MSH-1 and MSH-2 never change, nor do those of
// FHS and BHS.
// Errors: those of Message::open(), and bad_edit with Error::path the path. Cost: the sizes of message and result.
// Source: HL7 v2.5 chapters 2.5, 2.6, 2.7.
#pragma once

#include "radscheduler/delimiters.hpp"
#include "radscheduler/path.hpp"
#include "radscheduler/result.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace radscheduler {

// By so much a change may make a message grow, beyond the size of one value: only `*` and far indexes come near.
inline constexpr std::size_t kMaxEditGrowth = std::size_t{64} * 1024 * 1024;

// Writes text that is already encoded: it may hold the separators below the level of the place, and escapes.
// Afterwards get_raw() of the path gives the same text.
Result<std::string> set_value(std::string_view canonical, const Path& path, std::string_view encoded);

// Writes plain text, escaped. `""` (two double quotes) is written as the HL7 null, empty text as nothing.
Result<std::string> set_text(std::string_view canonical, const Path& path, std::string_view text);

// Takes a place out. A segment (path.field == 0; a group's first segment goes without its group) or a repetition named
// by its number goes away and later ones move up. A field, component or subcomponent is emptied; if it was the last of
// its parent, the separators before it go too, and so on upwards. What is not there is no error: the text comes back
// as it was. The segment that begins the message cannot be removed.
Result<std::string> remove_value(std::string_view canonical, const Path& path);

struct PathText {
    Path path;
    std::string_view text;
};

// A message that begins as MSH with these delimiters and has the texts set in order, as set_text() does.
// Errors: bad_delimiters too, when no header can declare them.
Result<std::string> build_message(std::span<const PathText> texts, const Delimiters& delimiters = {});

} // namespace radscheduler
