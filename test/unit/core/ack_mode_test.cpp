// The acknowledgement modes: who is answered, and with which code.
#include "radscheduler/ack_mode.hpp"

#include "support.hpp"

#include <gtest/gtest.h>

namespace radscheduler {
namespace {

constexpr AckCode kOutcomes[] = {AckCode::accept, AckCode::error, AckCode::reject};

// "CA AA", "- AE", "- -": accept code, then application code.
std::string due(std::string_view msh15, std::string_view msh16, AckCode outcome) {
    const auto name = [](const std::optional<AckCode>& code) -> std::string {
        static const char* const kNames[] = {"AA", "AE", "AR", "CA", "CE", "CR"};
        return code ? kNames[static_cast<int>(*code)] : "-";
    };
    const AckDue answer = ack_due(msh15, msh16, outcome);
    return name(answer.accept) + " " + name(answer.application);
}

TEST(AckMode, OriginalModeAnswersOnceWithTheOutcome) {
    for (const char* nothing : {"", "\"\"", "  "}) {
        EXPECT_EQ(due("", nothing, AckCode::accept), "- AA");
        EXPECT_EQ(due(nothing, "", AckCode::error), "- AE");
        EXPECT_EQ(due(nothing, nothing, AckCode::reject), "- AR");
    }
}

TEST(AckMode, EnhancedModeByCondition) {
    struct Row {
        const char* msh15;
        const char* msh16;
        const char* accepted;
        const char* error;
        const char* rejected;
    };
    for (const Row& row : std::to_array<Row>({
             {"AL", "NE", "CA -", "CA -", "CR -"},
             {"ER", "NE", "- -", "- -", "CR -"},
             {"SU", "NE", "CA -", "CA -", "- -"},
             {"NE", "NE", "- -", "- -", "- -"},
             {"AL", "AL", "CA AA", "CA AE", "CR -"},
             {"NE", "AL", "- AA", "- AE", "- AR"},
             {"NE", "ER", "- -", "- AE", "- AR"},
             {"NE", "SU", "- AA", "- -", "- -"},
             {"SU", "ER", "CA -", "CA AE", "- AR"},
             {"ER", "SU", "- AA", "- -", "CR -"},
             {"AL", "", "CA -", "CA -", "CR -"},
             {"", "AL", "- AA", "- AE", "- AR"},
             {"al", " ne ", "CA -", "CA -", "CR -"},
         })) {
        const char* const expected[] = {row.accepted, row.error, row.rejected};
        for (int i = 0; i < 3; ++i) {
            EXPECT_EQ(due(row.msh15, row.msh16, kOutcomes[i]), expected[i]) << row.msh15 << '|' << row.msh16;
            EXPECT_TRUE(ack_due(row.msh15, row.msh16, kOutcomes[i]).warnings.empty());
        }
    }
}

TEST(AckMode, AnUnknownConditionWarnsAndCountsAsEmpty) {
    EXPECT_EQ(due("ZZ", "", AckCode::accept), "- AA");
    EXPECT_EQ(due("ZZ", "AL", AckCode::accept), "- AA");
    EXPECT_EQ(due("AL", "ZZ", AckCode::accept), "CA -");
    const AckDue both = ack_due("ZZ", "YY", AckCode::accept);
    ASSERT_EQ(both.warnings.size(), 2U);
    EXPECT_EQ(both.warnings[0].code, "ACK_CONDITION_UNKNOWN");
    EXPECT_EQ(both.warnings[0].path, "MSH-15");
    EXPECT_EQ(both.warnings[1].path, "MSH-16");
    EXPECT_EQ(both.warnings[0].text.find("ZZ"), std::string::npos);
}

TEST(AckMode, WhatCouldNotBeStoredIsACommitError) {
    EXPECT_EQ(due("AL", "AL", AckCode::commit_error), "CE -");
    EXPECT_EQ(due("ER", "NE", AckCode::commit_error), "CE -");
    EXPECT_EQ(due("SU", "AL", AckCode::commit_error), "- AE");
    EXPECT_EQ(due("", "", AckCode::commit_error), "- AE");
    EXPECT_EQ(due("", "", AckCode::commit_reject), "- AR");
    EXPECT_EQ(due("AL", "AL", AckCode::commit_accept), "CA AA");
}

TEST(AckMode, ReadsTheHeaderOfTheMessage) {
    const test::Opened enhanced = test::open("MSH|^~\\&|A|B|C|D|2026||SIU^S12|1|P|2.5|||AL|NE");
    EXPECT_EQ(ack_due(*enhanced.message, AckCode::accept).accept, AckCode::commit_accept);
    EXPECT_FALSE(ack_due(*enhanced.message, AckCode::accept).application);
    const test::Opened original = test::open(test::kSample);
    EXPECT_EQ(ack_due(*original.message, AckCode::accept).application, AckCode::accept);
    EXPECT_FALSE(ack_due(*original.message, AckCode::accept).accept);
    const test::Opened shifted = test::open("MSH|^~\\&|A|B|C|D|2026|SIU^S12|1|P|2.5|||AL|NE");
    EXPECT_EQ(ack_due(*shifted.message, AckCode::accept).accept, AckCode::commit_accept);
}

} // namespace
} // namespace radscheduler
