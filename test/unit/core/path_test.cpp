#include "radscheduler/path.hpp"

#include <gtest/gtest.h>

namespace radscheduler {
namespace {

std::string canonical(std::string_view text) {
    const Result<Path> path = Path::parse(text);
    return path ? path->to_string() : "refused at " + std::to_string(path.error().offset);
}

TEST(Path, ReadsEveryPart) {
    const Result<Path> path = Path::parse("OBX[2]-5[3].4.6");
    ASSERT_TRUE(path);
    EXPECT_EQ(path->segment_name(), "OBX");
    EXPECT_EQ(path->occurrence, 2U);
    EXPECT_EQ(path->field, 5U);
    EXPECT_EQ(path->repetition, 3U);
    EXPECT_EQ(path->component, 4U);
    EXPECT_EQ(path->subcomponent, 6U);
}

TEST(Path, DotAndDashAreEqual) {
    EXPECT_EQ(canonical("PID.3.1"), "PID-3.1");
    EXPECT_EQ(canonical("PID-3.1"), "PID-3.1");
    EXPECT_EQ(canonical("NTE[2].3"), "NTE[2]-3");
}

TEST(Path, Stars) {
    const Result<Path> path = Path::parse("OBX[*]-5[*]");
    ASSERT_TRUE(path);
    EXPECT_EQ(path->occurrence, Path::kAll);
    EXPECT_EQ(path->repetition, Path::kAll);
    EXPECT_TRUE(path->selects_many());
    EXPECT_FALSE(Path::parse("OBX[2]-5")->selects_many());
    EXPECT_EQ(path->to_string(), "OBX[*]-5[*]");
}

TEST(Path, GivenFirstRepetitionIsRemembered) {
    EXPECT_TRUE(Path::parse("PID-3[1]")->repetition_given);
    EXPECT_FALSE(Path::parse("PID-3")->repetition_given);
    EXPECT_EQ(canonical("PID[1]-3[1]"), "PID-3[1]");
}

TEST(Path, RefusalsPointAtTheCharacter) {
    EXPECT_EQ(canonical(""), "refused at 0");
    EXPECT_EQ(canonical("pid-3"), "refused at 0");
    EXPECT_EQ(canonical("PI-3"), "refused at 0");
    EXPECT_EQ(canonical("PID"), "refused at 3");
    EXPECT_EQ(canonical("PIDX-3"), "refused at 3");
    EXPECT_EQ(canonical("PID-"), "refused at 4");
    EXPECT_EQ(canonical("PID-x"), "refused at 4");
    EXPECT_EQ(canonical("PID-0"), "refused at 4");
    EXPECT_EQ(canonical("PID-*"), "refused at 4");
    EXPECT_EQ(canonical("PID[0]-3"), "refused at 4");
    EXPECT_EQ(canonical("PID[2-3"), "refused at 5");
    EXPECT_EQ(canonical("PID-3[]"), "refused at 6");
    EXPECT_EQ(canonical("PID-3[2"), "refused at 7");
    EXPECT_EQ(canonical("PID-3."), "refused at 6");
    EXPECT_EQ(canonical("PID-3.1."), "refused at 8");
    EXPECT_EQ(canonical("PID-3.1.2.3"), "refused at 9");
    EXPECT_EQ(canonical("PID-3 "), "refused at 5");
    EXPECT_EQ(canonical("PID-100000"), "refused at 4");
    EXPECT_EQ(canonical("PID-99999999999999999999999"), "refused at 4");
    EXPECT_EQ(canonical("PID-99999"), "PID-99999");
}

TEST(Path, RefusalNamesThePathAndHowToWriteOne) {
    const Result<Path> path = Path::parse("PID-3[x]");
    ASSERT_FALSE(path);
    EXPECT_EQ(path.error().code, ErrorCode::bad_path);
    EXPECT_EQ(path.error().path, "PID-3[x]");
    EXPECT_NE(path.error().text.find("SEG[n]-F[r].C.S"), std::string::npos);
}

} // namespace
} // namespace radscheduler
