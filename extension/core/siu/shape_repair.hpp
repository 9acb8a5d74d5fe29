// Where the times of a segment stand, and finding them by their shape when they stand elsewhere in the same segment.
// Nothing is guessed across segments. Every find is remarked as REPAIR_<from>_TO_<to>; strict reading makes it error
// 102.
#pragma once

#include "segment_plan.hpp"
#include "time_field.hpp"

#include <cstddef>
#include <optional>
#include <string_view>

namespace radscheduler::siu {

// Longest duration that counts as one; blocks (S23, S24) may be longer, which the timing of the appointment allows.
inline constexpr int kMaxPartMinutes = 1440;

// Field numbers of a resource segment. Source: HL7 v2.5 chapters 10.6.4 to 10.6.7. type 0: the segment has none.
struct PartLayout {
    std::string_view name;
    std::size_t type, start, offset, offset_unit, duration, duration_unit, status;
};

const PartLayout& layout_of(std::string_view segment_name);

struct PartTiming {
    TimeField start;
    std::size_t start_field = 0; // where the start was found; 0: nowhere
    bool repaired = false;
    std::optional<int> offset_minutes, duration_minutes;
};

PartTiming read_part_timing(Context& context, const PlannedSegment& part, const PartLayout& layout);

// Where SCH holds its timing (TQ) and duration.
struct ScheduleLayout {
    std::size_t timing = 11;
    std::size_t repetition = 1;
    std::size_t duration = 9;

    bool timing_repaired() const { return timing != 11; }
    bool uses(std::size_t field) const { return field == timing || field == duration; }
};

ScheduleLayout find_schedule_layout(Context& context, const SegmentFields& sch);

// The unit of time that a coded field names: its code or its text, whichever is one.
std::string unit_word(const SegmentFields& fields, std::size_t field);

} // namespace radscheduler::siu
