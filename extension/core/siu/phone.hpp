// Telephone numbers of a patient, best first. Source: HL7 v2.5 chapter 2.A.89 (XTN), tables 0201, 0202.
#pragma once

#include "../segment_fields.hpp"
#include "radscheduler/siu/reading.hpp"

namespace radscheduler::siu {

// Over PID-13, PID-40 and PID-14: mobile (equipment CP, use ORN or PRS) before home (PRN, PH) before work (WPN).
// E-mail, fax and pagers are left out. The number is XTN.12, else .5 .6 .7, else .1, as sent.
void read_phones(const SegmentFields& pid, SiuPatient& patient);

} // namespace radscheduler::siu
