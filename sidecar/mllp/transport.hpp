// The bytes of one MLLP connection, plain or through TLS.
// Invariants: no buffer is kept for a plain connection that is idle (a thousand of them are cheap); what read()
// returned is valid until the next wait. One reader and one writer, not at the same time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>

#include "net/tcp.hpp"

namespace radscheduler::sidecar::mllp {

namespace ssl = asio::ssl;

// Who the certificate of a client says it is.
struct ClientCertificate {
    std::vector<std::string> names; // common name, DNS names and "sha256:<hex>" of the certificate
};

class Transport {
public:
    // Without a context the connection is plain.
    Transport(tcp::socket socket, std::shared_ptr<ssl::context> context);

    Task<void> handshake(error_code& ec);
    Task<std::string_view> read(error_code& ec);
    Task<void> write(std::string_view bytes, error_code& ec);
    // Says goodbye and reads on for a while, so that our last answer is not overtaken by a reset.
    Task<void> close(Milliseconds limit);
    void cancel();

    tcp::socket& socket() { return *socket_; }
    bool is_tls() const { return tls_ != nullptr; }
    ClientCertificate client() const;

private:
    std::unique_ptr<tcp::socket> socket_;   // stays where it is: the TLS stream refers to it
    std::shared_ptr<ssl::context> context_; // the one this connection began with, also after a reload
    std::unique_ptr<ssl::stream<tcp::socket&>> tls_;
    std::vector<char> buffer_; // TLS only
};

} // namespace radscheduler::sidecar::mllp
