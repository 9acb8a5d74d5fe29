// Equality, order and hashing of messages: by their bytes. The order has no meaning of its own; it is there for
// DISTINCT, GROUP BY, unique and merge.
#include <string_view>

#include "guard.hpp"

namespace radscheduler::pg {

namespace {

// Negative, zero or positive, as memcmp(). May longjmp.
int compare(FunctionCallInfo fcinfo) {
    const std::string_view left = view_of(PG_GETARG_VARLENA_PP(0));
    const std::string_view right = view_of(PG_GETARG_VARLENA_PP(1));
    return left.compare(right);
}

// Messages of different length differ, and the length is known without fetching them.
bool equal(FunctionCallInfo fcinfo) {
    if (toast_raw_datum_size(PG_GETARG_DATUM(0)) != toast_raw_datum_size(PG_GETARG_DATUM(1))) return false;
    return compare(fcinfo) == 0;
}

} // namespace

RAD_FUNCTION(rad_hl7_eq) {
    *result = BoolGetDatum(equal(fcinfo));
    return true;
}

RAD_FUNCTION(rad_hl7_ne) {
    *result = BoolGetDatum(!equal(fcinfo));
    return true;
}

RAD_FUNCTION(rad_hl7_lt) {
    *result = BoolGetDatum(compare(fcinfo) < 0);
    return true;
}

RAD_FUNCTION(rad_hl7_le) {
    *result = BoolGetDatum(compare(fcinfo) <= 0);
    return true;
}

RAD_FUNCTION(rad_hl7_gt) {
    *result = BoolGetDatum(compare(fcinfo) > 0);
    return true;
}

RAD_FUNCTION(rad_hl7_ge) {
    *result = BoolGetDatum(compare(fcinfo) >= 0);
    return true;
}

RAD_FUNCTION(rad_hl7_cmp) {
    const int order = compare(fcinfo);
    *result = Int32GetDatum(order < 0 ? -1 : order > 0 ? 1 : 0);
    return true;
}

RAD_FUNCTION(rad_hl7_hash) {
    const std::string_view bytes = view_of(PG_GETARG_VARLENA_PP(0));
    *result = hash_any(reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
    return true;
}

RAD_FUNCTION(rad_hl7_hash_extended) {
    const std::string_view bytes = view_of(PG_GETARG_VARLENA_PP(0));
    const auto seed = static_cast<uint64>(PG_GETARG_INT64(1));
    *result =
        hash_any_extended(reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()), seed);
    return true;
}

} // namespace radscheduler::pg
