// Brings messages of all connections to PostgreSQL and their answers back.
// Invariants: a parcel's messages are processed in their order; it comes back with the answers of the first ones that
// committed and, when not all did, the error of the next. Nothing is answered that has not committed. What waits is
// bounded by the connections: each has one parcel under way.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "db/pool.hpp"
#include "mllp/waiting_line.hpp"
#include "net/signal.hpp"
#include "obs/counters.hpp"

namespace radscheduler::sidecar::mllp {

// What became of a message, after the commit.
struct Receipt {
    std::string message_id;
    std::string code;
    std::string outcome;
    std::string appointment_id;
    Payload ack;
    std::string conflicts;  // their codes, separated by blanks
    std::size_t shared = 1; // messages in that transaction
};

struct Parcel {
    explicit Parcel(const asio::any_io_executor& executor) : done(executor) {}

    std::vector<Payload> messages;
    std::string peer;
    std::string site;    // code of the site whose messages these are; empty: the sender decides
    std::string profile; // of senders that are new (Listener::profile)
    bool alone = false;  // each message in a transaction of its own
    std::vector<Receipt> receipts;
    std::optional<db::DbError> error;
    Signal done;
};

class Intake : public std::enable_shared_from_this<Intake> {
public:
    Intake(asio::any_io_executor executor, BatchLimits limits, std::shared_ptr<db::Pool> pool, Counters& counters);

    // Returns when every message of the parcel is committed or one could not be.
    Task<void> deliver(std::shared_ptr<Parcel> parcel);
    std::size_t waiting() const { return line_.messages(); }

private:
    using Parcels = std::vector<std::shared_ptr<Parcel>>;

    void call_workers();
    Task<void> work(std::uint64_t worker);
    Task<void> watch_for_slow();
    Task<void> together(db::Connection& connection, const Parcels& parcels);
    Task<void> singly(db::Connection& connection, Parcel& parcel);
    Parcels take();

    asio::any_io_executor executor_;
    BatchLimits limits_;
    std::shared_ptr<db::Pool> pool_;
    Counters& counters_;
    WaitingLine line_;
    std::unordered_map<std::uint64_t, std::shared_ptr<Parcel>> parcels_;
    std::vector<std::string> groups_; // sites with profiles by their number in the line
    std::uint64_t next_ticket_ = 1;
    bool watching_ = false;
    bool hungry_ = false; // a worker was called that has not taken anything yet
};

} // namespace radscheduler::sidecar::mllp
