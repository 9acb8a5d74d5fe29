// The fields that scheduling messages use: HL7 v2.3 to v2.8.1 chapters 2 (MSH, NTE, MSA), 3 (EVN, PID, PV1), 4 (ORC,
// OBR, TQ1), 6 (DG1), 7 (OBX) and 10 (SCH, RGS, AIS, AIG, AIL, AIP). Fields left out are only checked as text.
#include "field_rule.hpp"

#include <array>

namespace radscheduler {

namespace {

using enum DataType;

constexpr Versions kSince231 = since(Version::v231);
constexpr Versions kSince27 = since(Version::v27);
constexpr Versions kUntil23 = until(Version::v23);
constexpr Versions kUntil231 = until(Version::v231);
constexpr Versions kUntil24 = until(Version::v24);
constexpr Versions k231To24{Version::v231, Version::v24};

constexpr std::array kMsh = std::to_array<FieldRule>({
    {.field = 3, .name = "sending application"},
    {.field = 4, .name = "sending facility"},
    {.field = 5, .name = "receiving application"},
    {.field = 6, .name = "receiving facility"},
    {.field = 7, .name = "date and time of message", .type = instant, .required = since(Version::v24)},
    {.field = 8, .name = "security", .type = text, .length = 40, .length_v26 = 40},
    {.field = 9, .name = "message type", .required = kAlways},
    {.field = 10, .name = "message control id", .type = text, .required = kAlways, .length = 20, .length_v26 = 199},
    {.field = 11, .name = "processing id", .required = kAlways},
    {.field = 12, .name = "version id", .required = kAlways},
    {.field = 13, .name = "sequence number", .type = number, .length = 15, .length_v26 = 15},
    {.field = 14, .name = "continuation pointer", .type = text, .length = 180, .length_v26 = 180},
    {.field = 15, .name = "accept acknowledgment type", .type = code, .table = CodeTable::acknowledge_when},
    {.field = 16, .name = "application acknowledgment type", .type = code, .table = CodeTable::acknowledge_when},
    {.field = 17, .name = "country code", .type = code, .length = 3, .length_v26 = 3},
    {.field = 18, .name = "character set", .type = code, .single = kUntil23, .table = CodeTable::charset},
    {.field = 19, .name = "principal language"},
    {.field = 20, .name = "alternate character set handling scheme", .type = code, .length = 20, .length_v26 = 20},
});

constexpr std::array kMsa = std::to_array<FieldRule>({
    {.field = 1, .name = "acknowledgment code", .type = code, .required = kAlways, .table = CodeTable::acknowledgment},
    {.field = 2, .name = "message control id", .type = text, .required = kAlways, .length = 20, .length_v26 = 199},
});

constexpr std::array kSch = std::to_array<FieldRule>({
    {.field = 1, .name = "placer appointment id", .required = kUntil23},
    {.field = 2, .name = "filler appointment id"},
    {.field = 3, .name = "occurrence number", .type = number, .length = 5, .length_v26 = 5},
    {.field = 4, .name = "placer group number"},
    {.field = 5, .name = "schedule id"},
    {.field = 6, .name = "event reason", .required = kAlways},
    {.field = 7, .name = "appointment reason"},
    {.field = 8, .name = "appointment type"},
    {.field = 9, .name = "appointment duration", .type = number, .length = 20, .length_v26 = 20},
    {.field = 10, .name = "appointment duration units"},
    {.field = 11, .name = "appointment timing quantity", .required = kUntil24, .single = kNever},
    {.field = 11, .name = "start", .type = instant, .component = 4},
    {.field = 11, .name = "end", .type = instant, .component = 5},
    {.field = 12, .name = "placer contact person", .single = kUntil23},
    {.field = 13, .name = "placer contact phone number"},
    {.field = 14, .name = "placer contact address", .single = kUntil23},
    {.field = 15, .name = "placer contact location"},
    {.field = 16, .name = "filler contact person", .required = kAlways, .single = kUntil23},
    {.field = 17, .name = "filler contact phone number"},
    {.field = 18, .name = "filler contact address", .single = kUntil23},
    {.field = 19, .name = "filler contact location"},
    {.field = 20, .name = "entered by person", .required = kAlways, .single = kUntil23},
    {.field = 21, .name = "entered by phone number", .single = kNever},
    {.field = 22, .name = "entered by location"},
    {.field = 23, .name = "parent placer appointment id"},
    {.field = 24, .name = "parent filler appointment id"},
    {.field = 25, .name = "filler status code", .type = coded, .table = CodeTable::filler_status},
    {.field = 26, .name = "placer order number", .single = kNever},
    {.field = 27, .name = "filler order number", .single = kNever},
});

constexpr std::array kTq1 = std::to_array<FieldRule>({
    {.field = 1, .name = "set id", .type = sequence, .length = 4, .length_v26 = 4},
    {.field = 2, .name = "quantity", .type = number, .component = 1},
    {.field = 3, .name = "repeat pattern", .single = kNever},
    {.field = 4, .name = "explicit time", .type = time_of_day, .single = kNever},
    {.field = 5, .name = "relative time", .type = number, .single = kNever, .component = 1},
    {.field = 6, .name = "service duration", .type = number, .component = 1},
    {.field = 7, .name = "start date and time", .type = instant},
    {.field = 8, .name = "end date and time", .type = instant},
    {.field = 9, .name = "priority", .single = kNever},
    {.field = 13, .name = "occurrence duration", .type = number, .component = 1},
    {.field = 14, .name = "total occurrences", .type = number, .length = 10, .length_v26 = 10},
});

constexpr std::array kNte = std::to_array<FieldRule>({
    {.field = 1, .name = "set id", .type = sequence, .length = 4, .length_v26 = 4},
    {.field = 2, .name = "source of comment", .type = code, .length = 8, .length_v26 = 8},
    {.field = 3, .name = "comment", .single = kNever},
    {.field = 4, .name = "comment type"},
    {.field = 6, .name = "entered date and time", .type = moment},
    {.field = 7, .name = "effective start date", .type = moment},
    {.field = 8, .name = "expiration date", .type = moment},
});

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

constexpr std::array kRgs = std::to_array<FieldRule>({
    {.field = 1, .name = "set id", .type = sequence, .required = kAlways, .length = 4, .length_v26 = 4},
    {.field = 2, .name = "segment action code", .type = code, .table = CodeTable::action},
    {.field = 3, .name = "resource group id"},
});

constexpr std::array kAis = std::to_array<FieldRule>({
    {.field = 1, .name = "set id", .type = sequence, .required = kAlways, .length = 4, .length_v26 = 4},
    {.field = 2, .name = "segment action code", .type = code, .table = CodeTable::action},
    {.field = 3, .name = "universal service identifier", .required = kAlways},
    {.field = 4, .name = "start date and time", .type = instant},
    {.field = 5, .name = "start offset", .type = number, .length = 20, .length_v26 = 20},
    {.field = 6, .name = "start offset units"},
    {.field = 7, .name = "duration", .type = number, .length = 20, .length_v26 = 20},
    {.field = 8, .name = "duration units"},
    {.field = 9, .name = "allow substitution code", .type = coded},
    {.field = 10, .name = "filler status code", .type = coded, .table = CodeTable::filler_status},
    {.field = 11, .name = "placer supplemental service information", .single = kNever},
    {.field = 12, .name = "filler supplemental service information", .single = kNever},
});

constexpr std::array kAig = std::to_array<FieldRule>({
    {.field = 1, .name = "set id", .type = sequence, .required = kAlways, .length = 4, .length_v26 = 4},
    {.field = 2, .name = "segment action code", .type = code, .table = CodeTable::action},
    {.field = 3, .name = "resource id"},
    {.field = 4, .name = "resource type", .required = kAlways},
    {.field = 5, .name = "resource group", .single = kNever},
    {.field = 6, .name = "resource quantity", .type = number, .length = 5, .length_v26 = 5},
    {.field = 7, .name = "resource quantity units"},
    {.field = 8, .name = "start date and time", .type = instant},
    {.field = 9, .name = "start offset", .type = number, .length = 20, .length_v26 = 20},
    {.field = 10, .name = "start offset units"},
    {.field = 11, .name = "duration", .type = number, .length = 20, .length_v26 = 20},
    {.field = 12, .name = "duration units"},
    {.field = 13, .name = "allow substitution code", .type = coded},
    {.field = 14, .name = "filler status code", .type = coded, .table = CodeTable::filler_status},
});

constexpr std::array kAil = std::to_array<FieldRule>({
    {.field = 1, .name = "set id", .type = sequence, .required = kAlways, .length = 4, .length_v26 = 4},
    {.field = 2, .name = "segment action code", .type = code, .table = CodeTable::action},
    {.field = 3, .name = "location resource id", .required = kUntil23, .single = kUntil24},
    {.field = 4, .name = "location type", .required = k231To24},
    {.field = 5, .name = "location group"},
    {.field = 6, .name = "start date and time", .type = instant},
    {.field = 7, .name = "start offset", .type = number, .length = 20, .length_v26 = 20},
    {.field = 8, .name = "start offset units"},
    {.field = 9, .name = "duration", .type = number, .length = 20, .length_v26 = 20},
    {.field = 10, .name = "duration units"},
    {.field = 11, .name = "allow substitution code", .type = coded},
    {.field = 12, .name = "filler status code", .type = coded, .table = CodeTable::filler_status},
});

constexpr std::array kAip = std::to_array<FieldRule>({
    {.field = 1, .name = "set id", .type = sequence, .required = kAlways, .length = 4, .length_v26 = 4},
    {.field = 2, .name = "segment action code", .type = code, .table = CodeTable::action},
    {.field = 3, .name = "personnel resource id", .single = kUntil23},
    {.field = 4, .name = "resource type", .required = kUntil24},
    {.field = 5, .name = "resource group", .single = kSince231},
    {.field = 6, .name = "start date and time", .type = instant},
    {.field = 7, .name = "start offset", .type = number, .length = 20, .length_v26 = 20},
    {.field = 8, .name = "start offset units"},
    {.field = 9, .name = "duration", .type = number, .length = 20, .length_v26 = 20},
    {.field = 10, .name = "duration units"},
    {.field = 11, .name = "allow substitution code", .type = coded},
    {.field = 12, .name = "filler status code", .type = coded, .table = CodeTable::filler_status},
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

struct Definition {
    std::string_view segment;
    std::span<const FieldRule> rules;
};

constexpr std::array kDefinitions = std::to_array<Definition>({
    {"MSH", kMsh},
    {"MSA", kMsa},
    {"SCH", kSch},
    {"TQ1", kTq1},
    {"NTE", kNte},
    {"EVN", kEvn},
    {"PID", kPid},
    {"PV1", kPv1},
    {"DG1", kDg1},
    {"OBX", kObx},
    {"RGS", kRgs},
    {"AIS", kAis},
    {"AIG", kAig},
    {"AIL", kAil},
    {"AIP", kAip},
    {"ORC", kOrc},
    {"OBR", kObr},
});

// FieldCheck walks fields and rules side by side.
constexpr bool in_order() {
    for (const Definition& definition : kDefinitions) {
        for (std::size_t i = 1; i < definition.rules.size(); ++i) {
            if (definition.rules[i].field < definition.rules[i - 1].field) return false;
        }
    }
    return true;
}
static_assert(in_order());

} // namespace

std::span<const FieldRule> rules_of(std::string_view segment) {
    for (const Definition& definition : kDefinitions) {
        if (definition.segment == segment) return definition.rules;
    }
    return {};
}

} // namespace radscheduler
