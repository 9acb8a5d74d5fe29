// Groups without a dictionary of message structures: which segments belong to the group that one segment opens.
//
// A group runs from its opening segment to the next segment that ends it: one of the same name, or one that HL7 puts
// beside or above it (an AIL ends what an AIS opened, an RGS ends both). Names that the table does not know end only at
// their own kind. Source: HL7 v2.5 chapters 10.4 (SIU), 7.3 (ORU), 4.4 (orders), 3.3 (ADT).
#pragma once

#include <cstddef>
#include <string_view>

namespace radscheduler {

// Cuts the first line off `rest`; its CR goes with it but is not part of the result.
inline std::string_view take_line(std::string_view& rest) {
    const std::size_t end = rest.find('\r');
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    return line;
}

inline bool is_named(std::string_view line, char field_separator, std::string_view name) {
    return line.starts_with(name) && (line.size() == name.size() || line[name.size()] == field_separator);
}

// Text of the segment `name` number `occurrence` (from 1) in `text` without its CR; data() == nullptr when there is
// none.
std::string_view find_segment(std::string_view text, char field_separator, std::string_view name,
                              std::size_t occurrence);

// The group that the `occurrence`-th segment `name` of `text` opens: that segment and what follows up to the end of the
// group, CRs included. data() == nullptr when there is no such segment.
std::string_view group_of(std::string_view text, char field_separator, std::string_view name, std::size_t occurrence);

} // namespace radscheduler
