// A TCP connection to Redis that runs exchanges, one at a time, each with a deadline.
// Invariant: after any failure the connection is closed; connect() makes a new one.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "net/asio.hpp"
#include "net/tcp.hpp"
#include "net/watchdog.hpp"
#include "redis/exchange.hpp"
#include "redis/url.hpp"

namespace radscheduler::sidecar::redis {

class Client {
public:
    Client(const asio::any_io_executor& executor, Url url);

    // Each returns the reason of the failure, or nothing.
    Task<std::string> connect();
    Task<std::string> send(std::vector<Command> commands);

    bool connected() const { return connected_; }
    // When the last reply came, for health and for the next PING.
    Clock::time_point last_reply() const { return last_reply_; }
    void interrupt();

private:
    Task<std::string> run(Exchange& exchange);
    std::string fail(std::string reason);

    Url url_;
    tcp::resolver resolver_;
    tcp::socket socket_;
    Watchdog watchdog_;
    Clock::time_point last_reply_{};
    bool connected_ = false;
};

} // namespace radscheduler::sidecar::redis
