// Charset and shape of received bytes. MSH-18 has to be read before the charset is known; it is ASCII in every charset
// HL7 allows.
#include "received.hpp"

#include "radscheduler/charset.hpp"
#include "radscheduler/header.hpp"

#include "iconv_charset.hpp"

namespace radscheduler::pg {

namespace {

SiuError why(const Error& error) {
    const char* code = error.code == ErrorCode::no_header || error.code == ErrorCode::empty_input ? "100" : "102";
    return {code, error.path.empty() ? "MSH" : error.path, error.text};
}

struct Encoding {
    std::string_view name;
    const CharsetConverter* converter;
};

bool hex_of_encoding(void* context, std::string_view bytes, std::string& out) {
    const auto* encoding = static_cast<const Encoding*>(context);
    return convert_charset(encoding->name, bytes, encoding->converter, out);
}

} // namespace

Received receive(std::string_view bytes, std::string_view charset) {
    Received received;
    Result<std::string> canonical = normalize(bytes);
    if (!canonical) {
        received.error = why(canonical.error());
        return received;
    }
    const Result<Message> message = Message::open(*canonical);
    if (!message) {
        received.error = why(message.error());
        return received;
    }
    const CharsetConverter converter = iconv_converter();
    Utf8Text decoded = to_utf8(*canonical, header_field(*message, 18), &converter, charset);
    Encoding encoding{decoded.encoding, &converter};
    received.text = hex_to_utf8(decoded.text, message->delimiters(), {hex_of_encoding, &encoding});
    received.warning = std::move(decoded.warning);
    return received;
}

DeclaredHexText::DeclaredHexText(const Message& message)
    : message_(&message), hook_{convert, const_cast<Message*>(message_)} {}

bool DeclaredHexText::convert(void* context, std::string_view bytes, std::string& out) {
    const auto* message = static_cast<const Message*>(context);
    const std::string_view declared = header_field(*message, 18);
    if (declared.empty()) return false;
    const CharsetConverter converter = iconv_converter();
    return convert_charset(declared_encoding(declared, message->delimiters().repetition, bytes), bytes, &converter,
                           out);
}

} // namespace radscheduler::pg
