// MSH, field by field. Source: HL7 v2.5 chapter 2.15.9, v2.7 chapter 2.5.5 (truncation), chapter 10.4 (SIU events).
#include "header_check.hpp"

#include "../ascii.hpp"
#include "../scan.hpp"
#include "radscheduler/message.hpp"

namespace radscheduler {

namespace {

constexpr std::string_view kNull = "\"\"";

std::string_view component(std::string_view text, const Delimiters& delimiters, std::size_t number) {
    std::string_view part;
    return split_part(text, delimiters.component, number, part) ? part : std::string_view{};
}

Place at(Place place, std::size_t component) {
    place.component = component;
    return place;
}

// Ann, the shape of a trigger event.
bool is_event(std::string_view text) {
    return text.size() == 3 && is_upper(text[0]) && (is_digit(text[1]) || is_upper(text[1])) && is_digit(text[2]);
}

void check_message_type(FindingList& findings, const Place& place, std::string_view text, const Delimiters& delimiters,
                        Version version) {
    const std::string_view code = component(text, delimiters, 1);
    const std::string_view event = component(text, delimiters, 2);
    const std::string_view structure = component(text, delimiters, 3);
    if (!is_segment_name(code)) {
        findings.error(at(place, 1), fault::kMessageType,
                       "MSH-9.1 is not a message type (three capitals or digits, such as SIU).");
        return;
    }
    if (event.empty()) {
        if (code == "ACK") return;
        findings.error(at(place, 2), fault::kMissing, "MSH-9.2 (trigger event) is required and was not sent; send it.");
        return;
    }
    if (!is_event(event)) {
        findings.error(at(place, 2), fault::kEvent, "MSH-9.2 is not a trigger event (such as S12).");
        return;
    }
    if (structure.empty()) {
        if (version >= Version::v25) {
            findings.warn(at(place, 3), fault::kMissing,
                          "MSH-9.3 (message structure) is required in this version and was not sent; send it.");
        }
        if (code != "SIU") return;
    }
    if (code == "SIU") {
        const std::string_view expected = siu_structure(event);
        if (expected.empty()) {
            findings.error(at(place, 2), fault::kEvent,
                           "MSH-9.2 is not an event of SIU; HL7 defines S12 to S24, S26 and S27.");
        } else if (!structure.empty() && structure != expected) {
            findings.warn(at(place, 3), fault::kMessageType,
                          "MSH-9.3 is not the structure of this event; every SIU message has the structure SIU_S12.");
        }
    }
}

void check_processing_id(FindingList& findings, const Place& place, std::string_view text,
                         const Delimiters& delimiters) {
    const std::string_view id = component(text, delimiters, 1);
    if (id == "P" || id == "T" || id == "D") return;
    findings.error(place, fault::kProcessing, "MSH-11 is none of P, T, D (HL7 table 0103); use one of them.");
}

} // namespace

std::string_view siu_structure(std::string_view event) {
    if (event.size() != 3 || event[0] != 'S' || !all_digits(event.substr(1))) return {};
    const int number = digits_value(event.substr(1));
    return (number >= 12 && number <= 24) || number == 26 || number == 27 ? "SIU_S12" : std::string_view{};
}

void check_encoding_characters(FindingList& findings, const Place& place, std::string_view text, Version version) {
    if (text == "^~&") {
        findings.warn(place, fault::kDataType,
                      "MSH-2 declares no escape character (it is read as component, repetition, subcomponent); send "
                      "all four encoding characters.");
    } else if (text.size() < 4) {
        findings.warn(place, fault::kDataType,
                      "MSH-2 declares " + std::to_string(text.size()) +
                          " encoding characters; send all four (component, repetition, escape, subcomponent).");
    } else if (text.size() > 4 && version < Version::v27) {
        findings.warn(place, fault::kDataType,
                      "MSH-2 declares a truncation character, which HL7 knows only from version 2.7 on.");
    }
}

void check_header_field(FindingList& findings, const Place& place, std::string_view text, const Delimiters& delimiters,
                        Version version) {
    if (text.empty() || text == kNull) return;
    if (place.field == 9) {
        check_message_type(findings, place, text, delimiters, version);
    } else if (place.field == 11) {
        check_processing_id(findings, place, text, delimiters);
    } else if (place.field == 12 && !is_hl7_version(component(text, delimiters, 1))) {
        findings.error(place, fault::kVersion, "MSH-12 is not a version of HL7 v2 (HL7 table 0104), such as 2.5.1.");
    }
}

} // namespace radscheduler
