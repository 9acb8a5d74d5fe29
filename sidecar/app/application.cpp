#include "app/application.hpp"

#include <algorithm>
#include <array>
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
constexpr std::size_t links_at_once = 64; // that are sent to at the same time

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
    : settings_(std::move(settings)), signals_(io_), drain_deadline_(io_), housekeeping_wake_(io_.get_executor()),
      supervisor_(io_.get_executor()) {
    const auto targets = read_targets(settings_.database_url).list;
    db::SessionOptions session;
    session.connect_timeout = settings_.db_connect_timeout;
    session.statement_timeout = settings_.db_statement_timeout;
    db::PoolOptions pool_options;
    pool_options.targets = targets;
    pool_options.session = session;
    pool_options.size = settings_.db_connections;
    pool_ = std::make_shared<db::Pool>(io_.get_executor(), std::move(pool_options), counters_);
    caretaker_ = std::make_unique<db::LoneSession>(io_.get_executor(), targets, session, "radschedulerd care");

    mllp::BatchLimits batches;
    batches.messages = settings_.mllp_batch;
    batches.sessions = settings_.mllp_db_sessions;
    batches.most_sessions = settings_.db_connections;
    mllp::Limits limits;
    limits.max_frame = settings_.mllp_max_frame;
    limits.max_connections = settings_.mllp_max_connections;
    limits.max_per_peer = settings_.mllp_max_per_peer;
    limits.max_memory = settings_.mllp_max_memory;
    limits.start_timeout = settings_.mllp_start_timeout;
    limits.idle_timeout = settings_.mllp_idle_timeout;
    limits.frame_timeout = settings_.mllp_frame_timeout;
    limits.write_timeout = settings_.mllp_write_timeout;
    limits.http_port = settings_.http_port;
    const auto executor = io_.get_executor();
    mllp_house_ =
        std::make_shared<mllp::House>(limits, std::make_shared<mllp::Intake>(executor, batches, pool_, counters_),
                                      std::make_shared<mllp::Quarantine>(executor, pool_, counters_), counters_);
    for (const auto& listener : settings_.mllp_listeners) {
        mllp_.push_back(std::make_shared<mllp::Server>(executor, listener, mllp_house_));
    }

    http::DoorOptions door;
    door.required = auth::is_required(settings_);
    door.keys = read_keys(settings_);
    door.rules.issuer = settings_.jwt_issuer;
    door.rules.audience = settings_.jwt_audience;
    door.rate = settings_.rate_limit;
    auto doorkeeper = std::make_shared<http::Doorkeeper>(pool_, std::move(door));
    live::ServiceOptions live_options;
    live_options.max_connections = settings_.live_max_connections;
    live_options.heartbeat = std::chrono::duration_cast<std::chrono::seconds>(settings_.live_heartbeat);
    live_options.recheck = settings_.live_heartbeat;
    live_ = std::make_shared<live::Service>(io_.get_executor(), live_options, pool_, doorkeeper, counters_);
    auto api = std::make_shared<http::Api>(pool_, counters_, std::move(doorkeeper),
                                           [this](http::Probes& probes) { describe(probes); });
    api->set_live(live_);
    if (settings_.redis_url) {
        const redis::TlsFiles files{settings_.redis_ca, settings_.redis_certificate, settings_.redis_key};
        cache_reader_ = std::make_shared<redis::Reader>(executor, redis::read_url(*settings_.redis_url), files);
        api->set_cache(std::make_shared<http::FigureCache>(pool_, cache_reader_, counters_));
    }
    http::ServerOptions http_options;
    http_options.host = settings_.http_host;
    http_options.port = settings_.http_port;
    http_options.max_connections = settings_.http_max_connections;
    http_options.max_json_body = settings_.http_max_body;
    http_options.max_hl7_body = settings_.mllp_max_frame;
    http_options.timeout = settings_.http_timeout;
    http_options.cors_origins = settings_.cors_origins;
    http_options.tls = {settings_.http_tls_certificate, settings_.http_tls_key, {}};
    http_ = std::make_shared<http::Server>(io_.get_executor(), std::move(http_options), std::move(api), counters_);

    if (settings_.redis_url) {
        relay::RelayOptions relay_options;
        relay_options.url = redis::read_url(*settings_.redis_url);
        relay_options.tls = {settings_.redis_ca, settings_.redis_certificate, settings_.redis_key};
        relay_options.targets = targets;
        relay_options.session = session;
        relay_ = std::make_shared<relay::Relay>(io_.get_executor(), std::move(relay_options), pool_, counters_);
    }
    worker_ = std::make_shared<work::Worker>(executor, pool_, "hl7_out", links_at_once);
    courier_ = std::make_shared<link::Courier>(executor, worker_->desk(), settings_.link_tls_folder, counters_);
    listener_ = std::make_shared<relay::WakeListener>(executor, targets, session,
                                                      [relay = relay_, worker = worker_, live = live_] {
                                                          live->wake();
                                                          if (relay) {
                                                              relay->wake();
                                                          }
                                                          worker->wake();
                                                      });
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
    for (const auto& server : mllp_) {
        server->start();
    }
    http_->start();
    asio::co_spawn(io_, housekeeping(), asio::detached);
    live_->start();
    if (relay_) {
        relay_->start();
        cache_reader_->start();
    }
    listener_->start();
    worker_->start(
        [courier = courier_](std::shared_ptr<const work::Run> run) { return courier->deliver(std::move(run)); });
    log::info("app.ready", "listening",
              {{"version", version_text()},
               {"mllp", settings_.mllp_host + ":" + std::to_string(settings_.mllp_port)},
               {"http", settings_.http_host + ":" + std::to_string(settings_.http_port)},
               {"db_connections", settings_.db_connections}});
    supervisor_.ready();
    io_.run();
    log::info("app.stopped", "stopped", {{"uptime_s", since(started_).count() / 1000}});
    log::flush();
    return EXIT_SUCCESS;
}

