// From values of a message to texts of SQL: NULL for what was not sent or sent empty, two quotes for the HL7 null,
// escapes decoded.
#pragma once

#include <string>
#include <string_view>

#include "radscheduler/path.hpp"
#include "radscheduler/value.hpp"

#include "guard.hpp"

namespace radscheduler::pg {

// A text of PostgreSQL's memory; data is nullptr for NULL. Plain data, so that it may be alive when PostgreSQL
// longjmps.
struct SqlText {
    char* data;
    std::size_t size;
};

SqlText sql_text(const Value& value, const Path& path, const Delimiters& delimiters);

// text[] of the given texts.
Datum text_array(const SqlText* texts, int count);

// The elements of a text[] argument; NULL elements have data nullptr. May longjmp.
struct SqlTexts {
    SqlText* items;
    int count;
    std::string_view at(int i) const { return {items[i].data, items[i].size}; }
    bool is_null(int i) const { return items[i].data == nullptr; }
};
SqlTexts texts_of(FunctionCallInfo fcinfo, int argument);

// Room for `count` texts, all NULL. Throws std::bad_alloc.
SqlText* new_texts(std::size_t count);

// 22023 that points at the character. Returns false.
bool bad_path(const Error& error, std::string_view path, Failure* failure);

} // namespace radscheduler::pg
