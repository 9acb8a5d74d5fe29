// Durations and offsets as senders write them: 30 with a unit beside it, M30 and H1 (HL7 TQ form), "2 hours", 1.5.
// A missing or unknown unit means minutes, and unit_assumed says so. Source: HL7 v2.5 chapters 4.3.3, 10.6.1.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace radscheduler::siu {

struct Duration {
    std::int64_t seconds = 0; // may be zero or negative (an offset)
    bool unit_assumed = false;

    int minutes() const; // away from zero: 90 seconds are two minutes. Precondition: less than 4000 years
};

// nullopt when `text` holds no number (up to seven digits, up to three decimals).
std::optional<Duration> read_duration(std::string_view text, std::string_view unit);

} // namespace radscheduler::siu
