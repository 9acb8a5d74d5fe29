// caller(): the role that asks, whatever SECURITY DEFINER functions stand between; and whether row triggers audit.
#include "guard.hpp"
#include "settings.hpp"

namespace radscheduler::pg {

// The outer user is the one SET ROLE or the login chose. current_user would be the owner inside a SECURITY DEFINER
// function, session_user would overlook SET ROLE.
RAD_FUNCTION(rad_caller) {
    *result = ObjectIdGetDatum(GetOuterUserId());
    return true;
}

RAD_FUNCTION(rad_audits_changes) {
    *result = BoolGetDatum(audit_changes);
    return true;
}

} // namespace radscheduler::pg
