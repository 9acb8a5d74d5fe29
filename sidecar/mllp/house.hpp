// What all connections of all MLLP listeners share: the way to the database, the limits, and who is in.
// Invariant: a connection that was let in is counted until leave() is called for it, once.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>

#include "mllp/intake.hpp"
#include "mllp/quarantine.hpp"

namespace radscheduler::sidecar::mllp {

struct Limits {
    std::size_t max_frame = 16U << 20U;
    std::size_t max_connections = 1000;   // in all
    std::size_t max_per_peer = 100;       // from one address
    std::size_t max_memory = 256U << 20U; // of messages that have not arrived completely, in all
    Milliseconds start_timeout{300'000};
    Milliseconds idle_timeout{86'400'000};
    Milliseconds frame_timeout{60'000};
    Milliseconds write_timeout{30'000};
    std::uint16_t http_port = 0; // named in the answer to HTTP on an MLLP port
};

class House {
public:
    enum class Entry { let_in, full, full_for_peer };

    House(Limits limits, std::shared_ptr<Intake> intake, std::shared_ptr<Quarantine> quarantine, Counters& counters)
        : limits(limits), intake(std::move(intake)), quarantine(std::move(quarantine)), counters(counters) {}

    Entry enter(const std::string& address) {
        if (in_ >= limits.max_connections) {
            return Entry::full;
        }
        auto& of_peer = by_address_[address];
        if (of_peer >= limits.max_per_peer) {
            return Entry::full_for_peer;
        }
        ++of_peer;
        ++in_;
        return Entry::let_in;
    }
    void leave(const std::string& address) {
        --in_;
        const auto found = by_address_.find(address);
        if (--found->second == 0) {
            by_address_.erase(found);
        }
    }
    std::size_t in() const { return in_; }

    const Limits limits;
    const std::shared_ptr<Intake> intake;
    const std::shared_ptr<Quarantine> quarantine;
    Counters& counters;
    std::size_t memory = 0; // bytes of messages that have not arrived completely

private:
    std::map<std::string, std::size_t> by_address_;
    std::size_t in_ = 0;
};

} // namespace radscheduler::sidecar::mllp
