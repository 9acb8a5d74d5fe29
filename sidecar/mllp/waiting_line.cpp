#include "mllp/waiting_line.hpp"

#include <algorithm>

namespace radscheduler::sidecar::mllp {

std::vector<std::uint64_t> WaitingLine::take() {
    std::vector<std::uint64_t> tickets;
    if (entries_.empty()) {
        return tickets;
    }
    const auto first = entries_.front();
    std::size_t messages = 0;
    std::size_t bytes = 0;
    for (auto entry = entries_.begin(); entry != entries_.end();) {
        const bool is_first = tickets.empty();
        if (!is_first && (entry->group != first.group || entry->alone)) {
            ++entry; // its own turn comes: it is or will be the first
            continue;
        }
        if (!is_first && (messages + entry->messages > limits_.messages || bytes + entry->bytes > limits_.bytes)) {
            break;
        }
        messages += entry->messages;
        bytes += entry->bytes;
        tickets.push_back(entry->ticket);
        const bool alone = entry->alone;
        entry = entries_.erase(entry);
        if (alone) {
            break;
        }
    }
    messages_ -= messages;
    return tickets;
}

bool WaitingLine::may_work(Instant now) const {
    if (entries_.empty() || workers_.size() >= limits_.most_sessions) {
        return false;
    }
    const auto quick = static_cast<std::size_t>(std::count_if(
        workers_.begin(), workers_.end(), [&](const Worker& worker) { return now - worker.since < limits_.slow; }));
    return quick < limits_.sessions;
}

std::uint64_t WaitingLine::enter(Instant now) {
    workers_.push_back({next_worker_, now});
    return next_worker_++;
}

void WaitingLine::leave(std::uint64_t worker) {
    std::erase_if(workers_, [worker](const Worker& other) { return other.id == worker; });
}

} // namespace radscheduler::sidecar::mllp
