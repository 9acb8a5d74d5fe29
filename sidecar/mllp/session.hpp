// One MLLP connection: read, hand the messages to the intake, answer each in order.
// Invariants: nothing is read while messages are at the database; the kernel's buffer and one chunk of input bound what
// waits. The messages of one read travel together, and so do their answers. An answer is written after the commit only.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "mllp/delivery.hpp"
#include "mllp/frame_reader.hpp"
#include "mllp/house.hpp"
#include "mllp/listener.hpp"
#include "mllp/transport.hpp"
#include "net/signal.hpp"
#include "net/watchdog.hpp"

namespace radscheduler::sidecar::mllp {

class Session {
public:
    Session(Transport transport, std::string peer, std::shared_ptr<const Listener> listener,
            std::shared_ptr<House> house);
    ~Session();

    Task<void> run();
    // Finish the messages in hand, then close.
    void request_stop();

private:
    enum class Next { go_on, close };

    Task<bool> begin_tls();
    Task<Next> handle(std::vector<FrameEvent>& events);
    Task<Next> flush(std::vector<Payload>& messages);
    Task<Next> refuse(const FrameEvent& event);
    Task<Next> deliver(std::vector<Payload>& messages);
    Task<Delivery::Event> attempt(std::vector<Payload>& messages, const Delivery& delivery, Clock::time_point arrived);
    // What is told of a message that is gone.
    struct Trace {
        std::size_t size;
        std::string_view trigger;
    };
    Task<bool> answer(const std::vector<Receipt>& receipts, const std::vector<Trace>& traces, int attempts,
                      Clock::time_point arrived);
    Task<bool> write(std::string_view bytes);
    Task<void> refuse_http();
    void end_inside_frame(std::string_view reason);
    void reject(std::string_view reason, std::string_view sentence, Payload bytes, std::uint64_t offset);
    void keep(std::string_view reason, Payload bytes, std::uint64_t offset);
    Milliseconds patience() const;
    void note_memory();

    Transport transport_;
    std::string peer_;
    std::shared_ptr<const Listener> listener_;
    std::shared_ptr<House> house_;
    Counters& counters_;
    std::vector<std::string> certificate_names_;
    FrameReader reader_;
    FrameStats counted_;
    Watchdog watchdog_;
    Signal wake_;
    Clock::time_point opened_ = Clock::now();
    Clock::time_point frame_began_;
    std::size_t memory_ = 0; // what of house_->memory is ours
    bool began_ = false;     // something that was a message has arrived
    bool reading_ = false;
    bool stopping_ = false;
};

} // namespace radscheduler::sidecar::mllp
