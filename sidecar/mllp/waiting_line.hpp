// What waits for the database, and what of it goes together in one transaction. A state machine without socket and
// database.
//
// Rules: nothing waits for company: what is there when a session with PostgreSQL is free goes, alone or together. First
// come, first served. Entries of different groups never share a transaction, and neither does one that asked to go
// alone. Few sessions work at a time, because what waits for them meanwhile goes together, which costs far less than a
// transaction each; but one that has been busy for long (it waits for a lock) does not hold up the rest.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace radscheduler::sidecar::mllp {

struct BatchLimits {
    std::size_t messages = 50;          // in one transaction
    std::size_t bytes = 1U << 20U;      // in one transaction; a larger message goes alone
    std::size_t sessions = 2;           // that work at a time while none of them is slow
    std::size_t most_sessions = 8;      // that work at a time when others are slow
    std::chrono::milliseconds slow{50}; // a session that has been busy for longer does not count
};

class WaitingLine {
public:
    using Instant = std::chrono::steady_clock::time_point;

    struct Entry {
        std::uint64_t ticket = 0;
        std::size_t messages = 1;
        std::size_t bytes = 0;
        std::size_t group = 0;
        bool alone = false;
    };

    explicit WaitingLine(BatchLimits limits) : limits_(limits) {}

    void push(Entry entry) {
        messages_ += entry.messages;
        entries_.push_back(entry);
    }
    bool empty() const { return entries_.empty(); }
    std::size_t messages() const { return messages_; }

    // The tickets that go together now, oldest first; nothing when nobody waits.
    std::vector<std::uint64_t> take();

    // A session asks for work. True when one more may work now; it counts until leave().
    bool may_work(Instant now) const;
    std::uint64_t enter(Instant now);
    void leave(std::uint64_t worker);
    std::size_t working() const { return workers_.size(); }

private:
    struct Worker {
        std::uint64_t id;
        Instant since;
    };

    BatchLimits limits_;
    std::deque<Entry> entries_;
    std::vector<Worker> workers_;
    std::uint64_t next_worker_ = 1;
    std::size_t messages_ = 0;
};

} // namespace radscheduler::sidecar::mllp
