// Listens for MLLP connections and keeps the list of those that are open.
// Invariant: stop() first ends accepting, then asks every session to finish the message in hand; open() tells when all
// have.
#pragma once

#include <memory>
#include <string>
#include <unordered_set>

#include "mllp/session.hpp"

namespace radscheduler::sidecar::mllp {

struct ServerOptions {
    std::string host;
    std::uint16_t port = 0;
    std::uint16_t http_port = 0; // named in the answer to HTTP on this port
    std::size_t max_connections = 1000;
    SessionLimits limits;
};

class Server : public std::enable_shared_from_this<Server> {
public:
    Server(asio::any_io_executor executor, ServerOptions options, std::shared_ptr<db::Pool> pool, Counters& counters);

    // Binds the port; the reason when that fails, else empty.
    std::string listen();
    void start();
    void stop();
    bool listening() const { return acceptor_ && acceptor_->is_open(); }
    std::size_t open() const { return sessions_.size(); }

private:
    Task<void> accept_loop();
    Task<void> serve(std::shared_ptr<Session> session);

    asio::any_io_executor executor_;
    ServerOptions options_;
    std::shared_ptr<db::Pool> pool_;
    Counters& counters_;
    std::unique_ptr<tcp::acceptor> acceptor_;
    std::unordered_set<std::shared_ptr<Session>> sessions_;
};

} // namespace radscheduler::sidecar::mllp
