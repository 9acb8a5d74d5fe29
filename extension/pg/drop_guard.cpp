// The event trigger that keeps DROP EXTENSION radscheduler and DROP SCHEMA radscheduler away from records. PostgreSQL's
// own refusal ends in a hint to say CASCADE, and CASCADE would take the columns whose types are ours. It runs before
// the command, because afterwards neither the command's words nor this trigger are left.
#include "guard.hpp"

namespace radscheduler::pg {

namespace {

constexpr const char* kName = "radscheduler";

bool records_exist() {
    const Oid schema = get_namespace_oid(kName, true);
    return OidIsValid(schema) && OidIsValid(get_relname_relid("schema_version", schema));
}

bool names_us(const DropStmt* drop) {
    if (drop->removeType != OBJECT_EXTENSION && drop->removeType != OBJECT_SCHEMA) return false;
    const ListCell* cell = nullptr;
    foreach (cell, drop->objects) {
        if (strcmp(strVal(lfirst(cell)), kName) == 0) return true;
    }
    return false;
}

} // namespace

RAD_FUNCTION(rad_drop_guard) {
    if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
        return failure->set(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED, "drop_guard() is an event trigger", {},
                            "PostgreSQL calls it; do not call it.");
    const auto* event = reinterpret_cast<const EventTriggerData*>(fcinfo->context);
    if (IsA(event->parsetree, DropStmt) && names_us(reinterpret_cast<const DropStmt*>(event->parsetree)) &&
        records_exist())
        return failure->set(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST,
                            "radscheduler cannot be dropped while this database holds its records",
                            "Appointments, messages and the audit log are stored in columns of its types; CASCADE "
                            "would destroy them.",
                            "Leave it installed, or take a dump and then remove the records with SELECT "
                            "radscheduler.destroy_records('name of this database').");
    *result = PointerGetDatum(nullptr);
    return true;
}

} // namespace radscheduler::pg
