// What keeps the extension from being dropped under records. PostgreSQL's own refusal ends in a hint to say CASCADE,
// and CASCADE would take the columns whose types are ours. Two watchers, because either alone misses something:
//  - an event trigger before the command knows what was asked for while the records are still there, and loads this
//  library. Afterwards neither the command's words nor the trigger would be left;
//  - a hook sees every object that a command is about to drop, also when CASCADE reaches the extension from elsewhere:
//  from btree_gist, or from the schema that one is in.
#include "drop_guard.hpp"

#include "guard.hpp"

namespace radscheduler::pg {

namespace {

constexpr const char* kName = "radscheduler";
constexpr const char* kRefusal = "radscheduler cannot be dropped while this database holds its records";
constexpr const char* kReason =
    "Appointments, messages and the audit log are stored in columns of its types; CASCADE would destroy them.";
constexpr const char* kWayOut = "Leave it installed, or take a dump and then remove the records with SELECT "
                                "radscheduler.destroy_records('name of this database').";

object_access_hook_type previous_hook = nullptr;

bool records_exist() {
    const Oid schema = get_namespace_oid(kName, true);
    return OidIsValid(schema) && OidIsValid(get_relname_relid("schema_version", schema));
}

// The owner himself, not who merely has his rights: DROP OWNED drops what a role owns.
bool is_owner_of(Oid role, Oid relation) {
    const HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
    if (!HeapTupleIsValid(tuple)) return false;
    const bool owns = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relowner == role;
    ReleaseSysCache(tuple);
    return owns;
}

// DROP OWNED BY whoever owns the extension or the records.
bool names_our_owner(const DropOwnedStmt* drop) {
    const Oid schema = get_namespace_oid(kName, true);
    const Oid records = OidIsValid(schema) ? get_relname_relid("schema_version", schema) : InvalidOid;
    const ListCell* cell = nullptr;
    foreach (cell, drop->roles) {
        const Oid role = get_rolespec_oid(lfirst_node(RoleSpec, cell), true);
        if (OidIsValid(role) && is_owner_of(role, records)) return true;
    }
    return false;
}

bool names_us(const DropStmt* drop) {
    if (drop->removeType != OBJECT_EXTENSION && drop->removeType != OBJECT_SCHEMA) return false;
    const ListCell* cell = nullptr;
    foreach (cell, drop->objects) {
        if (strcmp(strVal(lfirst(cell)), kName) == 0) return true;
    }
    return false;
}

void on_access(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id, void* argument) {
    if (previous_hook != nullptr) previous_hook(access, class_id, object_id, sub_id, argument);
    if (access == OAT_DROP && class_id == ExtensionRelationId && object_id == get_extension_oid(kName, true) &&
        records_exist())
        ereport(ERROR, (errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST), errmsg("%s", kRefusal),
                        errdetail("%s", kReason), errhint("%s", kWayOut)));
}

} // namespace

void install_drop_guard() {
    previous_hook = object_access_hook;
    object_access_hook = on_access;
}

RAD_FUNCTION(rad_drop_guard) {
    if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
        return failure->set(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED, "drop_guard() is an event trigger", {},
                            "PostgreSQL calls it; do not call it.");
    const auto* event = reinterpret_cast<const EventTriggerData*>(fcinfo->context);
    const bool is_about_us =
        (IsA(event->parsetree, DropStmt) && names_us(reinterpret_cast<const DropStmt*>(event->parsetree))) ||
        (IsA(event->parsetree, DropOwnedStmt) &&
         names_our_owner(reinterpret_cast<const DropOwnedStmt*>(event->parsetree)));
    if (is_about_us && records_exist())
        return failure->set(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST, kRefusal, kReason, kWayOut);
    *result = PointerGetDatum(nullptr);
    return true;
}

} // namespace radscheduler::pg
