// One MLLP connection: read, hand each message to the database, answer each in order with one write.
// Invariant: one message at a time. While a message is at the database nothing more is read; the kernel's buffer and
// one chunk of input bound what waits.
#pragma once

#include <memory>
#include <string>

#include "db/pool.hpp"
#include "mllp/delivery.hpp"
#include "mllp/frame_reader.hpp"
#include "net/signal.hpp"
#include "net/tcp.hpp"
#include "net/watchdog.hpp"
#include "obs/counters.hpp"

namespace radscheduler::sidecar::mllp {

struct SessionLimits {
    std::size_t max_frame = 16U << 20U;
    Milliseconds idle_timeout{86'400'000};
    Milliseconds frame_timeout{60'000};
};

class Session {
public:
    Session(tcp::socket socket, std::shared_ptr<db::Pool> pool, SessionLimits limits, std::uint16_t http_port,
            Counters& counters);

    Task<void> run();
    // Finish the message in hand, then close.
    void request_stop();

private:
    enum class Next { go_on, close };

    Task<Next> handle(FrameEvent event);
    Task<Next> deliver(Payload message);
    Task<Delivery::Event> attempt(const Payload& message, bool first_try);
    Task<Next> answer(Clock::time_point arrived, std::size_t bytes, const Delivery& delivery);
    Task<bool> write(std::string_view bytes);
    Task<void> refuse_http();
    void report_dropped(std::string_view event, std::string_view sentence, const Payload& bytes) const;

    tcp::socket socket_;
    std::shared_ptr<db::Pool> pool_;
    SessionLimits limits_;
    std::uint16_t http_port_;
    Counters& counters_;
    std::string peer_;
    FrameReader reader_;
    FrameStats counted_;
    Watchdog watchdog_;
    Signal wake_;
    // The outcome of the last attempt that committed.
    std::string message_id_;
    std::string code_;
    std::string outcome_;
    std::string appointment_id_;
    Payload ack_;
    bool reading_ = false;
    bool stopping_ = false;
};

} // namespace radscheduler::sidecar::mllp
