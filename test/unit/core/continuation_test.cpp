// Messages cut in fragments (DSC) and segments cut in two (ADD).
#include "radscheduler/continuation.hpp"

#include <gtest/gtest.h>
#include <vector>

namespace radscheduler {
namespace {

std::string head(std::string_view pointer) {
    return "MSH|^~\\&|LAB|H|R|H|20260101||ORU^R01|" + std::string(pointer.empty() ? "1" : "2") + "|P|2.5||" +
           std::string(pointer) + "\r";
}

Result<std::string> join(const std::vector<std::string>& fragments) {
    return join_continuation(std::vector<std::string_view>(fragments.begin(), fragments.end()));
}

std::string refused(const std::vector<std::string>& fragments) {
    const Result<std::string> result = join(fragments);
    return result ? "joined" : std::to_string(result.error().offset) + " " + result.error().path;
}

TEST(Continuation, SegmentsOfLaterFragmentsFollow) {
    EXPECT_EQ(*join({head("") + "OBX|1\rDSC|p1\r", head("p1") + "OBX|2\rDSC|p2|F\r", head("p2") + "OBX|3\r"}),
              head("") + "OBX|1\rOBX|2\rOBX|3\r");
}

TEST(Continuation, ACutSegmentGoesOnWhereItEnded) {
    EXPECT_EQ(*join({head("") + "OBX|1|TX|||first ha\rADD\rDSC|p1\r", head("p1") + "ADD|lf|||F\rOBX|2\r"}),
              head("") + "OBX|1|TX|||first half|||F\rOBX|2\r");
    EXPECT_EQ(*join({head("") + "OBX|1|TX|||first\rADD|\rDSC|p1\r", head("p1") + "ADD||mg\r"}),
              head("") + "OBX|1|TX|||first|mg\r");
    EXPECT_EQ(*join({head("") + "OBX|1|a\rADD\rDSC|p\r", head("p") + "ADD|b\rADD\rDSC|q\r", head("q") + "ADD|c\r"}),
              head("") + "OBX|1|abc\r");
}

TEST(Continuation, WithinOneMessage) {
    EXPECT_EQ(*join({head("") + "NTE|1||long te\rADD|xt\rNTE|2\r"}), head("") + "NTE|1||long text\rNTE|2\r");
    EXPECT_EQ(*join({head("") + "NTE|1||long te\rADD\rADD|xt\r"}), head("") + "NTE|1||long text\r");
    EXPECT_EQ(*join({head("") + "NTE|1\r"}), head("") + "NTE|1\r");
}

TEST(Continuation, HeadersWithoutTheSecurityFieldAreReadOneFieldEarly) {
    const std::string first = "MSH|^~\\&|LAB|H|R|H|20260101|ORU^R01|1|P|2.5||\r";
    const std::string second = "MSH|^~\\&|LAB|H|R|H|20260101|ORU^R01|2|P|2.5||p\r";
    EXPECT_EQ(*join({first + "OBX|1\rDSC|p\r", second + "OBX|2\r"}), first + "OBX|1\rOBX|2\r");
}

TEST(Continuation, AnEmptyPointerIsNoContinuation) {
    EXPECT_EQ(*join({head("") + "OBX|1\rDSC|\r"}), head("") + "OBX|1\r");
    EXPECT_EQ(*join({head("") + "OBX|1\rDSC|\"\"\r"}), head("") + "OBX|1\r");
    EXPECT_FALSE(continues(head("") + "OBX|1\rDSC|\"\"\r"));
    EXPECT_FALSE(continues(head("") + "OBX|1\rDSC|\r"));
    EXPECT_TRUE(continues(head("") + "OBX|1\rDSC|p\r"));
    EXPECT_FALSE(continues(head("") + "OBX|1\r"));
    EXPECT_FALSE(continues("nothing"));
}

TEST(Continuation, RefusalsNameFragmentAndPlace) {
    EXPECT_EQ(refused({}), "0 ");
    EXPECT_EQ(refused({head("") + "OBX|1\rDSC|p\r"}), "1 DSC-1");
    EXPECT_EQ(refused({head("") + "OBX|1\r", head("p") + "OBX|2\r"}), "1 DSC");
    EXPECT_EQ(refused({head("") + "OBX|1\rDSC|p\r", head("q") + "OBX|2\r"}), "2 MSH-14");
    EXPECT_EQ(refused({head("") + "OBX|1\rDSC|p|I\r", head("p") + "OBX|2\r"}), "1 DSC-2");
    EXPECT_EQ(refused({head("") + "OBX|1\rADD\rDSC|p\r", head("p") + "OBX|2\r"}), "2 ADD");
    EXPECT_EQ(refused({head("") + "OBX|1\rADD\r"}), "1 ADD");
    EXPECT_EQ(refused({head("") + "ADD|x\r"}), "1 ADD");
    EXPECT_EQ(refused({head("") + "A\rADD|DD\r"}), "1 ADD") << "would make a segment ADD";
    EXPECT_EQ(refused({head("p") + "OBX|2\r"}), "1 MSH-14");
    EXPECT_EQ(refused({head("") + "OBX|1\rDSC|p\rZZZ|1\r"}), "1 DSC");
    EXPECT_EQ(refused({head("") + "OBX|1\r" + head("")}), "1 MSH[2]");
    EXPECT_EQ(refused({"BHS|^~\\&\r" + head("")}), "1 MSH");
    EXPECT_EQ(refused({head("") + "DSC|p\r", "MSH|^~\\&|OTHER|H|||||ORU^R01|2|P|2.5||p\r"}), "2 MSH-3");
    EXPECT_EQ(refused({head("") + "DSC|p\r", "MSH*^~\\&*LAB*H\r"}), "2 MSH-2");
}

} // namespace
} // namespace radscheduler
