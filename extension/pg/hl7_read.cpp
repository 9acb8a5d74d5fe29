// Reading a stored message in SQL: hl7_get() and hl7_segments().
#include <string>

#include "radscheduler/delimiters.hpp"
#include "radscheduler/escape.hpp"
#include "radscheduler/path.hpp"
#include "radscheduler/value.hpp"

#include "stored_message.hpp"

namespace radscheduler::pg {

namespace {

bool bad_path(const Error& error, std::string_view path, Failure* failure) {
    const std::string shown(path.substr(0, 100));
    return failure->set(ERRCODE_INVALID_PARAMETER_VALUE, "\"" + shown + "\" is not an HL7 path: " + error.text,
                        "\"" + shown + "\"\n " + std::string(error.offset < 100 ? error.offset : 100, ' ') + "^",
                        "A path is SEG[n]-F[r].C.S, for example PID-5.1 or OBX[2]-5.");
}

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
    SegmentRows list{reinterpret_cast<SegmentRow*>(copy_out(std::string(count * sizeof(SegmentRow), '\0'))), static_cast<int>(count)};
    std::size_t at = 0;
    for (SegmentCursor cursor = message.segments(); cursor.next(segment);) {
        list.rows[at++] = {segment.name.data(), static_cast<int>(segment.name.size()), static_cast<int>(segment.occurrence),
                           segment.text.data(), static_cast<int>(segment.text.size())};
    }
    return list;
}

} // namespace

RAD_FUNCTION(rad_hl7_get) {
    const struct varlena* value = PG_GETARG_VARLENA_PP(0);
    const struct varlena* path_text = PG_GETARG_VARLENA_PP(1);
    const Result<Path> path = Path::parse(view_of(path_text));
    if (!path) return bad_path(path.error(), view_of(path_text), failure);
    if (path->selects_many()) {
        return failure->set(ERRCODE_INVALID_PARAMETER_VALUE, "hl7_get() reads one value, and * in a path means all of them", {},
                            "Name one occurrence or repetition, for example PID-3[1].");
    }
    const Message message = open_stored(value);
    const Value found = get(message, *path);
    if (found.state == State::absent || found.state == State::empty) {
        fcinfo->isnull = true;
        return true;
    }
    const bool verbatim = found.state == State::null || (path->segment_name() == "MSH" && path->field <= 2);
    *result = PointerGetDatum(verbatim ? varlena_of(found.raw) : varlena_of(decode(found.raw, message.delimiters())));
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
                           Int32GetDatum(row.occurrence), PointerGetDatum(cstring_to_text_with_len(row.text, row.text_size))};
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
