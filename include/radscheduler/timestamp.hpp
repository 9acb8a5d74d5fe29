// Purpose: HL7 TS/DTM: YYYY[MM[DD[HH[MM[SS[.f{1,4}]]]]]][+/-ZZZZ], precision kept, no time zone guessed.
//
// Tolerated: 24:00 (start of the next day) and second 60 (start of the next minute), both flagged `rolled`; ISO forms
// 2024-01-15[T10:00[:SS[.f]][Z|+/-hh:mm]], flagged `iso_form` (fraction cut after six digits).
// Refused: odd digit counts, impossible dates, years outside 1800..2200, offsets beyond 23:59.
// Fields are the wall clock as sent; offset_minutes is set only when an offset was sent (Z is 0).
// Source: HL7 v2.5 chapter 2.A.77 (TS), v2.6 chapter 2.A.22 (DTM).
#pragma once

#include "radscheduler/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace radscheduler {

struct Timestamp {
    enum class Precision { year, month, day, hour, minute, second };

    Precision precision = Precision::year;
    int year = 0;
    int month = 1;
    int day = 1;
    int hour = 0;
    int minute = 0;
    int second = 0;
    std::uint32_t fraction = 0;        // as an integer of fraction_digits digits
    int fraction_digits = 0;           // 0..6
    std::optional<int> offset_minutes; // east of UTC is positive
    bool rolled = false;
    bool iso_form = false;

    // Errors: bad_timestamp; the sentence says what is wrong but does not quote the text.
    static Result<Timestamp> parse(std::string_view text);

    bool has_day() const { return precision >= Precision::day; }
    bool has_time() const { return precision >= Precision::hour; }

    // ISO 8601 at the precision sent: 2024, 2024-01, 2024-01-15, 2024-01-15T10:00:00[.f][+hh:mm]. Hours and minutes
    // are completed to seconds; an offset is written only with a time.
    std::string iso() const;

    // Seconds from 1970-01-01 00:00 of the wall clock as sent: no offset applied. instant_seconds() applies it.
    std::int64_t wall_seconds() const;
    std::int64_t instant_seconds() const;

    // The same offset, second precision. Precondition: the result stays within years 1..9999.
    Timestamp plus_minutes(std::int64_t minutes) const;
};

} // namespace radscheduler
