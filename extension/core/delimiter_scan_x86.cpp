// The scan on x86-64: SSE2, which every such processor has; AVX2 and AVX-512 where the processor says so at run time.
#include "delimiter_scan.hpp"

#if defined(__x86_64__)

#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 takes the deliberately undefined operands of its own AVX-512 header for mistakes (its bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include <immintrin.h>

namespace radscheduler {

namespace {

[[gnu::always_inline]] inline std::uint32_t hits_sse2(const char* text, const __m128i (&wanted)[5]) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text));
    __m128i hits = _mm_cmpeq_epi8(bytes, wanted[0]);
    for (int i = 1; i < 5; ++i)
        hits = _mm_or_si128(hits, _mm_cmpeq_epi8(bytes, wanted[i]));
    return static_cast<std::uint32_t>(_mm_movemask_epi8(hits));
}

[[gnu::target("avx2"), gnu::always_inline]] inline std::uint32_t hits_avx2(const char* text,
                                                                           const __m256i (&wanted)[5]) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text));
    __m256i hits = _mm256_cmpeq_epi8(bytes, wanted[0]);
    for (int i = 1; i < 5; ++i)
        hits = _mm256_or_si256(hits, _mm256_cmpeq_epi8(bytes, wanted[i]));
    return static_cast<std::uint32_t>(_mm256_movemask_epi8(hits));
}

// What is left behind the last whole block of 64 bytes.
std::size_t scan_tail(const char* text, std::size_t size, std::size_t at, const WantedBytes& wanted,
                      std::uint32_t* begin, std::uint32_t* out) {
    const std::size_t found = scan_scalar(text + at, size - at, wanted, out);
    for (std::size_t i = 0; i < found; ++i)
        out[i] += static_cast<std::uint32_t>(at);
    return static_cast<std::size_t>(out - begin) + found;
}

} // namespace

std::size_t scan_sse2(const char* text, std::size_t size, const WantedBytes& wanted, std::uint32_t* out) {
    const __m128i patterns[5] = {_mm_set1_epi8(wanted[0]), _mm_set1_epi8(wanted[1]), _mm_set1_epi8(wanted[2]),
                                 _mm_set1_epi8(wanted[3]), _mm_set1_epi8(wanted[4])};
    std::uint32_t* const begin = out;
    std::size_t at = 0;
    for (; size - at >= 64; at += 64) {
        std::uint64_t mask = 0;
        for (std::size_t i = 0; i < 4; ++i)
            mask |= static_cast<std::uint64_t>(hits_sse2(text + at + 16 * i, patterns)) << (16 * i);
        out = write_bits(mask, static_cast<std::uint32_t>(at), out);
    }
    return scan_tail(text, size, at, wanted, begin, out);
}

[[gnu::target("avx2,bmi,popcnt")]] std::size_t scan_avx2(const char* text, std::size_t size, const WantedBytes& wanted,
                                                         std::uint32_t* out) {
    const __m256i patterns[5] = {_mm256_set1_epi8(wanted[0]), _mm256_set1_epi8(wanted[1]), _mm256_set1_epi8(wanted[2]),
                                 _mm256_set1_epi8(wanted[3]), _mm256_set1_epi8(wanted[4])};
    std::uint32_t* const begin = out;
    std::size_t at = 0;
    for (; size - at >= 64; at += 64) {
        const std::uint64_t mask =
            hits_avx2(text + at, patterns) | static_cast<std::uint64_t>(hits_avx2(text + at + 32, patterns)) << 32;
        out = write_bits(mask, static_cast<std::uint32_t>(at), out);
    }
    return scan_tail(text, size, at, wanted, begin, out);
}

// VBMI2 packs the numbers of the bytes that hit; they are then widened sixteen at a time.
[[gnu::target("avx512f,avx512bw,avx512vbmi2,popcnt")]] std::size_t
scan_avx512(const char* text, std::size_t size, const WantedBytes& wanted, std::uint32_t* out) {
    alignas(64) static constexpr std::array<std::uint8_t, 64> kNumbers = [] {
        std::array<std::uint8_t, 64> numbers{};
        for (std::size_t i = 0; i < numbers.size(); ++i)
            numbers[i] = static_cast<std::uint8_t>(i);
        return numbers;
    }();
    const __m512i numbers = _mm512_load_si512(kNumbers.data());
    const __m512i patterns[5] = {_mm512_set1_epi8(wanted[0]), _mm512_set1_epi8(wanted[1]), _mm512_set1_epi8(wanted[2]),
                                 _mm512_set1_epi8(wanted[3]), _mm512_set1_epi8(wanted[4])};
    std::uint32_t* const begin = out;
    for (std::size_t at = 0; at < size; at += 64) {
        const std::size_t left = size - at;
        const __mmask64 inside = left >= 64 ? ~__mmask64{0} : (__mmask64{1} << left) - 1;
        const __m512i bytes = _mm512_maskz_loadu_epi8(inside, text + at);
        __mmask64 mask = 0;
        for (const __m512i& pattern : patterns)
            mask |= _mm512_cmpeq_epi8_mask(bytes, pattern);
        const auto count = static_cast<std::size_t>(std::popcount(static_cast<std::uint64_t>(mask & inside)));
        __m512i packed = _mm512_maskz_compress_epi8(mask & inside, numbers);
        const __m512i base = _mm512_set1_epi32(static_cast<int>(at));
        for (std::size_t written = 0; written < count; written += 16) {
            const __m512i wide = _mm512_cvtepu8_epi32(_mm512_castsi512_si128(packed));
            _mm512_storeu_si512(out + written, _mm512_add_epi32(wide, base));
            packed = _mm512_alignr_epi32(packed, packed, 4);
        }
        out += count;
    }
    return static_cast<std::size_t>(out - begin);
}

} // namespace radscheduler

#endif
