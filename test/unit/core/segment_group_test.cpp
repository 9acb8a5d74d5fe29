// Paths that go through a group: the AIL of the second RGS.
#include "radscheduler/value.hpp"
#include "segment_group.hpp"

#include <gtest/gtest.h>

namespace radscheduler {
namespace {

constexpr std::string_view kMessage = "MSH|^~\\&|A|B|C|D|20260101||SIU^S12|1|P|2.5\r"
                                      "SCH|1\r"
                                      "NTE|1||of the schedule\r"
                                      "PID|1||7\r"
                                      "NTE|1||of the patient\r"
                                      "RGS|1|A\r"
                                      "AIS|1||CT\r"
                                      "NTE|1||of the service\r"
                                      "AIL|1||ROOM1\r"
                                      "NTE|1||of the room\r"
                                      "AIL|2||ROOM2\r"
                                      "RGS|2|A\r"
                                      "AIS|1||MR\r"
                                      "AIL|1||ROOM3^BED~ROOM4\r"
                                      "RGS|3|A\r"
                                      "AIP|1||DOC\r";

std::string text_at(std::string_view path) {
    const Message message = *Message::open(kMessage);
    return get_text(message, *Path::parse(path)).value_or("<none>");
}

std::vector<std::string> all_at(std::string_view path) {
    const Message message = *Message::open(kMessage);
    std::vector<std::string> texts;
    for (const Value& value : get_all(message, *Path::parse(path)))
        texts.push_back(value.state == State::absent ? "<absent>" : std::string(value.raw));
    return texts;
}

TEST(SegmentGroup, OccurrencesCountWithinTheGroup) {
    EXPECT_EQ(text_at("RGS[2]/AIL-3"), "ROOM3");
    EXPECT_EQ(text_at("RGS[2]/AIL[1]-3[2]"), "ROOM4");
    EXPECT_EQ(text_at("RGS[1]/AIL[2]-3"), "ROOM2");
    EXPECT_EQ(text_at("RGS/AIL-3"), "ROOM1");
    EXPECT_EQ(text_at("RGS[2]/AIL[2]-3"), "<none>");
    EXPECT_EQ(text_at("RGS[3]/AIL-3"), "<none>");
    EXPECT_EQ(text_at("RGS[4]/AIL-3"), "<none>");
}

TEST(SegmentGroup, ASegmentEndsWhatItsNeighbourOpened) {
    EXPECT_EQ(text_at("SCH/NTE-3"), "of the schedule");
    EXPECT_EQ(text_at("PID/NTE-3"), "of the patient");
    EXPECT_EQ(text_at("RGS/AIS/NTE-3"), "of the service");
    EXPECT_EQ(text_at("RGS/AIL/NTE-3"), "of the room");
    EXPECT_EQ(text_at("RGS/AIL[2]/NTE-3"), "<none>");
    EXPECT_EQ(text_at("RGS[2]/AIS/NTE-3"), "<none>");
}

TEST(SegmentGroup, EveryGroup) {
    EXPECT_EQ(all_at("RGS[*]/AIL[*]-3"), (std::vector<std::string>{"ROOM1", "ROOM2", "ROOM3"}));
    EXPECT_EQ(all_at("RGS[*]/AIL-3"), (std::vector<std::string>{"ROOM1", "ROOM3", "<absent>"}));
    EXPECT_EQ(all_at("RGS[2]/AIL-3[*]"), (std::vector<std::string>{"ROOM3", "ROOM4"}));
    EXPECT_EQ(all_at("RGS[*]/AIS[*]/NTE[*]-3"), (std::vector<std::string>{"of the service"}));
    EXPECT_EQ(text_at("RGS[*]/AIL-3"), "ROOM1");
}

TEST(SegmentGroup, ManyPathsAtOnceSeeGroupsToo) {
    const Message message = *Message::open(kMessage);
    const std::array paths{*Path::parse("RGS[2]/AIL-3"), *Path::parse("AIL[2]-3"), *Path::parse("RGS[9]/AIL-3")};
    std::array<Value, 3> values;
    get_many(message, paths, values);
    EXPECT_EQ(values[0].raw, "ROOM3");
    EXPECT_EQ(values[1].raw, "ROOM2");
    EXPECT_EQ(values[2].state, State::absent);
}

TEST(SegmentGroup, RawExtents) {
    const Message message = *Message::open(kMessage);
    EXPECT_EQ(get_raw(message, *Path::parse("RGS[2]/AIL-3")).raw, "ROOM3^BED~ROOM4");
    EXPECT_EQ(get_raw(message, *Path::parse_extent("RGS[2]/AIL")).raw, "AIL|1||ROOM3^BED~ROOM4");
    EXPECT_EQ(message.scope(*Path::parse("RGS[3]/AIP-3")), "RGS|3|A\rAIP|1||DOC\r");
    EXPECT_EQ(message.scope(*Path::parse("RGS[4]/AIP-3")).data(), nullptr);
}

TEST(SegmentGroup, PathsAreWrittenAsTheyAreRead) {
    for (const char* path : {"RGS[2]/AIL-3", "RGS[*]/AIS[2]/NTE[*]-3[1].2", "RGS/AIL-3.4"})
        EXPECT_EQ(Path::parse(path)->to_string(), path);
    EXPECT_EQ(Path::parse_extent("RGS[2]/AIL[*]")->to_string(), "RGS[2]/AIL[*]");
    EXPECT_EQ(Path::parse("RGS[2]/ail-3").error().offset, 7U);
    EXPECT_EQ(Path::parse("A01/A02/A03/A04/A05-1").error().offset, 15U);
    EXPECT_FALSE(Path::parse("RGS[2]/AIL").ok());
    EXPECT_FALSE(Path::parse("RGS[2]/").ok());
    EXPECT_FALSE(Path::parse_extent("RGS[2]/AIL-").ok());
}

} // namespace
} // namespace radscheduler
