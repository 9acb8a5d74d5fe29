#include "redis/client.hpp"

#include <array>

namespace radscheduler::sidecar::redis {
namespace {

constexpr Milliseconds connect_timeout{5000};

} // namespace

Client::Client(asio::any_io_executor executor, Url url, TlsFiles tls)
    : executor_(std::move(executor)), url_(std::move(url)), tls_(std::move(tls)),
      watchdog_(executor_, [this] { interrupt(); }) {}

void Client::interrupt() {
    if (wire_) {
        wire_->close();
    }
}

std::string Client::fail(std::string reason) {
    connected_ = false;
    interrupt();
    if (watchdog_.expired()) {
        reason = "no answer in time";
    }
    watchdog_.disarm();
    return reason;
}

// The files of TLS are read for every connection, so that renewed ones are taken up.
Task<std::string> Client::connect() {
    error_code ec;
    fail({});
    TlsMade tls;
    if (url_.tls) {
        tls = make_tls(tls_);
        if (!tls.context) {
            co_return fail(tls.problem);
        }
    }
    const auto wire = std::make_shared<Wire>(executor_, tls.context);
    wire_ = wire;
    watchdog_.arm(connect_timeout);
    const auto port = std::to_string(url_.port);
    co_await wire->connect(url_.host, port, ec);
    if (ec) {
        co_return fail(ec.message());
    }
    Exchange exchange(opening(url_));
    auto reason = co_await run(exchange, exchange_timeout);
    connected_ = reason.empty();
    co_return reason;
}

Task<std::string> Client::send(std::vector<Command> commands, Milliseconds limit) {
    if (!connected_) {
        co_return std::string("not connected");
    }
    Exchange exchange(commands);
    auto reason = co_await run(exchange, limit);
    repeated_ = exchange.repeated();
    co_return reason;
}

Task<std::string> Client::look_up(Lookup& lookup, Milliseconds limit) {
    if (!connected_) {
        co_return std::string("not connected");
    }
    co_return co_await run(lookup, limit);
}

template <class Machine>
Task<std::string> Client::run(Machine& exchange, Milliseconds limit) {
    const auto wire = wire_;
    error_code ec;
    watchdog_.arm(limit);
    co_await wire->write(exchange.bytes(), ec);
    std::array<char, 16384> buffer;
    while (!ec && !exchange.done()) {
        const auto size = co_await wire->read(asio::buffer(buffer), ec);
        exchange.feed({buffer.data(), size});
    }
    if (ec && !exchange.done()) {
        co_return fail(ec.message());
    }
    if (exchange.failed()) {
        co_return fail("Redis answered " + exchange.error() + std::string(advice(exchange.error())));
    }
    watchdog_.disarm();
    last_reply_ = Clock::now();
    co_return std::string();
}

} // namespace radscheduler::sidecar::redis
