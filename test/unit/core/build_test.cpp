// New messages from paths and values.
#include "radscheduler/build.hpp"

#include <gtest/gtest.h>
#include <utility>

namespace radscheduler {
namespace {

using Pairs = std::vector<std::pair<const char*, const char*>>;

std::string built(const Pairs& pairs, std::string_view separator = "|", std::string_view encoding = "^~\\&") {
    Result<MessageBuilder> builder = MessageBuilder::start(separator, encoding);
    if (!builder) return "refused: " + builder.error().path;
    for (const auto& [path, text] : pairs) {
        const Result<bool> done = builder->set(*Path::parse(path), text);
        if (!done) return "refused: " + done.error().path;
    }
    return builder->text();
}

TEST(Build, SegmentsInTheOrderTheyAreNamed) {
    EXPECT_EQ(built({}), "MSH|^~\\&\r");
    EXPECT_EQ(built({{"MSH-3", "RIS"}, {"PID-5.1", "A^B"}, {"NTE[1]-3", "x"}, {"NTE[2]-3", "y"}, {"PID-3[2].4", "H"}}),
              "MSH|^~\\&|RIS\rPID|||~^^^H||A\\S\\B\rNTE|||x\rNTE|||y\r");
    EXPECT_EQ(built({{"MSH-9.2", "S12"}, {"MSH-9.1", "SIU"}, {"MSH-10", "1"}}), "MSH|^~\\&|||||||SIU^S12|1\r");
    EXPECT_EQ(built({{"PID-2", "\"\""}, {"PID-3", ""}}), "MSH|^~\\&\rPID||\"\"|\r");
}

TEST(Build, InItsOwnDelimiters) {
    EXPECT_EQ(built({{"PID-5.2", "a+b|c"}}, "*", "+!\\@"), "MSH*+!\\@\rPID*****+a\\S\\b|c\r");
    EXPECT_EQ(built({}, "", "^~\\&"), "refused: MSH-1");
    EXPECT_EQ(built({}, "||", "^~\\&"), "refused: MSH-2");
    EXPECT_EQ(built({}, "|", "^~\\&|EVIL"), "refused: MSH-2");
    EXPECT_EQ(built({}, "|", "^~\\&\rPID|1"), "refused: MSH-2");
    EXPECT_EQ(built({}, "|", "^^"), "refused: MSH-2");
}

TEST(Build, RefusalsNameThePlace) {
    EXPECT_EQ(built({{"NTE[3]-1", "x"}}), "refused: NTE[3]-1");
    EXPECT_EQ(built({{"NTE[*]-1", "x"}}), "refused: NTE[*]-1");
    EXPECT_EQ(built({{"RGS[2]/AIL-3", "x"}}), "refused: RGS[2]/AIL-3");
    EXPECT_EQ(built({{"MSH-2", "x"}}), "refused: MSH-2");
    EXPECT_EQ(built({{"MSH[2]-3", "x"}}), "refused: MSH[2]-3");
    EXPECT_EQ(built({{"BHS-3", "x"}}), "refused: BHS-3");
}

} // namespace
} // namespace radscheduler
