#include "db/sqlstate.hpp"

namespace radscheduler::sidecar::db {

FailureKind classify(std::string_view sqlstate) {
    if (sqlstate.size() != 5) {
        return FailureKind::transient;
    }
    const auto code_class = sqlstate.substr(0, 2);
    const bool transient =
        code_class == "08"      // connection exception
        || code_class == "40"   // rolled back: serialization failure, deadlock
        || code_class == "53"   // out of memory, disk, connections
        || code_class == "55"   // not in the state needed: lock not available, records not yet provisioned
        || code_class == "57"   // shutdown, crash recovery, cancelled (statement_timeout)
        || code_class == "58"   // I/O error
        || sqlstate == "25006"; // read-only: we are talking to a standby, or a failover is under way
    return transient ? FailureKind::transient : FailureKind::permanent;
}

bool ends_session(std::string_view sqlstate) {
    const auto code_class = sqlstate.substr(0, 2);
    return sqlstate.size() != 5 || code_class == "08" || code_class == "58" || sqlstate.substr(0, 3) == "57P" ||
           sqlstate == "25006";
}

bool is_conflict_retry(std::string_view sqlstate) {
    return sqlstate.size() == 5 && sqlstate.substr(0, 2) == "40";
}

} // namespace radscheduler::sidecar::db
