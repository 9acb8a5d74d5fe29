// Reading a stored message in SQL: one value, many values, the undecoded text, the state.
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "radscheduler/escape.hpp"
#include "radscheduler/path.hpp"
#include "radscheduler/value.hpp"

#include "path_cache.hpp"
#include "stored_message.hpp"
#include "value_text.hpp"

namespace radscheduler::pg {

namespace {

// NULL where there is no text.
bool return_text(struct varlena* text, FunctionCallInfo fcinfo, Datum* result) {
    fcinfo->isnull = text == nullptr;
    *result = PointerGetDatum(text);
    return true;
}

std::optional<Formatting> formatting_named(std::string_view word) {
    if (word == "kept") return Formatting::kept;
    if (word == "line_breaks") return Formatting::line_breaks;
    if (word == "rendered") return Formatting::rendered;
    return std::nullopt;
}

} // namespace

RAD_FUNCTION(rad_hl7_get) {
    const Path* path = cached_path(fcinfo, 1, PathUse::one_value, "hl7_get()", failure);
    if (path == nullptr) return false;
    const Message message = open_stored(fetch_stored(fcinfo, 0, {path, 1}));
    return return_text(text_of(get(message, *path), *path, message), fcinfo, result);
}

RAD_FUNCTION(rad_hl7_get_formatted) {
    const Path* path = cached_path(fcinfo, 1, PathUse::one_value, "hl7_get()", failure);
    if (path == nullptr) return false;
    const std::string_view word = view_of(PG_GETARG_VARLENA_PP(2));
    const std::optional<Formatting> formatting = formatting_named(word);
    if (!formatting) {
        return failure->set(ERRCODE_INVALID_PARAMETER_VALUE, "formatting is kept, line_breaks or rendered");
    }
    const Message message = open_stored(fetch_stored(fcinfo, 0, {path, 1}));
    return return_text(text_of(get(message, *path), *path, message, *formatting), fcinfo, result);
}

RAD_FUNCTION(rad_hl7_raw) {
    const Path* path = cached_path(fcinfo, 1, PathUse::one_extent, "hl7_raw()", failure);
    if (path == nullptr) return false;
    const Value found = get_raw(open_stored(fetch_stored(fcinfo, 0, {path, 1})), *path);
    return return_text(found.state == State::absent ? nullptr : varlena_of(found.raw), fcinfo, result);
}

RAD_FUNCTION(rad_hl7_state) {
    const Path* path = cached_path(fcinfo, 1, PathUse::one_value, "hl7_state()", failure);
    if (path == nullptr) return false;
    const Message message = open_stored(fetch_stored(fcinfo, 0, {path, 1}));
    *result = PointerGetDatum(varlena_of(state_name(get(message, *path).state)));
    return true;
}

RAD_FUNCTION(rad_hl7_get_all) {
    const Path* path = cached_path(fcinfo, 1, PathUse::many_values, "hl7_get_all()", failure);
    if (path == nullptr) return false;
    const Message message = open_stored(fetch_stored(fcinfo, 0, {path, 1}));
    *result = text_array_of(get_all(message, *path), {path, 1}, message);
    return true;
}

RAD_FUNCTION(rad_hl7_fields) {
    const std::span<const Path> paths = cached_paths(fcinfo, 1, "hl7_fields()", failure);
    if (paths.data() == nullptr) return false;
    const Message message = open_stored(fetch_stored(fcinfo, 0, paths));
    std::vector<Value> values(paths.size());
    get_many(message, paths, values);
    *result = text_array_of(values, paths, message);
    return true;
}

RAD_FUNCTION(rad_hl7_escape) {
    const struct varlena* value = PG_GETARG_VARLENA_PP(0);
    *result = PointerGetDatum(varlena_of(escape(view_of(value), Delimiters{})));
    return true;
}

} // namespace radscheduler::pg
