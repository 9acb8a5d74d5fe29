// Whether figures found in Redis may be shown: only ours, of this caller's site and day, and fresh.
#include "http/cached_figures.hpp"

#include <gtest/gtest.h>

namespace {

using radscheduler::sidecar::http::CachePlace;
using radscheduler::sidecar::http::read_cached_figures;

constexpr const char* good =
    R"({"success": true, "dashboard": {"date": "2031-01-15", "overview": {"totalToday": 4}}, "cached": {"mark": "a1b2", "seconds": 1000}})";

CachePlace at(std::int64_t seconds, std::string mark = "a1b2") {
    return {"radsched:{MAIN}:cache:dashboard", std::move(mark), seconds};
}

TEST(CachedFigures, AreShownAsPostgresWouldHaveAnswered) {
    const auto read = read_cached_figures(good, at(1007));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->body, R"({"dashboard":{"date":"2031-01-15","overview":{"totalToday":4}},"success":true})");
    EXPECT_EQ(read->age, 7);
}

TEST(CachedFigures, OfAnotherSiteDatabaseOrDayAreNotShown) {
    EXPECT_FALSE(read_cached_figures(good, at(1007, "ffff")));
    EXPECT_FALSE(read_cached_figures(good, at(1007, "")));
    EXPECT_FALSE(read_cached_figures(R"({"cached": {"mark": "", "seconds": 1000}})", at(1007, "")));
}

TEST(CachedFigures, AreShownForAMinuteAndNotBeforeTheyWereMade) {
    EXPECT_EQ(read_cached_figures(good, at(1000))->age, 0);
    EXPECT_EQ(read_cached_figures(good, at(1060))->age, 60);
    EXPECT_FALSE(read_cached_figures(good, at(1061)));
    EXPECT_FALSE(read_cached_figures(good, at(999)));
    EXPECT_FALSE(read_cached_figures(R"({"cached": {"mark": "a1b2", "seconds": -9223372036854775808}})", at(1000)));
    EXPECT_FALSE(read_cached_figures(R"({"cached": {"mark": "a1b2", "seconds": 18446744073709551615}})", at(1000)));
}

TEST(CachedFigures, ThatAreNotOursAreNotShown) {
    const std::string nested(100'000, '[');
    for (const std::string value :
         {"", "null", "[]", "figures", "{", R"({"success": true})", R"({"cached": 1})", R"({"cached": {}})",
          R"({"cached": {"mark": 7, "seconds": 1000}})", R"({"cached": {"mark": "a1b2"}})",
          R"({"cached": {"mark": "a1b2", "seconds": "1000"}})", R"({"cached": {"mark": "a1b2", "seconds": 1000.0}})",
          R"({"cached": {"mark": "a1b2", "seconds": 1000}} and more)",
          R"({"cached": {"mark": "a1b2", "seconds": 1000}, "cached": {"mark": "a1b2", "seconds": 1000}})"}) {
        EXPECT_FALSE(read_cached_figures(value, at(1000))) << value;
    }
    EXPECT_FALSE(
        read_cached_figures(R"({"cached": {"mark": "a1b2", "seconds": 1000}, "dashboard": )" + nested, at(1000)));
    EXPECT_FALSE(read_cached_figures("{\"cached\": {\"mark\": \"a1b2\", \"seconds\": 1000}, \"dashboard\": \"\xff\"}",
                                     at(1000)));
    EXPECT_FALSE(read_cached_figures(R"({"cached": {"mark": "a1b2", "seconds": 1000}, "dashboard": )" + nested +
                                         std::string(100'000, ']') + "}",
                                     at(1000)));
}

} // namespace
