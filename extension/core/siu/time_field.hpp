// A time that stands in a field of a scheduling message: parsed, judged for use in a schedule, and remarked on.
#pragma once

#include "context.hpp"
#include "radscheduler/timestamp.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace radscheduler::siu {

struct TimeField {
    std::string path; // empty: nothing was sent
    std::optional<Timestamp> stamp;
    bool faulty = false;      // something was sent and it is no usable time
    bool time_shaped = false; // faulty, but meant as a time: begins with eight digits
    std::string fault;        // sentence for a faulty one
};

// Remarks TIME_ISO_FORM, TIME_ROLLED and OFFSET_IMPLAUSIBLE; a faulty value is left to the caller to judge.
// `text` is decoded and trimmed; empty means not sent.
TimeField read_time(Context& context, std::string_view text, std::string path);

// Remarks a faulty value that does not matter for the outcome: BAD_TIME; in strict reading error 102.
void remark_fault(Context& context, const TimeField& field);

// True for a text that is a usable time of at least day precision within 1990..2100: a time wherever it stands.
bool is_time_shaped(std::string_view text);

} // namespace radscheduler::siu
