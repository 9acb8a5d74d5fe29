// Cells into plain memory, plain memory into the tuple store.
#include "rows.hpp"

namespace radscheduler::pg {

RowBuilder::RowBuilder(std::size_t columns, std::size_t rows)
    : rows_{static_cast<Datum*>(allocate(columns * rows * sizeof(Datum) + 1)),
            static_cast<bool*>(allocate(columns * rows * sizeof(bool) + 1)), columns, rows} {}

void RowBuilder::datum(Datum value) {
    rows_.values[cell_] = value;
    rows_.nulls[cell_++] = false;
}

void RowBuilder::null() {
    rows_.values[cell_] = 0;
    rows_.nulls[cell_++] = true;
}

void RowBuilder::integer(std::size_t value) {
    datum(Int32GetDatum(static_cast<int32>(value)));
}

void RowBuilder::text(std::string_view value) {
    datum(PointerGetDatum(varlena_of(value)));
}

void RowBuilder::text_or_null(std::string_view value) {
    if (value.empty()) return null();
    text(value);
}

void return_rows(FunctionCallInfo fcinfo, const Rows& rows) {
    InitMaterializedSRF(fcinfo, 0);
    const auto* target = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    for (std::size_t i = 0; i < rows.count; ++i) {
        CHECK_FOR_INTERRUPTS();
        tuplestore_putvalues(target->setResult, target->setDesc, rows.values + i * rows.columns,
                             rows.nulls + i * rows.columns);
    }
}

} // namespace radscheduler::pg
