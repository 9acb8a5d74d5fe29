#include "auth/key_set.hpp"

#include <algorithm>
#include <memory>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#include "auth/base64url.hpp"
#include "auth/strict_json.hpp"
#include "obs/text.hpp"

namespace radscheduler::sidecar::auth {
namespace {

constexpr std::size_t kid_length = 16;
constexpr int smallest_rsa = 2048;
constexpr std::size_t p256_coordinate = 32;

template <auto Free>
struct Deleter {
    template <typename T>
    void operator()(T* pointer) const {
        Free(pointer);
    }
};
using Number = std::unique_ptr<BIGNUM, Deleter<BN_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, Deleter<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, Deleter<OSSL_PARAM_free>>;
using Context = std::unique_ptr<EVP_PKEY_CTX, Deleter<EVP_PKEY_CTX_free>>;
using PublicKey = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using Bio = std::unique_ptr<BIO, Deleter<BIO_free_all>>;

std::string text_of(const nlohmann::json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Number number_of(const nlohmann::json& object, const char* key) {
    const auto bytes = from_base64url(text_of(object, key));
    if (!bytes || bytes->empty()) {
        return nullptr;
    }
    return Number(
        BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes->data()), static_cast<int>(bytes->size()), nullptr));
}

PublicKey build(const char* type, OSSL_PARAM_BLD* builder) {
    const Params params(OSSL_PARAM_BLD_to_param(builder));
    const Context context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
    EVP_PKEY* key = nullptr;
    if (!params || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
        return nullptr;
    }
    PublicKey owned(key);
    const Context check(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
    return check && EVP_PKEY_public_check(check.get()) == 1 ? std::move(owned) : nullptr;
}

PublicKey rsa_key(const nlohmann::json& jwk) {
    const auto modulus = number_of(jwk, "n");
    const auto exponent = number_of(jwk, "e");
    const Builder builder(OSSL_PARAM_BLD_new());
    if (!modulus || !exponent || BN_num_bits(modulus.get()) < smallest_rsa ||
        OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) != 1 ||
        OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get()) != 1) {
        return nullptr;
    }
    return build("RSA", builder.get());
}

PublicKey p256_key(const nlohmann::json& jwk) {
    const auto x = from_base64url(text_of(jwk, "x"));
    const auto y = from_base64url(text_of(jwk, "y"));
    if (text_of(jwk, "crv") != "P-256" || !x || !y || x->size() != p256_coordinate || y->size() != p256_coordinate) {
        return nullptr;
    }
    const auto point = "\x04" + *x + *y; // uncompressed (SEC 1 section 2.3.3)
    const Builder builder(OSSL_PARAM_BLD_new());
    if (OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) != 1) {
        return nullptr;
    }
    return build("EC", builder.get());
}

std::string to_pem(EVP_PKEY* key) {
    const Bio memory(BIO_new(BIO_s_mem()));
    if (PEM_write_bio_PUBKEY(memory.get(), key) != 1) {
        return {};
    }
    char* start = nullptr;
    const auto length = BIO_get_mem_data(memory.get(), &start);
    return {start, static_cast<std::size_t>(length)};
}

} // namespace

std::string_view name(Algorithm algorithm) {
    switch (algorithm) {
    case Algorithm::rs256:
        return "RS256";
    case Algorithm::es256:
        return "ES256";
    case Algorithm::hs256:
        break;
    }
    return "HS256";
}

bool KeySet::can_sign() const {
    return std::any_of(keys.begin(), keys.end(), [](const Key& key) { return key.algorithm == Algorithm::hs256; });
}

const Key* KeySet::find(std::optional<std::string_view> kid, std::string_view algorithm) const {
    const Key* found = nullptr;
    for (const auto& key : keys) {
        if (kid ? key.kid != *kid : name(key.algorithm) != algorithm) {
            continue;
        }
        if (found != nullptr) {
            return nullptr;
        }
        found = &key;
    }
    return found != nullptr && name(found->algorithm) == algorithm ? found : nullptr;
}

void add_secret(KeySet& set, std::string_view secret) {
    // Hashed with a prefix of its own: what stands in every token must not be the plain hash of the secret.
    auto kid = sha256_hex("radscheduler key id " + std::string(secret)).substr(0, kid_length);
    set.keys.push_back({std::move(kid), Algorithm::hs256, std::string(secret)});
}

void add_jwks(KeySet& set, std::string_view document) {
    const auto jwks = read_object(document);
    if (!jwks || !jwks->contains("keys") || !jwks->at("keys").is_array()) {
        set.problem = "it is not a JSON Web Key Set: an object with an array \"keys\" is expected";
        return;
    }
    std::size_t added = 0;
    for (const auto& jwk : jwks->at("keys")) {
        if (!jwk.is_object() || (jwk.contains("use") && text_of(jwk, "use") != "sig")) {
            continue;
        }
        const auto type = text_of(jwk, "kty");
        const auto algorithm = type == "RSA" ? Algorithm::rs256 : Algorithm::es256;
        if ((type != "RSA" && type != "EC") || (jwk.contains("alg") && text_of(jwk, "alg") != name(algorithm))) {
            continue;
        }
        const auto key = type == "RSA" ? rsa_key(jwk) : p256_key(jwk);
        auto pem = key ? to_pem(key.get()) : std::string();
        if (!pem.empty()) {
            set.keys.push_back({text_of(jwk, "kid"), algorithm, std::move(pem)});
            ++added;
        }
    }
    if (added == 0) {
        set.problem = "it holds no key that can be used: RSA of at least 2048 bits for RS256, or P-256 for ES256";
    }
}

} // namespace radscheduler::sidecar::auth
