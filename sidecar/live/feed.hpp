// What one follower is still to get: its subscriptions, where each of them is, and a bounded backlog. No I/O.
//
// Invariants: a subscription gets every event of its site that it asked for after its start, once, in order: it is
// either being replayed (pages are asked for, live events pass it by) or live, and changes over in the very step that
// read the end of the history. The backlog is bounded by number and by bytes; a follower that lets it overflow loses
// its subscriptions and is told. Pages are asked for only while the backlog is short, so a replay overflows nothing.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "live/filter.hpp"
#include "live/history.hpp"

namespace radscheduler::sidecar::live {

struct FeedOptions {
    std::size_t most_events = 2000;
    std::size_t most_bytes = 1U << 20U;
    std::size_t page_below = 200; // pages are asked for while fewer wait
    bool expand = false;          // events are given out with what stands behind their ids
    bool legacy = false;          // in the guide's form, and only those that it has a name for
};

class Feed {
public:
    using Slot = std::size_t;
    static constexpr Slot slots = 32;

    struct Item {
        EventPtr event;                          // empty: `caught_up` says which slot has been replayed to its end
        std::shared_ptr<const std::string> body; // what is sent of the event
        std::uint32_t mask = 0;                  // the slots that it is for
        Slot caught_up = 0;
    };
    struct Page {
        Slot slot;
        Cursor after;
    };
    struct Expansion {
        std::vector<std::string> appointments;
        std::vector<std::string> conflicts;
    };

    Feed(int site, FeedOptions options) : site_(site), options_(options) {}

    int site() const { return site_; }
    // From now on: `head` is the end of the history. Or from a cursor on, by pages.
    void follow(Slot slot, Filter filter, Cursor head);
    void replay(Slot slot, Filter filter, Cursor after);
    void leave(Slot slot);

    void offer(const EventPtr& event);
    // The page that was asked for. `reached`: it ends where the history ends now, so the slot is live from here.
    void take(const Page& asked, const History::Page& page, bool reached);

    // At most one page and one expansion are under way at a time.
    std::optional<Page> wants_page();
    std::optional<Expansion> wants_expansion();
    // The answer of radscheduler.live_expand().
    void expanded(const std::string& json);
    std::optional<Item> pop();

    bool overflowed() const { return overflowed_; }
    std::size_t backlog() const { return queue_.size() + staged_.size() + ready_.size(); }
    // Where to resume later; nothing while something waits or is replayed.
    std::optional<Cursor> settled() const;

private:
    struct Subscription {
        bool is_open = false;
        bool is_live = false;
        Filter filter;
        Cursor position;
    };

    void push(const EventPtr& event, std::uint32_t mask);
    static void clear_bit(std::deque<Item>& items, Slot slot);
    std::size_t cost(const Item& item) const;

    int site_;
    FeedOptions options_;
    std::array<Subscription, slots> subscriptions_;
    std::deque<Item> queue_;
    std::deque<Item> staged_; // their expansion is being asked for
    std::deque<Item> ready_;
    std::size_t bytes_ = 0;
    Slot next_page_ = 0; // slots take turns
    bool paging_ = false;
    bool overflowed_ = false;
};

} // namespace radscheduler::sidecar::live
