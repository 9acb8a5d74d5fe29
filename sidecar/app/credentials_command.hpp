// radschedulerd user … and radschedulerd key …: the first users and keys, made by whoever holds DATABASE_URL. A
// password is read from standard input (twice and without echo on a terminal), hashed here, and goes no further.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/load.hpp"

namespace radscheduler::sidecar {

// The exit code, when the arguments are of one of these commands; nothing otherwise.
std::optional<int> credentials_command(const Environment& environment, const std::vector<std::string>& arguments);

} // namespace radscheduler::sidecar
