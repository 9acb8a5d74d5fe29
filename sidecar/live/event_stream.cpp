#include "live/event_stream.hpp"

#include <utility>

namespace radscheduler::sidecar::live {

void EventStream::start(Filter filter, std::optional<Place> since, const Place& head) {
    epoch_ = head.epoch;
    said_.push_back("retry: " + std::to_string(options_.retry.count()) + "\n\n");
    since_ = std::move(since);
    if (since_) {
        filter_ = std::move(filter);
        return;
    }
    say_id(head.cursor);
    feed_.follow(0, std::move(filter), head.cursor);
}

void EventStream::say_id(Cursor cursor) {
    said_.push_back("id: " + to_text(Place{epoch_, cursor}) + "\n\n");
}

void EventStream::located(Where where, const Place& head) {
    const auto since = std::exchange(since_, std::nullopt);
    if (where == Where::ok && since->cursor < head.cursor) {
        feed_.replay(0, std::move(filter_), since->cursor);
        return;
    }
    if (where != Where::ok) {
        said_.push_back(std::string("event: resync\ndata: {\"reason\":\"") + reason_of(where) +
                        "\"}\nid: " + to_text(head) + "\n\n");
    }
    feed_.follow(0, std::move(filter_), head.cursor);
}

void EventStream::page(const Feed::Page& asked, const History::Page& page, bool reached) {
    feed_.take(asked, page, reached);
    if (feed_.overflowed()) {
        note_overflow();
    }
}

void EventStream::offer(const EventPtr& event) {
    if (closing_) {
        return;
    }
    feed_.offer(event);
    if (feed_.overflowed()) {
        note_overflow();
    }
}

// Without an id: whoever comes again resumes where he was.
void EventStream::note_overflow() {
    overflowed_ = true;
    said_.clear();
    said_.push_back("event: resync\ndata: {\"reason\":\"slow_consumer\"}\n\n");
    closing_ = true;
}

void EventStream::tick(Moment now, std::chrono::system_clock::time_point wall) {
    closing_ = closing_ || (expires_ && *expires_ <= wall);
    if (closing_) {
        closing_since_ = closing_since_.value_or(now);
        return;
    }
    beat_ = beat_.value_or(now);
    if (now - *beat_ < options_.heartbeat || !said_.empty()) {
        return;
    }
    beat_ = now;
    said_.push_back(":hb\n");
    const auto settled = since_ ? std::nullopt : feed_.settled();
    if (settled) {
        said_.back() += "id: " + to_text(Place{epoch_, *settled}) + "\n";
    }
    said_.back() += "\n";
}

EventStream::Action EventStream::next() {
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
        return End{};
    }
    if (since_) {
        return Locate{*since_};
    }
    if (auto page = feed_.wants_page()) {
        return *page;
    }
    if (auto expansion = feed_.wants_expansion()) {
        return std::move(*expansion);
    }
    while (auto item = feed_.pop()) {
        if (!item->event) {
            continue; // the end of a replay is nothing to a browser
        }
        std::string text;
        if (!options_.legacy) {
            text += "event: " + item->event->type + "\n";
        }
        text += "id: " + to_text(Place{epoch_, item->event->cursor}) + "\ndata: " + *item->body + "\n\n";
        return Write{std::move(text)};
    }
    return {};
}

} // namespace radscheduler::sidecar::live
