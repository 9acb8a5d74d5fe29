// Escapes in every way of reading them. The first bytes choose delimiters and hook, the rest is a raw text.
#include "check.hpp"
#include "radscheduler/charset.hpp"
#include "radscheduler/escape.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

using namespace radscheduler;

namespace {

constexpr std::size_t kMostGrowth = 32; // of rendered text, as escape.hpp promises
constexpr std::size_t kHookGrowth = 3;  // what one byte of ISO 8859/1 can become, and more than the hooks below give

bool latin1(void*, std::string_view bytes, std::string& out) {
    return convert_charset("ISO-8859-1", bytes, nullptr, out);
}

bool refuses(void*, std::string_view, std::string& out) {
    out = "forgotten";
    return false;
}

bool gives_no_text(void*, std::string_view bytes, std::string& out) {
    out.append(bytes);
    return true;
}

constexpr std::array kHooks = {HexText{latin1, nullptr}, HexText{refuses, nullptr}, HexText{gives_no_text, nullptr}};

Delimiters delimiters_for(unsigned choice) {
    static constexpr std::array kHeads = {"MSH|^~\\&|", "MSH|^~\\&#|", "MSH$%*@!$",
                                          "MSH|^~|",    "MSH|^~\\|",   "MSH|.+*~|"};
    return *Delimiters::read(kHeads[choice % kHeads.size()]);
}

void check_text(const std::string& text, std::size_t raw_size, std::size_t growth) {
    FUZZ_CHECK(is_valid_utf8(text));
    FUZZ_CHECK(text.find('\0') == std::string::npos);
    FUZZ_CHECK(text.size() <= raw_size * growth);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const Delimiters delimiters = delimiters_for(data[0]);
    const HexText& hook = kHooks[data[1] % kHooks.size()];
    const std::string_view raw(reinterpret_cast<const char*>(data) + 2, size - 2);
    if (!is_valid_utf8(raw) || raw.find('\0') != std::string_view::npos) return 0;

    for (const HexText* hex : {static_cast<const HexText*>(nullptr), &hook}) {
        check_text(decode(raw, delimiters, {Formatting::kept, hex}), raw.size(), hex == nullptr ? 1 : kHookGrowth);
        check_text(decode(raw, delimiters, {Formatting::line_breaks, hex}), raw.size(),
                   hex == nullptr ? 1 : kHookGrowth);
        check_text(decode(raw, delimiters, {Formatting::rendered, hex}), raw.size(), kMostGrowth);
    }
    FUZZ_CHECK(decode(raw, delimiters) == decode(raw, delimiters, {Formatting::line_breaks, nullptr}));

    // Rewriting the runs and then decoding is decoding with the hook, whatever the formatting.
    const std::string rewritten = hex_to_utf8(raw, delimiters, hook);
    for (const Formatting formatting : {Formatting::kept, Formatting::line_breaks, Formatting::rendered})
        FUZZ_CHECK(decode(rewritten, delimiters, {formatting}) == decode(raw, delimiters, {formatting, &hook}));
    FUZZ_CHECK(hex_to_utf8(rewritten, delimiters, hook) == rewritten);

    const std::string text = decode(raw, delimiters);
    if (delimiters.escape != '\0') FUZZ_CHECK(decode(escape(text, delimiters), delimiters) == text);
    return 0;
}
