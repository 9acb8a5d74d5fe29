#include "auth/jwt.hpp"

#include <cstdlib>
#include <memory>
#include <optional>

#include <jwt.h>

#include "auth/base64url.hpp"
#include "auth/strict_json.hpp"

namespace radscheduler::sidecar::auth {
namespace {

constexpr std::size_t longest_token = 8192;

struct FreeToken {
    void operator()(jwt_t* token) const { jwt_free(token); }
};
struct FreeText {
    void operator()(char* text) const { std::free(text); }
};
using Token = std::unique_ptr<jwt_t, FreeToken>;

struct Parts {
    nlohmann::json header;
    nlohmann::json payload;
};

// Three parts, the first two JSON objects.
std::optional<Parts> split(std::string_view token) {
    const auto first = token.find('.');
    const auto second = first == std::string_view::npos ? first : token.find('.', first + 1);
    if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) {
        return std::nullopt;
    }
    const auto header = from_base64url(token.substr(0, first));
    const auto payload = from_base64url(token.substr(first + 1, second - first - 1));
    const auto signature = from_base64url(token.substr(second + 1));
    if (!header || !payload || !signature || signature->empty()) {
        return std::nullopt;
    }
    auto header_object = read_object(*header);
    auto payload_object = read_object(*payload);
    if (!header_object || !payload_object) {
        return std::nullopt;
    }
    return Parts{std::move(*header_object), std::move(*payload_object)};
}

const Key* key_for(const nlohmann::json& header, const KeySet& keys) {
    const auto algorithm = header.find("alg");
    const auto kid = header.find("kid");
    // crit: extensions that must be understood; none is (RFC 7515 section 4.1.11).
    if (algorithm == header.end() || !algorithm->is_string() || header.contains("crit") ||
        (kid != header.end() && !kid->is_string())) {
        return nullptr;
    }
    const auto wanted = kid == header.end() ? std::optional<std::string>() : kid->get<std::string>();
    return keys.find(wanted ? std::optional<std::string_view>(*wanted) : std::nullopt, algorithm->get<std::string>());
}

bool is_signed_by(const std::string& token, const Key& key) {
    jwt_t* decoded = nullptr;
    const auto* material = reinterpret_cast<const unsigned char*>(key.material.data());
    if (jwt_decode(&decoded, token.c_str(), material, static_cast<int>(key.material.size())) != 0) {
        return false;
    }
    const Token owned(decoded);
    const auto algorithm = jwt_get_alg(decoded);
    return algorithm == (key.algorithm == Algorithm::hs256   ? JWT_ALG_HS256
                         : key.algorithm == Algorithm::rs256 ? JWT_ALG_RS256
                                                             : JWT_ALG_ES256);
}

std::optional<Instant> instant(const nlohmann::json& payload, const char* claim) {
    constexpr double latest = 253402300799; // the year 9999
    const auto found = payload.find(claim);
    if (found == payload.end() || !found->is_number() || !(found->get<double>() >= 0) ||
        found->get<double>() > latest) {
        return std::nullopt;
    }
    return Instant(std::chrono::seconds(static_cast<long long>(found->get<double>())));
}

std::string text(const nlohmann::json& payload, const char* claim) {
    const auto found = payload.find(claim);
    return found != payload.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool is_for(const nlohmann::json& payload, const std::string& audience) {
    const auto found = payload.find("aud");
    if (found == payload.end()) {
        return false;
    }
    if (found->is_array()) {
        for (const auto& one : *found) {
            if (one.is_string() && one.get<std::string>() == audience) {
                return true;
            }
        }
        return false;
    }
    return found->is_string() && found->get<std::string>() == audience;
}

std::vector<std::string> scopes(const nlohmann::json& payload) {
    std::vector<std::string> list;
    const auto words = text(payload, "scope");
    for (std::size_t at = 0; at < words.size();) {
        const auto end = std::min(words.find(' ', at), words.size());
        if (end > at) {
            list.push_back(words.substr(at, end - at));
        }
        at = end + 1;
    }
    const auto found = payload.find("scopes");
    if (found != payload.end() && found->is_array()) {
        for (const auto& one : *found) {
            if (one.is_string()) {
                list.push_back(one.get<std::string>());
            }
        }
    }
    return list;
}

} // namespace

std::variant<Claims, Refusal> verify(std::string_view token, const KeySet& keys, const Rules& rules, Instant now) {
    if (token.size() > longest_token) {
        return Refusal{"The token is longer than 8 KiB."};
    }
    const auto parts = split(token);
    if (!parts) {
        return Refusal{"This is not a signed JSON Web Token of three parts in base64url."};
    }
    const auto* key = key_for(parts->header, keys);
    if (key == nullptr || !is_signed_by(std::string(token), *key)) {
        // One sentence for all of these: which keys there are is nobody's business.
        return Refusal{"The token is not signed with a key that is known here."};
    }
    const auto& payload = parts->payload;
    const auto expires = instant(payload, "exp");
    if (!expires) {
        return Refusal{"The token does not say when it expires (exp)."};
    }
    if (now >= *expires + rules.skew) {
        return Refusal{"The token has expired. Sign in again.", true};
    }
    const auto begins = instant(payload, "nbf");
    const auto issued = instant(payload, "iat");
    if ((payload.contains("nbf") && !begins) || (payload.contains("iat") && !issued)) {
        return Refusal{"The token's times (nbf, iat) are not numbers of seconds."};
    }
    if ((begins && now + rules.skew < *begins) || (issued && now + rules.skew < *issued)) {
        return Refusal{"The token is not valid yet: its clock or this one is wrong."};
    }
    if (*expires - issued.value_or(now) > rules.longest_life + rules.skew) {
        return Refusal{"The token lives longer than 24 hours. Have a shorter one issued."};
    }
    if (text(payload, "iss") != rules.issuer || !is_for(payload, rules.audience)) {
        return Refusal{"The token was issued by or for somebody else (iss, aud)."};
    }
    Claims claims;
    claims.subject = text(payload, "sub");
    if (claims.subject.empty()) {
        return Refusal{"The token does not say who it is for (sub)."};
    }
    claims.site = text(payload, "site");
    claims.scopes = scopes(payload);
    claims.session = text(payload, "sid");
    const auto version = payload.find("ver");
    claims.version = version != payload.end() && version->is_number_integer() ? version->get<long>() : 0;
    claims.issued = issued.value_or(now);
    claims.expires = *expires;
    return claims;
}

std::string sign(const Claims& claims, const KeySet& keys, const Rules& rules) {
    for (const auto& key : keys.keys) {
        if (key.algorithm != Algorithm::hs256) {
            continue;
        }
        std::string scope;
        for (const auto& one : claims.scopes) {
            scope += (scope.empty() ? "" : " ") + one;
        }
        jwt_t* created = nullptr;
        if (jwt_new(&created) != 0) {
            return {};
        }
        const Token token(created);
        const auto* material = reinterpret_cast<const unsigned char*>(key.material.data());
        bool good =
            jwt_set_alg(created, JWT_ALG_HS256, material, static_cast<int>(key.material.size())) == 0 &&
            jwt_add_header(created, "kid", key.kid.c_str()) == 0 &&
            jwt_add_grant(created, "iss", rules.issuer.c_str()) == 0 &&
            jwt_add_grant(created, "aud", rules.audience.c_str()) == 0 &&
            jwt_add_grant(created, "sub", claims.subject.c_str()) == 0 &&
            jwt_add_grant(created, "scope", scope.c_str()) == 0 &&
            jwt_add_grant_int(created, "ver", claims.version) == 0 &&
            jwt_add_grant_int(created, "iat", static_cast<long>(claims.issued.time_since_epoch().count())) == 0 &&
            jwt_add_grant_int(created, "exp", static_cast<long>(claims.expires.time_since_epoch().count())) == 0;
        good = good && (claims.site.empty() || jwt_add_grant(created, "site", claims.site.c_str()) == 0);
        good = good && (claims.session.empty() || jwt_add_grant(created, "sid", claims.session.c_str()) == 0);
        const std::unique_ptr<char, FreeText> text(good ? jwt_encode_str(created) : nullptr);
        return text ? std::string(text.get()) : std::string();
    }
    return {};
}

} // namespace radscheduler::sidecar::auth
