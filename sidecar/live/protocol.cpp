#include "live/protocol.hpp"

#include <utility>

#include <nlohmann/json.hpp>

namespace radscheduler::sidecar::live {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t most_answers = 256; // that a client has not read yet
constexpr std::size_t most_held = 8;      // frames of somebody who is still being looked up

// Close codes of our own (4000 and up) follow the HTTP status of the same meaning.
constexpr unsigned going_on_too_long = 1013;
constexpr unsigned bad_frame = 4400;
constexpr unsigned unauthorized = 4401;
constexpr unsigned forbidden = 4403;
constexpr unsigned auth_timeout = 4408;
constexpr unsigned too_many = 4429;

std::string dump(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

} // namespace

const char* reason_of(Where where) {
    return where == Where::epoch_changed ? "epoch_changed" : "cursor_expired";
}

void Protocol::say(std::string frame) {
    if (said_.size() >= most_answers) {
        note_overflow();
        return;
    }
    said_.push_back(std::move(frame));
}

void Protocol::say_error(std::string_view code, std::string_view detail, const std::string& id) {
    Json frame{{"op", "error"}, {"code", code}, {"detail", detail}};
    if (!id.empty()) {
        frame["id"] = id;
    }
    say(dump(frame));
}

void Protocol::admitted(const Admitted& who, const Place& head) {
    checking_ = false;
    if (feed_) { // a fresh token for the same caller
        if (who.site != feed_->site() || who.name != name_) {
            close(forbidden, "the token is somebody else's");
            return;
        }
        expires_ = who.expires;
        say(R"({"op":"authenticated"})");
        return;
    }
    name_ = who.name;
    expires_ = who.expires;
    feed_.emplace(who.site, options_.feed);
    if (options_.legacy) {
        names_[0].id = "legacy";
        feed_->follow(0, options_.legacy_filter, head.cursor);
        return;
    }
    say(dump(Json{{"op", "hello"},
                  {"version", 1},
                  {"server", options_.server},
                  {"epoch", head.epoch},
                  {"cursor", to_text(head.cursor)},
                  {"heartbeat_s", options_.heartbeat.count()},
                  {"limits",
                   {{"frame_bytes", options_.max_frame},
                    {"ops_per_second", options_.ops_per_second},
                    {"subscriptions", Feed::slots},
                    {"backlog_events", options_.feed.most_events},
                    {"backlog_bytes", options_.feed.most_bytes}}}}));
    for (auto& op : std::exchange(held_, {})) {
        act(std::move(op));
    }
}

void Protocol::refused(unsigned close_code, std::string reason) {
    checking_ = false;
    close(close_code, std::move(reason));
}

bool Protocol::is_too_fast(Moment now) {
    if (now - ops_since_ >= std::chrono::seconds(1)) {
        ops_since_ = now;
        ops_ = 0;
    }
    return ++ops_ > options_.ops_per_second;
}

void Protocol::received(std::string_view frame, Moment now) {
    if (closing_) {
        return;
    }
    if (is_too_fast(now)) {
        close(too_many, "too many frames in a second");
        return;
    }
    auto op = read_client_frame(frame);
    if (auto* auth = std::get_if<AuthOp>(&op)) {
        if (!to_check_ && !checking_) {
            to_check_ = std::move(auth->token);
        }
        return;
    }
    if (const auto* fault = std::get_if<Fault>(&op); fault != nullptr && fault->code == "bad_frame") {
        close(bad_frame, fault->detail);
        return;
    }
    if (feed_) {
        act(std::move(op));
    } else if ((checking_ || to_check_) && held_.size() < most_held) {
        held_.push_back(std::move(op));
    } else {
        close(unauthorized, "authenticate first");
    }
}

void Protocol::act(ClientOp op) {
    if (const auto* fault = std::get_if<Fault>(&op)) {
        say_error(fault->code, fault->detail, fault->id);
    } else if (auto* subscription = std::get_if<SubscribeOp>(&op)) {
        subscribe(std::move(*subscription));
    } else if (const auto* ended = std::get_if<UnsubscribeOp>(&op)) {
        unsubscribe(*ended);
    } else if (const auto* ping = std::get_if<PingOp>(&op)) {
        say(R"({"op":"pong","t":)" + ping->t + "}");
    }
}

std::optional<Feed::Slot> Protocol::slot_of(const std::string& id) const {
    for (Feed::Slot slot = 0; slot < Feed::slots; ++slot) {
        if (names_[slot].id == id) {
            return slot;
        }
    }
    return std::nullopt;
}

void Protocol::subscribe(SubscribeOp op) {
    if (slot_of(op.id)) {
        say_error("duplicate_id", "There is a subscription with this id. Unsubscribe it first, or use another id.",
                  op.id);
        return;
    }
    const auto slot = slot_of(std::string());
    if (!slot) {
        say_error("too_many_subscriptions", "A connection has at most 32 subscriptions. Join some, or end one.", op.id);
        return;
    }
    names_[*slot] = {op.id, ++last_serial_, false};
    waiting_[*slot] = std::move(op.filter);
    to_locate_.push_back({*slot, last_serial_, std::move(op.since)});
}

void Protocol::located(const Locate& asked, Where where, std::size_t behind, const Place& head) {
    const auto slot = asked.slot;
    auto& named = names_[slot];
    if (!feed_ || named.serial != asked.serial || named.is_located) {
        return; // it was left meanwhile
    }
    named.is_located = true;
    const bool resumes = where == Where::ok && asked.since.has_value();
    const bool replays = resumes && asked.since->cursor < head.cursor;
    if (where != Where::ok) {
        say(dump(Json{{"op", "resync"},
                      {"id", named.id},
                      {"reason", reason_of(where)},
                      {"epoch", head.epoch},
                      {"cursor", to_text(head.cursor)}}));
    }
    say(dump(Json{{"op", "subscribed"},
                  {"id", named.id},
                  {"replay", replays ? behind : 0},
                  {"cursor", to_text(replays ? asked.since->cursor : head.cursor)}}));
    auto filter = std::move(waiting_[slot]);
    waiting_[slot] = {};
    if (replays) {
        feed_->replay(slot, std::move(filter), asked.since->cursor);
        return;
    }
    feed_->follow(slot, std::move(filter), head.cursor);
    if (resumes) {
        say(dump(Json{{"op", "replayed"}, {"id", named.id}}));
    }
}

void Protocol::unsubscribe(const UnsubscribeOp& op) {
    const auto slot = slot_of(op.id);
    if (!slot) {
        say_error("unknown_id", "There is no subscription with this id.", op.id);
        return;
    }
    std::erase_if(to_locate_, [&](const Locate& one) { return one.slot == *slot; });
    feed_->leave(*slot);
    names_[*slot] = {};
    say(dump(Json{{"op", "unsubscribed"}, {"id", op.id}}));
}

void Protocol::offer(const EventPtr& event) {
    if (!feed_ || closing_) {
        return;
    }
    feed_->offer(event);
    if (feed_->overflowed()) {
        note_overflow();
    }
}

void Protocol::page(const Feed::Page& asked, const History::Page& page, bool reached) {
    feed_->take(asked, page, reached);
    if (feed_->overflowed()) {
        note_overflow();
    }
}

void Protocol::expanded(const std::string& json) {
    feed_->expanded(json);
}

void Protocol::note_overflow() {
    if (overflowed_) {
        return;
    }
    overflowed_ = true;
    said_.clear();
    said_.push_back(R"({"op":"resync","reason":"slow_consumer"})");
    close(going_on_too_long, "events were not read fast enough");
}

void Protocol::close(unsigned code, std::string reason) {
    if (!closing_) {
        closing_ = Close{code, std::move(reason)};
        if (!overflowed_) {
            to_locate_.clear();
        }
    }
}

void Protocol::tick(Moment now, std::chrono::system_clock::time_point wall) {
    const bool has_begun = started_ != Moment{}; // the handshake of the WebSocket comes before
    if (has_begun && !feed_ && !checking_ && !to_check_ && now - started_ > options_.auth_limit) {
        close(auth_timeout, "nobody authenticated in time");
    }
    if (expires_ && *expires_ <= wall) {
        close(unauthorized, "the token has run out");
    }
    if (closing_ && !closing_since_) {
        closing_since_ = now;
    }
    if (closing_ || !feed_ || !options_.says_heartbeat || options_.legacy) {
        return;
    }
    if (!beat_) {
        beat_ = now;
    }
    if (now - *beat_ >= options_.heartbeat && said_.empty()) {
        beat_ = now;
        const auto settled = feed_->settled();
        Json frame{{"op", "hb"}};
        if (settled) {
            frame["cursor"] = to_text(*settled);
        }
        say(dump(frame));
    }
}

std::string Protocol::event_frame(const Feed::Item& item) const {
    if (options_.legacy) {
        return *item.body;
    }
    std::string subs;
    for (Feed::Slot slot = 0; slot < Feed::slots; ++slot) {
        if ((item.mask >> slot & 1U) != 0) {
            subs += (subs.empty() ? "\"" : ",\"") + names_[slot].id + "\"";
        }
    }
    if (!item.event) {
        return R"({"op":"replayed","id":)" + subs + "}";
    }
    return R"({"op":"event","sub":[)" + subs + R"(],"cursor":")" + to_text(item.event->cursor) + R"(","event":)" +
           *item.body + "}";
}

Protocol::Action Protocol::next() {
    if (ended_) {
        return {};
    }
    if (!said_.empty()) {
        Write write{std::move(said_.front())};
        said_.pop_front();
        return write;
    }
    if (closing_) {
        ended_ = true;
        return *closing_;
    }
    if (to_check_) {
        Authenticate authenticate{std::move(*to_check_)};
        to_check_.reset();
        checking_ = true;
        return authenticate;
    }
    if (!feed_) {
        return {};
    }
    if (!to_locate_.empty()) {
        auto locate = std::move(to_locate_.front());
        to_locate_.pop_front();
        return locate;
    }
    if (auto page = feed_->wants_page()) {
        return *page;
    }
    if (auto expansion = feed_->wants_expansion()) {
        return std::move(*expansion);
    }
    if (auto item = feed_->pop()) {
        return Write{event_frame(*item)};
    }
    return {};
}

} // namespace radscheduler::sidecar::live
