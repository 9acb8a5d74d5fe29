// One encoding to UTF-8: the built-in tables, and what iconv must be spared.
#include "radscheduler/charset.hpp"

#include <algorithm>
#include <array>

namespace radscheduler {

namespace {

enum class Table { none, latin1, latin9, windows1252 };

Table table_of(std::string_view encoding) {
    if (encoding == "ISO-8859-1") return Table::latin1;
    if (encoding == "ISO-8859-15") return Table::latin9;
    return encoding == "CP1252" ? Table::windows1252 : Table::none;
}

// Windows-1252, bytes 0x80..0x9F; the five undefined ones map to the C1 control of the same number.
constexpr std::array<char16_t, 32> kWindows1252 = {0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
                                                   0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x008D, 0x017D, 0x008F,
                                                   0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                                   0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178};

char16_t to_unicode(unsigned char byte, Table table) {
    if (table == Table::windows1252 && byte >= 0x80 && byte <= 0x9F) return kWindows1252[byte - 0x80];
    if (table == Table::latin9) {
        switch (byte) {
        case 0xA4:
            return 0x20AC;
        case 0xA6:
            return 0x0160;
        case 0xA8:
            return 0x0161;
        case 0xB4:
            return 0x017D;
        case 0xB8:
            return 0x017E;
        case 0xBC:
            return 0x0152;
        case 0xBD:
            return 0x0153;
        case 0xBE:
            return 0x0178;
        default:
            break;
        }
    }
    return byte;
}

void append_utf8(std::string& out, char16_t unit) {
    if (unit < 0x80) {
        out.push_back(static_cast<char>(unit));
    } else if (unit < 0x800) {
        out.push_back(static_cast<char>(0xC0 | (unit >> 6)));
        out.push_back(static_cast<char>(0x80 | (unit & 0x3F)));
    } else {
        out.push_back(static_cast<char>(0xE0 | (unit >> 12)));
        out.push_back(static_cast<char>(0x80 | ((unit >> 6) & 0x3F)));
        out.push_back(static_cast<char>(0x80 | (unit & 0x3F)));
    }
}

void append_by_table(std::string& out, std::string_view bytes, Table table) {
    out.reserve(out.size() + bytes.size() + bytes.size() / 8);
    for (const char c : bytes)
        append_utf8(out, to_unicode(static_cast<unsigned char>(c), table));
}

std::string replaced(std::string_view bytes, std::string_view from, std::string_view to) {
    std::string text;
    text.reserve(bytes.size());
    for (std::size_t end = bytes.find(from); end != std::string_view::npos; end = bytes.find(from)) {
        text.append(bytes.substr(0, end)).append(to);
        bytes.remove_prefix(end + from.size());
    }
    return text.append(bytes);
}

// Bytes as iconv has to see them. JIS X 0201 Roman (ESC ( J) is ASCII but for two characters, and these two are \ and
// ~: a sender whose default set it is means its delimiters by them. Korean 8-bit text may announce its set (ESC $ ) C),
// which EUC-KR takes for granted.
std::string prepared(std::string_view encoding, std::string_view bytes) {
    if (encoding.starts_with("ISO-2022-JP")) return replaced(bytes, "\x1B(J", "\x1B(B");
    if (encoding == "EUC-KR") return replaced(bytes, "\x1B$)C", "");
    return std::string(bytes);
}

bool is_ascii(std::string_view bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

} // namespace

bool convert_charset(std::string_view encoding, std::string_view bytes, const CharsetConverter* converter,
                     std::string& out) {
    if (const Table table = table_of(encoding); table != Table::none) {
        append_by_table(out, bytes, table);
        return true;
    }
    if (encoding == "UTF-8" || encoding == "US-ASCII") {
        const bool fits = encoding == "UTF-8" ? is_valid_utf8(bytes) : is_ascii(bytes);
        if (fits) out.append(bytes);
        return fits;
    }
    if (converter == nullptr || encoding.empty()) return false;
    const std::size_t before = out.size();
    if (converter->convert(converter->context, encoding, prepared(encoding, bytes), out) &&
        is_valid_utf8(std::string_view(out).substr(before))) {
        return true;
    }
    out.resize(before);
    return false;
}

} // namespace radscheduler
