// The settings radscheduler.* (GUCs). SQL reads most of them with current_setting(); these are needed here too.
#pragma once

namespace radscheduler::pg {

enum Notify { kNotifyAuto, kNotifyTransaction, kNotifyCoalesced, kNotifyOff };

extern int notify_mode;
extern char* worker_database;

// Whether triggers audit each changed row. Functions that audit what they do switch it off in their SET clause, which
// only a superuser's function can.
extern bool audit_changes;

inline constexpr int kDefaultMaxMessageBytes = 128 * 1024 * 1024;
inline constexpr int kSmallestMaxMessageBytes = 1024;
extern int max_message_bytes;

// preloading: called from shared_preload_libraries, when settings of the postmaster can be made.
void define_settings(bool preloading);

} // namespace radscheduler::pg
