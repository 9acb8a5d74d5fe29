// Listens for MLLP connections at one place and keeps the list of those that came in there.
// Invariant: stop() first ends accepting, then asks every session to finish what is in hand; open() tells when all
// have.
#pragma once

#include <memory>
#include <string>
#include <unordered_set>

#include "mllp/session.hpp"

namespace radscheduler::sidecar::mllp {

class Server : public std::enable_shared_from_this<Server> {
public:
    Server(asio::any_io_executor executor, Listener listener, std::shared_ptr<House> house);

    // Binds the port and reads the certificate; the reason when that fails, else empty.
    std::string listen();
    void start();
    void stop();
    // Reads the certificate files again: what is new holds for new connections.
    void reload();
    bool listening() const { return acceptor_ && acceptor_->is_open(); }
    std::size_t open() const { return sessions_.size(); }
    const Listener& listener() const { return *listener_; }

private:
    Task<void> accept_loop();
    Task<void> serve(std::shared_ptr<Session> session, std::string address);
    void admit(tcp::socket socket);

    asio::any_io_executor executor_;
    std::shared_ptr<const Listener> listener_;
    std::shared_ptr<House> house_;
    std::shared_ptr<ssl::context> tls_;
    std::unique_ptr<tcp::acceptor> acceptor_;
    std::unordered_set<std::shared_ptr<Session>> sessions_;
};

} // namespace radscheduler::sidecar::mllp
