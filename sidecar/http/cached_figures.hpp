// Figures that were found in Redis, and whether they may be shown. No I/O.
// Invariant: what anybody may have written there is never believed for another site, database or day than the caller's
// (the mark), nor for longer than it would have been kept, nor when it is no JSON object of the shape we write.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace radscheduler::sidecar::http {

// What aggregate_place() says of one caller at one moment.
struct CachePlace {
    std::string key;
    std::string mark;
    std::int64_t seconds = 0; // now, since 1970
};

struct CachedFigures {
    std::string body; // as PostgreSQL would have answered
    std::int64_t age = 0;
};

// Nothing: ask PostgreSQL.
std::optional<CachedFigures> read_cached_figures(std::string_view value, const CachePlace& place);

// How old figures may be, in seconds: as long as the relay lets them live.
inline constexpr std::int64_t oldest_figures = 60;

} // namespace radscheduler::sidecar::http
