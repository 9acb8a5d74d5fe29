#include "app/application.hpp"

#include <csignal>
#include <cstdlib>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "app/version.hpp"
#include "auth/policy.hpp"
#include "obs/log.hpp"
#include "redis/url.hpp"

namespace radscheduler::sidecar {
namespace {

// Also how long the audit log may stand unsealed.
constexpr Milliseconds maintain_interval = std::chrono::minutes(5);
constexpr Milliseconds maintain_retry = std::chrono::seconds(60);
constexpr Milliseconds maintain_first_retry = std::chrono::seconds(2);
constexpr Milliseconds drain_look_interval{20};

std::string port_problem(std::string_view variable, const std::string& host, std::uint16_t port,
                         const std::string& reason) {
    const auto number = std::to_string(port);
    return std::string(variable) + ": cannot listen on " + host + ":" + number + ": " + reason +
           ". Stop what listens there (ss -ltnp 'sport = :" + number + "' shows it) or set " + std::string(variable) +
           " to a free port.";
}

auth::KeySet read_keys(const Settings& settings) {
    auth::KeySet keys;
    if (settings.jwt_secret) {
        auth::add_secret(keys, *settings.jwt_secret);
    }
    if (settings.jwt_secret_previous) {
        auth::add_secret(keys, *settings.jwt_secret_previous);
    }
    if (settings.jwks_file) {
        auth::add_jwks(keys, auth::read_document(*settings.jwks_file)); // judged when the configuration was
    }
    return keys;
}

} // namespace

Application::Application(Settings settings)
    : settings_(std::move(settings)), signals_(io_), drain_deadline_(io_), housekeeping_wake_(io_.get_executor()) {
    const auto targets = read_targets(settings_.database_url).list;
    db::SessionOptions session;
    session.connect_timeout = settings_.db_connect_timeout;
    session.statement_timeout = settings_.db_statement_timeout;
    db::PoolOptions pool_options;
    pool_options.targets = targets;
    pool_options.session = session;
    pool_options.size = settings_.db_connections;
    pool_ = std::make_shared<db::Pool>(io_.get_executor(), std::move(pool_options), counters_);

    mllp::ServerOptions mllp_options;
    mllp_options.host = settings_.mllp_host;
    mllp_options.port = settings_.mllp_port;
    mllp_options.http_port = settings_.http_port;
    mllp_options.max_connections = settings_.mllp_max_connections;
    mllp_options.limits = {settings_.mllp_max_frame, settings_.mllp_idle_timeout, settings_.mllp_frame_timeout};
    mllp_ = std::make_shared<mllp::Server>(io_.get_executor(), std::move(mllp_options), pool_, counters_);

    http::DoorOptions door;
    door.required = auth::is_required(settings_);
    door.keys = read_keys(settings_);
    door.rules.issuer = settings_.jwt_issuer;
    door.rules.audience = settings_.jwt_audience;
    door.rate = settings_.rate_limit;
    auto api = std::make_shared<http::Api>(pool_, counters_, std::make_shared<http::Doorkeeper>(pool_, std::move(door)),
                                           [this](http::Probes& probes) { describe(probes); });
    http::ServerOptions http_options;
    http_options.host = settings_.http_host;
    http_options.port = settings_.http_port;
    http_options.max_connections = settings_.http_max_connections;
    http_options.max_json_body = settings_.http_max_body;
    http_options.max_hl7_body = settings_.mllp_max_frame;
    http_options.timeout = settings_.http_timeout;
    http_ = std::make_shared<http::Server>(io_.get_executor(), std::move(http_options), std::move(api), counters_);

    if (settings_.redis_url) {
        relay_ =
            std::make_shared<relay::Relay>(io_.get_executor(), redis::read_url(*settings_.redis_url), pool_, counters_);
        listener_ = std::make_shared<relay::WakeListener>(io_.get_executor(), targets, session,
                                                          [relay = relay_] { relay->wake(); });
    }
}

int Application::run() {
    if (!listen()) {
        return EXIT_FAILURE;
    }
    signals_.add(SIGTERM);
    signals_.add(SIGINT);
    signals_.add(SIGHUP);
    asio::co_spawn(io_, watch_signals(), asio::detached);
    pool_->start();
    mllp_->start();
    http_->start();
    asio::co_spawn(io_, housekeeping(), asio::detached);
    if (relay_) {
        relay_->start();
        listener_->start();
    }
    log::info("app.ready", "listening",
              {{"version", version_text()},
               {"mllp", settings_.mllp_host + ":" + std::to_string(settings_.mllp_port)},
               {"http", settings_.http_host + ":" + std::to_string(settings_.http_port)},
               {"db_connections", settings_.db_connections}});
    io_.run();
    log::info("app.stopped", "stopped", {{"uptime_s", since(started_).count() / 1000}});
    log::flush();
    return EXIT_SUCCESS;
}

bool Application::listen() {
    const auto mllp_problem = mllp_->listen();
    if (!mllp_problem.empty()) {
        log::error("app.port",
                   port_problem("RADSCHED_MLLP_PORT", settings_.mllp_host, settings_.mllp_port, mllp_problem));
    }
    const auto http_problem = http_->listen();
    if (!http_problem.empty()) {
        log::error("app.port",
                   port_problem("RADSCHED_HTTP_PORT", settings_.http_host, settings_.http_port, http_problem));
    }
    return mllp_problem.empty() && http_problem.empty();
}

Task<void> Application::watch_signals() {
    while (!drained_) { // drain() may be over before it first waits
        error_code ec;
        const int number = co_await signals_.async_wait(into(ec));
        if (ec) {
            co_return;
        }
        if (number == SIGHUP) {
            log::info("app.hangup", "SIGHUP changes nothing; restart the daemon to read a new configuration");
            continue;
        }
        if (draining_) {
            log::warn("app.killed", "second signal: ending at once");
            log::flush();
            std::_Exit(128 + number);
        }
        draining_ = true;
        log::info("app.draining", "finishing the work in hand",
                  {{"signal", number}, {"limit_ms", settings_.drain_timeout.count()}});
        asio::co_spawn(io_, drain(), asio::detached);
    }
}

Task<void> Application::drain() {
    drain_deadline_.expires_after(settings_.drain_timeout);
    drain_deadline_.async_wait([this](const error_code& ec) {
        if (!ec) {
            log::warn("app.drain_cut", "not everything ended in time; unanswered messages stay with their senders",
                      {{"mllp", mllp_->open()}, {"http", http_->open()}});
            io_.stop();
        }
    });
    mllp_->stop();
    http_->stop();
    asio::steady_timer look(io_);
    while (mllp_->open() > 0 || http_->open() > 0) {
        error_code ec;
        look.expires_after(drain_look_interval);
        co_await look.async_wait(into(ec));
    }
    if (relay_) {
        relay_->stop();
        listener_->stop();
    }
    drained_ = true;
    housekeeping_wake_.notify();
    pool_->stop();
    drain_deadline_.cancel();
    signals_.cancel();
}

// What the records need now and then (radscheduler.maintain): at start and every few minutes.
Task<void> Application::housekeeping() {
    bool told = false;
    while (!draining_) {
        const db::RunOptions options{Milliseconds(60000), db::WhenDown::wait, Milliseconds(0)};
        const auto result = co_await db::run(pool_, db::StatementId::maintain, {}, options);
        auto pause = maintain_interval;
        if (const auto* error = std::get_if<db::DbError>(&result)) {
            const bool unreachable = error->sqlstate.empty();
            if (!unreachable && !draining_) { // an unreachable database is told by the pool
                log::error("app.maintain_failed",
                           "radscheduler.maintain() failed. If the extension is missing: CREATE EXTENSION radscheduler "
                           "CASCADE",
                           {{"sqlstate", error->sqlstate}, {"place", error->place}});
            }
            pause = unreachable || !told ? maintain_first_retry : maintain_retry;
        } else {
            if (!told) log::info("app.maintained", "partitions are ready, the audit log is sealed");
            told = true;
        }
        co_await housekeeping_wake_.wait(pause);
    }
}

void Application::describe(http::Probes& probes) const {
    probes.mllp_listening = mllp_->listening();
    probes.draining = draining_;
    probes.uptime_seconds = since(started_).count() / 1000;
    if (relay_) {
        const auto state = relay_->state();
        probes.redis_on = true;
        probes.redis_connected = state.redis_connected;
        probes.redis_silence_ms = state.redis_silence.count();
        probes.relay_lag_ms = state.lag.count();
        probes.wake_listening = listener_->listening();
    }
}

} // namespace radscheduler::sidecar
