// One pass over the message that sorts the segments a scheduling reader needs: who belongs to which resource group
// (RGS), and to which segment each note (NTE) is bound. Order is taken leniently: RGS may be missing (group 1), AIx
// may come in any order, PID may stand before SCH. Reading stops at a second MSH.
// Source: HL7 v2.5 chapter 10.4.1 (SIU grammar).
#pragma once

#include "../segment_fields.hpp"
#include "context.hpp"
#include "radscheduler/message.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace radscheduler::siu {

struct PlannedSegment {
    std::string name;
    std::size_t occurrence = 1;
    int group = 1;
    std::string group_action; // RGS-2
    SegmentFields fields;
    Text notes;

    std::string path() const { return name + "[" + std::to_string(occurrence) + "]"; }
    std::string path(std::size_t field) const { return path() + "-" + std::to_string(field); }
};

struct SegmentPlan {
    SegmentFields sch, pid, pv1;
    SegmentFields request, preferences;   // ARQ, APR
    SegmentFields procedure;              // IPC
    std::vector<SegmentFields> timings;   // TQ1
    std::vector<SegmentFields> orders;    // ORC
    std::vector<SegmentFields> requests;  // OBR
    std::vector<PlannedSegment> parts;    // AIS, AIG, AIL, AIP in order
    std::vector<std::string> group_names; // RGS-3, code and text
    Text schedule_notes, patient_notes;
    bool tells_facts = false; // OBX, AL1 or DG1 was sent
};

// several_patients: further PID segments belong to the message (a merge) and are not remarked.
SegmentPlan plan_segments(Context& context, const Message& message, bool several_patients = false);

// Appends a text to notes, line by line; a null counts only while nothing else was said.
void append_note(Text& notes, const Text& text);

} // namespace radscheduler::siu
