// Purpose: a JSON value as a flat list, for readers that must not know who parsed it: PostgreSQL's jsonb in the
// extension, a JSON library in the tests. Keys may come in any order.
#pragma once

#include <string_view>

namespace radscheduler {

struct JsonToken {
    enum class Kind { begin_array, end_array, begin_object, end_object, key, string, number, boolean, null };

    Kind kind = Kind::null;
    std::string_view text; // of a key, string (unescaped) or number
};

} // namespace radscheduler
