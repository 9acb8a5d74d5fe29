#include "tools/mllp_client.hpp"

#include <array>

#include <boost/asio/connect.hpp>
#include <boost/asio/write.hpp>

#include "mllp/frame_writer.hpp"

namespace radscheduler::sidecar::tools {
namespace {

constexpr std::size_t max_ack = 1U << 20U;

} // namespace

MllpClient::MllpClient(const asio::any_io_executor& executor, std::string host, std::uint16_t port,
                       Milliseconds timeout)
    : host_(std::move(host)), port_(port), timeout_(timeout), resolver_(executor), socket_(executor),
      watchdog_(executor,
                [this] {
                    error_code ignored;
                    resolver_.cancel();
                    socket_.close(ignored);
                }),
      reader_(max_ack) {}

Answer MllpClient::failed(const std::string& what, const error_code& ec) {
    error_code ignored;
    socket_.close(ignored);
    const auto reason =
        watchdog_.expired() ? "no answer within " + std::to_string(timeout_.count()) + " ms" : ec.message();
    watchdog_.disarm();
    return {{}, what + ": " + reason};
}

Task<error_code> MllpClient::connect() {
    error_code ec;
    const auto port = std::to_string(port_);
    const auto endpoints = co_await resolver_.async_resolve(host_, port, into(ec));
    if (!ec) {
        co_await asio::async_connect(socket_, endpoints, into(ec));
    }
    if (!ec) {
        tune(socket_);
        reader_ = mllp::FrameReader(max_ack);
        received_.clear();
    }
    co_return ec;
}

Task<Answer> MllpClient::exchange(std::string message) {
    error_code ec;
    watchdog_.arm(timeout_);
    if (!socket_.is_open()) {
        ec = co_await connect();
        if (ec) {
            co_return failed("cannot connect to " + host_ + ":" + std::to_string(port_), ec);
        }
    }
    const auto frame = mllp::framed(message);
    co_await asio::async_write(socket_, asio::buffer(frame), into(ec));
    if (ec) {
        co_return failed("the message could not be sent", ec);
    }
    std::array<std::uint8_t, 16384> buffer;
    while (received_.empty()) {
        const auto size = co_await socket_.async_read_some(asio::buffer(buffer), into(ec));
        if (ec) {
            co_return failed("no acknowledgement came", ec);
        }
        for (auto& event : reader_.feed({buffer.data(), size})) {
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

} // namespace radscheduler::sidecar::tools
