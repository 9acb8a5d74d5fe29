// The version of the daemon, the project's version from CMake.
#pragma once

namespace radscheduler::sidecar {

const char* version_text();

} // namespace radscheduler::sidecar
