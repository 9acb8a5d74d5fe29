// Charset and shape of received bytes. MSH-18 has to be read before the charset is known; it is ASCII in every charset
// HL7 allows.
#include "received.hpp"

#include "radscheduler/charset.hpp"
#include "radscheduler/header.hpp"

namespace radscheduler::pg {

namespace {

SiuError why(const Error& error) {
    const char* code = error.code == ErrorCode::no_header || error.code == ErrorCode::empty_input ? "100" : "102";
    return {code, error.path.empty() ? "MSH" : error.path, error.text};
}

} // namespace

Received receive(std::string_view bytes) {
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
    Utf8Text decoded = to_utf8(*canonical, header_field(*message, 18));
    received.text = std::move(decoded.text);
    received.warning = std::move(decoded.warning);
    return received;
}

} // namespace radscheduler::pg
