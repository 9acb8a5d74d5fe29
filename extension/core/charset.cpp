// UTF-8 validation, and which charset a message is read in.
#include "radscheduler/charset.hpp"

#include "ascii.hpp"
#include "radscheduler/delimiters.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace radscheduler {

namespace {

constexpr std::string_view kUtf8 = "UTF-8";
constexpr std::string_view kAscii = "US-ASCII";
constexpr std::string_view kLastResort = "CP1252";
constexpr std::size_t kLongestEncodingName = 40;

// A name that may be handed to iconv as it is: no suffix like //TRANSLIT, which would change text in silence.
bool is_encoding_name(std::string_view name) {
    return !name.empty() && name.size() <= kLongestEncodingName && std::all_of(name.begin(), name.end(), [](char c) {
        return is_alpha(c) || is_digit(c) || c == '-' || c == '_' || c == '.' || c == ':';
    });
}

// A conversion that moves the delimiters is none: the encoding does not contain ASCII.
bool keeps_delimiters(std::string_view bytes, std::string_view text) {
    const Result<Delimiters> before = Delimiters::read(bytes);
    if (!before) return true;
    const Result<Delimiters> after = Delimiters::read(text);
    return after && *after == *before;
}

// The steps of to_utf8(). The first thing that goes wrong is what the warning tells, whichever later step succeeds.
class CharsetReading {
public:
    CharsetReading(std::string_view bytes, const CharsetConverter* converter) : bytes_(bytes), converter_(converter) {}

    bool convert(std::string_view encoding) {
        result_.text.clear();
        result_.encoding = encoding;
        return convert_charset(encoding, bytes_, converter_, result_.text);
    }

    void blame(std::string_view what, std::string_view remedy) {
        if (!trouble_.empty()) return;
        trouble_ = what;
        remedy_ = remedy;
    }

    const std::string& text() const { return result_.text; }
    bool has_trouble() const { return !trouble_.empty(); }

    Utf8Text take() {
        if (has_trouble()) {
            result_.warning = Warning{"CHARSET_FAILED", "MSH-18",
                                      std::string(trouble_) + "; they were read as " + result_.encoding + ". " +
                                          std::string(remedy_)};
        }
        return std::move(result_);
    }

private:
    std::string_view bytes_;
    const CharsetConverter* converter_;
    Utf8Text result_;
    std::string_view trouble_;
    std::string_view remedy_;
};

bool read_override(CharsetReading& reading, std::string_view charset, std::string_view bytes) {
    if (is_wide_unicode(charset)) {
        reading.blame("The charset set for this sender is UTF-16 or UTF-32, whose bytes cannot hold HL7 delimiters",
                      "Set a charset that contains ASCII.");
        return false;
    }
    const std::string_view known = declared_encoding(charset, '~', bytes);
    if (!known.empty() && reading.convert(known)) return true;
    if (known.empty() && is_encoding_name(charset) && reading.convert(charset) &&
        keeps_delimiters(bytes, reading.text())) {
        return true;
    }
    reading.blame("The charset set for this sender is not known or does not fit its bytes",
                  "Correct the charset of the sender.");
    return false;
}

bool read_declared(CharsetReading& reading, std::string_view encoding) {
    if (reading.convert(encoding)) return true;
    reading.blame("The charset in MSH-18 does not fit the bytes", "Correct MSH-18 or send UTF-8.");
    return false;
}

} // namespace

bool is_valid_utf8(std::string_view bytes) {
    const auto* position = reinterpret_cast<const unsigned char*>(bytes.data());
    const auto* const end = position + bytes.size();
    const auto continues = [](unsigned char c) { return (c & 0xC0) == 0x80; };
    while (position != end) {
        if (end - position >= 8) {
            std::uint64_t word;
            std::memcpy(&word, position, sizeof word);
            if ((word & 0x8080808080808080ULL) == 0) {
                position += 8;
                continue;
            }
        }
        const unsigned char lead = *position;
        if (lead < 0x80) {
            ++position;
            continue;
        }
        const auto left = end - position;
        if (lead >= 0xC2 && lead <= 0xDF) {
            if (left < 2 || !continues(position[1])) return false;
            position += 2;
        } else if (lead >= 0xE0 && lead <= 0xEF) {
            if (left < 3 || !continues(position[1]) || !continues(position[2])) return false;
            if (lead == 0xE0 && position[1] < 0xA0) return false; // overlong
            if (lead == 0xED && position[1] > 0x9F) return false; // surrogate
            position += 3;
        } else if (lead >= 0xF0 && lead <= 0xF4) {
            if (left < 4 || !continues(position[1]) || !continues(position[2]) || !continues(position[3])) return false;
            if (lead == 0xF0 && position[1] < 0x90) return false; // overlong
            if (lead == 0xF4 && position[1] > 0x8F) return false; // above U+10FFFF
            position += 4;
        } else {
            return false;
        }
    }
    return true;
}

std::string_view utf8_prefix(std::string_view text, std::size_t limit) {
    if (text.size() <= limit) return text;
    while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xC0) == 0x80)
        --limit;
    return text.substr(0, limit);
}

Utf8Text to_utf8(std::string_view bytes, std::string_view declared_msh18, const CharsetConverter* converter,
                 std::string_view override_charset) {
    CharsetReading reading(bytes, converter);
    if (!override_charset.empty() && read_override(reading, override_charset, bytes)) return reading.take();

    const Result<Delimiters> delimiters = Delimiters::read(bytes);
    const std::string_view declared =
        declared_encoding(declared_msh18, delimiters ? delimiters->repetition : '~', bytes);
    // Text in a 7-bit encoding is always valid UTF-8, so it has to be tried first; without a shift it is ASCII.
    const bool shifted = declared.starts_with("ISO-2022") && bytes.find('\x1B') != std::string_view::npos;
    if (shifted && read_declared(reading, declared)) return reading.take();
    if (reading.convert(kUtf8)) return reading.take();

    const bool built_in = declared == "ISO-8859-1" || declared == "ISO-8859-15" || declared == kLastResort;
    const bool says_more = !declared.empty() && declared != kUtf8 && declared != kAscii && !shifted;
    if (says_more && (built_in || converter != nullptr) && read_declared(reading, declared)) return reading.take();
    if (is_wide_unicode(declared_msh18)) {
        reading.blame("MSH-18 declares UTF-16 or UTF-32, whose bytes cannot hold HL7 delimiters",
                      "Send UTF-8, or another charset that contains ASCII.");
    }

    reading.convert(kLastResort);
    if (reading.has_trouble()) return reading.take();
    Utf8Text result = reading.take();
    result.warning = Warning{"CHARSET_ASSUMED", "MSH-18",
                             declared_msh18.empty()
                                 ? "The bytes are not UTF-8 and MSH-18 names no charset; they were read as "
                                   "Windows-1252. Name the charset in MSH-18."
                                 : "The bytes are not UTF-8 and the charset in MSH-18 does not explain them; they "
                                   "were read as Windows-1252. Correct MSH-18 or send UTF-8."};
    return result;
}

} // namespace radscheduler
