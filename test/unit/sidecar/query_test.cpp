// URL queries to JSON for the database.
#include "http/query.hpp"

#include <gtest/gtest.h>

namespace {

using namespace radscheduler::sidecar::http;

TEST(Query, DecodesNamesAndValues) {
    const auto query = read_query("date=2024-01-15&modality=M%20R&note=a+b%2Bc&flag&=x&&");
    EXPECT_EQ(query.problem, "");
    EXPECT_EQ(query.parameters.at("date"), "2024-01-15");
    EXPECT_EQ(query.parameters.at("modality"), "M R");
    EXPECT_EQ(query.parameters.at("note"), "a b+c");
    EXPECT_EQ(query.parameters.at("flag"), "");
    EXPECT_EQ(query.parameters.at(""), "x");
}

TEST(Query, BecomesJsonWhateverItsValues) {
    EXPECT_EQ(to_json(read_query("")), "{}");
    EXPECT_EQ(to_json(read_query("a=%22%5C%0A&b=M%C3%BCller")), "{\"a\":\"\\\"\\\\\\n\",\"b\":\"M\xc3\xbcller\"}");
}

TEST(Query, RefusesWhatAJsonValueCannotHold) {
    for (const auto* bad : {"a=%", "a=%4", "a=%4g", "%zz=1", "a=%00", "a=%ff", "a=%c0%80", "a=%ed%a0%80", "a=1&a=2"}) {
        EXPECT_NE(read_query(bad).problem, "") << bad;
    }
}

TEST(Query, NeverQuotesAValueInItsProblem) {
    EXPECT_EQ(read_query("name=DOE%ff").problem.find("DOE"), std::string::npos);
    EXPECT_EQ(read_query("name=DOE&name=ROE").problem.find("DOE"), std::string::npos);
}

TEST(PercentDecode, LeavesPlusAloneOutsideForms) {
    EXPECT_EQ(percent_decode("a+b%20c", false), "a+b c");
    EXPECT_EQ(percent_decode("%41%6a%6A", false), "Ajj");
    EXPECT_EQ(percent_decode("%4", false), std::nullopt);
}

} // namespace
