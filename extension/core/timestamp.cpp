// Parsing and printing HL7 times. Calendar arithmetic after H. Hinnant's days_from_civil, as std::chrono does it.
#include "radscheduler/timestamp.hpp"

#include "ascii.hpp"

#include <chrono>

namespace radscheduler {

namespace {

constexpr int kFirstYear = 1800;
constexpr int kLastYear = 2200;
constexpr std::size_t kLongestFraction = 6;
constexpr std::int64_t kSecondsPerDay = 86400;

using Precision = Timestamp::Precision;

Error bad(std::size_t offset, const char* sentence) {
    return {ErrorCode::bad_timestamp, offset, "", sentence};
}

// Offset as +hhmm or, in the ISO form, +hh:mm. `text` starts with the sign.
bool parse_offset(std::string_view text, bool colon, std::optional<int>& minutes) {
    std::string digits(text.substr(1));
    if (colon && digits.size() == 5 && digits[2] == ':') digits.erase(2, 1);
    if (digits.size() != 4 || !all_digits(digits)) return false;
    const int hours = digits_value(std::string_view(digits).substr(0, 2));
    const int rest = digits_value(std::string_view(digits).substr(2, 2));
    if (hours > 23 || rest > 59) return false;
    const int total = hours * 60 + rest;
    minutes = text.front() == '-' ? -total : total;
    return true;
}

void set_fraction(Timestamp& stamp, std::string_view digits) {
    const std::string_view kept = digits.substr(0, kLongestFraction);
    stamp.fraction = static_cast<std::uint32_t>(digits_value(kept));
    stamp.fraction_digits = static_cast<int>(kept.size());
}

void set_from_seconds(Timestamp& stamp, std::int64_t seconds) {
    std::int64_t days = seconds / kSecondsPerDay;
    std::int64_t rest = seconds % kSecondsPerDay;
    if (rest < 0) {
        rest += kSecondsPerDay;
        --days;
    }
    const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{days}}};
    stamp.year = static_cast<int>(date.year());
    stamp.month = static_cast<int>(static_cast<unsigned>(date.month()));
    stamp.day = static_cast<int>(static_cast<unsigned>(date.day()));
    stamp.hour = static_cast<int>(rest / 3600);
    stamp.minute = static_cast<int>(rest % 3600 / 60);
    stamp.second = static_cast<int>(rest % 60);
}

// Ranges of a stamp whose fields are set; rolls 24:00 and second 60 over.
std::optional<Error> check(Timestamp& stamp) {
    if (stamp.year < kFirstYear || stamp.year > kLastYear) return bad(0, "The year lies outside 1800 to 2200.");
    if (stamp.month < 1 || stamp.month > 12) return bad(4, "There is no such month.");
    const std::chrono::year_month_day date{std::chrono::year{stamp.year},
                                           std::chrono::month{static_cast<unsigned>(stamp.month)},
                                           std::chrono::day{static_cast<unsigned>(stamp.day)}};
    if (!date.ok()) return bad(6, "There is no such day in that month.");
    const bool midnight = stamp.hour == 24 && stamp.minute == 0 && stamp.second == 0 && stamp.fraction == 0;
    if (stamp.hour > 23 && !midnight) return bad(8, "The hour is above 23.");
    if (stamp.minute > 59) return bad(10, "The minute is above 59.");
    if (stamp.second > 60) return bad(12, "The second is above 59.");
    if (midnight || stamp.second == 60) {
        set_from_seconds(stamp, stamp.wall_seconds());
        stamp.rolled = true;
    }
    return std::nullopt;
}

Result<Timestamp> parse_iso(std::string_view text) {
    Timestamp stamp;
    stamp.iso_form = true;
    stamp.precision = Precision::day;
    const char* const sentence = "Not a date and time; use YYYYMMDDHHMM, or 2024-01-15T10:00 with an optional offset.";
    const auto two = [&](std::size_t at, int& value) {
        if (at + 2 > text.size() || !all_digits(text.substr(at, 2))) return false;
        value = digits_value(text.substr(at, 2));
        return true;
    };
    stamp.year = digits_value(text.substr(0, 4));
    if (!two(5, stamp.month) || text.size() < 10 || text[7] != '-' || !two(8, stamp.day)) return bad(5, sentence);
    std::size_t position = 10;
    if (position < text.size()) {
        if ((text[10] != 'T' && text[10] != ' ') || !two(11, stamp.hour) || text.size() < 16 || text[13] != ':' ||
            !two(14, stamp.minute)) {
            return bad(10, sentence);
        }
        stamp.precision = Precision::minute;
        position = 16;
        if (position < text.size() && text[position] == ':') {
            if (!two(17, stamp.second)) return bad(17, sentence);
            stamp.precision = Precision::second;
            position = 19;
            if (position < text.size() && text[position] == '.') {
                std::size_t end = position + 1;
                while (end < text.size() && is_digit(text[end]))
                    ++end;
                if (end == position + 1 || end > position + 10) return bad(position, sentence);
                set_fraction(stamp, text.substr(position + 1, end - position - 1));
                position = end;
            }
        }
        if (position < text.size()) {
            const std::string_view zone = text.substr(position);
            if (zone == "Z") {
                stamp.offset_minutes = 0;
            } else if ((zone[0] != '+' && zone[0] != '-') || !parse_offset(zone, true, stamp.offset_minutes)) {
                return bad(position, sentence);
            }
        }
    }
    if (std::optional<Error> error = check(stamp)) return *error;
    return stamp;
}

