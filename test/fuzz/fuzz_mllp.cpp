// The MLLP reader: any stream, in any pieces, gives the same frames at the same places, and never keeps more than the
// cap.
#include "check.hpp"
#include "mllp/frame_reader.hpp"
#include "mllp/frame_writer.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

using namespace radscheduler::sidecar::mllp;

namespace {

constexpr std::size_t cap = 64;

struct Seen {
    FrameEvent::Kind kind;
    std::string bytes;
    std::uint64_t offset;
    bool operator==(const Seen&) const = default;
};

void feed(FrameReader& reader, std::span<const std::uint8_t> bytes, std::vector<Seen>& seen) {
    for (auto& event : reader.feed(bytes)) {
        FUZZ_CHECK(event.bytes.size() <= cap);
        seen.push_back({event.kind, std::string(event.bytes.view()), event.offset});
    }
    FUZZ_CHECK(reader.pending() <= cap);
}

// What was read, framed again, is read as the same message: but for those that hold a mark themselves.
void check_written(const Seen& seen) {
    if (seen.kind != FrameEvent::Kind::message) {
        return;
    }
    FUZZ_CHECK(seen.bytes.find(start_block) == std::string::npos);
    FUZZ_CHECK(seen.bytes.find("\x1c\r") == std::string::npos);
    const auto frame = framed(seen.bytes);
    FrameReader reader(cap);
    const auto events = reader.feed({reinterpret_cast<const std::uint8_t*>(frame.data()), frame.size()});
    FUZZ_CHECK(events.size() == 1 && events[0].kind == FrameEvent::Kind::message &&
               events[0].bytes.view() == seen.bytes);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span<const std::uint8_t> stream(data, size);
    FrameReader whole(cap);
    std::vector<Seen> at_once;
    feed(whole, stream, at_once);
    FrameReader pieces(cap);
    std::vector<Seen> in_pieces;
    std::size_t at = 0;
    while (at < size) {
        const std::size_t step = std::min<std::size_t>(size - at, 1 + data[at] % 5);
        feed(pieces, stream.subspan(at, step), in_pieces);
        at += step;
    }
    FUZZ_CHECK(at_once == in_pieces);
    FUZZ_CHECK(whole.stats().junk_bytes == pieces.stats().junk_bytes);
    FUZZ_CHECK(whole.stats().frames == pieces.stats().frames);
    FUZZ_CHECK(whole.pending() == pieces.pending() && whole.closed() == pieces.closed());
    for (const auto& seen : at_once) {
        FUZZ_CHECK(seen.offset < size);
        check_written(seen);
    }
    return 0;
}
