// A connection to Redis or Valkey that runs exchanges, one at a time, each with a deadline.
// Invariant: after any failure the connection is closed; connect() makes a new one.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "net/asio.hpp"
#include "net/watchdog.hpp"
#include "redis/exchange.hpp"
#include "redis/lookup.hpp"
#include "redis/tls.hpp"
#include "redis/url.hpp"
#include "redis/wire.hpp"

namespace radscheduler::sidecar::redis {

class Client {
public:
    static constexpr Milliseconds exchange_timeout{5000};

    Client(asio::any_io_executor executor, Url url, TlsFiles tls);

    // Each returns the reason of the failure, or nothing.
    Task<std::string> connect();
    Task<std::string> send(std::vector<Command> commands, Milliseconds limit = exchange_timeout);
    Task<std::string> look_up(Lookup& lookup, Milliseconds limit);

    // How many commands of the last send() were refused because what they would add was there already.
    std::size_t repeated() const { return repeated_; }
    bool connected() const { return connected_; }
    // When the last reply came, for health and for the next PING.
    Clock::time_point last_reply() const { return last_reply_; }
    void interrupt();

private:
    template <class Machine>
    Task<std::string> run(Machine& exchange, Milliseconds limit);
    std::string fail(std::string reason);

    asio::any_io_executor executor_;
    Url url_;
    TlsFiles tls_;
    std::shared_ptr<Wire> wire_; // shared: one that was closed may still have a wait to return from
    Watchdog watchdog_;
    Clock::time_point last_reply_{};
    std::size_t repeated_ = 0;
    bool connected_ = false;
};

} // namespace radscheduler::sidecar::redis
