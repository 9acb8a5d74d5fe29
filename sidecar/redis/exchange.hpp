// One pipelined exchange with Redis: commands out, as many replies in. A state machine without a socket; both the
// opening of a connection (AUTH, SELECT, PING) and a batch of PUBLISH are exchanges. Invariant: done() is true exactly
// when every command has its reply, or one reply or the stream was an error.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "redis/resp.hpp"
#include "redis/url.hpp"

namespace radscheduler::sidecar::redis {

class Exchange {
public:
    explicit Exchange(const std::vector<Command>& commands);

    // What to write, all at once.
    std::string_view bytes() const { return bytes_; }
    void feed(std::string_view received);

    bool done() const { return failed() || received_ == expected_; }
    bool failed() const { return !error_.empty(); }
    // The error word of the first bad reply, or "PROTOCOL".
    const std::string& error() const { return error_; }
    // Sum of the integer replies: how many subscribers a batch of PUBLISH reached.
    std::int64_t total() const { return total_; }

private:
    std::string bytes_;
    RespReader reader_;
    std::size_t expected_;
    std::size_t received_ = 0;
    std::int64_t total_ = 0;
    std::string error_;
};

// What a fresh connection says first. It ends with PING, whose answer shows that the server is ready for work.
std::vector<Command> opening(const Url& url);

} // namespace radscheduler::sidecar::redis
