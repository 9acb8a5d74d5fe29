// Many followers of live events in one process, for test/bench/live.py: connects, subscribes, and tells how late each
// event came by the clock that its writer put into it (data.sent, microseconds since 1970).
//   live_clients PORT KEY CLIENTS SECONDS -> one line of JSON
// No WebSocket library: it has to cost less than what it measures.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

namespace asio = boost::asio;
using asio::ip::tcp;
using error_code = boost::system::error_code;

namespace {

struct Tally {
    std::vector<std::uint32_t> delays; // microseconds
    std::size_t bytes = 0;
    std::size_t subscribed = 0;
    std::size_t lost = 0; // connections that ended
};

std::int64_t now_us() {
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

// A client's frames are masked; a mask of zeros changes nothing.
std::string text_frame(const std::string& text) {
    std::string frame{'\x81', static_cast<char>(0x80U | text.size())};
    return frame + std::string(4, '\0') + text;
}

class Client {
public:
    Client(asio::io_context& io, Tally& tally) : socket_(io), tally_(tally) {}

    bool connect(unsigned short port, const std::string& key) {
        error_code ec;
        socket_.connect({asio::ip::address_v4::loopback(), port}, ec);
        const std::string request =
            "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: radsched.v1\r\nAuthorization: Bearer " +
            key + "\r\n\r\n";
        asio::write(socket_, asio::buffer(request), ec);
        read();
        return !ec;
    }

private:
    void read() {
        socket_.async_read_some(asio::buffer(chunk_), [this](const error_code& ec, std::size_t size) {
            if (ec) {
                ++tally_.lost;
                return;
            }
            tally_.bytes += size;
            pending_.append(chunk_.data(), size);
            take();
            read();
        });
    }

    void take() {
        std::size_t at = 0;
        if (!upgraded_) {
            const auto end = pending_.find("\r\n\r\n");
            if (end == std::string::npos) {
                return;
            }
            upgraded_ = pending_.compare(0, 12, "HTTP/1.1 101") == 0;
            at = end + 4;
            error_code ignored;
            asio::write(socket_, asio::buffer(text_frame(R"({"op":"subscribe","id":"s1","types":["order.*"]})")),
                        ignored);
        }
        while (pending_.size() >= at + 2) {
            std::size_t length = static_cast<unsigned char>(pending_[at + 1]) & 0x7fU;
            std::size_t header = 2;
            if (length == 126) {
                if (pending_.size() < at + 4) {
                    break;
                }
                length = static_cast<std::size_t>(static_cast<unsigned char>(pending_[at + 2])) << 8U |
                         static_cast<unsigned char>(pending_[at + 3]);
                header = 4;
            }
            if (pending_.size() < at + header + length) {
                break;
            }
            note(static_cast<unsigned char>(pending_[at]) & 0x0fU, pending_.data() + at + header, length);
            at += header + length;
        }
        pending_.erase(0, at);
    }

    void note(unsigned opcode, const char* data, std::size_t length) {
        const std::string_view text(data, length);
        if (opcode == 9) { // ping
            error_code ignored;
            asio::write(socket_, asio::buffer(std::string("\x8a\x80\0\0\0\0", 6)), ignored);
            return;
        }
        constexpr std::string_view mark = "\"sent\": ";
        const auto found = text.find(mark);
        if (found != std::string_view::npos) {
            const auto sent = std::strtoll(text.data() + found + mark.size(), nullptr, 10);
            tally_.delays.push_back(static_cast<std::uint32_t>(std::max<std::int64_t>(now_us() - sent, 0)));
        } else if (text.find("\"subscribed\"") != std::string_view::npos) {
            ++tally_.subscribed;
        }
    }

    tcp::socket socket_;
    Tally& tally_;
    std::array<char, 16384> chunk_{};
    std::string pending_;
    bool upgraded_ = false;
};

} // namespace

int main(int argc, char** argv) {
    if (argc != 5) {
        std::fprintf(stderr, "usage: live_clients PORT KEY CLIENTS SECONDS\n");
        return 2;
    }
    asio::io_context io(1);
    Tally tally;
    std::vector<std::unique_ptr<Client>> clients;
    for (int n = 0; n < std::atoi(argv[3]); ++n) {
        clients.push_back(std::make_unique<Client>(io, tally));
        if (!clients.back()->connect(static_cast<unsigned short>(std::atoi(argv[1])), argv[2])) {
            std::fprintf(stderr, "live_clients: a connection was refused\n");
            return 1;
        }
        io.poll();
    }
    while (tally.subscribed < clients.size() && tally.lost == 0) {
        io.run_one();
    }
    std::printf("ready\n");
    std::fflush(stdout);
    asio::steady_timer end(io, std::chrono::seconds(std::atoi(argv[4])));
    end.async_wait([&](const error_code&) { io.stop(); });
    io.run();
    std::sort(tally.delays.begin(), tally.delays.end());
    const auto at = [&](double part) {
        const auto place = static_cast<std::size_t>(part * static_cast<double>(tally.delays.size()));
        return tally.delays.empty() ? 0.0 : tally.delays[std::min(place, tally.delays.size() - 1)] / 1000.0;
    };
    std::printf(
        R"({"clients": %zu, "events": %zu, "bytes": %zu, "lost": %zu, "p50_ms": %.1f, "p99_ms": %.1f, "max_ms": %.1f})"
        "\n",
        clients.size(), tally.delays.size(), tally.bytes, tally.lost, at(0.5), at(0.99), at(1.0));
    return 0;
}
