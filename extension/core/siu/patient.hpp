// PID as an SiuPatient. Source: HL7 v2.5 chapter 3.4.2.
#pragma once

#include "context.hpp"
#include "segment_plan.hpp"

namespace radscheduler::siu {

SiuPatient read_patient(Context& context, const SegmentPlan& plan);

} // namespace radscheduler::siu
