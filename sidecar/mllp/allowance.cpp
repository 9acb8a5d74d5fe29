#include <algorithm>

#include "mllp/quarantine.hpp"

namespace radscheduler::sidecar::mllp {

bool Allowance::take(std::chrono::steady_clock::time_point now) {
    if (at_ != std::chrono::steady_clock::time_point{}) {
        left_ = std::min(most_, left_ + per_second_ * std::chrono::duration<double>(now - at_).count());
    }
    at_ = now;
    if (left_ < 1) {
        return false;
    }
    left_ -= 1;
    return true;
}

} // namespace radscheduler::sidecar::mllp
