#include "live/history.hpp"

#include <algorithm>

namespace radscheduler::sidecar::live {

void History::begin(Cursor head) {
    events_.clear();
    floor_ = head;
    head_ = head;
}

void History::append(EventPtr event) {
    if (event->cursor <= head_) {
        return; // read twice
    }
    head_ = event->cursor;
    events_.push_back(std::move(event));
    if (events_.size() > most_) {
        floor_ = events_.front()->cursor;
        events_.pop_front();
    }
}

void History::advance(Cursor head) {
    head_ = std::max(head_, head);
}

std::size_t History::first_after(Cursor after) const {
    const auto found = std::upper_bound(events_.begin(), events_.end(), after,
                                        [](Cursor cursor, const EventPtr& event) { return cursor < event->cursor; });
    return static_cast<std::size_t>(found - events_.begin());
}

std::size_t History::count_after(Cursor after, int site) const {
    return static_cast<std::size_t>(std::count_if(events_.begin() + static_cast<std::ptrdiff_t>(first_after(after)),
                                                  events_.end(),
                                                  [&](const EventPtr& event) { return event->site == site; }));
}

History::Page History::page_after(Cursor after, int site, std::size_t most) const {
    Page page;
    for (auto i = first_after(after); i < events_.size(); ++i) {
        if (events_[i]->site != site) {
            continue;
        }
        if (page.events.size() == most) {
            page.upto = page.events.back()->cursor;
            return page;
        }
        page.events.push_back(events_[i]);
    }
    page.upto = std::max(head_, after);
    return page;
}

} // namespace radscheduler::sidecar::live
