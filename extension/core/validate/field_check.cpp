// Required fields, repetitions, data types, tables and lengths.
#include "field_check.hpp"

#include "../scan.hpp"
#include "data_type.hpp"
#include "header_check.hpp"
#include "radscheduler/charset.hpp"
#include "text_check.hpp"

#include <algorithm>

namespace radscheduler {

namespace {

constexpr std::string_view kNull = "\"\"";

std::size_t characters_in(std::string_view text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// "SCH-6 (event reason)", for the start of a sentence.
std::string named(const Place& place, const FieldRule& rule) {
    Place plain = place;
    plain.occurrence = 1;
    plain.repetition = 1;
    return plain.path() + " (" + std::string(rule.name) + ")";
}

// What follows in the rules of a segment belongs to this field as long as the number is the same.
std::span<const FieldRule> take_rules(std::span<const FieldRule>& rules, std::size_t field) {
    std::size_t count = 0;
    while (count < rules.size() && rules[count].field == field)
        ++count;
    const std::span<const FieldRule> taken = rules.first(count);
    rules = rules.subspan(count);
    return taken;
}

} // namespace

void FieldCheck::missing(const Place& place, const FieldRule& rule, bool as_null) {
    findings_.error(place, fault::kMissing,
                    named(place, rule) + (as_null
                                              ? " is required and cannot be deleted with the HL7 null; send a value."
                                              : " is required in this version and was not sent; send it."));
}

void FieldCheck::length(const Place& place, std::string_view text, const FieldRule& rule) {
    const std::size_t limit = version_ >= Version::v26 ? rule.length_v26 : rule.length;
    if (limit == 0 || text.size() <= limit) return;
    const std::size_t size = characters_in(text);
    if (size <= limit) return;
    findings_.warn(place, fault::kTooLong,
                   named(place, rule) + " has " + std::to_string(size) + " characters; this version allows " +
                       std::to_string(limit) + ".");
}

void FieldCheck::code_of_table(const Place& place, std::string_view text, const FieldRule& rule) {
    if (rule.table == CodeTable::none || text.empty() || text == kNull || holds_code(rule.table, text)) return;
    const std::string table = "HL7 table " + std::string(table_number(rule.table));
    if (rule.table == CodeTable::charset && !iconv_name(text).empty()) {
        findings_.warn(place, fault::kTable,
                       named(place, rule) + " names a known charset, but not as " + table + " spells it.");
        return;
    }
    const bool warning = is_user_defined(rule.table);
    findings_.add(warning ? Severity::warning : Severity::error, place, fault::kTable,
                  named(place, rule) + " is not a code of " + table +
                      (warning ? "; agree on it with the receiver or use one that is." : "; use one that is."));
}

void FieldCheck::value(const Place& place, std::string_view text, const FieldRule& rule) {
    if (text.empty() || text == kNull) return;
    const DataType type = rule.type == DataType::observation ? type_of_observation(value_type_) : rule.type;
    if (const TypeFault fault = type_fault(type, text); !fault.what.empty()) {
        findings_.add(fault.only_a_warning ? Severity::warning : Severity::error, place, fault::kDataType,
                      named(place, rule) + " " + std::string(fault.what) + ".");
    }
    length(place, text, rule);
}

void FieldCheck::repetition(Place place, std::string_view text, const FieldRule& rule) {
    std::string_view part = text;
    if (rule.component != 0) {
        place.component = rule.component;
        if (!split_part(text, delimiters_.component, rule.component, part)) return;
        split_part(part, delimiters_.subcomponent, 1, part);
    } else if (rule.type == DataType::coded || rule.type == DataType::moment || rule.type == DataType::instant) {
        split_part(text, delimiters_.component, 1, part); // a second component of TS is its precision
        if (rule.type == DataType::coded) split_part(part, delimiters_.subcomponent, 1, part);
    }
    value(place, part, rule);
    if (rule.type == DataType::code || rule.type == DataType::coded) code_of_table(place, part, rule);
}

void FieldCheck::field(Place place, std::string_view text, std::span<const FieldRule> rules) {
    if (rules.empty()) return;
    const FieldRule& main = rules.front();
    if (main.component == 0 && main.required.include(version_) && (text.empty() || text == kNull)) {
        missing(place, main, !text.empty());
    }
    if (text.empty()) return;
    if (main.component == 0 && main.single.include(version_) &&
        text.find(delimiters_.repetition) != std::string_view::npos) {
        findings_.warn(place, fault::kDataType,
                       named(place, main) + " must not repeat in this version; only the first repetition counts.");
    }
    while (!findings_.full()) {
        const std::size_t end = text.find(delimiters_.repetition);
        for (const FieldRule& rule : rules) {
            if (rule.type != DataType::any) repetition(place, text.substr(0, end), rule);
        }
        if (end == std::string_view::npos) return;
        text.remove_prefix(end + 1);
        ++place.repetition;
    }
}

void FieldCheck::segment(Place place, std::string_view segment) {
    std::span<const FieldRule> rules = rules_of(place.segment);
    const bool header = is_header_name(place.segment);
    value_type_ = {};
    if (place.segment == "OBX") split_part(segment, delimiters_.field, 3, value_type_);

    std::string_view rest = segment.substr(std::min(segment.size(), std::size_t{3}));
    place.field = 0;
    while (!rest.empty() && !findings_.full()) {
        rest.remove_prefix(1); // the separator before the field
        place.field += place.field == 0 && header ? 2 : 1;
        const std::size_t end = rest.find(delimiters_.field);
        const std::string_view text = rest.substr(0, end);
        rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end);
        if (header && place.field == 2) {
            if (place.segment == "MSH") check_encoding_characters(findings_, place, text, version_);
            continue;
        }
        const std::span<const FieldRule> own = take_rules(rules, place.field);
        field(place, text, own);
        if (place.segment == "MSH") check_header_field(findings_, place, text, delimiters_, version_);
        check_text(findings_, place, text, delimiters_);
    }
    while (!rules.empty()) {
        place.field = rules.front().field;
        const std::span<const FieldRule> own = take_rules(rules, place.field);
        field(place, {}, own);
    }
}

} // namespace radscheduler
