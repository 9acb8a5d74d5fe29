#include "live/feed.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace radscheduler::sidecar::live {
namespace {

constexpr std::size_t item_overhead = 64;
constexpr std::size_t most_expanded = 50; // appointments and conflicts in one question

std::uint32_t bit(Feed::Slot slot) {
    return std::uint32_t(1) << slot;
}

std::string found(const nlohmann::json& answer, const char* kind, const std::string& id) {
    const auto list = answer.find(kind);
    if (list == answer.end() || !list->is_object()) {
        return "null";
    }
    const auto one = list->find(id);
    return one == list->end() ? "null" : one->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

} // namespace

void Feed::follow(Slot slot, Filter filter, Cursor head) {
    subscriptions_[slot] = {true, true, std::move(filter), head};
}

void Feed::replay(Slot slot, Filter filter, Cursor after) {
    subscriptions_[slot] = {true, false, std::move(filter), after};
}

void Feed::leave(Slot slot) {
    subscriptions_[slot] = {};
    clear_bit(queue_, slot);
    clear_bit(staged_, slot);
    clear_bit(ready_, slot);
}

void Feed::clear_bit(std::deque<Item>& items, Slot slot) {
    for (auto& item : items) {
        item.mask &= ~bit(slot);
    }
}

void Feed::offer(const EventPtr& event) {
    if (event->site != site_ || overflowed_) {
        return;
    }
    std::uint32_t mask = 0;
    for (Slot slot = 0; slot < slots; ++slot) {
        auto& one = subscriptions_[slot];
        if (one.is_open && one.is_live && event->cursor > one.position) {
            one.position = event->cursor;
            if (one.filter.matches(*event)) {
                mask |= bit(slot);
            }
        }
    }
    push(event, mask);
}

void Feed::push(const EventPtr& event, std::uint32_t mask) {
    if (mask == 0 || (options_.legacy && !event->legacy)) {
        return;
    }
    Item item;
    item.event = event;
    item.body = options_.legacy ? event->legacy : event->payload;
    item.mask = mask;
    bytes_ += cost(item);
    queue_.push_back(std::move(item));
    if (backlog() > options_.most_events || bytes_ > options_.most_bytes) {
        overflowed_ = true;
        queue_.clear();
        staged_.clear();
        ready_.clear();
        bytes_ = 0;
        subscriptions_.fill({});
    }
}

std::size_t Feed::cost(const Item& item) const {
    return item_overhead + (item.body ? item.body->size() : 0);
}

void Feed::take(const Page& asked, const History::Page& page, bool reached) {
    paging_ = false;
    const auto slot = asked.slot;
    auto& one = subscriptions_[slot];
    if (!one.is_open || one.is_live || one.position != asked.after) {
        return; // it was left meanwhile, or is another one by now
    }
    for (const auto& event : page.events) {
        if (!overflowed_ && event->cursor > one.position && one.filter.matches(*event)) {
            push(event, bit(slot));
        }
    }
    if (overflowed_) {
        return;
    }
    one.position = std::max(one.position, page.upto);
    one.is_live = reached;
    if (reached) {
        Item note;
        note.mask = bit(slot);
        note.caught_up = slot;
        bytes_ += cost(note);
        queue_.push_back(std::move(note));
    }
}

std::optional<Feed::Page> Feed::wants_page() {
    if (paging_ || overflowed_ || backlog() >= options_.page_below) {
        return std::nullopt;
    }
    for (Slot i = 0; i < slots; ++i) {
        const Slot slot = (next_page_ + i) % slots;
        if (subscriptions_[slot].is_open && !subscriptions_[slot].is_live) {
            next_page_ = slot + 1;
            paging_ = true;
            return Page{slot, subscriptions_[slot].position};
        }
    }
    return std::nullopt;
}

std::optional<Feed::Expansion> Feed::wants_expansion() {
    if (!options_.expand || !staged_.empty() || !ready_.empty() || queue_.empty()) {
        return std::nullopt;
    }
    Expansion ids;
    while (!queue_.empty() && staged_.size() < most_expanded) {
        const auto& item = queue_.front();
        if (item.event && !item.event->appointment.empty()) {
            ids.appointments.push_back(item.event->appointment);
        }
        if (item.event && !item.event->conflict.empty()) {
            ids.conflicts.push_back(item.event->conflict);
        }
        staged_.push_back(std::move(queue_.front()));
        queue_.pop_front();
    }
    return ids;
}

void Feed::expanded(const std::string& json) {
    const auto answer = nlohmann::json::parse(json, nullptr, false);
    while (!staged_.empty()) {
        auto item = std::move(staged_.front());
        staged_.pop_front();
        if (item.event && answer.is_object()) {
            const auto before = cost(item);
            if (!item.event->appointment.empty()) {
                item.body =
                    with_data(*item.body, "appointment", found(answer, "appointments", item.event->appointment));
            }
            if (!item.event->conflict.empty()) {
                item.body = with_data(*item.body, "conflict", found(answer, "conflicts", item.event->conflict));
            }
            bytes_ += cost(item) - before;
        }
        ready_.push_back(std::move(item));
    }
}

std::optional<Feed::Item> Feed::pop() {
    auto& items = options_.expand ? ready_ : queue_;
    while (!items.empty()) {
        auto item = std::move(items.front());
        items.pop_front();
        bytes_ -= std::min(bytes_, cost(item));
        if (item.mask != 0) {
            return item;
        }
    }
    return std::nullopt;
}

std::optional<Cursor> Feed::settled() const {
    std::optional<Cursor> least;
    for (const auto& one : subscriptions_) {
        if (one.is_open && !one.is_live) {
            return std::nullopt;
        }
        if (one.is_open) {
            least = least ? std::min(*least, one.position) : one.position;
        }
    }
    return backlog() == 0 ? least : std::nullopt;
}

} // namespace radscheduler::sidecar::live
