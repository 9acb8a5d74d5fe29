// The WebSocket protocol radsched.v1: what is said to a client, and what is to be done for it. No I/O, no clock.
//
// Invariants: nobody gets an event before he was admitted; after `close` nothing more is said. next() gives one thing
// to do at a time; what takes time (asking who somebody is, where a cursor stands, a page, an expansion) is answered by
// the call named beside it, before next() is called again.
#pragma once

#include <array>
#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "live/client_frame.hpp"
#include "live/feed.hpp"

namespace radscheduler::sidecar::live {

using Moment = std::chrono::steady_clock::time_point;

struct ProtocolOptions {
    std::string server;                 // name and version
    std::chrono::seconds heartbeat{30}; // of WebSocket pings, which the I/O loop sends
    bool says_heartbeat = false;        // {"op":"hb"} too: a browser's script cannot see pings
    bool legacy = false;                // the guide's form: no hello, everything from the start
    Filter legacy_filter;               // what is followed then
    FeedOptions feed;
    std::chrono::seconds auth_limit{5}; // how long somebody unknown may stay
    std::chrono::seconds cut_limit{5};  // how long a farewell may take
    std::size_t ops_per_second = 20;
    std::size_t max_frame = 16U << 10U;
};

// Who a connection turned out to be, as far as the protocol cares.
struct Admitted {
    int site = 0;
    std::string name;
    std::optional<std::chrono::system_clock::time_point> expires;
};

// Whether a cursor can be followed without a gap.
enum class Where { ok, cursor_expired, epoch_changed };
const char* reason_of(Where where);

class Protocol {
public:
    struct Write {
        std::string frame;
    };
    struct Authenticate { // admitted() or refused()
        std::string token;
    };
    struct Locate { // located()
        Feed::Slot slot;
        std::uint64_t serial;       // of the subscription: a slot may have been given to another meanwhile
        std::optional<Place> since; // empty: from now on
    };
    struct Close {
        unsigned code;
        std::string reason;
    };
    // Feed::Page: page(). Feed::Expansion: expanded(). Nothing to do: monostate.
    using Action = std::variant<std::monostate, Write, Authenticate, Locate, Feed::Page, Feed::Expansion, Close>;

    explicit Protocol(ProtocolOptions options) : options_(std::move(options)) {}

    // `is_known`: who it is was said with the handshake, and admitted() will come.
    void start(Moment now, bool is_known) {
        started_ = now;
        checking_ = is_known;
    }
    void admitted(const Admitted& who, const Place& head);
    void refused(unsigned close_code, std::string reason);
    void received(std::string_view frame, Moment now);
    void offer(const EventPtr& event);
    // `head` is the end of the history at this moment; `behind` is how many events lie between.
    void located(const Locate& asked, Where where, std::size_t behind, const Place& head);
    void page(const Feed::Page& asked, const History::Page& page, bool reached);
    void expanded(const std::string& json);
    void tick(Moment now, std::chrono::system_clock::time_point wall);
    void close(unsigned code, std::string reason);

    Action next();
    bool is_admitted() const { return feed_.has_value(); }
    // The farewell could not be written in time: cut the connection.
    bool must_cut(Moment now) const { return closing_since_ && now - *closing_since_ > options_.cut_limit; }
    bool overflowed() const { return overflowed_; }
    std::size_t backlog() const { return feed_ ? feed_->backlog() : 0; }

private:
    struct Named {
        std::string id; // empty: free
        std::uint64_t serial = 0;
        bool is_located = true;
    };

    void say(std::string frame);
    void say_error(std::string_view code, std::string_view detail, const std::string& id);
    void subscribe(SubscribeOp op);
    void unsubscribe(const UnsubscribeOp& op);
    bool is_too_fast(Moment now);
    void note_overflow();
    void act(ClientOp op);
    std::string event_frame(const Feed::Item& item) const;
    std::optional<Feed::Slot> slot_of(const std::string& id) const;

    ProtocolOptions options_;
    std::optional<Feed> feed_;
    std::array<Named, Feed::slots> names_;
    std::array<Filter, Feed::slots> waiting_; // filters of subscriptions that are being located
    std::vector<ClientOp> held_;              // said before it was clear who says it
    std::deque<std::string> said_;
    std::deque<Locate> to_locate_;
    std::optional<std::string> to_check_; // a token
    std::optional<Close> closing_;
    std::optional<Moment> closing_since_;
    bool checking_ = false;
    bool overflowed_ = false;
    bool ended_ = false;
    std::string name_;
    std::optional<std::chrono::system_clock::time_point> expires_;
    std::uint64_t last_serial_ = 0;
    Moment started_{};
    std::optional<Moment> beat_; // the last one
    Moment ops_since_{};
    std::size_t ops_ = 0; // in the second that began then
};

} // namespace radscheduler::sidecar::live
