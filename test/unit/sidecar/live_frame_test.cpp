// What clients say, and the guide's form of what they are told.
#include "live/client_frame.hpp"
#include "live_events.hpp"

#include <gtest/gtest.h>

using namespace live_test;

namespace {

template <class Op>
Op read(std::string_view text) {
    auto op = read_client_frame(text);
    EXPECT_TRUE(std::holds_alternative<Op>(op)) << text;
    return std::holds_alternative<Op>(op) ? std::get<Op>(op) : Op{};
}

TEST(LiveFrame, ReadsASubscription) {
    const auto op = read<SubscribeOp>(
        R"({"op":"subscribe","id":"s1","types":["appointment.*"],"filter":{"modality":["MR","CT"],"resource_id":[7,"CT-1"],)"
        R"("from":"2031-11-24","to":"2031-11-25"},"since":"812-9001","epoch":"7431-0"})");
    EXPECT_EQ(op.id, "s1");
    EXPECT_EQ(op.filter.types, std::vector<std::string>{"appointment.*"});
    EXPECT_EQ(op.filter.resources, (std::vector<std::string>{"7", "CT-1"}));
    EXPECT_EQ(to_text(*op.since), "7431-0:812-9001");
}

TEST(LiveFrame, ReadsTheRest) {
    EXPECT_EQ(read<UnsubscribeOp>(R"({"op":"unsubscribe","id":"s1"})").id, "s1");
    EXPECT_EQ(read<AuthOp>(R"({"op":"auth","token":"x.y.z"})").token, "x.y.z");
    EXPECT_EQ(read<PingOp>(R"({"op":"ping","t":1})").t, "1");
    EXPECT_EQ(read<PingOp>(R"({"op":"ping","t":"a\"b"})").t, R"("a\"b")");
    EXPECT_EQ(read<PingOp>(R"({"op":"ping"})").t, "null");
}

TEST(LiveFrame, RefusesFiltersThatWouldNotFilter) {
    for (const auto* text : {
             R"({"op":"subscribe"})",
             R"({"op":"subscribe","id":""})",
             R"({"op":"subscribe","id":"a b"})",
             R"({"op":"subscribe","id":"s\"1"})",
             R"({"op":"subscribe","id":"s1","type":["appointment.*"]})",
             R"({"op":"subscribe","id":"s1","types":"appointment.*"})",
             R"({"op":"subscribe","id":"s1","types":[]})",
             R"({"op":"subscribe","id":"s1","types":[1]})",
             R"({"op":"subscribe","id":"s1","filter":[]})",
             R"({"op":"subscribe","id":"s1","filter":{"modalities":["MR"]}})",
             R"({"op":"subscribe","id":"s1","filter":{"types":["*"]}})",
             R"({"op":"subscribe","id":"s1","filter":{"modality":null}})",
             R"({"op":"subscribe","id":"s1","filter":{"modality":[]}})",
             R"({"op":"subscribe","id":"s1","filter":{"from":"soon"}})",
             R"({"op":"subscribe","id":"s1","since":812})",
             R"({"op":"subscribe","id":"s1","since":"812"})",
             R"({"op":"subscribe","id":"s1","epoch":"7431"})",
             R"({"op":"subscribe","id":"s1","since":"7:8-1","epoch":"9"})",
             R"({"op":"unsubscribe"})",
         }) {
        const auto fault = read<Fault>(text);
        EXPECT_EQ(fault.code, "invalid_subscription") << text;
        EXPECT_FALSE(fault.detail.empty());
    }
}

TEST(LiveFrame, RefusesWhatIsNoFrame) {
    for (const auto* text : {"", "x", "[]", "null", "{", R"({"op":"ping","op":"auth"})", "{\"op\":\"\xff\"}",
                             R"({"op":"auth"})", R"({"op":"auth","token":7})", R"({"op":"ping","t":{}})"}) {
        EXPECT_EQ(read<Fault>(text).code, "bad_frame") << text;
    }
    EXPECT_EQ(read<Fault>(R"({"op":"publish"})").code, "unknown_op");
    EXPECT_EQ(read<Fault>(R"({})").code, "unknown_op");
}

TEST(LiveLegacy, NamesWhatTheGuideNames) {
    EXPECT_EQ(*event(3)->legacy, R"({"type":"appointment_created","timestamp":"2031-05-05T10:00:00Z","data":{"n":3}})");
    const auto name = [](const char* type, const char* data = "{}") {
        const auto form = legacy_form(type, std::string(R"({"time":"t","data":)") + data + "}");
        return form ? form->substr(9, form->find('"', 9) - 9) : std::string();
    };
    EXPECT_EQ(name("appointment.cancelled"), "appointment_updated");
    EXPECT_EQ(name("hl7.processed"), "hl7_received");
    EXPECT_EQ(name("hl7.rejected"), "hl7_error");
    EXPECT_EQ(name("notification.sent"), "sms_sent");
    EXPECT_EQ(name("stats.updated"), "stats_update");
    EXPECT_EQ(name("conflict.detected", R"({"severity":"critical"})"), "critical_conflict_detected");
    EXPECT_EQ(name("conflict.detected", R"({"severity":"warning"})"), "");
    EXPECT_EQ(name("hl7.sent"), "");
    EXPECT_EQ(name("order.received"), "");
    EXPECT_FALSE(legacy_form("hl7.processed", "no JSON"));
}

TEST(LiveExpansion, GoesIntoTheData) {
    EXPECT_EQ(*with_data(R"({"data":{"a":1}})", "appointment", R"({"id":12})"),
              R"({"data":{"a":1,"appointment":{"id":12}}})");
}

} // namespace
