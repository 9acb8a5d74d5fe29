// radsched.v1: who gets what said, when, and when the line is cut.
#include "live/protocol.hpp"
#include "live_events.hpp"

#include <gtest/gtest.h>

using namespace live_test;
using namespace std::chrono_literals;

namespace {

class LiveProtocol : public testing::Test {
protected:
    static ProtocolOptions options() {
        ProtocolOptions made;
        made.server = "radschedulerd test";
        return made;
    }

    void SetUp() override { protocol_.start(now_, false); }

    void admit(int site = 1, std::string name = "key:abc") {
        protocol_.admitted({site, std::move(name), std::nullopt}, {"e1", {7, 10}});
        written();
    }
    void say(std::string_view frame) {
        now_ += 100ms;
        protocol_.received(frame, now_);
    }
    // What is said until something else is to be done.
    std::vector<std::string> written() {
        std::vector<std::string> frames;
        while (true) {
            action_ = protocol_.next();
            auto* write = std::get_if<Protocol::Write>(&action_);
            if (write == nullptr) {
                return frames;
            }
            frames.push_back(std::move(write->frame));
        }
    }
    unsigned closed() {
        written();
        const auto* close = std::get_if<Protocol::Close>(&action_);
        return close != nullptr ? close->code : 0;
    }
    Protocol::Locate to_locate() {
        written();
        EXPECT_TRUE(std::holds_alternative<Protocol::Locate>(action_));
        return std::get<Protocol::Locate>(action_);
    }
    void subscribe(const std::string& id) {
        say(R"({"op":"subscribe","id":")" + id + "\"}");
        protocol_.located(to_locate(), Where::ok, 0, {"e1", {7, 10}});
        written();
    }

    Moment now_{Moment::duration(1'000'000'000'000)};
    Protocol protocol_{options()};
    Protocol::Action action_;
};

TEST_F(LiveProtocol, GreetsWhoWasAdmitted) {
    EXPECT_TRUE(written().empty());
    protocol_.admitted({1, "key:abc", std::nullopt}, {"e1", {7, 10}});
    const auto frames = written();
    ASSERT_EQ(frames.size(), 1U);
    EXPECT_EQ(frames[0], R"({"op":"hello","version":1,"server":"radschedulerd test","epoch":"e1","cursor":"7-10",)"
                         R"("heartbeat_s":30,"limits":{"frame_bytes":16384,"ops_per_second":20,"subscriptions":32,)"
                         R"("backlog_events":2000,"backlog_bytes":1048576}})");
}

TEST_F(LiveProtocol, TellsNobodyAnythingBefore) {
    protocol_.offer(event(11));
    EXPECT_TRUE(written().empty());
    say(R"({"op":"subscribe","id":"s1"})");
    EXPECT_EQ(closed(), 4401U);
    EXPECT_TRUE(std::holds_alternative<std::monostate>(protocol_.next()));
}

TEST_F(LiveProtocol, AuthenticatesInTheFirstFrame) {
    say(R"({"op":"auth","token":"x.y.z"})");
    written();
    ASSERT_TRUE(std::holds_alternative<Protocol::Authenticate>(action_));
    EXPECT_EQ(std::get<Protocol::Authenticate>(action_).token, "x.y.z");
    protocol_.tick(now_ + 10s, {}); // the database takes its time
    EXPECT_EQ(closed(), 0U);
    protocol_.refused(4401, "no");
    EXPECT_EQ(closed(), 4401U);
}

TEST_F(LiveProtocol, WhatIsSaidBeforeHelloIsDoneAfterIt) {
    protocol_.start(now_, true);
    say(R"({"op":"subscribe","id":"s1"})");
    EXPECT_TRUE(written().empty());
    protocol_.tick(now_ + 10s, {});
    protocol_.admitted({1, "key:abc", std::nullopt}, {"e1", {7, 10}});
    EXPECT_NE(written().at(0).find("hello"), std::string::npos);
    EXPECT_TRUE(std::holds_alternative<Protocol::Locate>(action_));
}

TEST_F(LiveProtocol, HoldsNoMoreThanAFewFramesOfSomebodyUnknown) {
    say(R"({"op":"auth","token":"x.y.z"})");
    for (int n = 0; n < 8; ++n) {
        say(R"({"op":"ping"})");
    }
    EXPECT_EQ(closed(), 0U);
    say(R"({"op":"ping"})");
    EXPECT_EQ(closed(), 4401U);
}

TEST_F(LiveProtocol, DoesNotWaitForEverForSomebodyUnknown) {
    protocol_.tick(now_ + 4s, {});
    EXPECT_EQ(closed(), 0U);
    protocol_.tick(now_ + 6s, {});
    EXPECT_EQ(closed(), 4408U);
}

TEST_F(LiveProtocol, CountsNoTimeBeforeItStarts) {
    protocol_ = Protocol(options());
    protocol_.tick(now_ + 60s, {});
    protocol_.start(now_ + 60s, true);
    EXPECT_EQ(closed(), 0U);
}

