// Purpose: what a scheduling, patient or order message says, as plain records: the contract between the core and SQL
// (to_json() in reader.hpp writes it down).
//
// Invariants: all texts are decoded UTF-8, blanks at both ends trimmed. Times are ISO text as sent (no zone is
// guessed): 2024-01-15T10:00:00, 2024-01-15T10:00:00+05:30, or 2024-01-15 when no time was sent. Durations and offsets
// are whole minutes. Warning and error texts never hold patient data. Source: HL7 v2.5 chapter 10 (scheduling), chapter
// 3 (PID, PV1).
#pragma once

#include "radscheduler/header.hpp"
#include "radscheduler/result.hpp"
#include "radscheduler/text.hpp"

#include <optional>
#include <string>
#include <vector>

namespace radscheduler {

struct CodedText {
    bool null = false; // the whole field is ""
    Text code;
    Text text;
};

struct SiuSchedule {
    Text filler_id, filler_namespace;
    Text placer_id, placer_namespace;
    Text occurrence;
    Text visit_group;
    CodedText event_reason, reason, type;
    std::vector<std::string> status; // candidate words, most trusted first
    Text starts_at, ends_at;
    bool end_sent = false; // ends_at was sent; else it is the start and the duration
    std::optional<int> duration_minutes;
    Text priority;
    std::vector<std::string> placer_orders, filler_orders;
    Text parent_placer_id, parent_filler_id;
    Text modality;                           // a modality by itself, where the message has a field for it
    std::vector<std::string> modality_words; // texts that may name one, most trusted first
    Text placer_contact, entered_by;
    Text notes;
};

struct SiuIdentifier {
    Text value, authority, type;
};

struct SiuPhone {
    std::string value, use, equipment;
};

struct SiuPatient {
    std::vector<SiuIdentifier> identifiers;
    Text family, given, middle, suffix, prefix, display;
    Text birth_date;
    Text sex;
    bool phones_null = false;     // PID-13 is "" and no other number was sent
    std::vector<SiuPhone> phones; // best first
    std::optional<bool> deceased;
    Text notes; // NTE of the patient group
};

struct SiuLocation {
    Text point_of_care, room, bed, facility;
};

struct SiuVisit {
    Text patient_class, visit_number, alternate_visit_id, referring, admission_type;
    SiuLocation location;
};

struct SiuService {
    std::string path; // "AIS[1]"
    int group = 1;
    bool is_out = false; // taken out by itself: its action code is D, or its own status closes it
    Text set_id, action;
    Text code, text, system, alt_code, alt_text;
    Text starts_at; // explicit, or the appointment's start plus the offset; absent: as the appointment
    std::optional<int> offset_minutes, duration_minutes;
    Text status;
    Text notes; // NTE bound to this segment
};

struct SiuResource {
    std::string path;    // "AIP[1]"; further repetitions of AIP-3: "AIP[1]-3[2]"
    std::string segment; // AIG, AIL, AIP
    int group = 1;
    bool is_out = false;
    Text set_id, action;
    Text code, name, type_code, type_text, role;
    Text family, given, degree, authority, facility;
    std::vector<std::string> also; // other names of it, less trusted than code
    Text starts_at;
    std::optional<int> offset_minutes, duration_minutes;
    Text status;
    Text notes;
};

// Two patients that are one: whose identifiers are given up, and whose stay.
struct SiuMerge {
    struct Side {
        std::string path; // "PID[1]", "MRG[1]"; empty when there is no such segment
        std::vector<SiuIdentifier> identifiers;
    };
    Side into, from;
};

struct SiuOrder {
    std::string path; // "ORC[1]", or "OBR[1]" for an order without ORC
    Text control, placer_id, filler_id, group_id, status;
    Text code, text, accession, modality, priority, wanted_at, ordered_by, reason;
};

// What is told about the patient that decides about exams.
struct SiuFact {
    std::string path;                  // "OBX[1]", "AL1[2]", "DG1[1]"
    std::string kind;                  // egfr, creatinine, weight, height, pregnancy, allergy, diagnosis
    std::string code, value, unit;     // value: a decimal number; code: "<" or ">" where it is only a bound
    std::string severity, observed_at; // SV, MO, MI; ISO text, empty when not sent
    bool is_withdrawn = false;         // told before, and wrong
};

struct SiuError {
    std::string code; // HL7 table 0357
    std::string path;
    std::string text;
};

// What a request (SRM) asks for besides the schedule itself: the ranges a start may lie in (ARQ-11) and preferences
// (APR).
struct SiuCriterion {
    Text name, value; // SCV: a code of HL7 table 0294 or a local one, and what it is to be
};

struct SiuWindow {
    std::string path;
    Text from, until;
};

struct SiuRequest {
    std::vector<SiuWindow> windows;
    std::vector<SiuCriterion> times, resources, locations, overrides; // APR-1, APR-2, APR-3, APR-5
    std::optional<int> spacing_minutes;                               // APR-4
};

struct SiuReading {
    MessageHeader header;
    std::optional<SiuSchedule> schedule; // scheduling messages, and requests (SRM) as the schedule they ask for
    std::optional<SiuRequest> request;   // SRM only
    std::optional<SiuPatient> patient;   // when PID was sent
    std::optional<SiuVisit> visit;       // when PV1 was sent or a referrer was found elsewhere
    std::vector<SiuService> services;
    std::vector<SiuResource> resources;
    std::optional<std::vector<SiuMerge>> merges; // ADT A18, A30, A34, A40 only
    std::optional<std::vector<SiuOrder>> orders; // ORM^O01, OMI^O23 only
    std::vector<SiuFact> facts;                  // not of merges
    std::vector<Warning> warnings;
    std::optional<SiuError> error; // set when the reading cannot be stored
};

} // namespace radscheduler
