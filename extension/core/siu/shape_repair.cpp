// Standard positions first, then the scan by shape.
#include "shape_repair.hpp"

#include "../ascii.hpp"
#include "duration.hpp"
#include "words.hpp"

namespace radscheduler::siu {

namespace {

constexpr PartLayout kLayouts[] = {
    {"AIS", 0, 4, 5, 6, 7, 8, 10},
    {"AIG", 4, 8, 9, 10, 11, 12, 14},
    {"AIL", 4, 6, 7, 8, 9, 10, 12},
    {"AIP", 4, 6, 7, 8, 9, 10, 12},
};
constexpr std::size_t kFirstScanned = 4; // AIx-1 to AIx-3 are never times
constexpr std::size_t kFirstTimingField = 5;
constexpr std::size_t kLastTimingField = 13;
constexpr std::int64_t kMaxOffsetSeconds = 31LL * 86400;
constexpr std::size_t kTimingStart = 4; // TQ.4
constexpr std::size_t kTimingEnd = 5;   // TQ.5

std::string place(std::string_view segment, std::size_t field) {
    return std::string(segment) + std::to_string(field);
}

std::string place_dashed(std::string_view segment, std::size_t field) {
    return std::string(segment) + "-" + std::to_string(field);
}

std::string repair_code(std::string_view segment, std::size_t from, std::size_t to) {
    return "REPAIR_" + place(segment, from) + "_TO_" + place(segment, to);
}

std::optional<int> usable_minutes(Context& context, const std::optional<Duration>& duration, const std::string& path) {
    if (!duration || duration->seconds <= 0) return std::nullopt;
    if (duration->seconds > std::int64_t{kMaxPartMinutes} * 60) {
        context.warn("DURATION_IMPLAUSIBLE", path, path + " is longer than a day; it was left out.");
        return std::nullopt;
    }
    if (duration->unit_assumed) {
        context.warn("DURATION_UNIT_ASSUMED", path, path + " has no unit that is known; minutes were assumed.");
    }
    return duration->minutes();
}

void find_start(Context& context, const PlannedSegment& part, const PartLayout& layout, PartTiming& timing) {
    const SegmentFields& fields = part.fields;
    timing.start = read_time(context, fields.text(layout.start).value, part.path(layout.start));
    timing.start_field = timing.start.path.empty() ? 0 : layout.start;
    if (timing.start.stamp || timing.start.time_shaped) return;
    for (std::size_t field = kFirstScanned; field <= fields.last_field(); ++field) {
        const std::string text = fields.text(field).value;
        if (field == layout.start || !is_time_shaped(text)) continue;
        const std::string path = part.path(field);
        const bool repaired = context.repair(repair_code(part.name, field, layout.start), path,
                                             path + " holds a date and time, and " +
                                                 place_dashed(part.name, layout.start) + " (start) holds none",
                                             "it was read as the start. Ask the sender to put the start into " +
                                                 place_dashed(part.name, layout.start) + ".");
        if (!repaired) return;
        timing.start = read_time(context, text, path);
        timing.start_field = field;
        timing.repaired = true;
        return;
    }
}

void find_offset(Context& context, const PlannedSegment& part, const PartLayout& layout, PartTiming& timing) {
    if (timing.repaired) return; // the slot belongs to the shifted values
    const std::string text = part.fields.text(layout.offset).value;
    if (text.empty()) return;
    const std::string path = part.path(layout.offset);
    if (is_time_shaped(text)) {
        context.repair("OFFSET_IS_TIME", path, path + " (offset) holds a date and time", "it was left out.");
        return;
    }
    const std::optional<Duration> offset = read_duration(text, unit_word(part.fields, layout.offset_unit));
    if (!offset || offset->seconds > kMaxOffsetSeconds || offset->seconds < -kMaxOffsetSeconds) {
        context.repair("BAD_OFFSET", path, path + " is not a usable offset from the start", "it was left out.");
        return;
    }
    timing.offset_minutes = offset->minutes();
}

// A number followed by a unit of time, in the fields behind a start that was found out of place.
void find_shifted_duration(Context& context, const PlannedSegment& part, const PartLayout& layout, PartTiming& timing) {
    const SegmentFields& fields = part.fields;
    for (std::size_t field = timing.start_field + 1; field <= fields.last_field(); ++field) {
        const std::string text = fields.text(field).value;
        if (!all_digits(text) || text.size() > 4) continue;
        const int value = digits_value(text);
        if (value < 1 || value > kMaxPartMinutes) continue;
        std::string unit = fields.text(field, 2).value;
        if (unit_seconds(unit) == 0) unit = unit_word(fields, field + 1);
        if (unit_seconds(unit) == 0) continue;
        const std::string path = part.path(field);
        if (context.repair(repair_code(part.name, field, layout.duration), path,
                           path + " holds a number with a unit of time, and " +
                               place_dashed(part.name, layout.duration) + " (duration) holds none",
                           "it was read as the duration.")) {
            timing.duration_minutes = usable_minutes(context, read_duration(text, unit), path);
        }
        return;
    }
}

// "30" in the field of the offset's unit and "MIN" in that of the duration: one field early.
void find_early_duration(Context& context, const PlannedSegment& part, const PartLayout& layout, PartTiming& timing) {
    const std::size_t field = layout.duration - 1;
    const std::string text = part.fields.text(field).value;
    if (!all_digits(text) || text.size() > 4 || digits_value(text) < 1 || digits_value(text) > kMaxPartMinutes) return;
    const std::string path = part.path(field);
    if (context.repair(repair_code(part.name, field, layout.duration), path,
                       path + " holds a number and " + place_dashed(part.name, layout.duration) +
                           " (duration) its unit of time",
                       "it was read as the duration.")) {
        timing.duration_minutes =
            usable_minutes(context, read_duration(text, unit_word(part.fields, layout.duration)), path);
    }
}

void find_duration(Context& context, const PlannedSegment& part, const PartLayout& layout, PartTiming& timing) {
    const SegmentFields& fields = part.fields;
    const std::string text = fields.text(layout.duration).value;
    const std::string path = part.path(layout.duration);
    if (timing.start_field != layout.duration && !text.empty()) {
        std::string unit = fields.text(layout.duration, 2).value;
        if (unit_seconds(unit) == 0) unit = unit_word(fields, layout.duration_unit);
        const std::optional<Duration> duration = is_time_shaped(text) ? std::nullopt : read_duration(text, unit);
        timing.duration_minutes = usable_minutes(context, duration, path);
        if (!timing.repaired && unit_seconds(text) != 0) {
            find_early_duration(context, part, layout, timing);
        } else if (!timing.repaired && !duration) {
            context.repair("BAD_DURATION", path, path + " is not a usable duration", "it was left out.");
        }
    }
    if (timing.repaired && !timing.duration_minutes) find_shifted_duration(context, part, layout, timing);
}

} // namespace

const PartLayout& layout_of(std::string_view segment_name) {
    for (const PartLayout& layout : kLayouts) {
        if (layout.name == segment_name) return layout;
    }
    return kLayouts[0];
}

std::string unit_word(const SegmentFields& fields, std::size_t field) {
    std::string code = fields.text(field, 1).value;
    if (unit_seconds(code) != 0) return code;
    std::string text = fields.text(field, 2).value;
    return unit_seconds(text) != 0 ? text : code;
}

PartTiming read_part_timing(Context& context, const PlannedSegment& part, const PartLayout& layout) {
    PartTiming timing;
    find_start(context, part, layout, timing);
    find_offset(context, part, layout, timing);
    find_duration(context, part, layout, timing);
    return timing;
}

ScheduleLayout find_schedule_layout(Context& context, const SegmentFields& sch) {
    ScheduleLayout layout;
    for (std::size_t i = 1; i <= sch.repetitions(layout.timing); ++i) {
        if (sch.text(layout.timing, kTimingStart, i).has_value() ||
            sch.text(layout.timing, kTimingEnd, i).has_value()) {
            layout.repetition = i;
            return layout;
        }
    }
    const std::size_t standard = layout.timing;
    for (std::size_t field = kFirstTimingField; field <= kLastTimingField; ++field) {
        if (field == standard || !is_time_shaped(sch.text(field, kTimingStart).value)) continue;
        const std::string path = place_dashed("SCH", field);
        if (!context.repair(repair_code("SCH", field, standard), path,
                            path + " has the shape of a timing (TQ), and SCH-11 holds none",
                            "it was read as SCH-11. Ask the sender to put it there.")) {
            return layout;
        }
        layout.timing = field;
        const bool has_duration = sch.text(layout.duration).has_value() && field != layout.duration;
        const std::string before = sch.text(field - 1).value;
        if (!has_duration && all_digits(before) && unit_seconds(sch.text(field - 1, 2).value) != 0) {
            layout.duration = field - 1;
            context.warn(repair_code("SCH", field - 1, 9), place_dashed("SCH", field - 1),
                         place_dashed("SCH", field - 1) +
                             " holds a number with a unit of time, and SCH-9 (duration) holds none; it was read as "
                             "the duration.");
        }
        return layout;
    }
    return layout;
}

} // namespace radscheduler::siu
