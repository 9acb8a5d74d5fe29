// The last events of all sites, in memory: whoever was away for a moment costs the database nothing. No I/O.
// Invariant: every event after floor() and up to head() is here; cursors ascend.
#pragma once

#include <cstddef>
#include <deque>
#include <vector>

#include "live/event.hpp"

namespace radscheduler::sidecar::live {

class History {
public:
    explicit History(std::size_t most) : most_(most) {}

    // Nothing is known before `head`, everything from then on.
    void begin(Cursor head);
    void append(EventPtr event);
    // Read on to here without finding anything.
    void advance(Cursor head);

    Cursor head() const { return head_; }
    Cursor floor() const { return floor_; }
    bool covers(Cursor after) const { return after >= floor_; }

    // How many events of a site stand after a cursor that is covered.
    std::size_t count_after(Cursor after, int site) const;
    struct Page {
        std::vector<EventPtr> events;
        Cursor upto; // all of the site's up to here are in it
    };
    Page page_after(Cursor after, int site, std::size_t most) const;

private:
    std::size_t first_after(Cursor after) const;

    std::size_t most_;
    std::deque<EventPtr> events_;
    Cursor floor_;
    Cursor head_;
};

} // namespace radscheduler::sidecar::live
