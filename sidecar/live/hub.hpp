// All who follow live events in this process, and the history they share. What is read once goes to everybody. No I/O.
#pragma once

#include <span>
#include <unordered_set>

#include "live/history.hpp"
#include "live/protocol.hpp"

namespace radscheduler::sidecar::live {

// Somebody to whom events are offered; what becomes of it is his own matter.
class Follower {
public:
    virtual ~Follower() = default;
    virtual void offer(const EventPtr& event) = 0;
    virtual void settle() = 0; // a batch has been offered
    virtual void tick(Moment now, std::chrono::system_clock::time_point wall) = 0;
    virtual void end(unsigned code, const char* reason) = 0;
};

class Hub {
public:
    explicit Hub(std::size_t remembered) : history_(remembered) {}

    void join(Follower* follower) { followers_.insert(follower); }
    void leave(Follower* follower) { followers_.erase(follower); }
    std::size_t size() const { return followers_.size(); }

    // The reader begins at a place, or goes on after a loss. In another epoch nobody's cursor means anything: all are
    // sent away.
    void begin(const Place& head);
    void publish(std::vector<EventPtr> events);
    void tick(Moment now, std::chrono::system_clock::time_point wall);
    void end(unsigned code, const char* reason);

    // The reader stops, as nobody follows: what is remembered grows old.
    void rest() { head_ = {}; }
    bool is_reading() const { return !head_.epoch.empty(); }
    const History& history() const { return history_; }
    Place head() const { return {head_.epoch, history_.head()}; }

private:
    template <class Do>
    void for_each(Do&& each);

    History history_;
    Place head_;
    std::unordered_set<Follower*> followers_;
};

} // namespace radscheduler::sidecar::live
