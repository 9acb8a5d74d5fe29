// Choosing the start of the appointment among the places that may hold it.
#pragma once

#include "resources.hpp"
#include "segment_plan.hpp"
#include "shape_repair.hpp"
#include "time_field.hpp"

#include <cstdint>
#include <vector>

namespace radscheduler::siu {

enum class StartPlace { none, timing_segment /*TQ1*/, schedule /*SCH*/, part /*AIx*/ };

// The times of TQ1 and SCH, read once.
struct ScheduleTimes {
    const SegmentFields* timing = nullptr;  // the TQ1 that counts; nullptr: none
    std::string timing_name;                // "TQ1" or "TQ1[2]"
    TimeField timing_start, timing_end;     // TQ1-7, TQ1-8
    TimeField schedule_start, schedule_end; // SCH-11.4, SCH-11.5
};

struct ChosenStart {
    StartPlace place = StartPlace::none;
    std::optional<Timestamp> stamp;
    bool failed = false; // error 102 was recorded
};

ScheduleTimes read_schedule_times(Context& context, const SegmentPlan& plan, const ScheduleLayout& layout);

// Remarks every unusable time that was met, but not the end times.
ChosenStart choose_start(Context& context, const ScheduleTimes& times, const ScheduleLayout& layout,
                         const std::vector<TimedPart>& parts);

// later - earlier in seconds; by the wall clock unless both have an offset.
std::int64_t seconds_between(const Timestamp& earlier, const Timestamp& later);

} // namespace radscheduler::siu
