// The guard that keeps DROP away from the extension while there are records.
#pragma once

namespace radscheduler::pg {

// Called once when the library is loaded.
void install_drop_guard();

} // namespace radscheduler::pg
