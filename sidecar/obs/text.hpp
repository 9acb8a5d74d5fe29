// Small text helpers without I/O: timestamps, UTF-8, hashes.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace radscheduler::sidecar {

// "2024-01-15T10:00:00.123Z"
std::string utc_timestamp(std::chrono::system_clock::time_point when);

// True for well-formed UTF-8 without NUL, which is what a PostgreSQL text value can hold.
bool is_storable_text(std::string_view text);

// Lower-case hexadecimal SHA-256.
std::string sha256_hex(std::string_view bytes);

std::string lower_ascii(std::string_view text);
std::string_view trim(std::string_view text);

// What stands between blanks.
std::vector<std::string> words(std::string_view text);

} // namespace radscheduler::sidecar
