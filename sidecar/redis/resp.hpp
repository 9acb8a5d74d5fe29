// Redis' wire protocol, by hiredis' formatter and reader. No socket.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct redisReader;

namespace radscheduler::sidecar::redis {

using Command = std::vector<std::string>;

// The bytes of one command.
std::string encode(const Command& command);

struct Reply {
    enum class Kind { status, error, integer, string, array, nil };
    Kind kind = Kind::nil;
    std::string text; // status, error, string
    std::int64_t number = 0;
    std::vector<Reply> elements;

    // The first word of an error: NOAUTH, LOADING, READONLY ... Safe to log, unlike the rest of the text.
    std::string_view error_word() const;
    // XADD was refused because the stream has an entry with this id or a later one.
    bool is_repetition() const;
};

// Invariant: once broken, whatever came, it stays so; it keeps at most a mebibyte of what is not complete.
class RespReader {
public:
    RespReader();

    void feed(std::string_view bytes);
    // The next complete reply; nothing when more bytes are needed or the stream is broken.
    std::optional<Reply> next();
    bool broken() const { return broken_; }

private:
    std::unique_ptr<redisReader, void (*)(redisReader*)> reader_;
    bool broken_ = false;
};

} // namespace radscheduler::sidecar::redis
