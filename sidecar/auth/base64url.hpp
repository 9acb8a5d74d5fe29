// base64url without padding (RFC 4648 section 5, as RFC 7515 uses it), strictly: one text for one value.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace radscheduler::sidecar::auth {

// Nothing for padding, blanks, other letters, an impossible length, or bits left over that are not zero.
std::optional<std::string> from_base64url(std::string_view text);

std::string to_base64url(std::string_view bytes);

} // namespace radscheduler::sidecar::auth
