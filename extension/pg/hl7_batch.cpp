// Batch files and continued messages.
#include <string>
#include <string_view>
#include <vector>

#include "radscheduler/batch.hpp"
#include "radscheduler/continuation.hpp"

#include "rows.hpp"
#include "stored_message.hpp"

namespace radscheduler::pg {

namespace {

constexpr std::size_t kColumns = 9;

void add_message(RowBuilder& rows, const BatchMessage& message) {
    rows.text("message");
    rows.integer(message.ordinal);
    rows.integer(message.file);
    rows.integer(message.batch);
    rows.integer(message.offset);
    rows.text(message.text);
    rows.null();
    rows.null();
    rows.null();
}

void add_warning(RowBuilder& rows, const BatchWarning& warning) {
    rows.text("warning");
    rows.integer(warning.message);
    rows.integer(warning.file);
    rows.integer(warning.batch);
    rows.integer(warning.offset);
    rows.null();
    rows.text(warning.code);
    rows.text_or_null(warning.path);
    rows.text(warning.text);
}

// Messages in order, each followed by the warnings that stand behind it.
Rows batch_rows(std::string_view bytes) {
    const BatchReading reading = split_batch(bytes);
    RowBuilder rows(kColumns, reading.messages.size() + reading.warnings.size());
    auto warning = reading.warnings.begin();
    for (std::size_t number = 0; number <= reading.messages.size(); ++number) {
        if (number > 0) add_message(rows, reading.messages[number - 1]);
        for (; warning != reading.warnings.end() && warning->message <= number; ++warning)
            add_warning(rows, *warning);
    }
    return rows.take();
}

struct Fragments {
    Datum* values;
    bool* nulls;
    int count;
};

// May longjmp. Detoasts the elements.
Fragments fragments_of(FunctionCallInfo fcinfo) {
    ArrayType* array = PG_GETARG_ARRAYTYPE_P(0);
    Fragments fragments{};
    deconstruct_array(array, ARR_ELEMTYPE(array), -1, false, TYPALIGN_INT, &fragments.values, &fragments.nulls,
                      &fragments.count);
    for (int i = 0; i < fragments.count; ++i) {
        if (!fragments.nulls[i]) fragments.values[i] = PointerGetDatum(PG_DETOAST_DATUM_PACKED(fragments.values[i]));
    }
    return fragments;
}

bool join(const Fragments& fragments, Datum* result, Failure* failure) {
    std::vector<std::string_view> texts;
    for (int i = 0; i < fragments.count; ++i) {
        if (fragments.nulls[i]) return failure->set(ERRCODE_NULL_VALUE_NOT_ALLOWED, "a fragment is NULL");
        texts.push_back(stored_text(reinterpret_cast<struct varlena*>(DatumGetPointer(fragments.values[i]))));
    }
    const Result<std::string> joined = join_continuation(texts);
    if (joined) return store_message(*joined, result, failure);
    const Error& error = joined.error();
    return failure->set(ERRCODE_INVALID_PARAMETER_VALUE, "the fragments do not make one message", error.text,
                        error.path.empty() ? "" : "Look at " + error.path + ".");
}

} // namespace

RAD_FUNCTION(rad_hl7_split_batch) {
    const struct varlena* bytes = PG_GETARG_VARLENA_PP(0);
    const Rows rows = batch_rows(view_of(bytes));
    return_rows(fcinfo, rows);
    *result = 0;
    return true;
}

RAD_FUNCTION(rad_hl7_join_continuation) {
    const Fragments fragments = fragments_of(fcinfo);
    return join(fragments, result, failure);
}

RAD_FUNCTION(rad_hl7_continues) {
    *result = BoolGetDatum(continues(stored_text(PG_GETARG_VARLENA_PP(0))));
    return true;
}

} // namespace radscheduler::pg
