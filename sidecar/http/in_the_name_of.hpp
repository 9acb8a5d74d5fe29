// The parameters $1 to $5 of every statement that is asked in somebody's name (RADSCHED_COLUMNS_AS_PRINCIPAL in
// db/statements.hpp): site, actor, login, token version, trace.
#pragma once

#include <string>
#include <vector>

#include "auth/principal.hpp"
#include "db/result.hpp"

namespace radscheduler::sidecar::http {

// They point into `who` and `trace_id`, which must outlive the statement. Further ones of the statement are pushed
// behind them. A function, because g++ 12 mishandles braced lists in coroutines.
std::vector<db::Param> in_the_name_of(const auth::Principal& who, const std::string& trace_id);

} // namespace radscheduler::sidecar::http
