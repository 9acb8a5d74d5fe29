// What a connection to Redis through TLS (rediss://) believes and shows.
#pragma once

#include <memory>
#include <string>

#include <boost/asio/ssl/context.hpp>

namespace radscheduler::sidecar::redis {

struct TlsFiles {
    std::string ca;          // certificates to believe; empty: those of the system
    std::string certificate; // our own and its chain; empty: none
    std::string key;         // its key; empty: in the file of the certificate
};

struct TlsMade {
    std::shared_ptr<boost::asio::ssl::context> context;
    std::string problem; // which file, and why
};

// TLS 1.2 or newer; the certificate of the server is always verified.
TlsMade make_tls(const TlsFiles& files);

} // namespace radscheduler::sidecar::redis
