#include "net/tcp.hpp"

#include <array>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "net/watchdog.hpp"

namespace radscheduler::sidecar {

std::string peer_name(const tcp::socket& socket) {
    error_code ec;
    const auto endpoint = socket.remote_endpoint(ec);
    if (ec) {
        return "unknown";
    }
    const auto address = endpoint.address().to_string();
    const auto port = std::to_string(endpoint.port());
    return endpoint.address().is_v6() ? "[" + address + "]:" + port : address + ":" + port;
}

std::string peer_address(const tcp::socket& socket) {
    error_code ec;
    const auto endpoint = socket.remote_endpoint(ec);
    if (ec) {
        return "0.0.0.0";
    }
    auto address = endpoint.address();
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
        address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
    }
    const auto text = address.to_string();
    return text.substr(0, text.find('%'));
}

bool peer_has_closed(tcp::socket& socket) {
    pollfd entry{socket.native_handle(), POLLRDHUP, 0};
    return ::poll(&entry, 1, 0) > 0 && (entry.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0;
}

void tune(tcp::socket& socket) {
    error_code ignored; // an option that cannot be set costs speed, not correctness
    socket.set_option(tcp::no_delay(true), ignored);
    socket.set_option(tcp::socket::keep_alive(true), ignored);
    const int idle = 60;
    const int interval = 15;
    const int probes = 4;
    ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

Task<void> linger_close(tcp::socket& socket, Milliseconds limit) {
    error_code ec;
    socket.shutdown(tcp::socket::shutdown_send, ec);
    Watchdog watchdog(socket.get_executor(), [&socket] {
        error_code ignored;
        socket.cancel(ignored);
    });
    watchdog.arm(limit);
    std::array<char, 16384> dropped;
    while (!ec && !watchdog.expired()) {
        co_await socket.async_read_some(asio::buffer(dropped), into(ec));
    }
    watchdog.disarm();
    socket.close(ec);
}

Listening listen_on(const asio::any_io_executor& executor, const std::string& host, std::uint16_t port) {
    error_code ec;
    const auto address = asio::ip::make_address(host, ec);
    if (ec) {
        return {nullptr, "'" + host + "' is no IP address"};
    }
    const tcp::endpoint endpoint(address, port);
    auto acceptor = std::make_unique<tcp::acceptor>(executor);
    acceptor->open(endpoint.protocol(), ec);
    if (!ec) {
        acceptor->set_option(tcp::acceptor::reuse_address(true), ec);
    }
    if (!ec) {
        acceptor->bind(endpoint, ec);
    }
    if (!ec) {
        acceptor->listen(tcp::acceptor::max_listen_connections, ec);
    }
    if (ec) {
        return {nullptr, ec.message()};
    }
    return {std::move(acceptor), {}};
}

} // namespace radscheduler::sidecar
