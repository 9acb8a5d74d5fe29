// Several GETs in one exchange. A state machine without a socket. Unlike Exchange, an error about one key is that key's
// own affair: a value of another kind, or a user who may not read it, must not cost the connection.
// Invariant: done() is true exactly when every key has its answer, or the stream was broken.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "redis/resp.hpp"

namespace radscheduler::sidecar::redis {

// What there is under a key.
struct Found {
    enum class Kind { value, absent, unavailable }; // unavailable: Redis could not be asked, or would not say
    Kind kind = Kind::unavailable;
    std::string text;
};

class Lookup {
public:
    explicit Lookup(const std::vector<std::string>& keys);

    std::string_view bytes() const { return bytes_; }
    void feed(std::string_view received);

    bool done() const { return failed() || found_.size() == expected_; }
    bool failed() const { return !error_.empty(); }
    const std::string& error() const { return error_; }
    // In the order of the keys; complete once done() without having failed.
    std::vector<Found>& found() { return found_; }
    // The word of the first error about a key: NOPERM, WRONGTYPE ...; empty when there was none.
    const std::string& refusal() const { return refusal_; }

private:
    std::string bytes_;
    RespReader reader_;
    std::size_t expected_;
    std::vector<Found> found_;
    std::string error_;
    std::string refusal_;
};

} // namespace radscheduler::sidecar::redis
