// Purpose: reads a scheduling message (SIU S12..S27) or request (SRM S01..S11) into an SiuReading, and writes that as
// the JSON that SQL takes. Other message types give header, patient and visit; ADT merges (A18, A30, A34, A40) also
// merges, orders (ORM^O01, OMI^O23) also orders. All but merges also give facts about the patient (OBX, AL1, DG1).
//
// Lenient (the default): fields that stand in the wrong place are found by their shape within the same segment; every
// such repair is a warning. Strict: no repair; what would have been repaired is an error with its place.
// A missing start is no error here (SQL decides by trigger event); neither is a missing patient.
// Errors (SiuReading::error, HL7 table 0357): 101 required field missing (MSH-10, SCH-2, ARQ-1), 102 data type error.
#pragma once

#include "radscheduler/message.hpp"
#include "radscheduler/siu/reading.hpp"

#include <string>
#include <vector>

namespace radscheduler {

enum class StartSource {
    standard, // TQ1-7, SCH-11.4, AIS-4, AIL-6, AIG-8, AIP-6, repaired places
    service,  // AIS-4 first (some RIS put the time of the event into SCH-11)
};

// What a sender's profile says about reading.
struct SiuOptions {
    bool lenient = true;
    StartSource start_source = StartSource::standard;
    // Paths of the appointment id where a sender leaves SCH-1 and SCH-2 empty, tried in order: "PV1-19", "SCH-5".
    std::vector<std::string> id_sources = {};
    bool location_from_visit = false;     // PV1-3 is the room when no AIL or AIG names one
    bool referrer_from_attending = false; // PV1-7 refers when PV1-8 is empty
    std::string modality_source = {};     // path of a field that holds a modality; empty: none
    bool priority_notes = false;          // a note "Priority: S" is the urgency where no field is
};

SiuReading read_siu(const Message& message, const SiuOptions& options = {});

std::string to_json(const SiuReading& reading);

} // namespace radscheduler
