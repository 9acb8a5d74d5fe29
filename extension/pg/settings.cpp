// Definition of the settings; each boot value equals the C initial value, as PostgreSQL checks.
#include "settings.hpp"

#include <algorithm>
#include <string_view>

#include "guard.hpp"

namespace radscheduler::pg {

int notify_mode = kNotifyAuto;
char* worker_database = nullptr;
bool audit_changes = true;
int max_message_bytes = kDefaultMaxMessageBytes;

namespace {

bool auto_provision = true;
char* site = nullptr;
char* new_sender_profile = nullptr;
char* default_timezone = nullptr;
char* actor = nullptr;
char* purpose = nullptr;
char* trace_id = nullptr;

const config_enum_entry notify_options[] = {{"auto", kNotifyAuto, false},
                                            {"transaction", kNotifyTransaction, false},
                                            {"coalesced", kNotifyCoalesced, false},
                                            {"off", kNotifyOff, false},
                                            {nullptr, 0, false}};

// A zone that does not exist must not wait for the first message to be found out.
bool check_timezone(char** value, void**, GucSource) {
    if (**value == '\0' || pg_tzset(*value) != nullptr) return true;
    GUC_check_errdetail("Use an IANA name such as America/New_York; pg_timezone_names lists them.");
    return false;
}

constexpr std::size_t kLongestLabel = 200;

// These words go into the audit log of every change: short, and without control characters.
bool check_label(char** value, void**, GucSource) {
    const std::string_view text(*value);
    if (text.size() <= kLongestLabel && std::none_of(text.begin(), text.end(), [](char c) {
            return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
        }))
        return true;
    GUC_check_errdetail("Give at most 200 bytes without control characters.");
    return false;
}

void define_label(const char* name, const char* text, const char* more, char** value) {
    DefineCustomStringVariable(name, text, more, value, "", PGC_USERSET, 0, check_label, nullptr, nullptr);
}

} // namespace

void define_settings(bool preloading) {
    DefineCustomBoolVariable("radscheduler.auto_provision",
                             "Whether CREATE EXTENSION radscheduler creates the records too.",
                             "A restore is recognized by itself; set it off to install code only.", &auto_provision,
                             true, PGC_USERSET, 0, nullptr, nullptr, nullptr);
    DefineCustomStringVariable("radscheduler.site", "Code of the site this session works for.",
                               "Needed where a database holds several sites.", &site, "", PGC_USERSET, 0, nullptr,
                               nullptr, nullptr);
    DefineCustomStringVariable("radscheduler.new_sender_profile",
                               "Profile, in JSON, of senders that are heard of for the first time.",
                               "The daemon sets it for messages of a listener that has a profile.", &new_sender_profile,
                               "", PGC_USERSET, 0, nullptr, nullptr, nullptr);
    DefineCustomStringVariable("radscheduler.default_timezone", "IANA zone of sites and senders that name none.",
                               nullptr, &default_timezone, "UTC", PGC_SUSET, 0, check_timezone, nullptr, nullptr);
    DefineCustomIntVariable("radscheduler.max_message_bytes", "Largest message that the type hl7 takes, in bytes.",
                            "Larger ones raise 54000. Bytes that arrive are logged whatever their size.",
                            &max_message_bytes, kDefaultMaxMessageBytes, kSmallestMaxMessageBytes, MaxAllocSize / 2,
                            PGC_SUSET, GUC_UNIT_BYTE, nullptr, nullptr, nullptr);
    DefineCustomEnumVariable(
        "radscheduler.notify", "How listeners on radscheduler_wake are told of new events.",
        "transaction: NOTIFY in each writing transaction. coalesced: by the wake-up worker, at most every 20 ms. "
        "off: listeners poll. auto: coalesced where the worker runs, else transaction.",
        &notify_mode, kNotifyAuto, notify_options, PGC_SUSET, 0, nullptr, nullptr, nullptr);
    define_label("radscheduler.actor", "Person or program on whose behalf this session works.",
                 "Written to the audit log beside the role, which is what PostgreSQL vouches for.", &actor);
    define_label("radscheduler.purpose", "Why this session works, for the audit log; for example treatment or billing.",
                 nullptr, &purpose);
    define_label("radscheduler.trace_id", "Trace id of the request this session serves (W3C), for the audit log.",
                 nullptr, &trace_id);
    DefineCustomBoolVariable("radscheduler.audit_changes", "Whether each changed row of a record is audited.",
                             "Functions of the extension that audit what they do switch it off for themselves.",
                             &audit_changes, true, PGC_SUSET, 0, nullptr, nullptr, nullptr);
    if (preloading) {
        DefineCustomStringVariable("radscheduler.database", "Database whose listeners the wake-up worker tells.",
                                   nullptr, &worker_database, "", PGC_POSTMASTER, 0, nullptr, nullptr, nullptr);
    }
    MarkGUCPrefixReserved("radscheduler");
}

} // namespace radscheduler::pg
