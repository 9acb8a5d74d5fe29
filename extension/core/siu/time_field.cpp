// Judging times.
#include "time_field.hpp"

#include "../ascii.hpp"

namespace radscheduler::siu {

namespace {

constexpr int kFirstScheduleYear = 1990;
constexpr int kLastScheduleYear = 2100;
constexpr int kLargestOffset = 14 * 60; // the widest in use; PostgreSQL refuses much larger ones
constexpr std::size_t kLongestQuote = 26;

// A bad time may be quoted, but only when it cannot be anything else.
std::string quoted(std::string_view text) {
    for (const char c : text) {
        if (!is_digit(c) && c != '.' && c != '+' && c != '-' && c != ':' && c != 'T' && c != 'Z') return {};
    }
    return text.size() > kLongestQuote ? std::string() : " (" + std::string(text) + ")";
}

TimeField faulty(std::string_view text, std::string path, const std::string& reason) {
    TimeField field;
    field.faulty = true;
    field.time_shaped = text.size() >= 8 && all_digits(text.substr(0, 8));
    field.fault = path + " is not a usable date and time" + quoted(text) + ": " + reason;
    field.path = std::move(path);
    return field;
}

// Also what stands between HL7 and ISO: 20240115T1000, 202401151000Z, 202401151000+05:30.
Result<Timestamp> parse_mixed(std::string_view text) {
    constexpr std::size_t kDate = 8;
    constexpr std::size_t kLongest = 32;
    Result<Timestamp> parsed = Timestamp::parse(text);
    if (parsed || text.size() <= kDate || text.size() > kLongest || !all_digits(text.substr(0, kDate))) return parsed;
    std::string hl7(text);
    if (hl7[kDate] == 'T') hl7.erase(kDate, 1);
    if (hl7.ends_with('Z')) hl7.replace(hl7.size() - 1, 1, "+0000");
    const std::size_t colon = hl7.size() - 3;
    if (hl7[colon] == ':' && (hl7[colon - 3] == '+' || hl7[colon - 3] == '-')) hl7.erase(colon, 1);
    if (hl7 == text) return parsed;
    Result<Timestamp> mixed = Timestamp::parse(hl7);
    if (!mixed) return parsed;
    mixed->iso_form = true;
    return mixed;
}

} // namespace

TimeField read_time(Context& context, std::string_view text, std::string path) {
    if (text.empty()) return {};
    Result<Timestamp> parsed = parse_mixed(text);
    if (!parsed) return faulty(text, std::move(path), parsed.error().text);
    Timestamp& stamp = *parsed;
    if (!stamp.has_day()) return faulty(text, std::move(path), "At least year, month and day are needed.");
    if (stamp.year < kFirstScheduleYear) return faulty(text, std::move(path), "The year lies before 1990.");
    if (stamp.iso_form && !context.repair("TIME_ISO_FORM", path, path + " is written in ISO 8601 form",
                                          "it was read as such. HL7 expects YYYYMMDDHHMM.")) {
        return faulty(text, std::move(path), "HL7 expects YYYYMMDDHHMM.");
    }
    if (stamp.rolled) {
        context.warn("TIME_ROLLED", path,
                     path + " says 24:00 or second 60; it was read as the start of the next day or minute.");
    }
    if (stamp.offset_minutes && (*stamp.offset_minutes > kLargestOffset || *stamp.offset_minutes < -kLargestOffset)) {
        context.warn("OFFSET_IMPLAUSIBLE", path,
                     path + " has a time zone offset of more than 14 hours; the offset was left out.");
        stamp.offset_minutes.reset();
    }
    TimeField field;
    field.path = std::move(path);
    field.stamp = stamp;
    return field;
}

void remark_fault(Context& context, const TimeField& field) {
    if (!field.faulty) return;
    if (context.lenient()) {
        context.warn("BAD_TIME", field.path, field.fault + " It was left out.");
    } else {
        context.fail("102", field.path, field.fault);
    }
}

bool is_time_shaped(std::string_view text) {
    if (text.size() < 8) return false;
    const Result<Timestamp> parsed = parse_mixed(text);
    return parsed && parsed->has_day() && parsed->year >= kFirstScheduleYear && parsed->year <= kLastScheduleYear;
}

} // namespace radscheduler::siu
