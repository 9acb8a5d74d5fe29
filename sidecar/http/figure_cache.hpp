// Answers of the API out of Redis, where the relay keeps figures without patient data. A favour to PostgreSQL, on which
// nothing depends: whatever is wrong with Redis, or with what is there, the answer is "ask PostgreSQL", and soon.
// Invariant: the database is asked first who the caller is and what may be shown (aggregate_place(), by act_as()), so a
// closed user, another site and a role without the right are what they are without a cache.
#pragma once

#include <memory>
#include <optional>

#include "db/pool.hpp"
#include "http/message.hpp"
#include "obs/counters.hpp"
#include "redis/reader.hpp"

namespace radscheduler::sidecar::http {

class FigureCache {
public:
    FigureCache(std::shared_ptr<db::Pool> pool, std::shared_ptr<redis::Reader> reader, Counters& counters)
        : pool_(std::move(pool)), reader_(std::move(reader)), counters_(counters) {}

    // The figures of this name (dashboard) for whoever asks; nothing: ask PostgreSQL.
    Task<std::optional<Response>> answer(const Request& request, std::string_view name);

private:
    std::shared_ptr<db::Pool> pool_;
    std::shared_ptr<redis::Reader> reader_;
    Counters& counters_;
};

} // namespace radscheduler::sidecar::http
