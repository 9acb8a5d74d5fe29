#include "http/cached_figures.hpp"

#include <nlohmann/json.hpp>

#include "auth/strict_json.hpp"

namespace radscheduler::sidecar::http {

std::optional<CachedFigures> read_cached_figures(std::string_view value, const CachePlace& place) {
    auto figures = auth::read_object(value);
    if (!figures || place.mark.empty()) {
        return std::nullopt;
    }
    const auto cached = figures->find("cached");
    if (cached == figures->end() || !cached->is_object()) {
        return std::nullopt;
    }
    const auto mark = cached->find("mark");
    const auto seconds = cached->find("seconds");
    if (mark == cached->end() || *mark != place.mark || seconds == cached->end() || !seconds->is_number_integer()) {
        return std::nullopt;
    }
    const auto made = seconds->get<std::int64_t>();
    if (made > place.seconds || made < place.seconds - oldest_figures) {
        return std::nullopt;
    }
    figures->erase("cached");
    CachedFigures read;
    read.body = figures->dump();
    read.age = place.seconds - made;
    return read;
}

} // namespace radscheduler::sidecar::http
