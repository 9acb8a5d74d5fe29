// Answered HTTP requests, as numbers (part of Counters).
// Invariant: labels are templates of routes and methods of this program, never paths as sent; any thread may count.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string_view>
#include <tuple>

#include "obs/counter.hpp"

namespace radscheduler::sidecar {

class HttpCounters {
public:
    // Route template, method, status. The texts must live as long as the program.
    using Key = std::tuple<std::string_view, std::string_view, unsigned>;

    void note(const Key& key, double seconds) {
        seconds_.add(seconds);
        const std::lock_guard<std::mutex> lock(mutex_);
        ++answers_[key];
    }
    std::map<Key, std::uint64_t> answers() const {
        const std::lock_guard<std::mutex> lock(mutex_);
        return answers_;
    }
    const Durations& seconds() const { return seconds_; }

private:
    mutable std::mutex mutex_;
    std::map<Key, std::uint64_t> answers_;
    Durations seconds_;
};

} // namespace radscheduler::sidecar
