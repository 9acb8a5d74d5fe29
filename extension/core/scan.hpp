// The scanner's inner loops: finding the n-th separator, eight bytes at a time. Fields are short, so a call to memchr
// per separator costs more than it saves; counting equal bytes in a word does not depend on field length.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace radscheduler {

// 0x80 in every byte of `word` that equals the byte repeated in `pattern`; exact, no false hits.
constexpr std::uint64_t equal_bytes(std::uint64_t word, std::uint64_t pattern) {
    constexpr std::uint64_t low7 = 0x7F7F7F7F7F7F7F7FULL;
    const std::uint64_t difference = word ^ pattern;
    return ~(((difference & low7) + low7) | difference | low7);
}

// Pointer to the n-th (from 1) separator in [begin, end), or nullptr.
inline const char* find_nth(const char* begin, const char* end, char separator, std::size_t n) {
    const std::uint64_t pattern = 0x0101010101010101ULL * static_cast<unsigned char>(separator);
    while (end - begin >= 8) {
        std::uint64_t word;
        std::memcpy(&word, begin, sizeof word);
        std::uint64_t hits = equal_bytes(word, pattern);
        if (hits != 0) {
            const std::size_t count = ((hits >> 7) * 0x0101010101010101ULL) >> 56;
            if (count >= n) {
                if constexpr (std::endian::native == std::endian::little) {
                    while (--n != 0)
                        hits &= hits - 1;
                    return begin + (std::countr_zero(hits) >> 3);
                } else {
                    break;
                }
            }
            n -= count;
        }
        begin += 8;
    }
    for (; begin != end; ++begin) {
        if (*begin == separator && --n == 0) return begin;
    }
    return nullptr;
}

// Part `n` (from 1) of a text split at a separator. False when there are fewer parts. A separator of '\0' never splits.
inline bool split_part(std::string_view text, char separator, std::size_t n, std::string_view& part) {
    const char* begin = text.data();
    const char* const end = begin + text.size();
    if (separator == '\0') {
        part = text;
        return n == 1;
    }
    if (n > 1) {
        const char* before = find_nth(begin, end, separator, n - 1);
        if (before == nullptr) return false;
        begin = before + 1;
    }
    const char* after = find_nth(begin, end, separator, 1);
    part = {begin, static_cast<std::size_t>((after != nullptr ? after : end) - begin)};
    return true;
}

} // namespace radscheduler
