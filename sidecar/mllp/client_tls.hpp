// What the sender's side brings to a TLS connection: whom it believes, and its own certificate.
#pragma once

#include <memory>
#include <string>
#include <variant>

#include <boost/asio/ssl/context.hpp>

#include "net/asio.hpp"

namespace radscheduler::sidecar::mllp {

struct ClientTls {
    bool enabled = false;
    std::string ca;          // file of certificates to believe; empty: those of the system
    std::string certificate; // file with our own certificate and its chain; empty: none
    std::string key;         // file with its key; empty: in the file of the certificate
    std::string server_name; // what the server's certificate must be for; empty: the host that is called
    bool verify = true;
};

// TLS 1.2 or newer. The sentence says which file cannot be used.
std::variant<std::shared_ptr<asio::ssl::context>, std::string> make_client_tls(const ClientTls& options);

} // namespace radscheduler::sidecar::mllp
