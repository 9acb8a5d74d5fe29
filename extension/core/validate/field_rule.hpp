// What a field of a segment must look like, by version. The rules of a segment stand in the order of its fields.
#pragma once

#include "code_table.hpp"
#include "hl7_version.hpp"

#include <cstdint>
#include <span>
#include <string_view>

namespace radscheduler {

enum class DataType {
    any,
    text,        // ST: may hold anything, but has a length
    number,      // NM
    sequence,    // SI
    code,        // ID: a primitive, the whole repetition is the code
    coded,       // IS, CE, CWE: the first component is the code
    date,        // DT
    time_of_day, // TM
    moment,      // TS, DTM
    instant,     // TS, DTM where a date without a time says too little
    observation, // OBX-5: as OBX-2 says
};

struct FieldRule {
    std::uint16_t field = 0;
    std::string_view name;
    DataType type = DataType::any;
    Versions required = kNever;
    Versions single = kAlways; // must not repeat
    CodeTable table = CodeTable::none;
    std::uint16_t length = 0;     // characters, versions 2.3 to 2.5.1; 0: not limited here
    std::uint16_t length_v26 = 0; // characters, 2.6 and later
    std::uint8_t component = 0;   // 0: the whole repetition; further rules of a field name its components
};

// Empty for a segment without definitions here.
std::span<const FieldRule> rules_of(std::string_view segment);

} // namespace radscheduler
