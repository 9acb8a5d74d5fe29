// Changing and building messages.
#include <optional>
#include <string>
#include <string_view>

#include "radscheduler/build.hpp"
#include "radscheduler/edit.hpp"

#include "path_cache.hpp"
#include "stored_message.hpp"
#include "value_text.hpp"

namespace radscheduler::pg {

namespace {

bool cannot_change(const Error& error, Failure* failure) {
    return failure->set(ERRCODE_INVALID_PARAMETER_VALUE, "the message cannot be changed at " + error.path, error.text);
}

bool store_edited(const Result<std::string>& edited, Datum* result, Failure* failure) {
    return edited ? store_message(*edited, result, failure) : cannot_change(edited.error(), failure);
}

bool is_place(const Path& path, std::string_view text) {
    return path.to_string() == text;
}

// Paths and values in turn.
bool build(const SqlTexts& pairs, Datum* result, Failure* failure) {
    const auto value_at = [&pairs](int i) { return pairs.is_null(i) ? std::string_view{} : pairs.at(i); };
    std::string_view separator = "|";
    std::string_view encoding = "^~\\&";
    std::optional<MessageBuilder> builder;
    const auto started = [&] {
        if (builder) return true;
        Result<MessageBuilder> start = MessageBuilder::start(separator, encoding);
        if (!start) {
            return failure->set(ERRCODE_INVALID_PARAMETER_VALUE,
                                "a message cannot begin with these delimiters: " + start.error().text);
        }
        builder.emplace(*std::move(start));
        return true;
    };
    for (int i = 0; i < pairs.count; i += 2) {
        if (pairs.is_null(i)) return failure->set(ERRCODE_NULL_VALUE_NOT_ALLOWED, "a path of hl7_build() is NULL");
        Path path;
        if (!read_path(pairs.at(i), PathUse::one_value, "hl7_build()", &path, failure)) return false;
        if (!builder && is_place(path, "MSH-1")) {
            separator = value_at(i + 1);
        } else if (!builder && is_place(path, "MSH-2")) {
            encoding = value_at(i + 1);
        } else {
            if (!started()) return false;
            const Result<bool> done = builder->set(path, value_at(i + 1));
            if (!done) return cannot_change(done.error(), failure);
        }
    }
    return started() && store_message(builder->text(), result, failure);
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
