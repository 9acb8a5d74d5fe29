// The scan behind DelimiterIndex: one function per instruction set, all with the same contract.
//
// Contract: writes the offset of every byte of [text, text + size) that is one of `wanted` to `out`, ascending, and
// returns how many. Reads nothing outside the text. May write up to kScanSlack entries behind the last one.
#pragma once

#include "radscheduler/delimiter_index.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace radscheduler {

inline constexpr std::size_t kScanSlack = 64;

// Field, component, repetition, subcomponent, CR. What a message does not declare repeats the field separator.
using WantedBytes = std::array<char, 5>;

using ScanFunction = std::size_t (*)(const char* text, std::size_t size, const WantedBytes& wanted, std::uint32_t* out);

WantedBytes wanted_bytes(const Delimiters& delimiters);

std::size_t scan_scalar(const char* text, std::size_t size, const WantedBytes& wanted, std::uint32_t* out);
std::size_t scan_sse2(const char* text, std::size_t size, const WantedBytes& wanted, std::uint32_t* out);
std::size_t scan_avx2(const char* text, std::size_t size, const WantedBytes& wanted, std::uint32_t* out);
std::size_t scan_avx512(const char* text, std::size_t size, const WantedBytes& wanted, std::uint32_t* out);
std::size_t scan_neon(const char* text, std::size_t size, const WantedBytes& wanted, std::uint32_t* out);

// Precondition: has_kernel(kernel).
ScanFunction scan_function(ScanKernel kernel);

// Offsets of the set bits of `mask`, bit 0 being at `base`. Eight at a time without a branch per bit: most blocks of 64
// bytes hold between one and sixteen separators, so the loop runs once or twice.
[[gnu::always_inline]] inline std::uint32_t* write_bits(std::uint64_t mask, std::uint32_t base, std::uint32_t* out) {
    const auto count = static_cast<std::size_t>(std::popcount(mask));
    std::uint32_t* const end = out + count;
    for (std::uint32_t* position = out; position < end; position += 8) {
        for (std::size_t i = 0; i < 8; ++i) {
            position[i] = base + static_cast<std::uint32_t>(std::countr_zero(mask));
            mask &= mask - 1;
        }
    }
    return end;
}

} // namespace radscheduler
