#include "mllp/server.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "obs/log.hpp"

namespace radscheduler::sidecar::mllp {
namespace {

constexpr Milliseconds pause_after_accept_error{100}; // out of file descriptors: wait for sessions to end

} // namespace

Server::Server(asio::any_io_executor executor, ServerOptions options, std::shared_ptr<db::Pool> pool,
               Counters& counters)
    : executor_(std::move(executor)), options_(std::move(options)), pool_(std::move(pool)), counters_(counters) {}

std::string Server::listen() {
    auto listening = listen_on(executor_, options_.host, options_.port);
    acceptor_ = std::move(listening.acceptor);
    return listening.problem;
}

void Server::start() {
    asio::co_spawn(
        executor_, [self = shared_from_this()] { return self->accept_loop(); }, asio::detached);
}

void Server::stop() {
    error_code ignored;
    acceptor_->close(ignored);
    for (const auto& session : sessions_) {
        session->request_stop();
    }
}

Task<void> Server::accept_loop() {
    const auto self = shared_from_this();
    while (acceptor_->is_open()) {
        error_code ec;
        tcp::socket socket(executor_);
        co_await acceptor_->async_accept(socket, into(ec));
        if (!acceptor_->is_open()) {
            break;
        }
        if (ec) {
            log::warn("mllp.accept_failed", "a connection could not be accepted; trying on",
                      {{"reason", ec.message()}});
            asio::steady_timer pause(executor_, pause_after_accept_error);
            co_await pause.async_wait(into(ec));
            continue;
        }
        if (sessions_.size() >= options_.max_connections) {
            counters_.mllp_connections_refused.add();
            log::warn("mllp.refused", "too many MLLP connections (RADSCHED_MLLP_MAX_CONNECTIONS); this one was closed",
                      {{"peer", peer_name(socket)}, {"open", sessions_.size()}});
            continue;
        }
        tune(socket);
        log::info("mllp.opened", "connected", {{"peer", peer_name(socket)}});
        auto session =
            std::make_shared<Session>(std::move(socket), pool_, options_.limits, options_.http_port, counters_);
        sessions_.insert(session);
        asio::co_spawn(
            executor_, [self, session] { return self->serve(session); }, asio::detached);
    }
}

Task<void> Server::serve(std::shared_ptr<Session> session) {
    counters_.mllp_connections.add();
    counters_.mllp_connections_now.add();
    co_await session->run();
    counters_.mllp_connections_now.remove();
    sessions_.erase(session);
}

} // namespace radscheduler::sidecar::mllp
