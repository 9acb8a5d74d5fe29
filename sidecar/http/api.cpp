#include "http/api.hpp"

#include "app/version.hpp"
#include "http/call.hpp"
#include "http/documents.hpp"
#include "http/in_the_name_of.hpp"
#include "http/problem.hpp"
#include "http/query.hpp"
#include "obs/log.hpp"
#include "obs/metrics.hpp"
#include "obs/text.hpp"

namespace radscheduler::sidecar::http {
namespace {

constexpr int tries_after_conflict = 3;
const db::RunOptions request_run{Milliseconds(5000), db::WhenDown::fail, Milliseconds(0)};
const db::RunOptions probe_run{Milliseconds(1000), db::WhenDown::fail, Milliseconds(2000)};

Response json_response(unsigned status, std::string body) {
    Response response;
    response.status = status;
    response.body = Payload(std::move(body));
    return response;
}

// An http_reply(status, content_type, body, headers).
Response from_reply(const db::Rows& rows) {
    Response response;
    response.status = rows.number<unsigned>(0, 0);
    if (response.status < 200 || response.status > 599) {
        return internal_error();
    }
    response.content_type = rows.text_or(0, 1, "");
    response.body = Payload(rows.text_or(0, 2, ""));
    response.headers = read_headers(rows.text_or(0, 3, "{}"));
    return response;
}

// $6 to $9 of api_call(). Not in a coroutine either.
std::vector<db::Param> call_params(const Request& request, const std::string& function, const std::string& json) {
    const auto& route = *request.route;
    std::vector<db::Param> params;
    params.push_back(db::Param::text(function));
    params.push_back(db::Param::text(json));
    params.push_back(route.body == BodyKind::none || request.body.empty() ? db::Param::null()
                                                                          : db::Param::bytes(request.body.view()));
    params.push_back(route.method != "POST" || request.idempotency_key.empty()
                         ? db::Param::null()
                         : db::Param::text(request.idempotency_key));
    return params;
}

Response document(const char* type, std::string_view text) {
    Response response;
    response.content_type = type;
    response.body = Payload(std::string(text));
    return response;
}

} // namespace

Api::Api(std::shared_ptr<db::Pool> pool, Counters& counters, std::shared_ptr<Doorkeeper> door,
         std::function<void(Probes&)> describe)
    : pool_(std::move(pool)), counters_(counters), door_(std::move(door)), describe_(std::move(describe)) {}

Task<Response> Api::handle(const Request& request) {
    const auto body = db::Param::bytes(request.body.view());
    switch (request.route->id) {
    case RouteId::sql:
        co_return co_await call(request);
    case RouteId::hl7_appointment: {
        std::vector<db::Param> params(1, body);
        co_return co_await ask(db::StatementId::api_hl7_appointment, request, std::move(params));
    }
    case RouteId::hl7_simulate: {
        std::vector<db::Param> params(1, body);
        co_return co_await ask(db::StatementId::api_hl7_simulate, request, std::move(params));
    }
    case RouteId::hl7_raw: {
        std::vector<db::Param> params(1, body);
        params.push_back(request.media_type.empty() ? db::Param::null() : db::Param::text(request.media_type));
        params.push_back(request.accept.empty() ? db::Param::null() : db::Param::text(request.accept));
        co_return co_await ask(db::StatementId::api_hl7_raw, request, std::move(params));
    }
    case RouteId::appointments:
        co_return co_await ask_with_query(db::StatementId::api_appointments, request);
    case RouteId::dashboard:
        co_return co_await dashboard(request);
    case RouteId::login:
        co_return co_await door_->login(request);
    case RouteId::me:
        co_return Doorkeeper::me(request.principal);
    case RouteId::health_live:
        co_return json_response(200, R"({"status":"alive"})");
    case RouteId::health_ready:
        co_return co_await health(false);
    case RouteId::metrics: {
        Probes probes;
        probes.pool = pool_->state();
        describe_(probes);
        Response response;
        response.content_type = "text/plain; version=0.0.4";
        response.body = Payload(metrics_text(counters_, probes, version_text()));
        co_return response;
    }
    case RouteId::openapi_json:
        co_return document("application/json", documents::openapi_json);
    case RouteId::openapi_yaml:
        co_return document("application/yaml", documents::openapi_yaml);
    case RouteId::docs: {
        auto page = document("text/html; charset=utf-8", documents::docs_page);
        page.headers.emplace_back("Content-Security-Policy", documents::docs_policy);
        co_return page;
    }
    case RouteId::live_ticket:
        co_return co_await live_->ticket(request.principal, request.trace_id);
    case RouteId::live_socket: // taken over by server.cpp
    case RouteId::live_stream:
    case RouteId::health:
        break;
    }
    co_return co_await health(true);
}

// What routes are without code of their own: a function of SQL, in one statement.
Task<Response> Api::call(const Request& request) {
    auto refused = refuse_call(request);
    if (refused) {
        co_return std::move(*refused);
    }
    const std::string function(request.route->function);
    const auto json = call_json(request);
    auto params = call_params(request, function, json);
    co_return co_await ask(db::StatementId::api_call, request, std::move(params));
}

Task<Response> Api::ask(db::StatementId id, const Request& request, std::vector<db::Param> params) {
    const auto& who = request.principal;
    auto named = in_the_name_of(who, request.trace_id);
    named.insert(named.end(), params.begin(), params.end());
    for (int left = tries_after_conflict; true; --left) {
        auto result = co_await db::run(pool_, id, named, request_run);
        if (const auto* rows = std::get_if<db::Rows>(&result)) {
            if (rows->count() == 0 && !who.login.empty()) {
                co_return unauthorized("This user was closed or changed since the token was signed. Sign in again.");
            }
            co_return rows->count() == 1 ? from_reply(*rows) : internal_error();
        }
        const auto& error = std::get<db::DbError>(result);
        if (db::is_conflict_retry(error.sqlstate) && left > 0) {
            continue;
        }
        const bool busy = error.sqlstate.empty() && pool_->reachable();
        const bool late = error.sqlstate == "57014";
        const bool passing = error.kind == db::FailureKind::transient;
        log::write(passing ? log::Level::warn : log::Level::error, "http.database_failed",
                   "a request failed at the database",
                   {{"route", request.route->path},
                    {"trace_id", request.trace_id},
                    {"statement", db::statement(id).name},
                    {"sqlstate", error.sqlstate},
                    {"place", error.place},
                    {"reason", error.reason}});
        if (late) {
            co_return timed_out();
        }
        co_return busy ? saturated() : passing ? unavailable() : internal_error();
    }
}

Task<Response> Api::ask_with_query(db::StatementId id, const Request& request) {
    const auto query = read_query(request.query.view());
    if (!query.problem.empty() || query.repeats()) {
        co_return problem(400, "bad_query", "Bad query",
                          query.problem.empty() ? "The query names a parameter twice. Give each parameter once."
                                                : query.problem);
    }
    const auto json = to_json(query);
    std::vector<db::Param> params(1, db::Param::text(json));
    co_return co_await ask(id, request, std::move(params));
}

// What a query might ask for is not what is cached.
Task<Response> Api::dashboard(const Request& request) {
    const bool may_be_cached = cache_ && request.query.view().empty();
    if (may_be_cached) {
        auto cached = co_await cache_->answer(request, "dashboard");
        if (cached) {
            co_return std::move(*cached);
        }
    }
    co_return co_await ask_with_query(db::StatementId::api_dashboard, request);
}

// A real question to the database each time: a constant "healthy" is worse than no answer.
Task<Response> Api::health(bool full) {
    Probes probes;
    const auto started = Clock::now();
    auto result = co_await db::run(pool_, db::StatementId::health, {}, probe_run);
    probes.database_ms = std::chrono::duration<double, std::milli>(Clock::now() - started).count();
    probes.pool = pool_->state();
    if (const auto* rows = std::get_if<db::Rows>(&result)) {
        probes.database_answers = true;
        probes.database_json = rows->text_or(0, 0, "");
    } else {
        const auto& error = std::get<db::DbError>(result);
        const bool busy = error.sqlstate.empty() && probes.pool.connected > 0 && probes.pool.idle == 0;
        probes.database_answers = !error.sqlstate.empty() || busy;
        if (!busy) {
            probes.database_problem = error.sqlstate.empty()
                                          ? "PostgreSQL does not answer. Check DATABASE_URL and the server."
                                          : "PostgreSQL answers, but radscheduler.health() fails with SQLSTATE " +
                                                error.sqlstate +
                                                ". Run CREATE EXTENSION radscheduler CASCADE (or SELECT "
                                                "radscheduler.provision()) in this database, "
                                                "and grant the role of DATABASE_URL access.";
        }
    }
    describe_(probes);
    const auto report = make_report(probes, counters_, utc_timestamp(std::chrono::system_clock::now()), version_text());
    if (full) {
        co_return json_response(report.serving ? 200 : 503, report.json);
    }
    const bool ready = report.serving && probes.mllp_listening && !probes.draining;
    co_return json_response(ready ? 200 : 503, ready ? R"({"status":"ready"})" : R"({"status":"not ready"})");
}

} // namespace radscheduler::sidecar::http
