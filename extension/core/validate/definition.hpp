// How the tables of field rules are put together; they are looked up with rules_of().
#pragma once

#include "field_rule.hpp"

#include <cstddef>

namespace radscheduler {

struct Definition {
    std::string_view segment;
    std::span<const FieldRule> rules;
};

std::span<const FieldRule> scheduling_rules(std::string_view segment);
std::span<const FieldRule> clinical_rules(std::string_view segment);

constexpr std::span<const FieldRule> rules_in(std::span<const Definition> definitions, std::string_view segment) {
    for (const Definition& definition : definitions) {
        if (definition.segment == segment) return definition.rules;
    }
    return {};
}

// FieldCheck walks fields and rules side by side.
constexpr bool in_order(std::span<const Definition> definitions) {
    for (const Definition& definition : definitions) {
        for (std::size_t i = 1; i < definition.rules.size(); ++i) {
            if (definition.rules[i].field < definition.rules[i - 1].field) return false;
        }
    }
    return true;
}

} // namespace radscheduler
