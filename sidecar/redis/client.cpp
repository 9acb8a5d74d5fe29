#include "redis/client.hpp"

#include <array>

#include <boost/asio/connect.hpp>
#include <boost/asio/write.hpp>

namespace radscheduler::sidecar::redis {
namespace {

constexpr Milliseconds connect_timeout{5000};
constexpr Milliseconds exchange_timeout{5000};

} // namespace

Client::Client(const asio::any_io_executor& executor, Url url)
    : url_(std::move(url)), resolver_(executor), socket_(executor), watchdog_(executor, [this] { interrupt(); }) {}

void Client::interrupt() {
    error_code ignored;
    resolver_.cancel();
    socket_.close(ignored);
}

std::string Client::fail(std::string reason) {
    error_code ignored;
    connected_ = false;
    socket_.close(ignored);
    if (watchdog_.expired()) {
        reason = "no answer in time";
    }
    watchdog_.disarm();
    return reason;
}

Task<std::string> Client::connect() {
    error_code ec;
    fail({});
    watchdog_.arm(connect_timeout);
    const auto port = std::to_string(url_.port);
    const auto endpoints = co_await resolver_.async_resolve(url_.host, port, into(ec));
    if (ec) {
        co_return fail(ec.message());
    }
    co_await asio::async_connect(socket_, endpoints, into(ec));
    if (ec) {
        co_return fail(ec.message());
    }
    tune(socket_);
    Exchange exchange(opening(url_));
    auto reason = co_await run(exchange);
    connected_ = reason.empty();
    co_return reason;
}

Task<std::string> Client::send(std::vector<Command> commands) {
    if (!connected_) {
        co_return std::string("not connected");
    }
    Exchange exchange(commands);
    co_return co_await run(exchange);
}

Task<std::string> Client::run(Exchange& exchange) {
    error_code ec;
    watchdog_.arm(exchange_timeout);
    co_await asio::async_write(socket_, asio::buffer(exchange.bytes().data(), exchange.bytes().size()), into(ec));
    std::array<char, 16384> buffer;
    while (!ec && !exchange.done()) {
        const auto size = co_await socket_.async_read_some(asio::buffer(buffer), into(ec));
        exchange.feed({buffer.data(), size});
    }
    if (ec) {
        co_return fail(ec.message());
    }
    if (exchange.failed()) {
        co_return fail("Redis answered " + exchange.error());
    }
    watchdog_.disarm();
    last_reply_ = Clock::now();
    co_return std::string();
}

} // namespace radscheduler::sidecar::redis
