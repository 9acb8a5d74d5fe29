// The loadable module: magic block and initialisation.
#include "drop_guard.hpp"
#include "settings.hpp"
#include "wake.hpp"

#include "guard.hpp"

extern "C" {
PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void); // NOLINT(bugprone-reserved-identifier): PostgreSQL calls it by this name
}

void _PG_init(void) {
    radscheduler::pg::define_settings(process_shared_preload_libraries_in_progress);
    if (process_shared_preload_libraries_in_progress) radscheduler::pg::install_wake_worker();
    radscheduler::pg::install_drop_guard();
}
