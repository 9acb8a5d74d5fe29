// A location (PL) as the name of a room. Source: HL7 v2.5 chapter 2.A.53.
//
// The room (PL.2) names it, else the point of care (PL.1), which mostly is a department. The other way round where
// PL.1 is a bare number and PL.2 the name of what it numbers ("4^PET/CT North", but not "055^Room 1", "3^R7").
#pragma once

#include "../segment_fields.hpp"

#include <cstddef>

namespace radscheduler::siu {

struct Place {
    Text code, name, facility;
    Text also; // PL.2 where PL.1 is the code
};

Place read_place(const SegmentFields& fields, std::size_t field, std::size_t repetition = 1);

} // namespace radscheduler::siu
