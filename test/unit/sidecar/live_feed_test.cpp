// One follower's backlog: nothing lost, nothing twice, bounded.
#include "live/feed.hpp"
#include "live_events.hpp"

#include <random>

#include <gtest/gtest.h>

using namespace live_test;

namespace {

std::vector<std::uint64_t> drain(Feed& feed, Feed::Slot slot = 0) {
    std::vector<std::uint64_t> seen;
    while (auto item = feed.pop()) {
        if (item->event && (item->mask >> slot & 1U) != 0) {
            seen.push_back(item->event->cursor.seq);
        }
    }
    return seen;
}

TEST(LiveHistory, RemembersSoManyAndKnowsWhatItForgot) {
    History history(3);
    history.begin({7, 1});
    EXPECT_TRUE(history.covers({7, 1}));
    EXPECT_FALSE(history.covers({7, 0}));
    for (std::uint64_t seq = 2; seq <= 6; ++seq) {
        history.append(event(seq, "hl7.processed", seq % 2 == 0 ? 1 : 2));
    }
    history.append(event(6)); // read twice
    EXPECT_EQ(history.head(), (Cursor{7, 6}));
    EXPECT_EQ(history.floor(), (Cursor{7, 3}));
    EXPECT_EQ(history.count_after({7, 3}, 1), 2U);
    const auto page = history.page_after({7, 3}, 1, 1);
    ASSERT_EQ(page.events.size(), 1U);
    EXPECT_EQ(page.upto, (Cursor{7, 4}));
    const auto rest = history.page_after(page.upto, 1, 1);
    ASSERT_EQ(rest.events.size(), 1U);
    EXPECT_EQ(rest.upto, (Cursor{7, 6}));
    EXPECT_EQ(history.page_after({7, 6}, 1, 5).upto, (Cursor{7, 6}));
}

TEST(LiveFeed, OtherSitesDoNotExist) {
    Feed feed(1, {});
    feed.follow(0, {}, {7, 0});
    feed.offer(event(1, "appointment.created", 2));
    feed.offer(event(2));
    EXPECT_EQ(drain(feed), (std::vector<std::uint64_t>{2}));
}

TEST(LiveFeed, GivesEachSubscriptionWhatItAskedFor) {
    Feed feed(1, {});
    Filter appointments;
    add_to_filter(appointments, "types", {"appointment.*"});
    feed.follow(0, appointments, {7, 0});
    feed.follow(3, {}, {7, 1});
    feed.offer(event(1));
    feed.offer(event(2, "hl7.processed"));
    feed.offer(event(3));
    EXPECT_EQ(feed.pop()->mask, 0b0001U); // the fourth began after it
    EXPECT_EQ(feed.pop()->mask, 0b1000U);
    EXPECT_EQ(feed.pop()->mask, 0b1001U);
    feed.offer(event(4));
    feed.leave(0);
    EXPECT_EQ(feed.pop()->mask, 0b1000U);
    feed.offer(event(5));
    feed.leave(3);
    EXPECT_FALSE(feed.pop());
}

TEST(LiveFeed, ChangesOverFromReplayToLive) {
    History history(100);
    history.begin({7, 0});
    for (std::uint64_t seq = 1; seq <= 5; ++seq) {
        history.append(event(seq));
    }
    Feed feed(1, {});
    feed.replay(0, {}, {7, 2});
    feed.offer(event(6)); // comes with a page
    history.append(event(6));
    EXPECT_FALSE(feed.settled());
    const auto asked = feed.wants_page();
    ASSERT_TRUE(asked);
    EXPECT_FALSE(feed.wants_page()); // one at a time
    const auto page = history.page_after(asked->after, 1, 100);
    feed.take(*asked, page, true);
    EXPECT_FALSE(feed.wants_page());
    feed.offer(event(7));
    EXPECT_EQ(drain(feed), (std::vector<std::uint64_t>{3, 4, 5, 6, 7}));
    EXPECT_EQ(*feed.settled(), (Cursor{7, 7}));
}

TEST(LiveFeed, TellsWhenAReplayIsOver) {
    Feed feed(1, {});
    feed.replay(5, {}, {7, 0});
    const auto asked = feed.wants_page();
    feed.take(*asked, {{event(1)}, {7, 1}}, true);
    EXPECT_TRUE(feed.pop()->event);
    const auto note = feed.pop();
    EXPECT_FALSE(note->event);
    EXPECT_EQ(note->caught_up, 5U);
}

TEST(LiveFeed, APageForSomebodyElseIsDropped) {
    Feed feed(1, {});
    feed.replay(0, {}, {7, 0});
    const auto asked = feed.wants_page();
    feed.leave(0);
    feed.replay(0, {}, {7, 3});
    feed.take(*asked, {{event(1), event(5)}, {7, 5}}, true);
    EXPECT_EQ(drain(feed).size(), 0U);
    EXPECT_EQ(feed.wants_page()->after, (Cursor{7, 3}));
}

TEST(LiveFeed, AsksForNoPageWhileMuchWaits) {
    FeedOptions options;
    options.page_below = 2;
    Feed feed(1, options);
    feed.follow(1, {}, {7, 0});
    feed.replay(0, {}, {7, 0});
    feed.offer(event(1));
    feed.offer(event(2));
    EXPECT_FALSE(feed.wants_page());
    feed.pop();
    EXPECT_TRUE(feed.wants_page());
}

TEST(LiveFeed, OverflowsByNumberAndByBytes) {
    FeedOptions options;
    options.most_events = 3;
    Feed few(1, options);
    few.follow(0, {}, {7, 0});
    for (std::uint64_t seq = 1; seq <= 3; ++seq) {
        few.offer(event(seq));
    }
    EXPECT_FALSE(few.overflowed());
    few.offer(event(4));
    EXPECT_TRUE(few.overflowed());
    EXPECT_FALSE(few.pop());
    few.offer(event(5));
    EXPECT_EQ(few.backlog(), 0U);

    options.most_events = 1000;
    options.most_bytes = 4000;
    Feed large(1, options);
    large.follow(0, {}, {7, 0});
    large.offer(event(1, "appointment.created", 1, 3000));
    EXPECT_FALSE(large.overflowed());
    large.pop();
    large.offer(event(2, "appointment.created", 1, 3000));
    EXPECT_FALSE(large.overflowed()); // what was given out does not count
    large.offer(event(3, "appointment.created", 1, 3000));
    EXPECT_TRUE(large.overflowed());
}

TEST(LiveFeed, ExpandsInOrder) {
    FeedOptions options;
    options.expand = true;
    Feed feed(1, options);
    feed.follow(0, {}, {7, 0});
    feed.offer(event(1));
    feed.offer(event(2));
    EXPECT_FALSE(feed.pop());
    const auto ids = feed.wants_expansion();
    ASSERT_TRUE(ids);
    EXPECT_EQ(ids->appointments, (std::vector<std::string>{"12", "12"}));
    feed.offer(event(3));
    EXPECT_FALSE(feed.wants_expansion()); // one at a time
    feed.expanded(R"({"appointments":{"12":{"id":12}},"conflicts":{}})");
    const auto item = feed.pop();
    EXPECT_NE(item->body->find(R"("appointment":{"id":12})"), std::string::npos) << *item->body;
    EXPECT_EQ(feed.pop()->event->cursor.seq, 2U);
    EXPECT_TRUE(feed.wants_expansion());
    feed.expanded("{}");
    EXPECT_NE(feed.pop()->body->find(R"("appointment":null)"), std::string::npos);
}

TEST(LiveFeed, LegacyLeavesOutWhatHasNoName) {
    FeedOptions options;
    options.legacy = true;
    Feed feed(1, options);
    feed.follow(0, {}, {7, 0});
    feed.offer(event(1, "order.received"));
    feed.offer(event(2));
    EXPECT_EQ(feed.pop()->event->cursor.seq, 2U);
    EXPECT_FALSE(feed.pop());
}

// Any mix of events, pages of any size from any source, subscriptions that come and go: each gets exactly its events.
TEST(LiveFeed, LosesAndRepeatsNothingWhateverHappens) {
    for (unsigned seed = 0; seed < 300; ++seed) {
        std::mt19937 random(seed);
        const auto pick = [&](unsigned below) { return random() % below; };
        FeedOptions options;
        options.page_below = 1 + pick(20);
        options.expand = pick(4) == 0;
        Feed feed(1, options);
        std::vector<EventPtr> log; // as the database has it
        History history(1 + pick(20));
        history.begin({7, 0});
        std::array<std::vector<std::uint64_t>, 4> wanted;
        std::array<std::vector<std::uint64_t>, 4> got;
        std::array<std::optional<std::uint64_t>, 4> begun;
        std::uint64_t seq = 0;
        const auto give_out = [&](unsigned most) {
            for (unsigned n = 0; n < most; ++n) {
                if (options.expand && feed.wants_expansion()) {
                    feed.expanded("{}");
                }
                const auto item = feed.pop();
                for (unsigned slot = 0; item && item->event && slot < 4; ++slot) {
                    if ((item->mask >> slot & 1U) != 0) {
                        got[slot].push_back(item->event->cursor.seq);
                    }
                }
            }
        };
        const auto turn_page = [&] {
            const auto asked = feed.wants_page();
            if (!asked) {
                return;
            }
            if (history.covers(asked->after)) {
                const auto page = history.page_after(asked->after, 1, 1 + pick(5));
                feed.take(*asked, page, page.upto == history.head());
                return;
            }
            History::Page page;
            page.upto = asked->after;
            const auto most = 1 + pick(5);
            for (const auto& one : log) {
                if (one->cursor > asked->after && one->site == 1 && page.events.size() < most) {
                    page.events.push_back(one);
                    page.upto = one->cursor;
                }
            }
            if (page.events.size() < most) {
                page.upto = history.head(); // the question was asked after the reader had come that far
            }
            feed.take(*asked, page, false);
        };
        for (int step = 0; step < 300; ++step) {
            switch (pick(6)) {
            case 0:
            case 1: {
                const auto made = event(++seq, "appointment.created", pick(3) == 0 ? 2 : 1);
                log.push_back(made);
                feed.offer(made);
                history.append(made);
                break;
            }
            case 2:
                give_out(1 + pick(5));
                break;
            case 3:
            case 4:
                turn_page();
                break;
            default: {
                const auto slot = pick(4);
                if (begun[slot]) {
                    break;
                }
                begun[slot] = pick(2) == 0 ? seq : pick(static_cast<unsigned>(seq) + 1);
                if (*begun[slot] == seq) {
                    feed.follow(slot, {}, history.head());
                } else {
                    feed.replay(slot, {}, {7, *begun[slot]});
                }
            }
            }
        }
        while (true) {
            give_out(1000);
            const auto before = feed.backlog();
            turn_page();
            if (feed.settled() || (!begun[0] && !begun[1] && !begun[2] && !begun[3])) {
                break;
            }
            ASSERT_LT(before, 1000U);
        }
        give_out(1000);
        ASSERT_FALSE(feed.overflowed());
        for (unsigned slot = 0; slot < 4; ++slot) {
            for (const auto& one : log) {
                if (begun[slot] && one->site == 1 && one->cursor.seq > *begun[slot]) {
                    wanted[slot].push_back(one->cursor.seq);
                }
            }
            ASSERT_EQ(got[slot], wanted[slot]) << "seed " << seed << ", slot " << slot;
        }
    }
}

} // namespace
