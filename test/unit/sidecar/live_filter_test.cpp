// Cursors, filters and the facets they are held against.
#include "live/cursor.hpp"
#include "live/filter.hpp"
#include "live/request.hpp"
#include "live_events.hpp"

#include <gtest/gtest.h>

using namespace live_test;
namespace http = radscheduler::sidecar::http;

namespace {

constexpr const char* moved =
    R"([{"m":["MRI","MR"],"r":["7","MRI-1"],"f":1936004400000,"t":1936006200000,)"
    R"("a":"2031-05-08","b":"2031-05-08"},)"
    R"({"m":["MRI","MR"],"r":["8","MRI-2"],"l":["ANNEX"],"f":1936090800000,"t":1936092600000,)"
    R"("a":"2031-05-09","b":"2031-05-09"}])";

Event with_facets(const char* facets, std::string type = "appointment.rescheduled") {
    Event made = *event(1, std::move(type));
    made.facets = read_facets(facets);
    return made;
}

Filter filter(std::initializer_list<std::pair<std::string, std::vector<std::string>>> parts) {
    Filter made;
    for (const auto& [key, words] : parts) {
        EXPECT_EQ(add_to_filter(made, key, words), "") << key;
    }
    return made;
}

TEST(LiveCursor, IsWrittenAsItIsRead) {
    for (const auto* text : {"0-0", "812-9931", "9999999999999999999-999999999999999999"}) {
        const auto cursor = read_cursor(text);
        ASSERT_TRUE(cursor) << text;
        EXPECT_EQ(to_text(*cursor), text);
    }
    const auto place = read_place("7431-2:812-9931");
    ASSERT_TRUE(place);
    EXPECT_EQ(place->epoch, "7431-2");
    EXPECT_EQ(to_text(*place), "7431-2:812-9931");
    EXPECT_EQ(read_place("812-9931")->epoch, "");
}

TEST(LiveCursor, RefusesEverythingElse) {
    for (const auto* text : {"", "-", "1-", "-1", "1", "1-2-3", " 1-2", "1-2 ", "+1-2", "a-1", "99999999999999999999-1",
                             "1-9999999999999999999", ":1-2", "a b:1-2", "1:2:3-4", "x\x01:1-2"}) {
        EXPECT_FALSE(read_place(text)) << text;
    }
}

TEST(LiveCursor, OrdersByTransactionThenSequence) {
    EXPECT_LT((Cursor{7, 9}), (Cursor{8, 1}));
    EXPECT_LT((Cursor{8, 1}), (Cursor{8, 2}));
}

TEST(LiveFilter, TakesTypesByNameAndByFamily) {
    const auto one = with_facets(moved);
    EXPECT_TRUE(Filter().matches(one));
    EXPECT_TRUE(filter({{"types", {"appointment.rescheduled"}}}).matches(one));
    EXPECT_TRUE(filter({{"types", {"conflict.*", "appointment.*"}}}).matches(one));
    EXPECT_TRUE(filter({{"types", {"*"}}}).matches(one));
    EXPECT_FALSE(filter({{"types", {"appointment.res"}}}).matches(one));
    EXPECT_FALSE(filter({{"types", {"hl7.*"}}}).matches(one));
}

TEST(LiveFilter, RefusesPatternsThatMeanSomethingElse) {
    for (const auto* word : {"", "appointment*", "*.created", "app*.created", "Appointment.*", ".*", "a b", "a,b"}) {
        EXPECT_FALSE(is_type_pattern(word)) << word;
    }
}

TEST(LiveFilter, HearsOfWhatComesAndOfWhatLeaves) {
    const auto one = with_facets(moved);
    EXPECT_TRUE(filter({{"resource", {"mri-1"}}}).matches(one));
    EXPECT_TRUE(filter({{"resource", {"8"}}}).matches(one));
    EXPECT_FALSE(filter({{"resource", {"CT-1"}}}).matches(one));
    EXPECT_TRUE(filter({{"location", {"annex"}}, {"resource", {"MRI-2"}}}).matches(one));
    EXPECT_FALSE(filter({{"location", {"annex"}}, {"resource", {"MRI-1"}}}).matches(one));
    EXPECT_TRUE(filter({{"modality", {"mr"}}, {"resource", {"MRI-2"}}}).matches(one));
    EXPECT_FALSE(filter({{"modality", {"CT"}}, {"resource", {"MRI-2"}}}).matches(one));
}

TEST(LiveFilter, OneSideMustSatisfyAllOfIt) {
    const auto one = with_facets(moved); // MRI-1 on the 8th, MRI-2 on the 9th
    EXPECT_TRUE(filter({{"resource", {"MRI-1"}}, {"from", {"2031-05-08"}}, {"to", {"2031-05-09"}}}).matches(one));
    EXPECT_FALSE(filter({{"resource", {"MRI-1"}}, {"from", {"2031-05-09"}}, {"to", {"2031-05-10"}}}).matches(one));
}

TEST(LiveFilter, TimesAreHalfOpen) {
    const auto one = with_facets(R"([{"f":1936004400000,"t":1936006200000,"a":"2031-05-08","b":"2031-05-08"}])");
    EXPECT_TRUE(filter({{"from", {"2031-05-08T10:30:00Z"}}}).matches(one) ==
                filter({{"from", {"2031-05-08T12:30:00+02:00"}}}).matches(one));
    Filter at_end;
    at_end.from = std::int64_t(1936006200000);
    EXPECT_FALSE(at_end.matches(one));
    Filter at_begin;
    at_begin.to = std::int64_t(1936004400000);
    EXPECT_FALSE(at_begin.matches(one));
    at_begin.to = std::int64_t(1936004400001);
    EXPECT_TRUE(at_begin.matches(one));
}

TEST(LiveFilter, WhatHasNoEndGoesOn) {
    const auto block = with_facets(R"([{"r":["7"],"f":1936004400000,"a":"2031-05-08"}])", "resource.blocked");
    EXPECT_TRUE(filter({{"from", {"2033-01-01"}}}).matches(block));
    EXPECT_TRUE(filter({{"from", {"2033-01-01T00:00:00Z"}}}).matches(block));
    EXPECT_FALSE(filter({{"to", {"2031-05-08"}}}).matches(block));
}

TEST(LiveFilter, WhatLiesNowhereIsLeftOut) {
    const auto message = with_facets("[]", "hl7.processed");
    EXPECT_TRUE(Filter().matches(message));
    EXPECT_FALSE(filter({{"modality", {"MRI"}}}).matches(message));
    const auto order = with_facets(R"([{"m":["MRI"]}])", "order.received");
    EXPECT_TRUE(filter({{"modality", {"MRI"}}}).matches(order));
    EXPECT_FALSE(filter({{"from", {"2031-05-08"}}}).matches(order));
}

TEST(LiveFilter, ReadsInstantsOfEveryOffset) {
    Bound bound;
    ASSERT_TRUE(read_bound("1970-01-01T00:00:01.5Z", bound));
    EXPECT_EQ(std::get<std::int64_t>(bound), 1500);
    ASSERT_TRUE(read_bound("1970-01-01T01:00:00+01:00", bound));
    EXPECT_EQ(std::get<std::int64_t>(bound), 0);
    ASSERT_TRUE(read_bound("2024-02-29", bound));
    EXPECT_EQ(std::get<std::string>(bound), "2024-02-29");
    for (const auto* text : {"", "2031", "2031-02-29", "2031-13-01", "2031-05-05T10:00", "2031-05-05T10:00:00",
                             "2031-05-05T24:00:00Z", "2031-05-05T10:00:00.Z", "2031-05-05T10:00:00+99:00", "2031/05/05",
                             "2031-05-05T10:00:00+02", "2031-05-05T10:00:00Zx", "203a-05-05", "2031-05-05 10:00:00Z"}) {
        EXPECT_FALSE(read_bound(text, bound)) << text;
    }
}

TEST(LiveFilter, SurvivesFacetsThatAreNone) {
    EXPECT_TRUE(read_facets("").empty());
    EXPECT_TRUE(read_facets("{}").empty());
    EXPECT_TRUE(read_facets("[1,null,\"x\"]").empty());
    EXPECT_EQ(read_facets(R"([{"m":"MRI","f":"x"}])").size(), 1U);
}

TEST(LiveRequest, ReadsTheWholeUrl) {
    const auto request = read_stream_request(
        http::read_query(
            "types=appointment.*,conflict.*&modality=MR&modality=CT&from=2031-05-05&expand=1&ticket=abc&since=7-1"),
        "e1:7-9");
    EXPECT_EQ(request.problem, "");
    EXPECT_EQ(request.filter.types.size(), 2U);
    EXPECT_EQ(request.filter.modality.size(), 2U);
    EXPECT_TRUE(request.expand);
    EXPECT_EQ(request.ticket, "abc");
    EXPECT_EQ(to_text(*request.since), "e1:7-9"); // the browser's own memory is newer than the URL
}

TEST(LiveRequest, RefusesWhatItDoesNotKnow) {
    for (const auto* query :
         {"type=appointment.created", "token=abc", "format=xml", "expand=maybe", "since=last", "from=tomorrow",
          "types=", "modality=MR,,CT", "since=1-1&since=1-2", "ticket=a&ticket=b"}) {
        EXPECT_NE(read_stream_request(http::read_query(query), "").problem, "") << query;
    }
    EXPECT_EQ(read_stream_request(http::read_query(""), "of another program").problem, "");
}

} // namespace
