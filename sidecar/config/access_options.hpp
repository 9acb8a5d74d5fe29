// The variables that say who may come in. Part of the table of options.hpp.
#pragma once

#include <vector>

#include "config/options.hpp"

namespace radscheduler::sidecar {

std::vector<Option> access_options();

} // namespace radscheduler::sidecar
