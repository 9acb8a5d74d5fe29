// Who may come in: credentials as sent, scopes, passwords, throttling, and what a configuration may not be in
// production.
#include <gtest/gtest.h>

#include "auth/credential.hpp"
#include "auth/password.hpp"
#include "auth/policy.hpp"
#include "auth/scopes.hpp"
#include "auth/throttle.hpp"

namespace {

using namespace radscheduler::sidecar;
using namespace radscheduler::sidecar::auth;
using namespace std::chrono_literals;

const std::string key = "rsk_AbCd1234_" + std::string(43, 'x');

TEST(Credential, IsReadFromEitherField) {
    EXPECT_TRUE(std::holds_alternative<NoCredential>(read_credential("", "")));
    EXPECT_EQ(std::get<BearerToken>(read_credential("Bearer abc.def.ghi", "")).token, "abc.def.ghi");
    EXPECT_EQ(std::get<BearerToken>(read_credential("bEARER   abc ", "")).token, "abc");
    EXPECT_EQ(std::get<ApiKey>(read_credential("Bearer " + key, "")).id, "AbCd1234");
    EXPECT_EQ(std::get<ApiKey>(read_credential("", key)).secret_sha256.size(), 32U);
    EXPECT_EQ(std::get<ApiKey>(read_credential("", key)).secret_sha256,
              std::get<ApiKey>(read_credential("Bearer " + key, "")).secret_sha256);
}

TEST(Credential, IsRefusedWithASentenceWhenItIsNone) {
    for (const auto& [authorization, api_key] :
         std::vector<std::pair<std::string, std::string>>{{"Basic dTpw", ""},
                                                          {"Bearer", ""},
                                                          {"Bearer ", ""},
                                                          {"", "abc"},
                                                          {"Bearer " + key, key},
                                                          {"", key + "x"},
                                                          {"", "rsk_AbCd1234"},
                                                          {"", "rsk_AbCd123!_" + std::string(43, 'x')},
                                                          {"Bearer rsk_", ""}}) {
        const auto credential = read_credential(authorization, api_key);
        const auto* malformed = std::get_if<Malformed>(&credential);
        ASSERT_NE(malformed, nullptr) << authorization << "/" << api_key;
        EXPECT_NE(malformed->reason, "");
    }
}

TEST(Scopes, CoverWhatTheyName) {
    EXPECT_TRUE(covers({}, ""));
    EXPECT_FALSE(covers({}, "slots:read"));
    EXPECT_TRUE(covers({"slots:read"}, "slots:read"));
    EXPECT_FALSE(covers({"slots:read"}, "appointments:read"));
    EXPECT_FALSE(covers({"appointments:read"}, "appointments:write"));
    EXPECT_TRUE(covers({"appointments:*"}, "appointments:write"));
    EXPECT_TRUE(covers({"admin:*"}, "audit:read"));
    EXPECT_TRUE(covers({"read:appointments"}, "appointments:read"));
    EXPECT_FALSE(covers({"read:appointments"}, "appointments:write"));
    EXPECT_FALSE(covers({"admin:users"}, "audit:read"));
    EXPECT_FALSE(covers({"appointments"}, "appointments:read"));
}

TEST(Password, IsKnownAgainAndNothingElseIs) {
    const auto hash = hash_password("correct horse battery");
    ASSERT_EQ(hash.rfind("$y$", 0), 0U);
    EXPECT_NE(hash, hash_password("correct horse battery"));
    EXPECT_TRUE(is_password("correct horse battery", hash));
    EXPECT_FALSE(is_password("correct horse batterz", hash));
    EXPECT_FALSE(is_password("", hash));
    // bcrypt's well-known vector, of passwords hashed elsewhere.
    EXPECT_TRUE(is_password("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"));
    for (const std::string bad : {"", "*", "x", "$1$abc$def", "correct horse battery", "$y$"}) {
        EXPECT_FALSE(is_password("correct horse battery", bad)) << bad;
    }
    EXPECT_EQ(password_problem("a long enough one"), "");
    EXPECT_NE(password_problem("short"), "");
    EXPECT_NE(password_problem(std::string(600, 'x')), "");
    EXPECT_NE(password_problem(std::string("with\0inside it", 14)), "");
}

TEST(Throttle, GivesABurstAndThenAnEvenRate) {
    Throttle throttle({3, 1000ms});
    const Throttle::Time start{};
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(throttle.take("rivera", start), 0ms);
    }
    EXPECT_EQ(throttle.take("rivera", start), 1000ms);
    EXPECT_EQ(throttle.take("okafor", start), 0ms);
    EXPECT_EQ(throttle.take("rivera", start + 400ms), 600ms);
    EXPECT_EQ(throttle.take("rivera", start + 1000ms), 0ms);
    EXPECT_EQ(throttle.take("rivera", start + 1000ms), 1000ms);
    EXPECT_EQ(throttle.take("rivera", start + 1h), 0ms);
}

TEST(Throttle, ForgetsTheQuietestNameWhenItIsFull) {
    Throttle throttle({1, 1000ms}, 2);
    const Throttle::Time start{};
    EXPECT_EQ(throttle.take("first", start), 0ms);
    EXPECT_EQ(throttle.take("second", start), 0ms);
    EXPECT_GT(throttle.take("first", start), 0ms);
    EXPECT_EQ(throttle.take("third", start), 0ms);
    EXPECT_EQ(throttle.size(), 2U);
    EXPECT_EQ(throttle.take("second", start), 0ms); // forgotten
    EXPECT_EQ(throttle.size(), 2U);
}

Settings production() {
    Settings settings;
    settings.node_env = "production";
    settings.http_host = "127.0.0.1";
    return settings;
}

TEST(Policy, ClosesTheApiInProductionAndWhereThereIsAKey) {
    Settings settings;
    EXPECT_FALSE(is_required(settings));
    EXPECT_EQ(judge(settings).warnings.size(), 1U);
    settings.jwt_secret = std::string(32, 's');
    EXPECT_TRUE(is_required(settings));
    EXPECT_TRUE(judge(settings).warnings.empty());
    EXPECT_TRUE(is_required(production()));
    settings.auth = "open";
    EXPECT_FALSE(is_required(settings));
}

TEST(Policy, RefusesWhatProductionMustNotBe) {
    EXPECT_TRUE(judge(production()).problems.empty());
    auto open = production();
    open.auth = "open";
    EXPECT_EQ(judge(open).problems.size(), 1U);
    auto clear = production();
    clear.http_host = "0.0.0.0";
    EXPECT_EQ(judge(clear).problems.size(), 1U);
    clear.behind_proxy = true;
    EXPECT_TRUE(judge(clear).problems.empty());
    auto weak = production();
    weak.jwt_secret = "short";
    EXPECT_EQ(judge(weak).problems.size(), 1U);
    weak.node_env = "development";
    EXPECT_TRUE(judge(weak).problems.empty());
    EXPECT_EQ(judge(weak).warnings.size(), 1U);
    Settings published;
    published.jwt_secret = "radscheduler-secret-key-change-in-production";
    EXPECT_EQ(judge(published).problems.size(), 1U);
}

} // namespace
