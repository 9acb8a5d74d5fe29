// Word lists. Sorted by meaning, searched linearly: they are short and rarely consulted.
#include "words.hpp"

#include "../ascii.hpp"

#include <algorithm>
#include <iterator>
#include <string>

namespace radscheduler::siu {

namespace {

constexpr std::string_view kRoles[] = {"RADIOLOGIST",
                                       "TECHNOLOGIST",
                                       "TECHNICIAN",
                                       "TECH",
                                       "RADIOGRAPHER",
                                       "SONOGRAPHER",
                                       "NURSE",
                                       "PHYSICIAN",
                                       "DOCTOR",
                                       "SURGEON",
                                       "ANESTHESIOLOGIST",
                                       "ANAESTHETIST",
                                       "ASSISTANT",
                                       "PROVIDER",
                                       "RESIDENT",
                                       "ATTENDING",
                                       "REFERRING",
                                       "ORDERING",
                                       "PERFORMING",
                                       "INTERPRETING",
                                       "REPORTING",
                                       "PHYSICIST",
                                       "STAFF",
                                       "OPERATOR",
                                       "PROV",
                                       "PHYS",
                                       "ATND",
                                       "RAD",
                                       "DR"};

constexpr std::string_view kReferring[] = {"REF",
                                           "REFERRING",
                                           "REFERRER",
                                           "REFER",
                                           "RP",
                                           "ORDERING",
                                           "REFERRING PHYSICIAN",
                                           "REFERRING PROVIDER",
                                           "REFERRING DOCTOR",
                                           "ORDERING PHYSICIAN",
                                           "ORDERING PROVIDER",
                                           "ORDERING DOCTOR"};

constexpr std::string_view kClearDegrees[] = {"MD",   "M.D.", "MBBS", "MBCHB", "PHD",  "PH.D.", "RN",  "R.N.", "RT(R)",
                                              "RTR",  "FRCR", "FRCS", "FRCP",  "FACR", "DMD",   "DDS", "DPM",  "RDMS",
                                              "CNMT", "ARRT", "PA-C", "CRNA",  "BSN",  "MSN",   "BSC", "MSC",  "D.O."};

constexpr std::string_view kShortDegrees[] = {"DO", "PA", "NP", "RT", "BA", "BS", "MS", "MA", "BM"};

constexpr std::string_view kStatuses[] = {
    "BOOKED",     "SCHEDULED", "CONFIRMED",    "ARRIVED",   "STARTED",   "COMPLETE",    "COMPLETED",
    "CANCELLED",  "CANCELED",  "DISCONTINUED", "NOSHOW",    "NO SHOW",   "NO-SHOW",     "DELETED",
    "BLOCKED",    "OVERBOOK",  "PENDING",      "WAITLIST",  "TENTATIVE", "RESCHEDULED", "CHECKED-IN",
    "CHECKED IN", "CHECKIN",   "IN PROGRESS",  "FULFILLED", "REGISTERED"};

constexpr std::string_view kClosing[] = {"CANCELLED", "CANCELED", "CAN",     "CX",      "DC",
                                         "DELETED",   "NOSHOW",   "NO SHOW", "NO-SHOW", "DISCONTINUED"};

constexpr std::string_view kRooms[] = {"ROOM", "RM",    "SUITE", "BAY",  "BED",   "BOX",  "CABIN",
                                       "RAUM", "SALLE", "SALA",  "ZAAL", "KAMER", "STUE", "ZIMMER"};

constexpr std::string_view kPlaceholders[] = {"NULL", "(NULL)", "NIL", "N/A", "NONE", "UNKNOWN", "UNDEFINED"};

constexpr std::string_view kUrgencies[] = {"STAT", "URGENT", "EMERGENCY", "EMERGENT", "WALKIN", "WALK-IN", "ASAP"};

constexpr std::string_view kSeconds[] = {"S", "SEC", "SECS", "SECOND", "SECONDS"};
constexpr std::string_view kMinutes[] = {"M", "MIN", "MINS", "MINUTE", "MINUTES", "MN"};
constexpr std::string_view kHours[] = {"H", "HR", "HRS", "HOUR", "HOURS"};
constexpr std::string_view kDays[] = {"D", "DAY", "DAYS"};

template <std::size_t N>
bool contains(const std::string_view (&words)[N], std::string_view text) {
    const std::string key = upper(trim(text));
    return std::find(std::begin(words), std::end(words), key) != std::end(words);
}

} // namespace

bool is_role_word(std::string_view text) {
    return contains(kRoles, text);
}
bool is_referring_role(std::string_view text) {
    return contains(kReferring, text);
}
bool is_clear_degree_word(std::string_view text) {
    return contains(kClearDegrees, text);
}
bool is_degree_word(std::string_view text) {
    return contains(kClearDegrees, text) || contains(kShortDegrees, text);
}
bool is_status_word(std::string_view text) {
    return contains(kStatuses, text);
}
bool is_closing_word(std::string_view text) {
    return contains(kClosing, text);
}
bool is_room_word(std::string_view text) {
    return contains(kRooms, text);
}
bool is_placeholder(std::string_view text) {
    return text.find_first_not_of('0') == std::string_view::npos || contains(kPlaceholders, text);
}
bool is_urgency_word(std::string_view text) {
    return contains(kUrgencies, text);
}

int unit_seconds(std::string_view text) {
    if (contains(kMinutes, text)) return 60;
    if (contains(kHours, text)) return 3600;
    if (contains(kSeconds, text)) return 1;
    if (contains(kDays, text)) return 86400;
    return 0;
}

} // namespace radscheduler::siu
