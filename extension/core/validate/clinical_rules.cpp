// Fields of the segments about the patient and the order: HL7 v2.3 to v2.8.1 chapters 3 (EVN, PID, PV1), 4 (ORC, OBR),
// 6 (DG1) and 7 (OBX). Fields left out are only checked as text.
#include "definition.hpp"

#include <array>

namespace radscheduler {

namespace {

using enum DataType;

constexpr Versions kSince231 = since(Version::v231);
constexpr Versions kSince27 = since(Version::v27);
constexpr Versions kUntil23 = until(Version::v23);
constexpr Versions kUntil231 = until(Version::v231);

constexpr std::array kEvn = std::to_array<FieldRule>({
    {.field = 1, .name = "event type code", .type = code, .required = kUntil23, .length = 3, .length_v26 = 3},
    {.field = 2, .name = "recorded date and time", .type = moment, .required = kSince231},
    {.field = 3, .name = "date and time of planned event", .type = moment},
    {.field = 6, .name = "event occurred", .type = moment},
});

constexpr std::array kPid = std::to_array<FieldRule>({
    {.field = 1, .name = "set id", .type = sequence, .length = 4, .length_v26 = 4},
    {.field = 2, .name = "patient id"},
    {.field = 3, .name = "patient identifier list", .required = kAlways, .single = kNever},
    {.field = 4, .name = "alternate patient id", .single = kUntil23},
    {.field = 5, .name = "patient name", .required = kAlways, .single = kUntil23},
    {.field = 6, .name = "mother's maiden name", .single = kUntil23},
    {.field = 7, .name = "date and time of birth", .type = moment},
    {.field = 8, .name = "administrative sex", .type = coded, .table = CodeTable::administrative_sex},
    {.field = 9, .name = "patient alias", .single = kNever},
    {.field = 10, .name = "race", .single = kUntil23},
    {.field = 11, .name = "patient address", .single = kNever},
    {.field = 12, .name = "county code", .type = text, .length = 4, .length_v26 = 4},
    {.field = 13, .name = "home phone number", .single = kNever},
    {.field = 14, .name = "business phone number", .single = kNever},
    {.field = 15, .name = "primary language"},
    {.field = 16, .name = "marital status", .single = kSince231},
    {.field = 17, .name = "religion"},
    {.field = 18, .name = "patient account number"},
    {.field = 19, .name = "SSN number", .type = text, .length = 16, .length_v26 = 16},
    {.field = 20, .name = "driver's license number"},
    {.field = 21, .name = "mother's identifier", .single = kUntil23},
    {.field = 22, .name = "ethnic group", .single = kUntil23},
    {.field = 23, .name = "birth place", .type = text, .length = 250, .length_v26 = 250},
    {.field = 24, .name = "multiple birth indicator", .type = code, .table = CodeTable::yes_no},
    {.field = 25, .name = "birth order", .type = number, .length = 2, .length_v26 = 2},
    {.field = 26, .name = "citizenship", .single = kUntil23},
    {.field = 27, .name = "veterans military status"},
    {.field = 28, .name = "nationality"},
    {.field = 29, .name = "patient death date and time", .type = moment},
    {.field = 30, .name = "patient death indicator", .type = code, .table = CodeTable::yes_no},
    {.field = 31, .name = "identity unknown indicator", .type = code, .table = CodeTable::yes_no},
    {.field = 33, .name = "last update date and time", .type = moment},
});

constexpr std::array kPv1 = std::to_array<FieldRule>({
    {.field = 1, .name = "set id", .type = sequence, .length = 4, .length_v26 = 4},
    {.field = 2, .name = "patient class", .type = coded, .required = kAlways},
    {.field = 3, .name = "assigned patient location"},
    {.field = 4, .name = "admission type", .type = coded},
    {.field = 7, .name = "attending doctor", .single = kUntil23},
    {.field = 8, .name = "referring doctor", .single = kUntil23},
    {.field = 9, .name = "consulting doctor", .single = kNever},
    {.field = 10, .name = "hospital service", .type = coded},
    {.field = 17, .name = "admitting doctor", .single = kUntil23},
    {.field = 18, .name = "patient type", .type = coded},
    {.field = 19, .name = "visit number"},
    {.field = 44, .name = "admit date and time", .type = moment},
    {.field = 45, .name = "discharge date and time", .type = moment, .single = kNever},
});

constexpr std::array kDg1 = std::to_array<FieldRule>({
    {.field = 1, .name = "set id", .type = sequence, .required = kAlways, .length = 4, .length_v26 = 4},
    {.field = 3, .name = "diagnosis code", .required = kSince27},
    {.field = 4, .name = "diagnosis description", .type = text, .length = 40, .length_v26 = 40},
    {.field = 5, .name = "diagnosis date and time", .type = moment},
    {.field = 6, .name = "diagnosis type", .type = coded, .required = kAlways},
    {.field = 16, .name = "diagnosing clinician", .single = kNever},
    {.field = 18, .name = "confidential indicator", .type = code, .table = CodeTable::yes_no},
    {.field = 19, .name = "attestation date and time", .type = moment},
});

constexpr std::array kObx = std::to_array<FieldRule>({
    {.field = 1, .name = "set id", .type = sequence, .length = 4, .length_v26 = 4},
    {.field = 2, .name = "value type", .type = code, .required = kUntil231, .table = CodeTable::value_type},
    {.field = 3, .name = "observation identifier", .required = kAlways},
    {.field = 4, .name = "observation sub-id", .type = text, .length = 20, .length_v26 = 20},
    {.field = 5, .name = "observation value", .type = observation, .single = kNever},
    {.field = 6, .name = "units"},
    {.field = 7, .name = "references range", .type = text, .length = 60, .length_v26 = 60},
    {.field = 9,
     .name = "probability",
     .type = number,
     .single = {Version::v23, Version::v23},
     .length = 5,
     .length_v26 = 5},
    {.field = 11,
     .name = "observation result status",
     .type = code,
     .required = kAlways,
     .table = CodeTable::result_status},
    {.field = 12, .name = "effective date of reference range", .type = moment},
    {.field = 14, .name = "date and time of the observation", .type = moment},
    {.field = 19, .name = "date and time of the analysis", .type = moment},
});

constexpr std::array kOrc = std::to_array<FieldRule>({
    {.field = 1, .name = "order control", .type = code, .required = kAlways, .table = CodeTable::order_control},
    {.field = 3, .name = "filler order number"},
    {.field = 5, .name = "order status", .type = code, .table = CodeTable::order_status},
    {.field = 9, .name = "date and time of transaction", .type = moment},
    {.field = 15, .name = "order effective date and time", .type = moment},
});

constexpr std::array kObr = std::to_array<FieldRule>({
    {.field = 1, .name = "set id", .type = sequence, .length = 4, .length_v26 = 4},
    {.field = 3, .name = "filler order number"},
    {.field = 4, .name = "universal service identifier", .required = kAlways},
    {.field = 6, .name = "requested date and time", .type = moment},
    {.field = 7, .name = "observation date and time", .type = moment},
    {.field = 8, .name = "observation end date and time", .type = moment},
    {.field = 14, .name = "specimen received date and time", .type = moment},
    {.field = 18, .name = "placer field 1", .type = text, .length = 60, .length_v26 = 199},
    {.field = 19, .name = "placer field 2", .type = text, .length = 60, .length_v26 = 199},
    {.field = 20, .name = "filler field 1", .type = text, .length = 60, .length_v26 = 199},
    {.field = 21, .name = "filler field 2", .type = text, .length = 60, .length_v26 = 199},
    {.field = 22, .name = "results report or status change", .type = moment},
    {.field = 25, .name = "result status", .type = code, .table = CodeTable::report_status},
    {.field = 36, .name = "scheduled date and time", .type = moment},
});

constexpr std::array kDefinitions = std::to_array<Definition>({
    {"EVN", kEvn},
    {"PID", kPid},
    {"PV1", kPv1},
    {"DG1", kDg1},
    {"OBX", kObx},
    {"ORC", kOrc},
    {"OBR", kObr},
});

static_assert(in_order(kDefinitions));

} // namespace

std::span<const FieldRule> clinical_rules(std::string_view segment) {
    return rules_in(kDefinitions, segment);
}

} // namespace radscheduler
