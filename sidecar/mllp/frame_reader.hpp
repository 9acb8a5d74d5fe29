// Cuts an MLLP byte stream into messages: 0x0B message 0x1C 0x0D. A state machine without a socket.
//
// Tolerant where real senders need it: bytes between frames are skipped and counted (a LF after a frame is not even
// counted), 0x1C without 0x0D is data, 0x0B inside a frame starts it anew. Strict where it protects us: a frame over
// the cap, or the first bytes of HTTP or TLS, end the reading for good.
//
// Invariants: feeding a stream in any pieces gives the same events; never more than `max_frame` bytes are kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "obs/payload.hpp"

namespace radscheduler::sidecar::mllp {

inline constexpr char start_block = '\x0b';
inline constexpr char end_block = '\x1c';
inline constexpr char end_return = '\x0d';

struct FrameEvent {
    enum class Kind {
        message,     // bytes: the message without its framing; may be empty, so that an empty frame gets a clear answer
        half_frame,  // bytes: the beginning of a frame that another 0x0B cut off
        too_large,   // bytes: what was kept of a frame over the cap; reading has ended
        speaks_http, // bytes: the opening; the peer speaks HTTP; reading has ended
        speaks_tls,  // bytes: the opening; the peer speaks TLS; reading has ended
        outside_frame, // the first byte of this stream that lies outside a frame; told once
    };
    Kind kind;
    Payload bytes;
    std::uint64_t offset = 0; // where in the stream its 0x0B stood; for the last three kinds, their first byte
};

struct FrameStats {
    std::uint64_t junk_bytes = 0; // bytes outside frames, without CR and LF at the start or right after a frame
    std::uint64_t empty_frames = 0;
    std::uint64_t frames = 0; // begun, complete or not
};

class FrameReader {
public:
    explicit FrameReader(std::size_t max_frame) : max_frame_(max_frame) {}

    std::vector<FrameEvent> feed(std::span<const std::uint8_t> bytes);

    // True while a frame has begun and is not complete.
    bool in_frame() const { return state_ == State::body || state_ == State::after_end_block; }
    // Bytes kept of the frame that is not complete.
    std::size_t pending() const { return frame_.size(); }
    // Takes the incomplete frame away, for a stream that has ended inside one.
    Payload take_pending();
    // Where in the stream the incomplete frame began.
    std::uint64_t frame_offset() const { return frame_offset_; }
    // True when reading has ended for good.
    bool closed() const { return state_ == State::closed; }
    const FrameStats& stats() const { return stats_; }

private:
    enum class State { between, body, after_end_block, closed };

    void outside(char byte, std::uint64_t offset, std::vector<FrameEvent>& events);
    void complete(std::vector<FrameEvent>& events);
    void restart(std::uint64_t offset, std::vector<FrameEvent>& events);
    bool append(std::string_view bytes, std::vector<FrameEvent>& events);
    void close(FrameEvent::Kind kind, std::vector<FrameEvent>& events);

    std::size_t max_frame_;
    State state_ = State::between;
    std::string frame_;
    std::string opening_;     // the first bytes of the stream, while they may still be another protocol's
    bool fresh_ = true;       // no frame and no foreign opening was seen yet
    bool after_frame_ = true; // at the start of the stream or right behind a frame: CR and LF are tolerated
    bool told_outside_ = false;
    std::uint64_t base_ = 0; // bytes fed before this feed()
    std::uint64_t frame_offset_ = 0;
    FrameStats stats_;
};

} // namespace radscheduler::sidecar::mllp
