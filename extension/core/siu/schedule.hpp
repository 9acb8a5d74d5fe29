// SCH and TQ1 apart from times: identifiers, reasons, status, priority, orders, contacts, notes.
// Source: HL7 v2.5 chapter 10.6.1.
#pragma once

#include "resources.hpp"
#include "segment_plan.hpp"
#include "shape_repair.hpp"

#include <vector>

namespace radscheduler::siu {

// Error 101 when neither SCH-1, SCH-2 nor the configured id_source gives an appointment id.
SiuSchedule read_schedule(Context& context, const Message& message, const SegmentPlan& plan,
                          const ScheduleLayout& layout);

// Candidate status words, most trusted first: SCH-25, then AIS-10 of the first service, then what all other parts
// agree on (not in S18 to S22, which are about parts). Lenient reading looks for a status word in SCH-12..27 when
// SCH-25 is empty. Needs services and resources.
void read_status(Context& context, const SegmentPlan& plan, const std::vector<TimedPart>& parts, SiuReading& reading);

} // namespace radscheduler::siu
