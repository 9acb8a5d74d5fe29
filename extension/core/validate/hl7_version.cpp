// Version numbers (HL7 table 0104).
#include "hl7_version.hpp"

#include <array>

namespace radscheduler {

namespace {

struct Number {
    std::string_view text;
    Version rules;
};

constexpr std::array kNumbers = std::to_array<Number>({
    {"2.0", Version::v23},
    {"2.0D", Version::v23},
    {"2.1", Version::v23},
    {"2.2", Version::v23},
    {"2.3", Version::v23},
    {"2.3.1", Version::v231},
    {"2.3.2", Version::v231},
    {"2.4", Version::v24},
    {"2.5", Version::v25},
    {"2.5.1", Version::v25},
    {"2.6", Version::v26},
    {"2.7", Version::v27},
    {"2.7.1", Version::v27},
    {"2.8", Version::v28},
    {"2.8.1", Version::v28},
    {"2.8.2", Version::v28},
    {"2.9", Version::v28},
    {"2.9.1", Version::v28},
});

} // namespace

bool is_hl7_version(std::string_view number) {
    for (const Number& known : kNumbers) {
        if (known.text == number) return true;
    }
    return false;
}

Version version_of(std::string_view number) {
    for (const Number& known : kNumbers) {
        if (known.text == number) return known.rules;
    }
    return Version::v25;
}

} // namespace radscheduler
