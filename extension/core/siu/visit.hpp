// PV1 as an SiuVisit, with the referring physician from wherever it was sent. Source: HL7 v2.5 chapter 3.4.3.
#pragma once

#include "segment_plan.hpp"

#include <optional>

namespace radscheduler::siu {

// Referring physician: PV1-8, PV1-7 where the profile says so, a person with a referring role (AIP), SCH-12 (placer
// contact), ORC-12, OBR-16. nullopt when there is neither PV1 nor a referring physician.
std::optional<SiuVisit> read_visit(const Context& context, const SegmentPlan& plan, const SiuReading& reading);

} // namespace radscheduler::siu
