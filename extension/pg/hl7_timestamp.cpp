// hl7_timestamp(): an HL7 date or time as the instant it means, with what is known about it.
//
// A wall clock without an offset is read in the zone given, never in the session's: the result must not depend on who
// asks. Where clocks are put forward, a time that does not exist is moved past the gap; where they are put back, the
// first of the two is taken; both are told. Source: HL7 v2.5 chapter 2.A.77.
#include <algorithm>
#include <cstdint>
#include <string>

#include "radscheduler/timestamp.hpp"

#include "guard.hpp"

namespace radscheduler::pg {

namespace {

constexpr std::int64_t kDay = 86400;
constexpr std::int64_t kPostgresEpoch = 946684800; // 2000-01-01 in seconds from 1970
constexpr std::int64_t kMicroseconds = 1000000;

// The outcome as plain data. Texts point at constants or into `sentence`.
struct Reading {
    bool readable;
    bool has_instant;
    std::int64_t wall;    // microseconds since 2000-01-01, of the wall clock
    std::int64_t instant; // microseconds since 2000-01-01 UTC
    int offset_minutes;
    const char* precision;
    const char* warning; // code, or nullptr
    char sentence[512];
};

std::int64_t offset_at(std::int64_t unix_seconds, const pg_tz* zone) {
    const auto moment = static_cast<pg_time_t>(unix_seconds);
    return pg_localtime(&moment, zone)->tm_gmtoff;
}

struct Placed {
    std::int64_t unix_seconds;
    const char* warning;
};

// Offsets a day before and a day after are those on either side of whatever change lies near.
Placed place(std::int64_t wall_seconds, const pg_tz* zone) {
    const std::int64_t before = wall_seconds - offset_at(wall_seconds - kDay, zone);
    const std::int64_t after = wall_seconds - offset_at(wall_seconds + kDay, zone);
    const bool before_holds = before + offset_at(before, zone) == wall_seconds;
    const bool after_holds = after + offset_at(after, zone) == wall_seconds;
    if (!before_holds && !after_holds) return {before, "TIME_IN_DST_GAP"};
    if (before_holds && after_holds && before != after) return {before < after ? before : after, "TIME_AMBIGUOUS"};
    return {before_holds ? before : after, nullptr};
}

const char* precision_name(Timestamp::Precision precision) {
    switch (precision) {
    case Timestamp::Precision::year:
        return "year";
    case Timestamp::Precision::month:
        return "month";
    case Timestamp::Precision::day:
        return "day";
    case Timestamp::Precision::hour:
        return "hour";
    case Timestamp::Precision::minute:
        return "minute";
    case Timestamp::Precision::second:
        return "second";
    }
    return "second";
}

void tell(Reading& reading, const char* code, std::string_view sentence) {
    reading.warning = code;
    const std::size_t size = std::min(sentence.size(), sizeof reading.sentence - 1);
    sentence.copy(reading.sentence, size);
    reading.sentence[size] = '\0';
}

std::int64_t microseconds_of(const Timestamp& stamp) {
    std::int64_t fraction = stamp.fraction;
    for (int digits = stamp.fraction_digits; digits < 6; ++digits)
        fraction *= 10;
    return fraction;
}

// zone: nullptr when none was given.
Reading read(std::string_view text, const pg_tz* zone) {
    Reading reading{};
    const Result<Timestamp> parsed = Timestamp::parse(text);
    if (!parsed) {
        tell(reading, "TIME_UNREADABLE", parsed.error().text);
        return reading;
    }
    const Timestamp& stamp = *parsed;
    reading.readable = true;
    reading.precision = precision_name(stamp.precision);
    const std::int64_t wall = stamp.wall_seconds();
    const std::int64_t fraction = microseconds_of(stamp);
    reading.wall = (wall - kPostgresEpoch) * kMicroseconds + fraction;
    std::int64_t moment = 0;
    if (stamp.rolled) tell(reading, "TIME_ROLLED", "24:00 or second 60 was read as the moment after it.");
    if (stamp.offset_minutes) {
        reading.offset_minutes = *stamp.offset_minutes;
        moment = stamp.instant_seconds();
    } else if (zone != nullptr) {
        const Placed placed = place(wall, zone);
        moment = placed.unix_seconds;
        reading.offset_minutes = static_cast<int>(offset_at(moment, zone) / 60);
        if (placed.warning != nullptr) {
            tell(reading, placed.warning,
                 placed.warning == std::string_view("TIME_AMBIGUOUS")
                     ? "The time exists twice on that day (clocks are put back); the first of the two was used."
                     : "The time does not exist on that day (clocks are put forward); the moment after the gap was "
                       "used.");
        }
    } else {
        tell(reading, "TIME_WITHOUT_ZONE",
             "The time has no offset and no zone was given, so that its instant is not known; give the sender's zone.");
        return reading;
    }
    reading.has_instant = true;
    reading.instant = (moment - kPostgresEpoch) * kMicroseconds + fraction;
    return reading;
}

Datum text_or_null(const char* text, bool* null) {
    *null = text == nullptr || *text == '\0';
    return *null ? 0 : CStringGetTextDatum(text);
}

// (instant, wall, precision, utc_offset, warning, sentence)
Datum row_of(FunctionCallInfo fcinfo, const Reading& reading) {
    TupleDesc shape = nullptr;
    if (get_call_result_type(fcinfo, nullptr, &shape) != TYPEFUNC_COMPOSITE)
        elog(ERROR, "hl7_timestamp() returns a row");
    shape = BlessTupleDesc(shape);
    Datum values[6] = {};
    bool nulls[6] = {};
    nulls[0] = !reading.has_instant;
    values[0] = TimestampTzGetDatum(reading.instant);
    nulls[1] = !reading.readable;
    values[1] = TimestampGetDatum(reading.wall);
    values[2] = text_or_null(reading.precision, &nulls[2]);
    nulls[3] = !reading.has_instant;
    values[3] = Int32GetDatum(reading.offset_minutes);
    values[4] = text_or_null(reading.warning, &nulls[4]);
    values[5] = text_or_null(reading.sentence, &nulls[5]);
    return HeapTupleGetDatum(heap_form_tuple(shape, values, nulls));
}

} // namespace

RAD_FUNCTION(rad_hl7_timestamp) {
    const std::string_view value = view_of(PG_GETARG_VARLENA_PP(0));
    const pg_tz* zone = nullptr;
    if (PG_NARGS() > 1) {
        const char* name = text_to_cstring(PG_GETARG_TEXT_PP(1));
        zone = pg_tzset(name);
        if (zone == nullptr) {
            return failure->set(ERRCODE_INVALID_PARAMETER_VALUE, "\"" + std::string(name) + "\" is not a time zone", {},
                                "Use an IANA name such as America/New_York; pg_timezone_names lists them.");
        }
    }
    const Reading reading = read(value, zone);
    *result = row_of(fcinfo, reading);
    return true;
}

} // namespace radscheduler::pg
