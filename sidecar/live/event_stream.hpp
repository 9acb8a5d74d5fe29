// Server-sent events (WHATWG HTML, "server-sent events"): what is written into the answer to GET /api/v1/stream, and
// what is to be done for it. No I/O, no clock.
// Invariant: the id of every event is a place from which the stream can be resumed without loss or repetition; the same
// holds for the ids that go with heartbeats, so that a stream whose filter lets nothing through stays resumable.
#pragma once

#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <variant>

#include "live/feed.hpp"
#include "live/protocol.hpp"

namespace radscheduler::sidecar::live {

struct EventStreamOptions {
    std::chrono::seconds heartbeat{15};
    std::chrono::milliseconds retry{2000};
    std::chrono::seconds cut_limit{5};
    bool legacy = false; // without names, so that onmessage gets them
    FeedOptions feed;
};

class EventStream {
public:
    struct Write {
        std::string text;
    };
    struct Locate {
        Place since;
    };
    struct End {};
    using Action = std::variant<std::monostate, Write, Locate, Feed::Page, Feed::Expansion, End>;

    EventStream(const Admitted& who, EventStreamOptions options)
        : options_(options), expires_(who.expires), feed_(who.site, options.feed) {}

    // Where the stream begins; with `since` a Locate comes first.
    void start(Filter filter, std::optional<Place> since, const Place& head);
    void located(Where where, const Place& head);
    void page(const Feed::Page& asked, const History::Page& page, bool reached);
    void expanded(const std::string& json) { feed_.expanded(json); }
    void offer(const EventPtr& event);
    void tick(Moment now, std::chrono::system_clock::time_point wall);
    void close() { closing_ = true; }

    Action next();
    bool must_cut(Moment now) const { return closing_since_ && now - *closing_since_ > options_.cut_limit; }
    bool overflowed() const { return overflowed_; }

private:
    void say_id(Cursor cursor);
    void note_overflow();

    EventStreamOptions options_;
    std::optional<std::chrono::system_clock::time_point> expires_;
    Feed feed_;
    Filter filter_;
    std::optional<Place> since_;
    std::string epoch_;
    std::deque<std::string> said_;
    std::optional<Moment> beat_;
    std::optional<Moment> closing_since_;
    bool overflowed_ = false;
    bool closing_ = false;
    bool ended_ = false;
};

} // namespace radscheduler::sidecar::live
