#include "http/doorkeeper.hpp"

#include <array>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <openssl/rand.h>

#include "auth/base64url.hpp"
#include "auth/credential.hpp"
#include "auth/password.hpp"
#include "auth/scopes.hpp"
#include "auth/strict_json.hpp"
#include "http/problem.hpp"
#include "obs/log.hpp"
#include "obs/text.hpp"

namespace radscheduler::sidecar::http {
namespace {

constexpr std::chrono::hours token_life{8};
constexpr double burst_seconds = 10;
constexpr auth::Rate login_rate{10, Milliseconds(3000)};
const db::RunOptions door_run{Milliseconds(5000), db::WhenDown::fail, Milliseconds(5000)};

auth::Instant now() {
    return std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
}

auth::Rate request_rate(std::size_t rate) {
    return {burst_seconds * static_cast<double>(rate),
            Milliseconds(rate == 0 ? 1 : std::max<std::size_t>(1000 / rate, 1))};
}

std::string text_of(const nlohmann::json& body, const char* key) {
    const auto found = body.find(key);
    return found != body.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string random_session() {
    std::array<unsigned char, 16> bytes{};
    RAND_bytes(bytes.data(), static_cast<int>(bytes.size()));
    return auth::to_base64url({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

Response database_failed(const db::DbError& error) {
    const bool passing = error.kind == db::FailureKind::transient;
    log::write(passing ? log::Level::warn : log::Level::error, "http.door_failed",
               "who a request is from could not be asked",
               {{"sqlstate", error.sqlstate}, {"place", error.place}, {"reason", error.reason}});
    return passing ? unavailable() : internal_error();
}

Response wrong_login() {
    return unauthorized("Login or password are wrong, or the user is closed.");
}

Response json(nlohmann::ordered_json body) {
    Response response;
    response.body = Payload(body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
    return response;
}

// Not in a coroutine: g++ 12 destroys the parts of a braced list there twice.
Response token_reply(const auth::Claims& claims, const std::string& token) {
    return json({{"success", true},
                 {"token", token},
                 {"token_type", "Bearer"},
                 {"expires_in", std::chrono::duration_cast<std::chrono::seconds>(token_life).count()},
                 {"user", {{"login", claims.subject}, {"site", claims.site}, {"scopes", claims.scopes}}}});
}

} // namespace

Doorkeeper::Doorkeeper(std::shared_ptr<db::Pool> pool, DoorOptions options)
    : pool_(std::move(pool)), options_(std::move(options)), requests_(request_rate(options_.rate)),
      logins_(login_rate) {}

Task<Doorkeeper::Admission> Doorkeeper::admit(std::string authorization, std::string api_key, std::string_view scope,
                                              std::string peer) {
    auth::Principal principal;
    if (scope.empty()) {
        co_return principal; // open to everybody, whatever was sent
    }
    const auto credential = auth::read_credential(authorization, api_key);
    if (const auto* malformed = std::get_if<auth::Malformed>(&credential)) {
        co_return unauthorized(malformed->reason);
    }
    if (std::holds_alternative<auth::NoCredential>(credential)) {
        if (!options_.required) {
            co_return principal;
        }
        co_return unauthorized("This needs a credential: send Authorization: Bearer with a token of /api/v1/auth/login "
                               "or an API key, or X-API-Key.");
    }
    if (const auto* bearer = std::get_if<auth::BearerToken>(&credential)) {
        const auto verified = auth::verify(bearer->token, options_.keys, options_.rules, now());
        if (const auto* refusal = std::get_if<auth::Refusal>(&verified)) {
            co_return unauthorized(refusal->reason);
        }
        const auto& claims = std::get<auth::Claims>(verified);
        principal.kind = auth::Principal::Kind::user;
        principal.name = "user:" + claims.subject;
        principal.site = claims.site;
        principal.scopes = claims.scopes;
        principal.expires = claims.expires;
        if (claims.version > 0) {
            principal.login = claims.subject;
            principal.version = std::to_string(claims.version);
        }
    } else {
        const auto& key = std::get<auth::ApiKey>(credential);
        auto admission = co_await admit_key(key.id, key.secret_sha256, peer);
        if (std::holds_alternative<Response>(admission)) {
            co_return admission;
        }
        principal = std::get<auth::Principal>(std::move(admission));
    }
    if (options_.rate > 0) {
        const auto wait = requests_.take(principal.name, Clock::now());
        if (wait.count() > 0) {
            co_return too_many(
                wait, "This user or key asks more often than RADSCHED_RATE_LIMIT allows. Wait as Retry-After says.");
        }
    }
    if (scope != any_credential && !auth::covers(principal.scopes, scope)) {
        co_return forbidden(scope);
    }
    co_return principal;
}

Task<Doorkeeper::Admission> Doorkeeper::admit_key(const std::string& id, const std::string& hash,
                                                  const std::string& peer) {
    const std::array<db::Param, 3> params{db::Param::text(id), db::Param::bytes(hash), db::Param::text(peer)};
    const auto result = co_await db::run(pool_, db::StatementId::admit_api_key, params, door_run);
    if (const auto* error = std::get_if<db::DbError>(&result)) {
        co_return database_failed(*error);
    }
    const auto& rows = std::get<db::Rows>(result);
    if (rows.count() != 1) {
        co_return unauthorized(
            "This API key is not known, has expired or was revoked, or may not be used from this address.");
    }
    auth::Principal principal;
    principal.kind = auth::Principal::Kind::api_key;
    principal.name = "key:" + id;
    principal.site = rows.text_or(0, 0, "");
    principal.scopes = words(rows.text_or(0, 1, ""));
    co_return principal;
}

// Hashing takes tens of milliseconds: it has a thread of its own, so that nobody else waits for it.
Task<bool> Doorkeeper::is_password(std::string password, std::string hash) {
    const auto executor = co_await asio::this_coro::executor;
    co_await asio::post(asio::bind_executor(hashing_, asio::use_awaitable));
    const bool right = auth::is_password(password, hash);
    co_await asio::post(asio::bind_executor(executor, asio::use_awaitable));
    co_return right;
}

Task<Response> Doorkeeper::login(const Request& request) {
    if (!options_.keys.can_sign()) {
        co_return problem(501, "no_tokens", "No tokens here",
                          "JWT_SECRET is not set, so nobody can sign in with a password. Use an API key.");
    }
    const auto wait = logins_.take(request.peer, Clock::now());
    if (wait.count() > 0) {
        co_return too_many(wait, "Too many logins were tried from this address. Wait as Retry-After says.");
    }
    const auto body = auth::read_object(request.body.view());
    const auto login = body ? text_of(*body, "login") : std::string();
    const auto password = body ? text_of(*body, "password") : std::string();
    const auto site = body ? text_of(*body, "site") : std::string();
    if (login.empty() || password.empty() || password.size() > 512) {
        co_return problem(
            400, "invalid_body", "Bad login",
            "The body must be a JSON object with login and password, and site where a login is known at several.");
    }
    const std::array<db::Param, 2> params{db::Param::text(login),
                                          site.empty() ? db::Param::null() : db::Param::text(site)};
    const auto result = co_await db::run(pool_, db::StatementId::login_of, params, door_run);
    if (const auto* error = std::get_if<db::DbError>(&result)) {
        co_return database_failed(*error);
    }
    const auto& rows = std::get<db::Rows>(result);
    if (rows.count() > 1) {
        co_return problem(409, "site_needed", "Which site?",
                          "This login is known at several sites. Say which with \"site\".");
    }
    if (rows.count() == 1 && rows.number(0, 6) > 0) {
        co_return too_many(std::chrono::seconds(rows.number(0, 6)),
                           "After several wrong passwords this login is closed for a while. Wait as Retry-After says.");
    }
    // Somebody unknown takes as long as a wrong password.
    const std::string hash = rows.count() == 1 ? rows.text_or(0, 3, "") : "";
    const bool right = co_await is_password(password, hash);
    if (rows.count() == 0) {
        co_return wrong_login();
    }
    const auto home = rows.text_or(0, 1, "");
    const auto user = rows.text_or(0, 0, "");
    const std::string outcome = right ? "true" : "false";
    const std::array<db::Param, 3> note{db::Param::text(home), db::Param::text(user), db::Param::text(outcome)};
    const auto noted = co_await db::run(pool_, db::StatementId::note_login, note, door_run);
    if (const auto* error = std::get_if<db::DbError>(&noted)) {
        co_return database_failed(*error); // a login that is not in the audit log is none
    }
    if (!right) {
        co_return wrong_login();
    }
    auth::Claims claims;
    claims.subject = rows.text_or(0, 2, "");
    claims.site = home;
    claims.scopes = words(rows.text_or(0, 4, ""));
    claims.session = random_session();
    claims.version = rows.number(0, 5);
    claims.issued = now();
    claims.expires = claims.issued + token_life;
    co_return token_reply(claims, auth::sign(claims, options_.keys, options_.rules));
}

Response Doorkeeper::me(const auth::Principal& principal) {
    const char* kind = principal.kind == auth::Principal::Kind::user      ? "user"
                       : principal.kind == auth::Principal::Kind::api_key ? "api_key"
                                                                          : "nobody";
    return json({{"success", true},
                 {"kind", kind},
                 {"name", principal.name},
                 {"site", principal.site.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(principal.site)},
                 {"scopes", principal.scopes}});
}

} // namespace radscheduler::sidecar::http
