// What a sender brings to a TLS connection: whom it believes, and its own certificate.
#pragma once

#include <memory>
#include <string>
#include <variant>

#include <boost/asio/ssl/context.hpp>

#include "net/asio.hpp"

namespace radscheduler::sidecar::tools {

struct TlsOptions {
    bool enabled = false;
    std::string ca;          // file of certificates to believe; empty: those of the system
    std::string certificate; // file with our own certificate and its chain; empty: none
    std::string key;         // file with its key; empty: in the file of the certificate
    std::string server_name; // what the server's certificate must be for; empty: the host that is called
    bool verify = true;
};

// TLS 1.2 or newer. The sentence says which file cannot be used.
std::variant<std::shared_ptr<asio::ssl::context>, std::string> make_tls(const TlsOptions& options);

} // namespace radscheduler::sidecar::tools
