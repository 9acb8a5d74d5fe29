// What becomes a label of a metric: words of a fixed list, or at least words, and never more than so many.
#include "mllp/trigger.hpp"
#include "obs/conflict_counts.hpp"
#include "obs/trigger_counts.hpp"

#include <gtest/gtest.h>

namespace {

using radscheduler::sidecar::ConflictCounts;
using radscheduler::sidecar::TriggerCounts;
using radscheduler::sidecar::mllp::trigger_of;

TEST(Trigger, IsReadFromTheHeader) {
    EXPECT_EQ(trigger_of("MSH|^~\\&|A|B|C|D|20310101||SIU^S12^SIU_S12|1|P|2.5\rPID|1"), "S12");
    EXPECT_EQ(trigger_of("\r\nMSH$*~\\&$A$B$C$D$20310101$$ADT*A40\r"), "A40");
    EXPECT_EQ(trigger_of("MSH|^~\\&|A|B|C|D|20310101||SIU^S15"), "S15");
}

TEST(Trigger, IsOtherForAllElse) {
    for (const char* message :
         {"", "MSH", "PID|1", "MSH|^~\\&|A|B|C|D|20310101||SIU", "MSH|^~\\&|A|B|C|D|20310101||SIU^Mary|1",
          "MSH|^~\\&|A|B|C|D|20310101||SIU^S12&x|1", "MSH|^~\\&|A\rPID|||||||^S12"}) {
        EXPECT_EQ(trigger_of(message), "other") << message;
    }
}

TEST(TriggerCounts, CountsByWord) {
    TriggerCounts counts;
    counts.add("S12");
    counts.add("S12");
    counts.add("Mary");
    EXPECT_EQ(counts.count(0).value(), 2U);
    EXPECT_EQ(counts.count(TriggerCounts::words.size() - 1).value(), 1U);
    EXPECT_EQ(TriggerCounts::words.back(), "other");
}

TEST(ConflictCounts, CountsWordsOnly) {
    ConflictCounts counts;
    counts.add("");
    counts.add("PATIENT_DOUBLE_BOOKED RESOURCE_DOUBLE_BOOKED PATIENT_DOUBLE_BOOKED");
    counts.add("Mary Miller");
    EXPECT_EQ(counts.counts().at("PATIENT_DOUBLE_BOOKED"), 2U);
    EXPECT_EQ(counts.counts().at("RESOURCE_DOUBLE_BOOKED"), 1U);
    EXPECT_EQ(counts.counts().at("OTHER"), 2U);
    EXPECT_EQ(counts.counts().size(), 3U);
}

TEST(ConflictCounts, AreBounded) {
    ConflictCounts counts;
    for (int i = 0; i < 1000; ++i) {
        counts.add("RULE_" + std::to_string(i));
    }
    EXPECT_LE(counts.counts().size(), ConflictCounts::most_codes + 1);
    counts.add("RULE_0");
    EXPECT_EQ(counts.counts().at("RULE_0"), 2U);
    EXPECT_EQ(counts.counts().at("OTHER"), 1000U - ConflictCounts::most_codes);
}

} // namespace
