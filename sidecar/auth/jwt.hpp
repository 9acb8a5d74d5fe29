// JSON Web Tokens (RFC 7519) as this daemon takes and gives them. libjwt does the cryptography; what may be believed is
// decided here, and in this order: size and shape, the key (key_set.hpp) with its own algorithm, the signature, and
// only then what the token says.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "auth/key_set.hpp"

namespace radscheduler::sidecar::auth {

using Instant = std::chrono::sys_seconds;

struct Claims {
    std::string subject;             // sub: who it is, as the audit log names him
    std::string site;                // site: code of the site, or empty for all that the database lets the daemon use
    std::vector<std::string> scopes; // scope (words separated by blanks, RFC 8693 section 4.2) and scopes
    std::string session;             // sid
    long version = 0;                // ver: the user's token version when it was signed
    Instant issued{};                // iat
    Instant expires{};               // exp
};

struct Rules {
    std::string issuer = "radscheduler";
    std::string audience = "radscheduler-users";
    std::chrono::seconds skew{60};
    std::chrono::seconds longest_life{std::chrono::hours(24)};
};

// Why a token is not believed: a sentence for whoever sent it, without anything the token says.
struct Refusal {
    std::string reason;
    bool is_expired = false;
};

std::variant<Claims, Refusal> verify(std::string_view token, const KeySet& keys, const Rules& rules, Instant now);

// Signed with the first HS256 key; empty when there is none.
std::string sign(const Claims& claims, const KeySet& keys, const Rules& rules);

} // namespace radscheduler::sidecar::auth