TEST_F(LiveProtocol, SubscribesFromNowOn) {
    admit();
    say(R"({"op":"subscribe","id":"s1","types":["appointment.*"]})");
    const auto asked = to_locate();
    EXPECT_FALSE(asked.since);
    protocol_.located(asked, Where::ok, 0, {"e1", {7, 12}});
    EXPECT_EQ(written(), (std::vector<std::string>{R"({"op":"subscribed","id":"s1","replay":0,"cursor":"7-12"})"}));
    protocol_.offer(event(12));
    protocol_.offer(event(13, "hl7.processed"));
    protocol_.offer(event(14));
    const auto frames = written();
    ASSERT_EQ(frames.size(), 1U);
    EXPECT_EQ(frames[0], R"({"op":"event","sub":["s1"],"cursor":"7-14","event":)" + *event(14)->payload + "}");
}

TEST_F(LiveProtocol, ResumesAndSaysWhenItHasCaughtUp) {
    admit();
    say(R"({"op":"subscribe","id":"s1","since":"7-8"})");
    protocol_.located(to_locate(), Where::ok, 2, {"e1", {7, 10}});
    EXPECT_EQ(written(), (std::vector<std::string>{R"({"op":"subscribed","id":"s1","replay":2,"cursor":"7-8"})"}));
    const auto asked = std::get<Feed::Page>(action_);
    protocol_.page(asked, {{event(9), event(10)}, {7, 10}}, true);
    protocol_.offer(event(11));
    const auto frames = written();
    ASSERT_EQ(frames.size(), 4U);
    EXPECT_EQ(frames[2], R"({"op":"replayed","id":"s1"})");
    EXPECT_NE(frames[3].find(R"("cursor":"7-11")"), std::string::npos);
}

TEST_F(LiveProtocol, WhoMissedNothingIsCaughtUpAtOnce) {
    admit();
    say(R"({"op":"subscribe","id":"s1","since":"e1:7-10"})");
    protocol_.located(to_locate(), Where::ok, 0, {"e1", {7, 10}});
    EXPECT_EQ(written().back(), R"({"op":"replayed","id":"s1"})");
}

TEST_F(LiveProtocol, ResyncsAndGoesOnLive) {
    admit();
    say(R"({"op":"subscribe","id":"s1","since":"1-1"})");
    protocol_.located(to_locate(), Where::cursor_expired, 0, {"e1", {7, 10}});
    EXPECT_EQ(written(), (std::vector<std::string>{
                             R"({"op":"resync","id":"s1","reason":"cursor_expired","epoch":"e1","cursor":"7-10"})",
                             R"({"op":"subscribed","id":"s1","replay":0,"cursor":"7-10"})"}));
    protocol_.offer(event(11));
    EXPECT_EQ(written().size(), 1U);
    say(R"({"op":"subscribe","id":"s2","since":"e0:7-9"})");
    protocol_.located(to_locate(), Where::epoch_changed, 0, {"e1", {7, 11}});
    EXPECT_NE(written().front().find("epoch_changed"), std::string::npos);
}

TEST_F(LiveProtocol, NamesEverySubscriptionThatAnEventIsFor) {
    admit();
    subscribe("s1");
    subscribe("s2");
    protocol_.offer(event(11));
    EXPECT_NE(written().at(0).find(R"("sub":["s1","s2"])"), std::string::npos);
    say(R"({"op":"unsubscribe","id":"s1"})");
    EXPECT_EQ(written().at(0), R"({"op":"unsubscribed","id":"s1"})");
    protocol_.offer(event(12));
    EXPECT_NE(written().at(0).find(R"("sub":["s2"])"), std::string::npos);
}

TEST_F(LiveProtocol, AnAnswerForASubscriptionThatWasLeftIsDropped) {
    admit();
    say(R"({"op":"subscribe","id":"s1","since":"7-8"})");
    const auto asked = to_locate();
    say(R"({"op":"unsubscribe","id":"s1"})");
    say(R"({"op":"subscribe","id":"s2"})");
    const auto other = to_locate();
    EXPECT_EQ(asked.slot, other.slot);
    protocol_.located(asked, Where::ok, 2, {"e1", {7, 10}});
    EXPECT_TRUE(written().empty());
    protocol_.located(other, Where::ok, 0, {"e1", {7, 10}});
    EXPECT_EQ(written().size(), 1U);
}

