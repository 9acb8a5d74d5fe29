// Which database errors pass by themselves.
// Invariant: a transient error never becomes an answer to a sender. The message is held and tried again.
#pragma once

#include <string_view>

namespace radscheduler::sidecar::db {

enum class FailureKind {
    transient, // wait and try again; the same statement may succeed
    permanent, // trying again gives the same error until someone changes something
};

// An empty SQLSTATE means that libpq itself failed: the connection was lost.
FailureKind classify(std::string_view sqlstate);

// True when the session itself is unfit (the server is going down, or became a standby), so another is needed.
bool ends_session(std::string_view sqlstate);

// True when the statement was certainly rolled back and may be repeated at once, even if it is not idempotent.
bool is_conflict_retry(std::string_view sqlstate);

} // namespace radscheduler::sidecar::db
