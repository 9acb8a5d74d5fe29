// How often somebody may try: a bucket of tokens for each name, filled at an even rate. Knows no clock and no socket;
// bounded, for names come from outside: when it is full the name that was quiet longest is forgotten.
#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <string>
#include <unordered_map>

namespace radscheduler::sidecar::auth {

struct Rate {
    double burst = 10;                    // tokens at once
    std::chrono::milliseconds each{1000}; // time for one token to come back
};

class Throttle {
public:
    using Time = std::chrono::steady_clock::time_point;

    explicit Throttle(Rate rate, std::size_t most_names = 10000);

    // Takes a token of this name. Zero when there was one; else how long until there is one again.
    std::chrono::milliseconds take(const std::string& name, Time now);

    std::size_t size() const { return buckets_.size(); }

private:
    struct Bucket {
        double tokens;
        Time filled;
        std::list<std::string>::iterator place;
    };

    Rate rate_;
    std::size_t most_names_;
    std::unordered_map<std::string, Bucket> buckets_;
    std::list<std::string> order_; // the quietest first
};

} // namespace radscheduler::sidecar::auth
