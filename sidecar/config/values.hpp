// Reading single values. Each returns nothing when the text breaks the rule named in its comment.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace radscheduler::sidecar {

// Decimal digits only, no sign, no blanks.
std::optional<std::uint64_t> read_number(std::string_view text);

// Bytes: a number, optionally followed by KiB, MiB or GiB ("16MiB", "16 MiB", "16777216").
std::optional<std::size_t> read_size(std::string_view text);

// Seconds, or a number followed by ms, s, m or h ("30", "30s", "250ms", "5m", "24h").
std::optional<std::chrono::milliseconds> read_duration(std::string_view text);

std::string show_size(std::size_t bytes);
std::string show_duration(std::chrono::milliseconds duration);

} // namespace radscheduler::sidecar
