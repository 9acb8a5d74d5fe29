// Cells into plain memory, plain memory into the tuple store.
#include "rows.hpp"

#include <new>

namespace radscheduler::pg {

namespace {

void* allocate(std::size_t size) {
    void* memory = palloc_extended(size + 1, MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}

} // namespace

RowBuilder::RowBuilder(std::size_t columns, std::size_t rows)
    : rows_{static_cast<Datum*>(allocate(columns * rows * sizeof(Datum))),
            static_cast<bool*>(allocate(columns * rows * sizeof(bool))), columns, rows} {}

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
