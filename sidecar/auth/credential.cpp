#include "auth/credential.hpp"

#include <algorithm>
#include <array>

#include <openssl/sha.h>

#include "obs/text.hpp"

namespace radscheduler::sidecar::auth {
namespace {

constexpr std::string_view key_prefix = "rsk_";
constexpr std::size_t id_length = 8;
constexpr std::size_t secret_length = 43;

bool is_word(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    });
}

Credential read_key(std::string_view text) {
    const auto rest = text.substr(key_prefix.size());
    if (rest.size() != id_length + 1 + secret_length || rest[id_length] != '_' || !is_word(rest.substr(0, id_length)) ||
        !is_word(rest.substr(id_length + 1))) {
        return Malformed{"The API key is not whole: rsk_, eight letters or digits, _, and 43 more are expected."};
    }
    const auto secret = rest.substr(id_length + 1);
    std::array<unsigned char, SHA256_DIGEST_LENGTH> hash{};
    SHA256(reinterpret_cast<const unsigned char*>(secret.data()), secret.size(), hash.data());
    return ApiKey{std::string(rest.substr(0, id_length)), std::string(hash.begin(), hash.end())};
}

} // namespace

Credential read_credential(std::string_view authorization, std::string_view api_key) {
    authorization = trim(authorization);
    api_key = trim(api_key);
    if (!authorization.empty() && !api_key.empty()) {
        return Malformed{"Authorization and X-API-Key were both sent. Send one of them."};
    }
    if (!api_key.empty()) {
        return api_key.substr(0, key_prefix.size()) == key_prefix
                   ? read_key(api_key)
                   : Credential(Malformed{"X-API-Key takes a key that begins with rsk_."});
    }
    if (authorization.empty()) {
        return NoCredential{};
    }
    const auto blank = authorization.find(' ');
    const auto value = blank == std::string_view::npos ? std::string_view() : trim(authorization.substr(blank + 1));
    if (lower_ascii(authorization.substr(0, blank)) != "bearer" || value.empty()) {
        return Malformed{"Authorization takes one form here: Bearer, a blank, and a token or an API key."};
    }
    if (value.substr(0, key_prefix.size()) == key_prefix) {
        return read_key(value);
    }
    return BearerToken{std::string(value)};
}

} // namespace radscheduler::sidecar::auth
