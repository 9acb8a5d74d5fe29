// Charset and shape of received bytes.
#include "received.hpp"

#include "radscheduler/declared_charset.hpp"
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
    Utf8Text decoded = converted(*message, charset);
    Encoding encoding{decoded.encoding, &converter};
    received.text = hex_to_utf8(decoded.text, message->delimiters(), {hex_of_encoding, &encoding});
    received.warning = std::move(decoded.warning);
    return received;
}

Utf8Text converted(const Message& raw, std::string_view charset) {
    const CharsetConverter converter = iconv_converter();
    return to_utf8(raw.text(), find_msh18(raw, &converter), &converter, charset);
}

bool DeclaredHexText::convert(void* context, std::string_view bytes, std::string& out) {
    constexpr std::size_t longest_declaration = 200;
    auto* self = static_cast<DeclaredHexText*>(context);
    if (!self->declared_) self->declared_ = header_field(self->message_, 18).substr(0, longest_declaration);
    if (self->declared_->empty()) return false;
    const char repetition = self->message_.delimiters().repetition;
    const CharsetConverter converter = iconv_converter();
    return convert_charset(declared_encoding(*self->declared_, repetition, bytes), bytes, &converter, out);
}

} // namespace radscheduler::pg
