// Tokens: what is signed here is believed here, the RFC's own vector verifies, and every known way round a check is
// refused.
#include "auth/jwt.hpp"

#include <gtest/gtest.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "auth/base64url.hpp"
#include "auth/strict_json.hpp"

namespace {

using namespace radscheduler::sidecar::auth;
using namespace std::chrono_literals;

const std::string secret = "a secret of more than thirty-two bytes, for tests only";
const Instant now{std::chrono::seconds(1924992000)}; // 2031-01-01

KeySet one_secret() {
    KeySet set;
    add_secret(set, secret);
    return set;
}

std::string hmac(const std::string& signing_input, const std::string& key, const EVP_MD* digest = EVP_sha256()) {
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    HMAC(digest, key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(signing_input.data()),
         signing_input.size(), out, &length);
    return {reinterpret_cast<char*>(out), length};
}

std::string token_of(const std::string& header, const std::string& payload, const std::string& key = secret) {
    const auto input = to_base64url(header) + "." + to_base64url(payload);
    return input + "." + to_base64url(hmac(input, key));
}

const std::string hs256 = R"({"alg":"HS256","typ":"JWT"})";

std::string payload_with(const std::string& more) {
    return R"({"iss":"radscheduler","aud":"radscheduler-users","sub":"rivera","iat":1924992000,"exp":1924995600)" +
           more + "}";
}

std::string reason(const std::string& token, Instant at = now) {
    const auto result = verify(token, one_secret(), Rules{}, at);
    const auto* refusal = std::get_if<Refusal>(&result);
    return refusal != nullptr ? refusal->reason : "";
}

TEST(Jwt, BelievesWhatItSigned) {
    Claims claims;
    claims.subject = "rivera";
    claims.site = "main";
    claims.scopes = {"appointments:read", "slots:read"};
    claims.session = "s1";
    claims.version = 7;
    claims.issued = now;
    claims.expires = now + 1h;
    const auto token = sign(claims, one_secret(), Rules{});
    ASSERT_FALSE(token.empty());
    const auto result = verify(token, one_secret(), Rules{}, now + 30min);
    const auto* back = std::get_if<Claims>(&result);
    ASSERT_NE(back, nullptr);
    EXPECT_EQ(back->subject, "rivera");
    EXPECT_EQ(back->site, "main");
    EXPECT_EQ(back->scopes, claims.scopes);
    EXPECT_EQ(back->session, "s1");
    EXPECT_EQ(back->version, 7);
    EXPECT_EQ(back->expires, claims.expires);
}

TEST(Jwt, TakesATokenWithoutKidWhereThereIsOneSuchKey) {
    EXPECT_EQ(reason(token_of(hs256, payload_with(""))), "");
}

TEST(Jwt, KeepsBelievingTokensOfThePreviousSecret) {
    KeySet before;
    add_secret(before, "the secret that was in force before the present one");
    Claims claims;
    claims.subject = "rivera";
    claims.issued = now;
    claims.expires = now + 1h;
    const auto token = sign(claims, before, Rules{});
    auto both = one_secret();
    EXPECT_TRUE(std::holds_alternative<Refusal>(verify(token, both, Rules{}, now)));
    add_secret(both, "the secret that was in force before the present one");
    EXPECT_TRUE(std::holds_alternative<Claims>(verify(token, both, Rules{}, now)));
}

// RFC 7515 appendix A.1: the HS256 example, whose payload has expired long ago; so far as that it verifies.
TEST(Jwt, VerifiesTheExampleOfRfc7515) {
    const auto key =
        from_base64url("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow");
    ASSERT_TRUE(key);
    KeySet set;
    add_secret(set, *key);
    const auto result =
        verify("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
               "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
               "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
               set, Rules{}, now);
    const auto* refusal = std::get_if<Refusal>(&result);
    ASSERT_NE(refusal, nullptr);
    EXPECT_TRUE(refusal->is_expired);
}

TEST(Jwt, RefusesEveryWayRoundTheSignature) {
    const auto payload = payload_with("");
    const std::string unknown = "The token is not signed with a key that is known here.";
    const std::string shape = "This is not a signed JSON Web Token of three parts in base64url.";
    const auto good = token_of(hs256, payload);
    EXPECT_EQ(reason(token_of(R"({"alg":"none"})", payload)), unknown);
    EXPECT_EQ(reason(to_base64url(R"({"alg":"none"})") + "." + to_base64url(payload) + "."), shape);
    EXPECT_EQ(reason(token_of(R"({"alg":"NONE"})", payload)), unknown);
    EXPECT_EQ(reason(token_of(R"({"alg":"hs256"})", payload)), unknown);
    EXPECT_EQ(reason(token_of(R"({"alg":"HS512"})", payload)), unknown);
    EXPECT_EQ(reason(token_of(R"({"alg":"RS256"})", payload)), unknown);
    EXPECT_EQ(reason(token_of(R"({"alg":["HS256"]})", payload)), unknown);
    EXPECT_EQ(reason(token_of(R"({})", payload)), unknown);
    EXPECT_EQ(reason(token_of(R"({"alg":"HS256","kid":"other"})", payload)), unknown);
    EXPECT_EQ(reason(token_of(R"({"alg":"HS256","kid":["x"]})", payload)), unknown);
    EXPECT_EQ(reason(token_of(R"({"alg":"HS256","kid":"../../dev/null"})", payload)), unknown);
    EXPECT_EQ(reason(token_of(R"({"alg":"HS256","crit":["exp"]})", payload)), unknown);
    EXPECT_EQ(reason(token_of(R"({"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"}})", payload, std::string("\0\0\0", 3))),
              unknown);
    EXPECT_EQ(reason(token_of(R"({"alg":"HS256","alg":"none"})", payload)), shape);
    EXPECT_EQ(reason(token_of(hs256, payload, "another key")), unknown);
    EXPECT_EQ(reason(token_of(hs256, payload, "")), unknown);
    EXPECT_EQ(reason(good.substr(0, good.rfind('.') + 1)), shape);
    EXPECT_EQ(reason(good + "="), shape);
    EXPECT_EQ(reason(good + ".x"), shape);
    EXPECT_EQ(reason(good.substr(0, good.size() - 3)), unknown);
    EXPECT_EQ(reason(" " + good), shape);
    EXPECT_EQ(reason(""), shape);
    EXPECT_EQ(reason(".."), shape);
    EXPECT_EQ(reason(std::string(9000, 'a')), "The token is longer than 8 KiB.");
    // The payload of one, the signature of another.
    const auto other = token_of(hs256, payload_with(R"(,"scope":"admin:*")"));
    EXPECT_EQ(reason(other.substr(0, other.rfind('.')) + good.substr(good.rfind('.'))), unknown);
}

TEST(Jwt, RefusesKeysThatComeTwice) {
    EXPECT_EQ(reason(token_of(hs256, payload_with(R"(,"sub":"mallory")"))),
              "This is not a signed JSON Web Token of three parts in base64url.");
    EXPECT_EQ(reason(token_of(hs256, payload_with(R"(,"x":{"a":1,"a":2})"))),
              "This is not a signed JSON Web Token of three parts in base64url.");
}

// A public key is no secret: whoever signs HS256 with it must not be believed.
TEST(Jwt, NeverUsesAPublicKeyAsASecret) {
    KeySet set;
    add_jwks(
        set,
        R"({"keys":[{"kty":"EC","crv":"P-256","kid":"ec",)"
        R"("x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]})");
    ASSERT_EQ(set.problem, "");
    ASSERT_EQ(set.keys.size(), 1U);
    const auto token = token_of(R"({"alg":"HS256","kid":"ec"})", payload_with(""), set.keys[0].material);
    EXPECT_TRUE(std::holds_alternative<Refusal>(verify(token, set, Rules{}, now)));
    const auto plain = token_of(hs256, payload_with(""), set.keys[0].material);
    EXPECT_TRUE(std::holds_alternative<Refusal>(verify(plain, set, Rules{}, now)));
}

