// One pipelined exchange with Redis: commands out, as many replies in. A state machine without a socket; both the
// opening of a connection (AUTH, SELECT, PING) and a batch of XADD or PUBLISH are exchanges. Invariants: done() is true
// exactly when every command has its reply, or one reply or the stream was an error. An entry of a stream that is
// there already is no error: a batch that was cut off can be sent again as a whole.
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
    // Entries that their stream had already, or had gone beyond.
    std::size_t repeated() const { return repeated_; }
    // Sum of the integer replies: how many subscribers a batch of PUBLISH reached.
    std::int64_t total() const { return total_; }

private:
    std::string bytes_;
    RespReader reader_;
    std::size_t expected_;
    std::size_t received_ = 0;
    std::size_t repeated_ = 0;
    std::int64_t total_ = 0;
    std::string error_;
};

// What a fresh connection says first. It ends with PING, whose answer shows that the server is ready for work.
std::vector<Command> opening(const Url& url);

// What to do about an error word, as a half-sentence; empty for one that says nothing known.
std::string_view advice(std::string_view error);

} // namespace radscheduler::sidecar::redis
