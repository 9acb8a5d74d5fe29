#include "redis/exchange.hpp"

#include <array>
#include <utility>

namespace radscheduler::sidecar::redis {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 8> advices{{
    {"WRONGPASS", ": user or password of REDIS_URL are not the server's"},
    {"NOAUTH", ": it wants a password, and REDIS_URL has none"},
    {"NOPERM", ": the user of REDIS_URL may not use XADD, PUBLISH, SET, GET, DEL, SELECT or PING on radsched:*"},
    {"READONLY", ": it is a replica; REDIS_URL must name the primary"},
    {"OOM", ": its memory is full (maxmemory); events wait here until there is room"},
    {"LOADING", ": it is reading its data and will be ready soon"},
    {"MISCONF", ": it cannot save to disk and takes no writes"},
    {"MOVED", ": it is part of a cluster, which is not supported"},
}};

} // namespace

Exchange::Exchange(const std::vector<Command>& commands) : expected_(commands.size()) {
    for (const auto& command : commands) {
        bytes_ += encode(command);
    }
}

void Exchange::feed(std::string_view received) {
    reader_.feed(received);
    while (!done()) {
        const auto reply = reader_.next();
        if (!reply) {
            if (reader_.broken()) {
                error_ = "PROTOCOL";
            }
            return;
        }
        ++received_;
        if (reply->is_repetition()) {
            ++repeated_;
        } else if (reply->kind == Reply::Kind::error) {
            error_ = reply->error_word().empty() ? "ERR" : std::string(reply->error_word());
        }
        total_ += reply->number;
    }
}

std::vector<Command> opening(const Url& url) {
    std::vector<Command> commands;
    if (!url.password.empty()) {
        if (url.user.empty()) {
            commands.push_back({"AUTH", url.password});
        } else {
            commands.push_back({"AUTH", url.user, url.password});
        }
    }
    if (url.database != 0) {
        commands.push_back({"SELECT", std::to_string(url.database)});
    }
    commands.push_back({"PING"});
    return commands;
}

std::string_view advice(std::string_view error) {
    for (const auto& [word, meaning] : advices) {
        if (word == error) {
            return meaning;
        }
    }
    return {};
}

} // namespace radscheduler::sidecar::redis
