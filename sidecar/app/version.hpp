// The version of the daemon, the project's version from CMake.
#pragma once

namespace radscheduler::sidecar {

const char* version_text();
// The commit it was built from; "unknown" without git.
const char* commit_text();

} // namespace radscheduler::sidecar
