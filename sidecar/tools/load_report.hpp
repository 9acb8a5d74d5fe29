// What a load run says about itself, while it runs and at its end.
#pragma once

#include <string>

#include "tools/load.hpp"

namespace radscheduler::sidecar::tools {

// One line: a bar when the end is known, counts, the rate so far and what is left.
std::string progress_line(const LoadOptions& options, const LoadResult& result, double seconds);

std::string to_text(const LoadOptions& options, const LoadResult& result);
// One line of JSON.
std::string to_json(const LoadOptions& options, const LoadResult& result);

} // namespace radscheduler::sidecar::tools
