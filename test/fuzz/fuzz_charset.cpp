// Bytes in any charset: the first line is MSH-18, the second the sender's charset, the rest the bytes.
#include "check.hpp"
#include "radscheduler/charset.hpp"
#include "radscheduler/declared_charset.hpp"
#include "radscheduler/header.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iconv.h>

using namespace radscheduler;

namespace {

std::string_view take_line(std::string_view& rest) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return line;
}

bool by_iconv(void*, std::string_view encoding, std::string_view bytes, std::string& out) {
    const iconv_t handle = iconv_open("UTF-8", std::string(encoding).c_str());
    if (handle == reinterpret_cast<iconv_t>(-1)) return false;
    std::string target(bytes.size() * 6 + 16, '\0');
    char* input = const_cast<char*>(bytes.data());
    std::size_t left = bytes.size();
    char* output = target.data();
    std::size_t room = target.size();
    const bool done = iconv(handle, &input, &left, &output, &room) != static_cast<std::size_t>(-1);
    iconv_close(handle);
    if (done) out.append(target.data(), target.size() - room);
    return done;
}

// A converter that is wrong in every way it can be: the core takes only UTF-8 from it.
bool by_liar(void*, std::string_view, std::string_view bytes, std::string& out) {
    out.append(bytes);
    return bytes.size() % 2 == 0;
}

constexpr CharsetConverter kIconv{by_iconv, nullptr};
constexpr CharsetConverter kLiar{by_liar, nullptr};

void check(const Utf8Text& text) {
    FUZZ_CHECK(is_valid_utf8(text.text));
    FUZZ_CHECK(!text.encoding.empty());
    if (!text.warning) return;
    FUZZ_CHECK(text.warning->code == "CHARSET_ASSUMED" || text.warning->code == "CHARSET_FAILED");
    FUZZ_CHECK(text.warning->path == "MSH-18");
    FUZZ_CHECK(is_valid_utf8(text.warning->text));
}

// The bytes as a message of their own: whatever charset its header hides in, MSH-18 is found without harm.
void check_header(std::string_view bytes) {
    const Result<std::string> canonical = normalize(bytes);
    if (!canonical) return;
    const Result<Message> message = Message::open(*canonical);
    if (!message) return;
    FUZZ_CHECK(find_msh18(*message, nullptr) == header_field(*message, 18));
    for (const CharsetConverter* converter : {&kIconv, &kLiar}) {
        const std::string found = find_msh18(*message, converter);
        FUZZ_CHECK(found.size() <= 4 * canonical->size());
        check(to_utf8(*canonical, found, converter));
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const std::string_view declared = take_line(bytes);
    const std::string_view override_charset = take_line(bytes);

    check_header(bytes);
    FUZZ_CHECK(iconv_name(declared).empty() || !is_wide_unicode(declared));
    for (const CharsetConverter* converter : {static_cast<const CharsetConverter*>(nullptr), &kIconv, &kLiar}) {
        check(to_utf8(bytes, declared, converter));
        check(to_utf8(bytes, declared, converter, override_charset));
        std::string out = "kept";
        const bool done = convert_charset(declared_encoding(declared, '~', bytes), bytes, converter, out);
        FUZZ_CHECK(out.starts_with("kept") && is_valid_utf8(out));
        FUZZ_CHECK(done || out == "kept");
    }
    const Utf8Text plain = to_utf8(bytes, declared);
    if (is_valid_utf8(bytes)) FUZZ_CHECK(plain.text == bytes);
    const std::string_view cut = utf8_prefix(plain.text, size / 2);
    FUZZ_CHECK(is_valid_utf8(cut) && cut.size() <= size / 2);
    return 0;
}