TEST_F(LiveProtocol, RefusesWithASentenceAndStays) {
    admit();
    for (const auto* frame : {R"({"op":"subscribe","id":"s1","types":["nonsense*"]})", R"({"op":"fly"})",
                              R"({"op":"unsubscribe","id":"never"})"}) {
        say(frame);
        const auto frames = written();
        ASSERT_EQ(frames.size(), 1U);
        EXPECT_NE(frames[0].find(R"("op":"error")"), std::string::npos);
        EXPECT_NE(frames[0].find(R"("detail":")"), std::string::npos);
    }
    subscribe("s1");
    say(R"({"op":"subscribe","id":"s1"})");
    EXPECT_NE(written().at(0).find("duplicate_id"), std::string::npos);
    for (int n = 2; n <= 32; ++n) {
        subscribe("s" + std::to_string(n));
    }
    say(R"({"op":"subscribe","id":"s33"})");
    EXPECT_NE(written().at(0).find("too_many_subscriptions"), std::string::npos);
    EXPECT_EQ(closed(), 0U);
}

TEST_F(LiveProtocol, EndsForWhatIsNoFrame) {
    admit();
    say("{");
    EXPECT_EQ(closed(), 4400U);
}

TEST_F(LiveProtocol, EndsForTooManyFrames) {
    admit();
    for (int n = 0; n < 20; ++n) {
        protocol_.received(R"({"op":"ping","t":1})", now_);
    }
    EXPECT_EQ(written().size(), 20U);
    now_ += 1s;
    protocol_.received(R"({"op":"ping","t":1})", now_);
    EXPECT_EQ(closed(), 0U);
    for (int n = 0; n < 20; ++n) {
        protocol_.received(R"({"op":"ping","t":1})", now_);
    }
    EXPECT_EQ(closed(), 4429U);
}

TEST_F(LiveProtocol, DropsWhoDoesNotRead) {
    auto options = LiveProtocol::options();
    options.feed.most_events = 5;
    protocol_ = Protocol(options);
    admit();
    subscribe("s1");
    for (std::uint64_t seq = 11; seq < 20; ++seq) {
        protocol_.offer(event(seq));
    }
    EXPECT_TRUE(protocol_.overflowed());
    protocol_.tick(now_, {});
    EXPECT_FALSE(protocol_.must_cut(now_ + 5s));
    EXPECT_TRUE(protocol_.must_cut(now_ + 6s));
    EXPECT_EQ(written(), (std::vector<std::string>{R"({"op":"resync","reason":"slow_consumer"})"}));
    EXPECT_EQ(std::get<Protocol::Close>(action_).code, 1013U);
}

TEST_F(LiveProtocol, AClientThatOnlyTalksIsDroppedToo) {
    admit();
    for (int n = 0; n < 300; ++n) {
        now_ += 60ms;
        protocol_.received(R"({"op":"ping","t":1})", now_);
    }
    EXPECT_TRUE(protocol_.overflowed());
}

TEST_F(LiveProtocol, EndsWithItsToken) {
    const auto wall = std::chrono::system_clock::time_point(1000s);
    protocol_.admitted({1, "user:rivera", wall + 60s}, {"e1", {7, 10}});
    written();
    protocol_.tick(now_, wall + 59s);
    EXPECT_EQ(closed(), 0U);
    say(R"({"op":"auth","token":"fresh"})");
    written();
    protocol_.admitted({1, "user:rivera", wall + 120s}, {"e1", {7, 10}});
    EXPECT_EQ(written().at(0), R"({"op":"authenticated"})");
    protocol_.tick(now_, wall + 61s);
    EXPECT_EQ(closed(), 0U);
    protocol_.tick(now_, wall + 120s);
    EXPECT_EQ(closed(), 4401U);
}

TEST_F(LiveProtocol, AnotherCallersTokenEndsIt) {
    admit(1, "user:rivera");
    protocol_.admitted({2, "user:rivera", std::nullopt}, {"e1", {7, 10}});
    EXPECT_EQ(closed(), 4403U);
}

TEST_F(LiveProtocol, BeatsOnlyWhenAskedTo) {
    admit();
    subscribe("s1");
    protocol_.tick(now_, {});
    protocol_.tick(now_ + 60s, {});
    EXPECT_TRUE(written().empty());

    auto options = LiveProtocol::options();
    options.says_heartbeat = true;
    protocol_ = Protocol(options);
    admit();
    subscribe("s1");
    protocol_.tick(now_, {});
    protocol_.tick(now_ + 29s, {});
    EXPECT_TRUE(written().empty());
    protocol_.offer(event(11, "hl7.processed"));
    written();
    protocol_.tick(now_ + 30s, {});
    EXPECT_EQ(written().at(0), R"({"op":"hb","cursor":"7-11"})");
}

TEST_F(LiveProtocol, LegacyIsBareFromTheStart) {
    auto options = LiveProtocol::options();
    options.legacy = true;
    options.feed.legacy = true;
    protocol_ = Protocol(options);
    protocol_.admitted({1, "key:abc", std::nullopt}, {"e1", {7, 10}});
    EXPECT_TRUE(written().empty());
    protocol_.offer(event(11));
    EXPECT_EQ(written(), std::vector<std::string>{*event(11)->legacy});
}

} // namespace
