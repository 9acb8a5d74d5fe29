#include "tools/mllp_client.hpp"

#include <array>

#include <boost/asio/connect.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/write.hpp>
#include <openssl/ssl.h>

#include "mllp/frame_writer.hpp"

namespace radscheduler::sidecar::tools {
namespace {

constexpr std::size_t max_ack = 1U << 20U;

} // namespace

MllpClient::MllpClient(const asio::any_io_executor& executor, Destination destination)
    : executor_(executor), destination_(std::move(destination)), resolver_(executor),
      watchdog_(executor,
                [this] {
                    error_code ignored;
                    resolver_.cancel();
                    if (link_) {
                        link_->socket.close(ignored);
                    }
                }),
      reader_(max_ack) {}

std::string MllpClient::failed(const std::string& what, const error_code& ec) {
    error_code ignored;
    if (link_) {
        link_->socket.close(ignored);
    }
    const auto reason =
        watchdog_.expired() ? "no answer within " + std::to_string(destination_.timeout.count()) + " ms" : ec.message();
    watchdog_.disarm();
    return what + ": " + reason;
}

Task<error_code> MllpClient::connect() {
    error_code ec;
    link_ = std::make_unique<Link>(executor_);
    const auto port = std::to_string(destination_.port);
    const auto endpoints = co_await resolver_.async_resolve(destination_.host, port, into(ec));
    if (!ec) {
        co_await asio::async_connect(link_->socket, endpoints, into(ec));
    }
    if (ec) {
        co_return ec;
    }
    tune(link_->socket);
    reader_ = mllp::FrameReader(max_ack);
    received_.clear();
    if (destination_.tls) {
        const auto& name = destination_.server_name.empty() ? destination_.host : destination_.server_name;
        auto& tls = link_->tls.emplace(link_->socket, *destination_.tls);
        asio::ip::make_address(name, ec);
        if (ec) { // a server may hold several certificates; an address is no name to choose by
            SSL_set_tlsext_host_name(tls.native_handle(), name.c_str());
        }
        if ((SSL_get_verify_mode(tls.native_handle()) & SSL_VERIFY_PEER) != 0) {
            tls.set_verify_callback(asio::ssl::host_name_verification(name), ec);
        }
        co_await tls.async_handshake(asio::ssl::stream_base::client, into(ec));
    }
    co_return ec;
}

Task<std::string> MllpClient::open() {
    if (link_ && link_->socket.is_open()) {
        co_return std::string();
    }
    watchdog_.arm(destination_.timeout);
    const auto ec = co_await connect();
    if (ec) {
        co_return failed("cannot connect to " + destination_.host + ":" + std::to_string(destination_.port), ec);
    }
    watchdog_.disarm();
    co_return std::string();
}

Task<std::string> MllpClient::send(std::string_view framed) {
    error_code ec;
    const auto buffer = asio::buffer(framed.data(), framed.size());
    if (link_->tls) {
        co_await asio::async_write(*link_->tls, buffer, into(ec));
    } else {
        co_await asio::async_write(link_->socket, buffer, into(ec));
    }
    co_return ec ? failed("the message could not be sent", ec) : std::string();
}

Task<Answer> MllpClient::receive() {
    std::array<std::uint8_t, 16384> chunk;
    watchdog_.arm(destination_.timeout);
    while (received_.empty()) {
        error_code ec;
        std::size_t size = 0;
        if (link_->tls) {
            size = co_await link_->tls->async_read_some(asio::buffer(chunk), into(ec));
        } else {
            size = co_await link_->socket.async_read_some(asio::buffer(chunk), into(ec));
        }
        if (ec) {
            co_return Answer{{}, failed("no acknowledgement came", ec)};
        }
        for (auto& event : reader_.feed({chunk.data(), size})) {
            if (event.kind == mllp::FrameEvent::Kind::message) {
                received_.push_back(std::move(event.bytes).take());
            }
        }
    }
    watchdog_.disarm();
    Answer answer{std::move(received_.front()), {}};
    received_.pop_front();
    co_return answer;
}

Task<Answer> MllpClient::exchange(std::string_view message) {
    auto problem = co_await open();
    if (problem.empty()) {
        const auto frame = mllp::framed(message);
        watchdog_.arm(destination_.timeout);
        problem = co_await send(frame);
    }
    if (!problem.empty()) {
        co_return Answer{{}, std::move(problem)};
    }
    co_return co_await receive();
}

} // namespace radscheduler::sidecar::tools