// RFC 7515 appendix A.3 (ES256) and A.2 (RS256): public keys as JWK, signatures of the same payload; expired, but
// believed so far.
TEST(Jwt, VerifiesTheElliptcAndRsaExamplesOfRfc7515) {
    KeySet ec;
    add_jwks(
        ec,
        R"({"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]})");
    ASSERT_EQ(ec.keys.size(), 1U);
    const auto es =
        verify("eyJhbGciOiJFUzI1NiJ9."
               "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
               "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
               ec, Rules{}, now);
    ASSERT_TRUE(std::holds_alternative<Refusal>(es));
    EXPECT_TRUE(std::get<Refusal>(es).is_expired) << std::get<Refusal>(es).reason;
    KeySet rsa;
    add_jwks(
        rsa,
        R"({"keys":[{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMs)"
        R"(D1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdV)"
        R"(MTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}]})");
    ASSERT_EQ(rsa.keys.size(), 1U);
    const auto rs =
        verify("eyJhbGciOiJSUzI1NiJ9."
               "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
               "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
               "O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--"
               "f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-"
               "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_"
               "IoypGlUPQGe77Rw",
               rsa, Rules{}, now);
    ASSERT_TRUE(std::holds_alternative<Refusal>(rs));
    EXPECT_TRUE(std::get<Refusal>(rs).is_expired) << std::get<Refusal>(rs).reason;
}

