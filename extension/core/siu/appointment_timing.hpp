// When the appointment is: start, end and duration out of TQ1, SCH and the resource segments, then the times of the
// services and resources themselves.
//
// Start:    TQ1-7, SCH-11.4, earliest AIS-4, AIL-6, AIG-8, AIP-6, then repaired places in the same order (AIS first
//           with StartSource::service). A value that is meant as a time and is none, met before a good one, is error
//           102; a date without a time gives way to a later source that has the time of that day.
// Duration: an end after the start (TQ1-8, SCH-11.5), SCH-9, TQ1-6, SCH-11.3, span of the AIS, longest part.
//           Zero, negative and implausibly long ones are passed over.
// Parts:    their own start, else their offset; exams with durations only follow one another where there is room.
// Remarks:  TIME_DISAGREE, TIME_REFINED, DATE_ONLY_START, END_NOT_AFTER_START, DURATION_IMPLAUSIBLE,
//           DURATION_DISAGREE, DURATION_UNIT_ASSUMED, BAD_DURATION, RESOURCE_TIME_DISTRUSTED, BAD_TIME,
//           REPAIR_AIS5_TO_AIS7.
// Source: HL7 v2.5 chapters 4.5.4 (TQ1), 10.6.1 (SCH); field evidence in the message corpora of several vendors.
#pragma once

#include "resources.hpp"
#include "segment_plan.hpp"
#include "shape_repair.hpp"

#include <vector>

namespace radscheduler::siu {

void read_timing(Context& context, const SegmentPlan& plan, const ScheduleLayout& layout, std::vector<TimedPart>& parts,
                 SiuReading& reading);

} // namespace radscheduler::siu
