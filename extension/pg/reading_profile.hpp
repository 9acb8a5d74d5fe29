// A sender's profile (profile_key in 22-profiles.sql) as options of the reader. Keys that are about other things, and
// values that are none of the key's words, change nothing: who writes a profile is told, not who sends a message.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "radscheduler/siu/reader.hpp"

#include "guard.hpp"

namespace radscheduler::pg {

// Plain views into the jsonb, so that filling it may longjmp.
struct ReadingProfile {
    static constexpr std::size_t kMaxIdSources = 5; // as the profile's check

    bool strict = false;
    bool start_by_service = false;
    bool location_from_visit = false;
    bool referrer_from_attending = false;
    bool priority_notes = false;
    std::string_view charset, modality_source;
    std::array<std::string_view, kMaxIdSources> id_sources;
    std::size_t id_source_count = 0;

    SiuOptions options() const;
};

ReadingProfile read_profile(Jsonb* profile);

} // namespace radscheduler::pg
