// The fields of one segment against its rules.
#pragma once

#include "field_rule.hpp"
#include "finding_list.hpp"
#include "radscheduler/delimiters.hpp"

#include <string_view>

namespace radscheduler {

class FieldCheck {
public:
    FieldCheck(FindingList& findings, const Delimiters& delimiters, Version version)
        : findings_(findings), delimiters_(delimiters), version_(version) {}

    // `segment` without CR; its name is place.segment. Linear in its length.
    void segment(Place place, std::string_view segment);

private:
    void field(Place place, std::string_view text, std::span<const FieldRule> rules);
    void missing(const Place& place, const FieldRule& rule, bool as_null);
    void repetition(Place place, std::string_view text, const FieldRule& rule);
    void value(const Place& place, std::string_view text, const FieldRule& rule);
    void code_of_table(const Place& place, std::string_view text, const FieldRule& rule);
    void length(const Place& place, std::string_view text, const FieldRule& rule);

    FindingList& findings_;
    Delimiters delimiters_;
    Version version_;
    std::string_view value_type_; // OBX-2 of the segment in hand
};

} // namespace radscheduler