std::string padded(int value, int width) {
    std::string digits = std::to_string(value);
    if (static_cast<int>(digits.size()) < width) digits.insert(0, static_cast<std::size_t>(width) - digits.size(), '0');
    return digits;
}

} // namespace

Result<Timestamp> Timestamp::parse(std::string_view text) {
    if (text.size() > 4 && text[4] == '-' && all_digits(text.substr(0, 4)) &&
        (text.size() == 10 || (text.size() > 10 && (text[10] == 'T' || text[10] == ' ')))) {
        return parse_iso(text);
    }
    Timestamp stamp;
    std::size_t digits = 0;
    while (digits < text.size() && is_digit(text[digits]))
        ++digits;
    if (digits < 4 || digits > 14 || digits % 2 != 0) {
        return bad(digits, "Not an HL7 time; YYYY[MM[DD[HH[MM[SS]]]]] has 4, 6, 8, 10, 12 or 14 digits.");
    }
    stamp.precision = static_cast<Precision>((digits - 4) / 2);
    const auto two = [&](std::size_t at) { return digits_value(text.substr(at, 2)); };
    stamp.year = digits_value(text.substr(0, 4));
    if (digits >= 6) stamp.month = two(4);
    if (digits >= 8) stamp.day = two(6);
    if (digits >= 10) stamp.hour = two(8);
    if (digits >= 12) stamp.minute = two(10);
    if (digits >= 14) stamp.second = two(12);

    std::size_t position = digits;
    if (position < text.size() && text[position] == '.') {
        std::size_t end = position + 1;
        while (end < text.size() && is_digit(text[end]))
            ++end;
        const std::size_t length = end - position - 1;
        if (digits != 14 || length < 1 || length > 4) {
            return bad(position, "A fraction of one to four digits may follow the seconds only.");
        }
        set_fraction(stamp, text.substr(position + 1, length));
        position = end;
    }
    if (position < text.size() && (text[position] == '+' || text[position] == '-')) {
        if (!parse_offset(text.substr(position), false, stamp.offset_minutes)) {
            return bad(position, "The time zone offset must be a sign and four digits, at most 2359.");
        }
        position = text.size();
    }
    if (position != text.size()) return bad(position, "Characters follow the time that do not belong to it.");
    if (std::optional<Error> error = check(stamp)) return *error;
    return stamp;
}

std::string Timestamp::iso() const {
    std::string text = padded(year, 4);
    if (precision >= Precision::month) text += "-" + padded(month, 2);
    if (precision >= Precision::day) text += "-" + padded(day, 2);
    if (!has_time()) return text;
    text += "T" + padded(hour, 2) + ":" + padded(minute, 2) + ":" + padded(second, 2);
    if (fraction_digits > 0) text += "." + padded(static_cast<int>(fraction), fraction_digits);
    if (offset_minutes) {
        const int size = *offset_minutes < 0 ? -*offset_minutes : *offset_minutes;
        text += (*offset_minutes < 0 ? "-" : "+") + padded(size / 60, 2) + ":" + padded(size % 60, 2);
    }
    return text;
}

std::int64_t Timestamp::wall_seconds() const {
    const std::chrono::sys_days date = std::chrono::year{year} / std::chrono::month{static_cast<unsigned>(month)} /
                                       std::chrono::day{static_cast<unsigned>(day)};
    return date.time_since_epoch().count() * kSecondsPerDay + std::int64_t{hour} * 3600 + std::int64_t{minute} * 60 +
           second;
}

std::int64_t Timestamp::instant_seconds() const {
    return wall_seconds() - static_cast<std::int64_t>(offset_minutes.value_or(0)) * 60;
}

Timestamp Timestamp::plus_minutes(std::int64_t minutes) const {
    Timestamp moved = *this;
    moved.precision = Precision::second;
    set_from_seconds(moved, wall_seconds() + minutes * 60);
    return moved;
}

} // namespace radscheduler
