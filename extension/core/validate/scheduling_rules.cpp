// Fields of the segments that steer and schedule: HL7 v2.3 to v2.8.1 chapters 2 (MSH, MSA, NTE), 4 (TQ1) and 10 (SCH,
// RGS, AIS, AIG, AIL, AIP). Fields left out are only checked as text.
#include "definition.hpp"

#include <array>

namespace radscheduler {

namespace {

using enum DataType;

constexpr Versions kSince231 = since(Version::v231);
constexpr Versions kUntil23 = until(Version::v23);
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

constexpr std::array kDefinitions = std::to_array<Definition>({
    {"MSH", kMsh},
    {"MSA", kMsa},
    {"SCH", kSch},
    {"TQ1", kTq1},
    {"NTE", kNte},
    {"RGS", kRgs},
    {"AIS", kAis},
    {"AIG", kAig},
    {"AIL", kAil},
    {"AIP", kAip},
});

static_assert(in_order(kDefinitions));

} // namespace

std::span<const FieldRule> scheduling_rules(std::string_view segment) {
    return rules_in(kDefinitions, segment);
}

std::span<const FieldRule> rules_of(std::string_view segment) {
    const std::span<const FieldRule> rules = scheduling_rules(segment);
    return rules.empty() ? clinical_rules(segment) : rules;
}

} // namespace radscheduler
