// What live events ask of the database and the door. No decisions; every answer is a value.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "db/pool.hpp"
#include "http/doorkeeper.hpp"
#include "live/feed.hpp"
#include "live/protocol.hpp"

namespace radscheduler::sidecar::live {

inline constexpr std::string_view events_scope = "events:read";

// Somebody who may follow the events of one site.
struct Caller {
    auth::Principal principal;
    int site = 0;
    std::string trace_id; // of the request that opened the connection

    Admitted admitted() const;
};

class Backend {
public:
    Backend(std::shared_ptr<db::Pool> pool, std::shared_ptr<http::Doorkeeper> door)
        : pool_(std::move(pool)), door_(std::move(door)) {}

    using Admission = std::variant<Caller, http::Response>;
    // By a ticket when there is one, else by what the header fields say.
    Task<Admission> admit(std::string authorization, std::string api_key, std::string ticket, std::string peer,
                          std::string trace_id);
    // For POST /api/v1/stream-tickets.
    Task<http::Response> ticket(const auth::Principal& who, const std::string& trace_id);

    // Nothing: the database does not answer; try again.
    Task<std::optional<Place>> head();
    // After a cursor, of one site or (0) of all.
    Task<std::optional<std::vector<EventPtr>>> events_after(Cursor after, int site, std::size_t most);
    struct Located {
        Where where = Where::ok;
        std::size_t behind = 0;
    };
    Task<std::optional<Located>> locate(const Place& place, int site);

    enum class Expanded { done, lapsed, failed };
    Task<Expanded> expand(const Caller& who, const Feed::Expansion& ids, std::string& json);
    // The places of those whose credential no longer counts.
    Task<std::vector<std::size_t>> lapsed(const std::vector<Caller>& callers);

private:
    Task<Admission> enter(auth::Principal principal, std::string trace_id);

    std::shared_ptr<db::Pool> pool_;
    std::shared_ptr<http::Doorkeeper> door_;
};

} // namespace radscheduler::sidecar::live
