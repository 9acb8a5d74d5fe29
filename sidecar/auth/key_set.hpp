// The keys that tokens are checked with. An algorithm belongs to a key, never to a token: the header of a token can
// choose a key by its kid, and must then name that key's algorithm (RFC 8725 section 3.1).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace radscheduler::sidecar::auth {

enum class Algorithm { hs256, rs256, es256 };

std::string_view name(Algorithm algorithm); // as RFC 7518 writes it

struct Key {
    std::string kid; // may be empty
    Algorithm algorithm = Algorithm::hs256;
    std::string material; // the secret, or the public key as PEM
};

struct KeySet {
    std::vector<Key> keys; // the first HS256 key signs
    std::string problem;   // a sentence when something could not be read

    // Whether there is a secret to sign with.
    bool can_sign() const;

    // The key of this kid; without kid the only key there is of the algorithm. Null when none or several fit.
    const Key* find(std::optional<std::string_view> kid, std::string_view algorithm) const;
};

// JWT_SECRET and the secret before it. Their kids are made from the secrets' hashes, so that both stay known while one
// replaces the other.
void add_secret(KeySet& set, std::string_view secret);

// A JSON Web Key Set (RFC 7517): RSA keys of 2048 bits and more, and P-256. Other keys, and keys not for signatures,
// are left out. When the document itself cannot be used, `problem` says why and no key is added.
void add_jwks(KeySet& set, std::string_view document);

} // namespace radscheduler::sidecar::auth
