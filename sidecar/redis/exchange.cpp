#include "redis/exchange.hpp"

namespace radscheduler::sidecar::redis {

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
        if (reply->kind == Reply::Kind::error) {
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

} // namespace radscheduler::sidecar::redis
