#include "auth/throttle.hpp"

#include <algorithm>
#include <cmath>

namespace radscheduler::sidecar::auth {

Throttle::Throttle(Rate rate, std::size_t most_names)
    : rate_(rate), most_names_(std::max<std::size_t>(most_names, 1)) {}

std::chrono::milliseconds Throttle::take(const std::string& name, Time now) {
    auto found = buckets_.find(name);
    if (found == buckets_.end()) {
        if (buckets_.size() >= most_names_) {
            buckets_.erase(order_.front());
            order_.pop_front();
        }
        order_.push_back(name);
        found = buckets_.emplace(name, Bucket{rate_.burst, now, std::prev(order_.end())}).first;
    } else {
        order_.splice(order_.end(), order_, found->second.place);
    }
    auto& bucket = found->second;
    const auto passed = std::chrono::duration<double, std::milli>(now - bucket.filled).count();
    const auto each = static_cast<double>(rate_.each.count());
    bucket.tokens = std::min(rate_.burst, bucket.tokens + std::max(passed, 0.0) / each);
    bucket.filled = std::max(bucket.filled, now);
    if (bucket.tokens >= 1) {
        bucket.tokens -= 1;
        return std::chrono::milliseconds(0);
    }
    return std::chrono::milliseconds(static_cast<long long>(std::ceil((1 - bucket.tokens) * each)));
}

} // namespace radscheduler::sidecar::auth
