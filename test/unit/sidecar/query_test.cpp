// URL queries to JSON for the database.
#include "http/query.hpp"

#include <gtest/gtest.h>

namespace {

using namespace radscheduler::sidecar::http;

TEST(Query, DecodesNamesAndValues) {
    const auto query = read_query("date=2024-01-15&modality=M%20R&note=a+b%2Bc&flag&=x&&");
    EXPECT_EQ(query.problem, "");
    EXPECT_EQ(query.parameters.at("date").at(0), "2024-01-15");
    EXPECT_EQ(query.parameters.at("modality").at(0), "M R");
    EXPECT_EQ(query.parameters.at("note").at(0), "a b+c");
    EXPECT_EQ(query.parameters.at("flag").at(0), "");
    EXPECT_EQ(query.parameters.at("").at(0), "x");
}

TEST(Query, BecomesJsonWhateverItsValues) {
    EXPECT_EQ(to_json(read_query("")), "{}");
    EXPECT_EQ(to_json(read_query("a=%22%5C%0A&b=M%C3%BCller")), "{\"a\":\"\\\"\\\\\\n\",\"b\":\"M\xc3\xbcller\"}");
}

TEST(Query, KeepsARepeatedParameterInOrder) {
    EXPECT_EQ(to_json(read_query("s=B&s=A&t=1")), R"({"s":["B","A"],"t":"1"})");
    EXPECT_TRUE(read_query("s=B&s=A").repeats());
    EXPECT_FALSE(read_query("s=B&t=B").repeats());
}

TEST(Query, RefusesWhatAJsonValueCannotHold) {
    for (const auto* bad : {"a=%", "a=%4", "a=%4g", "%zz=1", "a=%00", "a=%ff", "a=%c0%80", "a=%ed%a0%80"}) {
        EXPECT_NE(read_query(bad).problem, "") << bad;
    }
}

TEST(Query, NeverQuotesAValueInItsProblem) {
    EXPECT_EQ(read_query("name=DOE%ff").problem.find("DOE"), std::string::npos);
}

TEST(PercentDecode, LeavesPlusAloneOutsideForms) {
    EXPECT_EQ(percent_decode("a+b%20c", false), "a+b c");
    EXPECT_EQ(percent_decode("%41%6a%6A", false), "Ajj");
    EXPECT_EQ(percent_decode("%4", false), std::nullopt);
}

} // namespace
