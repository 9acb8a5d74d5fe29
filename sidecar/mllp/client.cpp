#include "mllp/client.hpp"

#include <array>

#include <boost/asio/connect.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/write.hpp>
#include <openssl/ssl.h>

#include "mllp/frame_writer.hpp"

namespace radscheduler::sidecar::mllp {
namespace {

constexpr std::size_t max_ack = 1U << 20U;

} // namespace

Client::Client(const asio::any_io_executor& executor, Destination destination)
    : executor_(executor), destination_(std::move(destination)), resolver_(executor),
      watchdog_(executor, [this] { interrupt(); }), reader_(max_ack) {}

bool Client::usable() {
    return link_ && link_->socket.is_open() && !peer_has_closed(link_->socket);
}

void Client::close() {
    error_code ignored;
    if (link_) {
        link_->socket.close(ignored);
    }
}

void Client::interrupt() {
    resolver_.cancel();
    close();
}

std::string Client::failed(const std::string& what, const error_code& ec) {
    close();
    const auto reason = watchdog_.expired() ? "no answer in time" : ec.message();
    watchdog_.disarm();
    return what + ": " + reason;
}

Task<error_code> Client::connect() {
    error_code ec;
    link_ = std::make_unique<Link>(executor_);
    const auto address = asio::ip::make_address(destination_.host, ec);
    if (!ec) { // names are looked up one after the other: an address need not wait for them
        const tcp::endpoint endpoint(address, destination_.port);
        co_await link_->socket.async_connect(endpoint, into(ec));
    } else {
        const auto port = std::to_string(destination_.port);
        const auto endpoints = co_await resolver_.async_resolve(destination_.host, port, into(ec));
        if (!ec) {
            co_await asio::async_connect(link_->socket, endpoints, into(ec));
        }
    }
    if (ec) {
        co_return ec;
    }
    tune(link_->socket);
    reader_ = FrameReader(max_ack);
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

Task<std::string> Client::open() {
    if (link_ && link_->socket.is_open()) {
        co_return std::string();
    }
    watchdog_.arm(destination_.connect_timeout);
    const auto ec = co_await connect();
    if (ec) {
        co_return failed("cannot connect to " + destination_.host + ":" + std::to_string(destination_.port), ec);
    }
    watchdog_.disarm();
    co_return std::string();
}

Task<std::string> Client::send(std::string_view framed) {
    error_code ec;
    const auto buffer = asio::buffer(framed.data(), framed.size());
    if (link_->tls) {
        co_await asio::async_write(*link_->tls, buffer, into(ec));
    } else {
        co_await asio::async_write(link_->socket, buffer, into(ec));
    }
    co_return ec ? failed("the message could not be sent", ec) : std::string();
}

Task<Answer> Client::receive_within(Milliseconds limit) {
    std::array<std::uint8_t, 16384> chunk;
    watchdog_.arm(limit);
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
            if (event.kind == FrameEvent::Kind::message) {
                received_.push_back(std::move(event.bytes).take());
            }
        }
    }
    watchdog_.disarm();
    Answer answer{std::move(received_.front()), {}};
    received_.pop_front();
    co_return answer;
}

Task<std::string> Client::post(std::string_view message) {
    const auto frame = framed(message);
    watchdog_.arm(destination_.timeout);
    auto problem = co_await send(frame);
    co_return problem;
}

Task<Answer> Client::exchange(std::string_view message) {
    auto problem = co_await open();
    if (problem.empty()) {
        problem = co_await post(message);
    }
    if (!problem.empty()) {
        co_return Answer{{}, std::move(problem)};
    }
    co_return co_await receive();
}

} // namespace radscheduler::sidecar::mllp
