// Reads single keys from Redis for many who ask at once, on a connection of its own that it keeps alive.
// Invariants: get() never fails and never waits longer than `patience`, whatever Redis does; while the connection is
// down it does not wait at all. Who asks while an exchange is under way shares the next one.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "net/signal.hpp"
#include "redis/client.hpp"
#include "redis/lookup.hpp"

namespace radscheduler::sidecar::redis {

class Reader : public std::enable_shared_from_this<Reader> {
public:
    Reader(asio::any_io_executor executor, Url url, TlsFiles tls);

    void start();
    void stop();
    bool connected() const { return client_.connected(); }

    Task<Found> get(std::string key);

    static constexpr Milliseconds patience{100};

private:
    struct Waiter {
        explicit Waiter(const asio::any_io_executor& executor, std::string wanted)
            : key(std::move(wanted)), answered(executor) {}
        std::string key;
        Found found;
        Signal answered;
    };
    using Waiters = std::vector<std::shared_ptr<Waiter>>;

    Task<void> run();
    Task<void> serve();
    Task<void> look_up();
    void tell_refusal(const std::string& word);

    static constexpr std::size_t most_waiters = 256;

    asio::any_io_executor executor_;
    Client client_;
    Waiters waiters_; // of the next exchange
    Signal wake_;     // somebody waits, or the end
    Signal pause_;    // only the end
    bool told_refusal_ = false;
    bool stopped_ = false;
};

} // namespace radscheduler::sidecar::redis
