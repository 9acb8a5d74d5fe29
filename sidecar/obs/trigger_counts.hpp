// Messages counted by the event that they tell. The events are a fixed list: a label is never what a sender wrote.
#pragma once

#include <array>
#include <string_view>

#include "obs/counter.hpp"

namespace radscheduler::sidecar {

class TriggerCounts {
public:
    static constexpr std::array<std::string_view, 39> words{
        "S12", "S13", "S14", "S15", "S16", "S17", "S18", "S19", "S20", "S21", "S22", "S23", "S24",
        "S26", "S27", "S01", "S02", "S03", "S04", "S05", "S06", "S07", "S08", "S09", "S10", "S11",
        "A01", "A04", "A08", "A10", "A18", "A30", "A31", "A34", "A40", "O01", "O19", "O23", "other"};

    // The word itself when it is in the list, else "other".
    static constexpr std::string_view known(std::string_view event) { return words[place_of(event)]; }

    void add(std::string_view event) { counts_[place_of(event)].add(); }
    const Counter& count(std::size_t place) const { return counts_[place]; }

private:
    static constexpr std::size_t place_of(std::string_view event) {
        std::size_t place = 0;
        while (place + 1 < words.size() && words[place] != event) {
            ++place;
        }
        return place;
    }

    std::array<Counter, words.size()> counts_;
};

} // namespace radscheduler::sidecar
