// Answers compressed (RFC 1952), with zlib.
#pragma once

#include <string>
#include <string_view>

namespace radscheduler::sidecar::http {

// Shorter ones are not worth it.
inline constexpr std::size_t shortest_to_compress = 1024;

// Empty when zlib has no memory: the bytes go out as they are.
std::string gzip(std::string_view bytes);

} // namespace radscheduler::sidecar::http
