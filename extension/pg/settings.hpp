// The settings radscheduler.* (GUCs). SQL reads them with current_setting(); only the wake-up needs them here.
#pragma once

namespace radscheduler::pg {

enum Notify { kNotifyAuto, kNotifyTransaction, kNotifyCoalesced, kNotifyOff };

extern int notify_mode;
extern char* worker_database;

// preloading: called from shared_preload_libraries, when settings of the postmaster can be made.
void define_settings(bool preloading);

} // namespace radscheduler::pg
