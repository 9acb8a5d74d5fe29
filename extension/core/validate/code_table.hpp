// Tables that HL7 itself defines (their codes are the same everywhere), and two that sites may extend.
#pragma once

#include <string_view>

namespace radscheduler {

enum class CodeTable {
    none,
    administrative_sex, // 0001, user-defined
    acknowledgment,     // 0008
    order_status,       // 0038
    result_status,      // 0085
    order_control,      // 0119
    report_status,      // 0123
    value_type,         // 0125
    yes_no,             // 0136
    acknowledge_when,   // 0155
    action,             // 0206
    charset,            // 0211
    filler_status,      // 0278, user-defined
};

// "0155"
std::string_view table_number(CodeTable table);

// Letter case counts, as in HL7. Every code belongs to `none`.
bool holds_code(CodeTable table, std::string_view code);

// True for tables whose codes a site may add to: an unknown one is worth a warning only.
bool is_user_defined(CodeTable table);

} // namespace radscheduler
