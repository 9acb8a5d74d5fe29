// The bytes of one HTTP connection, plain or through TLS, as an Asio stream with a deadline.
// Invariant: the TLS stream refers to the plain one and to the context it began with, which both outlive it.
#pragma once

#include <memory>
#include <utility>

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/tcp_stream.hpp>

#include "net/tcp.hpp"

namespace radscheduler::sidecar::http {

class Stream {
public:
    using executor_type = boost::beast::tcp_stream::executor_type;
    using next_layer_type = boost::beast::tcp_stream;

    // Without a context the connection is plain.
    Stream(tcp::socket socket, std::shared_ptr<asio::ssl::context> context)
        : plain_(std::make_unique<boost::beast::tcp_stream>(std::move(socket))), context_(std::move(context)) {
        if (context_) {
            tls_ = std::make_unique<asio::ssl::stream<boost::beast::tcp_stream&>>(*plain_, *context_);
        }
    }

    executor_type get_executor() { return plain_->get_executor(); }
    boost::beast::tcp_stream& next_layer() { return *plain_; }
    bool is_tls() const { return tls_ != nullptr; }

    template <typename Buffers, typename Token>
    auto async_read_some(const Buffers& buffers, Token&& token) {
        if (tls_) {
            return tls_->async_read_some(buffers, std::forward<Token>(token));
        }
        return plain_->async_read_some(buffers, std::forward<Token>(token));
    }

    template <typename Buffers, typename Token>
    auto async_write_some(const Buffers& buffers, Token&& token) {
        if (tls_) {
            return tls_->async_write_some(buffers, std::forward<Token>(token));
        }
        return plain_->async_write_some(buffers, std::forward<Token>(token));
    }

    Task<void> handshake(error_code& ec) {
        if (tls_) {
            co_await tls_->async_handshake(asio::ssl::stream_base::server, into(ec));
        }
    }

    // Says goodbye, within the deadline of next_layer().
    Task<void> shutdown() {
        if (tls_) {
            error_code ignored;
            co_await tls_->async_shutdown(into(ignored));
        }
    }

private:
    std::unique_ptr<boost::beast::tcp_stream> plain_;
    std::shared_ptr<asio::ssl::context> context_;
    std::unique_ptr<asio::ssl::stream<boost::beast::tcp_stream&>> tls_;
};

} // namespace radscheduler::sidecar::http
