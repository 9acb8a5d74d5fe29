// The bytes of one connection to Redis, plain or through TLS.
// Invariants: a TLS connection is usable only after the server's certificate was verified for the host of REDIS_URL.
// close() makes whatever waits return with an error; afterwards the object is thrown away.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>

#include "net/tcp.hpp"

namespace radscheduler::sidecar::redis {

class Wire {
public:
    // Without a context the connection is plain.
    Wire(const asio::any_io_executor& executor, std::shared_ptr<asio::ssl::context> context);

    Task<void> connect(const std::string& host, const std::string& port, error_code& ec);
    Task<void> write(std::string_view bytes, error_code& ec);
    Task<std::size_t> read(asio::mutable_buffer buffer, error_code& ec);
    void close();

private:
    tcp::resolver resolver_;
    tcp::socket socket_;
    std::shared_ptr<asio::ssl::context> context_;
    std::unique_ptr<asio::ssl::stream<tcp::socket&>> tls_;
};

} // namespace radscheduler::sidecar::redis
