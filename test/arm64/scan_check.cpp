// The core where there is no GoogleTest to link with: every scan kernel against a plain loop, and one message read. For
// a processor that is emulated (make check-long). Exit code 0 when all agree.
#include "radscheduler/delimiter_index.hpp"
#include "radscheduler/message_json.hpp"
#include "radscheduler/value.hpp"

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace {

using namespace radscheduler;

// A small generator of its own, so that every run sees the same bytes.
std::uint32_t next_random(std::uint32_t& state) {
    state = state * 1664525U + 1013904223U;
    return state >> 16;
}

bool agrees(ScanKernel kernel, const std::string& text) {
    const Delimiters delimiters;
    std::vector<std::uint32_t> expected;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\r' || (delimiters.separates(text[i]) && text[i] != delimiters.escape))
            expected.push_back(static_cast<std::uint32_t>(i));
    }
    const DelimiterIndex index(text, delimiters, kernel);
    return std::vector<std::uint32_t>(index.offsets().begin(), index.offsets().end()) == expected;
}

} // namespace

int main() {
    std::uint32_t state = 7;
    int checks = 0;
    for (const ScanKernel kernel :
         {ScanKernel::scalar, ScanKernel::sse2, ScanKernel::avx2, ScanKernel::avx512, ScanKernel::neon}) {
        if (!has_kernel(kernel)) continue;
        for (std::size_t size = 0; size < 600; ++size) {
            std::string text(size, 'x');
            for (char& c : text)
                c = "|^~&\rabcdefgh\\#\0\xC3"[next_random(state) % 17];
            ++checks;
            if (agrees(kernel, text)) continue;
            std::printf("kernel %s is wrong on %zu bytes\n", std::string(kernel_name(kernel)).c_str(), size);
            return 1;
        }
    }
    const Message message = *Message::open("MSH|^~\\&|A|B\rPID|1||7^^^H~8||DOE\\F\\X\r");
    if (get_text(message, *Path::parse("PID-5.1")) != "DOE|X" ||
        message_json(message) != R"([["MSH","|","^~\\&","A","B"],["PID","1","",[["7","","","H"],"8"],"","DOE|X"]])") {
        std::puts("a message was not read as it should be");
        return 1;
    }
    std::printf("%d scans agree; the fastest kernel here is %s\n", checks,
                std::string(kernel_name(best_kernel())).c_str());
    return 0;
}
