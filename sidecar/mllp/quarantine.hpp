// Frames that never became a message: kept in radscheduler.hl7_quarantine, so that a sender's fault can be looked at.
// Invariants: nobody waits for it. What waits is bounded in number and size, and how much is kept in a time is bounded
// too: a flood of rubbish is counted and told, not stored.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "db/pool.hpp"
#include "obs/counters.hpp"

namespace radscheduler::sidecar::mllp {

struct Rejected {
    Payload bytes;
    std::string reason; // a word: half_frame, cut_off, too_large, too_slow, speaks_http, speaks_tls, wrong_sender
    std::string peer;
    std::uint64_t offset = 0; // in the connection's stream
    std::uint64_t size = 0;   // received of it; more than the bytes when only a part was kept
    std::string listener;
};

// How often something may happen: a number at once, filled up again over time. No clock in it.
class Allowance {
public:
    Allowance(double most, double per_second) : most_(most), per_second_(per_second), left_(most) {}
    bool take(std::chrono::steady_clock::time_point now);

private:
    double most_;
    double per_second_;
    double left_;
    std::chrono::steady_clock::time_point at_{};
};

class Quarantine : public std::enable_shared_from_this<Quarantine> {
public:
    Quarantine(asio::any_io_executor executor, std::shared_ptr<db::Pool> pool, Counters& counters);
    void keep(Rejected rejected);

private:
    Task<void> work();
    void lose(const Rejected& rejected, std::string_view why);

    asio::any_io_executor executor_;
    std::shared_ptr<db::Pool> pool_;
    Counters& counters_;
    std::deque<Rejected> queue_;
    std::size_t queued_bytes_ = 0;
    Allowance allowance_;
    bool working_ = false;
};

} // namespace radscheduler::sidecar::mllp
