// Rows of a set-returning function as plain data: built by C++ code that may throw, handed to PostgreSQL's tuple store
// afterwards, when no C++ object is alive any more.
#pragma once

#include <cstddef>
#include <string_view>

#include "guard.hpp"

namespace radscheduler::pg {

struct Rows {
    Datum* values;
    bool* nulls;
    std::size_t columns;
    std::size_t count;
};

// Cells are added from left to right, row after row. Throws std::bad_alloc; never longjmps.
class RowBuilder {
public:
    RowBuilder(std::size_t columns, std::size_t rows);

    void integer(std::size_t value);
    void text(std::string_view value);
    void text_or_null(std::string_view value); // NULL when empty
    void datum(Datum value);
    void null();

    // Precondition: every cell of every row has been added.
    Rows take() const { return rows_; }

private:
    Rows rows_;
    std::size_t cell_ = 0;
};

// Fills the result of a function declared RETURNS SETOF record with OUT parameters. May longjmp.
void return_rows(FunctionCallInfo fcinfo, const Rows& rows);

} // namespace radscheduler::pg
