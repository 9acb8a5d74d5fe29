// Parsed paths, kept between the calls of one expression. A path is nearly always a constant of the statement, so a
// function parses it at the first row and compares bytes from then on.
#pragma once

#include <span>
#include <string_view>

#include "radscheduler/path.hpp"

#include "guard.hpp"

namespace radscheduler::pg {

// Where a path may stand: one value (no `*`), any number of values, or also a whole segment.
enum class PathUse { one_value, many_values, one_extent, many_extents };

// The path in argument `argument` (text). nullptr with the failure set (22023) when it is none, or says `*` where
// `function` reads one value. The path lives as long as the calling expression, or to the end of the call where there
// is none. May longjmp; throws std::bad_alloc.
const Path* cached_path(FunctionCallInfo fcinfo, int argument, PathUse use, const char* function, Failure* failure);

// The paths in argument `argument` (text[], no NULLs); data() == nullptr with the failure set.
std::span<const Path> cached_paths(FunctionCallInfo fcinfo, int argument, const char* function, Failure* failure);

// One path text, not cached. False with the failure set.
bool read_path(std::string_view text, PathUse use, const char* function, Path* path, Failure* failure);

} // namespace radscheduler::pg
