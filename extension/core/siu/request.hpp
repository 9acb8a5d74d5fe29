// SRM S01 to S11: what a placer asks the filler to do. ARQ is read as the SCH of the appointment it asks for, so that
// identifiers, reasons, duration, parts and notes mean in a request what they mean in a schedule; what is remarked
// names the fields of ARQ. Start: AIS-4, AIL-6, AIG-8, AIP-6, else an ARQ-11 that is one moment; a longer ARQ-11 is a
// range in which a start may be chosen (SiuRequest::windows). No status: the filler decides.
// Errors: 101 without ARQ, or without a number in ARQ-1 and ARQ-2; 102 for an ARQ-11 that is meant as a time and none.
// Remarks besides those of a schedule: WINDOW_REVERSED. Source: HL7 v2.5 chapters 10.3, 10.6.1 (ARQ), 10.6.8 (APR).
#pragma once

#include "segment_plan.hpp"

namespace radscheduler::siu {

// Fills schedule, request, services and resources. plan.sch is used on the way and empty afterwards.
void read_request(Context& context, const Message& message, SegmentPlan& plan, SiuReading& reading);

} // namespace radscheduler::siu
