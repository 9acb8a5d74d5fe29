// Definition of the settings; each boot value equals the C initial value, as PostgreSQL checks.
#include "settings.hpp"

#include "guard.hpp"

namespace radscheduler::pg {

int notify_mode = kNotifyAuto;
char* worker_database = nullptr;
int max_message_bytes = kDefaultMaxMessageBytes;

namespace {

bool auto_provision = true;
char* site = nullptr;
char* default_timezone = nullptr;

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

} // namespace

void define_settings(bool preloading) {
    DefineCustomBoolVariable("radscheduler.auto_provision",
                             "Whether CREATE EXTENSION radscheduler creates the records too.",
                             "Set off when restoring a dump made with --enable-row-security.", &auto_provision, true,
                             PGC_USERSET, 0, nullptr, nullptr, nullptr);
    DefineCustomStringVariable("radscheduler.site", "Code of the site this session works for.",
                               "Needed where a database holds several sites.", &site, "", PGC_USERSET, 0, nullptr,
                               nullptr, nullptr);
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
    if (preloading) {
        DefineCustomStringVariable("radscheduler.database", "Database whose listeners the wake-up worker tells.",
                                   nullptr, &worker_database, "", PGC_POSTMASTER, 0, nullptr, nullptr, nullptr);
    }
    MarkGUCPrefixReserved("radscheduler");
}

} // namespace radscheduler::pg
