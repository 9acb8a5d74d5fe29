// The rules of the door: whether a credential is asked for at all, and what the configuration may not be in production.
// Pure decisions over Settings, so that --check-config can tell all of them at once.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/settings.hpp"

namespace radscheduler::sidecar::auth {

// Asked for in production, wherever a key for tokens is configured, or by RADSCHED_AUTH=required.
bool is_required(const Settings& settings);

// A secret that stands in somebody's source code or documentation, this project's ancestors included.
bool is_published(std::string_view secret);

// A whole file; empty when it cannot be read.
std::string read_document(const std::string& path);

struct Judgement {
    std::vector<std::string> problems; // the daemon does not start
    std::vector<std::string> warnings; // said loudly at each start
};
Judgement judge(const Settings& settings);

} // namespace radscheduler::sidecar::auth
