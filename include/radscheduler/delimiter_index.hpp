// Purpose: where every separator of a message stands, found in one pass: the field, repetition, component and
// subcomponent separators and the CR that ends a segment, in order, as offsets from the start of the text. Readers that
// visit a whole message walk these offsets instead of searching each level again.
//
// The offsets are those of bytes: the encoding characters in MSH-2 are among them, and an escaped separator (\F\) is
// not there in the first place. Delimiters that a message does not declare are never found. Two forms: DelimiterIndex
// holds all offsets (four bytes each); DelimiterCursor gives one at a time and scans a block of kBlockBytes ahead, so
// that its memory does not grow with the message. Precondition: the text is shorter than 4 GB. The scan uses the widest
// instructions that the processor has at run time; every kernel gives the same offsets.
#pragma once

#include "radscheduler/delimiters.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace radscheduler {

// Those of x86-64 in ascending order.
enum class ScanKernel { scalar, sse2, avx2, avx512, neon };

std::string_view kernel_name(ScanKernel kernel);

// Whether this program has the kernel and this processor can run it. scalar always does.
bool has_kernel(ScanKernel kernel);

// The fastest one here.
ScanKernel best_kernel();

class DelimiterIndex {
public:
    DelimiterIndex(std::string_view text, const Delimiters& delimiters)
        : DelimiterIndex(text, delimiters, best_kernel()) {}
    // Precondition: has_kernel(kernel).
    DelimiterIndex(std::string_view text, const Delimiters& delimiters, ScanKernel kernel);

    std::span<const std::uint32_t> offsets() const { return {offsets_.get(), count_}; }

    // Scans another text into the memory of this one.
    void rebuild(std::string_view text, const Delimiters& delimiters, ScanKernel kernel = best_kernel());

private:
    std::unique_ptr<std::uint32_t[]> offsets_;
    std::size_t capacity_ = 0;
    std::size_t count_ = 0;
};

class DelimiterCursor {
public:
    static constexpr std::size_t kBlockBytes = 4096;

    DelimiterCursor(std::string_view text, const Delimiters& delimiters);

    // Offset of the next separator; text.size() when there is none left.
    std::size_t next() {
        if (taken_ == found_ && !refill()) return text_.size();
        return block_start_ + offsets_[taken_++];
    }

private:
    bool refill();

    std::string_view text_;
    Delimiters delimiters_;
    ScanKernel kernel_;
    std::size_t block_start_ = 0;
    std::size_t block_end_ = 0;
    std::size_t taken_ = 0;
    std::size_t found_ = 0;
    std::array<std::uint32_t, kBlockBytes + 64> offsets_;
};

} // namespace radscheduler
