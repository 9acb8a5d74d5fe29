// Small TCP helpers that Asio lacks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <boost/asio/ip/tcp.hpp>

#include "net/asio.hpp"

namespace radscheduler::sidecar {

using tcp = asio::ip::tcp;

// Address and port of the other side as "ip:port" ("[ip]:port" for IPv6), or "unknown" when it is gone already.
std::string peer_name(const tcp::socket& socket);

// Its address alone, without port or zone; "0.0.0.0" when it is gone already.
std::string peer_address(const tcp::socket& socket);

// True when the other side has closed its sending half or the connection is broken, even with bytes still unread.
bool peer_has_closed(tcp::socket& socket);

// Options every accepted connection gets: no delay, and keep-alive probes that notice a dead peer within minutes.
void tune(tcp::socket& socket);

// Closes without a reset: sends what was written, then reads and drops what still arrives, at most for `limit`.
// A close with unread bytes would reset the connection, and the peer would never see our last answer.
Task<void> linger_close(tcp::socket& socket, Milliseconds limit);

struct Listening {
    std::unique_ptr<tcp::acceptor> acceptor; // empty when it failed
    std::string problem;                     // the reason, for people
};

Listening listen_on(const asio::any_io_executor& executor, const std::string& host, std::uint16_t port);

} // namespace radscheduler::sidecar
