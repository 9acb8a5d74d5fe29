// Order and groups of the segments of SIU_S12:
//   MSH [SFT..] SCH [TQ1..] [NTE..] [PID [PD1] [PV1] [PV2] [OBX..] [DG1..]].. {RGS [AIS [NTE..]].. [AIG ..] [AIL ..]
//   [AIP ..]}
// fed segment by segment, in one pass. Source: HL7 v2.5.1 chapter 10.4.1, v2.3 chapter 10.5.
#pragma once

#include "finding_list.hpp"

#include <cstddef>
#include <string_view>

namespace radscheduler {

class SiuStructure {
public:
    explicit SiuStructure(FindingList& findings) : findings_(findings) {}

    // Every segment behind the first MSH, well named, in order.
    void segment(const Place& place);

    // After the last one: what never came.
    void end();

private:
    enum class Part { header, schedule, patient, resources };

    void schedule(const Place& place);
    void note(const Place& place);
    void patient_segment(const Place& place, int rank);
    void resource(const Place& place, int rank);
    void out_of_order(const Place& place, std::string_view what);

    FindingList& findings_;
    Part part_ = Part::header;
    bool has_schedule_ = false;
    bool has_resources_ = false;
    bool patient_open_ = false;
    bool group_open_ = false;
    int patient_rank_ = 0; // of the last segment of the patient group
    int resource_rank_ = 0;
    bool note_allowed_ = false; // an NTE may follow the segment before
};

} // namespace radscheduler
