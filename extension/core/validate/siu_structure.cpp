// The grammar as a small state machine: which part the message has come to, and how far within it.
#include "siu_structure.hpp"

#include <array>

namespace radscheduler {

namespace {

struct Rank {
    std::string_view segment;
    int rank;
    bool repeats;
};

// Order within the patient group, after PID.
constexpr std::array kPatientGroup = std::to_array<Rank>({
    {"PD1", 1, false},
    {"PV1", 2, false},
    {"PV2", 3, false},
    {"OBX", 4, true},
    {"DG1", 5, true},
});

// Order within a resource group, after RGS.
constexpr std::array kResourceGroup = std::to_array<Rank>({
    {"AIS", 1, true},
    {"AIG", 2, true},
    {"AIL", 3, true},
    {"AIP", 4, true},
});

// Segments that later versions allow in more than one place, and those that only steer.
constexpr std::array<std::string_view, 7> kAnywhere = {"SFT", "UAC", "ARV", "PRT", "ROL", "DSC", "ADD"};

template <std::size_t N>
const Rank* rank_in(const std::array<Rank, N>& group, std::string_view segment) {
    for (const Rank& rank : group) {
        if (rank.segment == segment) return &rank;
    }
    return nullptr;
}

bool is_allowed_anywhere(std::string_view segment) {
    if (segment.front() == 'Z') return true;
    for (const std::string_view name : kAnywhere) {
        if (name == segment) return true;
    }
    return false;
}

} // namespace

void SiuStructure::out_of_order(const Place& place, std::string_view what) {
    findings_.error(place, fault::kSequence, std::string(place.segment) + " " + std::string(what));
}

void SiuStructure::schedule(const Place& place) {
    if (has_schedule_) {
        out_of_order(place, "stands in the message a second time; one SIU message has one SCH.");
    }
    if (part_ == Part::header) part_ = Part::schedule;
    has_schedule_ = true;
}

void SiuStructure::note(const Place& place) {
    if (!note_allowed_) {
        out_of_order(place, "belongs to nothing here; it may follow SCH, TQ1, AIS, AIG, AIL or AIP.");
    }
}

void SiuStructure::patient_segment(const Place& place, int rank) {
    if (part_ == Part::resources) {
        out_of_order(place, "stands behind RGS; the patient group comes before the resource groups.");
        return;
    }
    if (!patient_open_) {
        out_of_order(place, "stands outside a patient group; it has to follow a PID.");
        return;
    }
    if (rank < patient_rank_) {
        out_of_order(place, "is out of order; a patient group reads PID, PD1, PV1, PV2, OBX, DG1.");
    }
    patient_rank_ = rank > patient_rank_ ? rank : patient_rank_;
}

void SiuStructure::resource(const Place& place, int rank) {
    if (!group_open_) {
        out_of_order(place, "stands outside a resource group; it has to follow an RGS.");
        return;
    }
    if (rank < resource_rank_) {
        findings_.warn(place, fault::kSequence,
                       std::string(place.segment) + " is out of order; a resource group reads AIS, AIG, AIL, AIP.");
    }
    resource_rank_ = rank > resource_rank_ ? rank : resource_rank_;
}

void SiuStructure::segment(const Place& place) {
    const std::string_view name = place.segment;
    const Rank* const patient_rank = rank_in(kPatientGroup, name);
    const Rank* const resource_rank = rank_in(kResourceGroup, name);
    if (name == "NTE") {
        note(place);
        return;
    }
    if (name == "SCH") {
        schedule(place);
    } else if (name == "TQ1") {
        if (part_ != Part::schedule) out_of_order(place, "does not follow SCH; the timing stands right behind it.");
    } else if (name == "PID") {
        if (part_ == Part::resources) {
            out_of_order(place, "stands behind RGS; the patient group comes before the resource groups.");
        } else {
            if (!has_schedule_) out_of_order(place, "stands before SCH; SCH has to be the first segment after MSH.");
            part_ = Part::patient;
        }
        patient_open_ = true;
        patient_rank_ = 0;
    } else if (patient_rank != nullptr) {
        if (!patient_rank->repeats && patient_open_ && patient_rank_ == patient_rank->rank) {
            out_of_order(place, "stands in its patient group a second time.");
        }
        patient_segment(place, patient_rank->rank);
    } else if (name == "RGS") {
        if (!has_schedule_) out_of_order(place, "stands before SCH; SCH has to be the first segment after MSH.");
        part_ = Part::resources;
        has_resources_ = true;
        group_open_ = true;
        resource_rank_ = 0;
    } else if (resource_rank != nullptr) {
        resource(place, resource_rank->rank);
    } else if (!is_allowed_anywhere(name)) {
        findings_.warn(place, fault::kSequence,
                       std::string(name) + " has no place in SIU_S12; receivers are free to ignore it.");
    }
    if (!is_allowed_anywhere(name)) note_allowed_ = name == "SCH" || name == "TQ1" || resource_rank != nullptr;
}

void SiuStructure::end() {
    if (!has_schedule_) {
        findings_.error({"SCH"}, fault::kSequence, "The message has no SCH; an SIU message has one, right after MSH.");
    }
    if (!has_resources_) {
        findings_.error({"RGS"}, fault::kSequence,
                        "The message has no RGS; an SIU message has at least one resource group.");
    }
}

} // namespace radscheduler
