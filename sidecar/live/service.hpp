// Live events as a whole: one reader of the log for the process, the hub it feeds, and the connections that follow.
// Invariants: the log is read once however many follow, and not at all when nobody does; polling goes on under the
// wake-ups; a credential that is revoked ends its connections within `recheck`.
#pragma once

#include <memory>
#include <optional>
#include <unordered_set>

#include "live/backend.hpp"
#include "live/hub.hpp"
#include "live/turns.hpp"
#include "net/signal.hpp"
#include "obs/counters.hpp"

namespace radscheduler::sidecar::live {

struct Call;

struct ServiceOptions {
    std::size_t max_connections = 500;
    std::size_t remembered = 10'000;
    std::chrono::seconds heartbeat{30};
    Milliseconds recheck{30'000}; // of credentials
};

// A connection as the service sees it.
class Connection : public Follower {
public:
    explicit Connection(const asio::any_io_executor& executor) : wake(executor) {}

    std::optional<Caller> caller;
    Signal wake;
    std::uint64_t sent = 0;
    void settle() override { wake.notify(); }
};

class Service : public std::enable_shared_from_this<Service> {
public:
    Service(asio::any_io_executor executor, ServiceOptions options, std::shared_ptr<db::Pool> pool,
            std::shared_ptr<http::Doorkeeper> door, Counters& counters);

    void start();
    // Says goodbye to everybody.
    void stop();
    // The log may have grown.
    void wake() { wake_.notify(); }

    // Answers the request whose header was read; a response when it is to be refused in plain HTTP.
    Task<std::optional<http::Response>> serve(Call& call);
    Task<http::Response> ticket(const auth::Principal& who, const std::string& trace_id) {
        return backend_.ticket(who, trace_id);
    }

    // For connections.
    void join(Connection* connection);
    void leave(Connection* connection);
    const ServiceOptions& options() const { return options_; }
    Backend& backend() { return backend_; }
    Hub& hub() { return hub_; }
    Counters& counters() { return counters_; }
    // While the reader is not there yet: waits, up to a limit.
    Task<bool> ready(Connection& connection);
    Task<Backend::Located> locate(const Place& place, int site);
    // A page of the history, from memory or from the database. `reached` says that it ends where the history ends now.
    Task<History::Page> page_after(Cursor after, int site, bool& reached);

private:
    Task<void> read();
    Task<void> tick();
    Task<void> end_lapsed();

    asio::any_io_executor executor_;
    ServiceOptions options_;
    Backend backend_;
    Counters& counters_;
    Hub hub_;
    Turns replays_;
    Signal wake_;
    Signal pause_;
    std::unordered_set<Connection*> connections_;
    bool stopped_ = false;
};

// In websocket.cpp and sse.cpp: serve until the connection ends. A response when it is refused before it began.
Task<std::optional<http::Response>> serve_websocket(std::shared_ptr<Service> service, Call& call);
Task<std::optional<http::Response>> serve_events(std::shared_ptr<Service> service, Call& call);

} // namespace radscheduler::sidecar::live
