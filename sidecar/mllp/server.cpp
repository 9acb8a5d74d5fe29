#include "mllp/server.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "mllp/tls.hpp"
#include "obs/log.hpp"

namespace radscheduler::sidecar::mllp {
namespace {

constexpr Milliseconds pause_after_accept_error{100}; // out of file descriptors: wait for sessions to end

} // namespace

Server::Server(asio::any_io_executor executor, Listener listener, std::shared_ptr<House> house)
    : executor_(std::move(executor)), listener_(std::make_shared<const Listener>(std::move(listener))),
      house_(std::move(house)) {}

std::string Server::listen() {
    if (!listener_->tls.certificate.empty()) {
        auto loaded = load_tls(listener_->tls);
        if (!loaded.context) {
            return loaded.problem;
        }
        tls_ = std::move(loaded.context);
    }
    auto listening = listen_on(executor_, listener_->host, listener_->port);
    acceptor_ = std::move(listening.acceptor);
    return listening.problem;
}

void Server::reload() {
    if (!tls_) {
        return;
    }
    auto loaded = load_tls(listener_->tls);
    if (!loaded.context) {
        log::error("mllp.tls_reload_failed", "the new certificate cannot be used; the old one stays in force",
                   {{"listener", listener_->name}, {"reason", loaded.problem}});
        return;
    }
    tls_ = std::move(loaded.context);
    log::info("mllp.tls_reloaded", "the certificate was read again; new connections get it",
              {{"listener", listener_->name}});
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
        admit(std::move(socket));
    }
}

void Server::admit(tcp::socket socket) {
    error_code ec;
    const auto peer = peer_name(socket);
    const auto address = socket.remote_endpoint(ec).address().to_string();
    if (ec) {
        return;
    }
    auto& counters = house_->counters;
    if (!listener_->networks.empty() && !is_in(listener_->networks, address)) {
        counters.mllp_connections_refused.add();
        log::warn("mllp.refused", "the peer's address is in none of the networks of this listener; closed",
                  {{"peer", peer}, {"listener", listener_->name}});
        return;
    }
    const auto entry = house_->enter(address);
    if (entry != House::Entry::let_in) {
        counters.mllp_connections_refused.add();
        log::warn("mllp.refused",
                  entry == House::Entry::full
                      ? "too many MLLP connections (RADSCHED_MLLP_MAX_CONNECTIONS); this one was closed"
                      : "too many MLLP connections of one address (RADSCHED_MLLP_MAX_PER_PEER); this one was closed",
                  {{"peer", peer}, {"listener", listener_->name}, {"open", house_->in()}});
        return;
    }
    tune(socket);
    log::info("mllp.opened", "connected", {{"peer", peer}, {"listener", listener_->name}});
    auto session = std::make_shared<Session>(Transport(std::move(socket), tls_), peer, listener_, house_);
    sessions_.insert(session);
    asio::co_spawn(
        executor_, [self = shared_from_this(), session, address] { return self->serve(session, address); },
        asio::detached);
}

Task<void> Server::serve(std::shared_ptr<Session> session, std::string address) {
    auto& counters = house_->counters;
    counters.mllp_connections.add();
    counters.mllp_connections_now.add();
    co_await session->run();
    counters.mllp_connections_now.remove();
    house_->leave(address);
    sessions_.erase(session);
}

} // namespace radscheduler::sidecar::mllp
