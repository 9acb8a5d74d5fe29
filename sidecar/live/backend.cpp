#include "live/backend.hpp"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "auth/scopes.hpp"
#include "db/array.hpp"
#include "http/in_the_name_of.hpp"
#include "http/problem.hpp"
#include "obs/log.hpp"
#include "obs/text.hpp"

namespace radscheduler::sidecar::live {
namespace {

const db::RunOptions ask_now{Milliseconds(5000), db::WhenDown::fail, Milliseconds(10'000)};
constexpr std::size_t longest_ticket = 64;

db::Param text_or_null(const std::string& text) {
    return text.empty() ? db::Param::null() : db::Param::text(text);
}

void tell(const db::DbError& error, std::string_view what) {
    log::warn("live.database_failed", "live events: a question to the database failed",
              {{"asked", what}, {"sqlstate", error.sqlstate}, {"place", error.place}, {"reason", error.reason}});
}

EventPtr read_event(const db::Rows& rows, int row) {
    auto event = std::make_shared<Event>();
    event->cursor = read_cursor(rows.text_or(row, 0, "")).value_or(Cursor{});
    event->site = rows.number<int>(row, 1);
    event->type = rows.text_or(row, 2, "");
    event->appointment = rows.text_or(row, 3, "");
    event->conflict = rows.text_or(row, 4, "");
    event->payload = std::make_shared<const std::string>(rows.text_or(row, 5, "{}"));
    event->legacy = legacy_form(event->type, *event->payload);
    event->facets = read_facets(rows.text_or(row, 6, "[]"));
    return event;
}

http::Response ticket_reply(const std::string& ticket) {
    http::Response response;
    response.status = 201;
    nlohmann::ordered_json body{{"ticket", ticket}, {"expires_in", 30}};
    response.body = Payload(body.dump());
    return response;
}

http::Response user_changed() {
    return http::unauthorized("This user was closed or changed since the token was signed. Sign in again.");
}

} // namespace

Admitted Caller::admitted() const {
    Admitted who;
    who.site = site;
    who.name = principal.name;
    who.expires = principal.expires;
    return who;
}

Task<Backend::Admission> Backend::admit(std::string authorization, std::string api_key, std::string ticket,
                                        std::string peer, std::string trace_id) {
    if (ticket.empty()) {
        auto admission = co_await door_->admit(std::move(authorization), std::move(api_key), events_scope, peer);
        if (std::holds_alternative<http::Response>(admission)) {
            co_return std::get<http::Response>(std::move(admission));
        }
        auto principal = std::get<auth::Principal>(std::move(admission));
        if (principal.kind == auth::Principal::Kind::nobody) {
            principal.scopes.assign(1, "*"); // who gets here without a credential was let in (RADSCHED_AUTH)
        }
        co_return co_await enter(std::move(principal), std::move(trace_id));
    }
    if (!authorization.empty() || !api_key.empty() || ticket.size() > longest_ticket) {
        co_return http::unauthorized("A ticket stands alone, and as it was given out.");
    }
    const std::array<db::Param, 1> params{db::Param::text(ticket)};
    const auto result = co_await db::run(pool_, db::StatementId::live_redeem, params, ask_now);
    if (const auto* error = std::get_if<db::DbError>(&result)) {
        tell(*error, "redeem a ticket");
        co_return http::unavailable();
    }
    const auto& rows = std::get<db::Rows>(result);
    if (rows.count() != 1) {
        co_return http::unauthorized("This ticket was used, or its 30 seconds are over. Get another one by POST "
                                     "/api/v1/stream-tickets.");
    }
    auth::Principal principal;
    principal.site = rows.text_or(0, 0, "");
    principal.name = rows.text_or(0, 1, "");
    principal.login = rows.text_or(0, 2, "");
    principal.version = rows.text_or(0, 3, "");
    principal.scopes = words(rows.text_or(0, 4, ""));
    const auto until = rows.number<std::int64_t>(0, 5);
    if (until > 0) {
        principal.expires = std::chrono::sys_seconds(std::chrono::seconds(until));
    }
    principal.kind = principal.name.empty()                 ? auth::Principal::Kind::nobody
                     : principal.name.rfind("key:", 0) == 0 ? auth::Principal::Kind::api_key
                                                            : auth::Principal::Kind::user;
    co_return co_await enter(std::move(principal), std::move(trace_id));
}

// Which site it is, and whether a user's token still counts.
Task<Backend::Admission> Backend::enter(auth::Principal principal, std::string trace_id) {
    const auto params = http::in_the_name_of(principal, trace_id);
    const auto result = co_await db::run(pool_, db::StatementId::live_enter, params, ask_now);
    if (const auto* error = std::get_if<db::DbError>(&result)) {
        tell(*error, "enter a site");
        co_return error->kind == db::FailureKind::transient ? http::unavailable() : http::internal_error();
    }
    const auto& rows = std::get<db::Rows>(result);
    if (rows.count() != 1) {
        co_return user_changed();
    }
    Caller caller;
    caller.site = rows.number<int>(0, 0);
    principal.site = rows.text_or(0, 1, "");
    caller.principal = std::move(principal);
    caller.trace_id = std::move(trace_id);
    co_return caller;
}

Task<http::Response> Backend::ticket(const auth::Principal& who, const std::string& trace_id) {
    const auto scopes =
        db::array_text(who.kind == auth::Principal::Kind::nobody ? std::vector<std::string>(1, "*") : who.scopes);
    const auto until = who.expires ? std::to_string(who.expires->time_since_epoch().count()) : std::string();
    auto params = http::in_the_name_of(who, trace_id);
    params.push_back(db::Param::text(scopes));
    params.push_back(text_or_null(until));
    const auto result = co_await db::run(pool_, db::StatementId::live_ticket, params, ask_now);
    if (const auto* error = std::get_if<db::DbError>(&result)) {
        tell(*error, "make a ticket");
        co_return error->kind == db::FailureKind::transient ? http::unavailable() : http::internal_error();
    }
    const auto& rows = std::get<db::Rows>(result);
    if (rows.count() != 1) {
        co_return user_changed();
    }
    co_return ticket_reply(rows.text_or(0, 0, ""));
}

Task<std::optional<Place>> Backend::head() {
    const auto result = co_await db::run(pool_, db::StatementId::live_head, {}, ask_now);
    if (const auto* error = std::get_if<db::DbError>(&result)) {
        tell(*error, "the end of the log");
        co_return std::nullopt;
    }
    const auto& rows = std::get<db::Rows>(result);
    Place place;
    place.epoch = rows.text_or(0, 0, "");
    place.cursor = read_cursor(rows.text_or(0, 1, "")).value_or(Cursor{});
    co_return place;
}

Task<std::optional<std::vector<EventPtr>>> Backend::events_after(Cursor after, int site, std::size_t most) {
    const auto from = to_text(after);
    const auto limit = std::to_string(most);
    const auto only = site > 0 ? std::to_string(site) : std::string();
    const std::array<db::Param, 3> params{db::Param::text(from), db::Param::text(limit), text_or_null(only)};
    const auto result = co_await db::run(pool_, db::StatementId::live_events, params, ask_now);
    if (const auto* error = std::get_if<db::DbError>(&result)) {
        tell(*error, "events");
        co_return std::nullopt;
    }
    const auto& rows = std::get<db::Rows>(result);
    std::vector<EventPtr> events;
    events.reserve(static_cast<std::size_t>(rows.count()));
    for (int row = 0; row < rows.count(); ++row) {
        events.push_back(read_event(rows, row));
    }
    co_return events;
}

Task<std::optional<Backend::Located>> Backend::locate(const Place& place, int site) {
    const auto cursor = to_text(place.cursor);
    const auto at = std::to_string(site);
    const std::array<db::Param, 3> params{text_or_null(place.epoch), db::Param::text(cursor), db::Param::text(at)};
    const auto result = co_await db::run(pool_, db::StatementId::live_backlog, params, ask_now);
    if (const auto* error = std::get_if<db::DbError>(&result)) {
        tell(*error, "a cursor");
        co_return std::nullopt;
    }
    const auto& rows = std::get<db::Rows>(result);
    const auto state = rows.text_or(0, 0, "");
    Located located;
    located.where = state == "ok" ? Where::ok : state == "epoch_changed" ? Where::epoch_changed : Where::cursor_expired;
    located.behind = rows.number<std::size_t>(0, 1);
    co_return located;
}

Task<Backend::Expanded> Backend::expand(const Caller& who, const Feed::Expansion& ids, std::string& json) {
    const auto scopes = db::array_text(who.principal.scopes);
    const auto appointments = db::array_text(ids.appointments);
    const auto conflicts = db::array_text(ids.conflicts);
    auto params = http::in_the_name_of(who.principal, who.trace_id);
    params.push_back(db::Param::text(scopes));
    params.push_back(db::Param::text(appointments));
    params.push_back(db::Param::text(conflicts));
    const auto result = co_await db::run(pool_, db::StatementId::live_expand, params, ask_now);
    if (const auto* error = std::get_if<db::DbError>(&result)) {
        tell(*error, "what stands behind events");
        co_return Expanded::failed;
    }
    const auto& rows = std::get<db::Rows>(result);
    if (rows.count() != 1) {
        co_return Expanded::lapsed;
    }
    json = rows.text_or(0, 0, "{}");
    co_return Expanded::done;
}

Task<std::vector<std::size_t>> Backend::lapsed(const std::vector<Caller>& callers) {
    std::vector<std::string> sites;
    std::vector<std::string> names;
    std::vector<std::string> logins;
    std::vector<std::string> versions;
    for (const auto& caller : callers) {
        sites.push_back(std::to_string(caller.site));
        names.push_back(caller.principal.name);
        logins.push_back(caller.principal.login);
        versions.push_back(caller.principal.version.empty() ? "0" : caller.principal.version);
    }
    const auto site_list = db::array_text(sites);
    const auto name_list = db::array_text(names);
    const auto login_list = db::array_text(logins);
    const auto version_list = db::array_text(versions);
    const std::array<db::Param, 4> params{db::Param::text(site_list), db::Param::text(name_list),
                                          db::Param::text(login_list), db::Param::text(version_list)};
    const auto result = co_await db::run(pool_, db::StatementId::live_lapsed, params, ask_now);
    std::vector<std::size_t> places;
    if (const auto* error = std::get_if<db::DbError>(&result)) {
        tell(*error, "whose credential counts"); // asked again soon
        co_return places;
    }
    const auto& rows = std::get<db::Rows>(result);
    for (int row = 0; row < rows.count(); ++row) {
        places.push_back(rows.number<std::size_t>(row, 0) - 1);
    }
    co_return places;
}

} // namespace radscheduler::sidecar::live
