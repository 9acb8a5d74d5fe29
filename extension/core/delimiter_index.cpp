// Choosing a kernel, the portable kernel, and the two forms of the index.
#include "radscheduler/delimiter_index.hpp"

#include "delimiter_scan.hpp"

#include <algorithm>

namespace radscheduler {

namespace {

ScanKernel detect_kernel() {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512vbmi2") != 0 && __builtin_cpu_supports("avx512bw") != 0)
        return ScanKernel::avx512;
    if (__builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("bmi") != 0) return ScanKernel::avx2;
    return ScanKernel::sse2;
#elif defined(__aarch64__)
    return ScanKernel::neon;
#else
    return ScanKernel::scalar;
#endif
}

} // namespace

std::string_view kernel_name(ScanKernel kernel) {
    switch (kernel) {
    case ScanKernel::scalar:
        return "scalar";
    case ScanKernel::sse2:
        return "sse2";
    case ScanKernel::avx2:
        return "avx2";
    case ScanKernel::avx512:
        return "avx512";
    case ScanKernel::neon:
        return "neon";
    }
    return "unknown";
}

bool has_kernel(ScanKernel kernel) {
    if (kernel == ScanKernel::scalar || kernel == best_kernel()) return true;
#if defined(__x86_64__)
    // Each of these processors can do what the ones before it could.
    return kernel <= best_kernel();
#else
    return false;
#endif
}

ScanKernel best_kernel() {
    static const ScanKernel kernel = detect_kernel();
    return kernel;
}

ScanFunction scan_function(ScanKernel kernel) {
    switch (kernel) {
#if defined(__x86_64__)
    case ScanKernel::sse2:
        return scan_sse2;
    case ScanKernel::avx2:
        return scan_avx2;
    case ScanKernel::avx512:
        return scan_avx512;
#elif defined(__aarch64__)
    case ScanKernel::neon:
        return scan_neon;
#endif
    default:
        return scan_scalar;
    }
}

WantedBytes wanted_bytes(const Delimiters& delimiters) {
    WantedBytes wanted{delimiters.field, delimiters.component, delimiters.repetition, delimiters.subcomponent, '\r'};
    std::replace(wanted.begin(), wanted.end(), '\0', delimiters.field);
    return wanted;
}

std::size_t scan_scalar(const char* text, std::size_t size, const WantedBytes& wanted, std::uint32_t* out) {
    std::array<bool, 256> separates{};
    for (const char c : wanted)
        separates[static_cast<unsigned char>(c)] = true;
    std::size_t found = 0;
    for (std::size_t i = 0; i < size; ++i) {
        out[found] = static_cast<std::uint32_t>(i);
        found += separates[static_cast<unsigned char>(text[i])] ? 1 : 0;
    }
    return found;
}

DelimiterIndex::DelimiterIndex(std::string_view text, const Delimiters& delimiters, ScanKernel kernel) {
    rebuild(text, delimiters, kernel);
}

void DelimiterIndex::rebuild(std::string_view text, const Delimiters& delimiters, ScanKernel kernel) {
    // Every byte may be a separator. Pages that are never written to cost nothing.
    if (capacity_ < text.size() + kScanSlack) {
        capacity_ = text.size() + kScanSlack;
        offsets_ = std::make_unique_for_overwrite<std::uint32_t[]>(capacity_);
    }
    count_ = scan_function(kernel)(text.data(), text.size(), wanted_bytes(delimiters), offsets_.get());
}

DelimiterCursor::DelimiterCursor(std::string_view text, const Delimiters& delimiters)
    : text_(text), delimiters_(delimiters), kernel_(best_kernel()) {
    static_assert(std::tuple_size_v<decltype(offsets_)> >= kBlockBytes + kScanSlack);
}

bool DelimiterCursor::refill() {
    taken_ = 0;
    found_ = 0;
    while (found_ == 0 && block_end_ < text_.size()) {
        block_start_ = block_end_;
        block_end_ = std::min(text_.size(), block_start_ + kBlockBytes);
        found_ = scan_function(kernel_)(text_.data() + block_start_, block_end_ - block_start_,
                                        wanted_bytes(delimiters_), offsets_.data());
    }
    return found_ != 0;
}

} // namespace radscheduler
