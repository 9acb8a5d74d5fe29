// Checks of single values.
#include "data_type.hpp"

#include "../ascii.hpp"
#include "radscheduler/timestamp.hpp"

namespace radscheduler {

namespace {

// NM: optional sign, digits, optionally a point and digits; at least one digit.
bool is_number(std::string_view text) {
    if (!text.empty() && (text.front() == '+' || text.front() == '-')) text.remove_prefix(1);
    const std::size_t point = text.find('.');
    if (point == std::string_view::npos) return all_digits(text);
    const std::string_view whole = text.substr(0, point);
    const std::string_view fraction = text.substr(point + 1);
    return (whole.empty() || all_digits(whole)) && (fraction.empty() || all_digits(fraction)) && text.size() > 1;
}

// DT: YYYY[MM[DD]], a day of the calendar.
bool is_date(std::string_view text) {
    return text.size() <= 8 && all_digits(text) && Timestamp::parse(text).ok();
}

// TM: HH[MM[SS[.f{1,4}]]][+/-ZZZZ]; read as the time of some day, for which HH alone is a precision of its own.
bool is_time_of_day(std::string_view text) {
    if (text.size() < 2 || !all_digits(text.substr(0, 2))) return false;
    const Result<Timestamp> stamp = Timestamp::parse("20000101" + std::string(text));
    return stamp && stamp->has_time() && !stamp->iso_form;
}

TypeFault moment_fault(std::string_view text, bool needs_time) {
    const Result<Timestamp> stamp = Timestamp::parse(text);
    if (!stamp) return {"is not an HL7 date and time (YYYYMMDDHHMM and so on) or not one of the calendar"};
    if (stamp->iso_form) return {"is a date and time of ISO 8601, not of HL7 (YYYYMMDDHHMM)"};
    if (stamp->rolled) return {"writes midnight as 24 hours or a minute as 60 seconds", true};
    if (needs_time && !stamp->has_time()) return {"is a date without a time of day", true};
    return {};
}

} // namespace

TypeFault type_fault(DataType type, std::string_view value) {
    switch (type) {
    case DataType::number:
        if (!is_number(value)) return {"is not a number (an optional sign, digits, an optional decimal point)"};
        return {};
    case DataType::sequence:
        if (!all_digits(value)) return {"is not a sequence number (digits only)"};
        return {};
    case DataType::date:
        if (!is_date(value)) return {"is not an HL7 date (YYYYMMDD) or not one of the calendar"};
        return {};
    case DataType::time_of_day:
        if (!is_time_of_day(value)) return {"is not an HL7 time of day (HHMM)"};
        return {};
    case DataType::moment:
        return moment_fault(value, false);
    case DataType::instant:
        return moment_fault(value, true);
    case DataType::any:
    case DataType::text:
    case DataType::code:
    case DataType::coded:
    case DataType::observation:
        break;
    }
    return {};
}

DataType type_of_observation(std::string_view value_type) {
    if (value_type == "NM") return DataType::number;
    if (value_type == "SI") return DataType::sequence;
    if (value_type == "DT") return DataType::date;
    if (value_type == "TM") return DataType::time_of_day;
    if (value_type == "TS" || value_type == "DTM") return DataType::moment;
    return DataType::any;
}

} // namespace radscheduler