TEST(Jwt, JudgesTimesIssuerAndAudience) {
    EXPECT_EQ(reason(token_of(hs256, R"({"iss":"radscheduler","aud":"radscheduler-users","sub":"rivera"})")),
              "The token does not say when it expires (exp).");
    EXPECT_EQ(reason(token_of(
                  hs256, R"({"iss":"radscheduler","aud":"radscheduler-users","sub":"rivera","exp":"1924995600"})")),
              "The token does not say when it expires (exp).");
    EXPECT_EQ(reason(token_of(hs256, R"({"iss":"radscheduler","aud":"radscheduler-users","sub":"rivera","exp":-1})")),
              "The token does not say when it expires (exp).");
    EXPECT_EQ(reason(token_of(hs256, payload_with("")), now + 1h + 59s), "");
    EXPECT_EQ(reason(token_of(hs256, payload_with("")), now + 1h + 60s), "The token has expired. Sign in again.");
    EXPECT_EQ(reason(token_of(hs256, payload_with("")), now - 61s),
              "The token is not valid yet: its clock or this one is wrong.");
    EXPECT_EQ(reason(token_of(hs256, payload_with(R"(,"nbf":1924992061)"))),
              "The token is not valid yet: its clock or this one is wrong.");
    EXPECT_EQ(reason(token_of(hs256, payload_with(R"(,"nbf":"soon")"))),
              "The token's times (nbf, iat) are not numbers of seconds.");
    EXPECT_EQ(
        reason(token_of(hs256, R"({"iss":"radscheduler","aud":"radscheduler-users","sub":"rivera","exp":4000000000})")),
        "The token lives longer than 24 hours. Have a shorter one issued.");
    EXPECT_EQ(reason(token_of(hs256, R"({"iss":"else","aud":"radscheduler-users","sub":"rivera","exp":1924995600})")),
              "The token was issued by or for somebody else (iss, aud).");
    EXPECT_EQ(reason(token_of(hs256, R"({"iss":"radscheduler","aud":["else"],"sub":"rivera","exp":1924995600})")),
              "The token was issued by or for somebody else (iss, aud).");
    EXPECT_EQ(
        reason(token_of(
            hs256, R"({"iss":"radscheduler","aud":["else","radscheduler-users"],"sub":"rivera","exp":1924995600})")),
        "");
    EXPECT_EQ(reason(token_of(hs256, R"({"iss":"radscheduler","aud":"radscheduler-users","exp":1924995600})")),
              "The token does not say who it is for (sub).");
}

TEST(KeySetOfJwks, LeavesOutWhatIsWeakOrOfAnotherUse) {
    KeySet set;
    add_jwks(
        set,
        R"({"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"},{"kty":"EC","crv":"P-384","x":"AA","y":"AA"},{"kty":"oct","k":"AAAA"},)"
        R"({"kty":"EC","crv":"P-256","use":"enc","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},)"
        R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"}]})");
    EXPECT_TRUE(set.keys.empty());
    EXPECT_NE(set.problem, "");
    KeySet none;
    add_jwks(none, "[]");
    EXPECT_NE(none.problem, "");
}

TEST(Base64Url, IsStrict) {
    EXPECT_EQ(from_base64url("AQAB"), std::string("\x01\x00\x01", 3));
    EXPECT_EQ(from_base64url(""), "");
    for (const std::string bad : {"A", "AB=", "A+B/", "AQ==", "AR", "AQA\n", "AQAB "}) {
        EXPECT_FALSE(from_base64url(bad)) << bad;
    }
    std::string every;
    for (int c = 0; c < 256; ++c) {
        every += static_cast<char>(c);
        EXPECT_EQ(from_base64url(to_base64url(every)), every);
    }
}

TEST(StrictJson, ReadsOneObjectAndNothingElse) {
    EXPECT_TRUE(read_object(R"({"a":1,"b":{"a":1}})"));
    EXPECT_TRUE(read_object(R"({"l":[{"a":1},{"a":1}]})"));
    for (const std::string bad : {"", "[]", "1", "{} {}", R"({"a":1,"a":1})", R"({"a":{"b":1,"b":2}})",
                                  R"({"\u0061":1,"a":2})", "{\"a\":\"\xff\"}", "{a:1}"}) {
        EXPECT_FALSE(read_object(bad)) << bad;
    }
    EXPECT_FALSE(read_object(std::string("{\"a\":") + std::string(40, '[') + std::string(40, ']') + "}"));
}

} // namespace
