// Texts in and out of SQL: see value_text.hpp.
#include "value_text.hpp"

#include "radscheduler/escape.hpp"

namespace radscheduler::pg {

SqlText sql_text(const Value& value, const Path& path, const Delimiters& delimiters) {
    if (value.state == State::absent || value.state == State::empty) return {nullptr, 0};
    const bool verbatim = value.state == State::null || (path.segment_name() == "MSH" && path.field <= 2);
    if (verbatim) return {copy_out(value.raw), value.raw.size()};
    const std::string text = decode(value.raw, delimiters);
    return {copy_out(text), text.size()};
}

SqlText* new_texts(std::size_t count) {
    return reinterpret_cast<SqlText*>(copy_out(std::string(count * sizeof(SqlText), '\0')));
}

Datum text_array(const SqlText* texts, int count) {
    auto* values = static_cast<Datum*>(palloc(sizeof(Datum) * (count + 1)));
    auto* nulls = static_cast<bool*>(palloc(sizeof(bool) * (count + 1)));
    for (int i = 0; i < count; ++i) {
        nulls[i] = texts[i].data == nullptr;
        values[i] =
            nulls[i] ? 0 : PointerGetDatum(cstring_to_text_with_len(texts[i].data, static_cast<int>(texts[i].size)));
    }
    int dimensions[1] = {count};
    int lower_bounds[1] = {1};
    if (count == 0) return PointerGetDatum(construct_empty_array(TEXTOID));
    return PointerGetDatum(
        construct_md_array(values, nulls, 1, dimensions, lower_bounds, TEXTOID, -1, false, TYPALIGN_INT));
}

SqlTexts texts_of(FunctionCallInfo fcinfo, int argument) {
    if (PG_ARGISNULL(argument)) return {nullptr, 0};
    ArrayType* array = PG_GETARG_ARRAYTYPE_P(argument);
    Datum* values = nullptr;
    bool* nulls = nullptr;
    int count = 0;
    deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &count);
    auto* items = static_cast<SqlText*>(palloc0(sizeof(SqlText) * (count + 1)));
    for (int i = 0; i < count; ++i) {
        if (nulls[i]) continue;
        struct varlena* value = PG_DETOAST_DATUM_PACKED(values[i]);
        items[i] = {VARDATA_ANY(value), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(value))};
    }
    return {items, count};
}

bool bad_path(const Error& error, std::string_view path, Failure* failure) {
    const std::string shown(path.substr(0, 100));
    return failure->set(ERRCODE_INVALID_PARAMETER_VALUE, "\"" + shown + "\" is not an HL7 path: " + error.text,
                        "\"" + shown + "\"\n " + std::string(error.offset < 100 ? error.offset : 100, ' ') + "^",
                        "A path is SEG[n]-F[r].C.S, for example PID-5.1 or OBX[2]-5.");
}

} // namespace radscheduler::pg
