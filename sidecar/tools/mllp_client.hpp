// The sender's side of MLLP, in the clear or over TLS: messages out, acknowledgements back, each step with a deadline.
//
// Invariant: one coroutine may send while another receives; nothing else may overlap. After a problem the connection
// is closed; open() makes a new one, but only when nothing is under way any more.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/ssl/stream.hpp>

#include "mllp/frame_reader.hpp"
#include "net/asio.hpp"
#include "net/tcp.hpp"
#include "net/watchdog.hpp"
#include "tools/tls.hpp"

namespace radscheduler::sidecar::tools {

struct Answer {
    std::string ack;     // without framing; empty when none came
    std::string problem; // why none came
};

struct Destination {
    std::string host;
    std::uint16_t port = 0;
    Milliseconds timeout{10'000};
    std::shared_ptr<asio::ssl::context> tls; // empty: in the clear
    std::string server_name;                 // empty: the host
};

class MllpClient {
public:
    MllpClient(const asio::any_io_executor& executor, Destination destination);

    // Connects first when needed, sends one message and waits for its answer.
    Task<Answer> exchange(std::string_view message);

    // The steps of it, each giving the reason when it failed, else nothing. open() does nothing when it is open.
    Task<std::string> open();
    Task<std::string> send(std::string_view framed);
    Task<Answer> receive();

private:
    struct Link {
        explicit Link(const asio::any_io_executor& executor) : socket(executor) {}

        tcp::socket socket;
        std::optional<asio::ssl::stream<tcp::socket&>> tls;
    };

    Task<error_code> connect();
    std::string failed(const std::string& what, const error_code& ec);

    asio::any_io_executor executor_;
    Destination destination_;
    tcp::resolver resolver_;
    std::unique_ptr<Link> link_;
    Watchdog watchdog_;
    mllp::FrameReader reader_;
    std::deque<std::string> received_;
};

} // namespace radscheduler::sidecar::tools
