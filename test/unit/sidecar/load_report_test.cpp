// What a load run says: a bar that follows the nearer end, counts that add up, JSON that programs can read.
#include "tools/load_report.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace {

using namespace radscheduler::sidecar::tools;

LoadResult some_result() {
    LoadResult result;
    result.run = "L1";
    result.sent = 60;
    result.positive = 47;
    result.negative = 3;
    result.lost = 10;
    result.codes = {{"AA", 47}, {"AE", 3}};
    result.events = {{"S12", 55}, {"S15", 5}};
    result.seconds = 5;
    result.measured = 50;
    for (int i = 0; i < 50; ++i) {
        result.latencies.add(std::chrono::milliseconds(4));
    }
    result.first_problem = "answered AE";
    return result;
}

TEST(ProgressLine, FollowsTheMessages) {
    LoadOptions options;
    options.messages = 120;
    EXPECT_EQ(progress_line(options, some_result(), 5),
              "[############............]  50 %  50 answered, 10 msg/s, NAK 3, lost 10, p99 4.0 ms, 5 s left");
}

TEST(ProgressLine, FollowsTheTime) {
    LoadOptions options;
    options.messages = 0;
    options.seconds = 20;
    EXPECT_EQ(progress_line(options, some_result(), 5).substr(0, 33), "[######..................]  25 % ");
    EXPECT_EQ(progress_line(options, some_result(), 21).substr(0, 33), "[########################] 100 % ");
}

TEST(ProgressLine, StartsAtNothing) {
    const LoadOptions options;
    EXPECT_EQ(progress_line(options, {}, 0),
              "[........................]   0 %  0 answered, 0 msg/s, NAK 0, lost 0, p99 0.0 ms, 0 s left");
}

TEST(LoadReport, TextNamesTheFirstProblem) {
    EXPECT_EQ(to_text({}, some_result()), "60 messages over 1 connection(s) in 5.00 s: 10 msg/s\n"
                                          "AA 47, NAK 3, lost 10\n"
                                          "p50 4.00 ms, p95 4.00 ms, p99 4.00 ms, max 4.00 ms\n"
                                          "first problem: answered AE\n");
}

TEST(LoadReport, JsonIsOneLineWithEveryCount) {
    LoadOptions options;
    options.connections = 8;
    options.burst = 4;
    const auto line = to_json(options, some_result());
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    const auto json = nlohmann::json::parse(line);
    EXPECT_EQ(json["sent"], 60);
    EXPECT_EQ(json["acked"], 47);
    EXPECT_EQ(json["nak"], 3);
    EXPECT_EQ(json["lost"], 10);
    EXPECT_EQ(json["connections"], 8);
    EXPECT_EQ(json["burst"], 4);
    EXPECT_EQ(json["codes"]["AE"], 3);
    EXPECT_EQ(json["events"]["S15"], 5);
    EXPECT_EQ(json["per_second"], 10);
    EXPECT_EQ(json["p99_ms"], 4);
    EXPECT_EQ(json["tls"], false);
    EXPECT_EQ(json["first_problem"], "answered AE");
}

} // namespace
