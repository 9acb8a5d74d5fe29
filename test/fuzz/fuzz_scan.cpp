// Every scan kernel of this processor against a plain loop, within the bytes and no further (AddressSanitizer sees to
// that): the first five bytes are the delimiters, the rest is the text.
#include "check.hpp"
#include "delimiter_scan.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

using namespace radscheduler;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    WantedBytes wanted;
    if (size < wanted.size()) return 0;
    std::memcpy(wanted.data(), data, wanted.size());
    data += wanted.size();
    size -= wanted.size();
    // An allocation of exactly this size: one byte too many is found.
    const std::unique_ptr<char[]> text(new char[size]);
    std::memcpy(text.get(), data, size);

    std::vector<std::uint32_t> expected;
    for (std::size_t i = 0; i < size; ++i) {
        if (std::memchr(wanted.data(), text[i], wanted.size()) != nullptr)
            expected.push_back(static_cast<std::uint32_t>(i));
    }
    for (const ScanKernel kernel :
         {ScanKernel::scalar, ScanKernel::sse2, ScanKernel::avx2, ScanKernel::avx512, ScanKernel::neon}) {
        if (!has_kernel(kernel)) continue;
        const std::unique_ptr<std::uint32_t[]> offsets(new std::uint32_t[size + kScanSlack]);
        const std::size_t found = scan_function(kernel)(text.get(), size, wanted, offsets.get());
        FUZZ_CHECK(found == expected.size());
        FUZZ_CHECK(found == 0 || std::memcmp(offsets.get(), expected.data(), found * sizeof(std::uint32_t)) == 0);
    }
    return 0;
}
