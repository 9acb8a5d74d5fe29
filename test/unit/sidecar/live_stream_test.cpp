// Server-sent events: every id is a place to resume from.
#include "live/event_stream.hpp"
#include "live/hub.hpp"
#include "live_events.hpp"

#include <gtest/gtest.h>

using namespace live_test;
using namespace std::chrono_literals;

namespace {

class LiveStream : public testing::Test {
protected:
    std::string text() {
        std::string all;
        while (true) {
            action_ = stream_.next();
            auto* write = std::get_if<EventStream::Write>(&action_);
            if (write == nullptr) {
                return all;
            }
            all += write->text;
        }
    }

    Admitted who_{1, "key:abc", std::nullopt};
    EventStream stream_{who_, {}};
    EventStream::Action action_;
    Moment now_{Moment::duration(1'000'000'000'000)};
};

TEST_F(LiveStream, BeginsWithAPlaceToResumeFrom) {
    stream_.start({}, std::nullopt, {"e1", {7, 10}});
    EXPECT_EQ(text(), "retry: 2000\n\nid: e1:7-10\n\n");
    stream_.offer(event(11));
    EXPECT_EQ(text(), "event: appointment.created\nid: e1:7-11\ndata: " + *event(11)->payload + "\n\n");
}

TEST_F(LiveStream, ReplaysWhatWasMissed) {
    stream_.start({}, Place{"e1", {7, 8}}, {"e1", {7, 10}});
    EXPECT_EQ(text(), "retry: 2000\n\n");
    EXPECT_EQ(to_text(std::get<EventStream::Locate>(action_).since), "e1:7-8");
    stream_.located(Where::ok, {"e1", {7, 10}});
    text();
    const auto asked = std::get<Feed::Page>(action_);
    stream_.page(asked, {{event(9), event(10)}, {7, 10}}, true);
    const auto replayed = text();
    EXPECT_LT(replayed.find("id: e1:7-9\n"), replayed.find("id: e1:7-10\n"));
    stream_.offer(event(10));
    EXPECT_EQ(text(), "");
}

TEST_F(LiveStream, SaysResyncAndGoesOn) {
    stream_.start({}, Place{"e0", {7, 8}}, {"e1", {7, 10}});
    text();
    stream_.located(Where::epoch_changed, {"e1", {7, 10}});
    EXPECT_EQ(text(), "event: resync\ndata: {\"reason\":\"epoch_changed\"}\nid: e1:7-10\n\n");
    stream_.offer(event(11));
    EXPECT_NE(text().find("7-11"), std::string::npos);
}

TEST_F(LiveStream, AHeartbeatMovesThePlaceOn) {
    Filter none;
    add_to_filter(none, "types", {"stats.*"});
    stream_.start(none, std::nullopt, {"e1", {7, 10}});
    text();
    stream_.offer(event(11));
    stream_.tick(now_, {});
    EXPECT_EQ(text(), "");
    stream_.tick(now_ + 15s, {});
    EXPECT_EQ(text(), ":hb\nid: e1:7-11\n\n");
}

TEST_F(LiveStream, DropsWhoDoesNotRead) {
    EventStreamOptions options;
    options.feed.most_events = 2;
    stream_ = EventStream(who_, options);
    stream_.start({}, std::nullopt, {"e1", {7, 10}});
    for (std::uint64_t seq = 11; seq < 15; ++seq) {
        stream_.offer(event(seq));
    }
    EXPECT_TRUE(stream_.overflowed());
    EXPECT_EQ(text(), "event: resync\ndata: {\"reason\":\"slow_consumer\"}\n\n");
    EXPECT_TRUE(std::holds_alternative<EventStream::End>(action_));
    stream_.tick(now_, {});
    EXPECT_TRUE(stream_.must_cut(now_ + 6s));
}

TEST_F(LiveStream, LegacyHasNoNamesSoThatOnmessageGetsIt) {
    EventStreamOptions options;
    options.legacy = true;
    options.feed.legacy = true;
    stream_ = EventStream(who_, options);
    stream_.start({}, std::nullopt, {"e1", {7, 10}});
    text();
    stream_.offer(event(11));
    EXPECT_EQ(text(), "id: e1:7-11\ndata: " + *event(11)->legacy + "\n\n");
}

TEST_F(LiveStream, EndsWithItsToken) {
    const auto wall = std::chrono::system_clock::time_point(1000s);
    who_.expires = wall + 1s;
    stream_ = EventStream(who_, {});
    stream_.start({}, std::nullopt, {"e1", {7, 10}});
    text();
    stream_.tick(now_, wall + 2s);
    text();
    EXPECT_TRUE(std::holds_alternative<EventStream::End>(action_));
}

struct Listener : Follower {
    std::vector<std::uint64_t> heard;
    int batches = 0;
    unsigned code = 0;
    void offer(const EventPtr& one) override { heard.push_back(one->cursor.seq); }
    void settle() override { ++batches; }
    void tick(Moment /*now*/, std::chrono::system_clock::time_point /*wall*/) override {}
    void end(unsigned with, const char* /*reason*/) override { code = with; }
};

TEST(LiveHub, TellsEverybodyOnce) {
    Hub hub(10);
    Listener first;
    Listener second;
    hub.join(&first);
    hub.join(&second);
    EXPECT_FALSE(hub.is_reading());
    hub.begin({"e1", {7, 1}});
    hub.publish({event(2), event(3)});
    hub.publish({event(3), event(4)}); // read again after a loss
    EXPECT_EQ(first.heard, (std::vector<std::uint64_t>{2, 3, 4}));
    EXPECT_EQ(second.heard, first.heard);
    EXPECT_EQ(first.batches, 2);
    hub.begin({"e1", {7, 9}}); // the same database again: the reader goes on where it was
    EXPECT_EQ(hub.head().cursor, (Cursor{7, 4}));
    hub.leave(&second);
    hub.begin({"e2", {3, 1}});
    EXPECT_EQ(first.code, 1012U);
    EXPECT_EQ(second.code, 0U);
    EXPECT_EQ(hub.head().cursor, (Cursor{3, 1}));
}

} // namespace
