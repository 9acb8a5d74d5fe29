// Names of people: XPN (patients) and XCN (staff), and how they are shown.
// Source: HL7 v2.5 chapters 2.A.88 (XPN), 2.A.86 (XCN), 2.A.30 (FN).
#pragma once

#include "../segment_fields.hpp"

#include <cstddef>
#include <string>

namespace radscheduler::siu {

struct PersonName {
    Text family, given, middle, suffix, prefix, degree;

    // "given middle family suffix". A name sent in capitals throughout is shown as "John Doe". A degree that was sent
    // as suffix is not shown.
    std::string display() const;
};

PersonName read_xpn(const SegmentFields& fields, std::size_t field, std::size_t repetition);
PersonName read_xcn(const SegmentFields& fields, std::size_t field, std::size_t repetition);

// The repetition of PID-5 to show: legal, untyped, display name, then any but alias and pseudonym, which are never
// shown; in alphabetic script where several scripts were sent. 0 when there is none.
std::size_t preferred_name(const SegmentFields& pid, std::size_t field);

// Display of the first XCN of a field that has a name, else its identifier (XCN.1). Null when the field is null.
Text xcn_display(const SegmentFields& fields, std::size_t field);

} // namespace radscheduler::siu
