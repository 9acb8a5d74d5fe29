// From values of a message to texts of SQL: NULL for what was not sent or sent empty, two quotes for the HL7 null,
// escapes decoded.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "radscheduler/escape.hpp"
#include "radscheduler/path.hpp"
#include "radscheduler/value.hpp"

#include "guard.hpp"

namespace radscheduler::pg {

// A value as SQL text in the current memory context; nullptr for NULL. Throws std::bad_alloc.
struct varlena* text_of(const Value& value, const Path& path, const Message& message,
                        Formatting formatting = Formatting::line_breaks);

// The values as text[], in one allocation. One path stands for all values, or there is one path for each.
// Throws std::bad_alloc.
Datum text_array_of(std::span<const Value> values, std::span<const Path> paths, const Message& message);

// A text of PostgreSQL's memory; data is nullptr for NULL. Plain data, so that it may be alive when PostgreSQL
// longjmps.
struct SqlText {
    char* data;
    std::size_t size;
};

// The elements of a text[] argument; NULL elements have data nullptr. May longjmp.
struct SqlTexts {
    SqlText* items;
    int count;
    std::string_view at(int i) const { return {items[i].data, items[i].size}; }
    bool is_null(int i) const { return items[i].data == nullptr; }
};
SqlTexts texts_of(FunctionCallInfo fcinfo, int argument);

// 22023 that points at the character. Returns false.
bool bad_path(const Error& error, std::string_view path, Failure* failure);

} // namespace radscheduler::pg
