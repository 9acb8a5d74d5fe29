// Changing and building messages.
#include <string>
#include <string_view>

#include "radscheduler/edit.hpp"

#include "path_cache.hpp"
#include "stored_message.hpp"
#include "value_text.hpp"

namespace radscheduler::pg {

namespace {

bool store_edited(const Result<std::string>& edited, Datum* result, Failure* failure) {
    if (edited) return store_message(*edited, result, failure);
    const Error& error = edited.error();
    return failure->set(ERRCODE_INVALID_PARAMETER_VALUE, "the message cannot be changed at " + error.path, error.text);
}

bool is_delimiter(const Path& path) {
    return path.segment_name() == "MSH" && (path.field == 1 || path.field == 2);
}

std::string empty_message(const std::string& separator, const std::string& encoding) {
    std::string text = "MSH";
    text += separator;
    text += encoding;
    text += '\r';
    return text;
}

// Paths and values in turn.
bool build(const SqlTexts& pairs, Datum* result, Failure* failure) {
    std::string separator = "|";
    std::string encoding = "^~\\&";
    std::string text;
    for (int i = 0; i < pairs.count; i += 2) {
        if (pairs.is_null(i)) return failure->set(ERRCODE_NULL_VALUE_NOT_ALLOWED, "a path of hl7_build() is NULL");
        Path path;
        if (!read_path(pairs.at(i), PathUse::one_value, "hl7_build()", &path, failure)) return false;
        const std::string_view value = pairs.is_null(i + 1) ? std::string_view{} : pairs.at(i + 1);
        if (is_delimiter(path) && text.empty()) {
            if (path.field == 1 && value.size() != 1) {
                return failure->set(ERRCODE_INVALID_PARAMETER_VALUE, "MSH-1 is the field separator, one character", {},
                                    "Leave it out for the usual one, |.");
            }
            (path.field == 1 ? separator : encoding) = value;
            continue;
        }
        if (text.empty()) text = empty_message(separator, encoding);
        Result<std::string> next = set_text(text, path, value);
        if (!next) return store_edited(next, result, failure);
        text = *std::move(next);
    }
    if (text.empty()) text = empty_message(separator, encoding);
    return store_message(text, result, failure);
}

} // namespace

RAD_FUNCTION(rad_hl7_set) {
    if (PG_ARGISNULL(0) || PG_ARGISNULL(1)) {
        fcinfo->isnull = true;
        return true;
    }
    const Path* path = cached_path(fcinfo, 1, PathUse::many_values, "hl7_set()", failure);
    if (path == nullptr) return false;
    const struct varlena* message = PG_GETARG_VARLENA_PP(0);
    const std::string_view value = PG_ARGISNULL(2) ? std::string_view{} : view_of(PG_GETARG_VARLENA_PP(2));
    const bool encoded = !PG_ARGISNULL(3) && PG_GETARG_BOOL(3);
    const std::string_view text = stored_text(message);
    return store_edited(encoded ? set_encoded(text, *path, value) : set_text(text, *path, value), result, failure);
}

RAD_FUNCTION(rad_hl7_remove) {
    const Path* path = cached_path(fcinfo, 1, PathUse::many_extents, "hl7_remove()", failure);
    if (path == nullptr) return false;
    const struct varlena* message = PG_GETARG_VARLENA_PP(0);
    return store_edited(remove_place(stored_text(message), *path), result, failure);
}

RAD_FUNCTION(rad_hl7_build) {
    const SqlTexts pairs = texts_of(fcinfo, 0);
    if (pairs.count % 2 != 0) {
        return failure->set(ERRCODE_INVALID_PARAMETER_VALUE, "hl7_build() takes paths and values in turn", {},
                            "Give a value for each path; a message as JSON needs a cast: hl7_build('[…]'::jsonb).");
    }
    return build(pairs, result, failure);
}

} // namespace radscheduler::pg
