// The scan on arm64, where NEON is always there. Shifting each 16-bit lane right by four keeps one nibble per byte,
// which is the nearest thing to SSE's movemask.
#include "delimiter_scan.hpp"

#if defined(__aarch64__)

#include <arm_neon.h>

namespace radscheduler {

namespace {

constexpr std::uint64_t kOneBitPerNibble = 0x1111111111111111ULL;

inline std::uint64_t hits_neon(const char* text, const uint8x16_t (&wanted)[5]) {
    const uint8x16_t bytes = vld1q_u8(reinterpret_cast<const std::uint8_t*>(text));
    uint8x16_t hits = vceqq_u8(bytes, wanted[0]);
    for (int i = 1; i < 5; ++i)
        hits = vorrq_u8(hits, vceqq_u8(bytes, wanted[i]));
    const uint8x8_t nibbles = vshrn_n_u16(vreinterpretq_u16_u8(hits), 4);
    return vget_lane_u64(vreinterpret_u64_u8(nibbles), 0) & kOneBitPerNibble;
}

} // namespace

std::size_t scan_neon(const char* text, std::size_t size, const WantedBytes& wanted, std::uint32_t* out) {
    uint8x16_t patterns[5];
    for (std::size_t i = 0; i < wanted.size(); ++i)
        patterns[i] = vdupq_n_u8(static_cast<std::uint8_t>(wanted[i]));
    std::uint32_t* const begin = out;
    std::size_t at = 0;
    for (; size - at >= 16; at += 16) {
        std::uint64_t hits = hits_neon(text + at, patterns);
        const auto count = static_cast<std::size_t>(std::popcount(hits));
        for (std::size_t written = 0; written < count; written += 4) {
            for (std::size_t i = 0; i < 4; ++i) {
                out[written + i] =
                    static_cast<std::uint32_t>(at) + static_cast<std::uint32_t>(std::countr_zero(hits) >> 2);
                hits &= hits - 1;
            }
        }
        out += count;
    }
    const std::size_t found = scan_scalar(text + at, size - at, wanted, out);
    for (std::size_t i = 0; i < found; ++i)
        out[i] += static_cast<std::uint32_t>(at);
    return static_cast<std::size_t>(out - begin) + found;
}

} // namespace radscheduler

#endif
