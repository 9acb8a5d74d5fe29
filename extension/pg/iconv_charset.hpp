// Charsets that the core does not know, through the iconv of the C library.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "radscheduler/charset.hpp"

namespace radscheduler::pg {

// Hands bytes of an iconv encoding over as UTF-8. False when the encoding is unknown or the bytes are not of it; `out`
// is then as it was. Never longjmps.
bool iconv_to_utf8(std::string_view encoding, std::string_view bytes, std::string& out);

// UTF-8 as bytes of an iconv encoding; nullopt when it has no way to say the text.
std::optional<std::string> iconv_from_utf8(std::string_view encoding, std::string_view text);

// The same as the core wants it.
CharsetConverter iconv_converter();

} // namespace radscheduler::pg
