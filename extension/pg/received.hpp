// Bytes as received, made readable: canonical UTF-8 text and its charset warning, or the reason why they are no
// message. Hex escapes of the sender's charset are those of UTF-8 in the text.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "radscheduler/charset.hpp"
#include "radscheduler/escape.hpp"
#include "radscheduler/message.hpp"
#include "radscheduler/result.hpp"
#include "radscheduler/siu/reading.hpp"

namespace radscheduler::pg {

struct Received {
    std::string text; // empty when there is an error
    std::optional<Warning> warning;
    std::optional<SiuError> error;
};

// charset: a name of HL7 table 0211 or of iconv that holds whatever MSH-18 says; empty for none.
Received receive(std::string_view bytes, std::string_view charset = {});

// Hex runs of a stored message: bytes in the charset that its MSH-18 names. MSH-18 is looked up once, at the first such
// run, and no more of it is looked at than any charset needs.
class DeclaredHexText {
public:
    explicit DeclaredHexText(const Message& message) : message_(message), hook_{convert, this} {}
    DeclaredHexText(const DeclaredHexText&) = delete;
    DeclaredHexText& operator=(const DeclaredHexText&) = delete;
    const HexText* hook() const { return &hook_; }

private:
    static bool convert(void* context, std::string_view bytes, std::string& out);

    const Message& message_;
    HexText hook_;
    std::optional<std::string_view> declared_;
};

// Bytes as received and read: the text before hex runs are looked at, and what the bytes were.
Utf8Text converted(const Message& raw, std::string_view charset);

} // namespace radscheduler::pg
