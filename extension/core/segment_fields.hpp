// One segment cut into its fields once, for readers that look at many of them. Fields beyond kMaxFields are not seen:
// no segment that is read this way defines as many. MSH-1 and MSH-2 have their usual numbers.
#pragma once

#include "radscheduler/delimiters.hpp"
#include "radscheduler/text.hpp"

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace radscheduler {

class SegmentFields {
public:
    static constexpr std::size_t kMaxFields = 64;
    static constexpr std::size_t kMaxRepetitions = 64;

    SegmentFields() = default;
    SegmentFields(std::string_view segment, const Delimiters& delimiters);

    bool exists() const { return count_ > 0; }
    std::size_t last_field() const { return count_ == 0 ? 0 : count_ - 1; }
    const Delimiters& delimiters() const { return delimiters_; }

    // Undecoded texts, empty when absent. Repetitions, components and subcomponents count from 1.
    std::string_view field(std::size_t number) const { return number < count_ ? fields_[number] : std::string_view{}; }
    std::size_t repetitions(std::size_t number) const; // 0 for an absent or empty field
    std::string_view repetition(std::size_t number, std::size_t repetition) const;
    std::string_view component(std::size_t number, std::size_t component, std::size_t repetition = 1) const;
    std::string_view subcomponent(std::size_t number, std::size_t component, std::size_t subcomponent,
                                  std::size_t repetition = 1) const;

    // Decoded and trimmed. A component of a repetition that is the HL7 null as a whole is null. text() takes a
    // component whole: an unescaped subcomponent separator in free text ("HEAD & NECK") is kept as text.
    Text text(std::size_t number, std::size_t component = 1, std::size_t repetition = 1) const;
    Text subtext(std::size_t number, std::size_t component, std::size_t subcomponent, std::size_t repetition = 1) const;
    Text whole(std::size_t number, std::size_t repetition = 1) const; // a repetition of a type without components
    bool is_null(std::size_t number, std::size_t repetition = 1) const;

private:
    Text decoded(std::string_view raw, bool null) const;

    Delimiters delimiters_;
    std::size_t count_ = 0;
    std::array<std::string_view, kMaxFields + 1> fields_;
};

} // namespace radscheduler
