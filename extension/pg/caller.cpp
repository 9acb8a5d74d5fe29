// Whose session this is: caller(), acting(), is_unbound(), and whether row triggers audit.
#include "guard.hpp"
#include "settings.hpp"

extern "C" {
#include "utils/acl.h"
}

namespace radscheduler::pg {

// The outer user is the one SET ROLE or the login chose. current_user would be the owner inside a SECURITY DEFINER
// function, session_user would overlook SET ROLE.
RAD_FUNCTION(rad_caller) {
    *result = ObjectIdGetDatum(GetOuterUserId());
    return true;
}

// The role whose rights narrow the caller's: the owner of a function or of an object that PostgreSQL maintains. None
// when it is the caller, or a superuser, which is what functions of the extension run as. While PostgreSQL maintains an
// object for its owner (autovacuum, REFRESH, CREATE INDEX) the outer user is whoever started that, often a superuser:
// then records are for nobody but an owner who does it himself.
RAD_FUNCTION(rad_acting) {
    const Oid acting = GetUserId();
    const bool is_caller = acting == GetOuterUserId();
    if (InSecurityRestrictedOperation() && (!is_caller || superuser_arg(acting)))
        return failure->set(ERRCODE_INSUFFICIENT_PRIVILEGE,
                            "records cannot be read while PostgreSQL maintains an object for its owner", {},
                            "SET ROLE to the owner of the materialized view or index, and do it again.");
    *result = ObjectIdGetDatum(is_caller || superuser_arg(acting) ? InvalidOid : acting);
    return true;
}

// Out of the system cache: a query of pg_authid costs more than what is asked for its sake.
RAD_FUNCTION(rad_is_unbound) {
    *result = BoolGetDatum(has_bypassrls_privilege(PG_GETARG_OID(0)));
    return true;
}

RAD_FUNCTION(rad_audits_changes) {
    *result = BoolGetDatum(audit_changes);
    return true;
}

} // namespace radscheduler::pg
