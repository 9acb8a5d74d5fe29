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

#include "mllp/client_tls.hpp"
#include "mllp/frame_reader.hpp"
#include "net/asio.hpp"
#include "net/tcp.hpp"
#include "net/watchdog.hpp"

namespace radscheduler::sidecar::mllp {

struct Answer {
    std::string ack;     // without framing; empty when none came
    std::string problem; // why none came
};

struct Destination {
    std::string host;
    std::uint16_t port = 0;
    Milliseconds timeout{10'000}; // for a message to be taken, and for its answer
    Milliseconds connect_timeout{10'000};
    std::shared_ptr<asio::ssl::context> tls; // empty: in the clear
    std::string server_name;                 // empty: the host
};

class Client {
public:
    Client(const asio::any_io_executor& executor, Destination destination);

    // Connects first when needed, sends one message and waits for its answer.
    Task<Answer> exchange(std::string_view message);

    // The steps of it, each giving the reason when it failed, else nothing. open() does nothing when it is open.
    Task<std::string> open();
    Task<std::string> post(std::string_view message); // frames it, and gives it the time of one answer to be taken
    Task<std::string> send(std::string_view framed);  // without a deadline of its own: that of the last step holds
    Task<Answer> receive() { return receive_within(destination_.timeout); }
    Task<Answer> receive_within(Milliseconds limit);

    // Whether it is open and the other side has not closed it meanwhile.
    bool usable();
    void close();
    // Makes what is under way fail.
    void interrupt();

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
    FrameReader reader_;
    std::deque<std::string> received_;
};

} // namespace radscheduler::sidecar::mllp
