// What is wrong with a value as its data type, as the second half of a sentence ("is not a number").
// Source: HL7 v2.5 chapter 2.A.
#pragma once

#include "field_rule.hpp"

#include <string_view>

namespace radscheduler {

struct TypeFault {
    std::string_view what;       // empty: nothing
    bool only_a_warning = false; // readable all the same
};

// value: one repetition or component, not empty and not the HL7 null, undecoded. Types that may hold anything have no
// faults. `coded` and `code` are the business of code_table.hpp.
TypeFault type_fault(DataType type, std::string_view value);

// The data type that a code of table 0125 (OBX-2) promises; `any` for those that are not checked.
DataType type_of_observation(std::string_view value_type);

} // namespace radscheduler
