// JSON read as somebody hostile may have written it: an object without a repeated key at any depth. Two readers that
// pick different values of a repeated key are a way round a check (RFC 8259 section 4, RFC 7519 section 4).
#pragma once

#include <optional>
#include <string_view>

#include <nlohmann/json.hpp>

namespace radscheduler::sidecar::auth {

// Nothing unless the text is exactly one JSON object, UTF-8, nested at most 16 deep, no key twice.
std::optional<nlohmann::json> read_object(std::string_view text);

} // namespace radscheduler::sidecar::auth