bool Application::listen() {
    bool good = true;
    for (const auto& server : mllp_) {
        const auto& listener = server->listener();
        const auto problem = server->listen();
        if (!problem.empty()) {
            good = false;
            log::error("app.port",
                       port_problem(&listener == &mllp_.front()->listener() ? "RADSCHED_MLLP_PORT" : listener.name,
                                    listener.host, listener.port, problem));
        }
    }
    const auto http_problem = http_->listen();
    if (!http_problem.empty()) {
        log::error("app.port",
                   port_problem("RADSCHED_HTTP_PORT", settings_.http_host, settings_.http_port, http_problem));
    }
    return good && http_problem.empty();
}

bool Application::mllp_listening() const {
    return std::all_of(mllp_.begin(), mllp_.end(), [](const auto& server) { return server->listening(); });
}

std::size_t Application::mllp_open() const {
    std::size_t open = 0;
    for (const auto& server : mllp_) {
        open += server->open();
    }
    return open;
}

Task<void> Application::watch_signals() {
    while (!drained_) { // drain() may be over before it first waits
        error_code ec;
        const int number = co_await signals_.async_wait(into(ec));
        if (ec) {
            co_return;
        }
        if (number == SIGHUP) {
            log::info("app.hangup", "SIGHUP: certificates are read again; for anything else restart the daemon");
            supervisor_.reloading();
            for (const auto& server : mllp_) {
                server->reload();
            }
            http_->reload();
            supervisor_.ready();
            continue;
        }
        if (draining_) {
            log::warn("app.killed", "second signal: ending at once");
            log::flush();
            std::_Exit(128 + number);
        }
        draining_ = true;
        supervisor_.stopping();
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
                      {{"mllp", mllp_open()}, {"http", http_->open()}});
            io_.stop();
        }
    });
    for (const auto& server : mllp_) {
        server->stop();
    }
    live_->stop();
    http_->stop();
    worker_->stop();
    courier_->stop();
    asio::steady_timer look(io_);
    while (mllp_open() > 0 || http_->open() > 0 || !worker_->idle()) {
        error_code ec;
        look.expires_after(drain_look_interval);
        co_await look.async_wait(into(ec));
    }
    if (relay_) {
        relay_->stop();
        cache_reader_->stop();
    }
    listener_->stop();
    courier_->close();
    drained_ = true;
    caretaker_->stop();
    housekeeping_wake_.notify();
    pool_->stop();
    drain_deadline_.cancel();
    supervisor_.end();
    signals_.cancel();
}

// What the records need now and then (radscheduler.maintain): at start and every few minutes.
Task<void> Application::housekeeping() {
    bool told = false;
    while (!draining_) {
        const auto result = co_await caretaker_->run(db::StatementId::maintain);
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
            if (!told) {
                log::info("app.maintained", "partitions are ready, the audit log is sealed");
                co_await check_profiles();
            }
            told = true;
        }
        co_await housekeeping_wake_.wait(pause);
    }
}

// A profile that is not understood would hold up the messages of every new sender: it is told at the start.
Task<void> Application::check_profiles() {
    for (const auto& listener : settings_.mllp_listeners) {
        if (listener.profile.empty()) {
            continue;
        }
        const std::array<db::Param, 1> params{db::Param::text(listener.profile)};
        const db::RunOptions options{Milliseconds(5000), db::WhenDown::wait, Milliseconds(0)};
        const auto result = co_await db::run(pool_, db::StatementId::profile_faults, params, options);
        const auto* rows = std::get_if<db::Rows>(&result);
        const auto faults = rows != nullptr ? rows->text_or(0, 0, "") : std::string();
        if (!faults.empty()) {
            log::error("mllp.profile",
                       "the profile of a listener is not understood: messages of senders that are new there are not "
                       "answered. Correct it and start again",
                       {{"listener", listener.name}, {"faults", faults}});
        }
    }
}

void Application::describe(http::Probes& probes) const {
    probes.mllp_listening = mllp_listening();
    probes.draining = draining_;
    probes.uptime_seconds = since(started_).count() / 1000;
    probes.work = {worker_->counts(), courier_->connections()};
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
