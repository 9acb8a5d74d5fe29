// AIS, AIG, AIL and AIP as services and resources. Source: HL7 v2.5 chapters 10.6.4 to 10.6.7.
//
// Their times are returned beside them: what they mean depends on the appointment's start, which is decided from all
// of them together (appointment_timing.hpp).
#pragma once

#include "segment_plan.hpp"
#include "shape_repair.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace radscheduler::siu {

struct TimedPart {
    std::string name; // AIS, AIG, AIL, AIP
    int group = 1;
    bool removed = false; // action code D
    PartTiming timing;
    std::size_t first = 0; // index into services (AIS) or resources
    std::size_t count = 0; // AIP-3 may repeat
};

std::vector<TimedPart> read_parts(Context& context, const SegmentPlan& plan, SiuReading& reading);

// PV1-3 as if an AIL had named it, where the profile says so and no AIL or AIG names a place.
void add_visit_location(const Context& context, const SegmentPlan& plan, SiuReading& reading);

// By group and AIS-1, in which order the exams of an appointment are told. TimedPart::first is of no use afterwards.
void sort_services(std::vector<SiuService>& services);

} // namespace radscheduler::siu
