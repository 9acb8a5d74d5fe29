// What a request brings to say who it is, taken from its header fields and not yet believed.
#pragma once

#include <string>
#include <string_view>
#include <variant>

namespace radscheduler::sidecar::auth {

struct NoCredential {};

struct BearerToken {
    std::string token;
};

// rsk_<8 letters and digits>_<43 letters and digits>: the first part finds the key, the second proves it.
struct ApiKey {
    std::string id;
    std::string secret_sha256; // 32 bytes; the secret itself goes no further
};

struct Malformed {
    std::string reason; // a sentence for the sender
};

using Credential = std::variant<NoCredential, BearerToken, ApiKey, Malformed>;

// `authorization` and `api_key` are the values of Authorization and X-API-Key, empty when not sent.
Credential read_credential(std::string_view authorization, std::string_view api_key);

} // namespace radscheduler::sidecar::auth
