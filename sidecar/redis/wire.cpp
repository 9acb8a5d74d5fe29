#include "redis/wire.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/write.hpp>

namespace radscheduler::sidecar::redis {

Wire::Wire(const asio::any_io_executor& executor, std::shared_ptr<asio::ssl::context> context)
    : resolver_(executor), socket_(executor), context_(std::move(context)) {
    if (context_) {
        tls_ = std::make_unique<asio::ssl::stream<tcp::socket&>>(socket_, *context_);
    }
}

Task<void> Wire::connect(const std::string& host, const std::string& port, error_code& ec) {
    const auto endpoints = co_await resolver_.async_resolve(host, port, into(ec));
    if (ec) {
        co_return;
    }
    co_await asio::async_connect(socket_, endpoints, into(ec));
    if (ec) {
        co_return;
    }
    tune(socket_);
    if (tls_) {
        error_code no_address;
        asio::ip::make_address(host, no_address);
        if (no_address) { // a name for SNI; addresses have none
            SSL_set_tlsext_host_name(tls_->native_handle(), host.c_str());
        }
        tls_->set_verify_callback(asio::ssl::host_name_verification(host), ec);
        co_await tls_->async_handshake(asio::ssl::stream_base::client, into(ec));
    }
}

Task<void> Wire::write(std::string_view bytes, error_code& ec) {
    const auto buffer = asio::buffer(bytes.data(), bytes.size());
    if (tls_) {
        co_await asio::async_write(*tls_, buffer, into(ec));
    } else {
        co_await asio::async_write(socket_, buffer, into(ec));
    }
}

Task<std::size_t> Wire::read(asio::mutable_buffer buffer, error_code& ec) {
    std::size_t size = 0;
    if (tls_) {
        size = co_await tls_->async_read_some(buffer, into(ec));
    } else {
        size = co_await socket_.async_read_some(buffer, into(ec));
    }
    co_return size;
}

void Wire::close() {
    error_code ignored;
    resolver_.cancel();
    socket_.close(ignored);
}

} // namespace radscheduler::sidecar::redis
