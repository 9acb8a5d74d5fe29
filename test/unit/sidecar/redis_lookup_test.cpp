// GETs of several keys in one exchange, without a socket.
#include "redis/lookup.hpp"

#include <gtest/gtest.h>

namespace {

using namespace radscheduler::sidecar::redis;

TEST(Lookup, GivesWhatThereIsUnderEachKeyInTheirOrder) {
    Lookup lookup({"a", "b"});
    EXPECT_EQ(lookup.bytes(), encode({"GET", "a"}) + encode({"GET", "b"}));
    const std::string stream = "$3\r\n{}\n\r\n$-1\r\n";
    for (const char c : stream) {
        EXPECT_FALSE(lookup.done());
        lookup.feed({&c, 1});
    }
    ASSERT_TRUE(lookup.done());
    EXPECT_FALSE(lookup.failed());
    EXPECT_EQ(lookup.found()[0].kind, Found::Kind::value);
    EXPECT_EQ(lookup.found()[0].text, "{}\n");
    EXPECT_EQ(lookup.found()[1].kind, Found::Kind::absent);
    EXPECT_EQ(lookup.refusal(), "");
}

TEST(Lookup, AnErrorIsThatKeysOnly) {
    Lookup lookup({"a", "b", "c", "d"});
    lookup.feed(
        "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n$1\r\nx\r\n-NOPERM no\r\n:7\r\n");
    ASSERT_TRUE(lookup.done());
    EXPECT_FALSE(lookup.failed());
    EXPECT_EQ(lookup.found()[0].kind, Found::Kind::unavailable);
    EXPECT_EQ(lookup.found()[1].text, "x");
    EXPECT_EQ(lookup.found()[2].kind, Found::Kind::unavailable);
    EXPECT_EQ(lookup.found()[3].kind, Found::Kind::unavailable); // no answer to a GET
    EXPECT_EQ(lookup.refusal(), "WRONGTYPE");
}

TEST(Lookup, FailsOnABrokenStreamAndOnAValueBeyondAllBounds) {
    Lookup broken({"a"});
    broken.feed("HTTP/1.1 400 Bad Request\r\n");
    EXPECT_TRUE(broken.failed());
    EXPECT_EQ(broken.error(), "PROTOCOL");
    Lookup large({"a"});
    large.feed("$3000000\r\n");
    for (int i = 0; i < 30 && !large.done(); ++i) {
        large.feed(std::string(100'000, 'x'));
    }
    EXPECT_TRUE(large.failed());
    EXPECT_EQ(large.found().size(), 0U);
}

} // namespace
