// Reading and showing names.
#include "person_name.hpp"

#include "../ascii.hpp"
#include "letter_case.hpp"
#include "words.hpp"

namespace radscheduler::siu {

namespace {

constexpr int kNoName = 100;

// XPN.7 name type and XPN.8 representation; lower is better.
int name_rank(const SegmentFields& pid, std::size_t field, std::size_t repetition) {
    const std::string type = upper(pid.text(field, 7, repetition).value);
    const std::string script = upper(pid.text(field, 8, repetition).value);
    int rank = 3;
    if (type == "A" || type == "S") return kNoName;
    if (type == "L") {
        rank = 0;
    } else if (type.empty()) {
        rank = 1;
    } else if (type == "D") {
        rank = 2;
    }
    const bool other_script = script == "I" || script == "P";
    return rank * 2 + (other_script ? 1 : 0);
}

} // namespace

std::string PersonName::display() const {
    const bool capitals =
        !has_lower_case(family.value) && !has_lower_case(given.value) && !has_lower_case(middle.value);
    std::string result;
    const auto add = [&](const std::string& part, bool is_name) {
        if (part.empty()) return;
        if (!result.empty()) result.push_back(' ');
        result += is_name && capitals ? title_case(part) : part;
    };
    add(given.value, true);
    add(middle.value, true);
    add(family.value, true);
    if (!is_degree_word(suffix.value)) add(suffix.value, false);
    return result;
}

PersonName read_xpn(const SegmentFields& fields, std::size_t field, std::size_t repetition) {
    return {fields.subtext(field, 1, 1, repetition), fields.text(field, 2, repetition),
            fields.text(field, 3, repetition),       fields.text(field, 4, repetition),
            fields.text(field, 5, repetition),       fields.text(field, 6, repetition)};
}

PersonName read_xcn(const SegmentFields& fields, std::size_t field, std::size_t repetition) {
    return {fields.subtext(field, 2, 1, repetition), fields.text(field, 3, repetition),
            fields.text(field, 4, repetition),       fields.text(field, 5, repetition),
            fields.text(field, 6, repetition),       fields.text(field, 7, repetition)};
}

std::size_t preferred_name(const SegmentFields& pid, std::size_t field) {
    std::size_t best = 0;
    int best_rank = kNoName;
    for (std::size_t i = 1; i <= pid.repetitions(field); ++i) {
        if (pid.repetition(field, i).empty()) continue;
        const int rank = name_rank(pid, field, i);
        if (rank < best_rank) {
            best = i;
            best_rank = rank;
        }
    }
    return best;
}

Text xcn_display(const SegmentFields& fields, std::size_t field) {
    if (fields.is_null(field)) return {true, {}};
    std::string identifier;
    for (std::size_t i = 1; i <= fields.repetitions(field); ++i) {
        std::string name = read_xcn(fields, field, i).display();
        if (!name.empty()) return {false, std::move(name)};
        if (identifier.empty()) identifier = fields.text(field, 1, i).value;
    }
    return {false, std::move(identifier)};
}

} // namespace radscheduler::siu
