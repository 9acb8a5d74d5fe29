// Trying the charsets that can hide a delimiter.
#include "radscheduler/declared_charset.hpp"

#include "radscheduler/header.hpp"

#include <algorithm>
#include <array>

namespace radscheduler {

namespace {

constexpr std::uint32_t kCharacterSet = 18;
constexpr char kEscape = '\x1B';

// Each Shift_JIS text could be taken for GB18030; the name in MSH-18 decides.
constexpr std::array<std::string_view, 5> kHiding = {"BIG5", "GB18030", "CP932", "ISO-2022-JP-2", "ISO-2022-JP-3"};

std::string_view first_segment(const Message& message) {
    return message.text().substr(0, message.text().find('\r'));
}

// MSH-18 of the header as it reads in an encoding; empty when it does not read so.
std::string msh18_in(std::string_view header, std::string_view encoding, const CharsetConverter& converter) {
    std::string converted;
    if (!convert_charset(encoding, header, &converter, converted)) return {};
    const Result<Message> message = Message::open(converted);
    return message ? std::string(header_field(*message, kCharacterSet)) : std::string();
}

} // namespace

bool hides_delimiters(std::string_view encoding) {
    return encoding.starts_with("ISO-2022") || std::find(kHiding.begin(), kHiding.end(), encoding) != kHiding.end();
}

std::string find_msh18(const Message& raw, const CharsetConverter* converter) {
    std::string plain(header_field(raw, kCharacterSet));
    const std::string_view header = first_segment(raw);
    const bool shifts = header.find(kEscape) != std::string_view::npos;
    if (converter == nullptr || (!shifts && is_valid_utf8(header))) return plain;
    const char repetition = raw.delimiters().repetition;
    const std::string_view named = declared_encoding(plain, repetition, header);
    if (!named.empty() && (!hides_delimiters(named) || msh18_in(header, named, *converter) == plain)) return plain;
    for (const std::string_view encoding : kHiding) {
        if (encoding.starts_with("ISO-2022") != shifts) continue;
        std::string found = msh18_in(header, encoding, *converter);
        if (!found.empty() && declared_encoding(found, repetition, header) == encoding) return found;
    }
    return plain;
}

} // namespace radscheduler
