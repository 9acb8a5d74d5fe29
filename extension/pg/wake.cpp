// The commit callback, the shared flag and the worker: see wake.hpp. Plain data only; nothing here has a destructor.
#include "wake.hpp"

#include "guard.hpp"
#include "settings.hpp"

extern "C" {
PGDLLEXPORT void rad_wake_worker_main(Datum argument);
}

namespace radscheduler::pg {

namespace {

constexpr const char* kChannel = "radscheduler_wake";
constexpr long kPauseMs = 20;

struct WakeState {
    pg_atomic_uint32 pending;
    pg_atomic_uint32 database; // Oid of the worker's database; 0 while no worker runs
    Latch* latch;              // of the worker's process slot: valid memory even after it has gone
};

WakeState* shared = nullptr;
bool transaction_has_events = false;
SubTransactionId events_since = InvalidSubTransactionId; // the subtransaction that the first of them belongs to
bool callback_registered = false;
shmem_request_hook_type previous_request_hook = nullptr;
shmem_startup_hook_type previous_startup_hook = nullptr;

void request_memory() {
    if (previous_request_hook != nullptr) previous_request_hook();
    RequestAddinShmemSpace(MAXALIGN(sizeof(WakeState)));
}

void attach_memory() {
    if (previous_startup_hook != nullptr) previous_startup_hook();
    bool found = false;
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    shared = static_cast<WakeState*>(ShmemInitStruct("radscheduler wake", sizeof(WakeState), &found));
    if (!found) {
        pg_atomic_init_u32(&shared->pending, 0);
        pg_atomic_init_u32(&shared->database, 0);
        shared->latch = nullptr;
    }
    LWLockRelease(AddinShmemInitLock);
}

bool worker_serves_us() {
    return shared != nullptr && pg_atomic_read_u32(&shared->database) == MyDatabaseId;
}

void on_transaction_end(XactEvent event, void*) {
    if (event == XACT_EVENT_COMMIT && transaction_has_events && worker_serves_us()) {
        pg_atomic_write_u32(&shared->pending, 1);
        SetLatch(shared->latch);
    }
    if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
        transaction_has_events = false;
}

// Events that were taken back (a dry run) wake nobody.
void on_subtransaction_end(SubXactEvent event, SubTransactionId own, SubTransactionId parent, void*) {
    if (!transaction_has_events || own != events_since) return;
    if (event == SUBXACT_EVENT_ABORT_SUB)
        transaction_has_events = false;
    else if (event == SUBXACT_EVENT_COMMIT_SUB)
        events_since = parent;
}

void worker_gone(int, Datum) {
    pg_atomic_write_u32(&shared->database, 0);
}

} // namespace

void install_wake_worker() {
    if (worker_database == nullptr || worker_database[0] == '\0') return;
    previous_request_hook = shmem_request_hook;
    shmem_request_hook = request_memory;
    previous_startup_hook = shmem_startup_hook;
    shmem_startup_hook = attach_memory;

    BackgroundWorker worker = {};
    worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
    worker.bgw_restart_time = 5;
    strlcpy(worker.bgw_library_name, "radscheduler", sizeof worker.bgw_library_name);
    strlcpy(worker.bgw_function_name, "rad_wake_worker_main", sizeof worker.bgw_function_name);
    strlcpy(worker.bgw_name, "radscheduler wake-up", BGW_MAXLEN);
    strlcpy(worker.bgw_type, "radscheduler wake-up", BGW_MAXLEN);
    RegisterBackgroundWorker(&worker);
}

} // namespace radscheduler::pg

using namespace radscheduler::pg;

void rad_wake_worker_main(Datum) {
    pqsignal(SIGTERM, die);
    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    BackgroundWorkerUnblockSignals();
    BackgroundWorkerInitializeConnection(worker_database, nullptr, 0);
    shared->latch = MyLatch;
    pg_write_barrier();
    pg_atomic_write_u32(&shared->database, MyDatabaseId);
    before_shmem_exit(worker_gone, 0);

    for (;;) {
        WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH, -1, PG_WAIT_EXTENSION);
        ResetLatch(MyLatch);
        CHECK_FOR_INTERRUPTS();
        if (ConfigReloadPending) {
            ConfigReloadPending = false;
            ProcessConfigFile(PGC_SIGHUP);
        }
        if (pg_atomic_exchange_u32(&shared->pending, 0) == 0) continue;
        StartTransactionCommand();
        Async_Notify(kChannel, "");
        CommitTransactionCommand();
        WaitLatch(nullptr, WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, kPauseMs, PG_WAIT_EXTENSION);
    }
}

// AFTER INSERT … FOR EACH STATEMENT on event_log.
RAD_FUNCTION(rad_event_log_wake) {
    *result = PointerGetDatum(nullptr);
    const bool coalesced = notify_mode == kNotifyCoalesced || (notify_mode == kNotifyAuto && worker_serves_us());
    if (coalesced && !transaction_has_events) {
        if (!callback_registered) {
            RegisterXactCallback(on_transaction_end, nullptr);
            RegisterSubXactCallback(on_subtransaction_end, nullptr);
            callback_registered = true;
        }
        transaction_has_events = true;
        events_since = GetCurrentSubTransactionId();
    } else if (notify_mode == kNotifyTransaction || (notify_mode == kNotifyAuto && !coalesced)) {
        Async_Notify(kChannel, "");
    }
    return true;
}
