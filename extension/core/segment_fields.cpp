// Cutting a segment into fields.
#include "segment_fields.hpp"

#include "ascii.hpp"
#include "radscheduler/escape.hpp"
#include "scan.hpp"

namespace radscheduler {

namespace {

constexpr std::string_view kNull = "\"\"";

} // namespace

SegmentFields::SegmentFields(std::string_view segment, const Delimiters& delimiters) : delimiters_(delimiters) {
    if (segment.empty()) return;
    const auto add = [this](std::string_view field) {
        if (count_ <= kMaxFields) fields_[count_++] = field;
    };
    const bool header = is_header_name(segment.substr(0, 3));
    while (count_ <= kMaxFields) {
        const std::size_t end = segment.find(delimiters.field);
        add(segment.substr(0, end));
        if (end == std::string_view::npos) return;
        if (header && count_ == 1) add(segment.substr(end, 1));
        segment.remove_prefix(end + 1);
    }
}

std::size_t SegmentFields::repetitions(std::size_t number) const {
    const std::string_view text = field(number);
    if (text.empty()) return 0;
    std::size_t count = 1;
    for (const char c : text) {
        if (c == delimiters_.repetition && ++count == kMaxRepetitions) break;
    }
    return count;
}

std::string_view SegmentFields::repetition(std::size_t number, std::size_t repetition) const {
    std::string_view part;
    return split_part(field(number), delimiters_.repetition, repetition, part) ? part : std::string_view{};
}

std::string_view SegmentFields::component(std::size_t number, std::size_t component, std::size_t repetition) const {
    std::string_view part;
    const std::string_view whole = this->repetition(number, repetition);
    return split_part(whole, delimiters_.component, component, part) ? part : std::string_view{};
}

std::string_view SegmentFields::subcomponent(std::size_t number, std::size_t component, std::size_t subcomponent,
                                             std::size_t repetition) const {
    std::string_view part;
    const std::string_view whole = this->component(number, component, repetition);
    return split_part(whole, delimiters_.subcomponent, subcomponent, part) ? part : std::string_view{};
}

bool SegmentFields::is_null(std::size_t number, std::size_t repetition) const {
    return this->repetition(number, repetition) == kNull;
}

Text SegmentFields::decoded(std::string_view raw, bool null) const {
    if (null || raw == kNull) return {true, {}};
    if (raw.find(delimiters_.escape) == std::string_view::npos) return {false, std::string(trim(raw))};
    return {false, std::string(trim(decode(raw, delimiters_)))};
}

Text SegmentFields::text(std::size_t number, std::size_t component, std::size_t repetition) const {
    return decoded(this->component(number, component, repetition), is_null(number, repetition));
}

Text SegmentFields::subtext(std::size_t number, std::size_t component, std::size_t subcomponent,
                            std::size_t repetition) const {
    const bool null = is_null(number, repetition) || this->component(number, component, repetition) == kNull;
    return decoded(this->subcomponent(number, component, subcomponent, repetition), null);
}

Text SegmentFields::whole(std::size_t number, std::size_t repetition) const {
    return decoded(this->repetition(number, repetition), false);
}

} // namespace radscheduler
