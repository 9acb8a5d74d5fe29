// Which database errors pass, by SQLSTATE.
#include "db/sqlstate.hpp"

#include <gtest/gtest.h>

namespace {

using namespace radscheduler::sidecar::db;

TEST(SqlState, HoldsMessagesForTroubleThatPasses) {
    for (const auto* state : {"", "08000", "08006", "40001", "40P01", "53000", "53100", "53200", "53300", "55P03",
                              "55000", "57014", "57P01", "57P02", "57P03", "58000", "58030", "25006"}) {
        EXPECT_EQ(classify(state), FailureKind::transient) << state;
    }
}

TEST(SqlState, GivesUpOnTroubleThatStays) {
    for (const auto* state :
         {"XX000", "42883", "42P01", "42501", "22P02", "23505", "23P01", "P0001", "0A000", "25P02"}) {
        EXPECT_EQ(classify(state), FailureKind::permanent) << state;
    }
}

TEST(SqlState, NeedsANewSessionWhenTheServerGoesAway) {
    for (const auto* state : {"", "08006", "57P01", "57P02", "57P03", "58000", "25006"}) {
        EXPECT_TRUE(ends_session(state)) << state;
    }
    for (const auto* state : {"40001", "53200", "55P03", "57014"}) {
        EXPECT_FALSE(ends_session(state)) << state;
    }
}

TEST(SqlState, RepeatsAtOnceOnlyWhatWasRolledBack) {
    EXPECT_TRUE(is_conflict_retry("40001"));
    EXPECT_TRUE(is_conflict_retry("40P01"));
    EXPECT_FALSE(is_conflict_retry("08006"));
    EXPECT_FALSE(is_conflict_retry(""));
    EXPECT_FALSE(is_conflict_retry("57014"));
}

} // namespace
