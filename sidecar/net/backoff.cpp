#include "net/backoff.hpp"

#include <algorithm>
#include <random>

namespace radscheduler::sidecar {

Backoff::Backoff(std::chrono::milliseconds first, std::chrono::milliseconds limit)
    : first_(std::max(first, std::chrono::milliseconds(1))), limit_(std::max(limit, first_)), step_(first_) {}

std::chrono::milliseconds Backoff::next(std::uint64_t random) {
    const auto ceiling = static_cast<std::uint64_t>(step_.count());
    step_ = std::min(step_ * 2, limit_);
    return std::chrono::milliseconds(1 + random % ceiling);
}

std::uint64_t random_number() {
    static std::mt19937_64 generator{std::random_device{}()};
    return generator();
}

} // namespace radscheduler::sidecar
