// REDIS_URL taken apart.
#include "redis/url.hpp"

#include <gtest/gtest.h>

namespace {

using radscheduler::sidecar::redis::read_url;

TEST(RedisUrl, HasDefaults) {
    const auto url = read_url("redis://cache");
    EXPECT_EQ(url.problem, "");
    EXPECT_EQ(url.host, "cache");
    EXPECT_EQ(url.port, 6379);
    EXPECT_EQ(url.database, 0U);
    EXPECT_EQ(url.user, "");
    EXPECT_EQ(url.password, "");
}

TEST(RedisUrl, ReadsEveryPart) {
    const auto url = read_url("redis://rad:p%40s%3As@10.0.0.1:6380/3");
    EXPECT_EQ(url.problem, "");
    EXPECT_EQ(url.user, "rad");
    EXPECT_EQ(url.password, "p@s:s");
    EXPECT_EQ(url.host, "10.0.0.1");
    EXPECT_EQ(url.port, 6380);
    EXPECT_EQ(url.database, 3U);
}

TEST(RedisUrl, ReadsAPasswordWithoutUserAndAnIpv6Address) {
    const auto url = read_url("redis://:pw@[::1]:7000/");
    EXPECT_EQ(url.problem, "");
    EXPECT_EQ(url.user, "");
    EXPECT_EQ(url.password, "pw");
    EXPECT_EQ(url.host, "::1");
    EXPECT_EQ(url.port, 7000);
}

TEST(RedisUrl, RefusesWhatItCannotBe) {
    for (const auto* bad : {"", "cache:6379", "http://cache", "redis://", "redis://:6379", "redis://cache:0",
                            "redis://cache:70000", "redis://cache:x", "redis://cache/x", "redis://secret@cache",
                            "redis://[::1", "redis://cache/0?x=1", "redis://u:%zz@cache"}) {
        EXPECT_NE(read_url(bad).problem, "") << bad;
    }
}

TEST(RedisUrl, ReadsThatTlsIsWanted) {
    const auto url = read_url("rediss://rad:secret@cache.example.org:6380/1");
    EXPECT_EQ(url.problem, "");
    EXPECT_TRUE(url.tls);
    EXPECT_EQ(url.host, "cache.example.org");
    EXPECT_EQ(url.port, 6380);
    EXPECT_FALSE(read_url("redis://cache").tls);
    EXPECT_NE(read_url("redisss://cache").problem, "");
}

} // namespace
