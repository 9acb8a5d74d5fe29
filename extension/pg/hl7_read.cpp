// Reading a stored message in SQL: one value, many values, the undecoded text, the state, the segments.
#include <string>
#include <vector>

#include "radscheduler/delimiters.hpp"
#include "radscheduler/escape.hpp"
#include "radscheduler/path.hpp"
#include "radscheduler/value.hpp"

#include "stored_message.hpp"
#include "value_text.hpp"

namespace radscheduler::pg {

namespace {

struct SegmentRow {
    const char* name;
    int name_size;
    int occurrence;
    const char* text;
    int text_size;
};

struct SegmentRows {
    SegmentRow* rows;
    int count;
};

// All segments as plain rows, so that no C++ object is alive while PostgreSQL stores them.
SegmentRows list_segments(const Message& message) {
    Segment segment;
    std::size_t count = 0;
    for (SegmentCursor cursor = message.segments(); cursor.next(segment);)
        ++count;
    SegmentRows list{reinterpret_cast<SegmentRow*>(copy_out(std::string(count * sizeof(SegmentRow), '\0'))),
                     static_cast<int>(count)};
    std::size_t at = 0;
    for (SegmentCursor cursor = message.segments(); cursor.next(segment);) {
        list.rows[at++] = {segment.name.data(), static_cast<int>(segment.name.size()),
                           static_cast<int>(segment.occurrence), segment.text.data(),
                           static_cast<int>(segment.text.size())};
    }
    return list;
}

// Parses a path that must name one value. False with the failure set.
bool single_path(std::string_view text, const char* function, Path* path, Failure* failure) {
    const Result<Path> parsed = Path::parse(text);
    if (!parsed) return bad_path(parsed.error(), text, failure);
    if (parsed->selects_many()) {
        return failure->set(ERRCODE_INVALID_PARAMETER_VALUE,
                            std::string(function) + " reads one value, and * in a path means all of them", {},
                            "Name one occurrence or repetition, for example PID-3[1], or use hl7_get_all().");
    }
    *path = *parsed;
    return true;
}

bool return_text(const SqlText& text, FunctionCallInfo fcinfo, Datum* result) {
    if (text.data == nullptr) {
        fcinfo->isnull = true;
        return true;
    }
    *result = PointerGetDatum(varlena_of({text.data, text.size}));
    return true;
}

// Every value of a path as texts of PostgreSQL's memory.
bool all_values(const struct varlena* value, std::string_view text, SqlText** texts, int* count, Failure* failure) {
    const Result<Path> path = Path::parse(text);
    if (!path) return bad_path(path.error(), text, failure);
    const Message message = open_stored(value);
    const std::vector<Value> values = get_all(message, *path);
    *texts = new_texts(values.size());
    *count = static_cast<int>(values.size());
    for (std::size_t i = 0; i < values.size(); ++i)
        (*texts)[i] = sql_text(values[i], *path, message.delimiters());
    return true;
}

// The values of several paths, read in one scan.
bool many_values(const struct varlena* value, const SqlTexts& wanted, SqlText** texts, Failure* failure) {
    std::vector<Path> paths;
    paths.reserve(wanted.count);
    for (int i = 0; i < wanted.count; ++i) {
        if (wanted.is_null(i)) return failure->set(ERRCODE_NULL_VALUE_NOT_ALLOWED, "a path of hl7_fields() is NULL");
        Path path;
        if (!single_path(wanted.at(i), "hl7_fields()", &path, failure)) return false;
        paths.push_back(path);
    }
    const Message message = open_stored(value);
    std::vector<Value> values(paths.size());
    get_many(message, paths, values);
    *texts = new_texts(values.size());
    for (std::size_t i = 0; i < values.size(); ++i)
        (*texts)[i] = sql_text(values[i], paths[i], message.delimiters());
    return true;
}

} // namespace

RAD_FUNCTION(rad_hl7_get) {
    const struct varlena* value = PG_GETARG_VARLENA_PP(0);
    const struct varlena* path_text = PG_GETARG_VARLENA_PP(1);
    Path path;
    if (!single_path(view_of(path_text), "hl7_get()", &path, failure)) return false;
    const Message message = open_stored(value);
    return return_text(sql_text(get(message, path), path, message.delimiters()), fcinfo, result);
}

RAD_FUNCTION(rad_hl7_raw) {
    const struct varlena* value = PG_GETARG_VARLENA_PP(0);
    const struct varlena* path_text = PG_GETARG_VARLENA_PP(1);
    Path path;
    if (!single_path(view_of(path_text), "hl7_raw()", &path, failure)) return false;
    const Value found = get_raw(open_stored(value), path);
    if (found.state == State::absent) {
        fcinfo->isnull = true;
        return true;
    }
    *result = PointerGetDatum(varlena_of(found.raw));
    return true;
}

RAD_FUNCTION(rad_hl7_state) {
    const struct varlena* value = PG_GETARG_VARLENA_PP(0);
    const struct varlena* path_text = PG_GETARG_VARLENA_PP(1);
    Path path;
    if (!single_path(view_of(path_text), "hl7_state()", &path, failure)) return false;
    *result = PointerGetDatum(varlena_of(state_name(get(open_stored(value), path).state)));
    return true;
}

RAD_FUNCTION(rad_hl7_get_all) {
    const struct varlena* value = PG_GETARG_VARLENA_PP(0);
    const struct varlena* path_text = PG_GETARG_VARLENA_PP(1);
    SqlText* texts = nullptr;
    int count = 0;
    if (!all_values(value, view_of(path_text), &texts, &count, failure)) return false;
    *result = text_array(texts, count);
    return true;
}

RAD_FUNCTION(rad_hl7_fields) {
    const struct varlena* value = PG_GETARG_VARLENA_PP(0);
    const SqlTexts wanted = texts_of(fcinfo, 1);
    SqlText* texts = nullptr;
    if (!many_values(value, wanted, &texts, failure)) return false;
    *result = text_array(texts, wanted.count);
    return true;
}

RAD_FUNCTION(rad_hl7_segments) {
    const struct varlena* value = PG_GETARG_VARLENA_PP(0);
    const SegmentRows list = list_segments(open_stored(value));
    InitMaterializedSRF(fcinfo, 0);
    auto* target = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    for (int i = 0; i < list.count; ++i) {
        const SegmentRow& row = list.rows[i];
        Datum values[4] = {Int32GetDatum(i + 1), PointerGetDatum(cstring_to_text_with_len(row.name, row.name_size)),
                           Int32GetDatum(row.occurrence),
                           PointerGetDatum(cstring_to_text_with_len(row.text, row.text_size))};
        bool nulls[4] = {false, false, false, false};
        tuplestore_putvalues(target->setResult, target->setDesc, values, nulls);
        pfree(DatumGetPointer(values[1]));
        pfree(DatumGetPointer(values[3]));
    }
    *result = 0;
    return true;
}

RAD_FUNCTION(rad_hl7_escape) {
    const struct varlena* value = PG_GETARG_VARLENA_PP(0);
    *result = PointerGetDatum(varlena_of(escape(view_of(value), Delimiters{})));
    return true;
}

} // namespace radscheduler::pg
