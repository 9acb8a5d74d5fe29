#include "config/values.hpp"

#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include "obs/text.hpp"

namespace radscheduler::sidecar {
namespace {

// Splits "16 MiB" into 16 and "mib".
std::optional<std::pair<std::uint64_t, std::string>> split_unit(std::string_view text) {
    text = trim(text);
    const auto digits = text.find_first_not_of("0123456789");
    const auto number = read_number(text.substr(0, digits));
    if (!number) {
        return std::nullopt;
    }
    std::string unit;
    if (digits != std::string_view::npos) {
        unit = lower_ascii(trim(text.substr(digits)));
    }
    return std::pair{*number, unit};
}

template <std::size_t N>
std::optional<std::uint64_t> scale(std::uint64_t number, const std::string& unit,
                                   const std::array<std::pair<std::string_view, std::uint64_t>, N>& units) {
    for (const auto& [name, factor] : units) {
        if (unit == name) {
            if (number > std::numeric_limits<std::int64_t>::max() / factor) {
                return std::nullopt;
            }
            return number * factor;
        }
    }
    return std::nullopt;
}

} // namespace

std::optional<std::uint64_t> read_number(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (ec != std::errc() || end != text.data() + text.size() || text.empty()) {
        return std::nullopt;
    }
    return number;
}

std::optional<std::size_t> read_size(std::string_view text) {
    static constexpr std::array<std::pair<std::string_view, std::uint64_t>, 8> units{{{"", 1},
                                                                                      {"b", 1},
                                                                                      {"k", 1024},
                                                                                      {"kib", 1024},
                                                                                      {"m", 1U << 20U},
                                                                                      {"mib", 1U << 20U},
                                                                                      {"g", 1U << 30U},
                                                                                      {"gib", 1U << 30U}}};
    const auto parts = split_unit(text);
    return parts ? scale(parts->first, parts->second, units) : std::nullopt;
}

std::optional<std::chrono::milliseconds> read_duration(std::string_view text) {
    static constexpr std::array<std::pair<std::string_view, std::uint64_t>, 5> units{
        {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}}};
    const auto parts = split_unit(text);
    const auto scaled = parts ? scale(parts->first, parts->second, units) : std::nullopt;
    if (!scaled) {
        return std::nullopt;
    }
    return std::chrono::milliseconds(static_cast<std::int64_t>(*scaled));
}

std::string show_size(std::size_t bytes) {
    constexpr std::size_t mebibyte = 1U << 20U;
    return bytes % mebibyte == 0 && bytes > 0 ? std::to_string(bytes / mebibyte) + "MiB" : std::to_string(bytes);
}

std::string show_duration(std::chrono::milliseconds duration) {
    const auto ms = duration.count();
    return ms % 1000 == 0 ? std::to_string(ms / 1000) + "s" : std::to_string(ms) + "ms";
}

} // namespace radscheduler::sidecar
