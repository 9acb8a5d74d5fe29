// Purpose: the address of a value in a message: SEG[n]-F[r].C.S
//   PID-3        field 3 of the first PID (first repetition, first component when a value is read)
//   PID.3.1      a dot may stand for the dash
//   OBX[2]-5     second OBX;  OBX[*]-5 every OBX
//   PID-3[2].4   second repetition, fourth component;  PID-3[*] every repetition
//   PID-3.4.2    second subcomponent
//   RGS[2]/AIL-3 first AIL of the group that the second RGS opens; groups nest (RGS[2]/AIS[1]/NTE-3)
// parse_extent() also takes a whole segment: NTE, NTE[2], NTE[*], RGS[2]/AIL.
//
// Invariants: segment is a well-formed name; field is at least 1 (0 from parse_extent only); indexes are 1-based and at
// most 99999. kAll (0) as occurrence or repetition means `*`; 0 as component or subcomponent means "not given".
// Which segments a group holds: segment_group.hpp.
#pragma once

#include "radscheduler/result.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace radscheduler {

struct Path {
    static constexpr std::uint32_t kAll = 0;
    static constexpr std::uint32_t kMaxIndex = 99999;
    static constexpr std::uint32_t kMaxGroups = 3;

    struct Group {
        std::array<char, 3> segment{};
        std::uint32_t occurrence = 1;

        std::string_view segment_name() const { return {segment.data(), segment.size()}; }
    };

    std::array<char, 3> segment{};
    std::uint32_t occurrence = 1;
    std::uint32_t field = 1;
    std::uint32_t repetition = 1;
    bool repetition_given = false; // "PID-3" and "PID-3[1]" read the same value but not the same raw text
    std::uint32_t component = 0;
    std::uint32_t subcomponent = 0;
    std::uint32_t group_count = 0;
    std::array<Group, kMaxGroups> groups{}; // outermost first

    // Errors: bad_path; Error::offset points at the character at fault, Error::path is the text given.
    static Result<Path> parse(std::string_view text);
    static Result<Path> parse_extent(std::string_view text);

    std::string_view segment_name() const { return {segment.data(), segment.size()}; }
    bool selects_many() const;

    // Canonical form, with a dash; indexes of 1 are left out unless the repetition was given.
    std::string to_string() const;
};

} // namespace radscheduler
