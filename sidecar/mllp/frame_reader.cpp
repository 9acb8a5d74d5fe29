#include "mllp/frame_reader.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <utility>

namespace radscheduler::sidecar::mllp {
namespace {

using namespace std::string_view_literals;

struct Opening {
    std::string_view bytes;
    FrameEvent::Kind kind;
};

// How other protocols begin. The TLS one is a handshake record of any version.
constexpr std::array<Opening, 11> openings{{
    {"GET "sv, FrameEvent::Kind::speaks_http},
    {"POST "sv, FrameEvent::Kind::speaks_http},
    {"PUT "sv, FrameEvent::Kind::speaks_http},
    {"HEAD "sv, FrameEvent::Kind::speaks_http},
    {"PATCH "sv, FrameEvent::Kind::speaks_http},
    {"DELETE "sv, FrameEvent::Kind::speaks_http},
    {"OPTIONS "sv, FrameEvent::Kind::speaks_http},
    {"CONNECT "sv, FrameEvent::Kind::speaks_http},
    {"TRACE "sv, FrameEvent::Kind::speaks_http},
    {"PRI * HTTP"sv, FrameEvent::Kind::speaks_http},
    {"\x16\x03"sv, FrameEvent::Kind::speaks_tls},
}};

} // namespace

std::vector<FrameEvent> FrameReader::feed(std::span<const std::uint8_t> bytes) {
    std::vector<FrameEvent> events;
    const std::string_view input(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    std::size_t at = 0;
    while (at < input.size() && state_ != State::closed) {
        switch (state_) {
        case State::between:
            outside(input[at], base_ + at, events);
            ++at;
            break;
        case State::body: {
            // Copies whole runs: the only bytes that matter inside a frame are the two marks.
            const auto rest = input.substr(at);
            const auto mark = std::min(rest.find(start_block), rest.find(end_block));
            const auto run = rest.substr(0, mark);
            if (!append(run, events)) {
                break;
            }
            at += run.size();
            if (at < input.size()) {
                if (input[at] == start_block) {
                    restart(base_ + at, events);
                } else {
                    state_ = State::after_end_block;
                }
                ++at;
            }
            break;
        }
        case State::after_end_block:
            if (input[at] == end_return) {
                complete(events);
                ++at;
            } else if (append({&end_block, 1}, events)) { // the 0x1C was data; this byte is read again as body
                state_ = State::body;
            }
            break;
        case State::closed:
            break;
        }
    }
    base_ += input.size();
    return events;
}

void FrameReader::outside(char byte, std::uint64_t offset, std::vector<FrameEvent>& events) {
    if (byte == start_block) {
        state_ = State::body;
        frame_offset_ = offset;
        ++stats_.frames;
        fresh_ = false;
        after_frame_ = false;
        opening_.clear();
        return;
    }
    if (after_frame_ && (byte == '\n' || byte == '\r')) {
        return;
    }
    after_frame_ = false;
    ++stats_.junk_bytes;
    if (fresh_) {
        opening_ += byte;
        bool possible = false;
        for (const auto& opening : openings) {
            if (opening_ == opening.bytes) {
                close(opening.kind, events);
                return;
            }
            possible = possible || opening.bytes.substr(0, opening_.size()) == opening_;
        }
        fresh_ = possible;
    }
    if (!fresh_ && !told_outside_) {
        told_outside_ = true;
        opening_.clear();
        events.push_back({FrameEvent::Kind::outside_frame, {}, offset});
    }
}

void FrameReader::complete(std::vector<FrameEvent>& events) {
    state_ = State::between;
    after_frame_ = true;
    if (frame_.empty()) {
        ++stats_.empty_frames;
    }
    events.push_back({FrameEvent::Kind::message, Payload(std::exchange(frame_, {})), frame_offset_});
}

void FrameReader::restart(std::uint64_t offset, std::vector<FrameEvent>& events) {
    if (!frame_.empty()) {
        events.push_back({FrameEvent::Kind::half_frame, Payload(std::exchange(frame_, {})), frame_offset_});
    }
    frame_offset_ = offset;
    ++stats_.frames;
}

bool FrameReader::append(std::string_view bytes, std::vector<FrameEvent>& events) {
    if (bytes.size() > max_frame_ - frame_.size()) {
        frame_.append(bytes.substr(0, max_frame_ - frame_.size()));
        close(FrameEvent::Kind::too_large, events);
        return false;
    }
    frame_.append(bytes);
    return true;
}

void FrameReader::close(FrameEvent::Kind kind, std::vector<FrameEvent>& events) {
    state_ = State::closed;
    const bool framed = kind == FrameEvent::Kind::too_large;
    events.push_back({kind, Payload(std::exchange(framed ? frame_ : opening_, {})), framed ? frame_offset_ : 0});
    frame_.clear();
    opening_.clear();
}

Payload FrameReader::take_pending() {
    state_ = State::between;
    return Payload(std::exchange(frame_, {}));
}

} // namespace radscheduler::sidecar::mllp
