#include "live/hub.hpp"

namespace radscheduler::sidecar::live {

// Nobody joins or leaves meanwhile: what followers do is only to note what they were told.
template <class Do>
void Hub::for_each(Do&& each) {
    for (auto* follower : followers_) {
        each(*follower);
    }
}

void Hub::begin(const Place& head) {
    if (is_reading() && head.epoch != head_.epoch) {
        end(1012, "another database answers");
    }
    if (head.epoch != head_.epoch) {
        history_.begin(head.cursor);
    }
    head_ = head;
}

void Hub::publish(std::vector<EventPtr> events) {
    for (auto& event : events) {
        if (event->cursor <= history_.head()) {
            continue;
        }
        for_each([&](Follower& follower) { follower.offer(event); });
        history_.append(std::move(event));
    }
    for_each([](Follower& follower) { follower.settle(); });
}

void Hub::tick(Moment now, std::chrono::system_clock::time_point wall) {
    for_each([&](Follower& follower) { follower.tick(now, wall); });
}

void Hub::end(unsigned code, const char* reason) {
    for_each([&](Follower& follower) { follower.end(code, reason); });
}

} // namespace radscheduler::sidecar::live
