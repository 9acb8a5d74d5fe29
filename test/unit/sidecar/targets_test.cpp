// DATABASE_URL taken apart into one target per host.
#include "db/targets.hpp"

#include <algorithm>

#include <gtest/gtest.h>

namespace {

using namespace radscheduler::sidecar;

std::string value_of(const Target& target, const std::string& keyword) {
    for (const auto& [name, value] : target.parameters) {
        if (name == keyword) {
            return value;
        }
    }
    return {};
}

TEST(Targets, ReadsAUrlWithOneHost) {
    const auto targets = read_targets("postgresql://u:p%40ss@db.example:5433/rad?sslmode=require");
    ASSERT_EQ(targets.problem, "");
    ASSERT_EQ(targets.list.size(), 1U);
    EXPECT_EQ(targets.list[0].name, "db.example:5433");
    EXPECT_EQ(value_of(targets.list[0], "user"), "u");
    EXPECT_EQ(value_of(targets.list[0], "password"), "p@ss");
    EXPECT_EQ(value_of(targets.list[0], "dbname"), "rad");
    EXPECT_EQ(value_of(targets.list[0], "sslmode"), "require");
}

TEST(Targets, SplitsSeveralHostsAndKeepsWhatIsCommon) {
    const auto targets = read_targets("postgresql://a:1,b:2,c:3/rad?target_session_attrs=read-write");
    ASSERT_EQ(targets.list.size(), 3U);
    EXPECT_EQ(targets.list[1].name, "b:2");
    EXPECT_EQ(value_of(targets.list[2], "host"), "c");
    EXPECT_EQ(value_of(targets.list[2], "port"), "3");
    for (const auto& target : targets.list) {
        EXPECT_EQ(value_of(target, "target_session_attrs"), "read-write");
    }
}

TEST(Targets, SharesOnePortAmongHosts) {
    const auto targets = read_targets("host=a,b port=6000 dbname=rad");
    ASSERT_EQ(targets.list.size(), 2U);
    EXPECT_EQ(targets.list[0].name, "a:6000");
    EXPECT_EQ(targets.list[1].name, "b:6000");
}

TEST(Targets, TakesASocketFolderAndNoHostAtAll) {
    const auto folder = read_targets("postgresql://postgres@/rad?host=/var/run/postgresql&port=5433");
    ASSERT_EQ(folder.list.size(), 1U);
    EXPECT_EQ(folder.list[0].name, "/var/run/postgresql:5433");
    const auto none = read_targets("dbname=rad");
    ASSERT_EQ(none.list.size(), 1U);
    EXPECT_EQ(value_of(none.list[0], "host"), "");
}

TEST(Targets, RefusesNonsenseWithoutQuotingIt) {
    const auto targets = read_targets("postgresql://u:secret@[bad/rad");
    EXPECT_TRUE(targets.list.empty());
    EXPECT_NE(targets.problem, "");
    EXPECT_EQ(targets.problem.find("secret"), std::string::npos);
}

TEST(Targets, RefusesAPortListThatDoesNotFit) {
    EXPECT_NE(read_targets("host=a,b,c port=1,2 dbname=rad").problem, "");
}

} // namespace
