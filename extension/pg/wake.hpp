// Telling listeners that event_log has grown. A NOTIFY in every commit serialises commits across the cluster; so a
// transaction only sets a flag in shared memory when it commits, and one background worker notifies at most every 20
// ms. A lost wake-up costs latency, never an event: whoever listens also polls.
#pragma once

namespace radscheduler::pg {

// Asks for shared memory and registers the worker; only from shared_preload_libraries.
void install_wake_worker();

} // namespace radscheduler::pg
