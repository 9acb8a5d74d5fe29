// The HTTP listener. Only server.cpp knows Beast; it reads a request, lets the API answer, writes the answer.
// Invariants: a request has a deadline for arriving, an answer one for leaving; bodies and header are bounded before
// they are kept; stop() lets requests in hand finish and closes idle connections.
#pragma once

#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include <boost/asio/ssl/context.hpp>

#include "http/api.hpp"
#include "mllp/listener.hpp"
#include "net/tcp.hpp"

namespace radscheduler::sidecar::http {

using mllp::TlsFiles;

struct ServerOptions {
    std::string host;
    std::uint16_t port = 0;
    std::size_t max_connections = 1000;
    std::size_t max_json_body = 1U << 20U;
    std::size_t max_hl7_body = 16U << 20U;
    Milliseconds timeout{30'000};
    std::vector<std::string> cors_origins; // whose pages may ask (cors.hpp)
    TlsFiles tls;                          // without a certificate: plain
};

class Server : public std::enable_shared_from_this<Server> {
public:
    Server(asio::any_io_executor executor, ServerOptions options, std::shared_ptr<Api> api, Counters& counters);
    ~Server();

    // Reads the certificate and binds the port; the reason when that fails, else empty.
    std::string listen();
    // Reads the certificate again; connections keep the one they began with. A failure is logged and changes nothing.
    void reload();
    void start();
    void stop();
    std::size_t open() const;

private:
    class Session;

    Task<void> accept_loop();
    Task<void> serve(std::shared_ptr<Session> session);

    asio::any_io_executor executor_;
    ServerOptions options_;
    std::shared_ptr<Api> api_;
    Counters& counters_;
    std::unique_ptr<tcp::acceptor> acceptor_;
    std::shared_ptr<asio::ssl::context> tls_; // of new connections; empty: plain
    std::unordered_set<std::shared_ptr<Session>> sessions_;
};

} // namespace radscheduler::sidecar::http
