// The versions of HL7 between which the rules of a field change.
#pragma once

#include <string_view>

namespace radscheduler {

enum class Version { v23, v231, v24, v25, v26, v27, v28 }; // 2.5 stands for 2.5.1 too, 2.8 for all later ones

inline constexpr Version kFirstVersion = Version::v23;
inline constexpr Version kLastVersion = Version::v28;

struct Versions {
    Version first = Version::v28;
    Version last = Version::v23; // before `first`: none

    constexpr bool include(Version version) const { return first <= version && version <= last; }
};

inline constexpr Versions kNever{};
inline constexpr Versions kAlways{kFirstVersion, kLastVersion};

constexpr Versions since(Version first) {
    return {first, kLastVersion};
}
constexpr Versions until(Version last) {
    return {kFirstVersion, last};
}

// Whether HL7 ever published a version of this number (MSH-12.1).
bool is_hl7_version(std::string_view number);

// The rules to go by: 2.5 for a number that is none, 2.3 for those before it.
Version version_of(std::string_view number);

} // namespace radscheduler
