#include "redis/lookup.hpp"

namespace radscheduler::sidecar::redis {

Lookup::Lookup(const std::vector<std::string>& keys) : expected_(keys.size()) {
    for (const auto& key : keys) {
        bytes_ += encode({"GET", key});
    }
}

void Lookup::feed(std::string_view received) {
    reader_.feed(received);
    while (!done()) {
        auto reply = reader_.next();
        if (!reply) {
            if (reader_.broken()) {
                error_ = "PROTOCOL";
            }
            return;
        }
        Found found;
        if (reply->kind == Reply::Kind::string) {
            found.kind = Found::Kind::value;
            found.text = std::move(reply->text);
        } else if (reply->kind == Reply::Kind::nil) {
            found.kind = Found::Kind::absent;
        } else if (refusal_.empty()) {
            refusal_ = reply->error_word().empty() ? "ERR" : std::string(reply->error_word());
        }
        found_.push_back(std::move(found));
    }
}

} // namespace radscheduler::sidecar::redis
