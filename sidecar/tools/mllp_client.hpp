// The sender's side of MLLP: one message out, one acknowledgement back, each step with a deadline.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "mllp/frame_reader.hpp"
#include "net/asio.hpp"
#include "net/tcp.hpp"
#include "net/watchdog.hpp"

namespace radscheduler::sidecar::tools {

struct Answer {
    std::string ack;     // without framing; empty when none came
    std::string problem; // why none came
};

class MllpClient {
public:
    MllpClient(const asio::any_io_executor& executor, std::string host, std::uint16_t port, Milliseconds timeout);

    // Connects first when needed. After a problem the connection is closed and the next call makes a new one.
    Task<Answer> exchange(std::string message);

private:
    Task<error_code> connect();
    Answer failed(const std::string& what, const error_code& ec);

    std::string host_;
    std::uint16_t port_;
    Milliseconds timeout_;
    tcp::resolver resolver_;
    tcp::socket socket_;
    Watchdog watchdog_;
    mllp::FrameReader reader_;
    std::deque<std::string> received_;
};

} // namespace radscheduler::sidecar::tools
